package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const panelBytes = 64 // one row of a panel: 16 floats, two registers of AVX2 or one of AVX-512

// rowsAt addresses the rows base, base + ld, base + 2 ld, … with one register more for every three rows.
type rowsAt struct {
	bases []reg.GPVirtual
	ld    reg.GPVirtual
}

func (a *asm) rowsAt(base, ld reg.GPVirtual, n int) rowsAt {
	r := rowsAt{bases: []reg.GPVirtual{base}, ld: ld}
	for i := 3; i < n; i += 3 {
		next := a.GP64()
		a.LEAQ(Mem{Base: base, Index: ld, Scale: 2}, next)
		a.ADDQ(ld, next)
		r.bases = append(r.bases, next)
		base = next
	}
	return r
}

func (r rowsAt) row(i, disp int) Mem {
	m := Mem{Base: r.bases[i/3], Disp: disp}
	if i%3 > 0 {
		m.Index, m.Scale = r.ld, uint8(i%3)
	}
	return m
}

// step moves every row by n bytes, a constant or a register.
func (a *asm) step(r rowsAt, n Op) {
	for _, base := range r.bases {
		a.ADDQ(n, base)
	}
}

func (a *asm) param(name string) reg.GPVirtual {
	return a.Load(a.Param(name), a.GP64()).(reg.GPVirtual)
}

