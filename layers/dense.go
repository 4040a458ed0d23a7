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
	if d.bias == nil {
		kernel.MatMul(z, h, in.Data, d.inputs, &d.packed, n)
	} else {
		kernel.MatMulBias(z, h, d.bias.Data, in.Data, d.inputs, &d.packed, n)
	}
	c.Logits = z
	d.act.Forward(out.Data, z, n, h)
}

func (d *dense) Backward(c *Call) {
	x, y, dz := c.In[0].Data, c.Out[0].Data, c.DOut[0]
	h := d.spec.Units
	n := len(y) / h
	if !c.OnLogits {
		dz = c.Floats(denseGrad, n*h)
		d.act.Backward(dz, c.DOut[0], c.Logits, y, n, h)
	}
	kernel.Outer(c.Grads.Of(d.kernel), h, x, d.inputs, d.inputs, dz, h, h, n)
	if d.bias != nil {
		kernel.SumRows(c.Grads.Of(d.bias), dz, h, n, h)
	}
	if c.DIn[0] != nil {
		kernel.MatMul(c.DIn[0], d.inputs, dz, h, &d.transposed, n)
	}
}
