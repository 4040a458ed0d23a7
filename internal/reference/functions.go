// Package reference computes in float64, one plain function a layer, what the fast code must agree with. Only tests use it.
package reference

import "math"

// function is an elementwise function with its derivative, both of x, and the places where a difference quotient is no use:
// corners, and the edges of the domain.
type function struct {
	f, slope func(x float64) float64
	corners  []float64
}

// Selu's constants: the fixed point at mean 0 and variance 1 (Klambauer et al., 2017), to the digits that Keras uses.
const (
	seluAlpha = 1.6732632423543772848170429916717
	seluScale = 1.0507009873554804934193349852946
)

func logistic(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// where is a if c holds, else b.
func where(c bool, a, b float64) float64 {
	if c {
		return a
	}
	return b
}

func elu(alpha, scale float64) function {
	return function{
		func(x float64) float64 { return where(x < 0, scale*alpha*math.Expm1(x), scale*x) },
		func(x float64) float64 { return where(x < 0, scale*alpha*math.Exp(x), scale) },
		[]float64{0},
	}
}

// elementwise is the function of this name: Keras 3.15's activations with default arguments (keras/src/backend/tensorflow/nn.py)
// and exp, log, sqrt, abs, square. At a corner the slope is that of TensorFlow. It panics on any other name.
func elementwise(name string) function {
	switch name {
	case "relu":
		return function{func(x float64) float64 { return math.Max(x, 0) }, func(x float64) float64 { return where(x > 0, 1, 0) }, []float64{0}}
	case "leaky_relu":
		return function{func(x float64) float64 { return where(x > 0, x, 0.2*x) }, func(x float64) float64 { return where(x > 0, 1, 0.2) }, []float64{0}}
	case "relu6":
		return function{
			func(x float64) float64 { return math.Min(math.Max(x, 0), 6) },
			func(x float64) float64 { return where(x > 0 && x < 6, 1, 0) }, []float64{0, 6},
		}
	case "elu", "celu":
		return elu(1, 1)
	case "selu":
		return elu(seluAlpha, seluScale)
	case "gelu":
		return function{
			func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
			func(x float64) float64 {
				return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
			}, nil,
		}
	case "silu":
		return function{
			func(x float64) float64 { return x * logistic(x) },
			func(x float64) float64 { return logistic(x) * (1 + x*(1-logistic(x))) }, nil,
		}
	case "hard_silu":
		return function{
			func(x float64) float64 { return x * math.Min(math.Max(x+3, 0), 6) / 6 },
			func(x float64) float64 { return where(x <= -3, 0, where(x >= 3, 1, (2*x+3)/6)) }, []float64{-3, 3},
		}
	case "softplus":
		return function{softplus, logistic, nil}
	case "softsign":
		return function{
			func(x float64) float64 { return x / (1 + math.Abs(x)) },
			func(x float64) float64 { return math.Pow(1+math.Abs(x), -2) }, []float64{0},
		}
	case "tanh":
		return function{math.Tanh, func(x float64) float64 { return 1 - math.Pow(math.Tanh(x), 2) }, nil}
	case "hard_tanh":
		return function{
			func(x float64) float64 { return math.Min(math.Max(x, -1), 1) },
			func(x float64) float64 { return where(x >= -1 && x <= 1, 1, 0) }, []float64{-1, 1},
		}
	case "tanh_shrink":
		return function{func(x float64) float64 { return x - math.Tanh(x) }, func(x float64) float64 { return math.Pow(math.Tanh(x), 2) }, nil}
	case "soft_shrink":
		return function{
			func(x float64) float64 { return where(x > 0.5, x-0.5, where(x < -0.5, x+0.5, 0)) },
			func(x float64) float64 { return where(math.Abs(x) > 0.5, 1, 0) }, []float64{-0.5, 0.5},
		}
	case "hard_shrink":
		return function{
			func(x float64) float64 { return where(math.Abs(x) > 0.5, x, 0) },
			func(x float64) float64 { return where(math.Abs(x) > 0.5, 1, 0) }, []float64{-0.5, 0.5},
		}
	case "sigmoid":
		return function{logistic, func(x float64) float64 { return logistic(x) * logistic(-x) }, nil}
	case "hard_sigmoid":
		return function{
			func(x float64) float64 { return math.Min(math.Max(x+3, 0), 6) / 6 },
			func(x float64) float64 { return where(x > -3 && x < 3, 1.0/6, 0) }, []float64{-3, 3},
		}
	case "hard_sigmoid_keras2":
		return function{
			func(x float64) float64 { return math.Min(math.Max(0.2*x+0.5, 0), 1) },
			func(x float64) float64 { return where(x > -2.5 && x < 2.5, 0.2, 0) }, []float64{-2.5, 2.5},
		}
	case "log_sigmoid":
		return function{func(x float64) float64 { return -softplus(-x) }, func(x float64) float64 { return logistic(-x) }, nil}
	case "mish":
		return function{
			func(x float64) float64 { return x * math.Tanh(softplus(x)) },
			func(x float64) float64 {
				t := math.Tanh(softplus(x))
				return t + x*(1-t*t)*logistic(x)
			}, nil,
		}
	case "squareplus":
		return function{
			func(x float64) float64 { return (x + math.Sqrt(x*x+4)) / 2 },
			func(x float64) float64 { return (1 + x/math.Sqrt(x*x+4)) / 2 }, nil,
		}
	case "sparse_plus":
		return function{
			func(x float64) float64 { return where(x <= -1, 0, where(x < 1, (x+1)*(x+1)/4, x)) },
			func(x float64) float64 { return where(x <= -1, 0, where(x < 1, (x+1)/2, 1)) }, []float64{-1, 1},
		}
	case "sparse_sigmoid":
		return function{
			func(x float64) float64 { return where(x <= -1, 0, where(x >= 1, 1, (x+1)/2)) },
			func(x float64) float64 { return where(x > -1 && x < 1, 0.5, 0) }, []float64{-1, 1},
		}
	case "exp":
		return function{math.Exp, math.Exp, nil}
	case "log":
		return function{math.Log, func(x float64) float64 { return 1 / x }, []float64{0}}
	case "sqrt":
		return function{math.Sqrt, func(x float64) float64 { return 0.5 / math.Sqrt(x) }, []float64{0}}
	case "abs":
		return function{math.Abs, func(x float64) float64 { return where(x > 0, 1, where(x < 0, -1, 0)) }, []float64{0}}
	case "square":
		return function{func(x float64) float64 { return x * x }, func(x float64) float64 { return 2 * x }, nil}
	}
	panic("reference: unknown function " + name)
}
