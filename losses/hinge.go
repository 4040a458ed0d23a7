package losses

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Hinge is the mean over an item's m values of max(1 - y p, 0), for targets y of -1 and 1, or 0 and 1.
type Hinge struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "hinge"
}

func (Hinge) Class() string       { return "Hinge" }
func (l Hinge) Reduce() Reduction { return l.Reduction.or() }

func (l Hinge) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l Hinge) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss. Keras takes 0 for -1 when a batch has nothing but 0 and 1. Here a 0 is -1 always, so a batch that
// mixes 0 with other numbers than 1 is refused.
func (l Hinge) CheckTarget(target Target, _, _ int) error { return checkSides(l.Class(), target) }

// AsLogits implements Loss.
func (Hinge) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l Hinge) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l Hinge) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l Hinge) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l Hinge) slope(d, pred []float32, y Target, scale float64) { slopeOf(l, d, pred, y, scale) }

func (Hinge) at(p, y float64) (value, slope float64) {
	y = side(y)
	if v := 1 - y*p; v < 0 {
		return 0, 0
	} else {
		return v, -y + 0*v // NaN stays NaN
	}
}

// SquaredHinge is the mean over an item's m values of max(1 - y p, 0)², for targets y of -1 and 1, or 0 and 1.
type SquaredHinge struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "squared_hinge"
}

func (SquaredHinge) Class() string       { return "SquaredHinge" }
func (l SquaredHinge) Reduce() Reduction { return l.Reduction.or() }

func (l SquaredHinge) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l SquaredHinge) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss. Keras takes 0 for -1 when a batch has nothing but 0 and 1. Here a 0 is -1 always, so a batch that
// mixes 0 with other numbers than 1 is refused.
func (l SquaredHinge) CheckTarget(target Target, _, _ int) error {
	return checkSides(l.Class(), target)
}

// AsLogits implements Loss.
func (SquaredHinge) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l SquaredHinge) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l SquaredHinge) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l SquaredHinge) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l SquaredHinge) slope(d, pred []float32, y Target, scale float64) {
	slopeOf(l, d, pred, y, scale)
}

func (SquaredHinge) at(p, y float64) (value, slope float64) {
	y = side(y)
	v := math.Max(1-y*p, 0)
	return v * v, -2 * y * v
}

// side is a target of a hinge: 0 means -1.
func side(y float64) float64 {
	if y == 0 {
		return -1
	}
	return y
}

// checkSides fails when 0 stands beside numbers other than 0 and 1.
func checkSides(class string, target Target) error {
	zero, other := false, 0.0
	for i := range target.Len() {
		switch y := target.At(i); y {
		case 0:
			zero = true
		case 1:
		default:
			other = y
		}
		if zero && other != 0 {
			return fmt.Errorf("losses: %s: expected targets of -1 and 1, or of 0 and 1, got 0 and %v in one batch", class, other)
		}
	}
	return nil
}

// CategoricalHinge is max(neg - pos + 1, 0) with pos the sum of y p over an item's m classes and neg the largest (1 - y) p.
type CategoricalHinge struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "categorical_hinge"
}

func (CategoricalHinge) Class() string       { return "CategoricalHinge" }
func (l CategoricalHinge) Reduce() Reduction { return l.Reduction.or() }

func (l CategoricalHinge) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l CategoricalHinge) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (CategoricalHinge) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (CategoricalHinge) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l CategoricalHinge) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l CategoricalHinge) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (CategoricalHinge) Item(pred []float32, y Target) float64 {
	pos, neg, _ := hingeSides(pred, y)
	return math.Max(neg-pos+1, 0)
}

// slope spreads neg's over all classes that are largest, as Keras's TensorFlow backend does.
func (CategoricalHinge) slope(d, pred []float32, y Target, scale float64) {
	pos, neg, ties := hingeSides(pred, y)
	if neg-pos+1 < 0 {
		clear(d)
		return
	}
	poison := 0 * (neg - pos) // NaN stays NaN
	for j, p := range pred {
		t := y.At(j)
		s := -t + poison
		if (1-t)*float64(p) == neg {
			s += (1 - t) / float64(ties)
		}
		d[j] = float32(scale * s)
	}
}

// hingeSides are pos and neg of a CategoricalHinge, and how many classes have neg.
func hingeSides(pred []float32, y Target) (pos, neg float64, ties int) {
	neg = math.Inf(-1)
	for j, p := range pred {
		t := y.At(j)
		pos += t * float64(p)
		switch v := (1 - t) * float64(p); {
		case v > neg || math.IsNaN(v):
			neg, ties = v, 1
		case v == neg:
			ties++
		}
	}
	return pos, neg, ties
}
