// Package activations are the functions that Keras knows by name, with Keras's default arguments.
package activations

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// Activation is a function by its Keras name. The zero value is unset: the layer's default.
type Activation string

// The activations. Those above the line work on each value alone, those below on rows: the last axis.
const (
	Linear        Activation = "linear"         // x
	ReLU          Activation = "relu"           // max(x, 0)
	LeakyReLU     Activation = "leaky_relu"     // x, or 0.2 x below 0
	ReLU6         Activation = "relu6"          // min(max(x, 0), 6)
	ELU           Activation = "elu"            // x, or exp(x) - 1 below 0
	SELU          Activation = "selu"           // 1.0507 x, or 1.0507 · 1.6733 (exp(x) - 1) below 0
	CELU          Activation = "celu"           // as ELU
	GELU          Activation = "gelu"           // x (1 + erf(x / √2)) / 2
	SiLU          Activation = "silu"           // x sigmoid(x)
	HardSiLU      Activation = "hard_silu"      // x hard_sigmoid(x)
	Softplus      Activation = "softplus"       // log(1 + exp(x))
	Softsign      Activation = "softsign"       // x / (1 + |x|)
	Tanh          Activation = "tanh"           //
	HardTanh      Activation = "hard_tanh"      // min(max(x, -1), 1)
	TanhShrink    Activation = "tanh_shrink"    // x - tanh(x)
	SoftShrink    Activation = "soft_shrink"    // x less 0.5 in magnitude, 0 within
	HardShrink    Activation = "hard_shrink"    // x, or 0 where |x| <= 0.5
	Sigmoid       Activation = "sigmoid"        // 1 / (1 + exp(-x))
	HardSigmoid   Activation = "hard_sigmoid"   // min(max(x + 3, 0), 6) / 6, as in Keras 3
	LogSigmoid    Activation = "log_sigmoid"    // log(sigmoid(x))
	Mish          Activation = "mish"           // x tanh(softplus(x))
	Squareplus    Activation = "squareplus"     // (x + √(x² + 4)) / 2
	SparsePlus    Activation = "sparse_plus"    // 0 up to -1, x from 1, (x + 1)² / 4 between
	SparseSigmoid Activation = "sparse_sigmoid" // 0 up to -1, 1 from 1, (x + 1) / 2 between
	Exponential   Activation = "exponential"    // exp(x)

	// HardSigmoidKeras2 is min(max(0.2 x + 0.5, 0), 1), which Keras 2 called hard_sigmoid. Keras 3 has no such function, and does not read
	// a file that names it.
	HardSigmoidKeras2 Activation = "hard_sigmoid_keras2"

	Softmax    Activation = "softmax"     // exp(x) over its sum
	LogSoftmax Activation = "log_softmax" // log(softmax(x))
	Sparsemax  Activation = "sparsemax"   // the nearest point of the probability simplex; Martins and Astudillo, 2016
	GLU        Activation = "glu"         // the first half of the row times the sigmoid of the second: half as wide
)

// Name is the name under which Keras saves the activation.
func (a Activation) Name() string {
	switch a {
	case "swish":
		return string(SiLU)
	case "hard_swish":
		return string(HardSiLU)
	}
	return string(a)
}

// Or is a, or def when a is unset.
func (a Activation) Or(def Activation) Activation {
	if a == "" {
		return def
	}
	return a
}

// Elementwise reports whether each value is worked on alone.
func (a Activation) Elementwise() bool {
	_, ok := a.elementwise()
	return ok
}

// elementwise is the kernel's function. The kernel knows functions that are no activations of Keras (log, abs); they are
// refused here.
func (a Activation) elementwise() (kernel.Func, bool) {
	f, ok := kernel.FuncByName(a.Name())
	switch f {
	case kernel.Log, kernel.Sqrt, kernel.Abs, kernel.Square:
		return 0, false
	case kernel.Exp:
		return f, a == Exponential
	}
	return f, ok
}

// rowwise reports whether the activation works on whole rows.
func (a Activation) rowwise() bool {
	return a == Softmax || a == LogSoftmax || a == Sparsemax || a == GLU
}

// Width is how many values come out of a row of width values: as many, but half for glu, which fails when they cannot be halved.
func (a Activation) Width(width int) (int, error) {
	if a != GLU {
		return width, nil
	}
	if width%2 != 0 {
		return 0, fmt.Errorf("activations: glu: expected an even width, got %d", width)
	}
	return width / 2, nil
}

// NeedsInput reports whether Backward reads x, the argument.
func (a Activation) NeedsInput() bool {
	f, ok := a.elementwise()
	return ok && f.NeedsX() || a == GLU
}

// NeedsOutput reports whether Backward reads y, the value.
func (a Activation) NeedsOutput() bool {
	f, ok := a.elementwise()
	return ok && f.NeedsY() || a.rowwise() && a != GLU
}

// Forward is dst = a(x) for rows of width values each. dst may be x, except for glu, whose dst has half as many values. It panics on a
// name that ByName refuses.
func (a Activation) Forward(dst, x []float32, rows, width int) {
	if f, ok := a.elementwise(); ok {
		kernel.Apply(f, dst[:rows*width], x[:rows*width])
		return
	}
	switch a {
	case Softmax:
		kernel.Softmax(dst, x, rows, width)
	case LogSoftmax:
		each(dst, x, rows, width, logSoftmax)
	case Sparsemax:
		each(dst, x, rows, width, sparsemax)
	case GLU:
		half := width / 2
		for i := range rows {
			glu(dst[i*half:][:half], x[i*width:][:width])
		}
	default:
		panic(fmt.Sprintf("activations: unknown activation %q", string(a)))
	}
}

// Backward is dx = dy times the derivative of a, for rows of width values of x each, with y = a(x). It reads x only where NeedsInput
// and y only where NeedsOutput; the other may be nil. dx may be dy, except for glu.
func (a Activation) Backward(dx, dy, x, y []float32, rows, width int) {
	n := rows * width
	if f, ok := a.elementwise(); ok {
		if f.NeedsX() {
			x = x[:n]
		}
		if f.NeedsY() {
			y = y[:n]
		}
		kernel.ApplyGrad(f, dx[:n], dy[:n], x, y)
		return
	}
	switch a {
	case Softmax:
		kernel.SoftmaxGrad(dx, dy, y, rows, width)
	case LogSoftmax:
		eachGrad(dx, dy, y, rows, width, logSoftmaxGrad)
	case Sparsemax:
		eachGrad(dx, dy, y, rows, width, sparsemaxGrad)
	case GLU:
		half := width / 2
		for i := range rows {
			gluGrad(dx[i*width:][:width], dy[i*half:][:half], x[i*width:][:width])
		}
	default:
		panic(fmt.Sprintf("activations: unknown activation %q", string(a)))
	}
}
