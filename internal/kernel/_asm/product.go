package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const panelBytes = 64 // one row of a panel: 16 floats, two registers

// rowsAt addresses rows base, base + ld, … base + 5 ld with one register more: base + 3 ld.
type rowsAt struct {
	base, base3, ld reg.GPVirtual
}

func (a *asm) rowsAt(base, ld reg.GPVirtual, n int) rowsAt {
	r := rowsAt{base: base, ld: ld}
	if n > 3 {
		r.base3 = a.GP64()
		a.LEAQ(Mem{Base: base, Index: ld, Scale: 2}, r.base3)
		a.ADDQ(ld, r.base3)
	}
	return r
}

func (r rowsAt) row(i, disp int) Mem {
	m := Mem{Base: r.base, Disp: disp}
	if i >= 3 {
		m.Base = r.base3
		i -= 3
	}
	if i > 0 {
		m.Index, m.Scale = r.ld, uint8(i)
	}
	return m
}

// step moves every row by n bytes, a constant or a register.
func (a *asm) step(r rowsAt, n Op) {
	a.ADDQ(n, r.base)
	if r.base3 != nil {
		a.ADDQ(n, r.base3)
	}
}

func (a *asm) param(name string) reg.GPVirtual {
	return a.Load(a.Param(name), a.GP64()).(reg.GPVirtual)
}

// paramBytes is a parameter that counts floats, in bytes.
func (a *asm) paramBytes(name string) reg.GPVirtual {
	r := a.param(name)
	a.SHLQ(U8(2), r)
	return r
}

func products(a *asm) {
	for _, shape := range []struct{ rows, panels int }{{6, 1}, {5, 1}, {4, 1}, {3, 1}, {2, 1}, {1, 1}, {3, 2}, {2, 2}, {1, 2}, {1, 4}} {
		a.matMul(shape.rows, shape.panels)
	}
	for rows := 6; rows >= 1; rows-- {
		a.outer(rows, false)
	}
	for rows := 4; rows >= 1; rows-- {
		a.outer(rows, true)
	}
}

// matMul is a tile of rows by panels, one below the other: the sums of a tile stay in registers for all k.
func (a *asm) matMul(rows, panels int) {
	name := fmt.Sprintf("matMul%dx%dAVX2", rows, panels*16)
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(fmt.Sprintf("%s is dst = start + a b for tiles*%d rows and %d columns; b holds panels of k rows, panel floats apart.", name, rows, panels*16))
	a.SignatureExpr("func(dst *float32, ldd int, a *float32, lda int, b *float32, panel, k, tiles, from int, bias *float32)")
	dst, ldd := a.param("dst"), a.paramBytes("ldd")
	src, lda := a.param("a"), a.paramBytes("lda")
	b := a.param("b")
	var panel reg.GPVirtual
	if panels > 1 {
		panel = a.paramBytes("panel")
	}
	tiles := a.param("tiles")

	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		for range panels * 2 {
			acc[r] = append(acc[r], a.YMM())
		}
	}

	a.Label("tile")
	d := a.rowsAt(dst, ldd, rows)
	from := a.param("from")
	a.CMPQ(from, U8(1))
	a.JEQ(LabelRef("dst"))
	a.JGT(LabelRef("bias"))
	for r := range rows {
		for c := range panels * 2 {
			a.VXORPS(acc[r][c], acc[r][c], acc[r][c])
		}
	}
	a.JMP(LabelRef("start"))
	a.Label("bias")
	bias := a.param("bias")
	for r := range rows {
		for c := range panels * 2 {
			if r == 0 {
				a.VMOVUPS(Mem{Base: bias, Disp: c * 32}, acc[0][c])
			} else {
				a.VMOVAPS(acc[0][c], acc[r][c])
			}
		}
	}
	a.JMP(LabelRef("start"))
	a.Label("dst")
	for r := range rows {
		for c := range panels * 2 {
			a.VMOVUPS(d.row(r, c*32), acc[r][c])
		}
	}
	a.Label("start")

	ap, bp := a.GP64(), a.GP64()
	a.MOVQ(src, ap)
	a.MOVQ(b, bp)
	x := a.rowsAt(ap, lda, rows)
	var p rowsAt
	if panels > 1 {
		p = a.rowsAt(bp, panel, panels)
	} else {
		p = rowsAt{base: bp}
	}
	one := func(i int) {
		// Whichever operand needs fewer registers is loaded first and stays; the other passes by.
		if rows < 2*panels {
			var s []reg.VecVirtual
			for r := range rows {
				s = append(s, a.YMM())
				a.VBROADCASTSS(x.row(r, 4*i), s[r])
			}
			for c := range panels * 2 {
				y := a.YMM()
				a.VMOVUPS(p.row(c/2, i*panelBytes+c%2*32), y)
				for r := range rows {
					a.VFMADD231PS(y, s[r], acc[r][c])
				}
			}
			return
		}
		var v []reg.VecVirtual
		for c := range panels * 2 {
			v = append(v, a.YMM())
			a.VMOVUPS(p.row(c/2, i*panelBytes+c%2*32), v[c])
		}
		for r := range rows {
			s := a.YMM()
			a.VBROADCASTSS(x.row(r, 4*i), s)
			for c := range v {
				a.VFMADD231PS(v[c], s, acc[r][c])
			}
		}
	}
	const unroll = 4
	k := a.param("k")
	a.SUBQ(U8(unroll), k)
	a.JLT(LabelRef("few"))
	a.Label("many")
	for i := range unroll {
		one(i)
	}
	a.step(x, U8(4*unroll))
	a.step(p, U32(panelBytes*unroll))
	a.SUBQ(U8(unroll), k)
	a.JGE(LabelRef("many"))
	a.Label("few")
	a.ADDQ(U8(unroll), k)
	a.JEQ(LabelRef("store"))
	a.Label("each")
	one(0)
	a.step(x, U8(4))
	a.step(p, U8(panelBytes))
	a.DECQ(k)
	a.JNE(LabelRef("each"))

	a.Label("store")
	d = a.rowsAt(dst, ldd, rows)
	for r := range rows {
		for c := range panels * 2 {
			a.VMOVUPS(acc[r][c], d.row(r, c*32))
		}
	}
	a.DECQ(tiles)
	a.JEQ(LabelRef("done"))
	for range rows {
		a.ADDQ(ldd, dst)
		a.ADDQ(lda, src)
	}
	a.JMP(LabelRef("tile"))
	a.Label("done")
	a.VZEROUPPER()
	a.RET()
}

