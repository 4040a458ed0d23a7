package optimizers

import (
	"math"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Lamb is Adam whose step has the length lr times that of the weight: the direction u = m̂ / (√v̂ + Epsilon) is scaled by |w| / |u|, unless one of them
// is 0. You et al., 2019.
type Lamb struct {
	LearningRate tensor.Float       // 0.001
	Schedule     schedules.Schedule // instead of LearningRate
	Beta1        tensor.Float       // 0.9
	Beta2        tensor.Float       // 0.999
	Epsilon      tensor.Float       // 1e-7
	WeightDecay  tensor.Float       // unset: none
	Name         string             // "lamb"
	Common
}

func (Lamb) Class() string { return "Lamb" }

func (o Lamb) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_1"], c["beta_2"], c["epsilon"] = o.Beta1.Or(0.9), o.Beta2.Or(0.999), o.Epsilon.Or(1e-7)
	return c
}

// Check implements Optimizer.
func (o Lamb) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), below1(o.Class(), "beta_1", o.Beta1.Or(0.9)),
		below1(o.Class(), "beta_2", o.Beta2.Or(0.999)),
		atLeast0(o.Class(), "epsilon", o.Epsilon.Or(1e-7)),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Lamb) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Lamb) Slots() [][]Slot { return [][]Slot{{{Name: "momentum"}, {Name: "velocity"}}} }

// Traits implements Optimizer: norms are those of a whole weight.
func (o Lamb) Traits() Traits {
	return o.traits(Traits{Decay: 1})
}

// Apply implements Optimizer.
func (o Lamb) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	b1, b2 := o.Beta1.Or(0.9), o.Beta2.Or(0.999)
	m, v := slots[0], slots[1]
	rest1, rest2, eps := float32(1-b1), float32(1-b2), float32(o.Epsilon.Or(1e-7))
	grown1, grown2 := float32(1-math.Pow(b1, float64(step))), float32(1-math.Pow(b2, float64(step)))
	direction := func(i int) float32 { return m[i] / grown1 / (root(v[i]/grown2) + eps) }
	ww, uu := 0.0, 0.0
	for i, d := range g {
		m[i] += float32((d - m[i]) * rest1)
		v[i] += float32((float32(d*d) - v[i]) * rest2)
		u := float64(direction(i))
		ww += float64(w[i]) * float64(w[i])
		uu += u * u
	}
	ratio := 1.0
	if ww > 0 && uu > 0 {
		ratio = math.Sqrt(ww) / math.Sqrt(uu)
	}
	scale := float32(ratio * lr)
	for i := range w {
		w[i] -= float32(scale * direction(i))
	}
}
