package schedules

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// PiecewiseConstantDecay is Values[i] up to and with step Boundaries[i], and the last value after the last boundary.
type PiecewiseConstantDecay struct {
	Boundaries []float64 // increasing
	Values     []float64 // one more than boundaries
	Name       string
}

// PolynomialDecay goes from Initial to End in Steps: (Initial - End) · (1 - step / Steps)^Power + End. Then it stays, or with Cycle
// begins again on Steps times the number of the cycle.
type PolynomialDecay struct {
	Initial float64 // the first learning rate
	Steps   float64
	End     tensor.Float // 0.0001
	Power   tensor.Float // 1
	Cycle   bool
	Name    string
}

func (PiecewiseConstantDecay) Class() string { return "PiecewiseConstantDecay" }
func (PolynomialDecay) Class() string        { return "PolynomialDecay" }

func (s PiecewiseConstantDecay) Config() map[string]any {
	boundaries, values := make([]any, len(s.Boundaries)), make([]any, len(s.Values))
	for i, b := range s.Boundaries {
		boundaries[i] = whole(b)
	}
	for i, v := range s.Values {
		values[i] = v
	}
	return map[string]any{"boundaries": boundaries, "values": values, "name": named(s.Name, "PiecewiseConstant")}
}

func (s PolynomialDecay) Config() map[string]any {
	return map[string]any{"initial_learning_rate": s.Initial, "decay_steps": whole(s.Steps), "end_learning_rate": s.End.Or(0.0001),
		"power": s.Power.Or(1), "cycle": s.Cycle, "name": named(s.Name, s.Class())}
}

// Check implements Schedule.
func (s PiecewiseConstantDecay) Check() error {
	if len(s.Boundaries) == 0 || len(s.Values) != len(s.Boundaries)+1 {
		return fmt.Errorf("schedules: PiecewiseConstantDecay: expected at least one boundary and one value more than boundaries, got %d boundaries and %d values",
			len(s.Boundaries), len(s.Values))
	}
	for i, b := range s.Boundaries {
		if math.IsNaN(b) || i > 0 && !(b > s.Boundaries[i-1]) {
			return fmt.Errorf("schedules: PiecewiseConstantDecay: boundaries must increase, got %v", s.Boundaries)
		}
	}
	for _, v := range s.Values {
		if err := rate(s.Class(), "values", v); err != nil {
			return err
		}
	}
	return nil
}

// Check implements Schedule.
func (s PolynomialDecay) Check() error {
	return first(rate(s.Class(), "initial_learning_rate", s.Initial), rate(s.Class(), "end_learning_rate", s.End.Or(0)),
		rate(s.Class(), "power", s.Power.Or(1)), steps(s.Class(), "decay_steps", s.Steps))
}

// At implements Schedule.
func (s PiecewiseConstantDecay) At(step int64) float64 {
	for i, b := range s.Boundaries {
		if float64(step) <= b {
			return s.Values[i]
		}
	}
	return s.Values[len(s.Values)-1]
}

// At implements Schedule.
func (s PolynomialDecay) At(step int64) float64 {
	at, length := float64(step), s.Steps
	if s.Cycle {
		length *= math.Max(1, math.Ceil(at/length))
	} else {
		at = math.Min(at, length)
	}
	end := s.End.Or(0.0001)
	return (s.Initial-end)*math.Pow(1-at/length, s.Power.Or(1)) + end
}
