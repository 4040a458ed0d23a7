package optimizers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// RMSprop divides the gradient by a running root mean square: v = Rho v + (1 - Rho) g², w -= lr g / √(v + Epsilon). Centered takes the
// square of the running mean of g off v first; Momentum collects: M = Momentum M + increment, w -= M. Hinton, 2012. With Keras2 it is
// w -= lr g / (√v + Epsilon), which is larger steps where gradients are small.
type RMSprop struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Rho          tensor.Float       // 0.9
	Momentum     float64            // 0 to 1
	Epsilon      tensor.Float       // 1e-7, inside the root as in Keras 3
	Centered     bool
	Keras2       bool         // Epsilon stands outside the root, as in Keras 2.2.4; not with Momentum or Centered, which it had not
	WeightDecay  tensor.Float // unset: none
	Name         string       // "rm_sprop", which is what Keras makes of the class
	Common
}

func (RMSprop) Class() string { return "RMSprop" }

func (o RMSprop) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["rho"], c["momentum"], c["epsilon"], c["centered"] = o.Rho.Or(0.9), o.Momentum, o.Epsilon.Or(1e-7), o.Centered
	if o.Keras2 {
		c["keras2"] = true // Keras 3 does not read it: it has no such optimizer
	}
	return c
}

// Check implements Optimizer.
func (o RMSprop) Check() error {
	if o.Keras2 && (o.Momentum != 0 || o.Centered) {
		return fmt.Errorf("optimizers: RMSprop: Keras 2's has no momentum and is not centered, got momentum %v, centered %v", o.Momentum, o.Centered)
	}
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), fraction(o.Class(), "rho", o.Rho.Or(0.9)),
		fraction(o.Class(), "momentum", o.Momentum), atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-7)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o RMSprop) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer: all velocities, then all momentums, then all averages, as far as there are any.
func (o RMSprop) Slots() [][]Slot {
	groups := [][]Slot{{{Name: "velocity"}}}
	if o.Momentum > 0 {
		groups = append(groups, []Slot{{Name: "momentum"}})
	}
	if o.Centered {
		groups = append(groups, []Slot{{Name: "average_gradient"}})
	}
	return groups
}

// Traits implements Optimizer. Centered is not sparse-safe: the rounding of v - average² could differ after a late decay. Nor is it where
// 0 / 0 could come up, without an Epsilon, or 0 · ∞, without a Rho.
func (o RMSprop) Traits() Traits {
	numbers := float32(o.Rho.Or(0.9)) > 0 && float32(o.Epsilon.Or(1e-7)) > 0
	return o.traits(Traits{Elementwise: true, SparseSafe: o.Momentum == 0 && !o.Centered && o.WeightDecay.Or(0) == 0 && numbers, Decay: o.Rho.Or(0.9)})
}

// Apply implements Optimizer.
func (o RMSprop) Apply(_ int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	rho, eps := o.Rho.Or(0.9), float32(o.Epsilon.Or(1e-7))
	if o.Keras2 {
		kernel.RMSpropKeras2(w, slots[0], g, float32(lr), rho, eps)
		return
	}
	if o.Momentum == 0 && !o.Centered {
		kernel.RMSprop(w, slots[0], g, float32(lr), rho, eps)
		return
	}
	var momentum, average []float32
	if o.Momentum > 0 {
		momentum = slots[1]
	}
	if o.Centered {
		average = slots[len(slots)-1]
	}
	kernel.RMSpropFull(w, slots[0], average, momentum, g, float32(lr), rho, float32(o.Momentum), eps)
}
