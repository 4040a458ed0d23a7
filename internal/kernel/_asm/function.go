package main

import (
	"math"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of exp.go and tanh.go in package kernel, where they are explained. expQ, tanhB and tanhC are the lines that _asm/remez
// prints.
var expQ = [5]float32{0.49999997, 0.16666543, 0.0416672, 0.008366516, 0.0013882522}

const (
	tanhB      = 6.0182147
	tanhC      = 15.054747
	ln2Hi      = 0.693145751953125
	ln2Lo      = 1.42860676533018e-06
	roundBias  = 3<<22 + 127
	floorBias  = 3<<19 + 126
	eighths    = 7
	expShift   = 64
	expUp      = 1 << expShift
	expDown    = 1.0 / expUp
	expMax     = 89
	expMin     = -104.5
	tanhMax    = 10
	sigmoidD   = 105.0
	sigmoidMin = -104.5
	sigmoidMax = 40
	signBit    = 1 << 31
)

// How many registers of values the loops of these functions take together: what sixteen registers hold.
const (
	tanhTogether    = 3
	sigmoidTogether = 3
	siluTogether    = 2
)

func functions(a *asm) {
	unary := []string{"dst", "x"}
	var low, high, one, up, downBias, fifth, half reg.VecVirtual
	a.loopBy(a.together, "tanh", "dst = tanh(x)", unary, nil, tanhTogether, func(b *block) {
		high = b.copies(tanhMax)
	}, func(b *block) {
		x := b.load("x")
		b.tanh(x, high)
		b.store(x, "dst")
	})
	hoistSigmoid := func(b *block) { low, high = b.copies(sigmoidMin), b.copies(sigmoidMax) }
	a.loopBy(a.together, "sigmoid", "dst = 1 / (1 + exp(-x))", unary, nil, sigmoidTogether, hoistSigmoid, func(b *block) {
		x := b.load("x")
		b.sigmoid(x, low, high)
		b.store(x, "dst")
	})
	a.loopBy(a.together, "silu", "dst = x / (1 + exp(-x))", unary, nil, siluTogether, func(b *block) {
		hoistSigmoid(b)
		one = b.copies(-math.MaxFloat32)
	}, func(b *block) {
		x, y := b.load("x"), b.vec()
		b.VMOVAPS(x, y)
		b.sigmoid(y, low, high)
		// The limit at -Inf is 0: no infinite factor.
		b.VMAXPS(x, one, x)
		b.VMULPS(y, x, x)
		b.store(x, "dst")
	})
	a.loop("exp", "dst = exp(x)", unary, nil, 1, func(b *block) {
		low, high, up, downBias = b.copies(expMin), b.copies(expMax), b.copies(expUp), b.copies(roundBias-expShift)
	}, func(b *block) {
		x := b.load("x")
		b.VMINPS(x, high, x)
		b.VMAXPS(x, low, x)
		bias, scale, negative := b.vec(), b.vec(), b.negative(x)
		b.choose(negative, b.constant(roundBias+expShift), downBias, bias)
		b.choose(negative, b.constant(expDown), up, scale)
		b.expScaled(x, bias)
		b.VMULPS(scale, x, x)
		b.store(x, "dst")
	})
	a.loop("relu", "dst = max(x, 0)", unary, nil, 4, func(b *block) { low = b.copies(0) }, func(b *block) {
		x := b.load("x")
		b.VMAXPS(x, low, x)
		b.store(x, "dst")
	})
	a.loop("leakyRelu", "dst = x, or 0.2 x below 0", unary, nil, 4, nil, func(b *block) {
		x, y := b.load("x"), b.vec()
		b.VMULPS(b.constant(0.2), x, y)
		b.VMAXPS(x, y, x)
		b.store(x, "dst")
	})
	clamp := func(name, doc string, from, to float32) {
		a.loop(name, doc, unary, nil, 4, func(b *block) { low, high = b.copies(from), b.copies(to) }, func(b *block) {
			x := b.load("x")
			b.VMAXPS(x, low, x)
			b.VMINPS(x, high, x)
			b.store(x, "dst")
		})
	}
	clamp("relu6", "dst = min(max(x, 0), 6)", 0, 6)
	clamp("hardTanh", "dst = min(max(x, -1), 1)", -1, 1)
	a.loop("hardSigmoid", "dst = min(max(x + 3, 0), 6) / 6", unary, nil, 2, func(b *block) {
		low, high, up = b.copies(0), b.copies(6), b.copies(3)
	}, func(b *block) {
		x := b.load("x")
		b.VADDPS(up, x, x)
		b.VMAXPS(x, low, x)
		b.VMINPS(x, high, x)
		b.VDIVPS(high, x, x)
		b.store(x, "dst")
	})
	a.loop("hardSigmoidKeras2", "dst = min(max(0.2 x + 0.5, 0), 1)", unary, nil, 2, func(b *block) {
		low, high, fifth, half = b.copies(0), b.copies(1), b.copies(0.2), b.copies(0.5)
	}, func(b *block) {
		x := b.load("x")
		b.VMULPS(fifth, x, x)
		b.VADDPS(half, x, x)
		b.VMAXPS(x, low, x)
		b.VMINPS(x, high, x)
		b.store(x, "dst")
	})
	a.loop("sqrt", "dst = sqrt(x)", unary, nil, 4, nil, func(b *block) {
		x := b.load("x")
		b.VSQRTPS(x, x)
		b.store(x, "dst")
	})
	a.loop("abs", "dst = |x|", unary, nil, 4, nil, func(b *block) {
		x := b.load("x")
		b.VANDPS(b.constantBits(signBit-1), x, x)
		b.store(x, "dst")
	})
	a.loop("square", "dst = x * x", unary, nil, 4, nil, func(b *block) {
		x := b.load("x")
		b.VMULPS(x, x, x)
		b.store(x, "dst")
	})

	logarithms(a)
	plainFunctions(a)
	plainSlopes(a)
	gatedFunctions(a)

	// The derivatives of those that have them in terms of y, rounded after every operation like their generic twins.
	gradient := []string{"dst", "dy", "y"}
	hoistOne := func(b *block) { one = b.copies(1) }
	a.loop("tanhGrad", "dst = dy * (1 - y * y)", gradient, nil, 2, hoistOne, func(b *block) {
		y := b.load("y")
		b.VMULPS(y, y, y)
		b.VSUBPS(y, one, y)
		b.VMULPS(y, b.load("dy"), y)
		b.store(y, "dst")
	})
	a.loop("sigmoidGrad", "dst = dy * (y * (1 - y))", gradient, nil, 2, hoistOne, func(b *block) {
		y, z := b.load("y"), b.vec()
		b.VSUBPS(y, one, z)
		b.VMULPS(z, y, y)
		b.VMULPS(y, b.load("dy"), y)
		b.store(y, "dst")
	})
	for _, hard := range []struct {
		name, slope string
		value       float32
	}{{"hardSigmoidGrad", "dy / 6", 1.0 / 6}, {"hardSigmoidKeras2Grad", "0.2 dy", 0.2}} {
		a.loop(hard.name, "dst = "+hard.slope+" where 0 < y < 1 or y is NaN, else dy * 0", gradient, nil, 2, nil, func(b *block) {
			y := b.load("y")
			inside := b.both(b.compare(notLessEqual, y, b.constant(0)), b.compare(notGreaterEqual, y, b.constant(1)))
			b.keep(inside, b.constant(hard.value), y)
			b.VMULPS(y, b.load("dy"), y)
			b.store(y, "dst")
		})
	}
	a.loop("expGrad", "dst = dy * y", gradient, nil, 4, nil, func(b *block) {
		y := b.load("y")
		b.VMULPS(y, b.load("dy"), y)
		b.store(y, "dst")
	})
	a.loop("eluGrad", "dst = dy * (y + 1) where y < 0, else dy", gradient, nil, 2, hoistOne, func(b *block) {
		y, z := b.load("y"), b.vec()
		b.VADDPS(one, y, z)
		b.choose(b.compare(lessThan, y, b.constant(0)), z, one, y)
		b.VMULPS(y, b.load("dy"), y)
		b.store(y, "dst")
	})
	a.loop("seluGrad", "dst = dy * (y + 1.7581) where y < 0, else dy * 1.0507", gradient, nil, 2, func(b *block) {
		up, one = b.copies(seluScale*seluAlpha), b.copies(seluScale)
	}, func(b *block) {
		y, z := b.load("y"), b.vec()
		b.VADDPS(up, y, z)
		b.choose(b.compare(lessThan, y, b.constant(0)), z, one, y)
		b.VMULPS(y, b.load("dy"), y)
		b.store(y, "dst")
	})
	a.loop("softplusGrad", "dst = dy * sigmoid(x)", []string{"dst", "dy", "x"}, nil, 1, hoistSigmoid, func(b *block) {
		x := b.load("x")
		b.sigmoid(x, low, high)
		b.VMULPS(x, b.load("dy"), x)
		b.store(x, "dst")
	})
	a.loop("logSigmoidGrad", "dst = dy * sigmoid(-x)", []string{"dst", "dy", "x"}, nil, 1, hoistSigmoid, func(b *block) {
		x := b.load("x")
		b.VXORPS(b.constantBits(signBit), x, x)
		b.sigmoid(x, low, high)
		b.VMULPS(x, b.load("dy"), x)
		b.store(x, "dst")
	})
	a.loop("siluGrad", "dst = dy * (s + x * s * (1 - s)), s = sigmoid(x)", []string{"dst", "dy", "x"}, nil, 1, hoistSigmoid, func(b *block) {
		// From t = sigmoid(-|x|), which is small and keeps its digits: s (1 - s) = t (1 - t).
		x, t, u := b.load("x"), b.vec(), b.vec()
		b.VORPS(b.constantBits(signBit), x, t)
		b.sigmoid(t, low, high)
		b.VMAXPS(x, b.copies(-math.MaxFloat32), x)
		b.VMINPS(x, b.copies(math.MaxFloat32), x)
		b.VSUBPS(t, b.copies(1), u)
		s := b.vec()
		b.choose(b.negative(x), t, u, s)
		b.VMULPS(u, t, t)
		b.VMULPS(t, x, x)
		b.VADDPS(s, x, x)
		b.VMULPS(x, b.load("dy"), x)
		b.store(x, "dst")
	})
	a.loop("reluGrad", "dst = dy where y > 0 or NaN, else 0", gradient, nil, 2, nil, func(b *block) {
		y := b.load("y")
		b.keep(b.compare(notLessEqual, y, b.constant(0)), b.load("dy"), y)
		b.store(y, "dst")
	})
}

// horner replaces q by ((q r + c0) r + c1) r + …
func (b *block) horner(q, r reg.VecVirtual, c ...float32) {
	for _, v := range c {
		b.VFMADD213PS(b.constant(v), r, q)
	}
}

// expScaled replaces x, between expMin and expMax, by exp(x) times the power of two that bias carries beyond roundBias.
func (b *block) expScaled(x, bias reg.VecVirtual) {
	t, n, q := b.vec(), b.vec(), b.vec()
	b.VMOVAPS(bias, t)
	b.VFMADD231PS(b.constant(math.Log2E), x, t)
	b.VSUBPS(bias, t, n)
	b.VFNMADD231PS(b.constant(ln2Hi), n, x)
	b.VFNMADD231PS(b.constant(ln2Lo), n, x)
	b.fill(expQ[4], q)
	b.horner(q, x, expQ[3], expQ[2], expQ[1], expQ[0])
	b.VMULPS(x, x, n)
	b.VFMADD213PS(x, n, q)
	b.VPSLLD(U8(23), t, t)
	b.VFMADD213PS(t, t, q)
	b.VMOVAPS(q, x)
}

// sigmoid replaces x; low and high hold sigmoidMin and sigmoidMax.
func (b *block) sigmoid(x, low, high reg.VecVirtual) {
	t, n, v := b.vec(), b.vec(), b.vec()
	b.VMAXPS(x, low, x)
	b.VMINPS(x, high, x)
	b.fill(roundBias-expShift, t)
	b.VFMADD231PS(b.constant(-math.Log2E), x, t)
	b.VSUBPS(b.constant(roundBias-expShift), t, n)
	b.VFMADD231PS(b.constant(ln2Hi), n, x)
	b.VFMADD231PS(b.constant(ln2Lo), n, x)
	b.VMULPS(x, x, n)
	b.fill(0.5*sigmoidD, v)
	b.VFMADD231PS(b.constant(sigmoidD/(8*tanhC)), n, v)
	b.VMULPS(x, v, v)
	b.fill(sigmoidD, x)
	b.VFMADD231PS(b.constant(sigmoidD*tanhB/(4*tanhC)), n, x)
	b.VADDPS(v, x, n)
	b.VSUBPS(v, x, x)
	b.VPSLLD(U8(23), t, t)
	// Times expDown, in the exponent. Of a NaN it makes a number, but the other is left.
	b.VPSUBD(b.constantBits(expShift<<23), n, n)
	b.VFMADD213PS(n, t, x)
	b.VDIVPS(x, n, x)
}

// tanh replaces x; high holds tanhMax.
func (b *block) tanh(x, high reg.VecVirtual) {
	u, t, n, v := b.vec(), b.vec(), b.vec(), b.vec()
	b.VANDPS(b.constantBits(signBit-1), x, u)
	b.VMINPS(u, high, u)
	b.fill(floorBias+1.0/8, t)
	b.VFMADD231PS(b.constant(2*math.Log2E), u, t)
	b.VANDPS(b.constantBits(1<<32-1-eighths), t, t)
	b.VSUBPS(b.constant(floorBias), t, n)
	b.VFNMADD231PS(b.constant(math.Ln2/2), n, u)
	b.VMULPS(u, u, n)
	b.VADDPS(b.constant(tanhC), n, v)
	b.VMULPS(u, v, v)
	b.fill(tanhC, u)
	b.VFMADD231PS(b.constant(tanhB), n, u)
	b.VADDPS(v, u, n)
	b.VPSLLD(U8(20), t, t)
	b.VADDPS(b.constant(-0.5), t, t)
	b.VFMADD231PS(n, t, v)
	b.VFMADD231PS(n, t, u)
	b.VDIVPS(u, v, v)
	b.VANDPS(b.constantBits(signBit), x, x)
	b.VORPS(v, x, x)
}
