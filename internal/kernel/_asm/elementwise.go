package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// constant is eight copies of v in a symbol of their own.
func (a *asm) constant(v float32) Mem { return a.constantBits(math.Float32bits(v)) }

func (a *asm) constantBits(v uint32) Mem {
	words := make([]uint32, 8)
	for i := range words {
		words[i] = v
	}
	return a.words(fmt.Sprintf("c%08x", v), words)
}

// words is a symbol of this file with these contents, made at its first use.
func (a *asm) words(name string, words []uint32) Mem {
	if m, ok := a.symbols[name]; ok {
		return m
	}
	m := a.StaticGlobal(name)
	a.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, w := range words {
		a.AddDatum(4*i, U32(w))
	}
	a.symbols[name] = m
	return m
}

// copies is a register with eight copies of v.
func (a *asm) copies(v float32) reg.VecVirtual {
	y := a.YMM()
	a.VMOVUPS(a.constant(v), y)
	return y
}

// loop is a function over n values: operands are pointers that move together, numbers are single floats. body gets one block of
// eight values at a time, through load and store by the operand's name, and the numbers in registers of eight copies. hoist, unless nil, fills more
// registers first.
func (a *asm) loop(name, doc string, operands, numbers []string, unroll int, hoist func(b *block), body func(b *block)) {
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(name + " is " + doc + ", for n > 0 values.")
	signature := strings.Join(operands, ", ") + " *float32, "
	if len(numbers) > 0 {
		signature += strings.Join(numbers, ", ") + " float32, "
	}
	a.SignatureExpr("func(" + signature + "n int)")
	b := &block{asm: a, at: map[string]reg.GPVirtual{}, number: map[string]reg.VecVirtual{}}
	for _, o := range operands {
		b.at[o] = a.param(o)
	}
	for _, s := range numbers {
		y := a.YMM()
		addr, err := a.Param(s).Resolve()
		if err != nil {
			panic(err)
		}
		a.VBROADCASTSS(addr.Addr, y)
		b.number[s] = y
	}
	if hoist != nil {
		hoist(b)
	}
	n := a.param("n")
	for _, blocks := range []int{unroll, 1} {
		label := fmt.Sprintf("blocks%d", blocks)
		a.Label(label)
		a.CMPQ(n, U8(8*blocks))
		a.JLT(LabelRef(label + "end"))
		for i := range blocks {
			b.disp = 32 * i
			body(b)
		}
		for _, o := range operands {
			a.ADDQ(U32(32*blocks), b.at[o])
		}
		a.SUBQ(U8(8*blocks), n)
		a.JMP(LabelRef(label))
		a.Label(label + "end")
		if unroll == 1 {
			break
		}
	}
	// The tail runs the same instructions on a masked block, so that a value does not depend on its place.
	a.TESTQ(n, n)
	a.JEQ(LabelRef("end"))
	a.NEGQ(n)
	table := a.GP64()
	a.LEAQ(a.maskTable(), table)
	b.disp = 0
	b.mask = a.YMM()
	a.VMOVUPS(Mem{Base: table, Index: n, Scale: 4, Disp: 32}, b.mask)
	body(b)
	a.Label("end")
	a.VZEROUPPER()
	a.RET()
}

// block is eight values of a loop.
type block struct {
	*asm
	at     map[string]reg.GPVirtual
	number map[string]reg.VecVirtual
	disp   int
	mask   reg.VecVirtual // nil for a whole block
}

// The comparisons of VCMPPS that are used; none traps, all but the first hold for NaN.
const (
	lessThan        = 0x11
	unordered       = 0x03
	notLessEqual    = 0x16
	notGreaterEqual = 0x19
)

func (b *block) load(name string) reg.VecVirtual {
	y := b.YMM()
	m := Mem{Base: b.at[name], Disp: b.disp}
	if b.mask != nil {
		b.VMASKMOVPS(m, b.mask, y)
	} else {
		b.VMOVUPS(m, y)
	}
	return y
}

