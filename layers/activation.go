package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/keras"
)

// Activation is an activation as a layer of its own. Source: keras/src/layers/activations/activation.py.
type Activation struct {
	Name       string
	Activation activations.Activation
}

// Class is "Activation".
func (Activation) Class() string { return "Activation" }

// GivenName is the name that the user gave.
func (l Activation) GivenName() string { return l.Name }

func (Activation) shapeless() {}

// Config implements Spec.
func (l Activation) Config() map[string]any {
	c := config(l)
	c["activation"] = l.Activation.Or(activations.Linear).Name()
	return c
}

func readActivation(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return Activation{Name: base(r), Activation: activation(r, "activation")}
}

// Build checks the activation.
func (l Activation) Build(_ *Builder, in []Signature) (Layer, error) {
	act, err := keepsWidth("Activation", l.Activation)
	if err != nil {
		return nil, err
	}
	a := &activationLayer{act: act}
	_, err = a.Output(in)
	return a, err
}

// keepsWidth is the activation of a layer whose output is as wide as what it is applied to; unset is linear.
func keepsWidth(class string, a activations.Activation) (activations.Activation, error) {
	act, err := activations.ByName(a.Or(activations.Linear).Name())
	switch {
	case err != nil:
		return "", fmt.Errorf("layers: %s: activation: %w", class, err)
	case act == activations.GLU:
		return "", fmt.Errorf("layers: %s: activation must keep the width, got glu, which halves it", class)
	}
	return act, nil
}

type activationLayer struct{ act activations.Activation }

func (a *activationLayer) Weights() []*Weight { return nil }

func (a *activationLayer) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats("Activation", "floats (N, …)", in, 2, maxRank); err != nil {
		return nil, err
	}
	return in, nil
}

func (a *activationLayer) Layout() Layout { return AnyLayout }

func (a *activationLayer) Prepare(bool) {}

func (a *activationLayer) ShardRows() int { return 0 }

func (a *activationLayer) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	*out = *in
	out.Data = c.Floats(0, len(in.Data))
	c.Logits = in.Data
	rows, width := rowsOf(in)
	a.act.Forward(out.Data, in.Data, rows, width)
}

func (a *activationLayer) Backward(c *Call) {
	if c.DIn[0] == nil {
		return
	}
	if c.OnLogits {
		copy(c.DIn[0], c.DOut[0])
		return
	}
	rows, width := rowsOf(&c.In[0])
	a.act.Backward(c.DIn[0], c.DOut[0], c.In[0].Data, c.Out[0].Data, rows, width)
}

// rowsOf is a value as a matrix whose rows are its last axis.
func rowsOf(v *Value) (rows, width int) {
	width = v.Shape[len(v.Shape)-1]
	return len(v.Data) / max(1, width), width
}
