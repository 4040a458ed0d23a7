package losses

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// BinaryFocalCrossentropy is BinaryCrossentropy whose values are multiplied with (1 - q)^Gamma, where q = z p + (1 - z)(1 - p) is how
// right the prediction is: what is easy counts less. With Balancing they are also multiplied with z Alpha + (1 - z)(1 - Alpha). Lin et al., 2018.
type BinaryFocalCrossentropy struct {
	Balancing      bool         // apply_class_balancing
	Alpha          tensor.Float // 0.25
	Gamma          tensor.Float // 2
	FromLogits     bool         // the predictions are arguments of a sigmoid, not probabilities
	LabelSmoothing float64      // s, 0 to 1: z = y (1 - s) + s/2
	Reduction      Reduction    // SumOverBatchSize
	Name           string       // "binary_focal_crossentropy"
}

// CategoricalFocalCrossentropy is the sum over an item's m classes of -Alpha (1 - p)^Gamma z log p, with p clipped and of the sum 1 before
// that. Lin et al., 2018.
type CategoricalFocalCrossentropy struct {
	Alpha          tensor.Float // 0.25
	Gamma          tensor.Float // 2
	FromLogits     bool         // the predictions are arguments of a softmax, not probabilities
	LabelSmoothing float64      // s, 0 to 1: z = y (1 - s) + s/m
	Reduction      Reduction    // SumOverBatchSize
	Name           string       // "categorical_focal_crossentropy"
}

func (BinaryFocalCrossentropy) Class() string      { return "BinaryFocalCrossentropy" }
func (CategoricalFocalCrossentropy) Class() string { return "CategoricalFocalCrossentropy" }

func (l BinaryFocalCrossentropy) Reduce() Reduction      { return l.Reduction.or() }
func (l CategoricalFocalCrossentropy) Reduce() Reduction { return l.Reduction.or() }

func (l BinaryFocalCrossentropy) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["from_logits"], c["label_smoothing"], c["axis"] = l.FromLogits, l.LabelSmoothing, -1
	c["apply_class_balancing"], c["alpha"], c["gamma"] = l.Balancing, l.Alpha.Or(0.25), l.Gamma.Or(2)
	return c
}

func (l CategoricalFocalCrossentropy) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["from_logits"], c["label_smoothing"], c["axis"] = l.FromLogits, l.LabelSmoothing, -1
	c["alpha"], c["gamma"] = l.Alpha.Or(0.25), l.Gamma.Or(2)
	return c
}

// Check implements Loss.
func (l BinaryFocalCrossentropy) Check(pred, target tensor.Shape) error {
	if err := checkFocal(l.Class(), l.Alpha, l.Gamma, l.LabelSmoothing); err != nil {
		return err
	}
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// Check implements Loss.
func (l CategoricalFocalCrossentropy) Check(pred, target tensor.Shape) error {
	if err := checkFocal(l.Class(), l.Alpha, l.Gamma, l.LabelSmoothing); err != nil {
		return err
	}
	if err := checkClasses(l.Class(), pred); err != nil {
		return err
	}
	return checkElements(l.Class(), l.Reduction, pred, target)
}

func checkFocal(class string, alpha, gamma tensor.Float, smoothing float64) error {
	if a := alpha.Or(0.25); !(a >= 0) || math.IsInf(a, 0) {
		return fmt.Errorf("losses: %s: alpha must be finite and from 0, got %v", class, a)
	}
	if g := gamma.Or(2); !(g >= 0) || math.IsInf(g, 0) {
		return fmt.Errorf("losses: %s: gamma must be finite and from 0, got %v", class, g)
	}
	return checkSmoothing(class, smoothing)
}

// CheckTarget implements Loss: any number is a target.
func (BinaryFocalCrossentropy) CheckTarget(Target, int, int) error { return nil }

// CheckTarget implements Loss: any number is a target.
func (CategoricalFocalCrossentropy) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (l BinaryFocalCrossentropy) AsLogits(activation string) (Loss, bool) {
	if activation != "sigmoid" {
		return nil, false
	}
	l.FromLogits = true
	return l, true
}

// AsLogits implements Loss: Keras takes probabilities here.
func (CategoricalFocalCrossentropy) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l BinaryFocalCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Value implements Loss.
func (l CategoricalFocalCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l BinaryFocalCrossentropy) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Grad implements Loss.
func (l CategoricalFocalCrossentropy) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l BinaryFocalCrossentropy) Item(pred []float32, y Target) float64 {
	s := 0.0
	for j, v := range pred {
		z, p := l.smooth(y.At(j)), l.probability(v)
		wrong := z*(1-p) + (1-z)*p // 1 - q
		s += l.weight(z) * math.Pow(wrong, l.Gamma.Or(2)) * binary(v, z, l.FromLogits)
	}
	return s / float64(len(pred))
}

