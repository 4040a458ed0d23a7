package metrics

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// RootMeanSquaredError is the root of the mean of (p - y)² over all values, those of masked steps too.
type RootMeanSquaredError struct {
	Name string // the key in the history; "root_mean_squared_error"
}

// Aggregation is how the scores of a prediction's values become one number.
type Aggregation string

// The aggregations.
const (
	UniformAverage   Aggregation = "uniform_average" // their mean; the default
	VarianceWeighted Aggregation = "variance_weighted_average"
)

// R2Score is 1 less the sum of (p - y)² over that of (y - mean of y)², for each of a prediction's values; 1 is perfect. With
// Regressors it is adjusted for their number. Predictions are (N, values).
type R2Score struct {
	Aggregation Aggregation // class_aggregation
	Regressors  int         // num_regressors; 0: not adjusted
	Name        string      // the key in the history; "r2_score"
}

// PearsonCorrelation is the mean over the items of the correlation between an item's predictions and its targets.
type PearsonCorrelation struct {
	Name string // the key in the history; "pearson_correlation"
}

// ConcordanceCorrelation is the mean over the items of 2 C / (Vy + Vp + (my - mp)² + 1e-7), with means m and variances V of an item's targets and
// predictions, and C the mean of (y - mp)(p - mp). Lin, 1989, takes y - my; Keras 3.15.1 does not.
type ConcordanceCorrelation struct {
	Name string // the key in the history; "concordance_correlation"
}

func (RootMeanSquaredError) Class() string   { return "RootMeanSquaredError" }
func (R2Score) Class() string                { return "R2Score" }
func (PearsonCorrelation) Class() string     { return "PearsonCorrelation" }
func (ConcordanceCorrelation) Class() string { return "ConcordanceCorrelation" }

func (a RootMeanSquaredError) Config() map[string]any { return base(a.Name, a.Class()) }

func (a R2Score) Config() map[string]any {
	c := base(a.Name, "r2_score")
	c["class_aggregation"], c["num_regressors"] = string(a.aggregation()), a.Regressors
	return c
}

func (a R2Score) aggregation() Aggregation {
	if a.Aggregation == "" {
		return UniformAverage
	}
	return a.Aggregation
}

func (a PearsonCorrelation) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["axis"] = -1
	return c
}

func (a ConcordanceCorrelation) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["axis"] = -1
	return c
}

// Resolve implements Metric.
func (a RootMeanSquaredError) Resolve(pred, target tensor.Shape) (Meter, error) {
	m, err := resolveLoss(named(a.Name, a.Class()), losses.MeanSquaredError{}, 1, pred, target)
	if err != nil {
		return nil, misfit(a.Class(), "targets of the predictions' shape", pred, target)
	}
	return rootOf{m.(lossMean)}, nil
}

// Resolve implements Metric.
func (a R2Score) Resolve(pred, target tensor.Shape) (Meter, error) {
	switch {
	case a.aggregation() != UniformAverage && a.aggregation() != VarianceWeighted:
		return nil, fmt.Errorf("metrics: R2Score: class_aggregation must be uniform_average or variance_weighted_average, since a history holds one number, got %q",
			a.Aggregation)
	case a.Regressors < 0:
		return nil, fmt.Errorf("metrics: R2Score: num_regressors must be from 0, got %d", a.Regressors)
	case len(pred) != 2 || !losses.FitsElements(pred, target):
		return nil, misfit(a.Class(), "predictions (N, values) and targets of their shape", pred, target)
	}
	return explained{named(a.Name, "r2_score"), a.aggregation(), float64(a.Regressors), pred[1]}, nil
}

// Resolve implements Metric.
func (a PearsonCorrelation) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveMoments(a.Class(), named(a.Name, a.Class()), pred, target, func(c moments) float64 {
		return c.centred / math.Sqrt(c.vy*c.vp)
	})
}

// Resolve implements Metric.
func (a ConcordanceCorrelation) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveMoments(a.Class(), named(a.Name, a.Class()), pred, target, func(c moments) float64 {
		// The mean of (y - mp)(p - mp) is the covariance, since p - mp has the mean 0.
		return 2 * c.centred / (c.vy + c.vp + (c.my-c.mp)*(c.my-c.mp) + 1e-7)
	})
}

// rootOf is the root of a mean.
type rootOf struct{ lossMean }

func (a rootOf) Result(state []float64) float64 { return math.Sqrt(a.lossMean.Result(state)) }
func (a rootOf) Unmasked()                      {}

// explained is a Meter. State: for each value of a prediction the sums of y, y², (p - y)² and 1, then the number of all values.
type explained struct {
	name        string
	aggregation Aggregation
	regressors  float64
	values      int
}

func (a explained) Name() string { return a.name }
func (a explained) Sums() int    { return 4*a.values + 1 }
func (a explained) Unmasked()    {}

func (a explained) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		for j, p := range pred[i*m:][:m] {
			s, y := state[4*j:], target.At(i*m+j)
			s[0] += w * y
			s[1] += w * y * y
			s[2] += w * (float64(p) - y) * (float64(p) - y)
			s[3] += w
			state[4*m]++
		}
	}
}

func (a explained) Result(state []float64) float64 {
	sum, weights := 0.0, 0.0
	for j := range a.values {
		s := state[4*j:]
		total := s[1] - s[0]*s[0]/s[3]
		r := 1 - s[2]/total
		if math.IsInf(r, 0) {
			r = 0
		}
		w := 1.0
		if a.aggregation == VarianceWeighted {
			w = total
		}
		sum += w * r
		weights += w
	}
	r := sum / weights
	// Without enough samples the score is not adjusted, as in Keras, which counts every value of a prediction as a sample.
	if n := state[4*a.values]; a.regressors > 0 && a.regressors < n-1 {
		r = 1 - (1-r)*(n-1)/(n-a.regressors-1)
	}
	return r
}

// moments are means, variances and the covariance of an item's targets and predictions.
type moments struct{ my, mp, vy, vp, centred float64 }

// correlation is a Meter: the mean over the items of a function of their moments.
type correlation struct {
	name string
	of   func(moments) float64
}

func resolveMoments(class, name string, pred, target tensor.Shape, of func(moments) float64) (Meter, error) {
	if len(pred) == 0 || !losses.FitsElements(pred, target) {
		return nil, misfit(class, "targets of the predictions' shape", pred, target)
	}
	return correlation{name, of}, nil
}

func (a correlation) Name() string                   { return a.name }
func (a correlation) Sums() int                      { return 2 }
func (a correlation) Result(state []float64) float64 { return quotient(state[0], state[1]) }

func (a correlation) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		if w == 0 {
			continue
		}
		var c moments
		for j, p := range pred[i*m:][:m] {
			c.my += target.At(i*m+j) / float64(m)
			c.mp += float64(p) / float64(m)
		}
		for j, p := range pred[i*m:][:m] {
			y, p := target.At(i*m+j)-c.my, float64(p)-c.mp
			c.vy += y * y / float64(m)
			c.vp += p * p / float64(m)
			c.centred += y * p / float64(m)
		}
		state[0] += w * a.of(c)
		state[1] += w
	}
}
