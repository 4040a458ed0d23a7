package layers

import (
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Masking hides the steps of (N, T, C) whose values all equal MaskValue: they become zeros, and a mask goes on with the others.
// Source: keras/src/layers/core/masking.py.
type Masking struct {
	Name      string
	MaskValue float64
}

// Class is "Masking".
func (Masking) Class() string { return "Masking" }

// GivenName is the name that the user gave.
func (l Masking) GivenName() string { return l.Name }

func (Masking) shapeless() {}

// Config implements Spec.
func (l Masking) Config() map[string]any {
	c := config(l)
	c["mask_value"] = l.MaskValue
	return c
}

func readMasking(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return Masking{Name: base(r), MaskValue: r.Float("mask_value", 0)}
}

// Build checks the input.
func (l Masking) Build(_ *Builder, in []Signature) (Layer, error) {
	m := &masking{value: float32(l.MaskValue)}
	_, err := m.Output(in)
	return m, err
}

type masking struct{ value float32 }

func (m *masking) Weights() []*Weight { return nil }

func (m *masking) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats("Masking", "sequences (N, T, C)", in, 3, 3); err != nil {
		return nil, err
	}
	return []Signature{{Shape: in[0].Shape, Masked: true}}, nil
}

func (m *masking) Layout() Layout { return AnyLayout }

func (m *masking) Prepare(bool) {}

func (m *masking) ShardRows() int { return 0 }

// MakesMask: the mask that goes on is this layer's, whatever came in.
func (m *masking) MakesMask() bool { return true }

func (m *masking) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	*out = *in
	rows, width := rowsOf(in)
	out.Mask = c.Bools(0, rows)
	out.Data = c.Floats(0, len(in.Data))
	copy(out.Data, in.Data)
	m.Valid(out.Mask, *in)
	kernel.ZeroRows(out.Data, out.Mask, rows, width)
}

// valid reports whether a step counts.
func (m *masking) valid(step []float32) bool {
	for _, v := range step {
		if v != m.value {
			return true
		}
	}
	return false
}

func (m *masking) Backward(c *Call) {
	if c.DIn[0] == nil {
		return
	}
	copy(c.DIn[0], c.DOut[0])
	rows, width := rowsOf(&c.In[0])
	kernel.ZeroRows(c.DIn[0], c.Out[0].Mask, rows, width)
}

// Valid writes which steps of a batch count.
func (m *masking) Valid(dst []bool, v Value) {
	_, width := rowsOf(&v)
	for i := range dst {
		dst[i] = m.valid(v.Data[i*width : (i+1)*width])
	}
}
