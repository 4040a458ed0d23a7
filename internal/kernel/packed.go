package kernel

import "fmt"

// panelWidth is the number of columns in a panel: two registers of AVX2, one of AVX-512.
const panelWidth = 16

// PanelWidth is the number of columns that a product takes together at least.
const PanelWidth = panelWidth

// Packed is a (K, M) matrix laid out for MatMul: panels of 16 columns one after the other, each panel row by row, the last one
// padded with zero columns. The zero value is ready for Pack.
type Packed struct {
	K, M int
	data []float32 // panels() * K * panelWidth
}

func (p *Packed) panels() int { return Panels(p.M) }

// Panels is how many panels m columns take; the last may be narrow.
func Panels(m int) int { return (m + panelWidth - 1) / panelWidth }

// Pack lays out the matrix whose element (i, j) is b[i*ldb+j], i < k, j < m. It allocates only when p has never been as large.
func (p *Packed) Pack(b []float32, ldb, k, m int) {
	checkMatrix("Pack", "b", b, ldb, k, m)
	p.resize(k, m)
	if k == 0 {
		return
	}
	j := 0
	for ; j+panelWidth <= m; j += panelWidth {
		packPanel(p.data[j*k:], b[j:], ldb, k)
	}
	if j < m {
		for i := range k {
			d := p.data[j*k+i*panelWidth:][:panelWidth]
			clear(d[copy(d, b[i*ldb+j:i*ldb+m]):])
		}
	}
}

// packPanel copies k rows of 16 values, ldb apart.
func packPanel(dst, b []float32, ldb, k int) {
	if useAVX2 {
		copyPanelAVX2(&dst[0], &b[0], ldb, k)
		return
	}
	for i := range k {
		*(*[panelWidth]float32)(dst[i*panelWidth:]) = *(*[panelWidth]float32)(b[i*ldb:])
	}
}

// PackT lays out the transpose: the element (i, j) is b[j*ldb+i], i < k, j < m. It allocates like Pack.
func (p *Packed) PackT(b []float32, ldb, k, m int) {
	checkMatrix("PackT", "b", b, ldb, m, k)
	p.resize(k, m)
	if k == 0 {
		return
	}
	// Four rows of b at a time are four neighbours in each row of a panel.
	j := 0
	for ; j+4 <= m; j += 4 {
		x, y, z, w := b[j*ldb:][:k], b[(j+1)*ldb:][:k], b[(j+2)*ldb:][:k], b[(j+3)*ldb:][:k]
		d := p.data[(j-j%panelWidth)*k+j%panelWidth:]
		for i, v := range x {
			*(*[4]float32)(d[i*panelWidth:]) = [4]float32{v, y[i], z[i], w[i]}
		}
	}
	for ; j < m; j++ {
		d := p.data[(j-j%panelWidth)*k+j%panelWidth:]
		for i, v := range b[j*ldb:][:k] {
			d[i*panelWidth] = v
		}
	}
	if w := m % panelWidth; w != 0 {
		d := p.data[(m-w)*k:]
		for i := range k {
			clear(d[i*panelWidth+w:][:panelWidth-w])
		}
	}
}

func (p *Packed) resize(k, m int) {
	if k < 0 || m < 0 {
		panic(fmt.Sprintf("kernel: Pack: sizes must not be negative, got %d and %d", k, m))
	}
	p.K, p.M = k, m
	n := p.panels() * k * panelWidth
	if cap(p.data) < n {
		p.data = make([]float32, n)
	}
	p.data = p.data[:n]
}

// Beside lays out matrices of one K side by side: their product is those of the parts, one beside the other. It allocates like Pack.
func (p *Packed) Beside(parts []*Packed) {
	m := 0
	for _, q := range parts {
		if q.K != parts[0].K {
			panic(fmt.Sprintf("kernel: Beside: expected %d rows, got %d", parts[0].K, q.K))
		}
		m += q.M
	}
	p.resize(parts[0].K, m)
	clear(p.data[len(p.data)-p.K*panelWidth:]) // what the last panel has too much
	at := 0
	for _, q := range parts {
		if at%panelWidth == 0 {
			copy(p.data[at*p.K:], q.data)
		} else {
			for j := range q.M {
				to, from := p.column(at+j), q.column(j)
				for i := range p.K {
					to[i*panelWidth] = from[i*panelWidth]
				}
			}
		}
		at += q.M
	}
}

// Columns makes part the columns from from to before to, of which from begins a panel. It shares the values.
func (p *Packed) Columns(part *Packed, from, to int) {
	if from%panelWidth != 0 || from < 0 || to < from || to > p.M {
		panic(fmt.Sprintf("kernel: Columns: expected columns of %d from a multiple of %d on, got %d to %d", p.M, panelWidth, from, to))
	}
	end := Panels(to) * panelWidth * p.K
	*part = Packed{K: p.K, M: to - from, data: p.data[from*p.K : end : end]}
}

// column begins with the first value of column j; the next is a panel's width away.
func (p *Packed) column(j int) []float32 { return p.data[(j-j%panelWidth)*p.K+j%panelWidth:] }

// Below lays out matrices of one M, one below the other: the product with operands side by side is the sum of those of the parts, in
// that order. It allocates like Pack.
func (p *Packed) Below(parts []*Packed) {
	k := 0
	for _, q := range parts {
		if q.M != parts[0].M {
			panic(fmt.Sprintf("kernel: Below: expected %d columns, got %d", parts[0].M, q.M))
		}
		k += q.K
	}
	p.resize(k, parts[0].M)
	at := 0
	for j := range p.panels() {
		for _, q := range parts {
			n := q.K * panelWidth
			at += copy(p.data[at:], q.data[j*n:(j+1)*n])
		}
	}
}

// at is element (i, j) of the matrix, for tests and for reading back.
func (p *Packed) at(i, j int) float32 {
	return p.data[(j-j%panelWidth)*p.K+i*panelWidth+j%panelWidth]
}
