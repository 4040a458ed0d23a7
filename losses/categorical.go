package losses

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// CategoricalCrossentropy is -sum of z log(p / sum of p) over an item's m classes, with z = y (1 - s) + s/m for the target y and
// the smoothing s.
type CategoricalCrossentropy struct {
	FromLogits     bool      // the predictions are arguments of a softmax, not probabilities
	LabelSmoothing float64   // s, 0 to 1
	Reduction      Reduction // SumOverBatchSize
	Name           string    // "categorical_crossentropy"
}

// SparseCategoricalCrossentropy is CategoricalCrossentropy for targets that name the class by its id, from 0.
type SparseCategoricalCrossentropy struct {
	FromLogits bool      // the predictions are arguments of a softmax, not probabilities
	Reduction  Reduction // SumOverBatchSize
	Name       string    // "sparse_categorical_crossentropy"
}

func (CategoricalCrossentropy) Class() string       { return "CategoricalCrossentropy" }
func (SparseCategoricalCrossentropy) Class() string { return "SparseCategoricalCrossentropy" }

func (l CategoricalCrossentropy) Reduce() Reduction       { return l.Reduction.or() }
func (l SparseCategoricalCrossentropy) Reduce() Reduction { return l.Reduction.or() }

func (l CategoricalCrossentropy) Config() map[string]any {
	return map[string]any{"name": named(l.Name, l.Class()), "reduction": string(l.Reduce()), "from_logits": l.FromLogits,
		"label_smoothing": l.LabelSmoothing, "axis": -1}
}

func (l SparseCategoricalCrossentropy) Config() map[string]any {
	return map[string]any{"name": named(l.Name, l.Class()), "reduction": string(l.Reduce()), "from_logits": l.FromLogits, "ignore_class": nil}
}

// Check implements Loss.
func (l CategoricalCrossentropy) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if err := checkSmoothing(l.Class(), l.LabelSmoothing); err != nil {
		return err
	}
	if err := checkClasses(l.Class(), pred); err != nil {
		return err
	}
	if len(target) != len(pred) || !metrics.FitsElements(pred, target) {
		hint := ""
		if metrics.FitsClasses(pred, target) {
			hint = " (class ids need SparseCategoricalCrossentropy)"
		}
		return fmt.Errorf("%w%s", misfit(l.Class(), "targets of the predictions' shape, one value for each class", pred, target), hint)
	}
	return nil
}

// Check implements Loss.
func (l SparseCategoricalCrossentropy) Check(pred, target tensor.Shape) error {
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if err := checkClasses(l.Class(), pred); err != nil {
		return err
	}
	if !metrics.FitsClasses(pred, target) {
		hint := ""
		if len(target) == len(pred) && metrics.FitsElements(pred, target) {
			hint = " (one value for each class needs CategoricalCrossentropy)"
		}
		return fmt.Errorf("%w%s", misfit(l.Class(), "a class id for each prediction", pred, target), hint)
	}
	return nil
}

// checkClasses refuses a single class: its probability is 1 whatever the weights, and nothing would be learned.
func checkClasses(class string, pred tensor.Shape) error {
	if len(pred) < 2 || pred[len(pred)-1] < 2 {
		return fmt.Errorf("losses: %s: expected predictions with at least 2 classes on the last axis, got %v (BinaryCrossentropy takes one value for two classes)",
			class, pred)
	}
	return nil
}

// CheckTarget implements Loss: any number is a target.
func (CategoricalCrossentropy) CheckTarget(Target, int, int) error { return nil }

// CheckTarget implements Loss: targets are whole numbers from 0 to m-1.
func (l SparseCategoricalCrossentropy) CheckTarget(target Target, n, m int) error {
	for i := range n {
		if id := target.At(i); !(id >= 0 && id < float64(m)) || id != math.Trunc(id) {
			return fmt.Errorf("losses: %s: class ids must be whole numbers from 0 to %d, got %v at item %d", l.Class(), m-1, id, i)
		}
	}
	return nil
}

// AsLogits implements Loss.
func (l CategoricalCrossentropy) AsLogits(activation string) (Loss, bool) {
	if activation != "softmax" {
		return nil, false
	}
	l.FromLogits = true
	return l, true
}

