package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func rowMoves(a *asm) {
	a.sumRows()
	a.gather()
	a.scatter(false)
	a.scatter(true)
	a.copyPanel()
	if !a.wide() {
		// Its sixteen lanes are sixteen chains of sums: wider registers would wait as long.
		a.dot()
	}
}

// sumRows walks down a stretch of columns, whose sums stay in registers: four registers of columns, then one, then what is left,
// with AVX2 one by one.
func (a *asm) sumRows() {
	name := a.named("sumRows")
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(name + " is dst[j] += sum of x[i*ldx+j] over n > 0 rows, for m columns.")
	a.SignatureExpr("func(dst, x *float32, ldx, n, m int)")
	dst, x, ldx, m := a.param("dst"), a.param("x"), a.paramBytes("ldx"), a.param("m")
	// down adds all rows to the sums of one stretch.
	down := func(label string, sums []reg.VecVirtual, move, add func(...Op)) {
		for i, y := range sums {
			move(Mem{Base: dst, Disp: a.bytes() * i}, y)
		}
		p, n := a.GP64(), a.param("n")
		a.MOVQ(x, p)
		a.Label(label + "rows")
		for i, y := range sums {
			add(Mem{Base: p, Disp: a.bytes() * i}, y, y)
		}
		a.ADDQ(ldx, p)
		a.DECQ(n)
		a.JNE(LabelRef(label + "rows"))
		for i, y := range sums {
			move(y, Mem{Base: dst, Disp: a.bytes() * i})
		}
	}
	stretches := []struct {
		label      string
		wide, regs int
	}{{"wide", 4 * a.lanes, 4}, {"whole", a.lanes, 1}, {"one", 1, 1}}
	if a.wide() {
		stretches[2] = stretches[1]
		stretches[1].label, stretches[1].wide, stretches[1].regs = "two", 2*a.lanes, 2
	}
	for _, s := range stretches {
		a.Label(s.label)
		a.CMPQ(m, U8(s.wide))
		a.JLT(LabelRef(s.label + "end"))
		move, add := a.VMOVUPS, a.VADDPS
		sums := []reg.VecVirtual{}
		for range s.regs {
			if s.wide == 1 {
				sums = append(sums, a.XMM())
				move, add = a.VMOVSS, a.VADDSS
			} else {
				sums = append(sums, a.vec())
			}
		}
		down(s.label, sums, move, add)
		a.ADDQ(U32(4*s.wide), dst)
		a.ADDQ(U32(4*s.wide), x)
		a.SUBQ(U8(s.wide), m)
		a.JMP(LabelRef(s.label))
		a.Label(s.label + "end")
	}
	if a.wide() {
		a.TESTQ(m, m)
		a.JEQ(LabelRef("end"))
		some := a.firstLanes(m)
		down("some", []reg.VecVirtual{a.ZMM()}, func(ops ...Op) {
			if _, load := ops[0].(Mem); load {
				a.VMOVUPS_Z(ops[0], some, ops[1])
			} else {
				a.VMOVUPS(ops[0], some, ops[1])
			}
		}, func(ops ...Op) { a.VADDPS(ops[0], ops[1], some, ops[2]) })
		a.Label("end")
	}
	a.VZEROUPPER()
	a.RET()
}

// ahead is how many rows before its use a row is fetched into the cache.
const ahead = 16

// rowOf is the address of row ids[i] of a table whose rows are ld bytes apart.
func (a *asm) rowOf(table, ids reg.GPVirtual, i int, ld reg.GPVirtual) reg.GPVirtual {
	p := a.GP64()
	a.MOVLQSX(Mem{Base: ids, Disp: 4 * i}, p)
	a.IMULQ(ld, p)
	a.ADDQ(table, p)
	return p
}

