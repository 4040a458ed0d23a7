// Package regularizers are penalties on weights, or on what a layer returns, that a model adds to its loss, by Keras's names and
// rules. Source: keras/src/regularizers/regularizers.py.
package regularizers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Regularizer is a penalty. The Specs of this package are plain data; their zero values are Keras's defaults.
type Regularizer interface {
	// Class is the name of the class in Keras.
	Class() string
	// Config is what Keras's class is made with, as Keras writes it into a file.
	Config() map[string]any
	// Check fails on a wrong argument, or on a shape that the penalty is not defined for. Axes may be None.
	Check(shape tensor.Shape) error
	// Value is the penalty of x, row-major.
	Value(x []float32, shape tensor.Shape) float64
	// AddGrad adds scale times the penalty's gradient to dst. It allocates nothing.
	AddGrad(dst, x []float32, shape tensor.Shape, scale float32)
}

// L1 is L1 · Σ|x|.
type L1 struct {
	L1 tensor.Float // unset: 0.01
}

// Class is "L1".
func (L1) Class() string { return "L1" }

// Config implements Regularizer.
func (r L1) Config() map[string]any { return map[string]any{"l1": r.L1.Or(0.01)} }

// Check implements Regularizer.
func (r L1) Check(tensor.Shape) error { return checkFactor("L1", "l1", r.L1.Or(0.01)) }

// Value implements Regularizer.
func (r L1) Value(x []float32, _ tensor.Shape) float64 { return r.L1.Or(0.01) * sumAbs(x) }

// AddGrad implements Regularizer. At 0 the gradient is 0.
func (r L1) AddGrad(dst, x []float32, _ tensor.Shape, scale float32) {
	addSigns(dst, x, scale*float32(r.L1.Or(0.01)))
}

// L2 is L2 · Σx².
type L2 struct {
	L2 tensor.Float // unset: 0.01
}

// Class is "L2".
func (L2) Class() string { return "L2" }

// Config implements Regularizer.
func (r L2) Config() map[string]any { return map[string]any{"l2": r.L2.Or(0.01)} }

// Check implements Regularizer.
func (r L2) Check(tensor.Shape) error { return checkFactor("L2", "l2", r.L2.Or(0.01)) }

// Value implements Regularizer.
func (r L2) Value(x []float32, _ tensor.Shape) float64 { return r.L2.Or(0.01) * sumSquares(x) }

// AddGrad implements Regularizer.
func (r L2) AddGrad(dst, x []float32, _ tensor.Shape, scale float32) {
	addScaled(dst, x, 2*scale*float32(r.L2.Or(0.01)))
}

// L1L2 is L1 · Σ|x| + L2 · Σx².
type L1L2 struct{ L1, L2 float64 }

// Class is "L1L2".
func (L1L2) Class() string { return "L1L2" }

// Config implements Regularizer.
func (r L1L2) Config() map[string]any { return map[string]any{"l1": r.L1, "l2": r.L2} }

// Check implements Regularizer.
func (r L1L2) Check(tensor.Shape) error {
	if err := checkFactor("L1L2", "l1", r.L1); err != nil {
		return err
	}
	return checkFactor("L1L2", "l2", r.L2)
}

// Value implements Regularizer.
func (r L1L2) Value(x []float32, _ tensor.Shape) float64 {
	v := 0.0
	if r.L1 != 0 {
		v += r.L1 * sumAbs(x)
	}
	if r.L2 != 0 {
		v += r.L2 * sumSquares(x)
	}
	return v
}

// AddGrad implements Regularizer.
func (r L1L2) AddGrad(dst, x []float32, _ tensor.Shape, scale float32) {
	if r.L1 != 0 {
		addSigns(dst, x, scale*float32(r.L1))
	}
	if r.L2 != 0 {
		addScaled(dst, x, 2*scale*float32(r.L2))
	}
}

func checkFactor(class, name string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 1) {
		return fmt.Errorf("regularizers: %s: %s must be a finite number from 0, got %v", class, name, v)
	}
	return nil
}

func sumAbs(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += math.Abs(float64(v))
	}
	return s
}

func sumSquares(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(float64(v) * float64(v))
	}
	return s
}

// addSigns adds c times the sign of x.
func addSigns(dst, x []float32, c float32) {
	for i, v := range x {
		switch {
		case v > 0:
			dst[i] += c
		case v < 0:
			dst[i] -= c
		case v != v:
			dst[i] = v
		}
	}
}

func addScaled(dst, x []float32, c float32) {
	for i, v := range x {
		dst[i] += float32(c * v)
	}
}
