package metrics

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// ExactAccuracy is the share of values that equal their targets. It is Keras's class Accuracy; by the string "accuracy" Keras
// means another, which is called so here.
type ExactAccuracy struct {
	Name string // the key in the history; "accuracy"
}

// TopKCategoricalAccuracy is the share of items in which fewer than K classes are predicted above the one with the largest target.
type TopKCategoricalAccuracy struct {
	K    int    // 5
	Name string // the key in the history; "top_k_categorical_accuracy"
}

// SparseTopKCategoricalAccuracy is the share of items in which fewer than K classes are predicted above the one that the target
// names, or with FromSortedIDs that are among the first K ids that the prediction lists.
type SparseTopKCategoricalAccuracy struct {
	K             int // 5
	FromSortedIDs bool
	Name          string // the key in the history; "sparse_top_k_categorical_accuracy"
}

func (ExactAccuracy) Class() string                 { return "Accuracy" }
func (TopKCategoricalAccuracy) Class() string       { return "TopKCategoricalAccuracy" }
func (SparseTopKCategoricalAccuracy) Class() string { return "SparseTopKCategoricalAccuracy" }

func (a ExactAccuracy) Config() map[string]any { return base(a.Name, a.Class()) }

func (a TopKCategoricalAccuracy) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["k"] = orFive(a.K)
	return c
}

func (a SparseTopKCategoricalAccuracy) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["k"] = orFive(a.K)
	if a.FromSortedIDs {
		c["from_sorted_ids"] = true
	}
	return c
}

func orFive(k int) int {
	if k == 0 {
		return 5
	}
	return k
}

// Resolve implements Metric.
func (a ExactAccuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	if len(pred) == 0 || !losses.FitsElements(pred, target) {
		return nil, misfit(a.Class(), "targets of the predictions' shape", pred, target)
	}
	return share{named(a.Name, a.Class()), func(pred []float32, target Target, i, m int) int {
		right := 0
		for j, p := range pred {
			if float64(p) == target.At(i*m+j) {
				right++
			}
		}
		return right
	}, true}, nil
}

// Resolve implements Metric.
func (a TopKCategoricalAccuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	if a.K < 0 {
		return nil, fmt.Errorf("metrics: %s: k must be positive, got %d", a.Class(), a.K)
	}
	if len(pred) == 0 || len(pred) != len(target) || !losses.FitsElements(pred, target) {
		return nil, misfit(a.Class(), "targets of the predictions' shape, one value for each class", pred, target)
	}
	k := orFive(a.K)
	return share{named(a.Name, a.Class()), func(pred []float32, target Target, i, m int) int {
		best := 0
		for j := 1; j < m; j++ {
			if target.At(i*m+j) > target.At(i*m+best) {
				best = j
			}
		}
		return inTop(k, pred, best)
	}, false}, nil
}

// Resolve implements Metric.
func (a SparseTopKCategoricalAccuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	if a.K < 0 {
		return nil, fmt.Errorf("metrics: %s: k must be positive, got %d", a.Class(), a.K)
	}
	if !losses.FitsClasses(pred, target) {
		return nil, misfit(a.Class(), "a class id for each prediction", pred, target)
	}
	k := orFive(a.K)
	return share{named(a.Name, a.Class()), func(pred []float32, target Target, i, _ int) int {
		id := target.At(i)
		if a.FromSortedIDs {
			for _, p := range pred[:min(k, len(pred))] {
				if float64(p) == id {
					return 1
				}
			}
			return 0
		}
		if !(id >= 0 && id < float64(len(pred))) {
			return 0
		}
		return inTop(k, pred, int(id))
	}, false}, nil
}

// inTop is 1 where fewer than k values are larger than that of the class. Where a value is not finite nothing can be said, and it is 0.
func inTop(k int, pred []float32, class int) int {
	larger := 0
	for _, p := range pred {
		if math.IsNaN(float64(p)) || math.IsInf(float64(p), 0) {
			return 0
		}
		if p > pred[class] {
			larger++
		}
	}
	if larger < k {
		return 1
	}
	return 0
}
