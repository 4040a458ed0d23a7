package golden

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// Layer is one file under testdata/layers: a single layer of several inputs or outputs.
type Layer struct {
	Meta    LayerMeta
	X       []*tensor.Tensor
	Masks   [][]bool // by input; nil where it has none
	Weights []*tensor.Tensor
	// Before is a batch that a stateful layer has seen before X, and its mask; nil in most files.
	Before     *tensor.Tensor
	BeforeMask []bool

	Out      []*tensor.Tensor // in prediction
	OutMasks [][]bool         // by output; nil where it has none
	Training []*tensor.Tensor // the outputs in training, where they are others: with Drop
	Drop     *tensor.Tensor   // what dropout multiplies with in training; nil: nothing is dropped

	DOut      []*tensor.Tensor // gradients of the outputs, in training
	GradX     []*tensor.Tensor // those of the inputs that follow
	Gradients []*tensor.Tensor // and of the weights
}

// LayerMeta is what such a file says about itself.
type LayerMeta struct {
	Name    string
	Layer   json.RawMessage // as in the config.json of a .keras file
	Call    map[string]any  // further arguments of the call, as there
	Apart   bool            // the inputs are arguments of their own, not one list
	States  []int           // nil unless the layer is recurrent: how many initial states each part of that list has
	Before  bool            // the file has a batch that comes first
	Inputs  []LayerSignature
	Outputs []LayerSignature // what Keras says of them before there are data
	Weights []struct {
		Path  string
		Shape []int
	}
	Zeros      []string // gradients that are zero in exact arithmetic: "g/3"
	Tolerances struct{ Out, Grads float64 }
	Tol        struct {
		Out   float64
		Grads map[string]float64
	}
}

// LayerSignature is an input or an output; an axis is null where it is open.
type LayerSignature struct {
	Shape  []*int
	Masked bool
}

// Axes are the shape's, open ones as None.
func (s LayerSignature) Axes() tensor.Shape {
	axes := make(tensor.Shape, len(s.Shape))
	for i, n := range s.Shape {
		axes[i] = tensor.None
		if n != nil {
			axes[i] = *n
		}
	}
	return axes
}

// OutTolerance is that of Out and Training.
func (m *LayerMeta) OutTolerance() Tolerance { return Abs(max(m.Tolerances.Out, m.Tol.Out)) }

// GradXTolerance is that of GradX[i].
func (m *LayerMeta) GradXTolerance(i int) Tolerance { return m.gradTolerance(fmt.Sprintf("gx/%d", i)) }

// GradientTolerance is that of Gradients[n].
func (m *LayerMeta) GradientTolerance(n int) Tolerance {
	return m.gradTolerance(fmt.Sprintf("g/%d", n))
}

// gradTolerance is relative but for gradients that are zero in exact arithmetic, of which rounding leaves a millionth.
func (m *LayerMeta) gradTolerance(name string) Tolerance {
	if slices.Contains(m.Zeros, name) {
		return Abs(1e-5)
	}
	return Rel(max(m.Tolerances.Grads, m.Tol.Grads[name]))
}

// LoadLayer reads one file and checks that every array is there.
func LoadLayer(path string) (*Layer, error) {
	arrays, err := npy.ReadNPZ(path)
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	r := reader{arrays: arrays}
	l := new(Layer)
	if meta := r.array("meta"); meta == nil {
		return nil, fmt.Errorf("golden: %s: %w", path, r.err)
	} else if err := json.Unmarshal(meta.Bytes(), &l.Meta); err != nil {
		return nil, fmt.Errorf("golden: %s: meta: %w", path, err)
	}
	for i := range l.Meta.Inputs {
		x := r.floats(fmt.Sprintf("x/%d", i), nil)
		l.X = append(l.X, x)
		l.Masks = append(l.Masks, r.bools(fmt.Sprintf("m/%d", i), l.Meta.Inputs[i].Masked))
		if x != nil {
			l.GradX = append(l.GradX, r.floats(fmt.Sprintf("gx/%d", i), x.Shape))
		}
	}
	if l.Meta.Before {
		l.Before, l.BeforeMask = r.floats("b/0", nil), r.bools("bm/0", l.Meta.Inputs[0].Masked)
	}
	if _, ok := arrays["drop"]; ok {
		l.Drop = r.floats("drop", nil)
	}
	for i := range l.Meta.Outputs {
		l.Out = append(l.Out, r.floats(fmt.Sprintf("out/%d", i), nil))
		l.DOut = append(l.DOut, r.floats(fmt.Sprintf("d/%d", i), nil))
		l.OutMasks = append(l.OutMasks, r.bools(fmt.Sprintf("om/%d", i), l.Meta.Outputs[i].Masked))
		if l.Drop != nil {
			l.Training = append(l.Training, r.floats(fmt.Sprintf("train/%d", i), nil))
		}
	}
	if l.Drop == nil {
		l.Training = l.Out
	}
	for n, w := range l.Meta.Weights {
		l.Weights = append(l.Weights, r.floats(fmt.Sprintf("w/%d", n), w.Shape))
		l.Gradients = append(l.Gradients, r.floats(fmt.Sprintf("g/%d", n), w.Shape))
	}
	if r.err != nil {
		return nil, fmt.Errorf("golden: %s: %w", path, r.err)
	}
	return l, nil
}

// bools is an array of bytes, there exactly where it should be.
func (r *reader) bools(name string, there bool) []bool {
	a, ok := r.arrays[name]
	if ok != there {
		r.fail("%s: expected an array %v, got %v", name, there, ok)
	}
	if !ok {
		return nil
	}
	var b []bool
	for _, v := range a.Bytes() {
		b = append(b, v != 0)
	}
	return b
}
