package schedules

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// CosineDecay falls from Initial to Alpha times it along half a cosine, in Steps, and stays there. With a WarmupTarget it first
// rises from Initial to the target in WarmupSteps, on a line, and falls from the target. Loshchilov and Hutter, 2016.
type CosineDecay struct {
	Initial      float64 // the first learning rate
	Steps        float64
	Alpha        float64
	WarmupTarget tensor.Float // unset: no warm-up
	WarmupSteps  float64
	Name         string
}

// CosineDecayRestarts is CosineDecay again and again: each period TMul times as long as the one before and beginning MMul times as high.
type CosineDecayRestarts struct {
	Initial float64      // the first learning rate
	Steps   float64      // of the first period
	TMul    tensor.Float // 2
	MMul    tensor.Float // 1
	Alpha   float64
	Name    string
}

func (CosineDecay) Class() string         { return "CosineDecay" }
func (CosineDecayRestarts) Class() string { return "CosineDecayRestarts" }

func (s CosineDecay) Config() map[string]any {
	c := map[string]any{"initial_learning_rate": s.Initial, "decay_steps": whole(s.Steps), "alpha": s.Alpha, "warmup_target": nil,
		"warmup_steps": whole(s.WarmupSteps), "name": named(s.Name, s.Class())}
	if s.WarmupTarget.IsSet() {
		c["warmup_target"] = s.WarmupTarget.Or(0)
	}
	return c
}

func (s CosineDecayRestarts) Config() map[string]any {
	return map[string]any{"initial_learning_rate": s.Initial, "first_decay_steps": whole(s.Steps), "t_mul": s.TMul.Or(2), "m_mul": s.MMul.Or(1),
		"alpha": s.Alpha, "name": named(s.Name, "SGDRDecay")}
}

// Check implements Schedule.
func (s CosineDecay) Check() error {
	return first(rate(s.Class(), "initial_learning_rate", s.Initial), steps(s.Class(), "decay_steps", s.Steps), rate(s.Class(), "alpha", s.Alpha),
		rate(s.Class(), "warmup_target", s.WarmupTarget.Or(0)), rate(s.Class(), "warmup_steps", s.WarmupSteps))
}

// Check implements Schedule.
func (s CosineDecayRestarts) Check() error {
	if t := s.TMul.Or(2); !(t >= 1) || math.IsInf(t, 0) {
		return fmt.Errorf("schedules: CosineDecayRestarts: t_mul must be finite and from 1, got %v", t)
	}
	return first(rate(s.Class(), "initial_learning_rate", s.Initial), steps(s.Class(), "first_decay_steps", s.Steps), rate(s.Class(), "alpha", s.Alpha),
		rate(s.Class(), "m_mul", s.MMul.Or(1)))
}

// At implements Schedule.
func (s CosineDecay) At(step int64) float64 {
	at, from := float64(step), s.Initial
	if s.WarmupTarget.IsSet() {
		from = s.WarmupTarget.Or(0)
		if at < s.WarmupSteps {
			return (from-s.Initial)*(at/s.WarmupSteps) + s.Initial
		}
		at -= s.WarmupSteps
	}
	return from * fall(math.Min(at, s.Steps)/s.Steps, 1, s.Alpha)
}

// fall is half a cosine from high to alpha for p from 0 to 1.
func fall(p, high, alpha float64) float64 {
	return (1-alpha)*0.5*high*(1+math.Cos(math.Pi*p)) + alpha
}

// At implements Schedule.
func (s CosineDecayRestarts) At(step int64) float64 {
	i, p := period(float64(step)/s.Steps, s.TMul.Or(2))
	return s.Initial * fall(p, math.Pow(s.MMul.Or(1), i), s.Alpha)
}

// period is the number of the period that place x lies in, and how much of it is over, where period i is t^i long.
func period(x, t float64) (i, p float64) {
	if t == 1 {
		i = math.Floor(x)
		return i, x - i
	}
	// start(i) = 1 + t + ... + t^(i-1). The logarithm finds i up to its rounding, which would show at a period's first step.
	start := func(i float64) float64 { return (math.Pow(t, i) - 1) / (t - 1) }
	i = math.Floor(math.Log(1+x*(t-1)) / math.Log(t))
	if start(i) > x {
		i--
	} else if start(i+1) <= x {
		i++
	}
	return i, (x - start(i)) / math.Pow(t, i)
}
