package optimizers

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// SGD is gradient descent: w -= lr g. With Momentum, m = Momentum m - lr g and w += m; with Nesterov too, w += Momentum m - lr g.
type SGD struct {
	LearningRate tensor.Float       // 0.01
	Schedule     schedules.Schedule // instead of LearningRate
	Momentum     float64            // 0 to 1
	Nesterov     bool
	WeightDecay  tensor.Float // unset: none
	Name         string       // "sgd"
	Common
}

func (SGD) Class() string { return "SGD" }

func (o SGD) Config() map[string]any {
	c := config(o, o.LearningRate, 0.01, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["momentum"], c["nesterov"] = o.Momentum, o.Nesterov
	return c
}

// Check implements Optimizer.
func (o SGD) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), fraction(o.Class(), "momentum", o.Momentum),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o SGD) Rate() (float64, schedules.Schedule) { return start(o.LearningRate, 0.01, o.Schedule) }

// Slots implements Optimizer: none without momentum.
func (o SGD) Slots() [][]Slot {
	if o.Momentum == 0 {
		return nil
	}
	return [][]Slot{{{Name: "momentum"}}}
}

// Traits implements Optimizer.
func (o SGD) Traits() Traits {
	return o.traits(Traits{Elementwise: true, SparseSafe: o.Momentum == 0 && o.WeightDecay.Or(0) == 0, Decay: 1})
}

// Apply implements Optimizer.
func (o SGD) Apply(_ int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	if o.Momentum == 0 {
		kernel.SGD(w, g, float32(lr))
		return
	}
	kernel.Momentum(w, slots[0], g, float32(lr), float32(o.Momentum), o.Nesterov)
}
