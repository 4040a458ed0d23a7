package optimizers

import (
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Adagrad divides the gradient by the root of the sum of its squares so far: a += g², w -= lr g / √(a + Epsilon). Duchi et al., 2011.
type Adagrad struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Initial      tensor.Float       // 0.1: what a begins with
	Epsilon      tensor.Float       // 1e-7
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "adagrad"
	Common
}

func (Adagrad) Class() string { return "Adagrad" }

func (o Adagrad) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["initial_accumulator_value"], c["epsilon"] = o.Initial.Or(0.1), o.Epsilon.Or(1e-7)
	return c
}

// Check implements Optimizer.
func (o Adagrad) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), atLeast0(o.Class(), "initial_accumulator_value", o.Initial.Or(0.1)),
		atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-7)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Adagrad) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Adagrad) Slots() [][]Slot {
	return [][]Slot{{{Name: "accumulator", Start: float32(o.Initial.Or(0.1))}}}
}

// Traits implements Optimizer. It is not sparse-safe where 0 / 0 could come up.
func (o Adagrad) Traits() Traits {
	return o.traits(Traits{Elementwise: true, SparseSafe: o.WeightDecay.Or(0) == 0 && float32(o.Initial.Or(0.1))+float32(o.Epsilon.Or(1e-7)) > 0, Decay: 1})
}

// Apply implements Optimizer.
func (o Adagrad) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	a, rate, eps := slots[0], float32(lr), float32(o.Epsilon.Or(1e-7))
	for i, d := range g {
		a[i] += float32(d * d)
		w[i] -= float32(rate*d) / root(a[i]+eps)
	}
}