// address is where a parameter lies.
func (a *asm) address(name string) Mem {
	p, err := a.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// paramBytes is a parameter that counts floats, in bytes.
func (a *asm) paramBytes(name string) reg.GPVirtual {
	r := a.param(name)
	a.SHLQ(U8(2), r)
	return r
}

// tile is a shape: rows by panels of 16 columns.
type tile struct{ rows, panels int }

func products(a *asm) {
	tiles := []tile{{6, 1}, {5, 1}, {4, 1}, {3, 1}, {2, 1}, {1, 1}, {3, 2}, {2, 2}, {1, 2}, {1, 4}}
	if a.wide() {
		tiles = []tile{{1, 8}, {4, 4}, {3, 4}, {2, 4}, {1, 4}}
		for _, rows := range tallAndLow {
			tiles = append(tiles, tile{rows, 2}, tile{rows, 1})
		}
	}
	for _, t := range tiles {
		a.matMul(t, false)
	}
	if a.wide() {
		for _, rows := range tallAndLow {
			a.outer(tile{rows, 2}, true)
			a.outer(tile{rows, 1}, true)
		}
		return
	}
	for rows := 4; rows >= 1; rows-- {
		a.matMul(tile{rows, 1}, true)
	}
	for rows := 6; rows >= 1; rows-- {
		a.outer(tile{rows, 1}, false)
	}
	for rows := 4; rows >= 1; rows-- {
		a.outer(tile{rows, 1}, true)
	}
	a.matMulColumn()
}

// tallAndLow are the heights of AVX-512's tiles, of which any number of rows can be made without a tile below four.
var tallAndLow = []int{12, 8, 7, 6, 5, 4, 3, 2, 1}

// columns are the registers in a row of a tile.
func (a *asm) columns(t tile) int { return t.panels * 16 / a.lanes }

// matMul is tiles of rows by panels, one below the other, and groups of them side by side: the sums of a tile stay in registers for all
// k. AVX-512 takes any number of columns in the last panel of a group. With AVX2 the masked form does: mask points to 16 words, all ones for
// a column that is there.
func (a *asm) matMul(t tile, masked bool) {
	rows, panels, columns := t.rows, t.panels, a.columns(t)
	name := fmt.Sprintf("matMul%dx%d", rows, panels*16)
	doc, signature := "", ""
	switch {
	case a.wide():
		doc, signature = ", of the last 16 those of mask", ", mask int"
	case masked:
		name = fmt.Sprintf("matMul%dxMask", rows)
		doc, signature = ", those of mask", ", mask *int32"
	}
	name = a.named(name)
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(fmt.Sprintf("%s is dst = start + a b for tiles*%d rows and groups of %d columns%s. The rows of start are lds apart, its groups", name, rows, panels*16, doc),
		"starts; b holds panels of parts*k rows, panel floats apart; a has k columns, parts times, skip floats between them. It changes its arguments.")
	a.SignatureExpr("func(dst *float32, ldd int, start *float32, lds, starts int, a *float32, lda int, b *float32, panel, k, parts, skip, tiles, groups int" + signature + ")")
	size := a.bytes()
	var some reg.OpmaskVirtual
	lanes := make([]reg.VecVirtual, columns)
	switch {
	case a.wide():
		some = a.K()
		a.KMOVW(a.param("mask").As32(), some)
	case masked:
		mask := a.param("mask")
		for c := range lanes {
			lanes[c] = a.vec()
			a.VMOVUPS(Mem{Base: mask, Disp: c * size}, lanes[c])
		}
	}
	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		for range columns {
			acc[r] = append(acc[r], a.vec())
		}
	}
	lda := a.paramBytes("lda")

	a.Label("group")
	dst, from, src, tiles := a.param("dst"), a.param("start"), a.param("a"), a.param("tiles")
	a.Label("tile")
	begin := a.rowsAt(from, a.paramBytes("lds"), rows)
	for r := range rows {
		for c := range columns {
			switch m := begin.row(r, c*size); {
			case a.wide() && c == columns-1:
				a.VMOVUPS_Z(m, some, acc[r][c])
			case masked:
				a.VMASKMOVPS(m, lanes[c], acc[r][c])
			default:
				a.VMOVUPS(m, acc[r][c])
			}
		}
	}
	ap, bp := a.GP64(), a.param("b")
	a.MOVQ(src, ap)
	x := a.rowsAt(ap, lda, rows)
	p := rowsAt{bases: []reg.GPVirtual{bp}}
	if panels > 1 {
		p = a.rowsAt(bp, a.paramBytes("panel"), panels)
	}
	inPanel := panelBytes / size // registers
	one := func(i int) {
		column := func(c int) Mem { return p.row(c/inPanel, i*panelBytes+c%inPanel*size) }
		// Whichever operand needs fewer registers is loaded first and stays; the other passes by.
		if rows < columns {
			var s []reg.VecVirtual
			for r := range rows {
				s = append(s, a.vec())
				a.VBROADCASTSS(x.row(r, 4*i), s[r])
			}
			for c := range columns {
				if a.wide() && rows == 1 {
					a.VFMADD231PS(column(c), s[0], acc[0][c])
					continue
				}
				y := a.vec()
				a.VMOVUPS(column(c), y)
				for r := range rows {
					a.VFMADD231PS(y, s[r], acc[r][c])
				}
			}
			return
		}
		var v []reg.VecVirtual
		for c := range columns {
			v = append(v, a.vec())
			a.VMOVUPS(column(c), v[c])
		}
		for r := range rows {
			if a.wide() && columns == 1 {
				a.VFMADD231PS_BCST(x.row(r, 4*i), v[0], acc[r][0])
				continue
			}
			s := a.vec()
			a.VBROADCASTSS(x.row(r, 4*i), s)
			for c := range v {
				a.VFMADD231PS(v[c], s, acc[r][c])
			}
		}
	}
	const unroll = 4
	parts := a.param("parts")
	a.Label("part")
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
	a.JEQ(LabelRef("parted"))
	a.Label("each")
	one(0)
	a.step(x, U8(4))
	a.step(p, U8(panelBytes))
	a.DECQ(k)
	a.JNE(LabelRef("each"))
	a.Label("parted")
	a.DECQ(parts)
	a.JEQ(LabelRef("store"))
	a.step(x, a.paramBytes("skip"))
	a.JMP(LabelRef("part"))

	a.Label("store")
	d := a.rowsAt(dst, a.paramBytes("ldd"), rows)
	if a.wide() {
		// A store under a mask is slower, even one of all lanes.
		a.CMPQ(a.param("mask"), U32(1<<16-1))
		a.JNE(LabelRef("some"))
	}
	for r := range rows {
		for c := range columns {
			if masked {
				a.VMASKMOVPS(acc[r][c], lanes[c], d.row(r, c*size))
			} else {
				a.VMOVUPS(acc[r][c], d.row(r, c*size))
			}
		}
	}
	a.Label("next")
	a.DECQ(tiles)
	a.JEQ(LabelRef("aside"))
	for _, m := range []struct {
		base reg.GPVirtual
		ld   string
	}{{dst, "ldd"}, {from, "lds"}, {src, "lda"}} {
		n := a.param(m.ld)
		a.IMUL3Q(U32(4*rows), n, n)
		a.ADDQ(n, m.base)
	}
	a.JMP(LabelRef("tile"))
	a.Label("aside")
	a.ADDQ(U32(panels*panelBytes), a.address("dst"))
	starts := a.paramBytes("starts")
	a.ADDQ(starts, a.address("start"))
	beside := a.param("panel")
	a.IMUL3Q(U32(4*panels), beside, beside)
	a.ADDQ(beside, a.address("b"))
	a.DECQ(a.address("groups"))
	a.JNE(LabelRef("group"))
	a.VZEROUPPER()
	a.RET()
	if a.wide() {
		a.Label("some")
		for r := range rows {
			for c := range columns - 1 {
				a.VMOVUPS(acc[r][c], d.row(r, c*size))
			}
			a.VMOVUPS(acc[r][columns-1], some, d.row(r, (columns-1)*size))
		}
		a.JMP(LabelRef("next"))
	}
}

