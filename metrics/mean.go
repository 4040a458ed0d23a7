package metrics

import (
	"math"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// MeanAbsoluteError is the mean of |p - y| over all values of the predictions.
type MeanAbsoluteError struct {
	Name string // the key in the history; "mean_absolute_error"
}

// MeanSquaredError is the mean of (p - y)^2 over all values of the predictions.
type MeanSquaredError struct {
	Name string // the key in the history; "mean_squared_error"
}

func (MeanAbsoluteError) Class() string { return "MeanAbsoluteError" }
func (MeanSquaredError) Class() string  { return "MeanSquaredError" }

func (a MeanAbsoluteError) Config() map[string]any {
	return map[string]any{"name": named(a.Name, a.Class()), "dtype": "float32"}
}

func (a MeanSquaredError) Config() map[string]any {
	return map[string]any{"name": named(a.Name, a.Class()), "dtype": "float32"}
}

// Resolve implements Metric.
func (a MeanAbsoluteError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveMean(a.Name, a.Class(), pred, target, math.Abs)
}

// Resolve implements Metric.
func (a MeanSquaredError) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveMean(a.Name, a.Class(), pred, target, func(e float64) float64 { return e * e })
}

func resolveMean(name, class string, pred, target tensor.Shape, of func(e float64) float64) (Meter, error) {
	if len(pred) == 0 || !losses.FitsElements(pred, target) {
		return nil, misfit(class, "targets of the predictions' shape", pred, target)
	}
	return meanOf{named(name, class), of}, nil
}

// meanOf is a Meter of the form: mean over the items of an item's mean over its values.
type meanOf struct {
	name string
	of   func(e float64) float64 // of the error p - y of a value
}

func (a meanOf) Name() string                   { return a.name }
func (a meanOf) Sums() int                      { return 2 }
func (a meanOf) Result(state []float64) float64 { return quotient(state[0], state[1]) }

func (a meanOf) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		if w == 0 {
			continue // whatever a masked step predicts, NaN included
		}
		sum := 0.0
		for j, p := range pred[i*m:][:m] {
			sum += a.of(float64(p) - target.At(i*m+j))
		}
		state[0] += w * sum / float64(m)
		state[1] += w
	}
}
