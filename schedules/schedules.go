// Package schedules are learning rates that change with the number of steps, as in keras.optimizers.schedules.
package schedules

import (
	"fmt"
	"math"
)

// Schedule is a Spec: plain data. A number that Keras asks for must be given; the others' zero values are Keras's defaults.
type Schedule interface {
	// Class is the name of the class in Keras.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Check fails when an argument is wrong.
	Check() error
	// At is the learning rate of the update after step updates; the first update is At(0).
	At(step int64) float64
}

// ExponentialDecay is Initial · Rate^(step / Steps).
type ExponentialDecay struct {
	Initial   float64 // the first learning rate
	Steps     float64 // steps for one factor Rate
	Rate      float64
	Staircase bool // step / Steps is rounded down
	Name      string
}

// InverseTimeDecay is Initial / (1 + Rate · step / Steps).
type InverseTimeDecay struct {
	Initial   float64 // the first learning rate
	Steps     float64
	Rate      float64
	Staircase bool // step / Steps is rounded down
	Name      string
}

func (ExponentialDecay) Class() string { return "ExponentialDecay" }
func (InverseTimeDecay) Class() string { return "InverseTimeDecay" }

func (s ExponentialDecay) Config() map[string]any {
	return map[string]any{"initial_learning_rate": s.Initial, "decay_steps": whole(s.Steps), "decay_rate": s.Rate, "staircase": s.Staircase,
		"name": named(s.Name, s.Class())}
}

func (s InverseTimeDecay) Config() map[string]any {
	return map[string]any{"initial_learning_rate": s.Initial, "decay_steps": whole(s.Steps), "decay_rate": s.Rate, "staircase": s.Staircase,
		"name": named(s.Name, s.Class())}
}

// Check implements Schedule.
func (s ExponentialDecay) Check() error {
	return first(rate(s.Class(), "initial_learning_rate", s.Initial), rate(s.Class(), "decay_rate", s.Rate), steps(s.Class(), "decay_steps", s.Steps))
}

// Check implements Schedule.
func (s InverseTimeDecay) Check() error {
	return first(rate(s.Class(), "initial_learning_rate", s.Initial), rate(s.Class(), "decay_rate", s.Rate), steps(s.Class(), "decay_steps", s.Steps))
}

// At implements Schedule.
func (s ExponentialDecay) At(step int64) float64 {
	return s.Initial * math.Pow(s.Rate, stairs(step, s.Steps, s.Staircase))
}

// At implements Schedule.
func (s InverseTimeDecay) At(step int64) float64 {
	return s.Initial / (1 + s.Rate*stairs(step, s.Steps, s.Staircase))
}

// stairs is step / steps, rounded down where asked for.
func stairs(step int64, steps float64, staircase bool) float64 {
	p := float64(step) / steps
	if staircase {
		p = math.Floor(p)
	}
	return p
}

// whole is a number of steps as Keras's files have it: an integer where it is one.
func whole(v float64) any {
	if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
		return int(v)
	}
	return v
}

func named(name, def string) string {
	if name == "" {
		return def
	}
	return name
}

// first is the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// rate fails unless the number is finite and from 0.
func rate(class, arg string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 0) {
		return fmt.Errorf("schedules: %s: %s must be finite and from 0, got %v", class, arg, v)
	}
	return nil
}

// steps fails unless the number is finite and positive.
func steps(class, arg string, v float64) error {
	if !(v > 0) || math.IsInf(v, 0) {
		return fmt.Errorf("schedules: %s: %s must be finite and positive, got %v", class, arg, v)
	}
	return nil
}
