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

// Dense is activation(x·kernel + bias) over the last axis: (…, C) becomes (…, Units). Source: keras/src/layers/core/dense.py.
type Dense struct {
	Name              string
	Units             int
	Activation        activations.Activation // unset: linear
	NoBias            bool
	KernelInitializer initializers.Initializer // unset: glorot_uniform
	BiasInitializer   initializers.Initializer // unset: zeros

	KernelRegularizer, BiasRegularizer, ActivityRegularizer regularizers.Regularizer
	KernelConstraint, BiasConstraint                        constraints.Constraint
}

// Class is "Dense".
func (Dense) Class() string { return "Dense" }

// GivenName is the name that the user gave.
func (l Dense) GivenName() string { return l.Name }

// Config implements Spec.
func (l Dense) Config() map[string]any {
	c := config(l)
	c["units"], c["use_bias"], c["activation"] = l.Units, !l.NoBias, l.Activation.Or(activations.Linear).Name()
	c["kernel_initializer"] = initializers.Object(or(l.KernelInitializer, initializers.GlorotUniform{}))
	c["bias_initializer"] = initializers.Object(or(l.BiasInitializer, initializers.Zeros{}))
	holds(c, "kernel", l.KernelRegularizer, l.KernelConstraint)
	holds(c, "bias", l.BiasRegularizer, l.BiasConstraint)
	activityConfig(c, l.ActivityRegularizer)
	none(c, "quantization_config")
	return c
}

func readDense(r *keras.Reader) Spec {
	onlyNone(r, "quantization_config", "lora_rank", "lora_alpha")
	return Dense{
		Name: base(r), Units: axis(r, "units"), Activation: activation(r, "activation"), NoBias: !r.Bool("use_bias", true),
		KernelInitializer: initializer(r, "kernel_initializer"), BiasInitializer: initializer(r, "bias_initializer"),
		KernelRegularizer: regularizer(r, "kernel_regularizer"), BiasRegularizer: regularizer(r, "bias_regularizer"),
		ActivityRegularizer: regularizer(r, "activity_regularizer"),
		KernelConstraint:    constraint(r, "kernel_constraint"), BiasConstraint: constraint(r, "bias_constraint"),
	}
}

// Build checks the arguments and makes kernel and bias.
func (l Dense) Build(b *Builder, in []Signature) (Layer, error) {
	if l.Units <= 0 {
		return nil, fmt.Errorf("layers: Dense: units must be positive, got %d", l.Units)
	}
	act, err := keepsWidth("Dense", l.Activation)
	if err != nil {
		return nil, err
	}
	d := &dense{spec: l, act: act}
	if _, err := d.Output(in); err != nil {
		return nil, err
	}
	d.inputs = in[0].Shape[len(in[0].Shape)-1]
	d.kernel = b.Weight("kernel", tensor.Shape{d.inputs, l.Units}, or(l.KernelInitializer, initializers.GlorotUniform{}))
	if err := d.kernel.hold("Dense", "kernel", l.KernelRegularizer, l.KernelConstraint); err != nil {
		return nil, err
	}
	if !l.NoBias {
		d.bias = b.Weight("bias", tensor.Shape{l.Units}, or(l.BiasInitializer, initializers.Zeros{}))
		if err := d.bias.hold("Dense", "bias", l.BiasRegularizer, l.BiasConstraint); err != nil {
			return nil, err
		}
	}
	return d, checkActivity("Dense", l.ActivityRegularizer, d, in)
}

type dense struct {
	spec   Dense
	act    activations.Activation
	inputs int

	kernel, bias *Weight // bias is nil with NoBias
	packed       kernel.Packed
	transposed   kernel.Packed
}

func (d *dense) Weights() []*Weight {
	if d.bias == nil {
		return []*Weight{d.kernel}
	}
	return []*Weight{d.kernel, d.bias}
}

func (d *dense) Output(in []Signature) ([]Signature, error) {
	if len(in) != 1 || in[0].IDs || len(in[0].Shape) < 2 || in[0].Shape[len(in[0].Shape)-1] == tensor.None {
		return nil, fmt.Errorf("layers: Dense: expected floats (N, …, C) with a known last axis, got %s", describe(in))
	}
	shape := in[0].Shape.Clone()
	if last := shape[len(shape)-1]; d.inputs != 0 && last != d.inputs {
		return nil, fmt.Errorf("layers: Dense: expected a last axis of %d, got %d", d.inputs, last)
	}
	shape[len(shape)-1] = d.spec.Units
	return []Signature{{Shape: shape, Masked: in[0].Masked}}, nil
}

func (d *dense) Layout() Layout { return AnyLayout }

func (d *dense) Prepare(training bool) {
	d.packed.Pack(d.kernel.Data, d.spec.Units, d.inputs, d.spec.Units)
	if training {
		d.transposed.PackT(d.kernel.Data, d.spec.Units, d.spec.Units, d.inputs)
	}
}

func (d *dense) ShardRows() int { return 0 }

