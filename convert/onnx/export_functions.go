package onnx

import (
	"math"

	"github.com/unroll-ml/unroll/activations"
)

// Selu's constants: Klambauer et al., 2017, to the digits that Keras uses.
const (
	seluAlpha = 1.6732632423543772848170429916717
	seluScale = 1.0507009873554804934193349852946
)

// activation is an activation of x; of a function on rows the last axis, with number last, is the row.
func (b *builder) activation(a activations.Activation, x string, last int) string {
	switch a {
	case "", activations.Linear:
		return x
	case activations.Exponential:
		return b.op("Exp", x)
	case activations.Softmax:
		return b.with("Softmax", attrs("axis", -1), x)
	case activations.LogSoftmax:
		return b.with("LogSoftmax", attrs("axis", -1), x)
	case activations.Sparsemax:
		return b.sparsemax(x, last)
	}
	return b.function(a.Name(), x)
}

// function is an elementwise function of the language of equations, by its name there.
func (b *builder) function(name, x string) string {
	switch name {
	case "linear":
		return x
	case "relu":
		return b.op("Relu", x)
	case "leaky_relu":
		return b.with("LeakyRelu", attrs("alpha", 0.2), x)
	case "relu6":
		return b.op("Clip", x, b.scalar(0), b.scalar(6))
	case "elu":
		return b.with("Elu", attrs("alpha", 1.0), x)
	case "selu":
		return b.with("Selu", attrs("alpha", seluAlpha, "gamma", seluScale), x)
	case "celu":
		return b.with("Celu", attrs("alpha", 1.0), x)
	case "gelu":
		erf := b.op("Erf", b.op("Div", x, b.scalar(math.Sqrt2)))
		return b.op("Mul", b.op("Mul", x, b.scalar(0.5)), b.op("Add", erf, b.scalar(1)))
	case "silu":
		return b.op("Mul", x, b.op("Sigmoid", x))
	case "hard_silu":
		return b.op("Mul", x, b.function("hard_sigmoid", x))
	case "softplus":
		return b.op("Softplus", x)
	case "softsign":
		return b.op("Softsign", x)
	case "tanh":
		return b.op("Tanh", x)
	case "hard_tanh":
		return b.op("Clip", x, b.scalar(-1), b.scalar(1))
	case "tanh_shrink":
		return b.op("Sub", x, b.op("Tanh", x))
	case "soft_shrink":
		return b.with("Shrink", attrs("lambd", 0.5, "bias", 0.5), x)
	case "hard_shrink":
		return b.with("Shrink", attrs("lambd", 0.5, "bias", 0.0), x)
	case "sigmoid":
		return b.op("Sigmoid", x)
	case "hard_sigmoid":
		return b.with("HardSigmoid", attrs("alpha", 1.0/6, "beta", 0.5), x)
	case "hard_sigmoid_keras2":
		return b.with("HardSigmoid", attrs("alpha", 0.2, "beta", 0.5), x)
	case "log_sigmoid":
		return b.op("Neg", b.op("Softplus", b.op("Neg", x)))
	case "mish":
		return b.op("Mul", x, b.op("Tanh", b.op("Softplus", x)))
	case "squareplus":
		root := b.op("Sqrt", b.op("Add", b.op("Mul", x, x), b.scalar(4)))
		return b.op("Mul", b.op("Add", x, root), b.scalar(0.5))
	case "sparse_plus": // (c + 1)² / 4 with c within -1 and 1, and what x has above 1
		c := b.op("Add", b.op("Clip", x, b.scalar(-1), b.scalar(1)), b.scalar(1))
		square := b.op("Mul", b.op("Mul", c, c), b.scalar(0.25))
		return b.op("Add", square, b.op("Relu", b.op("Sub", x, b.scalar(1))))
	case "sparse_sigmoid":
		return b.with("HardSigmoid", attrs("alpha", 0.5, "beta", 0.5), x)
	case "exp":
		return b.op("Exp", x)
	case "log":
		return b.op("Log", x)
	case "sqrt":
		return b.op("Sqrt", x)
	case "abs":
		return b.op("Abs", x)
	case "square":
		return b.op("Mul", x, x)
	}
	panic("onnx: no operators for the function " + name) // of a table that the tests go through
}

// sparsemax is max(x - tau, 0), tau from the k largest values, k the last with 1 + k z(k) above their sum. Martins and Astudillo, 2016, algorithm 1.
func (b *builder) sparsemax(x string, last int) string {
	width := b.dim(x, last)
	sorted := b.several("TopK", 2, attrs("axis", -1), x, width)[0]
	k := b.castFloat(b.op("Add", b.count(width), b.whole(1)))
	sums := b.op("CumSum", sorted, b.whole(-1))
	in := b.castFloat(b.op("Greater", b.op("Add", b.op("Mul", k, sorted), b.scalar(1)), sums))
	sum := b.reduce("ReduceSum", true, b.op("Mul", in, sorted), -1)
	tau := b.op("Div", b.op("Sub", sum, b.scalar(1)), b.reduce("ReduceSum", true, in, -1))
	return b.op("Relu", b.op("Sub", x, tau))
}
