package metrics

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// Accuracy is the accuracy that Keras means by the strings "acc" and "accuracy": binary where the prediction's last axis is 1, else of
// class ids where the target has one value for each item, else categorical. (Keras's class of this name, which compares
// numbers for equality, is something else.)
type Accuracy struct {
	Name string // the key in the history; "accuracy", or "acc"; Keras takes no other
}

// BinaryAccuracy is the share of predictions on the right side of Threshold: a prediction is 1 when strictly above it, else 0.
type BinaryAccuracy struct {
	Name      string       // the key in the history; "binary_accuracy"
	Threshold tensor.Float // 0.5
}

// CategoricalAccuracy is the share of items whose largest prediction stands where the largest target does. Of equals the first counts.
type CategoricalAccuracy struct {
	Name string // the key in the history; "categorical_accuracy"
}

// SparseCategoricalAccuracy is the share of items whose largest prediction is the class that the target names. Of equals the first
// counts.
type SparseCategoricalAccuracy struct {
	Name string // the key in the history; "sparse_categorical_accuracy"
}

func (Accuracy) Class() string                  { return "" }
func (BinaryAccuracy) Class() string            { return "BinaryAccuracy" }
func (CategoricalAccuracy) Class() string       { return "CategoricalAccuracy" }
func (SparseCategoricalAccuracy) Class() string { return "SparseCategoricalAccuracy" }

func (a Accuracy) Config() map[string]any { return nil }

func (a BinaryAccuracy) Config() map[string]any {
	return map[string]any{"name": named(a.Name, a.Class()), "dtype": "float32", "threshold": a.Threshold.Or(0.5)}
}

func (a CategoricalAccuracy) Config() map[string]any {
	return map[string]any{"name": named(a.Name, a.Class()), "dtype": "float32"}
}

func (a SparseCategoricalAccuracy) Config() map[string]any {
	return map[string]any{"name": named(a.Name, a.Class()), "dtype": "float32"}
}

func named(name, class string) string {
	if name == "" {
		return keras.Snake(class)
	}
	return name
}

// Resolve implements Metric. Source of the choice: keras/src/trainers/compile_utils.py.
func (a Accuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	name := a.Name
	if name == "" {
		name = "accuracy"
	}
	if !isAccuracy(name) {
		return nil, fmt.Errorf("metrics: Accuracy: Name must be acc or accuracy, got %q (BinaryAccuracy and its kin take any name)", name)
	}
	if len(pred) == 0 {
		return nil, fmt.Errorf("metrics: Accuracy: expected predictions with at least one axis, got shape %v", pred)
	}
	switch last := len(pred) - 1; {
	case pred[last] == 1:
		return BinaryAccuracy{Name: name}.Resolve(pred, target)
	case len(target) < len(pred) || target[len(target)-1] == 1:
		return SparseCategoricalAccuracy{Name: name}.Resolve(pred, target)
	default:
		return CategoricalAccuracy{Name: name}.Resolve(pred, target)
	}
}

// Resolve implements Metric.
func (a BinaryAccuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	if len(pred) == 0 || !losses.FitsElements(pred, target) {
		return nil, misfit(a.Class(), "targets of the predictions' shape", pred, target)
	}
	threshold := float32(a.Threshold.Or(0.5))
	return share{named(a.Name, a.Class()), func(pred []float32, target Target, i, m int) int {
		right := 0
		for j, p := range pred {
			// A comparison with NaN is false, so that NaN predicts 0, as in Keras.
			guess := 0.0
			if p > threshold {
				guess = 1
			}
			if target.At(i*m+j) == guess {
				right++
			}
		}
		return right
	}, true}, nil
}

// Resolve implements Metric.
func (a CategoricalAccuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	if len(pred) == 0 || len(pred) != len(target) || !losses.FitsElements(pred, target) {
		return nil, misfit(a.Class(), "targets of the predictions' shape, one value for each class", pred, target)
	}
	return share{named(a.Name, a.Class()), func(pred []float32, target Target, i, m int) int {
		best := 0
		for j := 1; j < m; j++ {
			if target.At(i*m+j) > target.At(i*m+best) {
				best = j
			}
		}
		return equal(best, argmax(pred))
	}, false}, nil
}

// Resolve implements Metric.
func (a SparseCategoricalAccuracy) Resolve(pred, target tensor.Shape) (Meter, error) {
	if !losses.FitsClasses(pred, target) {
		return nil, misfit(a.Class(), "a class id for each prediction", pred, target)
	}
	return share{named(a.Name, a.Class()), func(pred []float32, target Target, i, m int) int {
		if target.At(i) == float64(argmax(pred)) {
			return 1
		}
		return 0
	}, false}, nil
}

func misfit(class, expected string, pred, target tensor.Shape) error {
	return fmt.Errorf("metrics: %s: expected %s, got predictions %v and targets %v", class, expected, pred, target)
}

// share is a Meter of the form right / all.
type share struct {
	name string
	// right counts what is right of item i, whose m predictions are pred.
	right func(pred []float32, target Target, i, m int) int
	// each: an item counts m times, once for each of its values.
	each bool
}

func (s share) Name() string                   { return s.name }
func (s share) Sums() int                      { return 2 }
func (s share) Result(state []float64) float64 { return quotient(state[0], state[1]) }

func (s share) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	all := 1.0
	if s.each {
		all = float64(m)
	}
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		state[0] += w * float64(s.right(pred[i*m:][:m], target, i, m))
		state[1] += w * all
	}
}

// argmax is the place of the largest value, of the first one among equals.
func argmax(x []float32) int {
	best := 0
	for j, v := range x {
		if v > x[best] {
			best = j
		}
	}
	return best
}

func equal(a, b int) int {
	if a == b {
		return 1
	}
	return 0
}
