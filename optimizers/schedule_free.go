package optimizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// ScheduleFreeAdamW is Adam without a schedule: z takes the steps, z -= lr g / (√(v / (1 - Beta2ᵗ)) + Epsilon); x is the mean of all z so far; and the weights, where gradients are
// taken, stand between the two, w = (1 - Beta1) z + Beta1 x. As in Keras the weights stay there after the training. Defazio et al., 2024, "The road less scheduled".
type ScheduleFreeAdamW struct {
	LearningRate tensor.Float       // 0.0025
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9
	Beta2        tensor.Float       // 0.999
	Epsilon      tensor.Float       // 1e-8
	WarmupSteps  int                // updates in which the rate grows to its full value
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "schedule_free_adam_w"
	Common
}

func (ScheduleFreeAdamW) Class() string { return "ScheduleFreeAdamW" }

// Config implements Optimizer.
func (o ScheduleFreeAdamW) Config() map[string]any {
	c := config(o, o.LearningRate, 0.0025, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_1"], c["beta_2"], c["epsilon"], c["warmup_steps"] = o.Beta1.Or(0.9), o.Beta2.Or(0.999), o.Epsilon.Or(1e-8), o.WarmupSteps
	return c
}

// Check implements Optimizer.
func (o ScheduleFreeAdamW) Check() error {
	if b := o.Beta1.Or(0.9); !(b > 0 && b <= 1) {
		return fmt.Errorf("optimizers: ScheduleFreeAdamW: beta_1 must be above 0 and up to 1, got %v", b)
	}
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule),
		below1(o.Class(), "beta_2", o.Beta2.Or(0.999)), atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-8)),
		atLeast0(o.Class(), "warmup_steps", float64(o.WarmupSteps)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o ScheduleFreeAdamW) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.0025, o.Schedule)
}

// Slots implements Optimizer: momentum is z.
func (o ScheduleFreeAdamW) Slots() [][]Slot {
	return [][]Slot{{{Name: "momentum", Copy: true}, {Name: "velocity"}}}
}

// Traits implements Optimizer: the mean moves a weight without a gradient.
func (o ScheduleFreeAdamW) Traits() Traits { return o.traits(Traits{Elementwise: true, Decay: 1}) }

// Apply implements Optimizer.
func (o ScheduleFreeAdamW) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	if o.WarmupSteps > 0 {
		lr *= min(float64(step)/float64(o.WarmupSteps), 1)
	}
	z, v := slots[0], slots[1]
	b1, rest2, eps, rate := float32(o.Beta1.Or(0.9)), float32(1-o.Beta2.Or(0.999)), float32(o.Epsilon.Or(1e-8)), float32(lr)
	grown, part := float32(1-math.Pow(o.Beta2.Or(0.999), float64(step))), float32(1/float64(step))
	for i, d := range g {
		x := float32(w[i]-float32((1-b1)*z[i])) / b1
		v[i] += float32((float32(d*d) - v[i]) * rest2)
		z[i] -= float32(rate*d) / float32(float32(math.Sqrt(float64(v[i]/grown)))+eps)
		x = float32((1-part)*x) + float32(part*z[i])
		w[i] = float32((1-b1)*z[i]) + float32(b1*x)
	}
}
