package losses

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// KLDivergence is the sum over an item's m values of y log(y / p), both kept from 1e-7 to 1.
type KLDivergence struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "kl_divergence"
}

func (KLDivergence) Class() string       { return "KLDivergence" }
func (l KLDivergence) Reduce() Reduction { return l.Reduction.or() }

func (l KLDivergence) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l KLDivergence) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (KLDivergence) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (KLDivergence) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l KLDivergence) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l KLDivergence) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (KLDivergence) Item(pred []float32, y Target) float64 {
	s := 0.0
	for j, p := range pred {
		q, _ := within(float64(p))
		t, _ := within(y.At(j))
		s += t * math.Log(t/q)
	}
	return s
}

func (KLDivergence) slope(d, pred []float32, y Target, scale float64) {
	for j, p := range pred {
		q, inside := within(float64(p))
		if t, _ := within(y.At(j)); inside {
			d[j] = float32(-scale * t / q)
		} else {
			d[j] = 0
		}
	}
}

// within keeps a probability from 1e-7 to 1 and reports whether it was there; NaN stays NaN.
func within(p float64) (float64, bool) {
	switch {
	case p < float64(epsilon):
		return float64(epsilon), false
	case p > 1:
		return 1, false
	}
	return p, true
}

// Poisson is the mean over an item's m values of p - y log(p + 1e-7): for rates p and counts y.
type Poisson struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "poisson"
}

func (Poisson) Class() string       { return "Poisson" }
func (l Poisson) Reduce() Reduction { return l.Reduction.or() }

func (l Poisson) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l Poisson) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (Poisson) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (Poisson) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l Poisson) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l Poisson) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l Poisson) Item(pred []float32, y Target) float64 { return meanOf(l, pred, y) }

func (l Poisson) slope(d, pred []float32, y Target, scale float64) { slopeOf(l, d, pred, y, scale) }

func (Poisson) at(p, y float64) (value, slope float64) {
	p1 := p + float64(epsilon)
	return p - y*math.Log(p1), 1 - y/p1
}

// CosineSimilarity is minus the cosine of the angle between an item's m predictions and its targets: -1 where they point in one
// direction. A length counts as 1e-7 at least.
type CosineSimilarity struct {
	Reduction Reduction // SumOverBatchSize
	Name      string    // "cosine_similarity"
}

func (CosineSimilarity) Class() string       { return "CosineSimilarity" }
func (l CosineSimilarity) Reduce() Reduction { return l.Reduction.or() }

func (l CosineSimilarity) Config() map[string]any { return base(l.Class(), l.Name, l.Reduction) }

// Check implements Loss.
func (l CosineSimilarity) Check(pred, target tensor.Shape) error {
	return checkElements(l.Class(), l.Reduction, pred, target)
}

// CheckTarget implements Loss: any number is a target.
func (CosineSimilarity) CheckTarget(Target, int, int) error { return nil }

// AsLogits implements Loss.
func (CosineSimilarity) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l CosineSimilarity) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l CosineSimilarity) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (CosineSimilarity) Item(pred []float32, y Target) float64 {
	dot, p, t := lengths(pred, y)
	return -dot / (math.Max(p, float64(epsilon)) * math.Max(t, float64(epsilon)))
}

func (CosineSimilarity) slope(d, pred []float32, y Target, scale float64) {
	dot, p, t := lengths(pred, y)
	t = math.Max(t, float64(epsilon))
	long := p > float64(epsilon)
	p = math.Max(p, float64(epsilon))
	for j, v := range pred {
		s := y.At(j) / (p * t)
		if long { // the length changes too
			s -= dot / (p * t) * float64(v) / (p * p)
		}
		d[j] = float32(-scale * s)
	}
}

// lengths are the product of predictions and targets, and the length of either.
func lengths(pred []float32, y Target) (dot, p, t float64) {
	for j, v := range pred {
		x, z := float64(v), y.At(j)
		dot += x * z
		p += x * x
		t += z * z
	}
	return dot, math.Sqrt(p), math.Sqrt(t)
}

// CategoricalGeneralizedCrossEntropy is (1 - p^Q) / Q of the probability p of the class that the target names, from 0: between a
// crossentropy (Q near 0) and an absolute error (Q near 1). Zhang and Sabuncu, 2018.
type CategoricalGeneralizedCrossEntropy struct {
	Q         tensor.Float // 0.5; above 0 and below 1
	Reduction Reduction    // SumOverBatchSize
	Name      string       // "categorical_generalized_cross_entropy"
}

func (CategoricalGeneralizedCrossEntropy) Class() string       { return "CategoricalGeneralizedCrossEntropy" }
func (l CategoricalGeneralizedCrossEntropy) Reduce() Reduction { return l.Reduction.or() }

func (l CategoricalGeneralizedCrossEntropy) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["q"] = l.Q.Or(0.5)
	return c
}

// sparse marks losses whose targets are class ids.
func (CategoricalGeneralizedCrossEntropy) sparse() {}

// Check implements Loss.
func (l CategoricalGeneralizedCrossEntropy) Check(pred, target tensor.Shape) error {
	if q := l.Q.Or(0.5); !(q > 0 && q < 1) {
		return fmt.Errorf("losses: %s: q must be above 0 and below 1, got %v", l.Class(), q)
	}
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if err := checkClasses(l.Class(), pred); err != nil {
		return err
	}
	if !FitsClasses(pred, target) {
		return misfit(l.Class(), "a class id for each prediction", pred, target)
	}
	return nil
}

// CheckTarget implements Loss: targets are whole numbers from 0 to m-1.
func (l CategoricalGeneralizedCrossEntropy) CheckTarget(target Target, n, m int) error {
	return checkIDs(l.Class(), target, n, m)
}

// AsLogits implements Loss.
func (CategoricalGeneralizedCrossEntropy) AsLogits(string) (Loss, bool) { return nil, false }

// Value implements Loss.
func (l CategoricalGeneralizedCrossEntropy) Value(dst, pred []float32, target Target, n, m int) {
	values(l, dst, pred, target, n, m)
}

// Grad implements Loss.
func (l CategoricalGeneralizedCrossEntropy) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	slopes(l, dpred, pred, target, scale, n, m)
}

// Item implements Itemwise.
func (l CategoricalGeneralizedCrossEntropy) Item(pred []float32, y Target) float64 {
	q := l.Q.Or(0.5)
	return (1 - math.Pow(float64(pred[int(y.At(0))]), q)) / q
}

func (l CategoricalGeneralizedCrossEntropy) slope(d, pred []float32, y Target, scale float64) {
	class := int(y.At(0))
	p := float64(pred[class])
	clear(d)
	d[class] = float32(-scale * math.Pow(p, l.Q.Or(0.5)-1))
}