// The buffers of a Call.
const (
	denseOut = iota
	denseLogits
	denseGrad
)

// Activity is the regularizer of the output.
func (d *dense) Activity() regularizers.Regularizer { return d.spec.ActivityRegularizer }

// ActivationOf is the activation that a layer ends with, of which it can leave the values before it in Logits; false when it has none
// of its own.
func ActivationOf(l Layer) (activations.Activation, bool) {
	switch l := l.(type) {
	case *dense:
		return l.act, true
	case *activationLayer:
		return l.act, true
	case *conv1D:
		return l.act, true
	}
	return "", false
}

func (d *dense) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	h := d.spec.Units
	n := len(in.Data) / d.inputs
	out.TimeMajor, out.Mask = in.TimeMajor, in.Mask
	out.Shape = c.Shape(0, in.Shape[:len(in.Shape)-1], h)
	out.Data = c.Floats(denseOut, n*h)
	z := out.Data
	if c.OnLogits || d.act.NeedsInput() {
		z = c.Floats(denseLogits, n*h)
	}
	c.Logits = z
	if c.Share.Worth(2 * n * d.inputs * h) {
		d.forwardShared(c, out.Data, z, in.Data, n)
	} else {
		d.forward(out.Data, z, in.Data, n)
	}
}

func (d *dense) forwardShared(c *Call, y, z, x []float32, n int) {
	h := d.spec.Units
	if few(c, n) {
		byColumns(c, &d.packed, func(from, to int, part *kernel.Packed) { d.sum(z[from:], x, part, from, to, n) })
		d.act.Forward(y, z, n, h)
		return
	}
	c.Share.Split(n, func(lo, hi int) { d.forward(y[lo*h:hi*h], z[lo*h:hi*h], x[lo*d.inputs:hi*d.inputs], hi-lo) })
}

// forward computes n rows.
func (d *dense) forward(y, z, x []float32, n int) {
	d.sum(z, x, &d.packed, 0, d.spec.Units, n)
	d.act.Forward(y, z, n, d.spec.Units)
}

// sum is the product of n rows with a part of the columns, and their bias.
func (d *dense) sum(z, x []float32, part *kernel.Packed, from, to, n int) {
	if d.bias == nil {
		kernel.MatMul(z, d.spec.Units, x, d.inputs, part, n)
	} else {
		kernel.MatMulBias(z, d.spec.Units, d.bias.Data[from:to], x, d.inputs, part, n)
	}
}

func (d *dense) Backward(c *Call) {
	h := d.spec.Units
	n := len(c.Out[0].Data) / h
	dz := c.DOut[0]
	if !c.OnLogits {
		dz = c.Floats(denseGrad, n*h)
	}
	if c.Share.Worth(2 * n * d.inputs * h) {
		d.backShared(c, dz, n)
		return
	}
	d.backSlope(c, dz, 0, n)
	d.backInput(c, dz, 0, n)
	d.backWeights(c, dz, n, 0, h)
}

func (d *dense) backShared(c *Call, dz []float32, n int) {
	if few(c, n) {
		d.backSlope(c, dz, 0, n)
		if c.DIn[0] != nil {
			byColumns(c, &d.transposed, func(from, _ int, part *kernel.Packed) {
				kernel.MatMul(c.DIn[0][from:], d.inputs, dz, d.spec.Units, part, n)
			})
		}
	} else {
		c.Share.Split(n, func(lo, hi int) {
			d.backSlope(c, dz, lo, hi)
			d.backInput(c, dz, lo, hi)
		})
	}
	byColumns(c, &d.packed, func(from, to int, _ *kernel.Packed) { d.backWeights(c, dz, n, from, to) })
}

// backSlope takes the gradient back through the activation, in the rows from lo to before hi.
func (d *dense) backSlope(c *Call, dz []float32, lo, hi int) {
	if c.OnLogits {
		return
	}
	lo, hi, n := lo*d.spec.Units, hi*d.spec.Units, hi-lo
	d.act.Backward(dz[lo:hi], c.DOut[0][lo:hi], c.Logits[lo:hi], c.Out[0].Data[lo:hi], n, d.spec.Units)
}

// backInput takes it back to the input.
func (d *dense) backInput(c *Call, dz []float32, lo, hi int) {
	if c.DIn[0] != nil {
		kernel.MatMul(c.DIn[0][lo*d.inputs:hi*d.inputs], d.inputs, dz[lo*d.spec.Units:], d.spec.Units, &d.transposed, hi-lo)
	}
}

// backWeights adds the gradients of the weights of the columns from from to before to.
func (d *dense) backWeights(c *Call, dz []float32, n, from, to int) {
	h := d.spec.Units
	kernel.Outer(c.Grads.Of(d.kernel)[from:], h, c.In[0].Data, d.inputs, d.inputs, dz[from:], h, to-from, n)
	if d.bias != nil {
		kernel.SumRows(c.Grads.Of(d.bias)[from:to], dz[from:], h, n, to-from)
	}
}
