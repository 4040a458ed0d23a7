package onnx

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/layers"
)

// equationsWriter writes a step as a cell's text.
type equationsWriter struct {
	c       *cellOf
	lines   []string
	text    map[*expr]string // how a value is read
	uses    map[*expr]int
	state   map[int]string // names
	params  map[weightPart]string
	parts   map[string]weightPart
	counted map[string]int
}

// maxText is what a text may hold; see internal/cell.
const maxText = 64 << 10

// written is the layer of equations that a step is.
func (m *importer) written(c *cellOf) (*way, error) {
	t := &equationsWriter{c: c, text: map[*expr]string{}, uses: map[*expr]int{}, state: map[int]string{}, params: map[weightPart]string{}, parts: map[string]weightPart{}, counted: map[string]int{}}
	w := &way{units: c.output.width, states: len(c.states), output: -1}
	// The state that is the output comes first in a text.
	for k, i := range c.states {
		if c.next[i] == c.output && w.output < 0 {
			w.output = k
		}
	}
	if w.output > 0 {
		i := c.states[w.output]
		c.states = slices.Insert(slices.Delete(c.states, w.output, w.output+1), 0, i)
		w.output = 0
	}
	for k, i := range c.states {
		t.state[i] = fmt.Sprintf("s%d", k+1)
		if k == w.output {
			t.state[i] = "state"
		}
	}
	read := map[*expr]bool{}
	t.count(c.output, read)
	for _, i := range c.states {
		t.count(c.next[i], read)
	}
	if err := t.write(w); err != nil {
		return nil, err
	}
	text := strings.Join(t.lines, "\n") + "\n"
	parsed, err := cell.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("expected a step that equations say: %w", err)
	}
	// Weights and states are listed by first use in the text.
	for _, p := range parsed.Weights {
		part := t.parts[p.Name]
		if err := m.spend(part.rows * part.width); err != nil {
			return nil, err
		}
		w.arrays = append(w.arrays, part.numbers(part.width))
	}
	order := slices.Clone(c.states)
	c.states = c.states[:0]
	for _, s := range parsed.States {
		for _, i := range order {
			if t.state[i] == s.Name {
				c.states = append(c.states, i)
			}
		}
	}
	w.states = len(parsed.States)
	if len(c.states) != len(order) || w.states != len(order) {
		return nil, fmt.Errorf("expected a step that reads all its states, got one that does not")
	}
	w.spec = func(name string, sequences, states, back, zero bool) layers.Spec {
		return layers.Recurrent{Name: name, Units: w.units, Cell: text, ReturnSequences: sequences, ReturnState: states, GoBackwards: back, ZeroOutputForMask: zero}
	}
	return w, nil
}

// count counts how often each value is read.
func (t *equationsWriter) count(e *expr, read map[*expr]bool) {
	if e == nil {
		return
	}
	if t.uses[e]++; read[e] {
		return
	}
	read[e] = true
	t.count(e.a, read)
	t.count(e.b, read)
	t.count(e.c, read)
}

func (t *equationsWriter) write(w *way) error {
	for _, i := range t.c.states {
		e := t.c.next[i]
		if e.width != w.units {
			t.lines = append(t.lines, fmt.Sprintf("value %s_t size=%d", t.state[i], e.width))
		}
	}
	var next []string
	for _, i := range t.c.states {
		v, err := t.value(t.c.next[i])
		if err != nil {
			return err
		}
		next = append(next, v)
	}
	v, err := t.value(t.c.output)
	if err != nil {
		return err
	}
	for k, i := range t.c.states {
		if k != w.output {
			t.lines = append(t.lines, t.state[i]+"_t+1 = "+next[k])
		}
	}
	t.lines = append(t.lines, "output_t = "+v)
	return nil
}

// inline is how long a part of a line may be before it gets a name.
const inline = 60

// value is how an expression is read: a name, or where it is read once and short, the expression.
func (t *equationsWriter) value(e *expr) (string, error) {
	if s, ok := t.text[e]; ok {
		return s, nil
	}
	s, err := t.expression(e)
	if err != nil {
		return "", err
	}
	leaf := e.op == input || e.op == state || e.op == vector || e.op == number
	if !leaf && (t.uses[e] > 1 || len(s) > inline) {
		name := fmt.Sprintf("v%d_t", len(t.lines)+1)
		t.lines = append(t.lines, name+" = "+s)
		s = name
	} else if !leaf && e.op != matrix && e.op != function {
		s = "(" + s + ")"
	}
	if len(t.lines) > maxText/8 {
		return "", fmt.Errorf("expected a step of at most %d bytes of equations, got more", maxText)
	}
	t.text[e] = s
	return s, nil
}

func (t *equationsWriter) expression(e *expr) (string, error) {
	var args []string
	for _, a := range []*expr{e.a, e.b} {
		if a == nil {
			continue
		}
		s, err := t.value(a)
		if err != nil {
			return "", err
		}
		args = append(args, s)
	}
	switch e.op {
	case input:
		return "input_t", nil
	case state:
		return t.state[e.state] + "_t", nil
	case number:
		if math.IsNaN(e.value) || math.IsInf(e.value, 0) {
			return "", fmt.Errorf("expected finite numbers, got %v", e.value)
		}
		if e.value < 0 {
			return "(" + strconv.FormatFloat(e.value, 'g', -1, 64) + ")", nil
		}
		return strconv.FormatFloat(e.value, 'g', -1, 64), nil
	case vector:
		return t.param("bias", e), nil
	case matrix:
		name := "kernel"
		if t.onState(e.a) {
			name = "recurrent_kernel"
		}
		return "dot(" + args[0] + ", " + t.param(name, e) + ")", nil
	case add:
		return args[0] + " + " + args[1], nil
	case sub:
		return args[0] + " - " + args[1], nil
	case mul:
		return args[0] + " * " + args[1], nil
	case div:
		return args[0] + " / " + args[1], nil
	case minimum:
		return "min(" + args[0] + ", " + args[1] + ")", nil
	case maximum:
		return "max(" + args[0] + ", " + args[1] + ")", nil
	case minus:
		return "-" + args[0], nil
	case power:
		return args[0] + "^" + strconv.FormatFloat(e.value, 'g', -1, 64), nil
	case function:
		return e.name + "(" + args[0] + ")", nil
	case beside:
		return "", fmt.Errorf("expected values beside each other in a product with a matrix, got another use of them")
	}
	return "", fmt.Errorf("expected a mask that holds all states and the output alike, got another use of it")
}

// onState reports whether a value depends on a state.
func (t *equationsWriter) onState(e *expr) bool {
	c := &cellOf{}
	c.need(e)
	return len(c.states) > 0
}

// param is the name of a part of a known array.
func (t *equationsWriter) param(kind string, e *expr) string {
	p := weightPart{e.part, e.width}
	if name, ok := t.params[p]; ok {
		return name
	}
	t.counted[kind]++
	name := kind
	if n := t.counted[kind]; n > 1 {
		name = fmt.Sprintf("%s%d", kind, n)
	}
	t.params[p], t.parts[name] = name, p
	return name
}
