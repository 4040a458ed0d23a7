package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// TimeDistributed applies a layer to every step by itself: (N, T, …) becomes (N, T, …), the layer seeing (N, …). Its weights are
// the same at all steps. A mask goes on. A BatchNormalization takes every step for a batch of its own, one step after the other. An activity
// regularizer of Layer has no effect, as in Keras. Source: keras/src/layers/rnn/time_distributed.py.
type TimeDistributed struct {
	Name  string
	Layer Spec

	ActivityRegularizer regularizers.Regularizer // of the output
}

// Class is "TimeDistributed".
func (TimeDistributed) Class() string { return "TimeDistributed" }

// GivenName is the name that the user gave.
func (l TimeDistributed) GivenName() string { return l.Name }

// Config implements Spec.
func (l TimeDistributed) Config() map[string]any {
	c := config(l)
	activityConfig(c, l.ActivityRegularizer)
	if l.Layer != nil { // Build refuses it
		c["layer"] = l.part(Signature{}, true)
	}
	return c
}

// part is the layer as it stands in the config.
func (l TimeDistributed) part(in Signature, trainable bool) *keras.Object {
	inner := Signature{}
	if len(in.Shape) > 2 {
		inner.Shape = stepShape(in.Shape)
	}
	o := Serialize(l.Layer, layerName(l.Layer), inner, trainable)
	if inner.Shape == nil {
		o.Build = nil
	}
	return o
}

// stepShape is the shape of a step of a sequence.
func stepShape(s tensor.Shape) tensor.Shape { return append(tensor.Shape{s[0]}, s[2:]...) }

func readTimeDistributed(r *keras.Reader) Spec {
	const class = "TimeDistributed"
	l := TimeDistributed{Name: base(r), ActivityRegularizer: regularizer(r, "activity_regularizer")}
	o := r.Object("layer")
	if o == nil {
		if r.Err() == nil {
			r.Fail("layer", "a layer")
		}
		return l
	}
	s, err := FromConfig(r.Path("layer"), o)
	if err != nil {
		r.Keep(err)
		return l
	}
	trainable := r.Bool("trainable", true)
	if s.Class() != "SpatialDropout1D" { // knows no such argument
		checkTrainable(r, keras.Read(r.Path("layer")+".config", o.Config), trainable, class)
	}
	l.Layer = s
	return l
}

// Build makes the layer for a step.
func (l TimeDistributed) Build(b *Builder, in []Signature) (Layer, error) {
	const class = "TimeDistributed"
	if _, ok := l.Layer.(Input); ok || l.Layer == nil {
		return nil, fmt.Errorf("layers: %s: expected a layer, got none", class)
	}
	if err := checkFloats(class, "sequences (N, T, …)", in, 3, maxRank); err != nil {
		return nil, err
	}
	inner, err := l.Layer.Build(b.In(layerName(l.Layer)), []Signature{{Shape: stepShape(in[0].Shape)}})
	if err != nil {
		return nil, fmt.Errorf("layers: %s: %w", class, err)
	}
	if _, ok := StatefulOf(inner); ok {
		return nil, fmt.Errorf("layers: %s: expected a layer without stateful, whose states would go on from step to step, got %s", class, l.Layer.Class())
	}
	d := &timeDistributed{class: l.Layer.Class(), inner: inner, activity: l.ActivityRegularizer}
	if m, ok := inner.(interface{ MixesRows() bool }); ok {
		d.mixes = m.MixesRows()
	}
	if _, err := d.Output(in); err != nil {
		return nil, err
	}
	return d, checkActivity(class, l.ActivityRegularizer, d, in)
}

type timeDistributed struct {
	class    string // of the layer
	inner    Layer
	activity regularizers.Regularizer
	mixes    bool // the layer mixes the rows of a step
}

// Activity is the regularizer of the output.
func (d *timeDistributed) Activity() regularizers.Regularizer { return d.activity }

