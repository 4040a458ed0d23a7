package optimizers

import (
	"math"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Nadam is Adam with Nesterov's momentum: with u(t) = Beta1 (1 - 0.96ᵗ/2) and P the product of u(1) to u(t), m and v as in Adam, it steps by
// lr (u(t+1) m / (1 - P u(t+1)) + (1 - u(t)) g / (1 - P)) / (√(v / (1 - Beta2ᵗ)) + Epsilon). Dozat, 2015.
type Nadam struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9
	Beta2        tensor.Float       // 0.999
	Epsilon      tensor.Float       // 1e-7
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "nadam"
	Common
}

func (Nadam) Class() string { return "Nadam" }

func (o Nadam) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_1"], c["beta_2"], c["epsilon"] = o.Beta1.Or(0.9), o.Beta2.Or(0.999), o.Epsilon.Or(1e-7)
	return c
}

// Check implements Optimizer.
func (o Nadam) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), below1(o.Class(), "beta_1", o.Beta1.Or(0.9)),
		below1(o.Class(), "beta_2", o.Beta2.Or(0.999)),
		atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-7)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Nadam) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Nadam) Slots() [][]Slot { return [][]Slot{{{Name: "momentum"}, {Name: "velocity"}}} }

// Traits implements Optimizer: the momentum moves a weight without a gradient.
func (o Nadam) Traits() Traits {
	return o.traits(Traits{Elementwise: true, Decay: 1})
}

// Apply implements Optimizer.
func (o Nadam) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	b1, b2 := o.Beta1.Or(0.9), o.Beta2.Or(0.999)
	m, v := slots[0], slots[1]
	product, now, next := o.product(step)
	ofM, ofG := float32(next/(1-product*next)), float32((1-now)/(1-product))
	rest1, rest2, rate := float32(1-b1), float32(1-b2), float32(lr)
	grown, eps := float32(1-math.Pow(b2, float64(step))), float32(o.Epsilon.Or(1e-7))
	for i, d := range g {
		m[i] += float32((d - m[i]) * rest1)
		v[i] += float32((float32(d*d) - v[i]) * rest2)
		w[i] -= float32((float32(ofM*m[i])+float32(ofG*d))*rate) / (root(v[i]/grown) + eps)
	}
}

// product is P after update t, with u(t) and u(t+1). It follows from t, so that nobody need keep it; soon it is 0.
func (o Nadam) product(t int64) (p, now, next float64) {
	b1, power := o.Beta1.Or(0.9), 1.0
	p = 1
	for k := int64(0); k < t && p != 0; k++ {
		power *= 0.96
		p *= b1 * (1 - power/2)
	}
	power = math.Pow(0.96, float64(t))
	return p, b1 * (1 - power/2), b1 * (1 - power*0.96/2)
}

// Scalars implements Scaled: Keras keeps P.
func (o Nadam) Scalars(step int64) []float64 {
	p, _, _ := o.product(step)
	return []float64{p}
}
