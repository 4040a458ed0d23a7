package onnx

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// maxONNX is the largest file that is read: what a message of protocol buffers may hold.
const maxONNX = math.MaxInt32

// Read is the model in an ONNX file of size bytes, where its graph is made of what layers here compute: an Embedding's Gather, LSTM, GRU, RNN, a Loop of one step, Gemm
// or MatMul and Add, activations, normalizations, windows and pools, and the arithmetic of shapes between them, as PyTorch's exporter and tf2onnx write them. Every
// other operator is an error with its name: there is no second engine that would run it.
//
// A Loop over the steps of a sequence becomes the layer whose equations it has, or a Recurrent with equations of its own. Steps that a mask hides in it are hidden by
// an Embedding with MaskZero or by a Masking layer.
//
// Inputs and outputs have the batch first here, whatever the file's order; an output's axes of length 1 that only count directions are left out, and the two directions
// of a bidirectional output are two outputs. Zeros of initial states are not inputs.
func Read(r io.ReaderAt, size int64) (*unroll.Model, error) {
	if size < 0 || size > maxONNX {
		return nil, fmt.Errorf("onnx: expected a file of at most %d bytes, got %d", maxONNX, size)
	}
	data, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	f, err := onnx.Read(data)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if f.Functions > 0 || f.Graph.Sparse > 0 {
		return nil, fmt.Errorf("onnx: expected a graph without functions and sparse tensors of its own, got %d and %d", f.Functions, f.Graph.Sparse)
	}
	// Once to learn what is read of every recurrent layer, and once to make it.
	wants := map[*onnx.Node]*want{}
	budget := numbersAByte*len(data) + numbersBeside
	if _, err := importedWith(f, wants, true, budget); err != nil {
		return nil, err
	}
	return importedWith(f, wants, false, budget)
}

// ReadFile is Read of a file.
func ReadFile(path string) (*unroll.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, durable.Cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, durable.Cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("onnx: %s: expected a file, got %v", path, info.Mode().Type())
	}
	m, err := Read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// importer makes symbols of a graph's values.
type importer struct {
	file    *onnx.Model
	scopes  []map[string]*term // values of the graph, and within it of the loop that is read
	readers map[string][]*onnx.Node
	names   map[string]bool
	arrays  map[string][][]float32 // of a layer's weights, in the layer's order
	wants   map[*onnx.Node]*want
	joint   map[*want]*recurrence // by the wants of both directions
	learn   bool                  // everything of recurrent layers is there
	opened  rune                  // lengths that are open
	budget  int                   // of numbers
}

// want is what the graph reads of a node's layer, learned in the first pass.
type want struct {
	sequence, natural bool        // every step, in the order of the walk, or of a walk backwards in the order of its input
	either            bool        // every step, in whichever order
	final, states     bool        // the output after the last step; states besides it
	merged, mergedEnd bool        // every step, or the last one, of both directions beside each other
	apart             bool        // a direction by itself
	masked            bool        // of an Embedding: layers walk under the mask that it can make
	other             *recurrence // the same way backwards, or forwards, that it shares a Bidirectional with
}

// want of a node.
func (m *importer) want(n *onnx.Node) *want {
	w := m.wants[n]
	if w == nil {
		w = &want{}
		m.wants[n] = w
	}
	return w
}

// numbersAByte is how many numbers may be made of each byte of a file: a model keeps each of its numbers in a few forms, and a file that reads one large tensor many
// times shall take no more.
const numbersAByte, numbersBeside = 16, 1 << 20

// spend fails where more is made of a file than its size allows.
func (m *importer) spend(numbers int) error {
	if m.budget -= numbers; m.budget < 0 {
		return fmt.Errorf("expected a model as large as its file, got tensors that are read again and again")
	}
	return nil
}

// value of a name; nil where there is none.
func (m *importer) value(name string) *term {
	for i := len(m.scopes) - 1; i >= 0; i-- {
		if t := m.scopes[i][name]; t != nil {
			return t
		}
	}
	return nil
}

// put gives a name its value.
func (m *importer) put(name string, t *term) { m.scopes[len(m.scopes)-1][name] = t }

