package losses

import (
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// MeanSquaredError is the mean over an item's m values of (p - y)².
type MeanSquaredError struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "mean_squared_error"
}

func (MeanSquaredError) Class() string       { return "MeanSquaredError" }
func (l MeanSquaredError) Reduce() Reduction { return l.Reduction.or() }

func (l MeanSquaredError) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l MeanSquaredError) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (MeanSquaredError) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (MeanSquaredError) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l MeanSquaredError) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l MeanSquaredError) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l MeanSquaredError) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l MeanSquaredError) slope(d, pred []float32, y Target, scale float64) {
	slopeOf(l, d, pred, y, scale)
}

func (MeanSquaredError) at(p, y float64) (value, slope float64) {
	return (p - y) * (p - y), 2 * (p - y)
}

// MeanAbsoluteError is the mean over an item's m values of |p - y|. Its slope is 0 where p is y.
type MeanAbsoluteError struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "mean_absolute_error"
}

func (MeanAbsoluteError) Class() string       { return "MeanAbsoluteError" }
func (l MeanAbsoluteError) Reduce() Reduction { return l.Reduction.or() }

func (l MeanAbsoluteError) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l MeanAbsoluteError) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (MeanAbsoluteError) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (MeanAbsoluteError) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l MeanAbsoluteError) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l MeanAbsoluteError) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l MeanAbsoluteError) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l MeanAbsoluteError) slope(d, pred []float32, y Target, scale float64) {
	slopeOf(l, d, pred, y, scale)
}

func (MeanAbsoluteError) at(p, y float64) (value, slope float64) { return math.Abs(p - y), sign(p - y) }

// MeanAbsolutePercentageError is 100 times the mean over an item's m values of |p - y| / max(|y|, 1e-7).
type MeanAbsolutePercentageError struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "mean_absolute_percentage_error"
}

func (MeanAbsolutePercentageError) Class() string       { return "MeanAbsolutePercentageError" }
func (l MeanAbsolutePercentageError) Reduce() Reduction { return l.Reduction.or() }

func (l MeanAbsolutePercentageError) Config() map[string]any {
	return base(l.Class(), l.Name, l.Reduction)
}

// Check implements Loss.
func (l MeanAbsolutePercentageError) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (MeanAbsolutePercentageError) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (MeanAbsolutePercentageError) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l MeanAbsolutePercentageError) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l MeanAbsolutePercentageError) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l MeanAbsolutePercentageError) Item(pred []float32, y Target) float64 {
	return meanOf(l, pred, y)
}

func (l MeanAbsolutePercentageError) slope(d, pred []float32, y Target, scale float64) {
	slopeOf(l, d, pred, y, scale)
}

func (MeanAbsolutePercentageError) at(p, y float64) (value, slope float64) {
	s := 100 / math.Max(math.Abs(y), float64(epsilon))
	return s * math.Abs(p-y), s * sign(p-y)
}

// MeanSquaredLogarithmicError is the mean over an item's m values of (log(p + 1) - log(y + 1))², where p and y count as 1e-7 at least.
type MeanSquaredLogarithmicError struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "mean_squared_logarithmic_error"
}

func (MeanSquaredLogarithmicError) Class() string       { return "MeanSquaredLogarithmicError" }
func (l MeanSquaredLogarithmicError) Reduce() Reduction { return l.Reduction.or() }

func (l MeanSquaredLogarithmicError) Config() map[string]any {
	return base(l.Class(), l.Name, l.Reduction)
}

// Check implements Loss.
func (l MeanSquaredLogarithmicError) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (MeanSquaredLogarithmicError) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (MeanSquaredLogarithmicError) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l MeanSquaredLogarithmicError) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l MeanSquaredLogarithmicError) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l MeanSquaredLogarithmicError) Item(pred []float32, y Target) float64 {
	return meanOf(l, pred, y)
}

func (l MeanSquaredLogarithmicError) slope(d, pred []float32, y Target, scale float64) {
	slopeOf(l, d, pred, y, scale)
}

func (MeanSquaredLogarithmicError) at(p, y float64) (value, slope float64) {
	low := float64(epsilon)
	e := math.Log1p(math.Max(p, low)) - math.Log1p(math.Max(y, low))
	if p < low {
		return e * e, 0 // a constant
	}
	return e * e, 2 * e / (p + 1)
}
