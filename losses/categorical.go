package losses

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// CategoricalCrossentropy is -sum of z log(p / sum of p) over an item's m classes, with z = y (1 - s) + s/m for the target y and
// the smoothing s.
type CategoricalCrossentropy struct {
	FromLogits     bool      // the predictions are arguments of a softmax, not probabilities
	LabelSmoothing float64   // s, 0 to 1
	Reduction      Reduction // SumOverBatchSize
	Name           string    // "categorical_crossentropy"
	Keras2         bool      // see BinaryCrossentropy
}

// SparseCategoricalCrossentropy is CategoricalCrossentropy for targets that name the class by its id, from 0.
type SparseCategoricalCrossentropy struct {
	FromLogits  bool         // the predictions are arguments of a softmax, not probabilities
	IgnoreClass tensor.Float // an id whose items do not count, out of range or not; unset: none
	Reduction   Reduction    // SumOverBatchSize
	Name        string       // "sparse_categorical_crossentropy"
	Keras2      bool         // see BinaryCrossentropy
}

func (CategoricalCrossentropy) Class() string       { return "CategoricalCrossentropy" }
func (SparseCategoricalCrossentropy) Class() string { return "SparseCategoricalCrossentropy" }

func (l CategoricalCrossentropy) Reduce() Reduction       { return l.Reduction.or() }
func (l SparseCategoricalCrossentropy) Reduce() Reduction { return l.Reduction.or() }

func (l CategoricalCrossentropy) Config() map[string]any {
	return keras2(l.Keras2, map[string]any{"name": named(l.Name, l.Class()), "reduction": string(l.Reduce()), "from_logits": l.FromLogits,
		"label_smoothing": l.LabelSmoothing, "axis": -1})
}

func (l SparseCategoricalCrossentropy) Config() map[string]any {
	c := base(l.Class(), l.Name, l.Reduction)
	c["from_logits"], c["ignore_class"] = l.FromLogits, nil
	if l.IgnoreClass.IsSet() {
		c["ignore_class"] = int(l.IgnoreClass.Or(0))
	}
	return keras2(l.Keras2, c)
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
	if len(target) != len(pred) || !FitsElements(pred, target) {
		hint := ""
		if FitsClasses(pred, target) {
			hint = " (class ids need SparseCategoricalCrossentropy)"
		}
		return fmt.Errorf("%w%s", misfit(l.Class(), "targets of the predictions' shape, one value for each class", pred, target), hint)
	}
	return nil
}

// sparse marks losses whose targets are class ids.
func (SparseCategoricalCrossentropy) sparse() {}

