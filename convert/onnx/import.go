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

// Read is the model in an ONNX file of size bytes, where its graph is made of what layers here compute: an Embedding's Gather, LSTM, GRU, RNN, Gemm or MatMul and Add,
// activations, normalizations, windows and pools, and the Transpose, Squeeze, Reshape and Slice between them, as exporters write them. Every other operator is an error with its name: there is
// no second engine that would run it.
//
// Inputs and outputs have the batch first here, whatever the file's order; an output's axes of length 1 that only count directions are left out, and the two directions of a bidirectional
// output are two outputs. Zeros of initial states are not inputs.
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
	needs := map[*onnx.Node]*need{}
	if _, err := importedWith(f, needs, true); err != nil {
		return nil, err
	}
	return importedWith(f, needs, false)
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

// need is what the graph reads of a recurrent node.
type need struct{ sequence, state, carry, merged, apart bool }

// importer makes symbols of a graph's values.
type importer struct {
	file    *onnx.Model
	values  map[string]*term
	readers map[string][]*onnx.Node
	names   map[string]bool
	arrays  map[string][][]float32 // of a layer's weights, in the layer's order
	needs   map[*onnx.Node]*need
	learn   bool // everything of recurrent layers is there
}

// term is a value of the graph: numbers that are known, or what layers make of the inputs.
type term struct {
	*array
	*view
}

// array is numbers that are known. Those of a shape may be open.
type array struct {
	shape  []int
	floats []float32
	ints   []int64
	zeros  bool // of a shape that depends on the inputs: floats is nil
}

// openLength is an axis that is known only when the model runs.
const openLength = math.MinInt64

// view is what layers make, in the order of axes that the graph has it in.
type view struct {
	parts []source // one, or those along the axis stacked
	axes  []int    // of every axis, which of the symbol's it is; or one of:
	merge func() unroll.Symbol
}

const (
	unit    = -1 // of length 1, which the symbol does not have
	stacked = -2 // counts parts
)

// source makes the symbol; last makes that of its last step, nil where no layer has it.
type source struct{ symbol, last func() unroll.Symbol }

func known(s unroll.Symbol) source { return source{symbol: func() unroll.Symbol { return s }} }

// plain is a symbol with its axes in its own order.
func plain(s unroll.Symbol) *term {
	v := &view{parts: []source{known(s)}}
	for i := range s.Shape() {
		v.axes = append(v.axes, i)
	}
	return &term{view: v}
}

