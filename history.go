package unroll

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Log is a value of an epoch or of an evaluation, by Keras's key: loss, acc, val_loss …
type Log struct {
	Name  string
	Value float64
}

// Logs are in the order in which they are shown: loss first, then metrics, then the same of validation.
type Logs []Log

// Get is the value of that name.
func (l Logs) Get(name string) (float64, bool) {
	for _, v := range l {
		if v.Name == name {
			return v.Value, true
		}
	}
	return 0, false
}

// History is what a training reported, epoch by epoch.
type History struct {
	Epoch  []int // from 0
	keys   []string
	values map[string][]float64

	// What was asked for, as the history's printed form says it.
	Epochs, BatchSize, Samples, ValidationSamples int
}

// Keys are the names of the values, in order.
func (h *History) Keys() []string { return slices.Clone(h.keys) }

// Values are the values of that name, one an epoch; nil where there are none.
func (h *History) Values(key string) []float64 { return h.values[key] }

func (h *History) add(epoch int, logs Logs) {
	h.Epoch = append(h.Epoch, epoch)
	if h.values == nil {
		h.values = map[string][]float64{}
	}
	for _, l := range logs {
		if !slices.Contains(h.keys, l.Name) {
			h.keys = append(h.keys, l.Name)
		}
		h.values[l.Name] = append(h.values[l.Name], l.Value)
	}
}

// MarshalJSON writes what Keras has in history.history: {"loss":[…],"acc":[…],"val_loss":[…]}. JSON has no NaN and no infinity:
// they are null.
func (h *History) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range h.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		numbers := make([]*float64, len(h.values[k]))
		for j := range numbers {
			if v := &h.values[k][j]; !math.IsNaN(*v) && !math.IsInf(*v, 0) {
				numbers[j] = v
			}
		}
		v, err := json.Marshal(numbers)
		if err != nil {
			return nil, fmt.Errorf("unroll: history: %s: %w", k, err)
		}
		fmt.Fprintf(&b, "%q:%s", k, v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote, or what Python's json.dump makes of a history.history of finite numbers; null is NaN.
func (h *History) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("unroll: history: expected an object of lists of numbers")
	}
	*h = History{values: map[string][]float64{}}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("unroll: history: %w", err)
		}
		key := t.(string)
		var numbers []*float64
		if err := d.Decode(&numbers); err != nil {
			return fmt.Errorf("unroll: history: %s: expected a list of numbers: %w", key, err)
		}
		v := make([]float64, len(numbers))
		for i, n := range numbers {
			v[i] = math.NaN()
			if n != nil {
				v[i] = *n
			}
		}
		h.keys = append(h.keys, key)
		h.values[key] = v
		for len(h.Epoch) < len(v) {
			h.Epoch = append(h.Epoch, len(h.Epoch))
		}
	}
	return nil
}
