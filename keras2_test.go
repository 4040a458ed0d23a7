package unroll_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Outputs, losses and weights of ten steps are those of Keras 2, where Keras 3 computes otherwise: each case fails without the option
// that it is about.
func TestKeras2(t *testing.T) {
	opt := func(class string, config map[string]any) optimizers.Optimizer {
		o, err := optimizers.FromConfig("o", class, config)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	rms := func(more map[string]any) optimizers.Optimizer {
		config := map[string]any{"keras2": true}
		for k, v := range more {
			config[k] = v
		}
		return opt("RMSprop", config)
	}
	in := layers.Input{Shape: tensor.Shape{tensor.None, 4}}
	for name, c := range map[string]struct {
		stack, other []layers.Spec // other: as Keras 3 has it, of the same weights
		opt          optimizers.Optimizer
		otherOpt     optimizers.Optimizer
		loss         losses.Loss
		otherLoss    losses.Loss
	}{
		"lstm": {stack: []layers.Spec{in, layers.LSTM{Units: 3}, layers.Dense{Units: 1}}, other: []layers.Spec{in, layers.LSTM{Units: 3, RecurrentActivation: activations.HardSigmoid}, layers.Dense{Units: 1}},
			opt: rms(nil)},
		"gru": {stack: []layers.Spec{in, layers.GRU{Units: 3, RecurrentActivation: activations.HardSigmoid}, layers.Dense{Units: 1}},
			other: []layers.Spec{in, layers.GRU{Units: 3, NoResetAfter: true}, layers.Dense{Units: 1}}, opt: rms(map[string]any{"lr": 0.01, "decay": 0.05})},
		"small_gradients": {stack: []layers.Spec{in, layers.SimpleRNN{Units: 3}, layers.Dense{Units: 1, Activation: activations.HardSigmoid}},
			opt: rms(map[string]any{"rho": 0.8, "epsilon": 1e-3}), otherOpt: opt("RMSprop", map[string]any{"rho": 0.8, "epsilon": 1e-3})},
		"probabilities": {stack: []layers.Spec{in, layers.SimpleRNN{Units: 3}, layers.Dense{Units: 2, Activation: activations.Sigmoid}},
			opt: opt("SGD", map[string]any{"lr": 0.05, "decay": 0.1}), loss: losses.BinaryCrossentropy{Keras2: true}, otherLoss: losses.BinaryCrossentropy{}},
		"adam": {stack: []layers.Spec{in, layers.SimpleRNN{Units: 3}, layers.Dense{Units: 1}}, opt: opt("Adam", map[string]any{"lr": 0.01, "decay": 0.2}),
			otherOpt: opt("Adam", map[string]any{"lr": 0.01})},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := golden.Load("testdata/keras2/" + name + ".npz")
			if err != nil {
				t.Fatal(err)
			}
			if c.loss == nil {
				c.loss = losses.MeanSquaredError{}
			}
			if why := followsKeras2(t, g, layers.Keras2(c.stack...), c.opt, c.loss); why != "" {
				t.Error(why)
			}
			stack := layers.Keras2(c.stack...)
			if c.other != nil {
				stack = c.other
			}
			if c.otherOpt != nil {
				c.opt = c.otherOpt
			}
			if c.otherLoss != nil {
				c.loss = c.otherLoss
			}
			if why := followsKeras2(t, g, stack, c.opt, c.loss); why == "" {
				t.Error("Keras 3's way gives the same, so the case shows nothing")
			}
		})
	}
}

// followsKeras2 says where a model leaves the golden.
func followsKeras2(t *testing.T, g *golden.Case, stack []layers.Spec, o optimizers.Optimizer, l losses.Loss) string {
	t.Helper()
	m, err := unroll.Sequential(stack...)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Build(tensor.Shape{tensor.None, tensor.None, 4}); err != nil && !strings.Contains(err.Error(), "already") {
		t.Fatal(err)
	}
	for i, w := range m.Weights() {
		copy(w.Data, g.Weights[i].Value.Data)
	}
	m.Touch()
	if err := m.Compile(o, l); err != nil {
		t.Fatal(err)
	}
	data := func(x, y golden.Batch) unroll.Data {
		d, err := unroll.Arrays(x.Floats, y.Floats)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ctx := t.Context()
	out, err := m.Predict(ctx, data(g.X, g.Steps[0].Y))
	if err != nil {
		t.Fatal(err)
	}
	if err := golden.Difference(out.Data, g.Out.Data, g.Meta.OutTolerance()); err != nil {
		return "outputs: " + err.Error()
	}
	for i, s := range g.Steps {
		h, err := m.Fit(ctx, data(s.X, s.Y), unroll.BatchSize(64), unroll.Shuffle(false))
		if err != nil {
			t.Fatal(err)
		}
		if err := golden.Difference([]float32{float32(h.Values("loss")[0])}, []float32{s.Loss}, g.Meta.LossTolerance()); err != nil {
			return fmt.Sprintf("loss of step %d: %v", i, err)
		}
	}
	for i, w := range m.Weights() {
		if err := golden.Difference(w.Data, g.Weights[i].After.Data, g.Meta.AfterTolerance(i)); err != nil {
			return w.Name + ": " + err.Error()
		}
	}
	return ""
}
