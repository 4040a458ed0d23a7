package losses

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Huber is the mean over an item's m values of e²/2 for an error e = p - y up to Delta in magnitude, and of Delta |e| - Delta²/2
// beyond. Huber, 1964.
type Huber struct {
	Delta     tensor.Float // 1
	Reduction Reduction    // SumOverBatchSize
	Name      string       // "huber_loss"
}

func (Huber) Class() string       { return "Huber" }
func (l Huber) Reduce() Reduction { return l.Reduction.or() }

func (l Huber) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	if l.Name == "" {
		c["name"] = "huber_loss"
	}
	// Keras 3.15 writes no delta, and so forgets it, but reads one.
	if d := l.Delta.Or(1); d != 1 {
		c["delta"] = d
	}
	return c
}

// Check implements Loss.
func (l Huber) Check(pred, target tensor.Shape) error {
	if d := l.Delta.Or(1); !(d >= 0) || math.IsInf(d, 0) {
		return fmt.Errorf("losses: Huber: delta must be finite and from 0, got %v", d)
	}
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (Huber) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (Huber) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l Huber) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l Huber) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l Huber) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l Huber) slope(d, pred []float32, y Target, scale float64) { slopeOf(l, d, pred, y, scale) }

func (l Huber) at(p, y float64) (value, slope float64) {
	e, d := p-y, l.Delta.Or(1)
	if math.Abs(e) > d {
		return d*math.Abs(e) - d*d/2, d * sign(e)
	}
	return e * e / 2, e // NaN stays NaN
}

// LogCosh is the mean over an item's m values of log(cosh(p - y)): about e²/2 for a small error e, |e| - log 2 for a large one.
type LogCosh struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "log_cosh"
}

func (LogCosh) Class() string       { return "LogCosh" }
func (l LogCosh) Reduce() Reduction { return l.Reduction.or() }

func (l LogCosh) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l LogCosh) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (LogCosh) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (LogCosh) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l LogCosh) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l LogCosh) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l LogCosh) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l LogCosh) slope(d, pred []float32, y Target, scale float64) { slopeOf(l, d, pred, y, scale) }

func (LogCosh) at(p, y float64) (value, slope float64) {
	e := p - y
	a := math.Abs(e) // cosh is even; so its exponential cannot overflow
	return a + math.Log1p(math.Exp(-2*a)) - math.Ln2, math.Tanh(e)
}