func (l BinaryFocalCrossentropy) slope(d, pred []float32, y Target, scale float64) {
	g := l.Gamma.Or(2)
	for j, v := range pred {
		z, p := l.smooth(y.At(j)), l.probability(v)
		wrong, b := z*(1-p)+(1-z)*p, binary(v, z, l.FromLogits)
		// The derivatives by p of the factor, whose probability is not clipped, and of the crossentropy, whose is.
		factor := 0.0
		if g != 0 {
			factor = g * math.Pow(wrong, g-1) * (1 - 2*z)
		}
		through, ce := 1.0, 0.0
		if l.FromLogits {
			through = p * (1 - p)
			ce = p - z
		} else if q, inside := clip(v); inside {
			ce = (float64(q) - z) / (float64(q) * (1 - float64(q)))
		}
		d[j] = float32(scale * l.weight(z) * (factor*through*b + math.Pow(wrong, g)*ce) / float64(len(pred)))
	}
}

func (l BinaryFocalCrossentropy) smooth(y float64) float64 {
	return y*(1-l.LabelSmoothing) + l.LabelSmoothing/2
}

func (l BinaryFocalCrossentropy) probability(v float32) float64 {
	if l.FromLogits {
		return 1 / (1 + math.Exp(-float64(v)))
	}
	return float64(v)
}

func (l BinaryFocalCrossentropy) weight(z float64) float64 {
	if !l.Balancing {
		return 1
	}
	a := l.Alpha.Or(0.25)
	return z*a + (1-z)*(1-a)
}

// Item implements Itemwise.
func (l CategoricalFocalCrossentropy) Item(pred []float32, y Target) float64 {
	s, n := 0.0, newNorm(pred, l.FromLogits)
	for j, v := range pred {
		q, _ := clip(n.probability(v))
		s -= l.smooth(y, j, len(pred)) * math.Pow(1-float64(q), l.Gamma.Or(2)) * math.Log(float64(q))
	}
	return l.Alpha.Or(0.25) * s
}

// slope is, with q = v/S clipped and f the sum over the classes of terms t(q): t'(q)/S less the sum of t'(q) q, over S. Of logits v
// is the exponential, S its sum, and so the slope is q times that, without the S.
func (l CategoricalFocalCrossentropy) slope(d, pred []float32, y Target, scale float64) {
	n := newNorm(pred, l.FromLogits)
	through := 0.0
	for j, v := range pred {
		t, p := l.term(n.probability(v), l.smooth(y, j, len(pred)))
		through += t * p
	}
	for j, v := range pred {
		t, p := l.term(n.probability(v), l.smooth(y, j, len(pred)))
		if l.FromLogits {
			d[j] = float32(scale * p * (t - through))
		} else {
			d[j] = float32(scale * (t - through) / float64(n.sum))
		}
	}
}

// term is the derivative of a class's part by its probability, and that probability.
func (l CategoricalFocalCrossentropy) term(v float32, z float64) (slope, p float64) {
	c, inside := clip(v)
	if !inside {
		return 0, float64(v)
	}
	q, g := float64(c), l.Gamma.Or(2)
	slope = math.Pow(1-q, g) / q
	if g != 0 {
		slope -= g * math.Pow(1-q, g-1) * math.Log(q)
	}
	return -l.Alpha.Or(0.25) * z * slope, q
}

func (l CategoricalFocalCrossentropy) smooth(y Target, j, m int) float64 {
	return y.At(j)*(1-l.LabelSmoothing) + l.LabelSmoothing/float64(m)
}

// probability is a value of the row as a probability, not clipped.
func (a norm) probability(v float32) float32 {
	if !a.logits {
		return v / a.sum
	}
	return float32(math.Exp(float64(v-a.top) - a.logSum))
}
