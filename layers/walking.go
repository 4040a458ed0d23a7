package layers

import (
	"slices"

	"fmt"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// recurrentSpec is implemented by the Specs of recurrent layers with one cell; RNN is the other.
type recurrentSpec interface {
	Spec
	// recurrent is the layer as equations, and the name of Keras's cell, which stands in the weights' paths.
	recurrent() (l Recurrent, cellName string)
}

// walkOf is how a recurrent layer walks, and its cells; false for every other layer. Of l what says how a cell computes is meant for cells
// alone.
func walkOf(s Spec) (l Recurrent, cells []cellSpec, ok bool) {
	switch s := s.(type) {
	case RNN:
		return s.walk(), s.cells(), true
	case recurrentSpec:
		l, name := s.recurrent()
		return l, []cellSpec{{class: s.Class(), l: l, path: []string{name}, gated: isGated(s)}}, true
	}
	return Recurrent{}, nil, false
}

// walks reports whether it is one.
func walks(s Spec) bool {
	switch s.(type) {
	case RNN, recurrentSpec:
		return true
	}
	return false
}

// isGated reports whether Keras's cell has gates.
func isGated(s Spec) bool {
	switch s.(type) {
	case LSTM, GRU:
		return true
	}
	return false
}

// buildRecurrent builds a recurrent layer. A stack of cells is one cell after the other over the whole sequence: no cell reads what one above it
// did, and a masked step leaves the states of all of them alone.
func buildRecurrent(b *Builder, in []Signature, s Spec) (*recurrent, error) {
	l, cells, _ := walkOf(s)
	r := &recurrent{class: s.Class(), spec: l}
	inputs := 0
	for i, c := range cells {
		if c.l.Units <= 0 {
			return nil, fmt.Errorf("layers: %s: units must be positive, got %d", c.class, c.l.Units)
		}
		if i == 0 {
			if err := r.checkSequence(in); err != nil {
				return nil, err
			}
			r.inputs = in[0].Shape[2]
			inputs = r.inputs
		}
		g, err := c.build(b, inputs)
		if err != nil {
			return nil, err
		}
		g.part = uint64(2 * i)
		r.stages, r.weights, r.states = append(r.stages, g), append(r.weights, g.weights...), append(r.states, g.states()...)
		inputs = g.width
	}
	r.width, r.given = inputs, len(in) > 1
	if l.Stateful {
		r.memory = newMemory(r.states)
	}
	if _, err := r.Output(in); err != nil {
		return nil, err
	}
	return r, checkActivity(r.class, l.ActivityRegularizer, r, in)
}

// recurrent is every recurrent layer: cells in the engine, walked over time.
type recurrent struct {
	class         string
	spec          Recurrent // what it says of the walk
	inputs, width int
	stages        []*stage
	weights       []*Weight    // of all stages
	states        []cell.State // likewise
	given         bool         // initial states are among the inputs
	memory        *memory      // nil unless Stateful
}

func (r *recurrent) Weights() []*Weight { return r.weights }

// Activity is the regularizer of the output.
func (r *recurrent) Activity() regularizers.Regularizer { return r.spec.ActivityRegularizer }

// HasDropout reports whether training drops values of an input or a state.
func (r *recurrent) HasDropout() bool {
	for _, g := range r.stages {
		if g.dropped != nil {
			return true
		}
	}
	return false
}

// DropBy takes the masks from elsewhere instead of drawing them, for comparisons; nil draws again. It must not run beside a pass.
func (r *recurrent) DropBy(source DropSource) {
	for _, g := range r.stages {
		g.source = source
	}
}

// second makes it the backward layer of a Bidirectional.
func (r *recurrent) second() {
	for _, g := range r.stages {
		g.second = true
		g.part++
	}
}

// checkSequence fails unless the first input is a sequence.
func (r *recurrent) checkSequence(in []Signature) error {
	if len(in) > 0 && !in[0].IDs && len(in[0].Shape) == 3 && in[0].Shape[2] != tensor.None {
		return nil
	}
	if len(in) > 0 && !in[0].IDs && len(in[0].Shape) == 2 {
		return fmt.Errorf("layers: %s: expected sequences (N, T, C), got vectors %v: a recurrent layer before this one needs return_sequences",
			r.class, in[0].Shape)
	}
	return fmt.Errorf("layers: %s: expected sequences (N, T, C) with a known width, got %s", r.class, describe(in))
}

// checkGiven fails unless initial states are none or one for each state.
func checkGiven(class string, states []cell.State, given []Signature) error {
	if len(given) == 0 {
		return nil
	}
	if len(given) != len(states) {
		return fmt.Errorf("layers: %s: initial_state must be one value for each of the %d states, got %d", class, len(states), len(given))
	}
	for i, s := range states {
		g := given[i]
		if g.IDs || len(g.Shape) != 2 || g.Shape[1] != s.Width {
			return fmt.Errorf("layers: %s: initial_state %d (%s) must be floats (N, %d), got %s", class, i, s.Name, s.Width, describe(given[i:i+1]))
		}
	}
	return nil
}

func (r *recurrent) Output(in []Signature) ([]Signature, error) {
	if err := r.checkSequence(in); err != nil {
		return nil, err
	}
	if in[0].Shape[2] != r.inputs {
		return nil, fmt.Errorf("layers: %s: expected inputs of width %d, got %v", r.class, r.inputs, in[0].Shape)
	}
	if err := checkGiven(r.class, r.states, in[1:]); err != nil {
		return nil, err
	}
	return append([]Signature{r.output(in[0])}, r.returned(in[0])...), nil
}

// output is the signature of the first output.
func (r *recurrent) output(in Signature) Signature {
	if r.spec.ReturnSequences {
		return Signature{Shape: tensor.Shape{in.Shape[0], in.Shape[1], r.width}, Masked: in.Masked}
	}
	return Signature{Shape: tensor.Shape{in.Shape[0], r.width}}
}

// returned are the signatures of the states among the outputs.
func (r *recurrent) returned(in Signature) (out []Signature) {
	if r.spec.ReturnState {
		for _, s := range r.states {
			out = append(out, Signature{Shape: tensor.Shape{in.Shape[0], s.Width}})
		}
	}
	return out
}

func (r *recurrent) Layout() Layout { return TimeMajor }

func (r *recurrent) Prepare(training bool) {
	for _, g := range r.stages {
		g.prepare(training)
	}
}

// ShardRows: wide weights are read from farther away, so that more rows must share each reading.
func (r *recurrent) ShardRows() int {
	widest := 0
	for _, g := range r.stages {
		widest = max(widest, g.width)
	}
	switch {
	case widest <= 64:
		return 16
	case widest <= 256:
		return 32
	}
	return 64
}

// sharesSteps reports whether threads would share its steps of n rows.
func (r *recurrent) sharesSteps(n int) bool {
	return slices.ContainsFunc(r.stages, func(g *stage) bool { return g.cell.SharesSteps(n) })
}

// walking is a recurrent layer's memory in one pass.
type walking struct {
	runs    []engine.Run   // of every stage
	initial [][]float32    // of every state, where they are given
	kept    [][]float32    // those of a Stateful layer
	final   [][]float32    // gradients of a stage's final states
	between [2][]float32   // gradients of what stages hand on, in turn
	mask    []bool         // in processing order
	shapes  []tensor.Shape // of the output, and of every state
}

func (r *recurrent) Forward(c *Call) {
	k, ok := c.Keep.(*walking)
	if !ok {
		k = new(walking)
		c.Keep = k
	}
	c.Out[0] = r.forward(k, c, c.In[1:], c.Out[1:])
}

func (r *recurrent) Backward(c *Call) {
	r.backward(c.Keep.(*walking), c, c.DOut[0], c.DOut[1:], c.DIn[0], c.DIn[1:])
}

// forward walks c.In[0] from the given states, if there are any, writes the final states to returned, if it has room, and returns the output.
func (r *recurrent) forward(k *walking, c *Call, given, returned []Value) Value {
	in := &c.In[0]
	n, t := in.Shape[0], in.Shape[1]
	if k.runs == nil {
		k.runs, k.shapes = make([]engine.Run, len(r.stages)), make([]tensor.Shape, 1+len(r.states))
	}
	initial := r.initial(k, c, given)
	x := engine.Input{X: in.Data, Mask: in.Mask, Backwards: r.spec.GoBackwards}
	first, last := 0, len(r.stages)-1
	for i, g := range r.stages {
		run := &k.runs[i]
		own, drop := g.runs(run, c)
		behind := first + len(g.states())
		if x.Drop, x.Initial = drop, nil; initial != nil {
			x.Initial = initial[first:behind]
		}
		x.ZeroMasked = i == last && r.spec.ZeroOutputForMask
		run.Forward(own, engine.Shape{T: t, N: n, Training: c.Grads != nil, Sequences: i < last || r.spec.ReturnSequences, Share: c.Share}, x)
		for s := first; s < behind; s++ {
			r.finish(k, c, run.Final(s-first), s, returned)
		}
		if i == last {
			return r.value(k, c, run)
		}
		first = behind
		if x.X = run.Sequence(); x.Backwards && x.Mask != nil {
			k.mask = append(k.mask[:0], x.Mask...)
			for s := range t {
				copy(k.mask[s*n:(s+1)*n], x.Mask[(t-1-s)*n:])
			}
			x.Mask = k.mask
		}
		x.Backwards = false // what a stage hands on stands in processing order
	}
	panic("layers: a recurrent layer without cells")
}

// Sequence is the output of every step for the input of c, (T, N, Width) in processing order, whether the layer returns it or not. Given states are used,
// those of a Stateful layer are not.
func (r *recurrent) Sequence(c *Call) Value {
	all := *r
	all.spec.ReturnSequences, all.memory = true, nil
	return all.forward(new(walking), c, c.In[1:], nil)
}

// value is the output of the last stage's run.
func (r *recurrent) value(k *walking, c *Call, run *engine.Run) Value {
	in := &c.In[0]
	if !r.spec.ReturnSequences {
		k.shapes[0] = append(append(k.shapes[0][:0], in.Shape[0]), r.width)
		return Value{Shape: k.shapes[0], Data: run.Last()}
	}
	k.shapes[0] = append(append(k.shapes[0][:0], in.Shape[:2]...), r.width)
	return Value{Shape: k.shapes[0], Data: run.Sequence(), Mask: in.Mask, TimeMajor: true}
}

// initial are the states that the rows begin with; nil: zeros.
func (r *recurrent) initial(k *walking, c *Call, given []Value) [][]float32 {
	switch {
	case len(given) > 0:
		k.initial = k.initial[:0]
		for i := range given {
			k.initial = append(k.initial, given[i].Data)
		}
		return k.initial
	case r.memory != nil:
		return r.memory.read(k, c)
	}
	return nil
}

// finish hands on what state s ended with.
func (r *recurrent) finish(k *walking, c *Call, final []float32, s int, returned []Value) {
	if len(returned) > 0 {
		k.shapes[1+s] = append(append(k.shapes[1+s][:0], c.In[0].Shape[0]), r.states[s].Width)
		returned[s] = Value{Shape: k.shapes[1+s], Data: final}
	}
	if r.memory != nil {
		r.memory.write(c, s, final)
	}
}

// backward walks back from the gradients of what forward returned, single ones of which may be nil, and overwrites din and dgiven, unless they are
// nil.
func (r *recurrent) backward(k *walking, c *Call, dout []float32, dreturned [][]float32, din []float32, dgiven [][]float32) {
	behind := len(r.states)
	for i := len(r.stages) - 1; i >= 0; i-- {
		g, run := r.stages[i], &k.runs[i]
		first := behind - len(g.states())
		back := engine.Gradient{X: din, Weights: c.gradsOf(g.weights)}
		switch {
		case i < len(r.stages)-1:
			back.Sequence = k.between[(i+1)&1]
		case r.spec.ReturnSequences:
			back.Sequence = dout
		default:
			back.Last = dout
		}
		if i > 0 {
			k.between[i&1] = grown(k.between[i&1], c.In[0].Shape[0]*c.In[0].Shape[1]*r.stages[i-1].width)
			back.X = k.between[i&1]
		}
		if len(dreturned) > 0 {
			back.Final = append(k.final[:0], dreturned[first:behind]...)
			k.final = back.Final
		}
		if c.Trace != nil {
			back.States = c.Trace.begin(g.cell.Plan(), c.In[0].Shape)
		}
		run.Backward(back)
		if c.Trace != nil {
			c.Trace.end(TracedWalk{Cell: i, Backwards: r.spec.GoBackwards}, c.In[0].Shape)
		}
		for s := first; s < behind && len(dgiven) > 0; s++ {
			if dgiven[s] != nil {
				copy(dgiven[s], run.Initial(s-first))
			}
		}
		behind = first
	}
}

// grown is a slice of n values, b where it is large enough; the contents are not defined.
func grown(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// IsRecurrent reports whether the layer walks over time and so needs sequences.
func IsRecurrent(s Spec) bool {
	if b, ok := s.(Bidirectional); ok {
		return b.Layer != nil && IsRecurrent(b.Layer)
	}
	return walks(s)
}
