package layers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/regularizers"
)

// Bidirectional runs a recurrent layer over the sequence in both directions and merges the results. The backward copy has
// weights of its own; its sequences are turned to natural time before they are merged. Where they are, masked steps are zero
// (ZeroOutputForMask of both layers is their ReturnSequences). Source: keras/src/layers/rnn/bidirectional.py.
//
// Initial states are those of Layer, then those of its backward layer; so are the states that both return.
type Bidirectional struct {
	Name  string
	Layer Spec // SimpleRNN, LSTM, GRU, RNN or Recurrent
	// BackwardLayer, if not nil, is the backward layer instead of a copy of Layer. It goes the other way and agrees in
	// ReturnSequences, ReturnState and Stateful.
	BackwardLayer Spec
	// MergeMode: "concat" (also when unset), "sum", "mul", "ave", or "none" for two outputs: Keras's None. Sum, mul and ave need layers of
	// one width.
	MergeMode string

	ActivityRegularizer regularizers.Regularizer // of the output; the layers may have their own, of what is merged
}

// Class is "Bidirectional".
func (Bidirectional) Class() string { return "Bidirectional" }

// GivenName is the name that the user gave.
func (l Bidirectional) GivenName() string { return l.Name }

// check refuses layers that are no two directions of one thing.
func (l Bidirectional) check() error {
	var r [2]Recurrent
	for i, s := range []Spec{l.Layer, l.backward()} {
		if !walks(s) {
			got := "nothing"
			if s != nil {
				got = s.Class()
			}
			return fmt.Errorf("layers: Bidirectional: expected a recurrent layer, got %s", got)
		}
		if n, ok := s.(RNN); ok {
			if err := n.check(); err != nil {
				return fmt.Errorf("layers: Bidirectional: %w", err)
			}
		}
		r[i], _, _ = walkOf(s)
	}
	way := map[bool]string{false: "forwards", true: "backwards"}
	switch {
	case l.BackwardLayer == nil && r[0].GoBackwards:
		return errors.New("layers: Bidirectional: expected a layer that goes forwards, since its copy goes backwards, got go_backwards")
	case r[0].GoBackwards == r[1].GoBackwards:
		return fmt.Errorf("layers: Bidirectional: expected a backward layer that goes the other way, got two that go %s", way[r[0].GoBackwards])
	case strings.HasPrefix(layerName(l.backward()), "forward_"):
		return fmt.Errorf("layers: Bidirectional: expected a backward layer whose name does not begin with forward_, got %q", layerName(l.backward()))
	}
	for _, both := range []struct {
		name string
		a, b bool
	}{{"return_sequences", r[0].ReturnSequences, r[1].ReturnSequences}, {"return_state", r[0].ReturnState, r[1].ReturnState}, {"stateful", r[0].Stateful, r[1].Stateful}} {
		if both.a != both.b {
			return fmt.Errorf("layers: Bidirectional: expected two layers that agree in %s, got %v and %v", both.name, both.a, both.b)
		}
	}
	switch l.MergeMode {
	case "", "concat", "sum", "mul", "ave", "none":
	default:
		return fmt.Errorf("layers: Bidirectional: merge_mode must be concat, sum, mul, ave or none, got %q", l.MergeMode)
	}
	return nil
}

// Build makes both directions.
func (l Bidirectional) Build(b *Builder, in []Signature) (Layer, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	d := &bidirectional{spec: l}
	first := in[:min(1, len(in))] // the states are looked at when those of both are known
	for i, s := range []Spec{l.forward(), l.backward()} {
		dir, err := buildRecurrent(b.In(layerName(s)), first, s)
		if err != nil {
			return nil, err
		}
		dir.spec.ZeroOutputForMask = dir.spec.ReturnSequences
		d.dirs[i], d.states = dir, append(d.states, dir.states...)
	}
	d.dirs[1].second()
	d.given = len(in) > 1
	d.merge = newMerge(l.MergeMode, d.dirs[0].width, d.dirs[1].width)
	if m := d.merge; m.mode != "concat" && !m.apart() && m.a != m.b {
		return nil, fmt.Errorf("layers: Bidirectional: merge_mode %s needs two layers of one width, got %d and %d", m.mode, m.a, m.b)
	}
	if _, err := d.Output(in); err != nil {
		return nil, err
	}
	return d, checkActivity("Bidirectional", l.ActivityRegularizer, d, in)
}

