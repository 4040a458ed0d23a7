package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Conv1D is activation(x * kernel + bias) with windows of KernelSize steps: (N, T, C) becomes (N, T', Filters). A mask ends here, as in
// Keras. Source: keras/src/layers/convolutional/base_conv.py, conv1d.py.
type Conv1D struct {
	Name                string
	Filters, KernelSize int
	Strides             int    // steps from window to window; unset: 1
	Padding             string // "same", or "causal", which sees no later step; unset: "valid"
	DataFormat          string // "channels_first" for (N, C, T); unset: channels_last
	DilationRate        int    // steps between the taps of a window; unset: 1
	Groups              int    // each group of channels has filters of its own; unset: 1
	Activation          activations.Activation
	NoBias              bool
	KernelInitializer   initializers.Initializer // unset: glorot_uniform
	BiasInitializer     initializers.Initializer // unset: zeros

	KernelRegularizer, BiasRegularizer, ActivityRegularizer regularizers.Regularizer
	KernelConstraint, BiasConstraint                        constraints.Constraint
}

// Class is "Conv1D".
func (Conv1D) Class() string { return "Conv1D" }

// GivenName is the name that the user gave.
func (l Conv1D) GivenName() string { return l.Name }

// Config implements Spec.
func (l Conv1D) Config() map[string]any {
	c := config(l)
	c["filters"], c["kernel_size"], c["groups"] = l.Filters, []any{l.KernelSize}, orOne(l.Groups)
	c["strides"], c["dilation_rate"] = []any{orOne(l.Strides)}, []any{orOne(l.DilationRate)}
	c["padding"], c["data_format"] = orValid(l.Padding), formatConfig(l.DataFormat)
	c["activation"], c["use_bias"] = l.Activation.Or(activations.Linear).Name(), !l.NoBias
	c["kernel_initializer"] = initializers.Object(or(l.KernelInitializer, initializers.GlorotUniform{}))
	c["bias_initializer"] = initializers.Object(or(l.BiasInitializer, initializers.Zeros{}))
	holds(c, "kernel", l.KernelRegularizer, l.KernelConstraint)
	holds(c, "bias", l.BiasRegularizer, l.BiasConstraint)
	c["activity_regularizer"] = regularizers.Object(l.ActivityRegularizer)
	return c
}

func readConv1D(r *keras.Reader) Spec {
	onlyNone(r, "lora_rank", "lora_alpha")
	l := Conv1D{
		Name: base(r), Filters: axis(r, "filters"), KernelSize: one(r, "kernel_size"), Strides: 1, DilationRate: 1, Groups: r.Int("groups", 1),
		Padding: r.String("padding", padValid), DataFormat: dataFormat(r), Activation: activation(r, "activation"), NoBias: !r.Bool("use_bias", true),
		KernelInitializer: initializer(r, "kernel_initializer"), BiasInitializer: initializer(r, "bias_initializer"),
		KernelRegularizer: regularizer(r, "kernel_regularizer"), BiasRegularizer: regularizer(r, "bias_regularizer"),
		ActivityRegularizer: regularizer(r, "activity_regularizer"),
		KernelConstraint:    constraint(r, "kernel_constraint"), BiasConstraint: constraint(r, "bias_constraint"),
	}
	for key, to := range map[string]*int{"strides": &l.Strides, "dilation_rate": &l.DilationRate} {
		if !r.Null(key) {
			*to = one(r, key)
		}
	}
	if err := l.check(); r.Err() == nil && err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", r.Path("…"), err))
	}
	return l
}

