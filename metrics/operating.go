package metrics

import (
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
)

// SensitivityAtSpecificity is the largest sensitivity, tp / (tp + fn), among the thresholds whose specificity, tn / (tn + fp), is at least Specificity.
type SensitivityAtSpecificity struct {
	Specificity   float64      // 0 to 1
	NumThresholds int          // 200, from 0 to 1
	ClassID       tensor.Float // unset: all values of an item count
	Name          string       // the key in the history; "sensitivity_at_specificity"
}

// SpecificityAtSensitivity is the largest specificity, tn / (tn + fp), among the thresholds whose sensitivity, tp / (tp + fn), is at least Sensitivity.
type SpecificityAtSensitivity struct {
	Sensitivity   float64      // 0 to 1
	NumThresholds int          // 200, from 0 to 1
	ClassID       tensor.Float // unset: all values of an item count
	Name          string       // the key in the history; "specificity_at_sensitivity"
}

// PrecisionAtRecall is the largest precision, tp / (tp + fp), among the thresholds whose recall, tp / (tp + fn), is at least Recall.
type PrecisionAtRecall struct {
	Recall        float64      // 0 to 1
	NumThresholds int          // 200, from 0 to 1
	ClassID       tensor.Float // unset: all values of an item count
	Name          string       // the key in the history; "precision_at_recall"
}

// RecallAtPrecision is the largest recall, tp / (tp + fn), among the thresholds whose precision, tp / (tp + fp), is at least Precision.
type RecallAtPrecision struct {
	Precision     float64      // 0 to 1
	NumThresholds int          // 200, from 0 to 1
	ClassID       tensor.Float // unset: all values of an item count
	Name          string       // the key in the history; "recall_at_precision"
}

func (SensitivityAtSpecificity) Class() string { return "SensitivityAtSpecificity" }
func (SpecificityAtSensitivity) Class() string { return "SpecificityAtSensitivity" }
func (PrecisionAtRecall) Class() string        { return "PrecisionAtRecall" }
func (RecallAtPrecision) Class() string        { return "RecallAtPrecision" }

func (a SensitivityAtSpecificity) Config() map[string]any { return a.at().config("specificity") }
func (a SpecificityAtSensitivity) Config() map[string]any { return a.at().config("sensitivity") }
func (a PrecisionAtRecall) Config() map[string]any        { return a.at().config("recall") }
func (a RecallAtPrecision) Config() map[string]any        { return a.at().config("precision") }

func (a SensitivityAtSpecificity) at() at {
	return at{a.Class(), named(a.Name, a.Class()), a.Specificity, a.NumThresholds, a.ClassID}
}

// Resolve implements Metric.
func (a SensitivityAtSpecificity) Resolve(pred, target tensor.Shape) (Meter, error) {
	return a.at().resolve("specificity", pred, target, matrix.specificity, matrix.sensitivity)
}

func (a SpecificityAtSensitivity) at() at {
	return at{a.Class(), named(a.Name, a.Class()), a.Sensitivity, a.NumThresholds, a.ClassID}
}

// Resolve implements Metric.
func (a SpecificityAtSensitivity) Resolve(pred, target tensor.Shape) (Meter, error) {
	return a.at().resolve("sensitivity", pred, target, matrix.sensitivity, matrix.specificity)
}

func (a PrecisionAtRecall) at() at {
	return at{a.Class(), named(a.Name, a.Class()), a.Recall, a.NumThresholds, a.ClassID}
}

// Resolve implements Metric.
func (a PrecisionAtRecall) Resolve(pred, target tensor.Shape) (Meter, error) {
	return a.at().resolve("recall", pred, target, matrix.sensitivity, matrix.precision)
}

func (a RecallAtPrecision) at() at {
	return at{a.Class(), named(a.Name, a.Class()), a.Precision, a.NumThresholds, a.ClassID}
}

// Resolve implements Metric.
func (a RecallAtPrecision) Resolve(pred, target tensor.Shape) (Meter, error) {
	return a.at().resolve("precision", pred, target, matrix.precision, matrix.sensitivity)
}

func (m matrix) sensitivity(t int) float64 { return quotient(m.tp[t], m.tp[t]+m.fn[t]) }
func (m matrix) specificity(t int) float64 { return quotient(m.tn[t], m.tn[t]+m.fp[t]) }
func (m matrix) precision(t int) float64   { return quotient(m.tp[t], m.tp[t]+m.fp[t]) }

// at is a metric of the form: the best of one quantity where another is at least a value.
type at struct {
	class, name string
	value       float64
	thresholds  int
	classID     tensor.Float
}

func (a at) config(value string) map[string]any {
	c := base(a.name, a.class)
	c["num_thresholds"], c[value], c["class_id"] = a.number(), a.value, nil
	if a.classID.IsSet() {
		c["class_id"] = int(a.classID.Or(0))
	}
	return c
}

func (a at) number() int {
	if a.thresholds == 0 {
		return 200
	}
	return a.thresholds
}

func (a at) resolve(value string, pred, target tensor.Shape, fixed, free func(matrix, int) float64) (Meter, error) {
	if !(a.value >= 0 && a.value <= 1) {
		return nil, fmt.Errorf("metrics: %s: %s must be in [0, 1], got %v", a.class, value, a.value)
	}
	if a.thresholds < 0 {
		return nil, fmt.Errorf("metrics: %s: num_thresholds must be positive, got %d", a.class, a.thresholds)
	}
	only, err := classID(a.class, a.classID)
	if err != nil {
		return nil, err
	}
	t, even := evenThresholds(a.number())
	s := &sides{thresholds: t, even: even, labels: 1, class: only}
	if err := s.check(a.class, pred, target); err != nil {
		return nil, err
	}
	bound := float64(float32(a.value))
	return sideMeter{a.name, s, func(state []float64) float64 {
		m, best := s.matrix(state, 0), 0.0
		for t := range s.thresholds {
			// Keras compares float32.
			if float64(float32(fixed(m, t))) >= bound {
				best = max(best, free(m, t))
			}
		}
		return best
	}}, nil
}
