package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func rowMoves(a *asm) {
	a.sumRows()
	a.gather()
	a.scatterAdd()
	a.dot()
	a.copyPanel()
}

// sumRows walks down a stretch of columns, whose sums stay in registers: 32 columns, then 8, then 1.
func (a *asm) sumRows() {
	a.Function("sumRowsAVX2")
	a.Pragma("noescape")
	a.Doc("sumRowsAVX2 is dst[j] += sum of x[i*ldx+j] over n > 0 rows, for m columns.")
	a.SignatureExpr("func(dst, x *float32, ldx, n, m int)")
	dst, x, ldx, m := a.param("dst"), a.param("x"), a.paramBytes("ldx"), a.param("m")
	for _, s := range []struct {
		label      string
		wide, regs int
	}{{"wide", 32, 4}, {"eight", 8, 1}, {"one", 1, 1}} {
		end := s.label + "end"
		a.Label(s.label)
		a.CMPQ(m, U8(s.wide))
		a.JLT(LabelRef(end))
		move, add := a.VMOVUPS, a.VADDPS
		sums := []reg.VecVirtual{}
		for range s.regs {
			if s.wide == 1 {
				sums = append(sums, a.XMM())
				move, add = a.VMOVSS, a.VADDSS
			} else {
				sums = append(sums, a.YMM())
			}
		}
		for i, y := range sums {
			move(Mem{Base: dst, Disp: 32 * i}, y)
		}
		p, n := a.GP64(), a.param("n")
		a.MOVQ(x, p)
		a.Label(s.label + "rows")
		for i, y := range sums {
			add(Mem{Base: p, Disp: 32 * i}, y, y)
		}
		a.ADDQ(ldx, p)
		a.DECQ(n)
		a.JNE(LabelRef(s.label + "rows"))
		for i, y := range sums {
			move(y, Mem{Base: dst, Disp: 32 * i})
		}
		a.ADDQ(U8(4*s.wide), dst)
		a.ADDQ(U8(4*s.wide), x)
		a.SUBQ(U8(s.wide), m)
		a.JMP(LabelRef(s.label))
		a.Label(end)
	}
	a.VZEROUPPER()
	a.RET()
}

// ahead is how many rows before its use a row is fetched into the cache.
const ahead = 8

// rowOf is the address of row id of a table of rows of width bytes.
func (a *asm) rowOf(table, id, width reg.GPVirtual) reg.GPVirtual {
	p := a.GP64()
	a.MOVLQSX(Mem{Base: id}, p)
	a.IMULQ(width, p)
	a.ADDQ(table, p)
	return p
}

// eachRow calls body once a row with the row's address in the table; ids moves along, n > 0 counts down.
func (a *asm) eachRow(table, ids, n, width reg.GPVirtual, body func(row reg.GPVirtual)) {
	a.Label("row")
	a.CMPQ(n, U8(ahead))
	a.JLE(LabelRef("fetched"))
	next := a.GP64()
	a.MOVLQSX(Mem{Base: ids, Disp: 4 * ahead}, next)
	a.IMULQ(width, next)
	a.ADDQ(table, next)
	a.PREFETCHT0(Mem{Base: next})
	a.PREFETCHT0(Mem{Base: next, Disp: 64})
	a.Label("fetched")
	body(a.rowOf(table, ids, width))
	a.ADDQ(U8(4), ids)
	a.DECQ(n)
	a.JNE(LabelRef("row"))
	a.VZEROUPPER()
	a.RET()
}

// alongRow calls eight and one for the floats of a row, by their offset in bytes, until width.
func (a *asm) alongRow(width reg.GPVirtual, eight, one func(at reg.GPVirtual)) {
	at, end := a.GP64(), a.GP64()
	a.XORQ(at, at)
	a.Label("eight")
	a.LEAQ(Mem{Base: at, Disp: 32}, end)
	a.CMPQ(end, width)
	a.JGT(LabelRef("one"))
	eight(at)
	a.MOVQ(end, at)
	a.JMP(LabelRef("eight"))
	a.Label("one")
	a.CMPQ(at, width)
	a.JGE(LabelRef("end"))
	one(at)
	a.ADDQ(U8(4), at)
	a.JMP(LabelRef("one"))
	a.Label("end")
}

func at(base, index reg.GPVirtual) Mem { return Mem{Base: base, Index: index, Scale: 1} }

func (a *asm) gather() {
	a.Function("gatherAVX2")
	a.Pragma("noescape")
	a.Doc("gatherAVX2 copies row ids[i] of table to row i of dst, for n > 0 rows of width > 0.")
	a.SignatureExpr("func(dst, table *float32, ids *int32, n, width int)")
	dst, table, ids, n, width := a.param("dst"), a.param("table"), a.param("ids"), a.param("n"), a.paramBytes("width")
	a.eachRow(table, ids, n, width, func(row reg.GPVirtual) {
		a.alongRow(width, func(i reg.GPVirtual) {
			y := a.YMM()
			a.VMOVUPS(at(row, i), y)
			a.VMOVUPS(y, at(dst, i))
		}, func(i reg.GPVirtual) {
			x := a.XMM()
			a.VMOVSS(at(row, i), x)
			a.VMOVSS(x, at(dst, i))
		})
		a.ADDQ(width, dst)
	})
}

func (a *asm) scatterAdd() {
	a.Function("scatterAddAVX2")
	a.Pragma("noescape")
	a.Doc("scatterAddAVX2 adds row i of src to row ids[i] of dst, for n > 0 rows of width > 0, in the order of i.")
	a.SignatureExpr("func(dst *float32, ids *int32, src *float32, n, width int)")
	dst, ids, src, n, width := a.param("dst"), a.param("ids"), a.param("src"), a.param("n"), a.paramBytes("width")
	a.eachRow(dst, ids, n, width, func(row reg.GPVirtual) {
		a.alongRow(width, func(i reg.GPVirtual) {
			y := a.YMM()
			a.VMOVUPS(at(row, i), y)
			a.VADDPS(at(src, i), y, y)
			a.VMOVUPS(y, at(row, i))
		}, func(i reg.GPVirtual) {
			x := a.XMM()
			a.VMOVSS(at(row, i), x)
			a.VADDSS(at(src, i), x, x)
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

// copyPanel brings a panel of a wide matrix together, whose rows would otherwise share a few sets of the cache.
func (a *asm) copyPanel() {
	a.Function("copyPanelAVX2")
	a.Pragma("noescape")
	a.Doc("copyPanelAVX2 copies n > 0 rows of 16 floats, ld apart, to dst without gaps.")
	a.SignatureExpr("func(dst, src *float32, ld, n int)")
	dst, src, ld, n := a.param("dst"), a.param("src"), a.paramBytes("ld"), a.param("n")
	x, y := a.YMM(), a.YMM()
	a.Label("row")
	a.VMOVUPS(Mem{Base: src}, x)
	a.VMOVUPS(Mem{Base: src, Disp: 32}, y)
	a.VMOVUPS(x, Mem{Base: dst})
	a.VMOVUPS(y, Mem{Base: dst, Disp: 32})
	a.ADDQ(ld, src)
	a.ADDQ(U8(64), dst)
	a.DECQ(n)
	a.JNE(LabelRef("row"))
	a.VZEROUPPER()
	a.RET()
}