// check fails on arguments that fit no input.
func (l Conv1D) check() error {
	for _, a := range []struct {
		name  string
		value int
	}{{"filters", l.Filters}, {"kernel_size", l.KernelSize}, {"strides", orOne(l.Strides)}, {"dilation_rate", orOne(l.DilationRate)}, {"groups", orOne(l.Groups)}} {
		if a.value <= 0 || a.value > maxAxis {
			return fmt.Errorf("layers: Conv1D: %s must be from 1 to %d, got %d", a.name, maxAxis, a.value)
		}
	}
	switch {
	case l.Filters%orOne(l.Groups) != 0:
		return fmt.Errorf("layers: Conv1D: filters must be a multiple of groups, %d, got %d", l.Groups, l.Filters)
	case orOne(l.Strides) > 1 && orOne(l.DilationRate) > 1:
		return fmt.Errorf("layers: Conv1D: strides must be 1 where dilation_rate is %d, got %d", l.DilationRate, l.Strides)
	}
	switch l.Padding {
	case "", padValid, padSame, padCausal:
	default:
		return fmt.Errorf("layers: Conv1D: padding must be valid, same or causal, got %q", l.Padding)
	}
	return checkDataFormat("Conv1D", l.DataFormat)
}

func orOne(n int) int {
	if n == 0 {
		return 1
	}
	return n
}

// Build checks the arguments and makes kernel (KernelSize, C/Groups, Filters) and bias.
func (l Conv1D) Build(b *Builder, in []Signature) (Layer, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	act, err := keepsWidth("Conv1D", l.Activation)
	if err != nil {
		return nil, err
	}
	d := &conv1D{
		spec: l, act: act, order: sequence{l.DataFormat == channelsFirst}, groups: orOne(l.Groups),
		windows: windows{l.KernelSize, orOne(l.Strides), orOne(l.DilationRate), orValid(l.Padding)},
	}
	if _, err := d.Output(in); err != nil {
		return nil, err
	}
	_, d.inputs = d.order.axes(in[0].Shape)
	if d.inputs%d.groups != 0 {
		return nil, fmt.Errorf("layers: Conv1D: expected a number of channels that is a multiple of groups, %d, got %v", d.groups, in[0].Shape)
	}
	d.kernel = b.Weight("kernel", tensor.Shape{l.KernelSize, d.inputs / d.groups, l.Filters}, or(l.KernelInitializer, initializers.GlorotUniform{}))
	if err := d.kernel.hold("Conv1D", "kernel", l.KernelRegularizer, l.KernelConstraint); err != nil {
		return nil, err
	}
	if !l.NoBias {
		d.bias = b.Weight("bias", tensor.Shape{l.Filters}, or(l.BiasInitializer, initializers.Zeros{}))
		if err := d.bias.hold("Conv1D", "bias", l.BiasRegularizer, l.BiasConstraint); err != nil {
			return nil, err
		}
	}
	return d, checkActivity("Conv1D", l.ActivityRegularizer, d, in)
}

type conv1D struct {
	spec Conv1D
	act  activations.Activation
	windows
	order          sequence
	inputs, groups int

	kernel, bias *Weight // bias is nil with NoBias
	// By tap and group; those of the way back are transposed.
	packed, transposed []kernel.Packed
}

func (d *conv1D) Weights() []*Weight {
	if d.bias == nil {
		return []*Weight{d.kernel}
	}
	return []*Weight{d.kernel, d.bias}
}

// Activity is the regularizer of the output.
func (d *conv1D) Activity() regularizers.Regularizer { return d.spec.ActivityRegularizer }

func (d *conv1D) Output(in []Signature) ([]Signature, error) {
	what := "sequences (N, T, C) with a known width"
	if d.order.first {
		what = "sequences (N, C, T) with a known width"
	}
	if err := checkFloats("Conv1D", what, in, 3, 3); err != nil {
		return nil, err
	}
	t, width := d.order.axes(in[0].Shape)
	if width == tensor.None {
		return nil, checkFloats("Conv1D", what, in, 4, 3)
	}
	if d.inputs != 0 && width != d.inputs {
		return nil, fmt.Errorf("layers: Conv1D: expected %d channels, got %v", d.inputs, in[0].Shape)
	}
	if t != tensor.None {
		if t = d.count(t); t <= 0 {
			return nil, fmt.Errorf("layers: Conv1D: expected at least %d steps, as many as a window spans, got %v", d.reach(), in[0].Shape)
		}
	}
	return []Signature{d.order.signature(in[0].Shape[0], t, d.spec.Filters)}, nil
}

