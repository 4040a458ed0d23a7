package unroll

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Symbol stands for a value that flows between the layers of a functional model: what Apply makes of a layer and its inputs. Keras: KerasTensor.
type Symbol struct {
	of  *application
	out int
}

// application is a layer applied to symbols.
type application struct {
	*part
	in     []Symbol
	out    []layers.Signature
	nth    int   // of the layer's
	masked bool  // see ApplyMasked
	bare   bool  // the first input comes without its mask: a file says so
	err    error // why there is no such application, or one that it stands on
}

// Input is a value that comes into a functional model. Keras: keras.Input.
//
//	words := unroll.Input(layers.Input{Shape: tensor.Shape{tensor.None}, IDs: true})
func Input(in layers.Input) Symbol {
	p := inputOf(in)
	a := &application{part: p, out: p.in}
	if len(in.Shape) == 0 && !in.Text {
		a.err = fmt.Errorf("unroll: Input: shape must have at least one axis behind the batch, got %v", in.Shape)
	}
	return Symbol{of: a}
}

// Apply applies a layer to values. A bare Spec is a new layer each time, with weights of its own; see Share. Of a layer with several results the Symbol is the
// first; At has the others. A mistake is kept and told by Functional, so that calls can be written one in another.
func Apply(s layers.Spec, in ...Symbol) Symbol {
	if s == nil {
		return Symbol{of: &application{err: errors.New("unroll: Apply: expected a layer, got nil")}}
	}
	return apply(partOf(s), nil, in...)
}

// ApplyMasked applies a recurrent layer to a sequence and to the states that it begins with, as Apply, and lets it skip the steps that the sequence's mask
// hides. Keras's layers do so only where the mask is given in the call: layer(x, initial_state=states, mask=mask).
func ApplyMasked(s layers.Spec, in ...Symbol) Symbol {
	a := Apply(s, in...)
	a.of.masked = true
	return a
}

// apply applies a part; room bounds its weights.
func apply(p *part, room *int, in ...Symbol) Symbol {
	return applyTo(&application{part: p, in: in}, room)
}

func applyTo(a *application, room *int) Symbol {
	p, in := a.part, a.in
	a.nth = p.applied
	p.applied++
	var sigs []layers.Signature
	for i, x := range in {
		if x.of == nil {
			a.err = fmt.Errorf("unroll: Apply: %s: input %d is no value: it was made by neither Input nor Apply", p.spec.Class(), i)
			return Symbol{of: a}
		}
		if a.err = x.Err(); a.err != nil {
			return Symbol{of: a}
		}
		sigs = append(sigs, x.signature())
	}
	if len(in) == 0 {
		a.err = fmt.Errorf("unroll: Apply: %s: expected at least one input, got none", p.spec.Class())
		return Symbol{of: a}
	}
	if a.bare {
		sigs[0].Masked = false
	}
	var err error
	if a.out, err = p.apply(sigs, room); err != nil {
		a.err = fmt.Errorf("unroll: layer %q: %w", cmp.Or(p.name, p.spec.Class()), err)
	}
	return Symbol{of: a}
}

// At is result i of the layer that made this value: LSTM with ReturnState has its output, its state and its carry.
func (s Symbol) At(i int) Symbol {
	if s.Err() == nil && (i < 0 || i >= len(s.of.out)) {
		err := fmt.Errorf("unroll: At: %s has %d results, numbered from 0, got %d", s.of.spec.Class(), len(s.of.out), i)
		return Symbol{of: &application{part: s.of.part, err: err}}
	}
	return Symbol{of: s.of, out: i}
}

// Results is how many results the layer has that made this value.
func (s Symbol) Results() int { return len(s.of.out) }

// Shape is the value's shape, the batch axis None first; nil after a mistake.
func (s Symbol) Shape() tensor.Shape {
	if s.Err() != nil {
		return nil
	}
	return s.signature().Shape
}

// Err is the first mistake on the way to this value.
func (s Symbol) Err() error {
	if s.of == nil {
		return errors.New("unroll: expected a value that Input or Apply made, got none")
	}
	return s.of.err
}

func (s Symbol) signature() layers.Signature { return s.of.out[s.out] }

// Share is a handle on one layer: however often it is applied, and in however many models, its weights are the same.
func Share(s layers.Spec) layers.Spec { return &shared{Spec: s, part: partOf(s)} }

type shared struct {
	layers.Spec
	part *part
}

func (s *shared) handle() *part { return s.part }

// Functional is a model from inputs to outputs. Models over the same values share the layers between them: train one that goes all the way, predict
// with one that stops in between. Keras: keras.Model(inputs, outputs).
func Functional(inputs, outputs []Symbol) (*Model, error) {
	m, err := functional(inputs, outputs, nil)
	if err != nil {
		return nil, err
	}
	return m, m.draw(0, false)
}

// functional makes the model, its weights as they are. order is that of the parts where a file says it; nil: Keras's.
func functional(inputs, outputs []Symbol, order []*part) (*Model, error) {
	if len(inputs) == 0 || len(outputs) == 0 {
		return nil, fmt.Errorf("unroll: Functional: expected at least one input and one output, got %d and %d", len(inputs), len(outputs))
	}
	for _, s := range slices.Concat(inputs, outputs) {
		if err := s.Err(); err != nil {
			return nil, err
		}
	}
	m := &Model{}
	w := newSearch()
	for i, s := range inputs {
		if slices.Contains(inputs[:i], s) {
			return nil, fmt.Errorf("unroll: Functional: input %d is given twice", i)
		}
		p := s.of.part
		if len(s.of.in) > 0 { // a model that begins in the middle of another
			p = &part{spec: layers.Input{Shape: s.Shape()[1:]}, in: []layers.Signature{s.signature()}}
		}
		w.input(s, p)
		m.addInput(p)
	}
	for _, s := range outputs {
		if err := w.visit(s); err != nil {
			return nil, err
		}
	}
	m.listed = w.list()
	if order != nil {
		slices.SortStableFunc(m.listed, func(a, b *part) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
	}
	nameParts(m.listed)
	seen := map[string]bool{}
	for _, p := range m.listed {
		if seen[p.name] {
			return nil, fmt.Errorf("unroll: Functional: expected a name of its own for every layer, got %q twice", p.name)
		}
		seen[p.name] = true
		if p.layer != nil {
			m.parts = append(m.parts, p)
		}
	}
	value := map[Symbol]int{}
	for i, s := range inputs {
		value[s] = i
	}
	valuesOf := func(symbols []Symbol) []int {
		all := make([]int, len(symbols))
		for i, s := range symbols {
			all[i] = value[s]
		}
		return all
	}
	// What reads texts comes first, see entries.
	reads := func(a *application) int {
		if _, ok := layers.VectorizerOf(a.layer); ok {
			return 0
		}
		return 1
	}
	applications := w.applications()
	slices.SortStableFunc(applications, func(a, b *application) int { return reads(a) - reads(b) })
	for _, a := range applications {
		n := m.add(a.part, valuesOf(a.in), a.out)
		n.nth, n.deaf, n.bare = a.nth, n.deaf && !a.masked, a.bare
		for k := range a.out {
			value[Symbol{a, k}] = n.to + k
		}
	}
	m.outputs = valuesOf(outputs)
	if err := m.checkRead(); err != nil {
		return nil, err
	}
	m.complete()
	return m, nil
}