func (b *block) store(y reg.VecVirtual, name string) {
	m := Mem{Base: b.at[name], Disp: b.disp}
	if b.mask != nil {
		b.VMASKMOVPS(y, b.mask, m)
	} else {
		b.VMOVUPS(y, m)
	}
}

// maskTable is eight words of ones, then eight of zeros.
func (a *asm) maskTable() Mem {
	words := make([]uint32, 16)
	for i := range 8 {
		words[i] = 1<<32 - 1
	}
	return a.words("mask", words)
}

func elementwise(a *asm) {
	type two = func(b *block, x, y reg.VecVirtual)
	for _, f := range []struct {
		name, doc string
		body      two
	}{
		{"addAVX2", "dst = a + b", func(b *block, x, y reg.VecVirtual) { b.VADDPS(y, x, x) }},
		{"subAVX2", "dst = a - b", func(b *block, x, y reg.VecVirtual) { b.VSUBPS(y, x, x) }},
		{"mulAVX2", "dst = a * b", func(b *block, x, y reg.VecVirtual) { b.VMULPS(y, x, x) }},
		{"divAVX2", "dst = a / b", func(b *block, x, y reg.VecVirtual) { b.VDIVPS(y, x, x) }},
		{"minAVX2", "dst = min(a, b)", func(b *block, x, y reg.VecVirtual) { b.keepNaN(x, func() { b.VMINPS(y, x, x) }) }},
		{"maxAVX2", "dst = max(a, b)", func(b *block, x, y reg.VecVirtual) { b.keepNaN(x, func() { b.VMAXPS(y, x, x) }) }},
		{"mulAddAVX2", "dst += a * b", func(b *block, x, y reg.VecVirtual) {
			b.VMULPS(y, x, x)
			b.VADDPS(x, b.load("dst"), x)
		}},
		{"mulSubAVX2", "dst -= a * b", func(b *block, x, y reg.VecVirtual) {
			b.VMULPS(y, x, x)
			b.VSUBPS(x, b.load("dst"), x)
		}},
	} {
		a.loop(f.name, f.doc, []string{"dst", "a", "b"}, nil, 4, nil, func(b *block) {
			x, y := b.load("a"), b.load("b")
			f.body(b, x, y)
			b.store(x, "dst")
		})
	}
	for _, f := range []struct {
		name, doc string
		body      two
	}{
		{"axpyAVX2", "dst += c * a", func(b *block, x, c reg.VecVirtual) {
			b.VMULPS(x, c, x)
			b.VADDPS(x, b.load("dst"), x)
		}},
		{"addConstAVX2", "dst = a + c", func(b *block, x, c reg.VecVirtual) { b.VADDPS(c, x, x) }},
		{"scaleAVX2", "dst = a * c", func(b *block, x, c reg.VecVirtual) { b.VMULPS(c, x, x) }},
		{"rSubAVX2", "dst = c - a", func(b *block, x, c reg.VecVirtual) { b.VSUBPS(x, c, x) }},
		{"rDivAVX2", "dst = c / a", func(b *block, x, c reg.VecVirtual) { b.VDIVPS(x, c, x) }},
	} {
		a.loop(f.name, f.doc, []string{"dst", "a"}, []string{"c"}, 4, nil, func(b *block) {
			x := b.load("a")
			f.body(b, x, b.number["c"])
			b.store(x, "dst")
		})
	}
}

// keepNaN runs op, which overwrites x with what VMINPS or VMAXPS return (the second operand when one is NaN), and puts NaN back
// where x had it.
func (b *block) keepNaN(x reg.VecVirtual, op func()) {
	first, nan := b.YMM(), b.YMM()
	b.VMOVAPS(x, first)
	b.VCMPPS(U8(unordered), x, x, nan)
	op()
	b.VBLENDVPS(nan, first, x, x)
}