// eachRow calls body once a row with the row's address in the table; ids moves along, n > 0 counts down. left is how many ids may be
// read; where they are more than n, the last rows fetch what the next call will need.
func (a *asm) eachRow(table, ld, ids, n, left reg.GPVirtual, body func(row reg.GPVirtual)) {
	a.Label("row")
	a.CMPQ(left, U8(ahead))
	a.JLE(LabelRef("fetched"))
	next := a.rowOf(table, ids, ahead, ld)
	a.PREFETCHT0(Mem{Base: next})
	a.PREFETCHT0(Mem{Base: next, Disp: 64})
	a.Label("fetched")
	body(a.rowOf(table, ids, 0, ld))
	a.ADDQ(U8(4), ids)
	a.DECQ(left)
	a.DECQ(n)
	a.JNE(LabelRef("row"))
	a.VZEROUPPER()
	a.RET()
}

// alongRow calls whole for the registers of a row, four together and then one by one, by their offset in bytes (at and what stands beside it), and then
// part for what is left: with AVX2 float by float, with AVX-512 at once, in the lanes of some.
func (a *asm) alongRow(width reg.GPVirtual, some reg.OpmaskVirtual, whole func(at reg.GPVirtual, beside int), part func(at reg.GPVirtual)) {
	at, end := a.GP64(), a.GP64()
	a.XORQ(at, at)
	for _, s := range []struct {
		label, then string
		registers   int
	}{{"four", "whole", 4}, {"whole", "part", 1}} {
		a.Label(s.label)
		a.LEAQ(Mem{Base: at, Disp: s.registers * a.bytes()}, end)
		a.CMPQ(end, width)
		a.JGT(LabelRef(s.then))
		for i := range s.registers {
			whole(at, i*a.bytes())
		}
		a.MOVQ(end, at)
		a.JMP(LabelRef(s.label))
	}
	a.Label("part")
	a.CMPQ(at, width)
	a.JGE(LabelRef("end"))
	part(at)
	if !a.wide() {
		a.ADDQ(U8(4), at)
		a.JMP(LabelRef("part"))
	}
	a.Label("end")
}

// lastLanes is the mask of what a row of width bytes has beyond its whole registers, for AVX-512.
func (a *asm) lastLanes(width reg.GPVirtual) reg.OpmaskVirtual {
	if !a.wide() {
		return nil
	}
	n := a.GP64()
	a.MOVQ(width, n)
	a.SHRQ(U8(2), n)
	a.ANDQ(U8(a.lanes-1), n)
	return a.firstLanes(n)
}

func at(base, index reg.GPVirtual) Mem { return Mem{Base: base, Index: index, Scale: 1} }

func (a *asm) gather() {
	name := a.named("gather")
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(name + " copies row ids[i] of table, whose rows are ld apart, to row i of dst, for n > 0 rows of width > 0. Of ids, left >= n may be read.")
	a.SignatureExpr("func(dst, table *float32, ld int, ids *int32, n, left, width int)")
	dst, table, ids, n, width := a.param("dst"), a.param("table"), a.param("ids"), a.param("n"), a.paramBytes("width")
	ld, left := a.paramBytes("ld"), a.param("left")
	some := a.lastLanes(width)
	a.eachRow(table, ld, ids, n, left, func(row reg.GPVirtual) {
		a.alongRow(width, some, func(i reg.GPVirtual, beside int) {
			y := a.vec()
			a.VMOVUPS(at(row, i).Offset(beside), y)
			a.VMOVUPS(y, at(dst, i).Offset(beside))
		}, func(i reg.GPVirtual) {
			if a.wide() {
				y := a.ZMM()
				a.VMOVUPS_Z(at(row, i), some, y)
				a.VMOVUPS(y, some, at(dst, i))
				return
			}
			x := a.XMM()
			a.VMOVSS(at(row, i), x)
			a.VMOVSS(x, at(dst, i))
		})
		a.ADDQ(width, dst)
	})
}

