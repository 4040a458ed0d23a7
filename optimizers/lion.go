package optimizers

import (
	"fmt"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Lion steps by the sign alone of a mix of momentum and gradient: w -= lr sign(Beta1 m + (1 - Beta1) g), then m = Beta2 m + (1 - Beta2) g. Chen et
// al., 2023.
type Lion struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9; above 0
	Beta2        tensor.Float       // 0.99
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "lion"
	Common
}

func (Lion) Class() string { return "Lion" }

func (o Lion) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_1"], c["beta_2"] = o.Beta1.Or(0.9), o.Beta2.Or(0.99)
	return c
}

// Check implements Optimizer.
func (o Lion) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), o.checkBeta(),
		fraction(o.Class(), "beta_2", o.Beta2.Or(0.99)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Lion) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Lion) Slots() [][]Slot { return [][]Slot{{{Name: "momentum"}}} }

// Traits implements Optimizer: the momentum moves a weight without a gradient.
func (o Lion) Traits() Traits {
	return o.traits(Traits{Elementwise: true, Decay: 1})
}

// Apply implements Optimizer.
func (o Lion) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	m := slots[0]
	rate, b1, b2 := float32(lr), float32(o.Beta1.Or(0.9)), float32(o.Beta2.Or(0.99))
	rest1, rest2 := 1-b1, 1-b2
	for i, d := range g {
		switch to := float32(m[i]*b1) + float32(d*rest1); {
		case to > 0:
			w[i] -= rate
		case to < 0:
			w[i] += rate
		default:
			w[i] -= to // 0, or no number
		}
		m[i] = float32(m[i]*b2) + float32(d*rest2)
	}
}

func (o Lion) checkBeta() error {
	if b := o.Beta1.Or(0.9); !(b > 0 && b <= 1) {
		return fmt.Errorf("optimizers: Lion: beta_1 must be above 0 and at most 1, got %v", b)
	}
	return nil
}
