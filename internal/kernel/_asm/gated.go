package main

import (
	"math"

	"github.com/mmcloughlin/avo/reg"
)

// The functions that are x times a gate: gelu, whose gate is the distribution function of the standard normal, and mish, whose gate is
// tanh(softplus(x)). Their generic twins go through float64.

// normalQ are the lines that _asm/remez prints: with a = |x|, Phi(-a) = exp(-a^2/2) Q(s) / (a + K) and s = (a - K) / (a + K).
var normalQ = [10]float32{0.74747795, -0.57727075, 0.33460787, -0.13380122, 0.027039295, 0.0042841863, -0.0038489415, -2.6353266e-05, 0.0004772838, 6.755827e-05}

const (
	normalK   = 3.625
	normalMax = 14.5 // Phi(-a) rounds to 0 there
	mishMin   = -110 // and mish here
)

func gatedFunctions(a *asm) {
	unary, gradient := []string{"dst", "x"}, []string{"dst", "dy", "x"}
	a.loop("gelu", "dst = x * (1 + erf(x / sqrt 2)) / 2", unary, nil, 1, nil, func(b *block) {
		x := b.load("x")
		a, e, p := b.normal(x)
		// max(x, 0) - a Phi(-a)
		b.VMULPS(e, p, p)
		b.VMULPS(a, p, p)
		b.VMULPS(b.constant(expDown), p, p)
		b.VMAXPS(x, b.copies(0), x)
		b.VSUBPS(p, x, x)
		b.store(x, "dst")
	})
	a.loop("geluGrad", "dst = dy * (Phi(x) + x * phi(x))", gradient, nil, 1, nil, func(b *block) {
		x := b.load("x")
		a, e, p := b.normal(x)
		// d = Phi(-a) - a phi(a) below 0, 1 - d above
		b.VFNMADD231PS(b.constant(math.Sqrt2/2/math.SqrtPi), a, p)
		b.VMULPS(e, p, p)
		b.VMULPS(b.constant(expDown), p, p)
		b.VSUBPS(p, b.copies(1), a)
		b.choose(b.negative(x), p, a, x)
		b.VMULPS(x, b.load("dy"), x)
		b.store(x, "dst")
	})
	a.loop("mish", "dst = x * tanh(log(1 + exp(x)))", unary, nil, 1, nil, func(b *block) {
		x := b.load("x")
		_, n, w, unit := b.mish(x)
		b.VFMADD231PS(unit, n, w)
		b.VDIVPS(w, n, n)
		b.VMAXPS(x, b.copies(mishMin), x)
		b.VMULPS(n, x, x)
		b.VMULPS(unit, x, x)
		b.store(x, "dst")
	})
	a.loop("mishGrad", "dst = dy * (t + x * (1 - t^2) * sigmoid(x)), t = tanh(log(1 + exp(x)))", gradient, nil, 1, nil, func(b *block) {
		x := b.load("x")
		e, n, w, unit := b.mish(x)
		b.VMULPS(unit, n, n)
		// 1 - t^2 = w (2 n + w) / (n + w)^2, and sigmoid(x) is 1 / (1 + e), below 0 e / (1 + e).
		d, s, one := b.vec(), b.vec(), b.copies(1)
		b.VADDPS(n, w, d)
		b.VADDPS(n, d, s)
		b.VMULPS(w, s, s)
		b.VADDPS(one, e, w)
		b.choose(b.negative(x), e, one, e)
		b.VMULPS(e, s, s)
		b.VMULPS(d, w, w)
		b.VDIVPS(w, s, s)
		b.VMAXPS(x, b.copies(mishMin), x)
		b.VMINPS(x, b.copies(math.MaxFloat32), x)
		b.VMULPS(x, s, s)
		b.VADDPS(n, s, s)
		b.VDIVPS(d, s, s)
		b.VMULPS(b.load("dy"), s, s)
		b.store(s, "dst")
	})
}

// normal is a = |x|, at most normalMax, e = exp(-a^2/2) times two to the power expShift, and p = Q(s) / (a + K). x stays.
func (b *block) normal(x reg.VecVirtual) (a, e, p reg.VecVirtual) {
	a, e, p = b.vec(), b.vec(), b.vec()
	low, bias, s := b.vec(), b.vec(), b.vec()
	b.VANDPS(b.constantBits(signBit-1), x, a)
	b.VMINPS(a, b.copies(normalMax), a)
	// The square in two parts: what rounding takes of a large one would be seen.
	b.VMULPS(a, a, e)
	b.VMOVAPS(a, low)
	b.VFMSUB213PS(e, a, low)
	b.VMULPS(b.constant(-0.5), low, low)
	b.VMULPS(b.constant(-0.5), e, e)
	b.fill(roundBias+expShift, bias)
	b.expScaled(e, bias)
	b.VFMADD231PS(low, e, e)
	b.VADDPS(b.constant(normalK), a, low)
	b.VADDPS(b.constant(-normalK), a, s)
	b.VDIVPS(low, s, s)
	b.fill(normalQ[9], p)
	b.horner(p, s, normalQ[8], normalQ[7], normalQ[6], normalQ[5], normalQ[4], normalQ[3], normalQ[2], normalQ[1], normalQ[0])
	b.VDIVPS(low, p, p)
	return a, e, p
}

// mish is e = exp(-|x|) and n and w, of which tanh(log(1 + exp(x))) is n / (n + w): 1 + 2e and 2e^2, below 0 e^2 + 2e and 2. n is given in units:
// of 1, below 0 of two to the power -expShift, where it may be small. x stays.
func (b *block) mish(x reg.VecVirtual) (e, n, w, unit reg.VecVirtual) {
	e, n, w, unit = b.vec(), b.vec(), b.vec(), b.vec()
	up, two, one := b.vec(), b.copies(2), b.copies(1)
	b.VORPS(b.constantBits(signBit), x, up)
	b.VMAXPS(up, b.copies(mishMin), up)
	b.fill(roundBias+expShift, e)
	b.expScaled(up, e)
	b.VMULPS(b.constant(expDown), up, e)
	b.VADDPS(two, e, n)
	b.VMULPS(up, n, n)
	b.VADDPS(e, e, w)
	b.VADDPS(one, w, up)
	b.choose(b.negative(x), n, up, n)
	b.VMULPS(e, w, w)
	b.choose(b.negative(x), two, w, w)
	b.fill(expDown, unit)
	b.choose(b.negative(x), unit, one, unit)
	return e, n, w, unit
}