func importedWith(f *onnx.Model, needs map[*onnx.Node]*need, learn bool) (*unroll.Model, error) {
	m := &importer{file: f, values: map[string]*term{}, readers: map[string][]*onnx.Node{}, names: map[string]bool{}, arrays: map[string][][]float32{}, needs: needs, learn: learn}
	for _, t := range f.Graph.Initializers {
		a, err := arrayOf(t)
		if err != nil {
			return nil, fmt.Errorf("onnx: %w", err)
		}
		m.values[t.Name] = &term{array: a}
	}
	for _, n := range f.Graph.Nodes {
		for _, in := range n.Inputs {
			m.readers[in] = append(m.readers[in], n)
		}
	}
	var inputs, outputs []unroll.Symbol
	for _, v := range f.Graph.Inputs {
		if m.values[v.Name] != nil {
			continue // of old files, which list initializers too
		}
		s, err := m.input(v)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, s)
	}
	for _, n := range f.Graph.Nodes {
		if err := m.node(n); err != nil {
			return nil, fmt.Errorf("onnx: node %q (%s): %w", n.Name, n.Op, err)
		}
	}
	for _, o := range f.Graph.Outputs {
		t := m.values[o.Name]
		if t == nil || t.view == nil {
			return nil, fmt.Errorf("onnx: expected an output %q that layers compute, got none", o.Name)
		}
		for _, p := range t.parts {
			s := p.symbol()
			if err := s.Err(); err != nil {
				return nil, fmt.Errorf("onnx: %w", err)
			}
			outputs = append(outputs, s)
		}
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

// arrayOf is a tensor's numbers.
func arrayOf(t *onnx.Tensor) (*array, error) {
	a := &array{}
	for _, n := range t.Shape {
		a.shape = append(a.shape, int(n))
	}
	var err error
	switch t.Type {
	case onnx.Float, onnx.Double, onnx.Float16:
		a.floats, err = t.Float32s()
	default:
		a.ints, err = t.Int64s()
	}
	return a, err
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
	axes := make([]int, len(v.Shape))
	for i, d := range v.Shape {
		n := tensor.None
		if d.Length > 0 && d.Length < math.MaxInt32 {
			n = int(d.Length)
		}
		shape, axes[i] = append(shape, n), i
	}
	switch {
	case m.isState(v.Name):
		if len(shape) != 3 || shape[0] != 1 {
			return fail("an initial state of one direction, (1, N, H)")
		}
		shape, axes = shape[1:], []int{unit, 0, 1}
	case m.stepsFirst(v.Name):
		shape[0], shape[1], axes[0], axes[1] = shape[1], shape[0], 1, 0
	}
	s := unroll.Input(layers.Input{Name: m.unique(v.Name), Shape: shape[1:], IDs: ids})
	m.values[v.Name] = &term{view: &view{parts: []source{known(s)}, axes: axes}}
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
	m.values[n.Outputs[0]] = t
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
	y := unroll.Apply(s, in...)
	m.arrays[name] = weights
	return y, y.Err()
}

// arg is input i of a node; nil where it is left out.
func (m *importer) arg(n *onnx.Node, i int) *term {
	if i >= len(n.Inputs) || n.Inputs[i] == "" {
		return nil
	}
	return m.values[n.Inputs[i]]
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

// intsOf is an attribute, or in newer operators input i; nil where neither is there.
func (m *importer) intsOf(n *onnx.Node, name string, i int) ([]int64, error) {
	if a := n.Attribute(name); a != nil {
		return a.Ints, nil
	}
	t := m.arg(n, i)
	if t == nil {
		return nil, nil
	}
	if t.array == nil || t.ints == nil && len(t.floats) > 0 {
		return nil, fmt.Errorf("expected known whole numbers as %s, got a value that depends on the inputs", name)
	}
	return t.ints, nil
}

// single is the symbol of a view of one part.
func (v *view) single() (unroll.Symbol, error) {
	if len(v.parts) != 1 || slices.Contains(v.axes, stacked) {
		return unroll.Symbol{}, fmt.Errorf("expected one direction, got both side by side")
	}
	s := v.parts[0].symbol()
	return s, s.Err()
}

// inOrder is the symbol where the view has its axes, all and in order, through a Permute where the batch is first but others are not.
func (m *importer) inOrder(n *onnx.Node, v *view) (unroll.Symbol, error) {
	s, err := v.single()
	if err != nil {
		return s, err
	}
	sorted := slices.Clone(v.axes)
	slices.Sort(sorted)
	if v.axes[0] != 0 || sorted[0] != 0 {
		return s, fmt.Errorf("expected the batch on the first axis, got axes in the order %v", v.axes)
	}
	if slices.IsSorted(v.axes) {
		return s, nil
	}
	name := m.unique(n.Name + "_permute")
	return m.apply(name, layers.Permute{Name: name, Dims: v.axes[1:]}, nil, s)
}

// everywhere reports whether a layer treats all values alike, whatever their axes.
func everywhere(s layers.Spec) bool {
	switch s := s.(type) {
	case layers.Activation:
		return s.Activation.Elementwise()
	case layers.Rescaling:
		return len(s.Scale) == 1 && len(s.Offset) <= 1
	}
	return false
}

// pointwise applies a layer that treats rows and steps alike: the axes stay in the order that they have, the last at the end.
func (m *importer) pointwise(n *onnx.Node, v *view, name string, s layers.Spec, weights ...[]float32) error {
	in, err := v.single()
	if err != nil {
		return err
	}
	if last := len(in.Shape()) - 1; v.axes[len(v.axes)-1] != last && !everywhere(s) {
		return fmt.Errorf("expected the values' axis %d to be the last, got axes in the order %v", last, v.axes)
	}
	y, err := m.apply(name, s, weights, in)
	if err != nil {
		return err
	}
	return m.set(n, &term{view: &view{parts: []source{known(y)}, axes: v.axes}})
}