type bidirectional struct {
	spec   Bidirectional
	merge  Merge
	dirs   [2]*recurrent // forward, backward
	states []cell.State  // of both
	given  bool          // initial states are among the inputs
}

func (d *bidirectional) Weights() []*Weight {
	return append(append([]*Weight(nil), d.dirs[0].weights...), d.dirs[1].weights...)
}

// Activity is the regularizer of the output.
func (d *bidirectional) Activity() regularizers.Regularizer { return d.spec.ActivityRegularizer }

// HasDropout reports whether training drops values of the input or a state.
func (d *bidirectional) HasDropout() bool { return d.dirs[0].HasDropout() || d.dirs[1].HasDropout() }

// DropBy is that of both directions.
func (d *bidirectional) DropBy(source DropSource) {
	d.dirs[0].DropBy(source)
	d.dirs[1].DropBy(source)
}

// CheckBatch implements Stateful.
func (d *bidirectional) CheckBatch(n int) error {
	return errors.Join(d.dirs[0].CheckBatch(n), d.dirs[1].CheckBatch(n))
}

// ResetStates implements Stateful.
func (d *bidirectional) ResetStates() {
	d.dirs[0].ResetStates()
	d.dirs[1].ResetStates()
}

// States implements Stateful: those of both directions.
func (d *bidirectional) States() [][]float32 {
	return append(d.dirs[0].States(), d.dirs[1].States()...)
}

// SetStates implements Stateful.
func (d *bidirectional) SetStates(states [][]float32) error {
	half := len(states) / 2
	return errors.Join(d.dirs[0].SetStates(states[:half]), d.dirs[1].SetStates(states[half:]))
}

// apart is why neither direction can be walked by a model; "" where both can.
func (d *bidirectional) apart() string {
	switch {
	case d.given:
		return "begins with given states (initial_state)"
	case d.merge.apart():
		return "has two outputs (merge_mode none)"
	case d.penalized():
		return "has layers whose activity regularizer sees every value"
	}
	for _, r := range d.dirs {
		if why := r.apart(); why != "" {
			return why
		}
	}
	return ""
}

func (d *bidirectional) Output(in []Signature) ([]Signature, error) {
	a, err := d.dirs[0].Output(in[:min(1, len(in))])
	if err != nil {
		return nil, err
	}
	if err := checkGiven("Bidirectional", d.states, in[1:]); err != nil {
		return nil, err
	}
	states := append(d.dirs[0].returned(in[0]), d.dirs[1].returned(in[0])...)
	if d.merge.apart() {
		return append([]Signature{a[0], d.dirs[1].output(in[0])}, states...), nil
	}
	a[0].Shape[len(a[0].Shape)-1] = d.merge.Width()
	return append(a[:1:1], states...), nil
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
	biFlippedGrad
	biDIn
	biFinal // and behind it the gradients of the other states
)

// split cuts what comes for initial or final states, of both directions or of none, into those of each.
func split[E any](d *bidirectional, all []E) [2][]E {
	if len(all) == 0 {
		return [2][]E{}
	}
	half := len(d.dirs[0].states)
	return [2][]E{all[:half], all[half:]}
}

// outputs is how many outputs come before the states.
func (d *bidirectional) outputs() int {
	if d.merge.apart() {
		return 2
	}
	return 1
}

// walkingBoth is a Bidirectional's memory in one pass.
type walkingBoth struct {
	dirs   [2]walking
	finals [][]float32 // gradients of the states that are returned
	// Where each direction has a thread: what it is called with.
	calls  [2]Call
	passes [2]Pass
}

// apiece reports whether each direction gets a thread of its own: where few are idle, or a step is too short to be shared.
func (d *bidirectional) apiece(c *Call) bool {
	if c.Share == nil || c.Share.Threads < 2 || c.Trace != nil {
		return false
	}
	return c.Share.Threads < 4 || !d.dirs[0].sharesSteps(c.In[0].Shape[0])
}

// both does both directions at once.
func (d *bidirectional) both(c *Call, k *walkingBoth, do func(i int, c *Call)) {
	c.Share.Do(2, func(i int) {
		k.passes[i] = *c.Pass
		k.passes[i].Share = nil
		own := &k.calls[i]
		own.Pass, own.In, own.Number = &k.passes[i], c.In, c.Number
		do(i, own)
	})
}

