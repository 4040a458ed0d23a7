package optimizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Ftrl follows the regularized leader, which makes weights that are exactly 0: with n the sum of g², s the difference of n^-Power that g² makes over lr, and
// z += g + 2 Shrinkage w - s w, it sets w = (clip(z, ±L1) - z) / (n^-Power / lr + 2 L2 + Beta / lr). McMahan et al., 2013.
type Ftrl struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Power        tensor.Float       // -0.5: learning_rate_power, 0 or below
	Initial      tensor.Float       // 0.1: what n begins with
	L1           float64            // l1_regularization_strength
	L2           float64            // l2_regularization_strength
	Shrinkage    float64            // l2_shrinkage_regularization_strength
	Beta         float64            // added to the curvature
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "ftrl"
	Common
}

func (Ftrl) Class() string { return "Ftrl" }

func (o Ftrl) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["learning_rate_power"], c["initial_accumulator_value"], c["l1_regularization_strength"] = o.Power.Or(-0.5), o.Initial.Or(0.1), o.L1
	c["l2_regularization_strength"], c["l2_shrinkage_regularization_strength"], c["beta"] = o.L2, o.Shrinkage, o.Beta
	return c
}

// Check implements Optimizer.
func (o Ftrl) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), o.checkPower(),
		atLeast0(o.Class(), "initial_accumulator_value", o.Initial.Or(0.1)),
		atLeast0(o.Class(), "l1_regularization_strength", o.L1),
		atLeast0(o.Class(), "l2_regularization_strength", o.L2),
		atLeast0(o.Class(), "l2_shrinkage_regularization_strength", o.Shrinkage),
		atLeast0(o.Class(), "beta", o.Beta),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Ftrl) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Ftrl) Slots() [][]Slot {
	return [][]Slot{{{Name: "accumulator", Start: float32(o.Initial.Or(0.1))}, {Name: "linear"}}}
}

// Traits implements Optimizer: weights are made anew from the slots.
func (o Ftrl) Traits() Traits {
	return o.traits(Traits{Elementwise: true, Decay: 1})
}

// Apply implements Optimizer.
func (o Ftrl) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	n, z := slots[0], slots[1]
	p, rate, l1 := -o.Power.Or(-0.5), float32(lr), float32(o.L1)
	l2, shrink := float32(2*(o.L2+o.Beta/(2*lr))), float32(2*o.Shrinkage)
	power := func(x float32) float32 {
		if p == 0.5 {
			return root(x)
		}
		return float32(math.Pow(float64(x), p))
	}
	for i, d := range g {
		sum := n[i] + float32(d*d)
		to := power(sum)
		z[i] += d + float32(shrink*w[i]) - float32((to-power(n[i]))/rate*w[i])
		w[i] = (min(max(z[i], -l1), l1) - z[i]) / (to/rate + l2)
		n[i] = sum
	}
}

func (o Ftrl) checkPower() error {
	if p := o.Power.Or(-0.5); !(p <= 0) || math.IsInf(p, 0) {
		return fmt.Errorf("optimizers: Ftrl: learning_rate_power must be finite and at most 0, got %v", p)
	}
	return nil
}