// scatter makes scatter, and scatterAdd, which adds.
func (a *asm) scatter(add bool) {
	base, doc := "scatter", "%s copies row i of src to row ids[i] of dst, whose rows are ld apart, for n > 0 rows of width > 0, in the order of i."
	if add {
		base, doc = "scatterAdd", "%s adds row i of src to row ids[i] of dst, whose rows are ld apart, for n > 0 rows of width > 0, in the order of i."
	}
	name := a.named(base)
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(fmt.Sprintf(doc, name))
	a.SignatureExpr("func(dst *float32, ld int, ids *int32, src *float32, n, width int)")
	dst, ids, src, n, width := a.param("dst"), a.param("ids"), a.param("src"), a.param("n"), a.paramBytes("width")
	ld, left := a.paramBytes("ld"), a.GP64()
	a.MOVQ(n, left)
	some := a.lastLanes(width)
	a.eachRow(dst, ld, ids, n, left, func(row reg.GPVirtual) {
		a.alongRow(width, some, func(i reg.GPVirtual, beside int) {
			y := a.vec()
			a.VMOVUPS(at(src, i).Offset(beside), y)
			if add {
				a.VADDPS(at(row, i).Offset(beside), y, y)
			}
			a.VMOVUPS(y, at(row, i).Offset(beside))
		}, func(i reg.GPVirtual) {
			if a.wide() {
				y := a.ZMM()
				a.VMOVUPS_Z(at(src, i), some, y)
				if add {
					a.VADDPS(at(row, i), y, some, y)
				}
				a.VMOVUPS(y, some, at(row, i))
				return
			}
			x := a.XMM()
			a.VMOVSS(at(src, i), x)
			if add {
				a.VADDSS(at(row, i), x, x)
			}
			a.VMOVSS(x, at(row, i))
		})
		a.ADDQ(width, src)
	})
}

// dot keeps the sixteen lanes of float64 in four registers; products of two float32 are exact there, fused or not.
func (a *asm) dot() {
	a.Function("dotAVX2")
	a.Pragma("noescape")
	a.Doc("dotAVX2 adds a[i] * b[i] to lane i mod 16 of s; n is a positive multiple of 16.")
	a.SignatureExpr("func(s *float64, a, b *float32, n int)")
	s, x, y, n := a.param("s"), a.param("a"), a.param("b"), a.param("n")
	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = a.YMM()
		a.VMOVUPD(Mem{Base: s, Disp: 32 * i}, acc[i])
	}
	a.Label("loop")
	for i := range acc {
		p, q := a.YMM(), a.YMM()
		a.VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, p)
		a.VCVTPS2PD(Mem{Base: y, Disp: 16 * i}, q)
		a.VFMADD231PD(p, q, acc[i])
	}
	a.ADDQ(U8(64), x)
	a.ADDQ(U8(64), y)
	a.SUBQ(U8(16), n)
	a.JNE(LabelRef("loop"))
	for i := range acc {
		a.VMOVUPD(acc[i], Mem{Base: s, Disp: 32 * i})
	}
	a.VZEROUPPER()
	a.RET()
}

// copyPanel brings columns of a wide matrix together, whose rows would otherwise share a few sets of the cache: as many as the outer
// product takes at a time.
func (a *asm) copyPanel() {
	name := a.named("copyPanel")
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(fmt.Sprintf("%s copies n > 0 rows of %d floats, ld apart, to dst without gaps.", name, 2*a.lanes))
	a.SignatureExpr("func(dst, src *float32, ld, n int)")
	dst, src, ld, n := a.param("dst"), a.param("src"), a.paramBytes("ld"), a.param("n")
	x, y := a.vec(), a.vec()
	a.Label("row")
	a.VMOVUPS(Mem{Base: src}, x)
	a.VMOVUPS(Mem{Base: src, Disp: a.bytes()}, y)
	a.VMOVUPS(x, Mem{Base: dst})
	a.VMOVUPS(y, Mem{Base: dst, Disp: a.bytes()})
	a.ADDQ(ld, src)
	a.ADDQ(U32(2*a.bytes()), dst)
	a.DECQ(n)
	a.JNE(LabelRef("row"))
	a.VZEROUPPER()
	a.RET()
}
