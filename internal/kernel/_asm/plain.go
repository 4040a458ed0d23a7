package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The functions that need no transcendental one, and their slopes: rounded after every operation like their generic twins.
func plainFunctions(a *asm) {
	var low, high, half, zero, one, three, six reg.VecVirtual
	for _, f := range []struct {
		name, doc string
		hoist     func(b *block)
		body      func(b *block, x reg.VecVirtual)
	}{
		{"hardSilu", "dst = x * (min(max(x + 3, 0), 6) / 6)", func(b *block) {
			zero, six, three, low = b.copies(0), b.copies(6), b.copies(3), b.copies(-math.MaxFloat32)
		}, func(b *block, x reg.VecVirtual) {
			y := b.vec()
			b.VADDPS(three, x, y)
			b.VMAXPS(y, zero, y)
			b.VMINPS(y, six, y)
			b.VDIVPS(six, y, y)
			b.VMAXPS(x, low, x)
			b.VMULPS(y, x, x)
		}},
		{"softsign", "dst = x / (1 + |x|)", func(b *block) {
			low, high, one = b.copies(-math.MaxFloat32), b.copies(math.MaxFloat32), b.copies(1)
		}, func(b *block, x reg.VecVirtual) {
			y := b.vec()
			b.VMAXPS(x, low, x)
			b.VMINPS(x, high, x)
			b.VANDPS(b.constantBits(signBit-1), x, y)
			b.VADDPS(one, y, y)
			b.VDIVPS(y, x, x)
		}},
		{"softShrink", "dst = x less 0.5 in magnitude, 0 within", func(b *block) { half, zero = b.copies(0.5), b.copies(0) }, func(b *block, x reg.VecVirtual) {
			y, z := b.vec(), b.vec()
			b.VMULPS(zero, x, z)
			b.VSUBPS(half, x, y)
			b.choose(b.compare(lessThan, half, x), y, z, z)
			b.VADDPS(half, x, y)
			b.choose(b.compare(lessThan, x, b.constant(-0.5)), y, z, x)
		}},
		{"hardShrink", "dst = x, or 0 where |x| <= 0.5", nil, func(b *block, x reg.VecVirtual) {
			b.keep(b.beyondHalf(x), x, x)
		}},
		{"sparsePlus", "dst = 0 up to -1, x from 1, (x + 1)^2 / 4 between", nil, func(b *block, x reg.VecVirtual) {
			y := b.vec()
			b.VADDPS(b.constant(1), x, y)
			b.VMULPS(y, y, y)
			b.VMULPS(b.constant(0.25), y, y)
			above := b.compare(notLessEqual, x, b.constant(-1))
			b.choose(b.compare(lessThan, x, b.constant(1)), y, x, x)
			b.keep(above, x, x)
		}},
		{"sparseSigmoid", "dst = 0 up to -1, 1 from 1, (x + 1) / 2 between", func(b *block) { one = b.copies(1) }, func(b *block, x reg.VecVirtual) {
			b.sparseSigmoid(x, one)
		}},
	} {
		a.loop(f.name, f.doc, []string{"dst", "x"}, nil, 2, f.hoist, func(b *block) {
			x := b.load("x")
			f.body(b, x)
			b.store(x, "dst")
		})
	}
	if !a.wide() {
		a.squareplus()
	}
}

// beyondHalf is the mask of |x| > 0.5, and of NaN.
func (b *block) beyondHalf(x reg.VecVirtual) Op {
	y := b.vec()
	b.VANDPS(b.constantBits(signBit-1), x, y)
	return b.compare(notLessEqual, y, b.constant(0.5))
}

// sparseSigmoid replaces x; one holds 1.
func (b *block) sparseSigmoid(x, one reg.VecVirtual) {
	y := b.vec()
	b.VADDPS(one, x, y)
	b.VMULPS(b.constant(0.5), y, y)
	b.choose(b.compare(notGreaterEqual, x, b.constant(1)), y, one, y)
	b.keep(b.compare(notLessEqual, x, b.constant(-1)), y, x)
}