// AsLogits implements Loss.
func (l SparseCategoricalCrossentropy) AsLogits(activation string) (Loss, bool) {
	if activation != "softmax" {
		return nil, false
	}
	l.FromLogits = true
	return l, true
}

// smooth is z of class j of item i.
func (l CategoricalCrossentropy) smooth(target Target, i, j, m int) float64 {
	return target.At(i*m+j)*(1-l.LabelSmoothing) + l.LabelSmoothing/float64(m)
}

// Value implements Loss.
func (l CategoricalCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		row := pred[i*m:][:m]
		s, norm := 0.0, newNorm(row, l.FromLogits)
		for j := range row {
			s -= l.smooth(target, i, j, m) * norm.log(row[j])
		}
		dst[i] = float32(s)
	}
}

// Value implements Loss.
func (l SparseCategoricalCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		row := pred[i*m:][:m]
		dst[i] = float32(-newNorm(row, l.FromLogits).log(row[int(target.At(i))]))
	}
}

// norm turns a value of one item's predictions into the logarithm of its probability.
type norm struct {
	logits bool
	top    float32 // logits: the largest value
	logSum float64 // logits: the logarithm of the sum of exp(x - top)
	sum    float32 // probabilities: their sum
}

func newNorm(row []float32, logits bool) norm {
	if !logits {
		return norm{sum: float32(kernel.Sum(row))}
	}
	top := row[0]
	for _, v := range row {
		top = max(top, v)
	}
	// Stretch by stretch, so that nothing is allocated however many classes there are.
	var buf [256]float32
	s := 0.0
	for rest := row; len(rest) > 0; {
		part := buf[:min(len(buf), len(rest))]
		kernel.AddConst(part, rest[:len(part)], -top)
		kernel.Apply(kernel.Exp, part, part)
		s += kernel.Sum(part)
		rest = rest[len(part):]
	}
	return norm{logits: true, top: top, logSum: math.Log(s)}
}

func (a norm) log(v float32) float64 {
	if a.logits {
		return float64(v-a.top) - a.logSum
	}
	q, _ := clip(v / a.sum)
	return math.Log(float64(q))
}

// Grad implements Loss.
func (l CategoricalCrossentropy) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	if l.FromLogits {
		// softmax(x) times the sum of z, less z
		kernel.Softmax(dpred, pred, n, m)
		for i := range n {
			total := 0.0
			for j := range m {
				total += l.smooth(target, i, j, m)
			}
			for j := range m {
				dpred[i*m+j] = scale[i] * float32(float64(dpred[i*m+j])*total-l.smooth(target, i, j, m))
			}
		}
		return
	}
	// With q = p / S clipped: -z/q / S, and through S: + sum of z/q * p / S^2, over the classes that are not clipped.
	for i := range n {
		row, d := pred[i*m:][:m], dpred[i*m:][:m]
		sum := float32(kernel.Sum(row))
		through := 0.0
		for j, p := range row {
			if q, inside := clip(p / sum); inside {
				through += l.smooth(target, i, j, m) / float64(q) * float64(p)
			}
		}
		s := float64(sum)
		for j, p := range row {
			g := through / (s * s)
			if q, inside := clip(p / sum); inside {
				g -= l.smooth(target, i, j, m) / float64(q) / s
			}
			d[j] = scale[i] * float32(g)
		}
	}
}

// Grad implements Loss.
func (l SparseCategoricalCrossentropy) Grad(dpred, pred []float32, target Target, scale []float32, n, m int) {
	if l.FromLogits {
		// softmax(x), less 1 at the class
		kernel.Softmax(dpred, pred, n, m)
		for i := range n {
			d := dpred[i*m:][:m]
			d[int(target.At(i))] -= 1
			kernel.Scale(d, d, scale[i])
		}
		return
	}
	// As above with z = 1 at the class: q = p/S, so z/q p / S^2 is 1/S.
	for i := range n {
		row, d := pred[i*m:][:m], dpred[i*m:][:m]
		class := int(target.At(i))
		sum := float32(kernel.Sum(row))
		q, inside := clip(row[class] / sum)
		if !inside {
			clear(d)
			continue
		}
		for j := range d {
			d[j] = scale[i] / sum
		}
		d[class] = scale[i] * float32((1-1/float64(q))/float64(sum))
	}
}
