package kernel

import "fmt"

// panelWidth is the number of columns in a panel: two registers of AVX2, one of AVX-512.
const panelWidth = 16

// Packed is a (K, M) matrix laid out for MatMul: panels of 16 columns one after the other, each panel row by row, the last one
// padded with zero columns. The zero value is ready for Pack.
type Packed struct {
	K, M int
	data []float32 // panels() * K * panelWidth
}

func (p *Packed) panels() int { return (p.M + panelWidth - 1) / panelWidth }

// Pack lays out the matrix whose element (i, j) is b[i*ldb+j], i < k, j < m. It allocates only when p has never been as large.
func (p *Packed) Pack(b []float32, ldb, k, m int) {
	checkMatrix("Pack", "b", b, ldb, k, m)
	p.resize(k, m)
	if m == 0 {
		return
	}
	for i := range k {
		row := b[i*ldb:]
		for j := 0; j < m; j += panelWidth {
			d := p.data[j*k+i*panelWidth:][:panelWidth]
			w := copy(d, row[j:min(m, j+panelWidth)])
			clear(d[w:])
		}
	}
}

// PackT lays out the transpose: the element (i, j) is b[j*ldb+i], i < k, j < m. It allocates like Pack.
func (p *Packed) PackT(b []float32, ldb, k, m int) {
	checkMatrix("PackT", "b", b, ldb, m, k)
	p.resize(k, m)
	if k == 0 {
		return
	}
	for j := range m {
		row := b[j*ldb:][:k]
		d := p.data[(j-j%panelWidth)*k+j%panelWidth:]
		for i, v := range row {
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

// at is element (i, j) of the matrix, for tests and for reading back.
func (p *Packed) at(i, j int) float32 {
	return p.data[(j-j%panelWidth)*p.K+i*panelWidth+j%panelWidth]
}