func (d *conv1D) Layout() Layout { return d.order.layout() }

// block is the part of the kernel for a tap and a group: a matrix of C/Groups rows that stand Filters apart.
func (d *conv1D) block(values []float32, tap, group int) []float32 {
	c, f := d.inputs/d.groups, d.spec.Filters
	return values[tap*c*f+group*f/d.groups:]
}

func (d *conv1D) Prepare(training bool) {
	c, f := d.inputs/d.groups, d.spec.Filters
	if d.packed == nil {
		d.packed = make([]kernel.Packed, d.size*d.groups)
		d.transposed = make([]kernel.Packed, d.size*d.groups)
	}
	for i := range d.packed {
		part := d.block(d.kernel.Data, i/d.groups, i%d.groups)
		d.packed[i].Pack(part, f, c, f/d.groups)
		if training {
			d.transposed[i].PackT(part, f, f/d.groups, c)
		}
	}
}

func (d *conv1D) ShardRows() int { return 0 }

// The buffers of a Call.
const (
	convZ = iota
	convIn
	convPlain
	convOut
	convGrad
	convDZ
	convDX
)

// blockFloats is how many values of a sequence go through all taps before the next, while they are near.
const blockFloats = 1 << 13

// blocks calls f with stretches of the windows or steps from lo to before hi, of n rows each.
func (d *conv1D) blocks(lo, hi, n int, f func(lo, hi int)) {
	size := max(1, blockFloats/(n*max(d.inputs, d.spec.Filters)))
	for ; lo < hi; lo += size {
		f(lo, min(lo+size, hi))
	}
}

// each calls f with stretches of windows o to before o+n, of those from lo to before hi, that read the steps from s on: all in one where the
// stride is 1.
func (d *conv1D) each(t, lo, hi int, f func(tap, o, s, n int)) {
	for k := range d.size {
		first, last, at := d.tap(k, t)
		d.stretch(max(first, lo), min(last, hi), at, k, f)
	}
}

// eachStep is each for the windows that read the steps from lo to before hi.
func (d *conv1D) eachStep(t, lo, hi int, f func(tap, o, s, n int)) {
	behind := func(steps int) int { return max(0, steps+d.stride-1) / d.stride } // the first window at so many steps, or behind
	for k := range d.size {
		first, last, at := d.tap(k, t)
		d.stretch(max(first, behind(lo-at)), min(last, behind(hi-at)), at, k, f)
	}
}

func (d *conv1D) stretch(first, last, at, tap int, f func(tap, o, s, n int)) {
	switch {
	case first >= last:
	case d.stride == 1:
		f(tap, first, first+at, last-first)
	default:
		for o := first; o < last; o++ {
			f(tap, o, o*d.stride+at, 1)
		}
	}
}

func (d *conv1D) Forward(c *Call) {
	x, t, n, _ := d.order.in(c, convIn, &c.In[0])
	count, f := d.count(t), d.spec.Filters
	z := c.Floats(convZ, count*n*f)
	if c.Share.Worth(2 * count * n * len(d.kernel.Data)) {
		d.sumShared(c, z, x, t, n, count)
	} else {
		d.sum(z, x, t, n, 0, count)
	}
	out := d.order.out(c, convPlain, z, count, n, f)
	c.Logits = out.Data
	if d.act != activations.Linear {
		out.Data = c.Floats(convOut, len(z))
		rows, last := rowsOf(&Value{Shape: out.Shape, Data: out.Data})
		d.act.Forward(out.Data, c.Logits, rows, last)
	}
	c.Out[0] = out
}

func (d *conv1D) sumShared(c *Call, z, x []float32, t, n, count int) {
	c.Share.Split(count, func(lo, hi int) { d.sum(z, x, t, n, lo, hi) })
}

