package main

import (
	"math"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The functions that rest on log1p(f) = f - f^2/2 + f^3 q(f), 1 + f from sqrt(1/2) to sqrt(2), or on expm1. Their generic twins go
// through float64: the results differ by a few units in the last place. logQ are the lines that _asm/remez prints: 6.4e-9 of log1p.
var logQ = [8]float32{0.3333333, -0.2500082, 0.20001227, -0.16623357, 0.14201756, -0.13160186, 0.12761596, -0.07634511}

const (
	minNormal = 0x1p-126
	rootHalf  = 0x3f3504f3 // the bits of sqrt(1/2)
	mantissa  = 1<<23 - 1
	eluMin    = -20 // below this expm1 rounds to -1
	// From Klambauer et al. 2017, as Keras writes them.
	seluAlpha = 1.6732632423543772848170429916717
	seluScale = 1.0507009873554804934193349852946
)

func logarithms(a *asm) {
	unary := []string{"dst", "x"}
	a.loop("log", "dst = log(x)", unary, nil, 1, nil, func(b *block) {
		x, infinite, nan := b.load("x"), b.copies(float32(math.Inf(1))), b.copies(float32(math.NaN()))
		y := b.vec()
		b.VMOVAPS(x, y)
		b.log(y)
		b.choose(b.compare(notLess, x, infinite), x, y, y)
		// -Inf at 0, NaN below.
		b.choose(b.compare(equal, x, b.constant(0)), b.constant(float32(math.Inf(-1))), nan, nan)
		b.choose(b.compare(notGreater, x, b.constant(0)), nan, y, y)
		b.store(y, "dst")
	})
	a.loop("softplus", "dst = log(1 + exp(x))", unary, nil, 1, nil, func(b *block) {
		x := b.load("x")
		b.softplus(x)
		b.store(x, "dst")
	})
	a.loop("logSigmoid", "dst = -log(1 + exp(-x))", unary, nil, 1, nil, func(b *block) {
		x := b.load("x")
		b.VXORPS(b.constantBits(signBit), x, x)
		b.softplus(x)
		b.VXORPS(b.constantBits(signBit), x, x)
		b.store(x, "dst")
	})
	a.loop("elu", "dst = x, or exp(x) - 1 below 0", unary, nil, 1, nil, func(b *block) {
		x, y := b.load("x"), b.vec()
		b.expm1Below0(x, y)
		b.choose(b.compare(lessThan, x, b.constant(0)), y, x, x)
		b.store(x, "dst")
	})
	a.loop("selu", "dst = 1.0507 x, or 1.0507 * 1.6733 (exp(x) - 1) below 0", unary, nil, 1, nil, func(b *block) {
		x, y, z := b.load("x"), b.vec(), b.vec()
		b.expm1Below0(x, y)
		b.VMULPS(b.constant(seluScale*seluAlpha), y, y)
		b.VMULPS(b.constant(seluScale), x, z)
		b.choose(b.compare(lessThan, x, b.constant(0)), y, z, x)
		b.store(x, "dst")
	})
}

// log1p replaces f, between sqrt(1/2) - 1 and sqrt(2) - 1, by log1p(f) + n log(2): the small parts are added first.
func (b *block) log1p(f, n reg.VecVirtual) {
	q, r := b.vec(), b.vec()
	b.fill(logQ[7], q)
	b.horner(q, f, logQ[6], logQ[5], logQ[4], logQ[3], logQ[2], logQ[1], logQ[0])
	b.VMULPS(f, f, r)
	b.VMULPS(f, q, q)
	b.VADDPS(b.constant(-0.5), q, q)
	b.VMULPS(r, q, q)
	b.VFMADD231PS(b.constant(ln2Lo), n, q)
	b.VADDPS(q, f, f)
	b.VFMADD231PS(b.constant(ln2Hi), n, f)
}

// log replaces x, positive and finite; what it makes of others is to be replaced. The integer between the bits of x and those of
// sqrt(1/2) has the exponent above and, with those of sqrt(1/2) added again, the number between sqrt(1/2) and sqrt(2) below.
func (b *block) log(x reg.VecVirtual) {
	scaled, n, shift, zero := b.vec(), b.vec(), b.vec(), b.vec()
	b.fill(0, zero)
	b.VMULPS(b.constant(1<<23), x, scaled)
	subnormal := b.compare(lessThan, x, b.constant(minNormal))
	b.choose(subnormal, scaled, x, x)
	b.choose(subnormal, b.constant(-23), zero, shift)
	b.VPSUBD(b.constantBits(rootHalf), x, x)
	b.VPSRAD(U8(23), x, n)
	b.VCVTDQ2PS(n, n)
	b.VADDPS(shift, n, n)
	b.VANDPS(b.constantBits(mantissa), x, x)
	b.VPADDD(b.constantBits(rootHalf), x, x)
	b.VADDPS(b.constant(-1), x, x)
	b.log1p(x, n)
}

// softplus replaces x by max(x, 0) + log1p(z) with z = exp(-|x|) <= 1. Above sqrt(2) - 1 it is log1p((z - 1) / 2) + log(2).
func (b *block) softplus(x reg.VecVirtual) {
	z, bias, half, n, zero := b.vec(), b.vec(), b.vec(), b.vec(), b.vec()
	b.fill(0, zero)
	b.VORPS(b.constantBits(signBit), x, z)
	b.VMAXPS(z, b.copies(expMin), z)
	b.fill(roundBias+expShift, bias)
	b.expScaled(z, bias)
	b.VMULPS(b.constant(expDown), z, z)
	b.VADDPS(b.constant(-1), z, half)
	b.VMULPS(b.constant(0.5), half, half)
	large := b.compare(notLess, z, b.constant(math.Sqrt2-1))
	b.choose(large, b.constant(1), zero, n)
	b.choose(large, half, z, z)
	b.log1p(z, n)
	b.VMAXPS(x, zero, x)
	b.VADDPS(z, x, x)
}

// expm1Below0 is y = exp(x) - 1 for x <= 0; above it is 0, and of NaN it is some number.
func (b *block) expm1Below0(x, y reg.VecVirtual) {
	t, n, q := b.vec(), b.vec(), b.vec()
	b.VMAXPS(b.constant(eluMin), x, y)
	b.VMINPS(b.constant(0), y, y)
	b.fill(roundBias, t)
	b.VFMADD231PS(b.constant(math.Log2E), y, t)
	b.VSUBPS(b.constant(roundBias), t, n)
	b.VFNMADD231PS(b.constant(ln2Hi), n, y)
	b.VFNMADD231PS(b.constant(ln2Lo), n, y)
	b.fill(expQ[4], q)
	b.horner(q, y, expQ[3], expQ[2], expQ[1], expQ[0])
	b.VMULPS(y, y, n)
	b.VFMADD213PS(y, n, q)
	b.VPSLLD(U8(23), t, t)
	b.VADDPS(b.constant(-1), t, y)
	b.VFMADD231PS(t, q, y)
}
