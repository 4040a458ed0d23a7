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
	text    map[*expr]written // how a value is read
	names   map[*expr]string  // of next states
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
	t := &equationsWriter{c: c, text: map[*expr]written{}, names: map[*expr]string{}, uses: map[*expr]int{}, state: map[int]string{},
		params: map[weightPart]string{}, parts: map[string]weightPart{}, counted: map[string]int{}}
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
	for k, i := range c.states {
		if k != w.output {
			t.count(c.next[i], read)
		}
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
	for k, i := range t.c.states {
		e := t.c.next[i]
		if e.width != w.units {
			t.lines = append(t.lines, fmt.Sprintf("value %s_t size=%d", t.state[i], e.width))
		}
		if k != w.output && !e.isLeaf() && e != t.c.output && t.names[e] == "" {
			t.names[e] = t.state[i] + "_t+1"
		}
	}
	for k, i := range t.c.states {
		if k == w.output {
			continue
		}
		v, err := t.value(t.c.next[i], aSum)
		if err != nil {
			return err
		}
		if name := t.state[i] + "_t+1"; v != name {
			t.lines = append(t.lines, name+" = "+v)
		}
	}
	v, err := t.value(t.c.output, aSum)
	if err != nil {
		return err
	}
	t.lines = append(t.lines, "output_t = "+v)
	return nil
}

// isLeaf reports whether an expression is as short as a name.
func (e *expr) isLeaf() bool {
	return e.op == input || e.op == state || e.op == vector || e.op == number
}

// What binds in a text, from the loosest on.
const (
	aSum = iota
	aProduct
	aSign
	aName // or a call, or what stands in parentheses
)

// written is a part of a text, and what binds it.
type written struct {
	text  string
	binds int
}

// inline is how long a part of a line may be before it gets a name.
const inline = 80

// value is how an expression is read where at least so much binds: a name, or where it is read once and short, the expression.
func (t *equationsWriter) value(e *expr, binds int) (string, error) {
	is, ok := t.text[e]
	if !ok {
		var err error
		if is, err = t.expression(e); err != nil {
			return "", err
		}
		name := t.names[e]
		if name == "" && !e.isLeaf() && e != t.c.output && (t.uses[e] > 1 || len(is.text) > inline) || e == t.c.output && t.uses[e] > 1 {
			t.counted["v"]++
			name = fmt.Sprintf("v%d_t", t.counted["v"])
		}
		if name != "" {
			t.lines = append(t.lines, name+" = "+is.text)
			is = written{name, aName}
		}
		if len(t.lines) > maxText/8 {
			return "", fmt.Errorf("expected a step of at most %d bytes of equations, got more", maxText)
		}
		t.text[e] = is
	}
	if is.binds < binds {
		return "(" + is.text + ")", nil
	}
	return is.text, nil
}

// signs are the operators between two values: their sign, what binds the result, and what must bind the operands.
var signs = map[operation]struct {
	sign                string
	result, left, right int
}{add: {" + ", aSum, aSum, aProduct}, sub: {" - ", aSum, aSum, aProduct}, mul: {" * ", aProduct, aProduct, aSign}, div: {" / ", aProduct, aProduct, aSign}}

func (t *equationsWriter) expression(e *expr) (written, error) {
	left, right := aSum, aSum
	sign, isBinary := signs[e.op]
	switch {
	case isBinary:
		left, right = sign.left, sign.right
	case e.op == minus:
		left = aSign
	case e.op == power:
		left = aName
	}
	var a, b string
	var err error
	if e.a != nil {
		if a, err = t.value(e.a, left); err != nil {
			return written{}, err
		}
	}
	if e.b != nil {
		if b, err = t.value(e.b, right); err != nil {
			return written{}, err
		}
	}
	if isBinary {
		return written{a + sign.sign + b, sign.result}, nil
	}
	switch e.op {
	case input:
		return written{"input_t", aName}, nil
	case state:
		return written{t.state[e.state] + "_t", aName}, nil
	case number:
		if math.IsNaN(e.value) || math.IsInf(e.value, 0) {
			return written{}, fmt.Errorf("expected finite numbers, got %v", e.value)
		}
		// As few digits as the file's float has.
		n := written{strconv.FormatFloat(e.value, 'g', -1, 32), aName}
		if e.value < 0 {
			n.binds = aSum
		}
		return n, nil
	case vector:
		return written{t.param("bias", e), aName}, nil
	case matrix:
		name := "kernel"
		if t.onState(e.a) {
			name = "recurrent_kernel"
		}
		return written{"dot(" + a + ", " + t.param(name, e) + ")", aName}, nil
	case minimum:
		return written{"min(" + a + ", " + b + ")", aName}, nil
	case maximum:
		return written{"max(" + a + ", " + b + ")", aName}, nil
	case minus:
		return written{"-" + a, aSum}, nil
	case power:
		return written{a + "^" + strconv.FormatFloat(e.value, 'g', -1, 32), aSign}, nil
	case function:
		return written{e.name + "(" + a + ")", aName}, nil
	case beside:
		return written{}, fmt.Errorf("expected values beside each other in a product with a matrix, got another use of them")
	}
	return written{}, fmt.Errorf("expected a mask that holds all states and the output alike, got another use of it")
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
