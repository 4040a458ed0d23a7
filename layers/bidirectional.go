package layers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Bidirectional runs a recurrent layer over the sequence in both directions and merges the results. The backward copy has
// weights of its own; its sequences are turned to natural time before they are merged. Where they are, masked steps are zero
// (ZeroOutputForMask of both layers is their ReturnSequences). Source: keras/src/layers/rnn/bidirectional.py.
type Bidirectional struct {
	Name  string
	Layer Spec // SimpleRNN, LSTM, GRU or Recurrent
	// BackwardLayer, if not nil, is the backward layer instead of a copy of Layer. It goes the other way and agrees in
	// ReturnSequences.
	BackwardLayer Spec
	// MergeMode: "concat" (also when unset), "sum", "mul" or "ave". All but the first need layers of one width.
	MergeMode string
}

// Class is "Bidirectional".
func (Bidirectional) Class() string { return "Bidirectional" }

// GivenName is the name that the user gave.
func (l Bidirectional) GivenName() string { return l.Name }

// check refuses layers that are no two directions of one thing.
func (l Bidirectional) check() error {
	var r [2]Recurrent
	for i, s := range []Spec{l.Layer, l.backward()} {
		rs, ok := s.(recurrentSpec)
		if !ok {
			got := "nothing"
			if s != nil {
				got = s.Class()
			}
			return fmt.Errorf("layers: Bidirectional: expected a recurrent layer, got %s", got)
		}
		r[i], _ = rs.recurrent()
	}
	way := map[bool]string{false: "forwards", true: "backwards"}
	switch {
	case l.BackwardLayer == nil && r[0].GoBackwards:
		return errors.New("layers: Bidirectional: expected a layer that goes forwards, since its copy goes backwards, got go_backwards")
	case r[0].GoBackwards == r[1].GoBackwards:
		return fmt.Errorf("layers: Bidirectional: expected a backward layer that goes the other way, got two that go %s", way[r[0].GoBackwards])
	case r[0].ReturnSequences != r[1].ReturnSequences:
		return fmt.Errorf("layers: Bidirectional: expected two layers that agree in return_sequences, got %v and %v", r[0].ReturnSequences, r[1].ReturnSequences)
	case strings.HasPrefix(layerName(l.backward()), "forward_"):
		return fmt.Errorf("layers: Bidirectional: expected a backward layer whose name does not begin with forward_, got %q", layerName(l.backward()))
	}
	switch l.MergeMode {
	case "", "concat", "sum", "mul", "ave":
	default:
		return fmt.Errorf("layers: Bidirectional: merge_mode must be concat, sum, mul or ave, got %q", l.MergeMode)
	}
	return nil
}

// Build makes both directions.
func (l Bidirectional) Build(b *Builder, in []Signature) (Layer, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	d := &bidirectional{spec: l}
	for i, s := range []Spec{l.forward(), l.backward()} {
		r, cellName := s.(recurrentSpec).recurrent()
		r.ZeroOutputForMask = r.ReturnSequences
		if r.ActivityRegularizer != nil {
			return nil, fmt.Errorf("layers: Bidirectional: expected layers without activity_regularizer, got %s of %s", r.ActivityRegularizer.Class(), s.Class())
		}
		dir, err := buildRecurrent(b.In(layerName(s)).In(cellName), in, s.Class(), r)
		if err != nil {
			return nil, err
		}
		dir.second = i == 1
		d.dirs[i] = dir
	}
	d.merge = newMerge(l.MergeMode, d.dirs[0].width, d.dirs[1].width)
	if m := d.merge; m.mode != "concat" && m.a != m.b {
		return nil, fmt.Errorf("layers: Bidirectional: merge_mode %s needs two layers of one width, got %d and %d", m.mode, m.a, m.b)
	}
	return d, nil
}

type bidirectional struct {
	spec  Bidirectional
	merge Merge
	dirs  [2]*recurrent // forward, backward
}

func (d *bidirectional) Weights() []*Weight {
	return append(append([]*Weight(nil), d.dirs[0].weights...), d.dirs[1].weights...)
}

// HasDropout reports whether training drops values of the input or a state.
func (d *bidirectional) HasDropout() bool { return d.dirs[0].HasDropout() || d.dirs[1].HasDropout() }

// DropBy is that of both directions.
func (d *bidirectional) DropBy(source DropSource) {
	d.dirs[0].DropBy(source)
	d.dirs[1].DropBy(source)
}

func (d *bidirectional) Output(in []Signature) ([]Signature, error) {
	out, err := d.dirs[0].Output(in)
	if err == nil {
		out[0].Shape[len(out[0].Shape)-1] = d.merge.Width()
	}
	return out, err
}

func (d *bidirectional) Layout() Layout { return TimeMajor }

func (d *bidirectional) Prepare(training bool) {
	d.dirs[0].Prepare(training)
	d.dirs[1].Prepare(training)
}

func (d *bidirectional) ShardRows() int { return max(d.dirs[0].ShardRows(), d.dirs[1].ShardRows()) }

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
	if sequences { // the second direction, in processing order, is turned to the first's
		flipped := c.Floats(biFlipped, len(b.Data))
		reverseSteps(flipped, b.Data, c.In[0].Shape[1])
		b.Data = flipped
	}
	w := d.merge.Width()
	out := &c.Out[0]
	*out = a
	out.Data = c.Floats(biOut, len(a.Data)/d.merge.a*w)
	out.Shape = c.Shape(2, a.Shape[:len(a.Shape)-1], w)
	d.merge.Forward(out.Data, a.Data, b.Data)
}

func (d *bidirectional) Backward(c *Call) {
	runs := c.Keep.(*[2]engine.Run)
	sequences := d.dirs[0].spec.ReturnSequences
	dout := c.DOut[0]
	rows := len(dout) / d.merge.Width()
	n := rows * d.merge.b
	ga, gb := c.Floats(biGrad0, rows*d.merge.a), c.Floats(biGrad1, n)
	var a, b []float32
	if sequences {
		a, b = runs[0].Sequence(), c.Floats(biFlipped, n)
	} else {
		a, b = runs[0].Last(), runs[1].Last()
	}
	d.merge.Backward(ga, gb, dout, a, b)
	if sequences {
		flipped := c.Floats(biFlipped, n)
		reverseSteps(flipped, gb, c.In[0].Shape[1])
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