// Penalty is the layer's, of all steps, where it has one.
func (d *timeDistributed) Penalty(c *Call) float64 {
	p, ok := d.inner.(interface{ Penalty(*Call) float64 })
	if !ok {
		return 0
	}
	return p.Penalty(c.Keep.(*distributed).call(0)) // what mixes rows has none
}

// MixesRows: as the layer does.
func (d *timeDistributed) MixesRows() bool { return d.mixes }

// SetTrainable is the layer's, where it has one.
func (d *timeDistributed) SetTrainable(trainable bool) {
	if l, ok := d.inner.(interface{ SetTrainable(bool) }); ok {
		l.SetTrainable(trainable)
	}
}

// Inner is the layer.
func (d *timeDistributed) Inner() Layer { return d.inner }

func (d *timeDistributed) Weights() []*Weight { return d.inner.Weights() }

func (d *timeDistributed) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats("TimeDistributed", "sequences (N, T, …)", in, 3, maxRank); err != nil {
		return nil, err
	}
	if in[0].Masked && readsMask(d.inner) {
		return nil, fmt.Errorf("layers: TimeDistributed: expected an unmasked input, since %s would take the steps' mask for its own, got a masked one", d.class)
	}
	if in[0].Masked && d.mixes && len(in[0].Shape) != 3 {
		return nil, fmt.Errorf("layers: TimeDistributed: expected a masked input of three axes, (N, T, C), for %s, got %v", d.class, in[0].Shape)
	}
	out, err := d.inner.Output([]Signature{{Shape: stepShape(in[0].Shape)}})
	if err != nil {
		return nil, fmt.Errorf("layers: TimeDistributed: %w", err)
	}
	if len(out) != 1 {
		return nil, fmt.Errorf("layers: TimeDistributed: expected a layer with one output, got %s with %d", d.class, len(out))
	}
	shape := append(tensor.Shape{in[0].Shape[0], in[0].Shape[1]}, out[0].Shape[1:]...)
	return []Signature{{Shape: shape, Masked: in[0].Masked}}, nil
}

// readsMask reports whether Keras's layer takes a mask, which here would be one number a row.
func readsMask(l Layer) bool {
	switch l := l.(type) {
	case *recurrent, *bidirectional, *timeDistributed:
		return true
	case *globalPooling:
		return !l.most
	}
	return false
}

func (d *timeDistributed) Layout() Layout { return TimeMajor }

func (d *timeDistributed) Prepare(training bool) { d.inner.Prepare(training) }

func (d *timeDistributed) ShardRows() int { return d.inner.ShardRows() }

// distributed is the pass of the layer within a pass: one for all steps, or where it mixes rows, one a step.
type distributed struct {
	pass  Pass
	calls []*Call
	rows  []int
	shape []int
}

// call is the call with number i.
func (k *distributed) call(i int) *Call {
	for len(k.calls) <= i {
		k.calls = append(k.calls, &Call{Pass: &k.pass, In: make([]Value, 1), Out: make([]Value, 1), DIn: make([][]float32, 1), DOut: make([][]float32, 1)})
	}
	return k.calls[i]
}

// The buffers of a Call.
const (
	timeIn = iota
	timeOut
	timeDOut
	timeDIn
)

// Forward takes all steps for rows of one large batch.
func (d *timeDistributed) Forward(c *Call) {
	k, ok := c.Keep.(*distributed)
	if !ok {
		k = new(distributed)
		c.Keep = k
	}
	in := &c.In[0]
	n, t := in.Shape[0], in.Shape[1]
	k.pass = *c.Pass
	if d.mixes {
		d.forwardSteps(k, c)
		return
	}
	call := k.call(0)
	call.Number = c.Number
	k.rows = k.rows[:0]
	for s := range t { // every step has draws of its own
		for r := range n {
			k.rows = append(k.rows, c.RowNumber(r)+s<<32)
		}
	}
	k.pass.Rows = k.rows
	k.shape = append(append(k.shape[:0], n*t), in.Shape[2:]...)
	v := Value{Shape: k.shape, Data: in.Data}
	if d.turns(v) {
		v.Data = c.Floats(timeIn, len(in.Data))
		exchange(v.Data, in.Data, v.Shape)
		v.TimeMajor = true
	}
	call.In[0] = v
	d.inner.Forward(call)
	out := call.Out[0]
	if out.TimeMajor {
		turned := c.Floats(timeOut, len(out.Data))
		back(turned, out.Data, out.Shape)
		out.Data = turned
	}
	c.Out[0] = Value{Shape: c.Shape(0, in.Shape[:2], out.Shape[1:]...), Data: out.Data, Mask: in.Mask, TimeMajor: true}
}

