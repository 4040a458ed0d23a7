package losses

import (
	"fmt"
	"math"
	"sync"

	"github.com/unroll-ml/unroll/tensor"
)

// Circle compares every row of a batch with every other: rows of one class shall be alike, those of two classes not. With D the distance max(1 - cosine, 0) of two rows of unit
// length, it is softplus(log Σ exp(-γ (m + D) (m - D)) + log Σ exp(γ max(1 + m - D, 0) (1 - m - D))), the first sum over the rows of the same class, the second over the others. Rows
// without one or the other do not count. Targets are classes, (N) or (N, 1). Sun et al., 2020, "Circle loss". Source: keras/src/losses/losses.py, circle.
type Circle struct {
	Gamma        tensor.Float // 80
	Margin       tensor.Float // 0.4
	KeepDiagonal bool         // remove_diagonal=False: a row is one of its class
	Reduction    Reduction    // SumOverBatchSize
	Name         string       // "circle"
}

func (Circle) Class() string { return "Circle" }

// Config implements Loss.
func (l Circle) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["gamma"], c["margin"], c["remove_diagonal"] = l.Gamma.Or(80), l.Margin.Or(0.4), !l.KeepDiagonal
	return c
}

// Reduce implements Loss.
func (l Circle) Reduce() Reduction { return l.Reduction.or() }

// Whole implements Whole.
func (Circle) Whole() bool { return true }

// AsLogits implements Loss.
func (Circle) AsLogits(string) (Loss, bool) { return nil, false }

// Check implements Loss.
func (l Circle) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	for name, v := range map[string]float64{"gamma": l.Gamma.Or(80), "margin": l.Margin.Or(0.4)} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("losses: Circle: %s must be finite and from 0, got %v", name, v)
		}
	}
	if len(pred) != 2 || !FitsClasses(pred, target) {
		return misfit(l.Class(), "predictions (N, C) and classes (N)", pred, target)
	}
	return nil
}

// CheckTarget implements Loss: any number is a class.
func (Circle) CheckTarget(Target, int, int) error { return nil }

// Hiding implements Hider.
func (Circle) Hiding() bool { return true }

// Hides reports whether row i has no row of its class, or none of another. target is the whole batch.
func (l Circle) Hides(target Target, i int) bool {
	same, other := l.KeepDiagonal, false
	for k := range target.Len() {
		if k != i {
			alike := int(target.At(k)) == int(target.At(i))
			same, other = same || alike, other || !alike
		}
	}
	return !same || !other
}

// pair is a row's part in the logarithm of one of the sums: its exponent, and the derivative by the cosine; whether it is of the row's class, and whether it counts.
func (l Circle) pair(cosine float64, alike, self bool) (exponent, slope float64, counts bool) {
	gamma, margin := l.Gamma.Or(80), l.Margin.Or(0.4)
	d, dd := 1-cosine, -1.0 // the distance, and its derivative by the cosine
	if d < 0 {
		d, dd = 0, 0
	}
	switch {
	case alike && self && !l.KeepDiagonal:
		return 0, 0, false
	case alike:
		return -gamma * (margin + d) * (margin - d), 2 * gamma * d * dd, true
	case 1+margin-d <= 0:
		return 0, 0, true
	}
	return gamma * (1 + margin - d) * (1 - margin - d), -2 * gamma * (1 - d) * dd, true
}

// row is the loss of row i, and the two sums' logarithms.
func (l Circle) row(pred []float32, target Target, i, n, m int) (loss, same, other float64) {
	same, other = math.Inf(-1), math.Inf(-1)
	for k := range n {
		alike := int(target.At(k)) == int(target.At(i))
		e, _, counts := l.pair(dot(pred[i*m:][:m], pred[k*m:]), alike, i == k)
		switch {
		case !counts:
		case alike:
			same = logAdd(same, e)
		default:
			other = logAdd(other, e)
		}
	}
	if math.IsInf(same, -1) || math.IsInf(other, -1) {
		return 0, same, other
	}
	return logAdd(0, same+other), same, other
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// Value implements Loss.
func (l Circle) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		loss, _, _ := l.row(pred, target, i, n, m)
		dst[i] = float32(loss)
	}
}

// Fit implements Fitted.
func (l Circle) Fit(tensor.Shape) Loss {
	return &circle{l, &sync.Pool{New: func() any { return new([]float32) }}}
}

// circle is a Circle with a place for gradients, since every row has a part in those of the others.
type circle struct {
	Circle
	work *sync.Pool // of *[]float32
}

// Grad implements Loss.
func (l Circle) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	l.Fit(nil).Grad(dpred, pred, target, scale, n, m)
}

// Grad implements Loss.
func (l *circle) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	kept := l.work.Get().(*[]float32)
	defer l.work.Put(kept)
	*kept = append((*kept)[:0], pred[:n*m]...)
	pred = *kept
	clear(dpred)
	for i := range n {
		loss, same, other := l.row(pred, target, i, n, m)
		if loss == 0 {
			continue
		}
		sigmoid := -math.Expm1(-loss) // the derivative of softplus: 1 - exp(-softplus)
		for k := range n {
			alike := int(target.At(k)) == int(target.At(i))
			e, slope, counts := l.pair(dot(pred[i*m:][:m], pred[k*m:]), alike, i == k)
			if !counts {
				continue
			}
			sum := other
			if alike {
				sum = same
			}
			g := float32(float64(scale[i]) * sigmoid * math.Exp(e-sum) * slope)
			for j := range m {
				dpred[i*m+j] += g * pred[k*m+j]
				dpred[k*m+j] += g * pred[i*m+j]
			}
		}
	}
}
