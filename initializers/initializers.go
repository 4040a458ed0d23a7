// Package initializers draws the first values of weights, by Keras's names and rules.
package initializers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// Initializer draws the first values of a weight. The Specs of this package are plain data; their zero values are Keras's defaults.
type Initializer interface {
	// Class is the name of the class in Keras.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Fill sets the weight of the given shape, row-major. It draws from s, whose key the caller chooses, unless the Spec has a Seed:
	// then the seed alone decides, and two weights of one shape are equal, as in Keras. It fails when the shape or an argument
	// does not fit.
	Fill(dst []float32, shape tensor.Shape, s *random.Stream) error
}

// checkShape fails unless shape has only known axes and as many values as dst.
func checkShape(class string, dst []float32, shape tensor.Shape) error {
	for _, d := range shape {
		if d < 0 {
			return fmt.Errorf("initializers: %s: expected a shape with known axes, got %v", class, shape)
		}
	}
	if shape.Size() != len(dst) {
		return fmt.Errorf("initializers: %s: expected %d values for shape %v, got %d", class, shape.Size(), shape, len(dst))
	}
	return nil
}

// maxSeed is the largest seed: every whole number up to it is a float64.
const maxSeed = 1 << 53

// stream is the caller's stream, or the one of an explicit seed.
func stream(class string, seed tensor.Float, s *random.Stream) (*random.Stream, error) {
	if !seed.IsSet() {
		return s, nil
	}
	v := seed.Or(0)
	if !(v >= 0 && v <= maxSeed) || v != float64(uint64(v)) {
		return nil, fmt.Errorf("initializers: %s: seed must be a whole number from 0 to 2^53, got %v", class, v)
	}
	return random.New(uint64(v), random.Init), nil
}

// seedConfig is a seed as a file has it: an integer, or null.
func seedConfig(seed tensor.Float) any {
	if !seed.IsSet() {
		return nil
	}
	return int(seed.Or(0))
}
