package metrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// Curve is what AUC takes the area under.
type Curve string

// The curves.
const (
	ROC    Curve = "ROC"    // recall over the share of negatives predicted positive; the default
	PR     Curve = "PR"     // precision over recall
	PRGain Curve = "PRGAIN" // precision gain over recall gain; Flach and Kull, 2015
)

// Summation is how the area between two thresholds is taken.
type Summation string

// The summations.
const (
	Interpolation Summation = "interpolation" // in the middle, for PR as Davis and Goadrich, 2006; the default
	Minoring      Summation = "minoring"      // the lower height
	Majoring      Summation = "majoring"      // the higher height
)

// AUC is the area under a curve that runs over thresholds, by sums of its stretches.
type AUC struct {
	NumThresholds int       // 200, in equal steps
	Thresholds    []float64 // between 0 and 1, instead of NumThresholds; the ends are added
	Curve         Curve     // ROC
	Summation     Summation // Interpolation
	MultiLabel    bool      // an area for each value of an item, and their mean
	LabelWeights  []float64 // of the values of an item; of the areas where MultiLabel is set; nil: all 1
	FromLogits    bool      // the predictions are arguments of a sigmoid
	Name          string    // the key in the history; "auc"
}

func (AUC) Class() string { return "AUC" }

func (a AUC) Config() map[string]any {
	c := base(a.Name, a.Class())
	c["num_thresholds"], c["curve"], c["summation_method"] = a.number(), string(a.curve()), string(a.summation())
	c["multi_label"], c["num_labels"], c["label_weights"], c["from_logits"] = a.MultiLabel, nil, floats(a.LabelWeights), a.FromLogits
	if a.Thresholds != nil {
		c["thresholds"] = floats(slices.Sorted(slices.Values(a.Thresholds)))
	}
	return c
}

func floats(v []float64) any {
	if v == nil {
		return nil
	}
	l := make([]any, len(v))
	for i := range l {
		l[i] = v[i]
	}
	return l
}

func (a AUC) number() int {
	switch {
	case a.Thresholds != nil:
		return len(a.Thresholds) + 2
	case a.NumThresholds == 0:
		return 200
	}
	return a.NumThresholds
}

func (a AUC) curve() Curve {
	if a.Curve == "" {
		return ROC
	}
	return a.Curve
}

func (a AUC) summation() Summation {
	if a.Summation == "" {
		return Interpolation
	}
	return a.Summation
}

// Resolve implements Metric.
func (a AUC) Resolve(pred, target tensor.Shape) (Meter, error) {
	switch a.curve() {
	case ROC, PR, PRGain:
	default:
		return nil, fmt.Errorf("metrics: AUC: curve must be ROC, PR or PRGAIN, got %q", a.Curve)
	}
	switch a.summation() {
	case Interpolation, Minoring, Majoring:
	default:
		return nil, fmt.Errorf("metrics: AUC: summation_method must be interpolation, minoring or majoring, got %q", a.Summation)
	}
	if a.NumThresholds != 0 && a.NumThresholds < 2 {
		return nil, fmt.Errorf("metrics: AUC: num_thresholds must be above 1, got %d", a.NumThresholds)
	}
	for _, t := range a.Thresholds {
		if err := checkThreshold("AUC", t); err != nil {
			return nil, err
		}
	}
	s := &sides{labels: 1, class: -1, logits: a.FromLogits, closed: true}
	if err := s.check(a.Class(), pred, target); err != nil {
		return nil, err
	}
	width := 1
	if len(pred) > 1 {
		width = pred[len(pred)-1]
	}
	if a.LabelWeights != nil && len(a.LabelWeights) != width {
		return nil, fmt.Errorf("metrics: AUC: expected a label weight for each of %d values of a prediction, got %d", width, len(a.LabelWeights))
	}
	if a.MultiLabel {
		if len(pred) != 2 {
			return nil, fmt.Errorf("metrics: AUC: expected predictions of rank 2 where multi_label is set, got shape %v", pred)
		}
		s.labels = width
	} else {
		s.weights = a.LabelWeights
	}
	s.thresholds, s.even = a.thresholds()
	return sideMeter{named(a.Name, a.Class()), s, func(state []float64) float64 {
		sum, weights := 0.0, 0.0
		for label := range s.labels {
			w := 1.0
			if s.labels > 1 && a.LabelWeights != nil {
				w = a.LabelWeights[label]
			}
			sum += w * a.area(s.matrix(state, label))
			weights += w
		}
		return quotient(sum, weights)
	}}, nil
}

// thresholds are the inner ones, with an end below 0 and one above 1, and whether they are in equal steps up to those ends.
func (a AUC) thresholds() (t []float32, even bool) {
	k := a.number()
	t, even = evenThresholds(k)
	if a.Thresholds != nil {
		even = k >= 3
		for i, v := range slices.Sorted(slices.Values(a.Thresholds)) {
			// NumPy's allclose.
			even = even && math.Abs(v-float64(t[i+1])) <= 1e-7+1e-5*float64(t[i+1])
			t[i+1] = float32(v)
		}
	}
	t[0], t[k-1] = -1e-7, 1+1e-7
	return t, even
}

// area is the sum over the stretches between thresholds. Source: keras/src/metrics/confusion_metrics.py.
func (a AUC) area(m matrix) float64 {
	k := len(m.tp)
	sum := 0.0
	for t := range k - 1 {
		if a.curve() == PR && a.summation() == Interpolation {
			sum += m.interpolate(t)
			continue
		}
		x0, y0 := a.point(m, t)
		x1, y1 := a.point(m, t+1)
		height := (y0 + y1) / 2
		switch a.summation() {
		case Minoring:
			height = math.Min(y0, y1)
		case Majoring:
			height = math.Max(y0, y1)
		}
		sum += (x0 - x1) * height
	}
	return sum
}

// point is the curve at a threshold.
func (a AUC) point(m matrix, t int) (x, y float64) {
	switch a.curve() {
	case ROC:
		return quotient(m.fp[t], m.fp[t]+m.tn[t]), m.sensitivity(t)
	case PR:
		return m.sensitivity(t), m.precision(t)
	}
	if m.tp[t] == 0 {
		return 0, 1
	}
	share := quotient(m.tp[t]+m.fn[t], m.tn[t]+m.fp[t])
	return math.Max(0, 1-share*quotient(m.fn[t], m.tp[t])), 1 - share*quotient(m.fp[t], m.tp[t])
}

// interpolate is the area under precision over recall from threshold t+1 to t, where true positives grow with all positives in
// proportion: slope times (growth + intercept log(ratio)), over all with positive targets.
func (m matrix) interpolate(t int) float64 {
	p0, p1 := m.tp[t]+m.fp[t], m.tp[t+1]+m.fp[t+1]
	growth := m.tp[t] - m.tp[t+1]
	slope := quotient(growth, math.Max(p0-p1, 0))
	intercept := m.tp[t+1] - slope*p1
	ratio := 1.0
	if p0 > 0 && p1 > 0 {
		ratio = p0 / p1
	}
	return quotient(slope*(growth+intercept*math.Log(ratio)), math.Max(m.tp[t+1]+m.fn[t+1], 0))
}
