package layers

import "github.com/unroll-ml/unroll/internal/kernel"

// Merge puts the outputs of the two directions of a Bidirectional together, row by row.
type Merge struct {
	mode string // "concat", "sum", "mul", "ave", or "none"
	a, b int    // how wide the directions' outputs are; of one width where they are added or multiplied
}

// newMerge is the merge of a merge_mode, "" for Keras's default.
func newMerge(mode string, a, b int) Merge {
	if mode == "" {
		mode = "concat"
	}
	return Merge{mode, a, b}
}

// apart: nothing is merged.
func (m Merge) apart() bool { return m.mode == "none" }

// Width is how wide the merged rows are.
func (m Merge) Width() int {
	if m.mode == "concat" {
		return m.a + m.b
	}
	return m.a
}

// Forward overwrites dst, (rows, Width), from the directions' outputs.
func (m Merge) Forward(dst, a, b []float32) {
	switch m.mode {
	case "concat":
		w := m.a + m.b
		for r := range len(dst) / w {
			copy(dst[r*w:], a[r*m.a:(r+1)*m.a])
			copy(dst[r*w+m.a:], b[r*m.b:(r+1)*m.b])
		}
	case "sum":
		kernel.Add(dst, a, b)
	case "mul":
		kernel.Mul(dst, a, b)
	case "ave":
		kernel.Add(dst, a, b)
		kernel.Scale(dst, dst, 0.5)
	}
}

// Backward overwrites da and db, the gradients of what Forward read, from dout, that of what it wrote.
func (m Merge) Backward(da, db, dout, a, b []float32) {
	switch m.mode {
	case "concat":
		w := m.a + m.b
		for r := range len(dout) / w {
			row := dout[r*w : (r+1)*w]
			copy(da[r*m.a:(r+1)*m.a], row)
			copy(db[r*m.b:(r+1)*m.b], row[m.a:])
		}
	case "sum":
		copy(da, dout)
		copy(db, dout)
	case "mul":
		kernel.Mul(da, dout, b)
		kernel.Mul(db, dout, a)
	case "ave":
		kernel.Scale(da, dout, 0.5)
		copy(db, da)
	}
}
