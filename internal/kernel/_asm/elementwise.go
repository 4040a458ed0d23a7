package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// constant is v in a symbol of its own: with AVX2 eight copies, with AVX-512 one: see holdConstants.
func (a *asm) constant(v float32) Mem { return a.constantBits(math.Float32bits(v)) }

func (a *asm) constantBits(v uint32) Mem {
	words := make([]uint32, 8)
	for i := range words {
		words[i] = v
	}
	if a.wide() {
		words = words[:1]
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

// copies is a register with v in all lanes.
func (a *asm) copies(v float32) reg.VecVirtual {
	y := a.vec()
	a.fill(v, y)
	return y
}

// loop is a function over n values: operands are pointers that move together, numbers are single floats. body gets one block of
// values at a time, a register full, through load and store by the operand's name, and the numbers in registers of copies. hoist, unless
// nil, fills more registers first.
func (a *asm) loop(base, doc string, operands, numbers []string, unroll int, hoist func(b *block), body func(b *block)) {
	a.loopBy(oneByOne, base, doc, operands, numbers, unroll, hoist, body)
}

func oneByOne(bodies ...func()) {
	for _, body := range bodies {
		body()
	}
}

// loopBy is loop, where write writes the blocks that are unrolled.
func (a *asm) loopBy(write func(bodies ...func()), base, doc string, operands, numbers []string, unroll int, hoist func(b *block), body func(b *block)) {
	name := a.named(base)
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
		y := a.vec()
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
		a.CMPQ(n, U8(a.lanes*blocks))
		a.JLT(LabelRef(label + "end"))
		var bodies []func()
		for i := range blocks {
			bodies = append(bodies, func() {
				b.disp = a.bytes() * i
				body(b)
			})
		}
		write(bodies...)
		for _, o := range operands {
			a.ADDQ(U32(a.bytes()*blocks), b.at[o])
		}
		a.SUBQ(U8(a.lanes*blocks), n)
		a.JMP(LabelRef(label))
		a.Label(label + "end")
		if unroll == 1 {
			break
		}
	}
	// The tail runs the same instructions on a masked block, so that a value does not depend on its place.
	a.TESTQ(n, n)
	a.JEQ(LabelRef("end"))
	b.disp = 0
	b.first(n)
	body(b)
	a.Label("end")
	a.VZEROUPPER()
	a.RET()
}

// block is a register full of values of a loop.
type block struct {
	*asm
	at     map[string]reg.GPVirtual
	number map[string]reg.VecVirtual
	disp   int
	// One of these is set for a block that is not whole: the first in AVX2, the second in AVX-512.
	mask reg.VecVirtual
	some reg.OpmaskVirtual
}

// first makes the block one of the first n values only. It overwrites n.
func (b *block) first(n reg.GPVirtual) {
	if b.wide() {
		b.some = b.firstLanes(n)
		return
	}
	b.NEGQ(n)
	table := b.GP64()
	b.LEAQ(b.maskTable(), table)
	b.mask = b.YMM()
	b.VMOVUPS(Mem{Base: table, Index: n, Scale: 4, Disp: 32}, b.mask)
}

func (b *block) load(name string) reg.VecVirtual {
	y := b.vec()
	m := Mem{Base: b.at[name], Disp: b.disp}
	switch {
	case b.mask != nil:
		b.VMASKMOVPS(m, b.mask, y)
	case b.some != nil:
		b.VMOVUPS_Z(m, b.some, y)
	default:
		b.VMOVUPS(m, y)
	}
	return y
}

func (b *block) store(y reg.VecVirtual, name string) {
	m := Mem{Base: b.at[name], Disp: b.disp}
	switch {
	case b.mask != nil:
		b.VMASKMOVPS(y, b.mask, m)
	case b.some != nil:
		b.VMOVUPS(y, b.some, m)
	default:
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
		{"add", "dst = a + b", func(b *block, x, y reg.VecVirtual) { b.VADDPS(y, x, x) }},
		{"sub", "dst = a - b", func(b *block, x, y reg.VecVirtual) { b.VSUBPS(y, x, x) }},
		{"mul", "dst = a * b", func(b *block, x, y reg.VecVirtual) { b.VMULPS(y, x, x) }},
		{"div", "dst = a / b", func(b *block, x, y reg.VecVirtual) { b.VDIVPS(y, x, x) }},
		{"min", "dst = min(a, b)", func(b *block, x, y reg.VecVirtual) { b.keepNaN(x, func() { b.VMINPS(y, x, x) }) }},
		{"max", "dst = max(a, b)", func(b *block, x, y reg.VecVirtual) { b.keepNaN(x, func() { b.VMAXPS(y, x, x) }) }},
		{"mulAdd", "dst += a * b", func(b *block, x, y reg.VecVirtual) {
			b.VMULPS(y, x, x)
			b.VADDPS(x, b.load("dst"), x)
		}},
		{"mulSub", "dst -= a * b", func(b *block, x, y reg.VecVirtual) {
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
		{"axpy", "dst += c * a", func(b *block, x, c reg.VecVirtual) {
			b.VMULPS(x, c, x)
			b.VADDPS(x, b.load("dst"), x)
		}},
		{"addConst", "dst = a + c", func(b *block, x, c reg.VecVirtual) { b.VADDPS(c, x, x) }},
		{"scale", "dst = a * c", func(b *block, x, c reg.VecVirtual) { b.VMULPS(c, x, x) }},
		{"rSub", "dst = c - a", func(b *block, x, c reg.VecVirtual) { b.VSUBPS(x, c, x) }},
		{"rDiv", "dst = c / a", func(b *block, x, c reg.VecVirtual) { b.VDIVPS(x, c, x) }},
	} {
		a.loop(f.name, f.doc, []string{"dst", "a"}, []string{"c"}, 4, nil, func(b *block) {
			x := b.load("a")
			f.body(b, x, b.number["c"])
			b.store(x, "dst")
		})
	}
	a.loop("copy", "dst = a", []string{"dst", "a"}, nil, 4, nil, func(b *block) { b.store(b.load("a"), "dst") })
	a.loop("neg", "dst = -a", []string{"dst", "a"}, nil, 4, nil, func(b *block) {
		x := b.load("a")
		b.VXORPS(b.constantBits(signBit), x, x)
		b.store(x, "dst")
	})
	a.loop("fill", "dst = c", []string{"dst"}, []string{"c"}, 4, nil, func(b *block) { b.store(b.number["c"], "dst") })
}

// keepNaN runs op, which overwrites x with what VMINPS or VMAXPS return (the second operand when one is NaN), and puts NaN back
// where x had it.
func (b *block) keepNaN(x reg.VecVirtual, op func()) {
	first := b.vec()
	b.VMOVAPS(x, first)
	nan := b.compare(unordered, x, x)
	op()
	b.choose(nan, first, x, x)
}
