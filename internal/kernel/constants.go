package kernel

import "math"

// Elementwise functions with one number, under the same rules as the ones of two operands.

// Axpy is dst = dst + s * a.
func Axpy(dst []float32, s float32, a []float32) {
	checkSame("Axpy", "a", a, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		axpyAVX512(&dst[0], &a[0], s, len(dst))
	case useAVX2 && len(dst) > 0:
		axpyAVX2(&dst[0], &a[0], s, len(dst))
	default:
		axpyGeneric(dst, s, a)
	}
}

func axpyGeneric(dst []float32, s float32, a []float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] += float32(s * a[i])
	}
}

// AddConst is dst = a + c.
func AddConst(dst, a []float32, c float32) {
	checkSame("AddConst", "a", a, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		addConstAVX512(&dst[0], &a[0], c, len(dst))
	case useAVX2 && len(dst) > 0:
		addConstAVX2(&dst[0], &a[0], c, len(dst))
	default:
		addConstGeneric(dst, a, c)
	}
}

func addConstGeneric(dst, a []float32, c float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + c
	}
}

// Scale is dst = a * c.
func Scale(dst, a []float32, c float32) {
	checkSame("Scale", "a", a, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		scaleAVX512(&dst[0], &a[0], c, len(dst))
	case useAVX2 && len(dst) > 0:
		scaleAVX2(&dst[0], &a[0], c, len(dst))
	default:
		scaleGeneric(dst, a, c)
	}
}

func scaleGeneric(dst, a []float32, c float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * c
	}
}

// RSub is dst = c - a.
func RSub(dst, a []float32, c float32) {
	checkSame("RSub", "a", a, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		rSubAVX512(&dst[0], &a[0], c, len(dst))
	case useAVX2 && len(dst) > 0:
		rSubAVX2(&dst[0], &a[0], c, len(dst))
	default:
		rSubGeneric(dst, a, c)
	}
}

func rSubGeneric(dst, a []float32, c float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = c - a[i]
	}
}

// RDiv is dst = c / a.
func RDiv(dst, a []float32, c float32) {
	checkSame("RDiv", "a", a, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		rDivAVX512(&dst[0], &a[0], c, len(dst))
	case useAVX2 && len(dst) > 0:
		rDivAVX2(&dst[0], &a[0], c, len(dst))
	default:
		rDivGeneric(dst, a, c)
	}
}

func rDivGeneric(dst, a []float32, c float32) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = c / a[i]
	}
}

// Neg is dst = -a.
func Neg(dst, a []float32) {
	checkSame("Neg", "a", a, len(dst))
	for i, v := range a {
		dst[i] = -v
	}
}

// PowConst is dst = a to the power c, as math.Pow has it: NaN for a negative a unless c is whole.
func PowConst(dst, a []float32, c float32) {
	checkSame("PowConst", "a", a, len(dst))
	switch c {
	case 1:
		copy(dst, a)
		return
	case 2:
		Mul(dst, a, a)
		return
	case -1:
		RDiv(dst, a, 1)
		return
	}
	for i, v := range a {
		dst[i] = powConst(v, c)
	}
}

// PowGrad is dst = dy * c * x^(c-1), and 0 where c is 0.
func PowGrad(dst, dy, x []float32, c float32) {
	checkSame("PowGrad", "dy", dy, len(dst))
	checkSame("PowGrad", "x", x, len(dst))
	if c == 0 {
		// 0 * x^-1 would be NaN at 0; the function is constant.
		clear(dst)
		return
	}
	for i, v := range x {
		dst[i] = dy[i] * c * powConst(v, c-1)
	}
}

// powConst takes the powers that equations use without a logarithm.
func powConst(x, c float32) float32 {
	switch c {
	case 0:
		return 1
	case 1:
		return x
	case 2:
		return x * x
	case 3:
		return x * x * x
	case -1:
		return 1 / x
	}
	return float32(math.Pow(float64(x), float64(c)))
}

// MinMaxGrad is the part of dy, the gradient of min(a, b) or (when max is set) of max(a, b), that goes to a: dy where a wins,
// half of it on a tie, 0 where a loses, NaN where either is NaN. The part of b is what the same call returns with a and b
// exchanged.
func MinMaxGrad(dst, dy, a, b []float32, max bool) {
	checkSame("MinMaxGrad", "dy", dy, len(dst))
	checkSame("MinMaxGrad", "a", a, len(dst))
	checkSame("MinMaxGrad", "b", b, len(dst))
	for i, g := range dy {
		x, y := a[i], b[i]
		if max {
			x, y = y, x
		}
		switch {
		case x < y:
			dst[i] = g
		case x == y:
			dst[i] = g / 2
		case x > y:
			dst[i] = 0
		default:
			dst[i] = x + y
		}
	}
}
