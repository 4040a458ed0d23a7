package optimizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Adafactor keeps, of a matrix, sums of its squared gradients by row and by column alone, and takes the square at a place to be their product. The rate falls
// as 1/√t, is relative to the size of the weight, and a step whose root mean square is above ClipThreshold is scaled down to it. Shazeer and Stern, 2018.
type Adafactor struct {
	LearningRate   tensor.Float       // 0.001
	Schedule       schedules.Schedule // instead of LearningRate
	Beta2Decay     tensor.Float       // -0.8: the running means keep 1 - t^Beta2Decay
	Epsilon1       tensor.Float       // 1e-30, added to squares
	Epsilon2       tensor.Float       // 0.001, the least size of a weight
	ClipThreshold  tensor.Float       // 1
	NoRelativeStep bool               // the rate does not fall by itself; in Keras 3.15.1 it falls either way
	WeightDecay    tensor.Float       // unset: none
	Name           string             // "adafactor"
	Common
}

func (Adafactor) Class() string { return "Adafactor" }

func (o Adafactor) Config() map[string]any {
	c := config(o, o.LearningRate, 0.001, o.Schedule, o.WeightDecay, o.Name, o.Common)
	c["beta_2_decay"], c["epsilon_1"], c["epsilon_2"] = o.Beta2Decay.Or(-0.8), o.Epsilon1.Or(1e-30), o.Epsilon2.Or(0.001)
	c["clip_threshold"], c["relative_step"] = o.ClipThreshold.Or(1), !o.NoRelativeStep
	return c
}

// Check implements Optimizer.
func (o Adafactor) Check() error {
	return first(checkRate(o.Class(), o.LearningRate, o.Schedule), atLeast0(o.Class(), "epsilon_1", o.Epsilon1.Or(1e-30)),
		atLeast0(o.Class(), "epsilon_2", o.Epsilon2.Or(0.001)),
		o.checkArguments(),
		atLeast0(o.Class(), "weight_decay", o.WeightDecay.Or(0)), o.Common.check(o.Class()))
}

// Rate implements Optimizer.
func (o Adafactor) Rate() (float64, schedules.Schedule) {
	return start(o.LearningRate, 0.001, o.Schedule)
}

// Slots implements Optimizer.
func (o Adafactor) Slots() [][]Slot { return [][]Slot{{{Name: "r"}, {Name: "c"}, {Name: "velocity"}}} }

// Traits implements Optimizer: norms are those of a whole weight.
func (o Adafactor) Traits() Traits {
	return o.traits(Traits{Decay: 1})
}

// Apply implements Optimizer, for a vector.
func (o Adafactor) Apply(step int64, lr float64, w, g []float32, slots [][]float32) {
	o.ApplyShaped(tensor.Shape{len(w)}, step, lr, w, g, slots)
}

func (o Adafactor) checkArguments() error {
	if t := o.ClipThreshold.Or(1); !(t > 0) || math.IsInf(t, 0) {
		return fmt.Errorf("optimizers: Adafactor: clip_threshold must be finite and positive, got %v", t)
	}
	if d := o.Beta2Decay.Or(-0.8); !(d <= 0) || math.IsInf(d, 0) {
		return fmt.Errorf("optimizers: Adafactor: beta_2_decay must be finite and at most 0, got %v", d)
	}
	return nil
}

// SlotShapes implements Shaped: rows and columns of a matrix, one unused number each for a vector.
func (Adafactor) SlotShapes(w tensor.Shape) []tensor.Shape {
	k := len(w)
	if k < 2 {
		return []tensor.Shape{nil, nil, w}
	}
	return []tensor.Shape{w[:k-1], append(w[:k-2:k-2].Clone(), w[k-1]), w}
}

// ApplyShaped implements Shaped.
func (o Adafactor) ApplyShaped(shape tensor.Shape, step int64, lr float64, w, g []float32, slots [][]float32) {
	decay(w, lr, o.WeightDecay)
	t := float64(step)
	rho := math.Min(lr, 1/math.Sqrt(t)) // relative_step makes the rate this, and Keras takes the smaller one anyway
	alpha := float32(math.Max(o.Epsilon2.Or(0.001), rms(w)) * rho)
	rest := float32(math.Pow(t, o.Beta2Decay.Or(-0.8)))
	keep := 1 - rest
	eps := float32(o.Epsilon1.Or(1e-30))
	r, c, v := slots[0], slots[1], slots[2]
	if len(shape) < 2 {
		for i, d := range g {
			v[i] = float32(keep*v[i]) + float32(rest*(float32(d*d)+eps))
		}
	} else {
		rows, cols := shape[len(shape)-2], shape[len(shape)-1]
		for b := range len(w) / max(1, rows*cols) { // matrices
			o.factor(r[b*rows:][:rows], c[b*cols:][:cols], v[b*rows*cols:][:rows*cols], g[b*rows*cols:][:rows*cols], keep, rest, eps)
		}
	}
	sum := 0.0
	for i, d := range g {
		u := float64(d / root(v[i]))
		sum += u * u
	}
	alpha /= float32(math.Max(1, math.Sqrt(sum/float64(max(1, len(w))))/o.ClipThreshold.Or(1)))
	for i, d := range g {
		w[i] -= float32(alpha * (d / root(v[i])))
	}
}

// factor updates the sums of one matrix, and v, what they say of each place: r / mean(r) times c.
func (Adafactor) factor(r, c, v, g []float32, keep, rest, eps float32) {
	rows, cols := len(r), len(c)
	mean := 0.0
	for i := range r {
		s := 0.0
		for _, d := range g[i*cols:][:cols] {
			s += float64(float32(d*d) + eps)
		}
		r[i] = float32(keep*r[i]) + float32(rest*float32(s/float64(cols)))
		mean += float64(r[i])
	}
	mean /= float64(rows)
	for j := range c {
		s := 0.0
		for i := range r {
			d := g[i*cols+j]
			s += float64(float32(d*d) + eps)
		}
		c[j] = float32(keep*c[j]) + float32(rest*float32(s/float64(rows)))
	}
	for i := range r {
		q := r[i] / float32(mean)
		for j := range c {
			v[i*cols+j] = float32(q * c[j])
		}
	}
}

// rms is the root of the mean square.
func rms(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s / float64(max(1, len(x))))
}
