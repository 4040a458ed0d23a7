package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// RepeatVector makes a sequence of N equal steps of a vector: (batch, C) becomes (batch, N, C). Source:
// keras/src/layers/reshaping/repeat_vector.py.
type RepeatVector struct {
	Name string
	N    int
}

// Class is "RepeatVector".
func (RepeatVector) Class() string { return "RepeatVector" }

// GivenName is the name that the user gave.
func (l RepeatVector) GivenName() string { return l.Name }

// Config implements Spec.
func (l RepeatVector) Config() map[string]any {
	c := config(l)
	c["n"] = l.N
	return c
}

func readRepeatVector(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return RepeatVector{Name: base(r), N: axis(r, "n")}
}

// Build checks the arguments.
func (l RepeatVector) Build(_ *Builder, in []Signature) (Layer, error) {
	if l.N <= 0 {
		return nil, fmt.Errorf("layers: RepeatVector: n must be positive, got %d", l.N)
	}
	v := &repeatVector{n: l.N}
	_, err := v.Output(in)
	return v, err
}

type repeatVector struct{ n int }

func (l *repeatVector) Weights() []*Weight { return nil }

func (l *repeatVector) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats("RepeatVector", "vectors (N, C)", in, 2, 2); err != nil {
		return nil, err
	}
	return []Signature{{Shape: tensor.Shape{in[0].Shape[0], l.n, in[0].Shape[1]}}}, nil
}

// Layout: the vectors have no steps; the sequences are written with steps outermost, copy by copy.
func (l *repeatVector) Layout() Layout { return TimeMajor }

func (l *repeatVector) Prepare(bool) {}

func (l *repeatVector) ShardRows() int { return 0 }

func (l *repeatVector) Forward(c *Call) {
	in := &c.In[0]
	out := c.Floats(0, l.n*len(in.Data))
	kernel.Broadcast(out, in.Data, l.n)
	c.Out[0] = Value{Shape: c.Shape(0, nil, in.Shape[0], l.n, in.Shape[1]), Data: out, TimeMajor: true}
}

func (l *repeatVector) Backward(c *Call) {
	din := c.DIn[0]
	if din == nil {
		return
	}
	clear(din)
	kernel.SumRows(din, c.DOut[0], len(din), l.n, len(din))
}