func (d *bidirectional) Forward(c *Call) {
	k, ok := c.Keep.(*walkingBoth)
	if !ok {
		k = new(walkingBoth)
		c.Keep = k
	}
	given, returned := split(d, c.In[1:]), split(d, c.Out[d.outputs():])
	var a, b Value
	if d.apiece(c) {
		a, b = d.forwardBoth(c, k, given, returned)
	} else {
		a = d.dirs[0].forward(&k.dirs[0], c, given[0], returned[0])
		b = d.dirs[1].forward(&k.dirs[1], c, given[1], returned[1])
	}
	if d.dirs[0].spec.ReturnSequences { // the second direction, in processing order, is turned to the first's
		flipped := c.Floats(biFlipped, len(b.Data))
		reverseSteps(flipped, b.Data, c.In[0].Shape[1])
		b.Data = flipped
	}
	if d.merge.apart() {
		c.Out[0], c.Out[1] = a, b
		return
	}
	w := d.merge.Width()
	out := &c.Out[0]
	*out = a
	out.Data = c.Floats(biOut, len(a.Data)/d.merge.a*w)
	out.Shape = c.Shape(0, a.Shape[:len(a.Shape)-1], w)
	d.merge.Forward(out.Data, a.Data, b.Data)
}

func (d *bidirectional) forwardBoth(c *Call, k *walkingBoth, given, returned [2][]Value) (a, b Value) {
	var out [2]Value
	d.both(c, k, func(i int, c *Call) { out[i] = d.dirs[i].forward(&k.dirs[i], c, given[i], returned[i]) })
	return out[0], out[1]
}

func (d *bidirectional) Backward(c *Call) {
	k := c.Keep.(*walkingBoth)
	sequences, steps := d.dirs[0].spec.ReturnSequences, c.In[0].Shape[1]
	ga, gb := d.unmerge(c, k)
	if sequences && gb != nil {
		flipped := c.Floats(biFlippedGrad, len(gb))
		reverseSteps(flipped, gb, steps)
		gb = flipped
	}
	ga, gb = d.penalize(c, k, 0, ga), d.penalize(c, k, 1, gb)
	dreturned, dgiven := split(d, d.finals(c, k)), split(d, c.DIn[1:])
	din := [2][]float32{c.DIn[0]}
	if c.DIn[0] != nil {
		din[1] = c.Floats(biDIn, len(c.DIn[0]))
	}
	if d.apiece(c) {
		d.backwardBoth(c, k, [2][]float32{ga, gb}, dreturned, din, dgiven)
	} else {
		d.dirs[0].backward(&k.dirs[0], c, ga, dreturned[0], din[0], dgiven[0])
		d.dirs[1].backward(&k.dirs[1], c, gb, dreturned[1], din[1], dgiven[1])
	}
	if c.DIn[0] != nil {
		kernel.Add(c.DIn[0], c.DIn[0], din[1])
	}
}

func (d *bidirectional) backwardBoth(c *Call, k *walkingBoth, dout [2][]float32, dreturned [2][][]float32, din [2][]float32, dgiven [2][][]float32) {
	d.both(c, k, func(i int, c *Call) { d.dirs[i].backward(&k.dirs[i], c, dout[i], dreturned[i], din[i], dgiven[i]) })
}

// unmerge is the gradients of what was merged, both in natural time; nil where none comes.
func (d *bidirectional) unmerge(c *Call, k *walkingBoth) (ga, gb []float32) {
	if d.merge.apart() {
		return c.DOut[0], c.DOut[1]
	}
	dout := c.DOut[0]
	if dout == nil {
		return nil, nil
	}
	a, b := d.dirs[0].result(&k.dirs[0]), d.dirs[1].result(&k.dirs[1])
	rows := len(dout) / d.merge.Width()
	ga, gb = c.Floats(biGrad0, rows*d.merge.a), c.Floats(biGrad1, rows*d.merge.b)
	if d.dirs[0].spec.ReturnSequences {
		b = c.Floats(biFlipped, len(gb))
	}
	d.merge.Backward(ga, gb, dout, a, b)
	return ga, gb
}

// result is the output of the last forward, sequences in processing order.
func (r *recurrent) result(k *walking) []float32 {
	run := &k.runs[len(k.runs)-1]
	if r.spec.ReturnSequences {
		return run.Sequence()
	}
	return run.Last()
}

// reverseSteps writes the t steps of src in reverse order.
func reverseSteps(dst, src []float32, t int) {
	w := len(src) / max(1, t)
	for s := range t {
		copy(dst[(t-1-s)*w:(t-s)*w], src[s*w:])
	}
}