// matMulColumn is the product with a single column. The lanes are rows here: sixteen rows of a are turned, four columns at a time.
func (a *asm) matMulColumn() {
	const rows = 16
	a.Function("matMulColumnAVX2")
	a.Pragma("noescape")
	a.Doc("matMulColumnAVX2 is dst = start + a b for tiles*16 rows and one column; dst has no gaps, b is the first column of a panel.")
	a.SignatureExpr("func(dst *float32, a *float32, lda int, b *float32, k, tiles, from int, bias *float32)")
	dst, src, lda, tiles := a.param("dst"), a.param("a"), a.paramBytes("lda"), a.param("tiles")
	acc := [2]reg.VecVirtual{a.YMM(), a.YMM()}
	a.Label("tile")
	from := a.param("from")
	a.CMPQ(from, U8(1))
	a.JEQ(LabelRef("dst"))
	a.JGT(LabelRef("bias"))
	for _, y := range acc {
		a.VXORPS(y, y, y)
	}
	a.JMP(LabelRef("start"))
	a.Label("bias")
	bias := a.param("bias")
	for _, y := range acc {
		a.VBROADCASTSS(Mem{Base: bias}, y)
	}
	a.JMP(LabelRef("start"))
	a.Label("dst")
	for i, y := range acc {
		a.VMOVUPS(Mem{Base: dst, Disp: 32 * i}, y)
	}
	a.Label("start")
	ap, bp, k := a.GP64(), a.param("b"), a.param("k")
	a.MOVQ(src, ap)
	x := a.rowsAt(ap, lda, rows)
	// turned are four columns of eight rows; load puts the four values of two rows into the halves of a register.
	turned := func(first int, load func(low, high Mem, y reg.VecVirtual)) [4]reg.VecVirtual {
		var pair, mixed, columns [4]reg.VecVirtual
		for r := range pair {
			pair[r] = a.YMM()
			load(x.row(first+r, 0), x.row(first+r+4, 0), pair[r])
		}
		for i := range 2 {
			mixed[2*i], mixed[2*i+1] = a.YMM(), a.YMM()
			a.VUNPCKLPS(pair[i+2], pair[i], mixed[2*i])
			a.VUNPCKHPS(pair[i+2], pair[i], mixed[2*i+1])
		}
		for i := range 2 {
			columns[2*i], columns[2*i+1] = a.YMM(), a.YMM()
			a.VUNPCKLPS(mixed[2+i], mixed[i], columns[2*i])
			a.VUNPCKHPS(mixed[2+i], mixed[i], columns[2*i+1])
		}
		return columns
	}
	whole := func(low, high Mem, y reg.VecVirtual) {
		a.VBROADCASTF128(low, y)
		a.VINSERTF128(U8(1), high, y, y)
	}
	a.SUBQ(U8(4), k)
	a.JLT(LabelRef("few"))
	a.Label("many")
	for i, y := range acc {
		for c, v := range turned(8*i, whole) {
			s := a.YMM()
			a.VBROADCASTSS(Mem{Base: bp, Disp: panelBytes * c}, s)
			a.VFMADD231PS(v, s, y)
		}
	}
	a.step(x, U8(16))
	a.ADDQ(U32(4*panelBytes), bp)
	a.SUBQ(U8(4), k)
	a.JGE(LabelRef("many"))
	a.Label("few")
	a.ADDQ(U8(4), k)
	a.JEQ(LabelRef("store"))
	table, mask := a.GP64(), a.YMM()
	a.NEGQ(k)
	a.LEAQ(a.maskTable(), table)
	a.VMOVUPS(Mem{Base: table, Index: k, Scale: 4, Disp: 32}, mask)
	a.NEGQ(k)
	part := func(low, high Mem, y reg.VecVirtual) {
		other := a.YMM()
		a.VMASKMOVPS(low, mask, y)
		a.VMASKMOVPS(high, mask, other)
		a.VINSERTF128(U8(1), other.AsX(), y, y)
	}
	for i, y := range acc {
		end := LabelRef(fmt.Sprintf("end%d", i))
		for c, v := range turned(8*i, part) {
			if c > 0 {
				a.CMPQ(k, U8(c))
				a.JEQ(end)
			}
			s := a.YMM()
			a.VBROADCASTSS(Mem{Base: bp, Disp: panelBytes * c}, s)
			a.VFMADD231PS(v, s, y)
			if c == 2 {
				break
			}
		}
		a.Label(string(end))
	}
	a.Label("store")
	for i, y := range acc {
		a.VMOVUPS(y, Mem{Base: dst, Disp: 32 * i})
	}
	a.ADDQ(U32(4*rows), dst)
	for range rows {
		a.ADDQ(lda, src)
	}
	a.DECQ(tiles)
	a.JNE(LabelRef("tile"))
	a.VZEROUPPER()
	a.RET()
}

