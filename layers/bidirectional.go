package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Bidirectional runs a recurrent layer over the sequence in both directions and merges the results. The backward copy has
// weights of its own; its sequences are turned to natural time before they are merged.
// Source: keras/src/layers/rnn/bidirectional.py.
type Bidirectional struct {
	Name  string
	Layer Spec // SimpleRNN, LSTM, GRU or Recurrent
	// MergeMode: "concat" (also when unset), "sum", "mul" or "ave".
	MergeMode string
}

// Class is "Bidirectional".
func (Bidirectional) Class() string { return "Bidirectional" }

// GivenName is the name that the user gave.
func (l Bidirectional) GivenName() string { return l.Name }

// Build makes both directions.
func (l Bidirectional) Build(b *Builder, in []Signature) (Layer, error) {
	s, ok := l.Layer.(recurrentSpec)
	if !ok {
		got := "nothing"
		if l.Layer != nil {
			got = l.Layer.Class()
		}
		return nil, fmt.Errorf("layers: Bidirectional: expected a recurrent layer, got %s", got)
	}
	mode := l.MergeMode
	switch mode {
	case "":
		mode = "concat"
	case "concat", "sum", "mul", "ave":
	default:
		return nil, fmt.Errorf("layers: Bidirectional: merge_mode must be concat, sum, mul or ave, got %q", mode)
	}
	d := &bidirectional{spec: l, mode: mode}
	name := layerName(s)
	r, cellName := s.recurrent()
	for i, prefix := range []string{"forward_", "backward_"} {
		one := r
		one.GoBackwards = r.GoBackwards != (i == 1)
		dir, err := buildRecurrent(b.In(prefix+name).In(cellName), in, s.Class(), one)
		if err != nil {
			return nil, err
		}
		d.dirs[i] = dir
	}
	return d, nil
}

type bidirectional struct {
	spec Bidirectional
	mode string
	dirs [2]*recurrent // forward, backward
}

func (d *bidirectional) Weights() []*Weight {
	return append(append([]*Weight(nil), d.dirs[0].weights...), d.dirs[1].weights...)
}

func (d *bidirectional) Output(in []Signature) ([]Signature, error) {
	out, err := d.dirs[0].Output(in)
	if err == nil && d.mode == "concat" {
		out[0].Shape[len(out[0].Shape)-1] *= 2
	}
	return out, err
}

func (d *bidirectional) Layout() Layout { return TimeMajor }

func (d *bidirectional) Prepare(training bool) {
	d.dirs[0].Prepare(training)
	d.dirs[1].Prepare(training)
}

func (d *bidirectional) ShardRows() int { return d.dirs[0].ShardRows() }

// The buffers of a Call.
const (
	biOut = iota
	biFlipped
	biGrad0
	biGrad1
	biDIn
)

func (d *bidirectional) Forward(c *Call) {
	runs, ok := c.Keep.(*[2]engine.Run)
	if !ok {
		runs = new([2]engine.Run)
		c.Keep = runs
	}
	sequences := d.dirs[0].spec.ReturnSequences
	a := d.dirs[0].forward(&runs[0], c, 0, sequences)
	b := d.dirs[1].forward(&runs[1], c, 1, sequences)
	out := &c.Out[0]
	*out = a
	h := d.dirs[0].width
	rows := len(a.Data) / h
	if sequences { // the second direction, in processing order, is turned to the first's
		flipped := c.Floats(biFlipped, len(b.Data))
		reverseSteps(flipped, b.Data, c.In[0].Shape[1])
		b.Data = flipped
	}
	w := h
	if d.mode == "concat" {
		w = 2 * h
	}
	out.Data = c.Floats(biOut, rows*w)
	out.Shape = c.Shape(2, a.Shape[:len(a.Shape)-1], w)
	switch d.mode {
	case "concat":
		for r := range rows {
			copy(out.Data[r*w:], a.Data[r*h:(r+1)*h])
			copy(out.Data[r*w+h:], b.Data[r*h:(r+1)*h])
		}
	case "sum":
		kernel.Add(out.Data, a.Data, b.Data)
	case "mul":
		kernel.Mul(out.Data, a.Data, b.Data)
	case "ave":
		kernel.Add(out.Data, a.Data, b.Data)
		kernel.Scale(out.Data, out.Data, 0.5)
	}
}

func (d *bidirectional) Backward(c *Call) {
	runs := c.Keep.(*[2]engine.Run)
	sequences := d.dirs[0].spec.ReturnSequences
	h, t := d.dirs[0].width, c.In[0].Shape[1]
	dout := c.DOut[0]
	n := len(dout)
	if d.mode == "concat" {
		n /= 2
	}
	ga, gb := c.Floats(biGrad0, n), c.Floats(biGrad1, n)
	switch d.mode {
	case "concat":
		for r := range n / h {
			copy(ga[r*h:(r+1)*h], dout[2*r*h:])
			copy(gb[r*h:(r+1)*h], dout[(2*r+1)*h:])
		}
	case "sum":
		copy(ga, dout)
		copy(gb, dout)
	case "mul":
		a, b := runs[0].Last(), runs[1].Last()
		if sequences {
			a, b = runs[0].Sequence(), c.Floats(biFlipped, n)
		}
		kernel.Mul(ga, dout, b)
		kernel.Mul(gb, dout, a)
	case "ave":
		kernel.Scale(ga, dout, 0.5)
		copy(gb, ga)
	}
	if sequences {
		flipped := c.Floats(biFlipped, n)
		reverseSteps(flipped, gb, t)
		gb = flipped
	}
	d.dirs[0].backward(&runs[0], c, ga, c.DIn[0])
	if c.DIn[0] == nil {
		d.dirs[1].backward(&runs[1], c, gb, nil)
		return
	}
	din := c.Floats(biDIn, len(c.DIn[0]))
	d.dirs[1].backward(&runs[1], c, gb, din)
	kernel.Add(c.DIn[0], c.DIn[0], din)
}

// reverseSteps writes the t steps of src in reverse order.
func reverseSteps(dst, src []float32, t int) {
	w := len(src) / max(1, t)
	for s := range t {
		copy(dst[(t-1-s)*w:(t-s)*w], src[s*w:])
	}
}
