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
	"errors"
	"fmt"
	"sync"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Model is a network: its layers, their weights, and, once compiled, how it is trained.
type Model struct {
	name  string
	specs []layers.Spec
	seed  uint64

	nodes   []*node
	input   layers.Signature
	built   bool
	weights []*layers.Weight

	compiled *compiled

	front   *front // nil where the layers do not begin so
	noFront string // and why they do not
	savings savings

	mu       sync.Mutex // guards what follows
	version  uint64     // counts changes of the weights
	prepared uint64     // the version that the layers have taken over, 0: none
	training bool       // whether they have prepared for training
	idle     []*worker  // workspaces that nobody uses
}

// node is one application of a layer. Values are numbered: 0 is the input, i+1 the result of node i.
type node struct {
	name  string
	spec  layers.Spec
	layer layers.Layer
	in    layers.Signature
	out   layers.Signature
	// grad: something below this node is trained, so it must hand a gradient down.
	grad bool
	// activity is the penalty on what the layer returns; nil in most.
	activity regularizers.Regularizer
}

// Sequential is a model whose layers follow one another. It is built at once when its first layer says what comes in (an
// Embedding, an Input); otherwise at the first Fit, or by Build.
func Sequential(specs ...layers.Spec) (*Model, error) {
	m := &Model{name: "sequential", specs: specs, version: 1}
	if len(specs) == 0 {
		return nil, errors.New("unroll: Sequential: expected at least one layer, got none")
	}
	for i, s := range specs {
		if s == nil {
			return nil, fmt.Errorf("unroll: Sequential: layer %d is nil", i+1)
		}
	}
	if known, ok := specs[0].(interface{ Signature() layers.Signature }); ok {
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
	return m.Init(m.seed)
}

// assemble makes the layers, their weights all zero. room bounds how many values the weights have, see layers.Builder.
func (m *Model) assemble(in layers.Signature, room *int) error {
	specs := m.specs
	if _, ok := specs[0].(layers.Input); ok {
		specs = specs[1:]
	}
	names := newNames(specs)
	var nodes []*node
	var weights []*layers.Weight
	at := in
	for i, s := range specs {
		n := &node{name: names[i], spec: s, in: at, grad: len(weights) > 0}
		var err error
		if n.layer, err = s.Build(&layers.Builder{Name: n.name, Room: room}, []layers.Signature{at}); err != nil {
			return m.stackError(nodes, n, err)
		}
		if room != nil && *room < 0 {
			return fmt.Errorf("unroll: layer %q: expected weights that fit in the file, got larger ones", n.name)
		}
		out, err := n.layer.Output([]layers.Signature{at})
		if err != nil {
			return m.stackError(nodes, n, err)
		}
		n.out, n.activity = out[0], activityOf(n.layer)
		for _, w := range n.layer.Weights() {
			w.Index = len(weights)
			weights = append(weights, w)
		}
		nodes = append(nodes, n)
		at = n.out
	}
	m.nodes, m.weights, m.input, m.built = nodes, weights, in, true
	m.front, m.noFront = newFront(nodes)
	m.savings = savings{rows: true, prefix: true, active: true, touched: true}
	return nil
}

// stackError names the layer, and the cure where the layer before should have returned sequences.
func (m *Model) stackError(before []*node, n *node, err error) error {
	if k := len(before) - 1; k >= 0 && layers.IsRecurrent(n.spec) && layers.IsRecurrent(before[k].spec) && len(n.in.Shape) == 2 {
		return fmt.Errorf("unroll: layer %q needs sequences (N, T, C), got %v from layer %q: set return_sequences on %q, "+
			"as on every recurrent layer of a stack but the last", n.name, n.in.Shape, before[k].name, before[k].name)
	}
	return fmt.Errorf("unroll: layer %q: %w", n.name, err)
}

// newNames are the layers' names: the user's, or the class in snake case, numbered from its second use. A layer within another counts
// before that one, since Keras makes it first.
func newNames(specs []layers.Spec) []string {
	used := map[string]int{}
	names := make([]string, len(specs))
	for i, s := range specs {
		countInner(used, s)
		if names[i] = s.GivenName(); names[i] != "" {
			continue
		}
		base := keras.Snake(s.Class())
		names[i] = base
		if n := used[base]; n > 0 {
			names[i] = fmt.Sprintf("%s_%d", base, n)
		}
		used[base]++
	}
	return names
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
	for i, w := range m.weights {
		if err := w.Init(random.New(seed, random.Init, uint64(i))); err != nil {
			return fmt.Errorf("unroll: %w", err)
		}
	}
	if m.compiled != nil {
		m.compiled.reset()
	}
	m.changed()
	return nil
}

// changed says that weights have new values.
func (m *Model) changed() {
	m.mu.Lock()
	m.version++
	m.mu.Unlock()
}

// Weights are all weights, in Keras's order. Their Data may be read, and set between trainings and predictions; call Touch after
// setting them.
func (m *Model) Weights() []*layers.Weight { return m.weights }

// Touch says that Data of Weights was changed by hand.
func (m *Model) Touch() { m.changed() }

// Output is the shape of what the model predicts, the batch axis None; nil before it is built.
func (m *Model) Output() tensor.Shape {
	if !m.built {
		return nil
	}
	return m.nodes[len(m.nodes)-1].out.Shape
}
