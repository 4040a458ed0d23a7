// Package optimizers turn gradients into steps of the weights, by Keras's names, formulas and defaults.
package optimizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// Optimizer is a Spec: plain data, whose zero value is Keras's default. It has no state of its own: the slots belong to the caller,
// who makes, saves and restores them.
type Optimizer interface {
	// Class is the name of the class in Keras.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Check fails when an argument is wrong.
	Check() error
	// Rate is the learning rate that training begins with. With a schedule, which is otherwise nil, every update asks the schedule,
	// and the rate cannot be set.
	Rate() (initial float64, schedule schedules.Schedule)
	// Slots are the arrays that go with every weight, each of its shape, in the order in which Keras stores them: group after group;
	// inside a group weight after weight, the group's slots of a weight side by side.
	Slots() [][]Slot
	// Apply makes update number step (from 1) with the learning rate lr: it changes w by the gradients g. slots are those of w, group
	// after group. All have one length. Where Traits says Elementwise, w may be any part of a weight.
	Apply(step int64, lr float64, w, g []float32, slots [][]float32)
	// Traits says what the caller may make use of.
	Traits() Traits
	// Shared are the arguments that all optimizers have, which the caller carries out.
	Shared() Common
}

// Shaped is an optimizer that looks at a weight's shape, and whose slots are not all of that shape. It is given whole weights.
type Shaped interface {
	Optimizer
	// SlotShapes are the shapes of a weight's slots, group after group; nil is a single number.
	SlotShapes(w tensor.Shape) []tensor.Shape
	// ApplyShaped is Apply for a weight of that shape.
	ApplyShaped(shape tensor.Shape, step int64, lr float64, w, g []float32, slots [][]float32)
}

// Placed is an optimizer that steps weights by where they stand. For is the one for the weight of this path, as Keras names it, and shape; it is made
// once a weight, has workspaces of its own, and its slots are some of this one's, group by group.
type Placed interface {
	Optimizer
	For(path string, shape tensor.Shape) Optimizer
}

// Scaled is an optimizer for which Keras keeps numbers, behind all slots, that follow from the number of the update here.
type Scaled interface{ Scalars(update int64) []float64 }

// Slot is an array that an optimizer keeps for every weight.
type Slot struct {
	Name  string // as Keras names the variable: "velocity"
	Start float32
	Copy  bool // it begins as a copy of the weight
}

// Traits are properties of an optimizer as it is configured.
type Traits struct {
	// Elementwise: every value of a weight is updated by itself, so that a weight may be updated in parts.
	Elementwise bool
	// SparseSafe: a gradient of 0 leaves the weight as it is and multiplies its slots by Decay, so that values without a gradient need
	// not be visited before they have one again.
	SparseSafe bool
	Decay      float64 // 1 where slots stay as they are
}

// start is the rate that training begins with.
func start(rate tensor.Float, def float64, s schedules.Schedule) (float64, schedules.Schedule) {
	if s != nil {
		return s.At(0), s
	}
	return rate.Or(def), nil
}

// checkRate fails unless the learning rate is finite and from 0, and given in one way.
func checkRate(class string, rate tensor.Float, s schedules.Schedule) error {
	if s != nil {
		if rate.IsSet() {
			return fmt.Errorf("optimizers: %s: expected a learning rate or a schedule, got both", class)
		}
		return s.Check()
	}
	return atLeast0(class, "learning_rate", rate.Or(0))
}

func atLeast0(class, arg string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 0) {
		return fmt.Errorf("optimizers: %s: %s must be finite and from 0, got %v", class, arg, v)
	}
	return nil
}

// fraction fails unless 0 <= v <= 1; of decay rates, 1 is refused by below1.
func fraction(class, arg string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("optimizers: %s: %s must be in [0, 1], got %v", class, arg, v)
	}
	return nil
}

func below1(class, arg string, v float64) error {
	if !(v >= 0 && v < 1) {
		return fmt.Errorf("optimizers: %s: %s must be in [0, 1), got %v", class, arg, v)
	}
	return nil
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

// root rounds to float32 what is exact to float64: the correctly rounded square root.
func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// decay is the decoupled weight decay, w -= lr wd w, before the update proper.
func decay(w []float32, lr float64, wd tensor.Float) {
	if d := wd.Or(0); d != 0 {
		kernel.Axpy(w, -float32(lr*d), w)
	}
}
