package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The functions of whole rows. Their sums are float64 in sixteen lanes, four registers, as those of reduce.go: AVX-512 runs these too. What
// the lanes of a tail beyond the row would add is zero.
func rowwise(a *asm) {
	a.normalize()
	a.normalizeGrad()
	a.softmax()
	a.softmaxGrad()
}

// rowLoop is a function over n > 0 rows of m > 0 values, whose operands move together.
type rowLoop struct {
	*asm
	operands []string
	at       map[string]reg.GPVirtual
	n, m     reg.GPVirtual
	bytes    reg.GPVirtual // of a row
	whole    reg.GPVirtual // of its groups of sixteen values
	offset   reg.GPVirtual // of the group at hand
	tail     reg.GPVirtual // masks of the four quarters of the last group, if that is not whole
	labels   int
}

const group = 16 // values

func (a *asm) rowLoop(name, doc string, number string, operands ...string) *rowLoop {
	name = a.named(name)
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(fmt.Sprintf("%s is %s, for n > 0 rows of m > 0 values.", name, doc))
	signature := ""
	for _, o := range operands {
		signature += o + ", "
	}
	signature = signature[:len(signature)-2] + " *float32, "
	if number != "" {
		signature += number + " float32, "
	}
	a.SignatureExpr("func(" + signature + "n, m int)")
	l := &rowLoop{asm: a, operands: operands, at: map[string]reg.GPVirtual{}}
	for _, o := range operands {
		l.at[o] = a.param(o)
	}
	l.n, l.m, l.bytes, l.whole, l.offset, l.tail = a.param("n"), a.param("m"), a.paramBytes("m"), a.GP64(), a.GP64(), a.GP64()
	a.MOVQ(l.bytes, l.whole)
	a.ANDQ(I32(-4*group), l.whole)
	// The masks are sixteen words of ones, then sixteen of zeros.
	words := make([]uint32, 2*group)
	for i := range group {
		words[i] = 1<<32 - 1
	}
	a.LEAQ(a.words("groupMask", words), l.tail)
	a.ADDQ(U8(4*group), l.tail)
	a.SUBQ(l.bytes, l.tail)
	a.ADDQ(l.whole, l.tail)
	return l
}

// rows writes body as what a row needs, and the end of the function.
func (l *rowLoop) rows(body func()) {
	l.Label("row")
	body()
	for _, o := range l.operands {
		l.ADDQ(l.bytes, l.at[o])
	}
	l.DECQ(l.n)
	l.JNE(LabelRef("row"))
	l.VZEROUPPER()
	l.RET()
}

// groups calls body for a whole group of the row, and for the last.
func (l *rowLoop) groups(body func(whole bool)) {
	l.labels++
	label := fmt.Sprintf("groups%d", l.labels)
	l.XORQ(l.offset, l.offset)
	l.Label(label)
	l.CMPQ(l.offset, l.whole)
	l.JGE(LabelRef(label + "tail"))
	body(true)
	l.ADDQ(U8(4*group), l.offset)
	l.JMP(LabelRef(label))
	l.Label(label + "tail")
	l.CMPQ(l.offset, l.bytes)
	l.JGE(LabelRef(label + "end"))
	body(false)
	l.Label(label + "end")
}

func (l *rowLoop) mem(name string, disp int) Mem {
	return Mem{Base: l.at[name], Index: l.offset, Scale: 1, Disp: disp}
}

// quarter is four values, in float64.
func (l *rowLoop) quarter(name string, q int, whole bool) reg.VecVirtual {
	y := l.YMM()
	if whole {
		l.VCVTPS2PD(l.mem(name, 16*q), y)
		return y
	}
	x := l.XMM()
	l.VMOVUPS(Mem{Base: l.tail, Disp: 16 * q}, x)
	l.VMASKMOVPS(l.mem(name, 16*q), x, x)
	l.VCVTPS2PD(x, y)
	return y
}

// zeroBeyond clears the lanes of a quarter that are beyond the row.
func (l *rowLoop) zeroBeyond(y reg.VecVirtual, q int, whole bool) {
	if whole {
		return
	}
	mask := l.YMM()
	l.VPMOVSXDQ(Mem{Base: l.tail, Disp: 16 * q}, mask)
	l.VANDPD(mask, y, y)
}

func (l *rowLoop) storeQuarter(y reg.VecVirtual, name string, q int, whole bool) {
	x := l.XMM()
	l.VCVTPD2PSY(y, x)
	if whole {
		l.VMOVUPS(x, l.mem(name, 16*q))
		return
	}
	mask := l.XMM()
	l.VMOVUPS(Mem{Base: l.tail, Disp: 16 * q}, mask)
	l.VMASKMOVPS(x, mask, l.mem(name, 16*q))
}

