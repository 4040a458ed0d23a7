package optimizers

import (
	"math"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Adam steps by running means of g and g²: m += (1 - Beta1)(g - m), v += (1 - Beta2)(g² - v), w -= α m / (√v + Epsilon) with
// α = lr √(1 - Beta2ᵗ) / (1 - Beta1ᵗ) in update t. AMSGrad takes the largest v so far. Kingma and Ba, 2014.
type Adam struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9
	Beta2        tensor.Float       // 0.999
	Epsilon      tensor.Float       // 1e-7, outside the root and not corrected for bias
	AMSGrad      bool
	WeightDecay  tensor.Float // unset: none
	Name         string       // "adam"
	Common
}

// AdamW is Adam with a decoupled weight decay: w -= lr WeightDecay w before each update. Loshchilov and Hutter, 2017.
type AdamW struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9
	Beta2        tensor.Float       // 0.999
	Epsilon      tensor.Float       // 1e-7
	AMSGrad      bool
	WeightDecay  tensor.Float // 0.004
	Name         string       // "adam_w"
	Common
}

// adam is the Adam that does what AdamW does.
func (o AdamW) adam() Adam {
	return Adam{o.LearningRate, o.Schedule, o.Beta1, o.Beta2, o.Epsilon, o.AMSGrad, tensor.F(o.WeightDecay.Or(0.004)), o.Name, o.Common}
}

func (Adam) Class() string  { return "Adam" }
func (AdamW) Class() string { return "AdamW" }

func (o Adam) Config() map[string]any  { return o.config(o) }
func (o AdamW) Config() map[string]any { return o.adam().config(o) }

func (o Adam) config(as Optimizer) map[string]any {
	c := config(as, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_1"], c["beta_2"], c["epsilon"], c["amsgrad"] = o.Beta1.Or(0.9), o.Beta2.Or(0.999), o.Epsilon.Or(1e-7), o.AMSGrad
	return c
}

// Check implements Optimizer.
func (o Adam) Check() error { return o.check(o.Class()) }

// Check implements Optimizer.
func (o AdamW) Check() error { return o.adam().check(o.Class()) }

func (o Adam) check(class string) error {
	// A beta of 1 would divide by 0.
	return first(checkRate(class, o.LearningRate, o.Schedule), below1(class, "beta_1", o.Beta1.Or(0.9)), below1(class, "beta_2", o.Beta2.Or(0.999)),
		atLeast0(class, "epsilon", o.Epsilon.Or(1e-7)), atLeast0(class, "weight_decay", o.WeightDecay.Or(0)), o.Common.check(class))
}

// Rate implements Optimizer.
func (o Adam) Rate() (float64, schedules.Schedule) { return start(o.LearningRate, 0.001, o.Schedule) }

// Rate implements Optimizer.
func (o AdamW) Rate() (float64, schedules.Schedule) { return o.adam().Rate() }

// Slots implements Optimizer: momentum and velocity of each weight side by side, then all largest velocities.
func (o Adam) Slots() [][]Slot {
	groups := [][]Slot{{{Name: "momentum"}, {Name: "velocity"}}}
	if o.AMSGrad {
		groups = append(groups, []Slot{{Name: "velocity_hat"}})
	}
	return groups
}

// Slots implements Optimizer.
func (o AdamW) Slots() [][]Slot { return o.adam().Slots() }

// Traits implements Optimizer: the momentum moves a weight without a gradient.
func (Adam) Traits() Traits { return Traits{Elementwise: true, Decay: 1} }

// Traits implements Optimizer.
func (AdamW) Traits() Traits { return Traits{Elementwise: true, Decay: 1} }

// Apply implements Optimizer.
func (o Adam) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	b1, b2, eps := o.Beta1.Or(0.9), o.Beta2.Or(0.999), float32(o.Epsilon.Or(1e-7))
	alpha := float32(lr * math.Sqrt(1-math.Pow(b2, float64(step))) / (1 - math.Pow(b1, float64(step))))
	if o.AMSGrad {
		kernel.AMSGrad(w, slots[0], slots[1], slots[2], g, alpha, b1, b2, eps)
		return
	}
	kernel.Adam(w, slots[0], slots[1], g, alpha, b1, b2, eps)
}

// Apply implements Optimizer.
func (o AdamW) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	o.adam().Apply(step, lr, w, g, slots)
}
