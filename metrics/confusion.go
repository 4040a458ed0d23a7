package metrics

import (
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
)

// TruePositives counts the values whose targets are positive and that are predicted above the threshold.
type TruePositives struct {
	Threshold tensor.Float // 0.5
	Name      string       // the key in the history; "true_positives"
}

// FalsePositives counts the values whose targets are 0 and that are predicted above the threshold.
type FalsePositives struct {
	Threshold tensor.Float // 0.5
	Name      string       // the key in the history; "false_positives"
}

// TrueNegatives counts the values whose targets are 0 and that are not predicted above the threshold.
type TrueNegatives struct {
	Threshold tensor.Float // 0.5
	Name      string       // the key in the history; "true_negatives"
}

// FalseNegatives counts the values whose targets are positive and that are not predicted above the threshold.
type FalseNegatives struct {
	Threshold tensor.Float // 0.5
	Name      string       // the key in the history; "false_negatives"
}

func (TruePositives) Class() string  { return "TruePositives" }
func (FalsePositives) Class() string { return "FalsePositives" }
func (TrueNegatives) Class() string  { return "TrueNegatives" }
func (FalseNegatives) Class() string { return "FalseNegatives" }

func (a TruePositives) Config() map[string]any {
	return withThreshold(base(a.Name, a.Class()), a.Threshold)
}
func (a FalsePositives) Config() map[string]any {
	return withThreshold(base(a.Name, a.Class()), a.Threshold)
}
func (a TrueNegatives) Config() map[string]any {
	return withThreshold(base(a.Name, a.Class()), a.Threshold)
}
func (a FalseNegatives) Config() map[string]any {
	return withThreshold(base(a.Name, a.Class()), a.Threshold)
}

// Resolve implements Metric.
func (a TruePositives) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveCount(named(a.Name, a.Class()), a.Class(), a.Threshold, pred, target, func(m matrix) float64 { return m.tp[0] })
}

// Resolve implements Metric.
func (a FalsePositives) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveCount(named(a.Name, a.Class()), a.Class(), a.Threshold, pred, target, func(m matrix) float64 { return m.fp[0] })
}

// Resolve implements Metric.
func (a TrueNegatives) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveCount(named(a.Name, a.Class()), a.Class(), a.Threshold, pred, target, func(m matrix) float64 { return m.tn[0] })
}

// Resolve implements Metric.
func (a FalseNegatives) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveCount(named(a.Name, a.Class()), a.Class(), a.Threshold, pred, target, func(m matrix) float64 { return m.fn[0] })
}

// withThreshold adds a threshold to a config: null for the default.
func withThreshold(c map[string]any, t tensor.Float) map[string]any {
	c["thresholds"] = nil
	if t.IsSet() {
		c["thresholds"] = t.Or(0)
	}
	return c
}

func resolveCount(name, class string, threshold tensor.Float, pred, target tensor.Shape, of func(matrix) float64) (Meter, error) {
	if err := checkThreshold(class, threshold.Or(0.5)); err != nil {
		return nil, err
	}
	s := &sides{thresholds: []float32{float32(threshold.Or(0.5))}, labels: 1, class: -1}
	if err := s.check(class, pred, target); err != nil {
		return nil, err
	}
	return sideMeter{name, s, func(state []float64) float64 { return of(s.matrix(state, 0)) }}, nil
}

// Precision is the share of the values predicted above the threshold whose targets are positive. With TopK only an item's K largest
// values are predicted, with ClassID only that value of an item counts.
type Precision struct {
	Threshold tensor.Float // 0.5; with TopK below everything
	TopK      int          // 0: all
	ClassID   tensor.Float // unset: all
	Name      string       // the key in the history; "precision"
}

// Recall is the share of the values with positive targets that are predicted above the threshold. TopK and ClassID are as for Precision.
type Recall struct {
	Threshold tensor.Float // 0.5; with TopK below everything
	TopK      int          // 0: all
	ClassID   tensor.Float // unset: all
	Name      string       // the key in the history; "recall"
}

func (Precision) Class() string { return "Precision" }
func (Recall) Class() string    { return "Recall" }

func (a Precision) Config() map[string]any {
	return withTop(withThreshold(base(a.Name, a.Class()), a.Threshold), a.TopK, a.ClassID)
}

func (a Recall) Config() map[string]any {
	return withTop(withThreshold(base(a.Name, a.Class()), a.Threshold), a.TopK, a.ClassID)
}

func withTop(c map[string]any, k int, id tensor.Float) map[string]any {
	c["top_k"], c["class_id"] = nil, nil
	if k != 0 {
		c["top_k"] = k
	}
	if id.IsSet() {
		c["class_id"] = int(id.Or(0))
	}
	return c
}

// Resolve implements Metric.
func (a Precision) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveTop(named(a.Name, a.Class()), a.Class(), a.Threshold, a.TopK, a.ClassID, pred, target,
		func(m matrix) float64 { return quotient(m.tp[0], m.tp[0]+m.fp[0]) })
}

// Resolve implements Metric.
func (a Recall) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveTop(named(a.Name, a.Class()), a.Class(), a.Threshold, a.TopK, a.ClassID, pred, target,
		func(m matrix) float64 { return quotient(m.tp[0], m.tp[0]+m.fn[0]) })
}

func resolveTop(name, class string, threshold tensor.Float, k int, id tensor.Float, pred, target tensor.Shape, of func(matrix) float64) (Meter, error) {
	if err := checkThreshold(class, threshold.Or(0.5)); err != nil {
		return nil, err
	}
	if k < 0 {
		return nil, fmt.Errorf("metrics: %s: top_k must be positive, got %d", class, k)
	}
	only, err := classID(class, id)
	if err != nil {
		return nil, err
	}
	t := float32(threshold.Or(0.5))
	if k > 0 && !threshold.IsSet() {
		t = negInf
	}
	s := &sides{thresholds: []float32{t}, labels: 1, topK: k, class: only}
	if err := s.check(class, pred, target); err != nil {
		return nil, err
	}
	return sideMeter{name, s, func(state []float64) float64 { return of(s.matrix(state, 0)) }}, nil
}