// eight are eight values of a group.
func (l *rowLoop) eight(name string, half int, whole bool) reg.VecVirtual {
	y := l.YMM()
	if whole {
		l.VMOVUPS(l.mem(name, 32*half), y)
		return y
	}
	l.VMOVUPS(l.mask(half), y)
	l.VMASKMOVPS(l.mem(name, 32*half), y, y)
	return y
}

func (l *rowLoop) mask(half int) Mem { return Mem{Base: l.tail, Disp: 32 * half} }

func (l *rowLoop) storeEight(y reg.VecVirtual, name string, half int, whole bool) {
	if whole {
		l.VMOVUPS(y, l.mem(name, 32*half))
		return
	}
	mask := l.YMM()
	l.VMOVUPS(l.mask(half), mask)
	l.VMASKMOVPS(y, mask, l.mem(name, 32*half))
}

// sums are sixteen lanes at zero.
func (l *rowLoop) sums() (s [4]reg.VecVirtual) {
	for i := range s {
		s[i] = l.YMM()
		l.VXORPD(s[i], s[i], s[i])
	}
	return s
}

// fold adds the lanes in the tree of reduce.go; the sum is the first of the result.
func (l *rowLoop) fold(s [4]reg.VecVirtual) reg.Register {
	l.VADDPD(s[2], s[0], s[0])
	l.VADDPD(s[3], s[1], s[1])
	l.VADDPD(s[1], s[0], s[0])
	low, high := s[0].AsX(), l.XMM()
	l.VEXTRACTF128(U8(1), s[0], high)
	l.VADDPD(high, low, low)
	l.VUNPCKHPD(low, low, high)
	l.VADDSD(high, low, low)
	return low
}

// everywhere is the first of x in all lanes.
func (l *rowLoop) everywhere(x reg.Register) reg.VecVirtual {
	y := l.YMM()
	l.VBROADCASTSD(x, y)
	return y
}

// count is m as a float64.
func (l *rowLoop) count() reg.VecVirtual {
	x := l.XMM()
	l.VXORPD(x, x, x)
	l.VCVTSI2SDQ(l.m, x, x)
	return x
}

// scale replaces the sum of squares of the differences from the mean by 1 / sqrt(variance + eps).
func (l *rowLoop) scale(sum reg.Register, count, eps, one reg.VecVirtual) {
	l.VDIVSD(count, sum, sum)
	l.VADDSD(eps, sum, sum)
	l.VSQRTSD(sum, sum, sum)
	l.VDIVSD(sum, one, sum)
}

// numbers are what the moments of a row need: m, eps and 1 in float64.
func (l *rowLoop) numbers() (count, eps, one reg.VecVirtual) {
	count, eps, one = l.count(), l.XMM(), l.XMM()
	addr, err := l.Param("eps").Resolve()
	if err != nil {
		panic(err)
	}
	l.VXORPD(eps, eps, eps)
	l.VCVTSS2SD(addr.Addr, eps, eps)
	l.VXORPD(one, one, one)
	l.VCVTSS2SD(l.constant(1), one, one)
	return count, eps, one
}

func (a *asm) normalize() {
	l := a.rowLoop("normalize", "dst = (x - mean) / sqrt(variance + eps)", "eps", "dst", "x")
	count, eps, one := l.numbers()
	l.rows(func() {
		sum := l.sums()
		l.groups(func(whole bool) {
			for q := range sum {
				l.VADDPD(l.quarter("x", q, whole), sum[q], sum[q])
			}
		})
		total := l.fold(sum)
		l.VDIVSD(count, total, total)
		mean := l.everywhere(total)
		squares := l.sums()
		l.groups(func(whole bool) {
			for q := range squares {
				d := l.quarter("x", q, whole)
				l.VSUBPD(mean, d, d)
				l.zeroBeyond(d, q, whole)
				l.VMULPD(d, d, d)
				l.VADDPD(d, squares[q], squares[q])
			}
		})
		total = l.fold(squares)
		l.scale(total, count, eps, one)
		scale := l.everywhere(total)
		l.groups(func(whole bool) {
			for q := range 4 {
				d := l.quarter("x", q, whole)
				l.VSUBPD(mean, d, d)
				l.VMULPD(scale, d, d)
				l.storeQuarter(d, "dst", q, whole)
			}
		})
	})
}

