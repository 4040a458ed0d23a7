package optimizers

import (
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Adadelta steps by the gradient times the running root mean square of the steps over that of the gradients, both with Epsilon inside the root: no rate is
// needed in theory, and Keras's small one is a factor of the step. Zeiler, 2012.
type Adadelta struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Rho          tensor.Float       // 0.95
	Epsilon      tensor.Float       // 1e-7
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "adadelta"
	Common
}

func (Adadelta) Class() string { return "Adadelta" }

func (o Adadelta) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["rho"], c["epsilon"] = o.Rho.Or(0.95), o.Epsilon.Or(1e-7)
	return c
}

// Check implements Optimizer.
func (o Adadelta) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), fraction(o.Class(), "rho", o.Rho.Or(0.95)),
		atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-7)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Adadelta) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Adadelta) Slots() [][]Slot {
	return [][]Slot{{{Name: "accumulated_grad"}, {Name: "accumulated_delta_var"}}}
}

// Traits implements Optimizer. It is not sparse-safe: a slot that has grown to ∞ times a gradient of 0 is no number.
func (o Adadelta) Traits() Traits {
	return o.traits(Traits{Elementwise: true, Decay: 1})
}

// Apply implements Optimizer.
func (o Adadelta) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	r := o.Rho.Or(0.95)
	sq, moved := slots[0], slots[1]
	rate, rho, rest, eps := float32(lr), float32(r), float32(1-r), float32(o.Epsilon.Or(1e-7))
	for i, d := range g {
		sq[i] = float32(rho*sq[i]) + float32(rest*float32(d*d))
		step := -float32(root(moved[i]+eps)*d) / root(sq[i]+eps)
		moved[i] = float32(rho*moved[i]) + float32(rest*float32(step*step))
		w[i] += float32(rate * step)
	}
}
