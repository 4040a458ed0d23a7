package losses

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Axis is the axis over which Dice and Tversky sum.
type Axis string

// The axes.
const (
	AllAxes  Axis = "all"  // the whole batch is one item; the default
	LastAxis Axis = "last" // an item is what it is for other losses
)

// Dice is 1 - 2 I / (sum of y + sum of p + 1e-7) with I the sum of y p: how little predictions and targets overlap. Without an axis it
// is one number for the batch, masked steps included. Dice, 1945.
type Dice struct {
	Axis      Axis      // AllAxes
	Reduction Reduction // SumOverBatchSize
	Name      string    // "dice"
}

// Tversky is 1 - I / (I + Alpha F + Beta M + 1e-7) with I the sum of y p, F of y (1 - p) and M of (1 - y) p. Without an axis it is one
// number for the batch, masked steps included. Tversky, 1977.
type Tversky struct {
	Alpha     tensor.Float // 0.5
	Beta      tensor.Float // 0.5
	Axis      Axis         // AllAxes
	Reduction Reduction    // SumOverBatchSize
	Name      string       // "tversky"
}

func (Dice) Class() string    { return "Dice" }
func (Tversky) Class() string { return "Tversky" }

func (l Dice) Reduce() Reduction    { return l.Reduction.or() }
func (l Tversky) Reduce() Reduction { return l.Reduction.or() }

func (l Dice) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["axis"] = l.Axis.config()
	return c
}

func (l Tversky) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["alpha"], c["beta"], c["axis"] = l.Alpha.Or(0.5), l.Beta.Or(0.5), l.Axis.config()
	return c
}

func (a Axis) config() any {
	if a == LastAxis {
		return -1
	}
	return nil
}

// Check implements Loss.
func (l Dice) Check(pred, target tensor.Shape) error {
	return checkOverlap(l.Class(), l.Axis, l.Reduction, pred, target)
}

// Check implements Loss.
func (l Tversky) Check(pred, target tensor.Shape) error {
	if a := l.Alpha.Or(0.5); !(a >= 0) || math.IsInf(a, 0) {
		return fmt.Errorf("losses: Tversky: alpha must be finite and from 0, got %v", a)
	}
	if b := l.Beta.Or(0.5); !(b >= 0) || math.IsInf(b, 0) {
		return fmt.Errorf("losses: Tversky: beta must be finite and from 0, got %v", b)
	}
	return checkOverlap(l.Class(), l.Axis, l.Reduction, pred, target)
}

func checkOverlap(class string, a Axis, r Reduction, pred, target tensor.Shape) error {
	if a != "" && a != AllAxes && a != LastAxis {
		return fmt.Errorf("losses: %s: axis must be all or last, got %q", class, a)
	}
	if err := checkElements(class, r, pred, target); err != nil {
		return err
	}
	if len(pred) != len(target) {
		return misfit(class, "targets with as many axes as predictions", pred, target) // Keras would pair every row with every row
	}
	return nil
}

// CheckTarget implements Loss: any number is a target.
func (Dice) CheckTarget(Target, int, int) error { return nil }

// CheckTarget implements Loss: any number is a target.
func (Tversky) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (Dice) AsLogits(string) (Loss, bool) { return nil, false }

// AsLogits implements Loss.
func (Tversky) AsLogits(string) (Loss, bool) { return nil, false }

// Whole implements Whole.
func (l Dice) Whole() bool { return l.Axis != LastAxis }

// Whole implements Whole.
func (l Tversky) Whole() bool { return l.Axis != LastAxis }

// Value implements Loss.
func (l Dice) Value(dst, pred []float32, target Target, n, m int) {
	l.ratio().value(l.Whole(), dst, pred, target, n, m)
}

// Value implements Loss.
func (l Tversky) Value(dst, pred []float32, target Target, n, m int) {
	l.ratio().value(l.Whole(), dst, pred, target, n, m)
}

// Grad implements Loss.
func (l Dice) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	l.ratio().grad(l.Whole(), dpred, pred, target, scale, n, m)
}

// Grad implements Loss.
func (l Tversky) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	l.ratio().grad(l.Whole(), dpred, pred, target, scale, n, m)
}

// ratio is 1 - top I / (yp I + y Y + p P + 1e-7), with I the sum of y p, Y of y and P of p: what both losses are.
type ratio struct{ top, yp, y, p float64 }

func (Dice) ratio() ratio { return ratio{top: 2, y: 1, p: 1} }

// I + α (Y - I) + β (P - I)
func (l Tversky) ratio() ratio {
	a, b := l.Alpha.Or(0.5), l.Beta.Or(0.5)
	return ratio{top: 1, yp: 1 - a - b, y: a, p: b}
}

// parts are the sum I and the denominator.
func (r ratio) parts(pred []float32, y Target) (both, below float64) {
	sy, sp := 0.0, 0.0
	for j, v := range pred {
		t := y.At(j)
		both += t * float64(v)
		sy += t
		sp += float64(v)
	}
	return both, r.yp*both + r.y*sy + r.p*sp + float64(epsilon)
}

func (r ratio) Item(pred []float32, y Target) float64 {
	both, below := r.parts(pred, y)
	return 1 - r.top*both/below
}

func (r ratio) slope(d, pred []float32, y Target, scale float64) {
	both, below := r.parts(pred, y)
	for j := range pred {
		t := y.At(j)
		d[j] = float32(-scale * r.top * (t*below - both*(r.yp*t+r.p)) / (below * below))
	}
}

func (r ratio) value(whole bool, dst, pred []float32, target Target, n, m int) {
	if !whole {
		values(r, dst, pred, target, n, m)
		return
	}
	v := float32(r.Item(pred[:n*m], target))
	for i := range dst[:n] {
		dst[i] = v
	}
}

func (r ratio) grad(whole bool, dpred, pred []float32, target Target, scale []float32, n, m int) {
	if !whole {
		slopes(r, dpred, pred, target, scale, n, m)
		return
	}
	s := 0.0
	for _, v := range scale[:n] {
		s += float64(v)
	}
	r.slope(dpred[:n*m], pred[:n*m], target, s)
}
