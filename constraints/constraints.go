// Package constraints are what a weight is brought back to after every step of the optimizer, by Keras's names and rules.
// Source: keras/src/constraints/constraints.py.
package constraints

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Constraint changes a weight after a step. The Specs of this package are plain data; their zero values are Keras's defaults.
type Constraint interface {
	// Class is the name of the class in Keras.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Check fails on a wrong argument, or where it does not fit the weight's shape.
	Check(shape tensor.Shape) error
	// Apply brings w, row-major, back. It allocates nothing.
	Apply(w []float32, shape tensor.Shape)
}

// epsilon is keras.config.epsilon(), which stands beside every norm that something is divided by.
const epsilon = 1e-7

// NonNeg sets negative values to 0.
type NonNeg struct{}

// Class is "NonNeg".
func (NonNeg) Class() string { return "NonNeg" }

// Config implements Constraint.
func (NonNeg) Config() map[string]any { return map[string]any{} }

// Check implements Constraint.
func (NonNeg) Check(tensor.Shape) error { return nil }

// Apply implements Constraint.
func (NonNeg) Apply(w []float32, _ tensor.Shape) {
	for i, v := range w {
		w[i] = max(v, 0)
	}
}

// MaxNorm bounds norms: w · min(|w|, MaxValue)/(|w| + 1e-7). The norms are taken over Axis: those of a Dense layer's kernel over axis 0
// belong to its units.
type MaxNorm struct {
	MaxValue tensor.Float // unset: 2
	Axis     []int        // unset: 0
}

// Class is "MaxNorm".
func (MaxNorm) Class() string { return "MaxNorm" }

// Config implements Constraint.
func (c MaxNorm) Config() map[string]any {
	return map[string]any{"max_value": c.MaxValue.Or(2), "axis": axisConfig(c.Axis)}
}

// Check implements Constraint.
func (c MaxNorm) Check(shape tensor.Shape) error {
	if err := checkNumber("MaxNorm", "max_value", c.MaxValue.Or(2)); err != nil {
		return err
	}
	return checkAxes("MaxNorm", c.Axis, shape)
}

// Apply implements Constraint.
func (c MaxNorm) Apply(w []float32, shape tensor.Shape) {
	most := c.MaxValue.Or(2)
	eachNorm(w, shape, c.Axis, func(norm float64) float64 { return clip(norm, 0, most) / (epsilon + norm) })
}

// UnitNorm makes norms 1: w/(|w| + 1e-7).
type UnitNorm struct {
	Axis []int // unset: 0
}

// Class is "UnitNorm".
func (UnitNorm) Class() string { return "UnitNorm" }

// Config implements Constraint.
func (c UnitNorm) Config() map[string]any { return map[string]any{"axis": axisConfig(c.Axis)} }

// Check implements Constraint.
func (c UnitNorm) Check(shape tensor.Shape) error { return checkAxes("UnitNorm", c.Axis, shape) }

// Apply implements Constraint.
func (c UnitNorm) Apply(w []float32, shape tensor.Shape) {
	eachNorm(w, shape, c.Axis, func(norm float64) float64 { return 1 / (epsilon + norm) })
}

// MinMaxNorm moves norms by Rate of the way to where they lie between MinValue and MaxValue.
type MinMaxNorm struct {
	MinValue       float64
	MaxValue, Rate tensor.Float // unset: 1
	Axis           []int        // unset: 0
}

// Class is "MinMaxNorm".
func (MinMaxNorm) Class() string { return "MinMaxNorm" }

// Config implements Constraint.
func (c MinMaxNorm) Config() map[string]any {
	return map[string]any{"min_value": c.MinValue, "max_value": c.MaxValue.Or(1), "rate": c.Rate.Or(1), "axis": axisConfig(c.Axis)}
}

// Check implements Constraint.
func (c MinMaxNorm) Check(shape tensor.Shape) error {
	for _, a := range []struct {
		name  string
		value float64
	}{{"min_value", c.MinValue}, {"max_value", c.MaxValue.Or(1)}, {"rate", c.Rate.Or(1)}} {
		if err := checkNumber("MinMaxNorm", a.name, a.value); err != nil {
			return err
		}
	}
	return checkAxes("MinMaxNorm", c.Axis, shape)
}

// Apply implements Constraint.
func (c MinMaxNorm) Apply(w []float32, shape tensor.Shape) {
	least, most, rate := c.MinValue, c.MaxValue.Or(1), c.Rate.Or(1)
	eachNorm(w, shape, c.Axis, func(norm float64) float64 {
		return (rate*clip(norm, least, most) + (1-rate)*norm) / (epsilon + norm)
	})
}

// clip keeps NaN, and is the upper bound where the bounds have changed places, as in TensorFlow.
func clip(v, least, most float64) float64 { return min(max(v, least), most) }

func checkNumber(class, name string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("constraints: %s: %s must be a finite number, got %v", class, name, v)
	}
	return nil
}
