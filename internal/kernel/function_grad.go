package kernel

import "math"

// ApplyGrad is dst = dy * f'(x), elementwise, with y = f(x). It reads x where f.NeedsX() and y where f.NeedsY(); the other may be
// nil. dst may be dy, x or y. At a corner it takes the slope that TensorFlow takes; relu and abs have slope 0 at 0. NaN in what is
// read leaves NaN or, where the slope is constant on either side, dy.
func ApplyGrad(f Func, dst, dy, x, y []float32) {
	checkSame("ApplyGrad", "dy", dy, len(dst))
	if f.NeedsX() {
		checkSame("ApplyGrad", "x", x, len(dst))
	}
	if f.NeedsY() {
		checkSame("ApplyGrad", "y", y, len(dst))
	}
	if f >= funcs {
		panic("kernel: ApplyGrad: unknown function")
	}
	if useAVX512 && len(dst) > 0 && applyGradAVX512(f, dst, dy, x, y) {
		return
	}
	if useAVX2 && len(dst) > 0 && applyGradAVX2(f, dst, dy, x, y) {
		return
	}
	applyGradGeneric(f, dst, dy, x, y)
}

func applyGradGeneric(f Func, dst, dy, x, y []float32) {
	dst = dst[:len(dy)]
	switch f {
	case Linear:
		copy(dst, dy)
	case Tanh:
		// tanh' = 1 - y^2
		for i, g := range dy {
			dst[i] = g * (1 - float32(y[i]*y[i]))
		}
	case Sigmoid:
		// sigmoid' = y (1 - y)
		for i, g := range dy {
			dst[i] = g * (y[i] * (1 - y[i]))
		}
	case Relu:
		for i, g := range dy {
			dst[i] = g
			if y[i] <= 0 {
				dst[i] = 0
			}
		}
	default:
		if f.NeedsY() {
			for i, g := range dy {
				dst[i] = g * slopeOfValue(f, y[i])
			}
			return
		}
		for i, g := range dy {
			dst[i] = g * slope(f, x[i])
		}
	}
}

// slopeOfValue is the derivative of a function that has it in terms of its value.
func slopeOfValue(f Func, y float32) float32 {
	switch f {
	case LeakyRelu:
		if y <= 0 {
			return 0.2
		}
		return 1
	case Relu6:
		return indicator(!(y <= 0 || y >= 6))
	case HardSigmoid:
		return indicator(!(y <= 0 || y >= 1)) / 6
	case HardSigmoidKeras2:
		return indicator(!(y <= 0 || y >= 1)) * 0.2
	case Elu, Celu:
		if y < 0 {
			return y + 1
		}
		return 1
	case Selu:
		if y < 0 {
			return y + float32(seluScale*seluAlpha)
		}
		return float32(seluScale)
	case Sqrt:
		return 0.5 / y
	default: // Exp
		return y
	}
}

// slope is the derivative of a function at x.
func slope(f Func, x float32) float32 {
	v := float64(x)
	switch f {
	case Gelu:
		// d(x Phi(x)) = Phi(x) + x phi(x)
		if math.IsInf(v, 0) {
			return indicator(v > 0)
		}
		return float32(normalCDF(v) + float64(v*normalPDF(v)))
	case Silu:
		// s + x s (1 - s)
		if math.IsInf(v, 0) {
			return indicator(v > 0)
		}
		s := logistic(v)
		return float32(s + float64(v*s*(1-s)))
	case HardSilu:
		// x h(x): h + x h'
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return 1
		}
		return x/3 + 0.5
	case Softplus:
		return sigmoid(x)
	case LogSigmoid:
		return sigmoid(-x)
	case Softsign:
		d := 1 + abs(x)
		return 1 / (d * d)
	case HardTanh:
		return indicator(!(x < -1 || x > 1))
	case TanhShrink:
		t := tanh(x)
		return t * t
	case SoftShrink, HardShrink:
		return indicator(!(x >= -shrink && x <= shrink))
	case Mish:
		// t + x (1 - t^2) s with t = tanh(softplus(x)), s = sigmoid(x)
		if math.IsInf(v, 0) {
			return indicator(v > 0)
		}
		t := math.Tanh(softplus(v))
		return float32(t + float64(v*(1-float64(t*t))*logistic(v)))
	case Squareplus:
		// (1 + x / sqrt(x^2 + 4)) / 2 = y / sqrt(x^2 + 4)
		if math.IsInf(v, 0) {
			return indicator(v > 0)
		}
		return float32(float64(squareplus(x)) / math.Sqrt(float64(v*v)+4))
	case SparsePlus:
		return sparseSigmoid(x)
	case SparseSigmoid:
		return indicator(!(x <= -1 || x >= 1)) / 2
	case Log:
		return 1 / x
	case Abs:
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x // 0, or NaN
	default: // Square
		return 2 * x
	}
}

func indicator(set bool) float32 {
	if set {
		return 1
	}
	return 0
}

// logistic is the sigmoid in float64.
func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