// turns reports whether the layer wants the steps within a step outermost.
func (d *timeDistributed) turns(v Value) bool {
	return d.inner.Layout() == TimeMajor && len(v.Shape) > 2
}

// exchange writes (a, b, …) as (b, a, …); back undoes it, given the same shape.
func exchange(dst, src []float32, shape tensor.Shape) {
	s := [3]int{shape[0], shape[1], shape[2:].Size()}
	perm := [3]int{1, 0, 2}
	transpose(dst, src, s[:], perm[:])
}

func back(dst, src []float32, shape tensor.Shape) {
	s := [3]int{shape[1], shape[0], shape[2:].Size()}
	perm := [3]int{1, 0, 2}
	transpose(dst, src, s[:], perm[:])
}

func (d *timeDistributed) Backward(c *Call) {
	k := c.Keep.(*distributed)
	k.pass.Grads = c.Grads
	if d.mixes {
		d.backwardSteps(k, c)
		return
	}
	call := k.call(0)
	in, out := &call.In[0], &call.Out[0]
	dout := c.DOut[0]
	if out.TimeMajor {
		dout = c.Floats(timeDOut, len(c.DOut[0]))
		exchange(dout, c.DOut[0], out.Shape)
	}
	din := c.DIn[0]
	if din != nil && in.TimeMajor {
		din = c.Floats(timeDIn, len(c.DIn[0]))
	}
	call.DOut[0], call.DIn[0] = dout, din
	d.inner.Backward(call)
	if din != nil && in.TimeMajor {
		back(c.DIn[0], din, in.Shape)
	}
}

// forwardSteps takes one step after the other, each a batch of its own; its mask is a number a row.
func (d *timeDistributed) forwardSteps(k *distributed, c *Call) {
	in := &c.In[0]
	n, t := in.Shape[0], in.Shape[1]
	k.shape = append(append(k.shape[:0], n), in.Shape[2:]...)
	size := len(in.Data) / max(1, t)
	var out []float32
	c.Out[0] = Value{Mask: in.Mask, TimeMajor: true}
	for s := range t {
		call := k.call(s)
		call.Number = c.Number
		call.In[0] = Value{Shape: k.shape, Data: in.Data[s*size : (s+1)*size]}
		if in.Mask != nil {
			call.In[0].Mask = in.Mask[s*n : (s+1)*n]
		}
		d.inner.Forward(call)
		from := &call.Out[0]
		if s == 0 {
			out = c.Floats(timeOut, t*len(from.Data))
			c.Out[0].Shape = c.Shape(0, in.Shape[:2], from.Shape[1:]...)
		}
		copy(out[s*len(from.Data):], from.Data)
	}
	c.Out[0].Data = out
}

func (d *timeDistributed) backwardSteps(k *distributed, c *Call) {
	t := c.In[0].Shape[1]
	size := len(c.DOut[0]) / max(1, t)
	for s := range t {
		call := k.call(s)
		call.DOut[0], call.DIn[0] = c.DOut[0][s*size:(s+1)*size], nil
		if c.DIn[0] != nil {
			w := len(c.DIn[0]) / t
			call.DIn[0] = c.DIn[0][s*w : (s+1)*w]
		}
		d.inner.Backward(call)
	}
}