// Check implements Loss.
func (l SparseCategoricalCrossentropy) Check(pred, target tensor.Shape) error {
	if c := l.IgnoreClass.Or(0); c != math.Trunc(c) || math.Abs(c) > 1<<31 {
		return fmt.Errorf("losses: %s: ignore_class must be a whole number, got %v", l.Class(), c)
	}
	if err := checkReduction(l.Class(), l.Reduction); err != nil {
		return err
	}
	if err := checkClasses(l.Class(), pred); err != nil {
		return err
	}
	if !FitsClasses(pred, target) {
		hint := ""
		if len(target) == len(pred) && FitsElements(pred, target) {
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

// CheckTarget implements Loss: targets are whole numbers from 0 to m-1, or the ignored class.
func (l SparseCategoricalCrossentropy) CheckTarget(target Target, n, m int) error {
	if l.IgnoreClass.IsSet() {
		for i := range n {
			if !l.Hides(target, i) {
				if err := checkID(l.Class(), target, i, m); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return checkIDs(l.Class(), target, n, m)
}

// Hides implements Hider: items of the ignored class do not count.
func (l SparseCategoricalCrossentropy) Hides(target Target, i int) bool {
	return l.IgnoreClass.IsSet() && target.At(i) == l.IgnoreClass.Or(0)
}

// Hiding implements Hider.
func (l SparseCategoricalCrossentropy) Hiding() bool { return l.IgnoreClass.IsSet() }

func checkIDs(class string, target Target, n, m int) error {
	for i := range n {
		if err := checkID(class, target, i, m); err != nil {
			return err
		}
	}
	return nil
}

func checkID(class string, target Target, i, m int) error {
	if id := target.At(i); !(id >= 0 && id < float64(m)) || id != math.Trunc(id) {
		return fmt.Errorf("losses: %s: class ids must be whole numbers from 0 to %d, got %v at item %d", class, m-1, id, i)
	}
	return nil
}

// AsLogits implements Loss.
func (l CategoricalCrossentropy) AsLogits(activation string) (Loss, bool) {
	if activation != "softmax" || l.Keras2 {
		return nil, false
	}
	l.FromLogits = true
	return l, true
}

// AsLogits implements Loss.
func (l SparseCategoricalCrossentropy) AsLogits(activation string) (Loss, bool) {
	if activation != "softmax" || l.Keras2 {
		return nil, false
	}
	l.FromLogits = true
	return l, true
}

// smooth is z of a class among m.
func (l CategoricalCrossentropy) smooth(y Target, j, m int) float64 {
	return y.At(j)*(1-l.LabelSmoothing) + l.LabelSmoothing/float64(m)
}

// Value implements Loss.
func (l CategoricalCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		dst[i] = float32(l.Item(pred[i*m:][:m], target.item(i, n)))
	}
}

// Value implements Loss.
func (l SparseCategoricalCrossentropy) Value(dst, pred []float32, target Target, n, m int) {
	for i := range n {
		dst[i] = float32(l.Item(pred[i*m:][:m], target.item(i, n)))
	}
}

// Item implements Itemwise.
func (l CategoricalCrossentropy) Item(pred []float32, y Target) float64 {
	s, norm := 0.0, newNorm(pred, l.FromLogits)
	for j := range pred {
		s -= l.smooth(y, j, len(pred)) * norm.log(pred[j])
	}
	return s
}

// Item implements Itemwise.
func (l SparseCategoricalCrossentropy) Item(pred []float32, y Target) float64 {
	if l.Hides(y, 0) {
		return 0
	}
	return -newNorm(pred, l.FromLogits).log(pred[int(y.At(0))])
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
	// Stretch by stretch, so that nothing is allocated however many classes there are.
	var buf [256]float32
	n := copy(buf[:], row)
	for rest := row[n:]; len(rest) > 0; {
		k := min(n, len(rest))
		kernel.Max(buf[:k], buf[:k], rest[:k])
		rest = rest[k:]
	}
	top := slices.Max(buf[:n])
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
			y, total := target.item(i, n), 0.0
			for j := range m {
				total += l.smooth(y, j, m)
			}
			for j := range m {
				dpred[i*m+j] = scale[i] * float32(float64(dpred[i*m+j])*total-l.smooth(y, j, m))
			}
		}
		return
	}
	// With q = p / S clipped: -z/q / S, and through S: + sum of z/q * p / S^2, over the classes that are not clipped.
	for i := range n {
		row, d, y := pred[i*m:][:m], dpred[i*m:][:m], target.item(i, n)
		sum := float32(kernel.Sum(row))
		through := 0.0
		for j, p := range row {
			if q, inside := clip(p / sum); inside {
				through += l.smooth(y, j, m) / float64(q) * float64(p)
			}
		}
		s := float64(sum)
		for j, p := range row {
			g := through / (s * s)
			if q, inside := clip(p / sum); inside {
				g -= l.smooth(y, j, m) / float64(q) / s
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
			if l.Hides(target, i) {
				clear(d)
				continue
			}
			d[int(target.At(i))] -= 1
			kernel.Scale(d, d, scale[i])
		}
		return
	}
	// As above with z = 1 at the class: q = p/S, so z/q p / S^2 is 1/S.
	for i := range n {
		row, d := pred[i*m:][:m], dpred[i*m:][:m]
		if l.Hides(target, i) {
			clear(d)
			continue
		}
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
