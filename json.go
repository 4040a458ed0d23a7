package unroll

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/optimizers"
)

// JSON is a built model without its weights, as Keras writes it: the layers, and of a compiled model how it is trained. What a
// TextVectorization has learned is in it, too. Keras: model.to_json.
func (m *Model) JSON() ([]byte, error) {
	config, err := m.config()
	if err != nil {
		return nil, fmt.Errorf("unroll: JSON: %w", err)
	}
	m.spellOut(config)
	text, err := keras.Encode(config)
	if err != nil {
		return nil, fmt.Errorf("unroll: JSON: %w", err)
	}
	return text, nil
}

// FromJSON makes the model that such a text describes, compiled where the text says how. The weights are drawn, see Init; with Blank they are zero.
// Errors say where in the text a mistake is. Keras: keras.models.model_from_json.
func FromJSON(text []byte, opts ...LoadOption) (*Model, error) {
	var o loadOptions
	for _, set := range opts {
		set(&o)
	}
	m, err := fromJSON(text, o)
	if err != nil {
		return nil, fmt.Errorf("unroll: FromJSON: %w", err)
	}
	return m, nil
}

func fromJSON(text []byte, o loadOptions) (*Model, error) {
	raw, err := keras.Decode("model", text)
	if err != nil {
		return nil, err
	}
	object, err := keras.ParseObject("model", raw)
	if err != nil {
		return nil, err
	}
	m, err := modelOf("model", object, o.room)
	if err != nil {
		return nil, err
	}
	if o.room == nil {
		if err := m.draw(m.seed, false); err != nil {
			return nil, err
		}
	}
	if o.uncompiled || len(object.Compile) == 0 {
		return m, nil
	}
	return m, m.compileAs("model.compile_config", object.Compile)
}

// Blank leaves the weights zero, for whoever sets all of them, and bounds how many values they may have together: what a file of foreign origin can hold.
func Blank(values int) LoadOption { return func(o *loadOptions) { o.room = &values } }

// Slot is an array, or a number, that an optimizer keeps beside the weights.
type Slot struct {
	Shape []int
	Data  []float32
}

// OptimizerSlots are the arrays of a compiled model's optimizer, in the order of Keras's optimizer.variables behind iteration and learning_rate: averages,
// sums of gradients, then slots, weight by weight. They may be set between trainings; numbers behind the last array, which follow from the number of
// updates, are copies.
func (m *Model) OptimizerSlots() ([]Slot, error) {
	if m.compiled == nil || !m.built {
		return nil, errors.New("unroll: OptimizerSlots: the model must be built and compiled first")
	}
	m.number()
	m.compiled.start(m)
	var slots []Slot
	for _, v := range m.compiled.optimizerState(m) {
		slots = append(slots, Slot{v.shape, v.values})
	}
	return slots, nil
}

// Optimizer is the optimizer that the model was compiled with; nil before.
func (m *Model) Optimizer() optimizers.Optimizer {
	if m.compiled == nil {
		return nil
	}
	return m.compiled.optimizer
}

// Batches is how many batches a compiled model has been trained with, which Keras keeps as the optimizer's iteration.
func (m *Model) Batches() int64 {
	if m.compiled == nil {
		return 0
	}
	return m.compiled.iteration
}

// SetBatches says how many batches the model has been trained with: where another program's training goes on.
func (m *Model) SetBatches(n int64) error {
	switch {
	case m.compiled == nil:
		return errors.New("unroll: SetBatches: the model must be compiled first")
	case n < 0:
		return fmt.Errorf("unroll: SetBatches: expected a number from 0, got %d", n)
	}
	m.compiled.iteration = n
	return nil
}