// squareplus goes through float64, four values at a time: in float32 it would lose what is small beside x.
func (a *asm) squareplus() {
	// root is sqrt(x^2 + 4).
	root := func(b *block, x, r reg.VecVirtual) {
		b.VMULPD(x, x, r)
		b.VADDPD(b.double(4), r, r)
		b.VSQRTPD(r, r)
	}
	value := func(b *block, x, r, y reg.VecVirtual) {
		below := b.YMM()
		b.VSUBPD(x, r, below)
		b.VMOVUPD(b.double(2), y)
		b.VDIVPD(below, y, below)
		b.VADDPD(r, x, y)
		b.VMULPD(b.double(0.5), y, y)
		negative := b.YMM()
		b.VXORPD(negative, negative, negative)
		b.VCMPPD(U8(lessThan), negative, x, negative)
		b.VBLENDVPD(negative, below, y, y)
	}
	// halves replaces x, eight values, by what body makes of either half.
	halves := func(b *block, x reg.VecVirtual, body func(x reg.VecVirtual) reg.VecVirtual) {
		upper, l, h := b.XMM(), b.YMM(), b.YMM()
		b.VEXTRACTF128(U8(1), x, upper)
		b.VCVTPS2PD(x.AsX(), l)
		b.VCVTPS2PD(upper, h)
		low, high := body(l), body(h)
		b.VINSERTF128(U8(1), high, low.AsY(), x)
	}
	a.loop("squareplus", "dst = (x + sqrt(x^2 + 4)) / 2", []string{"dst", "x"}, nil, 1, nil, func(b *block) {
		x := b.load("x")
		halves(b, x, func(x reg.VecVirtual) reg.VecVirtual {
			r, y, out := b.YMM(), b.YMM(), b.XMM()
			root(b, x, r)
			value(b, x, r, y)
			b.VCVTPD2PSY(y, out)
			return out
		})
		b.store(x, "dst")
	})
	a.loop("squareplusGrad", "dst = dy * (y / sqrt(x^2 + 4)) with y = (x + sqrt(x^2 + 4)) / 2", []string{"dst", "dy", "x"}, nil, 1, nil, func(b *block) {
		x := b.load("x")
		b.VMAXPS(x, b.copies(-math.MaxFloat32), x)
		b.VMINPS(x, b.copies(math.MaxFloat32), x)
		halves(b, x, func(x reg.VecVirtual) reg.VecVirtual {
			r, y, out := b.YMM(), b.YMM(), b.XMM()
			root(b, x, r)
			value(b, x, r, y)
			b.VCVTPD2PSY(y, out)
			b.VCVTPS2PD(out, y)
			b.VDIVPD(r, y, y)
			b.VCVTPD2PSY(y, out)
			return out
		})
		b.VMULPS(b.load("dy"), x, x)
		b.store(x, "dst")
	})
}

// double is a float64 in all lanes of a register of AVX2.
func (a *asm) double(v float64) Mem {
	bits := math.Float64bits(v)
	words := make([]uint32, 8)
	for i := range words {
		words[i] = uint32(bits >> (32 * (i % 2)))
	}
	return a.words(fmt.Sprintf("d%016x", bits), words)
}

