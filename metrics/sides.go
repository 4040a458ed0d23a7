package metrics

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// Unmasked is a Meter that counts every step, whether a mask hides it or not. In Keras only metrics that are a mean of a function see masks.
type Unmasked interface{ Unmasked() }

// sides counts, for every threshold, the weights of the values predicted above it, positives and negatives apart: the confusion
// matrices of a two-class problem. A value's target is positive unless it is 0.
//
// State, for every label: a sum a threshold of positives, one of negatives, then the sums of all positives and all negatives. Of even thresholds
// the sums are those of the stretch behind each, which one value enters once; otherwise those of all above it.
type sides struct {
	thresholds []float32
	even       bool // 0 to 1 in equal steps; values are clipped to that
	closed     bool // even: the first threshold lies below 0, so that 0 is above it
	labels     int  // each value of an item by itself, or 1 for all together
	topK       int  // only the k largest values of an item are predicted; 0: all
	class      int  // only this value of an item counts; -1: all
	weights    []float64
	logits     bool
}

func (a *sides) sums() int   { return a.labels * a.stride() }
func (a *sides) stride() int { return 2*len(a.thresholds) + 2 }

func (a *sides) update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		row := pred[i*m:][:m]
		low, at := lastOfTop(row, a.topK)
		for j, p := range row {
			if a.class >= 0 && j != a.class {
				continue
			}
			if a.topK > 0 && !(p > low || p == low && j <= at) {
				p = negInf
			}
			v, label := w, 0
			if a.labels > 1 {
				label = j
			} else if a.weights != nil {
				v *= a.weights[j]
			}
			a.add(state[label*a.stride():][:a.stride()], p, target.At(i*m+j) != 0, v)
		}
	}
}

// negInf stands for values that are not among the top k; as in Keras it is a number that no threshold is below.
const negInf float32 = -1e10

func (a *sides) add(state []float64, p float32, positive bool, w float64) {
	k := len(a.thresholds)
	at, all := 0, 2*k
	if !positive {
		at, all = k, 2*k+1
	}
	state[all] += w
	if a.logits {
		p = float32(1 / (1 + math.Exp(-float64(p))))
	}
	if !a.even {
		for t, threshold := range a.thresholds {
			if p > threshold {
				state[at+t] += w
			}
		}
		return
	}
	// Source of the rounding: keras/src/metrics/metrics_utils.py, _update_confusion_matrix_variables_optimized.
	p = min(max(p, 0), 1)
	if p != p {
		return
	}
	bucket := int(math.Ceil(float64(float32(p*float32(k-1))))) - 1
	if bucket < 0 {
		if !a.closed {
			return
		}
		bucket = 0
	}
	state[at+bucket] += w
}

// matrix is what was counted for a label: true and false positives and negatives by threshold.
type matrix struct{ tp, fp, tn, fn []float64 }

func (a *sides) matrix(state []float64, label int) matrix {
	k := len(a.thresholds)
	s := state[label*a.stride():]
	all := make([]float64, 4*k)
	r := matrix{all[:k], all[k : 2*k], all[2*k : 3*k], all[3*k:]}
	tp, fp := 0.0, 0.0
	for t := k - 1; t >= 0; t-- {
		if a.even {
			tp += s[t]
			fp += s[k+t]
		} else {
			tp, fp = s[t], s[k+t]
		}
		r.tp[t], r.fp[t] = tp, fp
		r.fn[t], r.tn[t] = s[2*k]-tp, s[2*k+1]-fp
	}
	return r
}

// lastOfTop is the smallest of the k largest values and where it stands; of equals the first are taken.
func lastOfTop(row []float32, k int) (float32, int) {
	if k == 0 || len(row) == 0 {
		return 0, 0
	}
	inf := float32(math.Inf(1))
	low, at := inf, -1
	for range min(k, len(row)) {
		best, where := float32(math.Inf(-1)), -1
		for j, v := range row {
			if (v < low || v == low && j > at) && (v > best || where < 0) {
				best, where = v, j
			}
		}
		if where < 0 {
			break
		}
		low, at = best, where
	}
	return low, at
}

// evenThresholds are n from 0 to 1, or 0.5 alone.
func evenThresholds(n int) (t []float32, even bool) {
	if n == 1 {
		return []float32{0.5}, false
	}
	t = make([]float32, n)
	for i := range t {
		t[i] = float32(float64(i) / float64(n-1))
	}
	return t, true
}

// sideMeter is a Meter by a function of the matrices.
type sideMeter struct {
	name string
	*sides
	result func(state []float64) float64
}

func (a sideMeter) Name() string                   { return a.name }
func (a sideMeter) Sums() int                      { return a.sums() }
func (a sideMeter) Result(state []float64) float64 { return a.result(state) }
func (a sideMeter) Unmasked()                      {}

func (a sideMeter) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	a.update(state, pred, target, weights, n, m)
}

// resolveSides checks the shapes and arguments that all metrics of this kind have in common.
func (a *sides) check(class string, pred, target tensor.Shape) error {
	if len(pred) == 0 || !losses.FitsElements(pred, target) {
		return misfit(class, "targets of the predictions' shape", pred, target)
	}
	width := 1
	if len(pred) > 1 {
		width = pred[len(pred)-1]
	}
	if a.class >= width {
		return fmt.Errorf("metrics: %s: class_id must be below the number of classes, %d, got %d", class, width, a.class)
	}
	if a.topK > width {
		return fmt.Errorf("metrics: %s: top_k must be at most the number of classes, %d, got %d", class, width, a.topK)
	}
	return nil
}

// classID is an id from 0, or -1 where none is set.
func classID(class string, id tensor.Float) (int, error) {
	if !id.IsSet() {
		return -1, nil
	}
	if v := id.Or(0); !(v >= 0 && v < 1<<31) || v != math.Trunc(v) {
		return 0, fmt.Errorf("metrics: %s: class_id must be a whole number from 0, got %v", class, v)
	}
	return int(id.Or(0)), nil
}

// checkThreshold fails unless it is in [0, 1].
func checkThreshold(class string, t float64) error {
	if !(t >= 0 && t <= 1) {
		return fmt.Errorf("metrics: %s: thresholds must be in [0, 1], got %v", class, t)
	}
	return nil
}
