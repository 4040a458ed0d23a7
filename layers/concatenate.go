package layers

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// Concatenate puts its inputs one behind the other along an axis; their other axes are equal. Where one of several sequences (N, T, C) is
// masked the result is: along the steps every one keeps its own mask, steps of one without all count; along the width a step is valid where
// any input says so, and one without a mask always does. Source: keras/src/layers/merging/concatenate.py.
type Concatenate struct {
	Name string
	Axis tensor.Float // a whole number, not the batch; below 0 it counts from the end; unset: -1
}

// Class is "Concatenate".
func (Concatenate) Class() string { return "Concatenate" }

// GivenName is the name that the user gave.
func (l Concatenate) GivenName() string { return l.Name }

// InputNames implements Several.
func (Concatenate) InputNames() []string { return nil }

// Config implements Spec.
func (l Concatenate) Config() map[string]any {
	c := config(l)
	c["axis"] = int(l.Axis.Or(-1))
	return c
}

func readConcatenate(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return Concatenate{Name: base(r), Axis: tensor.F(float64(r.Int("axis", -1)))}
}

// Build checks the axis and the inputs.
func (l Concatenate) Build(_ *Builder, in []Signature) (Layer, error) {
	if a := l.Axis.Or(-1); a != float64(int(a)) {
		return nil, fmt.Errorf("layers: Concatenate: axis must be a whole number, got %v", a)
	}
	m := &concatenation{given: int(l.Axis.Or(-1))}
	out, err := m.Output(in)
	if err != nil {
		return nil, err
	}
	m.axis, m.made = m.axisOf(in[0].Shape), out[0].Masked && len(in) > 1
	return m, nil
}

type concatenation struct {
	given, axis int
	made        bool // the mask that goes on is none of those that came
}

func (m *concatenation) Weights() []*Weight { return nil }

// axisOf is the axis counted from the front.
func (m *concatenation) axisOf(s tensor.Shape) int {
	if m.given < 0 {
		return m.given + len(s)
	}
	return m.given
}

func (m *concatenation) Output(in []Signature) ([]Signature, error) {
	if err := checkMerged("Concatenate", in); err != nil {
		return nil, err
	}
	out := Signature{Shape: in[0].Shape.Clone()}
	axis := m.axisOf(out.Shape)
	if axis < 1 || axis >= len(out.Shape) {
		return nil, fmt.Errorf("layers: Concatenate: axis must name an axis of %v behind the batch, got %d", out.Shape, m.given)
	}
	for k, s := range in {
		out.Masked = out.Masked || s.Masked
		fits := len(s.Shape) == len(out.Shape)
		for i := 1; fits && i < len(s.Shape); i++ {
			a, b := in[0].Shape[i], s.Shape[i]
			fits = i == axis || a == b || a == tensor.None || b == tensor.None
		}
		switch {
		case !fits:
			return nil, fmt.Errorf("layers: Concatenate: expected inputs that are equal but for axis %d, got %s", axis, describe(in))
		case k == 0:
		case out.Shape[axis] == tensor.None || s.Shape[axis] == tensor.None:
			out.Shape[axis] = tensor.None
		default:
			out.Shape[axis] += s.Shape[axis]
		}
	}
	if out.Masked && len(out.Shape) != 3 {
		return nil, fmt.Errorf("layers: Concatenate: expected sequences (N, T, C) where an input is masked, got %s", describe(in))
	}
	return []Signature{out}, nil
}

func (m *concatenation) Layout() Layout { return Plain }

func (m *concatenation) Prepare(bool) {}

func (m *concatenation) ShardRows() int { return 0 }

// MakesMask reports whether the mask that goes on is put together from several.
func (m *concatenation) MakesMask() bool { return m.made }

func (m *concatenation) Forward(c *Call) {
	first, length := c.In[0].Shape, 0
	for i := range c.In {
		s := c.In[i].Shape
		if !slices.Equal(s[:m.axis], first[:m.axis]) || !slices.Equal(s[m.axis+1:], first[m.axis+1:]) {
			panic("layers: Concatenate: inputs of shapes that do not fit each other")
		}
		length += s[m.axis]
	}
	out := &c.Out[0]
	*out = Value{Shape: c.Shape(0, first)}
	out.Shape[m.axis] = length
	out.Data = c.Floats(0, out.Shape.Size())
	outer, width := m.blocks(out.Shape)
	at := 0
	for i := range c.In {
		_, w := m.blocks(c.In[i].Shape)
		kernel.CopyRows(out.Data[min(at, len(out.Data)):], width, c.In[i].Data, w, outer, w)
		at += w
	}
	out.Mask = m.mask(c, out.Shape)
}

// blocks: the values of a shape lie in so many blocks of one width, each of which holds the whole axis.
func (m *concatenation) blocks(s tensor.Shape) (outer, width int) {
	outer, width = 1, 1
	for i, n := range s {
		if i < m.axis {
			outer *= n
		} else {
			width *= n
		}
	}
	return outer, width
}

// mask is that of a result of this shape, nil where no input has one.
func (m *concatenation) mask(c *Call, shape tensor.Shape) []bool {
	if !slices.ContainsFunc(c.In, func(v Value) bool { return v.Mask != nil }) {
		return nil
	}
	n, t := shape[0], shape[1]
	mask := c.Bools(0, n*t)
	if m.axis == 1 {
		at := 0
		for i := range c.In {
			v, k := &c.In[i], c.In[i].Shape[1]
			for r := range n {
				row := mask[r*t+at : r*t+at+k]
				if v.Mask == nil {
					fill(row, true)
				} else {
					copy(row, v.Mask[r*k:])
				}
			}
			at += k
		}
		return mask
	}
	clear(mask)
	for i := range c.In {
		if c.In[i].Mask == nil {
			fill(mask, true)
			return mask
		}
		for s, valid := range c.In[i].Mask {
			mask[s] = mask[s] || valid
		}
	}
	return mask
}

func (m *concatenation) Backward(c *Call) {
	outer, width := m.blocks(c.Out[0].Shape)
	at := 0
	for i, din := range c.DIn {
		_, w := m.blocks(c.In[i].Shape)
		if din != nil {
			kernel.CopyRows(din, w, c.DOut[0][min(at, len(c.DOut[0])):], width, outer, w)
		}
		at += w
	}
}
