package optimizers

import (
	"math"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Adamax is Adam with the largest gradient, fading, in place of the root mean square: m += (1 - Beta1)(g - m), u = max(Beta2 u, |g|),
// w -= lr m / ((1 - Beta1ᵗ)(u + Epsilon)). Kingma and Ba, 2014.
type Adamax struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9
	Beta2        tensor.Float       // 0.999
	Epsilon      tensor.Float       // 1e-7
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "adamax"
	Common
}

func (Adamax) Class() string { return "Adamax" }

func (o Adamax) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_1"], c["beta_2"], c["epsilon"] = o.Beta1.Or(0.9), o.Beta2.Or(0.999), o.Epsilon.Or(1e-7)
	return c
}

// Check implements Optimizer.
func (o Adamax) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), below1(o.Class(), "beta_1", o.Beta1.Or(0.9)),
		fraction(o.Class(), "beta_2", o.Beta2.Or(0.999)),
		atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-7)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Adamax) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Adamax) Slots() [][]Slot { return [][]Slot{{{Name: "momentum"}, {Name: "norm"}}} }

// Traits implements Optimizer: the momentum moves a weight without a gradient.
func (o Adamax) Traits() Traits {
	return o.traits(Traits{Elementwise: true, Decay: 1})
}

// Apply implements Optimizer.
func (o Adamax) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	m, u := slots[0], slots[1]
	rest1, b2, eps := float32(1-o.Beta1.Or(0.9)), float32(o.Beta2.Or(0.999)), float32(o.Epsilon.Or(1e-7))
	rate, grown := float32(lr), float32(1-math.Pow(o.Beta1.Or(0.9), float64(step)))
	for i, d := range g {
		m[i] += float32((d - m[i]) * rest1)
		u[i] = max(float32(b2*u[i]), float32(math.Abs(float64(d))))
		w[i] -= float32(rate*m[i]) / float32(grown*(u[i]+eps))
	}
}