func importedWith(f *onnx.Model, wants map[*onnx.Node]*want, learn bool, budget int) (*unroll.Model, error) {
	m := &importer{file: f, scopes: []map[string]*term{{}}, readers: map[string][]*onnx.Node{}, names: map[string]bool{}, arrays: map[string][][]float32{}, wants: wants,
		joint: map[*want]*recurrence{}, learn: learn, budget: budget}
	m.initializers(f.Graph)
	m.read(f.Graph)
	var inputs, outputs []unroll.Symbol
	for _, v := range f.Graph.Inputs {
		if m.value(v.Name) != nil {
			continue // of old files, which list initializers too
		}
		s, err := m.input(v)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, s)
	}
	for _, n := range f.Graph.Nodes {
		m.run(n, m.node)
	}
	for _, o := range f.Graph.Outputs {
		t := m.value(o.Name)
		switch {
		case t != nil && t.err != nil:
			return nil, fmt.Errorf("onnx: %w", t.err)
		case t == nil || t.view == nil:
			return nil, fmt.Errorf("onnx: expected an output %q that layers compute, got none", o.Name)
		}
		symbols, err := m.output(o.Name, t.view)
		if err != nil {
			return nil, fmt.Errorf("onnx: output %q: %w", o.Name, err)
		}
		outputs = append(outputs, symbols...)
	}
	model, err := unroll.Functional(inputs, outputs)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	for _, n := range model.Structure().Nodes {
		weights := n.Layer.Weights()
		if len(weights) != len(m.arrays[n.Name]) {
			return nil, fmt.Errorf("onnx: layer %q: expected %d weights, got %d", n.Name, len(weights), len(m.arrays[n.Name]))
		}
		for i, w := range weights {
			if len(w.Data) != len(m.arrays[n.Name][i]) {
				return nil, fmt.Errorf("onnx: layer %q: weight %s: expected %d numbers, got %d", n.Name, w.Name, len(w.Data), len(m.arrays[n.Name][i]))
			}
			copy(w.Data, m.arrays[n.Name][i])
		}
	}
	model.Touch()
	return model, nil
}

// read notes who reads each value of a graph, and of the graphs within it.
func (m *importer) read(g *onnx.Graph) {
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			m.readers[in] = append(m.readers[in], n)
		}
		for _, a := range n.Attributes {
			if a.Graph != nil {
				m.read(a.Graph)
			}
		}
	}
}

// isOutput reports whether the graph returns a value.
func (m *importer) isOutput(name string) bool {
	return slices.ContainsFunc(m.file.Graph.Outputs, func(v *onnx.Value) bool { return v.Name == name })
}

// initializers are numbers that a graph has.
func (m *importer) initializers(g *onnx.Graph) {
	for _, t := range g.Initializers {
		a, err := arrayOf(t)
		if err != nil {
			m.put(t.Name, &term{err: err})
			continue
		}
		m.put(t.Name, &term{array: a})
	}
}

// run lets compute make a node's values. Those that it cannot make keep the reason.
func (m *importer) run(n *onnx.Node, compute func(*onnx.Node) error) {
	err := m.failed(n)
	if err == nil {
		if err = compute(n); err != nil {
			err = fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
		}
	}
	if err == nil {
		return
	}
	for _, name := range n.Outputs {
		m.put(name, &term{err: err})
	}
}

// failed is why there is no input of a node that reads more than its shape.
func (m *importer) failed(n *onnx.Node) error {
	for i := range n.Inputs {
		shape := n.Op == "ConstantOfShape" || n.Op == "Expand" && i == 1
		if t := m.arg(n, i); t != nil && t.err != nil && !shape {
			return t.err
		}
	}
	return nil
}

// input is an input of the model. Steps may come first in the file, and initial states have an axis of directions.
func (m *importer) input(v *onnx.Value) (unroll.Symbol, error) {
	fail := func(expected string) (unroll.Symbol, error) {
		return unroll.Symbol{}, fmt.Errorf("onnx: input %q: expected %s, got %v of shape %v", v.Name, expected, v.Type, v.Shape)
	}
	ids := v.Type == onnx.Int64 || v.Type == onnx.Int32
	if !ids && v.Type != onnx.Float || !v.Ranked || len(v.Shape) < 2 {
		return fail("floats or ids with a batch and at least one axis more")
	}
	var shape tensor.Shape
	axes := axesOf(0, 1, 2, 3)[:min(4, len(v.Shape))]
	if len(v.Shape) > len(axes) {
		return fail("at most 4 axes")
	}
	for _, d := range v.Shape {
		n := tensor.None
		if d.Length > 0 && d.Length < math.MaxInt32 {
			n = int(d.Length)
		}
		shape = append(shape, n)
	}
	switch {
	case m.isState(v.Name):
		if len(shape) != 3 || shape[0] != 1 {
			return fail("an initial state of one direction, (1, N, H)")
		}
		shape, axes = shape[1:], append([]axis{{direction: true}}, axesOf(0, 1)...)
	case m.stepsFirst(v.Name):
		shape[0], shape[1], axes[0], axes[1] = shape[1], shape[0], axes[1], axes[0]
	}
	s := unroll.Input(layers.Input{Name: m.unique(v.Name), Shape: shape[1:], IDs: ids})
	if s.Err() == nil {
		m.put(v.Name, &term{view: &view{parts: []*source{{lengths: m.lengthsOf(s, nil), ids: ids, make: func() (unroll.Symbol, error) { return s, nil }}}, axes: axes}})
	}
	return s, s.Err()
}