func (a *asm) normalizeGrad() {
	l := a.rowLoop("normalizeGrad", "dx = s (dy - mean(dy) - (x - mean) s^2 mean(dy (x - mean))) with s = 1 / sqrt(variance + eps)", "eps", "dx", "dy", "x")
	count, eps, one := l.numbers()
	l.rows(func() {
		sum, sumG := l.sums(), l.sums()
		l.groups(func(whole bool) {
			for q := range sum {
				l.VADDPD(l.quarter("x", q, whole), sum[q], sum[q])
				l.VADDPD(l.quarter("dy", q, whole), sumG[q], sumG[q])
			}
		})
		total := l.fold(sum)
		l.VDIVSD(count, total, total)
		mean := l.everywhere(total)
		total = l.fold(sumG)
		l.VDIVSD(count, total, total)
		meanG := l.everywhere(total)
		squares, sumD := l.sums(), l.sums()
		l.groups(func(whole bool) {
			for q := range squares {
				d := l.quarter("x", q, whole)
				l.VSUBPD(mean, d, d)
				l.zeroBeyond(d, q, whole)
				g := l.quarter("dy", q, whole)
				l.VMULPD(d, g, g)
				l.VADDPD(g, sumD[q], sumD[q])
				l.VMULPD(d, d, d)
				l.VADDPD(d, squares[q], squares[q])
			}
		})
		total = l.fold(squares)
		l.scale(total, count, eps, one)
		along := l.fold(sumD)
		l.VDIVSD(count, along, along)
		square := l.XMM()
		l.VMULSD(total, total, square)
		l.VMULSD(square, along, along)
		scale, slope := l.everywhere(total), l.everywhere(along)
		l.groups(func(whole bool) {
			for q := range 4 {
				d := l.quarter("x", q, whole)
				l.VSUBPD(mean, d, d)
				l.VMULPD(slope, d, d)
				g := l.quarter("dy", q, whole)
				l.VSUBPD(meanG, g, g)
				l.VSUBPD(d, g, g)
				l.VMULPD(scale, g, g)
				l.storeQuarter(g, "dx", q, whole)
			}
		})
	})
}

// softmax leaves out what exp needs for x > 0: the largest value is subtracted before.
func (a *asm) softmax() {
	l := a.rowLoop("softmax", "dst = exp(x - max(x)) over its sum", "", "dst", "x")
	l.rows(func() {
		// NaN is passed over here: it comes back from x - top, and from there into the sum.
		lowest := l.copies(float32(math.Inf(-1)))
		tops := [2]reg.VecVirtual{l.YMM(), l.YMM()}
		for _, y := range tops {
			l.VMOVAPS(lowest, y)
		}
		l.groups(func(whole bool) {
			for half, y := range tops {
				x := l.eight("x", half, whole)
				if !whole {
					mask := l.YMM()
					l.VMOVUPS(l.mask(half), mask)
					l.VBLENDVPS(mask, x, lowest, x)
				}
				l.VMAXPS(y, x, y)
			}
		})
		top, other := tops[0], tops[1]
		l.VMAXPS(other, top, top)
		l.VEXTRACTF128(U8(1), top, other.AsX())
		l.VMAXPS(other.AsX(), top.AsX(), top.AsX())
		for _, order := range []uint8{0x4e, 0xb1} {
			l.VPERMILPS(U8(order), top.AsX(), other.AsX())
			l.VMAXPS(other.AsX(), top.AsX(), top.AsX())
		}
		l.VBROADCASTSS(top.AsX(), top)

		sum := l.sums()
		low, bias := l.copies(expMin), l.copies(roundBias+expShift)
		b := &block{asm: l.asm}
		l.groups(func(whole bool) {
			var streams []func()
			for half := range 2 {
				streams = append(streams, func() {
					x, p := l.eight("x", half, whole), l.YMM()
					l.VSUBPS(top, x, x)
					l.VMAXPS(x, low, x)
					b.expScaled(x, bias)
					l.VMULPS(l.constant(expDown), x, x)
					if !whole {
						l.VANDPS(l.mask(half), x, x)
					}
					l.storeEight(x, "dst", half, whole)
					l.VCVTPS2PD(x.AsX(), p)
					l.VADDPD(p, sum[2*half], sum[2*half])
					l.VEXTRACTF128(U8(1), x, x.AsX())
					l.VCVTPS2PD(x.AsX(), p)
					l.VADDPD(p, sum[2*half+1], sum[2*half+1])
				})
			}
			l.together(streams...)
		})
		total := l.fold(sum)
		l.VCVTSD2SS(total, total, total)
		all := l.YMM()
		l.VBROADCASTSS(total, all)
		l.groups(func(whole bool) {
			for half := range 2 {
				y := l.eight("dst", half, whole)
				l.VDIVPS(all, y, y)
				l.storeEight(y, "dst", half, whole)
			}
		})
	})
}

func (a *asm) softmaxGrad() {
	l := a.rowLoop("softmaxGrad", "dst = y (dy - sum of dy y)", "", "dst", "dy", "y")
	l.rows(func() {
		sum := l.sums()
		l.groups(func(whole bool) {
			for q := range sum {
				g := l.quarter("dy", q, whole)
				l.VFMADD231PD(g, l.quarter("y", q, whole), sum[q])
			}
		})
		total := l.fold(sum)
		l.VCVTSD2SS(total, total, total)
		all := l.YMM()
		l.VBROADCASTSS(total, all)
		l.groups(func(whole bool) {
			for half := range 2 {
				g := l.eight("dy", half, whole)
				l.VSUBPS(all, g, g)
				l.VMULPS(l.eight("y", half, whole), g, g)
				l.storeEight(g, "dst", half, whole)
			}
		})
	})
}
