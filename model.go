// Package unroll trains and runs recurrent networks. A model is made of the Specs of package layers; compile it with an
// optimizer, a loss and metrics, fit it to data, and predict. Names and numbers are Keras's.
//
//	model, err := unroll.Sequential(
//		layers.Embedding{InputDim: 10000, OutputDim: 32},
//		layers.SimpleRNN{Units: 32},
//		layers.Dense{Units: 1, Activation: activations.Sigmoid},
//	)
//	err = model.Compile(optimizers.RMSprop{}, losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"})
//	history, err := model.Fit(ctx, train, unroll.Epochs(10), unroll.BatchSize(128), unroll.ValidationSplit(0.2))
//
// A trained model may predict in several goroutines at once; training must run alone.
package unroll

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Model is a network: its layers, their weights, and, once compiled, how it is trained.
type Model struct {
	name  string        // "": the class says it
	specs []layers.Spec // of a sequential model; nil of a functional one
	seed  uint64

	graph
	built bool

	compiled *compiled

	front   *front // nil where the layers do not begin so
	noFront string // and why they do not
	savings savings

	self *part // the model as a layer of others; nil until somebody asks

	mu   sync.Mutex // guards idle
	idle []*worker  // workspaces that nobody uses
}

// class is the Keras class.
func (m *Model) class() string {
	if m.specs != nil {
		return "Sequential"
	}
	return "Functional"
}

// Name is the model's name: what Named gave, or Keras's for a model without one.
func (m *Model) Name() string { return cmp.Or(m.name, keras.Snake(m.class())) }

// PathOf is Keras's path of a weight of the model: in a Sequential model it begins with the model's name.
func (m *Model) PathOf(w *layers.Weight) string {
	if m.specs != nil {
		return m.Name() + "/" + w.Path
	}
	return w.Path
}

// Named gives the model a name, and returns it.
func (m *Model) Named(name string) *Model {
	m.name = name
	return m
}

// Sequential is a model whose layers follow one another. It is built at once when its first layer says what comes in (an
// Embedding, an Input); otherwise at the first Fit, or by Build.
func Sequential(specs ...layers.Spec) (*Model, error) {
	m := &Model{specs: specs}
	if len(specs) == 0 {
		return nil, errors.New("unroll: Sequential: expected at least one layer, got none")
	}
	for i, s := range specs {
		if s == nil {
			return nil, fmt.Errorf("unroll: Sequential: layer %d is nil", i+1)
		}
	}
	if known, ok := specs[0].(interface{ Signature() layers.Signature }); ok && !slices.ContainsFunc(specs[:min(2, len(specs))], waits) {
		return m, m.build(known.Signature())
	}
	return m, nil
}

// Build makes the layers for inputs of this shape, the batch axis first (None), and draws their weights. Inputs are floats;
// a model that begins with ids is built by Sequential.
func (m *Model) Build(input tensor.Shape) error {
	if m.built {
		return errors.New("unroll: Build: the model is built already")
	}
	return m.build(layers.Signature{Shape: input})
}

func (m *Model) build(in layers.Signature) error {
	if err := m.assemble(in, nil); err != nil {
		return err
	}
	return m.draw(m.seed, false)
}

// assemble makes the layers, their weights all zero. room bounds how many values the weights have, see layers.Builder.
func (m *Model) assemble(in layers.Signature, room *int) error {
	specs := m.specs
	input := layers.Input{Name: "input_layer"}
	if given, ok := specs[0].(layers.Input); ok {
		input.Name, specs = given.Config()["name"].(string), specs[1:]
	}
	input.Shape, input.IDs, input.Text = in.Shape[1:], in.IDs, in.Text
	g := &m.graph
	*g = graph{}
	at := g.addInput(&part{name: input.Name, spec: input, in: []layers.Signature{in}})
	chain := make([]*part, len(specs))
	for i, s := range specs {
		if chain[i] = partOf(s); !slices.Contains(g.parts, chain[i]) {
			g.parts = append(g.parts, chain[i])
		}
	}
	nameParts(g.parts)
	for _, p := range chain {
		sig := g.values[at]
		out, err := p.apply([]layers.Signature{sig}, room)
		if err == nil && len(out) != 1 {
			err = fmt.Errorf("expected a layer with one result in a sequential model, got %d of them: apply it in a functional one", len(out))
		}
		if err != nil {
			return g.stackError(p, sig, err)
		}
		at = g.add(p, []int{at}, out).to
	}
	g.outputs = []int{at}
	if err := g.checkRead(); err != nil {
		return err
	}
	m.complete()
	return nil
}