// isState reports whether a value is what a recurrent node begins with.
func (m *importer) isState(name string) bool {
	return slices.ContainsFunc(m.readers[name], func(n *onnx.Node) bool {
		return isRecurrent(n) && len(n.Inputs) > 5 && slices.Contains(n.Inputs[5:min(7, len(n.Inputs))], name)
	})
}

// stepsFirst reports whether a value comes to a recurrent node with the axes that it has, steps before the batch.
func (m *importer) stepsFirst(name string) bool {
	for _, n := range m.readers[name] {
		switch {
		case isRecurrent(n) && n.Inputs[0] == name:
			return intOf(n, "layout", 0) == 0
		case n.Op == "Gather" && len(n.Inputs) == 2 && n.Inputs[1] == name, n.Op == "Identity", n.Op == "Cast", n.Op == "Dropout":
			if len(n.Outputs) > 0 && m.stepsFirst(n.Outputs[0]) {
				return true
			}
		}
	}
	return false
}

func isRecurrent(n *onnx.Node) bool {
	return (n.Op == "LSTM" || n.Op == "GRU" || n.Op == "RNN") && len(n.Inputs) > 2
}

// unique is a name that a layer can have, from one of the graph.
func (m *importer) unique(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name), "_")
	if name == "" {
		name = "layer"
	}
	full := name
	for i := 1; m.names[full]; i++ {
		full = fmt.Sprintf("%s_%d", name, i)
	}
	m.names[full] = true
	return full
}

// set is the first result of a node.
func (m *importer) set(n *onnx.Node, t *term) error {
	m.put(n.Outputs[0], t)
	return nil
}

// nameOf is a layer's name for a node.
func (m *importer) nameOf(n *onnx.Node) string {
	if n.Name != "" {
		return m.unique(n.Name)
	}
	return m.unique(strings.ToLower(n.Op))
}

// apply applies a layer with these weights.
func (m *importer) apply(name string, s layers.Spec, weights [][]float32, in ...unroll.Symbol) (unroll.Symbol, error) {
	return m.applyBy(unroll.Apply, name, s, weights, in...)
}

func (m *importer) applyBy(apply func(layers.Spec, ...unroll.Symbol) unroll.Symbol, name string, s layers.Spec, weights [][]float32,
	in ...unroll.Symbol) (unroll.Symbol, error) {
	for _, w := range weights {
		if err := m.spend(len(w)); err != nil {
			return unroll.Symbol{}, err
		}
	}
	y := apply(s, in...)
	m.arrays[name] = weights
	return y, y.Err()
}

// arg is input i of a node; nil where it is left out.
func (m *importer) arg(n *onnx.Node, i int) *term {
	if i >= len(n.Inputs) || n.Inputs[i] == "" {
		return nil
	}
	return m.value(n.Inputs[i])
}

func intOf(n *onnx.Node, name string, otherwise int) int {
	if a := n.Attribute(name); a != nil {
		return int(a.Int)
	}
	return otherwise
}

func floatOf(n *onnx.Node, name string, otherwise float32) float32 {
	if a := n.Attribute(name); a != nil {
		return a.Float
	}
	return otherwise
}

// shapeOf is an attribute, or in newer operators input i; nil where neither is there.
func (m *importer) shapeOf(n *onnx.Node, name string, i int) ([]length, error) {
	if a := n.Attribute(name); a != nil {
		all := make([]length, len(a.Ints))
		for i, l := range a.Ints {
			all[i] = lengthOf(l)
		}
		return all, nil
	}
	t := m.arg(n, i)
	if t == nil {
		return nil, nil
	}
	if t.array == nil || !t.whole || t.filled {
		return nil, fmt.Errorf("expected known whole numbers as %s, got a value that depends on the inputs", name)
	}
	return t.ints, nil
}

// intsOf is shapeOf where all lengths are known.
func (m *importer) intsOf(n *onnx.Node, name string, i int) ([]int64, error) {
	all, err := m.shapeOf(n, name, i)
	if err != nil || all == nil {
		return nil, err
	}
	ints, ok := wholes(all)
	if !ok {
		return nil, fmt.Errorf("expected known whole numbers as %s, got %v", name, all)
	}
	return ints, nil
}
