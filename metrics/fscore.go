package metrics

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// Average is how the scores of classes become one number.
type Average string

// The averages.
const (
	None     Average = ""         // the score of the only class; several are refused, since a history holds one number
	Micro    Average = "micro"    // all classes are counted together
	Macro    Average = "macro"    // the mean over classes
	Weighted Average = "weighted" // the mean over classes, each weighted by the sum of its targets
)

// FBetaScore is (1 + Beta²) P R / (Beta² P + R) with P precision and R recall of a class. A class is predicted where its value is above
// Threshold, or where it is the largest of its item and not 0 when there is no threshold. Predictions are (N, classes).
type FBetaScore struct {
	Average   Average
	Beta      tensor.Float // 1
	Threshold tensor.Float // above 0, at most 1; unset: the largest value
	Name      string       // the key in the history; "fbeta_score"
}

// F1Score is FBetaScore with Beta 1.
type F1Score struct {
	Average   Average
	Threshold tensor.Float // above 0, at most 1; unset: the largest value
	Name      string       // the key in the history; "f1_score"
}

func (FBetaScore) Class() string { return "FBetaScore" }
func (F1Score) Class() string    { return "F1Score" }

func (a F1Score) Config() map[string]any {
	c := base(a.Name, "f1_score")
	c["average"], c["threshold"] = a.Average.config(), nil
	if a.Threshold.IsSet() {
		c["threshold"] = a.Threshold.Or(0)
	}
	return c
}

func (a FBetaScore) Config() map[string]any {
	c := F1Score{a.Average, a.Threshold, named(a.Name, "fbeta_score")}.Config()
	c["beta"] = a.Beta.Or(1)
	return c
}

func (a Average) config() any {
	if a == None {
		return nil
	}
	return string(a)
}

// Resolve implements Metric.
func (a F1Score) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveScore(a.Class(), named(a.Name, "f1_score"), a.Average, 1, a.Threshold, pred, target)
}

// Resolve implements Metric.
func (a FBetaScore) Resolve(pred, target tensor.Shape) (Meter, error) {
	return resolveScore(a.Class(), named(a.Name, "fbeta_score"), a.Average, a.Beta.Or(1), a.Threshold, pred, target)
}

func resolveScore(class, name string, average Average, beta float64, threshold tensor.Float, pred, target tensor.Shape) (Meter, error) {
	switch {
	case average != None && average != Micro && average != Macro && average != Weighted:
		return nil, fmt.Errorf("metrics: %s: average must be null, micro, macro or weighted, got %q", class, average)
	case !(beta > 0) || math.IsInf(beta, 0):
		return nil, fmt.Errorf("metrics: %s: beta must be finite and positive, got %v", class, beta)
	case threshold.IsSet() && !(threshold.Or(0) > 0 && threshold.Or(0) <= 1):
		return nil, fmt.Errorf("metrics: %s: threshold must be above 0 and at most 1, got %v", class, threshold.Or(0))
	case len(pred) != 2 || len(target) != 2 || !losses.FitsElements(pred, target):
		return nil, misfit(class, "predictions and targets of one shape (N, classes)", pred, target)
	case average == None && pred[1] != 1:
		return nil, fmt.Errorf("metrics: %s: average must be micro, macro or weighted for %d classes, since a history holds one number, got null", class, pred[1])
	}
	s := score{name: name, average: average, beta: beta, threshold: float32(threshold.Or(math.NaN())), classes: pred[1]}
	if average == Micro {
		s.classes = 1
	}
	return s, nil
}

// score is a Meter. State, for each class (one, of all together, for Micro): true positives, false positives, false negatives, targets.
type score struct {
	name      string
	average   Average
	beta      float64
	threshold float32 // NaN: the largest value
	classes   int
}

func (a score) Name() string { return a.name }
func (a score) Sums() int    { return 4 * a.classes }
func (a score) Unmasked()    {}

func (a score) Update(state []float64, pred []float32, target Target, weights []float32, n, m int) {
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		row := pred[i*m:][:m]
		top := row[argmax(row)]
		for j, p := range row {
			on := p > a.threshold
			if a.threshold != a.threshold {
				on = p >= top && math.Abs(float64(p)) > 1e-9
			}
			guess := 0.0
			if on {
				guess = 1
			}
			s := state[4*(j%a.classes):]
			y := target.At(i*m + j)
			s[0] += w * guess * y
			s[1] += w * guess * (1 - y)
			s[2] += w * (1 - guess) * y
			s[3] += w * y
		}
	}
}

func (a score) Result(state []float64) float64 {
	const epsilon = 1e-7 // Keras's, in every quotient
	sum, all := 0.0, 0.0
	for c := range a.classes {
		all += state[4*c+3]
	}
	for c := range a.classes {
		s := state[4*c:]
		p, r := s[0]/(s[0]+s[1]+epsilon), s[0]/(s[0]+s[2]+epsilon)
		f := (1 + a.beta*a.beta) * p * r / (a.beta*a.beta*p + r + epsilon)
		if a.average == Weighted {
			f *= s[3] / (all + epsilon) * float64(a.classes)
		}
		sum += f
	}
	return sum / float64(a.classes)
}