// plainSlopes are derivatives in terms of x or, where the operand is y, of the value.
func plainSlopes(a *asm) {
	var one, zero reg.VecVirtual
	hoistOne := func(b *block) { one = b.copies(1) }
	for _, f := range []struct {
		name, doc, of string
		hoist         func(b *block)
		body          func(b *block, x reg.VecVirtual) // replaces x by the slope
	}{
		{"leakyRelu", "1 where y > 0 or NaN, else 0.2", "y", func(b *block) { zero = b.copies(0.2) }, func(b *block, y reg.VecVirtual) {
			b.choose(b.compare(notLessEqual, y, b.constant(0)), b.constant(1), zero, y)
		}},
		{"relu6", "1 where 0 < y < 6 or y is NaN, else 0", "y", nil, func(b *block, y reg.VecVirtual) {
			b.keep(b.both(b.compare(notLessEqual, y, b.constant(0)), b.compare(notGreaterEqual, y, b.constant(6))), b.constant(1), y)
		}},
		{"sqrt", "0.5 / y", "y", func(b *block) { one = b.copies(0.5) }, func(b *block, y reg.VecVirtual) { b.VDIVPS(y, one, y) }},
		{"hardTanh", "1 where -1 <= x <= 1 or x is NaN, else 0", "x", nil, func(b *block, x reg.VecVirtual) {
			b.keep(b.both(b.compare(notLess, x, b.constant(-1)), b.compare(notGreater, x, b.constant(1))), b.constant(1), x)
		}},
		{"log", "1 / x", "x", hoistOne, func(b *block, x reg.VecVirtual) { b.VDIVPS(x, one, x) }},
		{"abs", "the sign of x, or x where that is 0 or NaN", "x", nil, func(b *block, x reg.VecVirtual) {
			y := b.vec()
			b.VANDPS(b.constantBits(signBit), x, y)
			b.VORPS(b.constant(1), y, y)
			b.choose(b.compare(equal, x, b.constant(0)), x, y, y)
			b.choose(b.compare(unordered, x, x), x, y, x)
		}},
		{"square", "2 * x", "x", nil, func(b *block, x reg.VecVirtual) { b.VADDPS(x, x, x) }},
		{"hardSilu", "0 up to -3, 1 from 3, x / 3 + 0.5 between", "x", func(b *block) { one, zero = b.copies(1), b.copies(0) }, func(b *block, x reg.VecVirtual) {
			y, above, below := b.vec(), b.compare(notLessEqual, x, b.constant(-3)), b.compare(notGreaterEqual, x, b.constant(3))
			b.VDIVPS(b.constant(3), x, y)
			b.VADDPS(b.constant(0.5), y, y)
			b.choose(below, y, one, y)
			b.choose(above, y, zero, x)
		}},
		{"softsign", "1 / (1 + |x|)^2", "x", hoistOne, func(b *block, x reg.VecVirtual) {
			b.VANDPS(b.constantBits(signBit-1), x, x)
			b.VADDPS(one, x, x)
			b.VMULPS(x, x, x)
			b.VDIVPS(x, one, x)
		}},
		{"softShrink", "1 where |x| > 0.5 or NaN, else 0", "x", nil, func(b *block, x reg.VecVirtual) { b.keep(b.beyondHalf(x), b.constant(1), x) }},
		{"hardShrink", "1 where |x| > 0.5 or NaN, else 0", "x", nil, func(b *block, x reg.VecVirtual) { b.keep(b.beyondHalf(x), b.constant(1), x) }},
		{"sparsePlus", "0 up to -1, 1 from 1, (x + 1) / 2 between", "x", hoistOne, func(b *block, x reg.VecVirtual) { b.sparseSigmoid(x, one) }},
		{"sparseSigmoid", "1/2 where -1 < x < 1 or x is NaN, else 0", "x", nil, func(b *block, x reg.VecVirtual) {
			b.keep(b.both(b.compare(notLessEqual, x, b.constant(-1)), b.compare(notGreaterEqual, x, b.constant(1))), b.constant(0.5), x)
		}},
	} {
		a.loop(f.name+"Grad", "dst = dy * slope, "+f.doc, []string{"dst", "dy", f.of}, nil, 2, f.hoist, func(b *block) {
			x := b.load(f.of)
			f.body(b, x)
			b.VMULPS(x, b.load("dy"), x)
			b.store(x, "dst")
		})
	}
}