// sum computes the windows from lo to before hi.
func (d *conv1D) sum(z, x []float32, t, n, lo, hi int) {
	width, f := d.inputs, d.spec.Filters
	d.blocks(lo, hi, n, func(lo, hi int) {
		if d.bias != nil {
			kernel.Broadcast(z[lo*n*f:hi*n*f], d.bias.Data, (hi-lo)*n)
		} else {
			clear(z[lo*n*f : hi*n*f])
		}
		d.each(t, lo, hi, func(tap, o, s, steps int) {
			for g := range d.groups {
				kernel.MatMulAcc(z[o*n*f+g*f/d.groups:], f, x[s*n*width+g*width/d.groups:], width, &d.packed[tap*d.groups+g], steps*n)
			}
		})
	})
}

func (d *conv1D) Backward(c *Call) {
	in, out, dz := &c.In[0], &c.Out[0], c.DOut[0]
	if d.act != activations.Linear && !c.OnLogits {
		dz = c.Floats(convGrad, len(dz))
		rows, last := rowsOf(out)
		d.act.Backward(dz, c.DOut[0], c.Logits, out.Data, rows, last)
	}
	dz = d.order.grad(c, convDZ, out.Shape, dz)
	t, width := d.order.axes(in.Shape)
	n, f := in.Shape[0], d.spec.Filters
	x, dx := in.Data, c.DIn[0]
	if d.order.first {
		x = c.Floats(convIn, len(in.Data))
		if dx != nil {
			dx = c.Floats(convDX, len(in.Data))
		}
	}
	count := len(dz) / (n * f)
	if c.Share.Worth(2 * count * n * len(d.kernel.Data)) {
		d.backShared(c, dx, x, dz, t, n, count)
	} else {
		d.backWeights(c, x, dz, t, n, count, 0, d.size*d.panels())
		d.backInput(dx, dz, t, n, 0, t)
	}
	if dx != nil && d.order.first {
		d.order.back(c.DIn[0], dx, t, n, width)
	}
}

func (d *conv1D) backShared(c *Call, dx, x, dz []float32, t, n, count int) {
	c.Share.Split(d.size*d.panels(), func(lo, hi int) { d.backWeights(c, x, dz, t, n, count, lo, hi) })
	c.Share.Split(t, func(lo, hi int) { d.backInput(dx, dz, t, n, lo, hi) })
}

// panels are those of a tap's columns in a group.
func (d *conv1D) panels() int { return kernel.Panels(d.spec.Filters / d.groups) }

// backWeights adds the gradients of the kernel's panels from lo to before hi, tap by tap, and with the first that of the bias.
func (d *conv1D) backWeights(c *Call, x, dz []float32, t, n, count, lo, hi int) {
	width, f, panels := d.inputs, d.spec.Filters, d.panels()
	if d.bias != nil && lo == 0 {
		kernel.SumRows(c.Grads.Of(d.bias), dz, f, len(dz)/f, f)
	}
	dk := c.Grads.Of(d.kernel)
	d.blocks(0, count, n, func(first, last int) {
		d.each(t, first, last, func(tap, o, s, steps int) {
			from, to := max(lo-tap*panels, 0)*kernel.PanelWidth, min((hi-tap*panels)*kernel.PanelWidth, f/d.groups)
			if from >= to {
				return
			}
			for g := range d.groups {
				part, dpart := d.block(dk, tap, g)[from:], dz[o*n*f+g*f/d.groups+from:]
				kernel.Outer(part, f, x[s*n*width+g*width/d.groups:], width, width/d.groups, dpart, f, to-from, steps*n)
			}
		})
	})
}

// backInput makes the gradients of the steps from lo to before hi, unless dx is nil.
func (d *conv1D) backInput(dx, dz []float32, t, n, lo, hi int) {
	if dx == nil {
		return
	}
	width, f := d.inputs, d.spec.Filters
	d.blocks(lo, hi, n, func(lo, hi int) {
		clear(dx[lo*n*width : hi*n*width])
		d.eachStep(t, lo, hi, func(tap, o, s, steps int) {
			for g := range d.groups {
				kernel.MatMulAcc(dx[s*n*width+g*width/d.groups:], width, dz[o*n*f+g*f/d.groups:], f, &d.transposed[tap*d.groups+g], steps*n)
			}
		})
	})
}