// complete is what follows when all nodes are there.
func (m *Model) complete() {
	m.finish()
	m.built = true
	m.front, m.noFront = newFront(&m.graph)
	m.savings = savings{rows: true, prefix: true, active: true, touched: true}
}

// stackError names the layer, and the cure where the layer before should have returned sequences.
func (g *graph) stackError(p *part, in layers.Signature, err error) error {
	if k := len(g.nodes) - 1; k >= 0 && layers.IsRecurrent(p.spec) && layers.IsRecurrent(g.nodes[k].spec) && len(in.Shape) == 2 {
		return fmt.Errorf("unroll: layer %q needs sequences (N, T, C), got %v from layer %q: set return_sequences on %q, "+
			"as on every recurrent layer of a stack but the last", p.name, in.Shape, g.nodes[k].name, g.nodes[k].name)
	}
	return fmt.Errorf("unroll: layer %q: %w", p.name, err)
}

// nameParts gives names to the parts that have none: the class in snake case, numbered from its second use. A layer within another counts
// before that one, since Keras makes it first.
func nameParts(parts []*part) {
	used, taken := map[string]int{}, map[string]bool{}
	for _, p := range parts {
		taken[p.name] = true
	}
	for _, p := range parts {
		countInner(used, p.spec)
		if p.name != "" {
			continue
		}
		base := keras.Snake(p.spec.Class())
		name := base
		if n := used[base]; n > 0 {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		for taken[name] {
			used[base]++
			name = fmt.Sprintf("%s_%d", base, used[base])
		}
		used[base]++
		taken[name] = true
		p.rename(name)
	}
}

// countInner counts the layers that a layer is made of.
func countInner(used map[string]int, s layers.Spec) {
	var inner []layers.Spec
	switch s := s.(type) {
	case layers.TimeDistributed:
		inner = append(inner, s.Layer)
	case layers.Bidirectional:
		inner = append(inner, s.Layer, s.BackwardLayer)
	}
	for _, l := range inner {
		if l == nil {
			continue
		}
		countInner(used, l)
		if l.GivenName() == "" {
			used[keras.Snake(l.Class())]++
		}
	}
}

// Init draws every weight afresh. The seed also keys the order of the rows and the dropout of the trainings that follow, so
// that weights, data and seed determine a run, whatever the number of threads. A new model has seed 0.
func (m *Model) Init(seed uint64) error {
	m.seed = seed
	if err := m.draw(seed, true); err != nil {
		return err
	}
	if m.compiled != nil {
		m.compiled.reset()
	}
	m.changed()
	return nil
}

// changed says that weights have new values.
func (m *Model) changed() {
	for _, w := range m.weights {
		w.Version++
	}
}

// Weights are all weights, in Keras's order. Their Data may be read, and set between trainings and predictions; call Touch after
// setting them.
func (m *Model) Weights() []*layers.Weight { return m.weights }

// Touch says that Data of Weights was changed by hand.
func (m *Model) Touch() { m.changed() }

// Output is the shape of what the model predicts, the batch axis None; nil before it is built. Of several outputs it is the first's.
func (m *Model) Output() tensor.Shape {
	if !m.built {
		return nil
	}
	return m.values[m.outputs[0]].Shape
}

// Outputs are the shapes of all outputs.
func (m *Model) Outputs() []tensor.Shape {
	var all []tensor.Shape
	for _, v := range m.outputs {
		all = append(all, m.values[v].Shape)
	}
	return all
}

// InputNames are the names of the inputs.
func (m *Model) InputNames() []string {
	var all []string
	for _, p := range m.inputs {
		all = append(all, p.name)
	}
	return all
}

// OutputNames are the names of the layers that return the outputs, by which Keras calls them.
func (m *Model) OutputNames() []string {
	var all []string
	for i := range m.outputs {
		all = append(all, m.outputName(i))
	}
	return all
}
