package initializers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// Zeros sets every value to 0.
type Zeros struct{}

func (Zeros) Class() string          { return "Zeros" }
func (Zeros) Config() map[string]any { return map[string]any{} }

// Fill implements Initializer.
func (i Zeros) Fill(dst []float32, shape tensor.Shape, _ *random.Stream) error {
	return fillConstant(i.Class(), dst, shape, 0)
}

// Ones sets every value to 1.
type Ones struct{}

func (Ones) Class() string          { return "Ones" }
func (Ones) Config() map[string]any { return map[string]any{} }

// Fill implements Initializer.
func (i Ones) Fill(dst []float32, shape tensor.Shape, _ *random.Stream) error {
	return fillConstant(i.Class(), dst, shape, 1)
}

// Constant sets every value to Value.
type Constant struct {
	Value float64
}

func (Constant) Class() string            { return "Constant" }
func (i Constant) Config() map[string]any { return map[string]any{"value": i.Value} }

// Fill implements Initializer.
func (i Constant) Fill(dst []float32, shape tensor.Shape, _ *random.Stream) error {
	return fillConstant(i.Class(), dst, shape, float32(i.Value))
}

func fillConstant(class string, dst []float32, shape tensor.Shape, v float32) error {
	if err := checkShape(class, dst, shape); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = v
	}
	return nil
}

// Identity is Gain on the main diagonal of a matrix, square or not, and 0 elsewhere.
type Identity struct {
	Gain tensor.Float // 1
}

func (Identity) Class() string { return "Identity" }

// Config has the gain only when it is not 1: Keras 3.15 writes none, but reads it.
func (i Identity) Config() map[string]any {
	c := map[string]any{}
	if g := i.Gain.Or(1); g != 1 {
		c["gain"] = g
	}
	return c
}

// Fill implements Initializer.
func (i Identity) Fill(dst []float32, shape tensor.Shape, _ *random.Stream) error {
	if err := checkShape(i.Class(), dst, shape); err != nil {
		return err
	}
	if len(shape) != 2 {
		return fmt.Errorf("initializers: Identity: expected a matrix, got shape %v", shape)
	}
	clear(dst)
	for j := range min(shape[0], shape[1]) {
		dst[j*shape[1]+j] = float32(i.Gain.Or(1))
	}
	return nil
}