// outer is a tile of rows by 16 columns over n steps, tiles of them one below the other. The masked form takes fewer columns: mask
// points to 16 words, all ones for a column that is there.
func (a *asm) outer(rows int, masked bool) {
	name := fmt.Sprintf("outer%dx16AVX2", rows)
	signature := "func(dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n, tiles int)"
	doc := fmt.Sprintf("%s is dst += transpose(a) d for tiles*%d rows and 16 columns, over n steps.", name, rows)
	if masked {
		name = fmt.Sprintf("outer%dxMaskAVX2", rows)
		signature = "func(dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n, tiles int, mask *int32)"
		doc = fmt.Sprintf("%s is dst += transpose(a) d for tiles*%d rows and the columns of mask, over n steps.", name, rows)
	}
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(doc)
	a.SignatureExpr(signature)
	dst, ldd := a.param("dst"), a.paramBytes("ldd")
	src, lda := a.param("a"), a.paramBytes("lda")
	d, ldb := a.param("d"), a.paramBytes("ldb")
	tiles := a.param("tiles")
	var m [2]reg.VecVirtual
	if masked {
		mask := a.param("mask")
		for c := range m {
			m[c] = a.YMM()
			a.VMOVUPS(Mem{Base: mask, Disp: c * 32}, m[c])
		}
	}
	load := func(from Mem, c int, y reg.VecVirtual) {
		if masked {
			a.VMASKMOVPS(from, m[c], y)
		} else {
			a.VMOVUPS(from, y)
		}
	}
	acc := make([][2]reg.VecVirtual, rows)
	a.Label("tile")
	t := a.rowsAt(dst, ldd, rows)
	for r := range acc {
		for c := range 2 {
			acc[r][c] = a.YMM()
			load(t.row(r, c*32), c, acc[r][c])
		}
	}
	ap, dp, n := a.GP64(), a.GP64(), a.param("n")
	a.MOVQ(src, ap)
	a.MOVQ(d, dp)
	a.Label("step")
	var v [2]reg.VecVirtual
	for c := range v {
		v[c] = a.YMM()
		load(Mem{Base: dp, Disp: c * 32}, c, v[c])
	}
	for r := range acc {
		s := a.YMM()
		a.VBROADCASTSS(Mem{Base: ap, Disp: 4 * r}, s)
		for c := range v {
			a.VFMADD231PS(v[c], s, acc[r][c])
		}
	}
	a.ADDQ(lda, ap)
	a.ADDQ(ldb, dp)
	a.DECQ(n)
	a.JNE(LabelRef("step"))
	t = a.rowsAt(dst, ldd, rows)
	for r := range acc {
		for c := range 2 {
			if masked {
				a.VMASKMOVPS(acc[r][c], m[c], t.row(r, c*32))
			} else {
				a.VMOVUPS(acc[r][c], t.row(r, c*32))
			}
		}
	}
	a.ADDQ(U8(4*rows), src)
	for range rows {
		a.ADDQ(ldd, dst)
	}
	a.DECQ(tiles)
	a.JNE(LabelRef("tile"))
	a.VZEROUPPER()
	a.RET()
}
