package kernel

import "math"

// Func is an elementwise function of one value, named as in Keras and with Keras's default arguments.
type Func uint8

// The functions.
const (
	Linear            Func = iota // x
	Relu                          // max(x, 0)
	LeakyRelu                     // x, or 0.2 x below 0
	Relu6                         // min(max(x, 0), 6)
	Elu                           // x, or exp(x) - 1 below 0
	Selu                          // 1.0507 x, or 1.0507 * 1.6733 (exp(x) - 1) below 0
	Celu                          // Elu, at Keras's default argument
	Gelu                          // x (1 + erf(x / sqrt 2)) / 2
	Silu                          // x sigmoid(x)
	HardSilu                      // x hard_sigmoid(x)
	Softplus                      // log(1 + exp(x))
	Softsign                      // x / (1 + |x|)
	Tanh                          //
	HardTanh                      // min(max(x, -1), 1)
	TanhShrink                    // x - tanh(x)
	SoftShrink                    // x less 0.5 in magnitude, 0 within
	HardShrink                    // x, or 0 where |x| <= 0.5
	Sigmoid                       // 1 / (1 + exp(-x))
	HardSigmoid                   // relu6(x + 3) / 6
	HardSigmoidKeras2             // min(max(0.2 x + 0.5, 0), 1), which Keras 2 called hard_sigmoid
	LogSigmoid                    // -softplus(-x)
	Mish                          // x tanh(softplus(x))
	Squareplus                    // (x + sqrt(x^2 + 4)) / 2
	SparsePlus                    // 0 up to -1, x from 1, (x + 1)^2 / 4 between
	SparseSigmoid                 // 0 up to -1, 1 from 1, (x + 1) / 2 between
	Exp                           // named exponential as an activation
	Log                           //
	Sqrt                          //
	Abs                           //
	Square                        // x^2
	funcs
)

var funcNames = [funcs]string{"linear", "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "softplus",
	"softsign", "tanh", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", "log_sigmoid", "mish",
	"squareplus", "sparse_plus", "sparse_sigmoid", "exp", "log", "sqrt", "abs", "square"}

// String is the name that FuncByName takes.
func (f Func) String() string {
	if f < funcs {
		return funcNames[f]
	}
	return "unknown function"
}

// FuncByName finds a function; swish, hard_swish and exponential are other names of silu, hard_silu and exp.
func FuncByName(name string) (Func, bool) {
	switch name {
	case "swish":
		return Silu, true
	case "hard_swish":
		return HardSilu, true
	case "exponential":
		return Exp, true
	}
	for f, n := range funcNames {
		if n == name {
			return Func(f), true
		}
	}
	return 0, false
}

// NeedsX reports whether ApplyGrad reads x, the argument of the function.
func (f Func) NeedsX() bool { return f != Linear && !f.NeedsY() }

// NeedsY reports whether ApplyGrad reads y, the value of the function. No function needs both.
func (f Func) NeedsY() bool {
	switch f {
	case Relu, LeakyRelu, Relu6, Elu, Selu, Celu, Tanh, Sigmoid, HardSigmoid, HardSigmoidKeras2, Exp, Sqrt:
		return true
	}
	return false
}

// Apply is dst = f(x), elementwise; dst may be x. NaN gives NaN.
func Apply(f Func, dst, x []float32) {
	checkSame("Apply", "x", x, len(dst))
	if f >= funcs {
		panic("kernel: Apply: unknown function")
	}
	if useAVX512 && len(dst) > 0 && applyAVX512(f, dst, x) {
		return
	}
	if useAVX2 && len(dst) > 0 && applyAVX2(f, dst, x) {
		return
	}
	applyGeneric(f, dst, x)
}

func applyGeneric(f Func, dst, x []float32) {
	dst = dst[:len(x)]
	switch f {
	case Linear:
		copy(dst, x)
	case Relu:
		for i, v := range x {
			dst[i] = relu(v)
		}
	case LeakyRelu:
		for i, v := range x {
			if v < 0 {
				v *= 0.2
			}
			dst[i] = v
		}
	case Relu6:
		for i, v := range x {
			dst[i] = relu6(v)
		}
	case Elu, Celu:
		for i, v := range x {
			if v < 0 {
				v = float32(math.Expm1(float64(v)))
			}
			dst[i] = v
		}
	case Selu:
		for i, v := range x {
			if v < 0 {
				dst[i] = float32(seluScale * seluAlpha * math.Expm1(float64(v)))
			} else {
				dst[i] = float32(seluScale) * v
			}
		}
	case Gelu:
		for i, v := range x {
			dst[i] = float32(gated(float64(v), normalCDF(float64(v))))
		}
	case Silu:
		for i, v := range x {
			dst[i] = float32(gated(float64(v), float64(sigmoid(v))))
		}
	case HardSilu:
		for i, v := range x {
			dst[i] = hardSilu(v)
		}
	case Softplus:
		for i, v := range x {
			dst[i] = float32(softplus(float64(v)))
		}
	case Softsign:
		for i, v := range x {
			dst[i] = softsign(v)
		}
	case Tanh:
		for i, v := range x {
			dst[i] = tanh(v)
		}
	case HardTanh:
		for i, v := range x {
			dst[i] = hardTanh(v)
		}
	case TanhShrink:
		for i, v := range x {
			dst[i] = float32(float64(v) - math.Tanh(float64(v)))
		}
	case SoftShrink:
		for i, v := range x {
			dst[i] = softShrink(v)
		}
	case HardShrink:
		for i, v := range x {
			if v >= -shrink && v <= shrink {
				v = 0
			}
			dst[i] = v
		}
	case Sigmoid:
		for i, v := range x {
			dst[i] = sigmoid(v)
		}
	case HardSigmoid:
		for i, v := range x {
			dst[i] = relu6(v+3) / 6
		}
	case HardSigmoidKeras2:
		for i, v := range x {
			dst[i] = hardSigmoidKeras2(v)
		}
	case LogSigmoid:
		for i, v := range x {
			dst[i] = float32(-softplus(-float64(v)))
		}
	case Mish:
		for i, v := range x {
			dst[i] = float32(gated(float64(v), math.Tanh(softplus(float64(v)))))
		}
	case Squareplus:
		for i, v := range x {
			dst[i] = squareplus(v)
		}
	case SparsePlus:
		for i, v := range x {
			dst[i] = sparsePlus(v)
		}
	case SparseSigmoid:
		for i, v := range x {
			dst[i] = sparseSigmoid(v)
		}
	case Exp:
		for i, v := range x {
			dst[i] = exp(v)
		}
	case Log:
		for i, v := range x {
			dst[i] = float32(math.Log(float64(v)))
		}
	case Sqrt:
		for i, v := range x {
			dst[i] = float32(math.Sqrt(float64(v)))
		}
	case Abs:
		for i, v := range x {
			dst[i] = abs(v)
		}
	case Square:
		for i, v := range x {
			dst[i] = v * v
		}
	}
}