// outer is a tile of rows by columns over n steps, tiles of them one below the other. The masked form takes fewer columns: mask points
// to 16 words, all ones for a column that is there, or with AVX-512 is a bit for each of the last 16.
func (a *asm) outer(t tile, masked bool) {
	rows, columns, size := t.rows, a.columns(t), a.bytes()
	name := fmt.Sprintf("outer%dx%d", rows, t.panels*16)
	signature := "func(dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n, tiles int)"
	doc := fmt.Sprintf("%d columns", t.panels*16)
	switch {
	case a.wide():
		signature = "func(dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n, tiles int, mask int)"
		doc += ", of the last 16 those of mask"
	case masked:
		name = fmt.Sprintf("outer%dxMask", rows)
		signature = "func(dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n, tiles int, mask *int32)"
		doc = "the columns of mask"
	}
	name = a.named(name)
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(fmt.Sprintf("%s is dst += transpose(a) d for tiles*%d rows and %s, over n steps.", name, rows, doc))
	a.SignatureExpr(signature)
	dst, ldd := a.param("dst"), a.paramBytes("ldd")
	src, lda := a.param("a"), a.paramBytes("lda")
	d, ldb := a.param("d"), a.paramBytes("ldb")
	tiles := a.param("tiles")
	m := make([]reg.VecVirtual, columns)
	var some reg.OpmaskVirtual
	switch {
	case a.wide():
		some = a.K()
		a.KMOVW(a.param("mask").As32(), some)
	case masked:
		mask := a.param("mask")
		for c := range m {
			m[c] = a.vec()
			a.VMOVUPS(Mem{Base: mask, Disp: c * size}, m[c])
		}
	}
	load := func(from Mem, c int, y reg.VecVirtual) {
		switch {
		case a.wide() && c == columns-1:
			a.VMOVUPS_Z(from, some, y)
		case masked && !a.wide():
			a.VMASKMOVPS(from, m[c], y)
		default:
			a.VMOVUPS(from, y)
		}
	}
	acc := make([][]reg.VecVirtual, rows)
	a.Label("tile")
	t0 := a.rowsAt(dst, ldd, rows)
	for r := range acc {
		for c := range columns {
			acc[r] = append(acc[r], a.vec())
			load(t0.row(r, c*size), c, acc[r][c])
		}
	}
	ap, dp, n := a.GP64(), a.GP64(), a.param("n")
	a.MOVQ(src, ap)
	a.MOVQ(d, dp)
	one := func() {
		v := make([]reg.VecVirtual, columns)
		for c := range v {
			v[c] = a.vec()
			load(Mem{Base: dp, Disp: c * size}, c, v[c])
		}
		for r := range acc {
			if columns == 1 {
				a.VFMADD231PS_BCST(Mem{Base: ap, Disp: 4 * r}, v[0], acc[r][0])
				continue
			}
			s := a.vec()
			a.VBROADCASTSS(Mem{Base: ap, Disp: 4 * r}, s)
			for c := range v {
				a.VFMADD231PS(v[c], s, acc[r][c])
			}
		}
		a.ADDQ(lda, ap)
		a.ADDQ(ldb, dp)
	}
	const unroll = 4
	a.SUBQ(U8(unroll), n)
	a.JLT(LabelRef("few"))
	a.Label("many")
	for range unroll {
		one()
	}
	a.SUBQ(U8(unroll), n)
	a.JGE(LabelRef("many"))
	a.Label("few")
	a.ADDQ(U8(unroll), n)
	a.JEQ(LabelRef("store"))
	a.Label("step")
	one()
	a.DECQ(n)
	a.JNE(LabelRef("step"))
	a.Label("store")
	t0 = a.rowsAt(dst, ldd, rows)
	for r := range acc {
		for c := range columns {
			switch {
			case a.wide() && c == columns-1:
				a.VMOVUPS(acc[r][c], some, t0.row(r, c*size))
			case masked && !a.wide():
				a.VMASKMOVPS(acc[r][c], m[c], t0.row(r, c*size))
			default:
				a.VMOVUPS(acc[r][c], t0.row(r, c*size))
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
