package engine

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Rows is an input whose rows occur many times: the vectors of the distinct words of a batch. What is hoisted is computed once
// a distinct row and gathered; on the way back, gradients are summed by distinct row before they go on.
type Rows struct {
	X     []float32 // (D, C): the distinct rows
	D     int
	Index []int32 // of every place: its row
	// Table is the hoisted values of the distinct rows, (D, Cell.TableWidth); Cell.Project fills it.
	Table []float32
	// Sums is where Backward adds up, row by row, the gradients that the hoisted part of the way back reads: (any number of rows,
	// Cell.SumWidth). Local says for every place which row of Sums it adds to.
	Sums  []float32
	Local []int32
}

// rowPlan is what of a plan works on distinct rows.
type rowPlan struct {
	gathered []int // hoisted slots, or the input, that steps or their way back read
	handover []int // slots of gradients that the hoisted part of the way back reads
	// rehoist: that part also reads hoisted values, which are computed anew.
	rehoist bool
	// direct: what is gathered is written by products alone, and read by nothing hoisted, so that its rows may lie apart.
	direct bool
}

// newRowPlan finds the slots on the two seams between what is hoisted and what is not.
func newRowPlan(p *cell.Plan) rowPlan {
	var r rowPlan
	hoisted := map[int]bool{}
	for i, s := range p.Slots {
		hoisted[i] = s.Kind == cell.InputSlot
	}
	for _, in := range p.Hoist {
		hoisted[in.D] = true
	}
	touch := func(ins []cell.Instr) {
		for _, in := range ins {
			reads := []int{in.A, in.B, in.C}
			if in.Code == cell.MatMulAcc || in.Code == cell.MulAdd || in.Code == cell.MulSub || in.D == in.A || in.D == in.B {
				reads = append(reads, in.D)
			}
			for _, s := range reads {
				if s >= 0 && hoisted[s] && !slices.Contains(r.gathered, s) {
					r.gathered = append(r.gathered, s)
				}
			}
			// A sum that goes on in a hoisted slot reads it with its first instruction, which was seen.
		}
	}
	for _, s := range append(append([]cell.Stage(nil), p.Steps...), p.BackSteps...) {
		touch(s.Instrs)
	}
	touch(p.BackAfter)
	for _, g := range p.Grads {
		touch([]cell.Instr{{Code: cell.Copy, D: -1, A: g.A, B: g.B, C: -1}})
	}

	made := map[int]bool{} // by the hoisted part of the way back itself
	give := func(s int) {
		switch {
		case s < 0 || made[s]:
		case hoisted[s]:
			r.rehoist = r.rehoist || p.Slots[s].Kind != cell.InputSlot
		case p.Slots[s].Kind == cell.KeptSlot || p.Slots[s].Kind == cell.AdjOutputSlot:
			if !slices.Contains(r.handover, s) {
				r.handover = append(r.handover, s)
			}
		}
	}
	for _, in := range append(append([]cell.Instr(nil), p.BackHoist...), p.BackInput...) {
		for _, s := range []int{in.A, in.B, in.C} {
			give(s)
		}
		made[in.D] = true
	}
	for _, g := range p.HoistGrads {
		give(g.A)
		give(g.B)
	}
	return r
}

// TableWidth is the width of Rows.Table: what steps read of the hoisted values, one behind the other.
func (c *Cell) TableWidth() int { return c.widths(c.rows.gathered) }

// SumWidth is the width of Rows.Sums.
func (c *Cell) SumWidth() int { return c.widths(c.rows.handover) }

func (c *Cell) widths(slots []int) int {
	return c.eachBeside(slots, func(int, int, int) {})
}

// eachBeside calls do for every slot with the column at which it begins, where their rows stand side by side, and its width. It returns the width
// of all.
func (c *Cell) eachBeside(slots []int, do func(slot, at, width int)) int {
	at := 0
	for _, s := range slots {
		w := c.plan.Slots[s].Width
		do(s, at, w)
		at += w
	}
	return at
}

// Project computes the hoisted values of the distinct rows from lo to before hi, at most ChunkRows of them. Parts may be
// computed in different Runs at once.
func (r *Run) Project(c *Cell, rows *Rows, lo, hi int) {
	r.beginRows(c, rows.X, lo, hi)
	ld, n := c.TableWidth(), hi-lo
	table := rows.Table[lo*ld:]
	if c.rows.direct { // the products write to the table itself
		r.table = table
		c.eachBeside(c.rows.gathered, func(s, at, w int) { r.views[s] = view{from: &r.table, start: at, ld: ld, width: w} })
		r.exec(c.hoist, 0, 0, n)
		return
	}
	r.exec(c.hoist, 0, 0, n)
	c.eachBeside(c.rows.gathered, func(s, at, w int) { kernel.CopyRows(table[at:], ld, r.at(s, 0, 0, n), w, n, w) })
}

// ChunkRows is how many distinct rows are worked on together.
const ChunkRows = blockRows

// beginRows makes the distinct rows a step of their own.
func (r *Run) beginRows(c *Cell, x []float32, lo, hi int) {
	r.prepare(c, Shape{T: 1, N: hi - lo, Training: true})
	r.in, r.x, r.mask = Input{}, nil, nil
	for _, s := range c.plan.Slots {
		if s.Kind == cell.InputSlot {
			r.x = x[lo*s.Width : hi*s.Width]
		}
	}
	r.constants()
}

// BackRows is the hoisted part of the way back for the distinct rows from lo to before hi: sums are their summed gradients, one
// like those of Rows.Sums, a row a distinct row from lo on. dx, (hi-lo, C), is overwritten unless it is nil; the weights'
// gradients are added to.
func (r *Run) BackRows(c *Cell, rows *Rows, lo, hi int, sums, dx []float32, weights [][]float32) {
	r.beginRows(c, rows.X, lo, hi)
	n := hi - lo
	if c.rows.rehoist {
		r.exec(c.hoist, 0, 0, n)
	}
	ld := c.SumWidth()
	c.eachBeside(c.rows.handover, func(s, at, w int) {
		if c.plan.Slots[s].Kind == cell.AdjOutputSlot {
			r.dyKept = grow(r.dyKept, n*w)
			r.dy = r.dyKept
		}
		kernel.CopyRows(r.at(s, 0, 0, n), w, sums[at:], ld, n, w)
	})
	r.dx = dx
	r.exec(c.backHoist, 0, 0, n)
	if dx != nil {
		r.exec(c.backInput, 0, 0, n)
	}
	r.weightGradients(c.plan.HoistGrads, weights, 0, n)
}

// gather fills the hoisted slots of a step from the table.
func (r *Run) gather(step int) {
	rows, lo, hi := r.in.Rows, r.offset[step], r.offset[step+1]
	ld := r.cell.TableWidth()
	r.cell.eachBeside(r.cell.rows.gathered, func(s, at, w int) {
		kernel.Gather(r.at(s, step, step, hi-lo), rows.Table[at:], ld, rows.Index[lo:hi], w)
	})
}

// scatter adds the gradients of the block of steps from s0 to before end to the sums of their distinct rows.
func (r *Run) scatter(s0, end int) {
	rows, lo, hi := r.in.Rows, r.offset[s0], r.offset[end]
	ld := r.cell.SumWidth()
	r.cell.eachBeside(r.cell.rows.handover, func(s, at, w int) {
		kernel.ScatterAdd(rows.Sums[at:], ld, rows.Local[lo:hi], r.at(s, s0, s0, hi-lo), w)
	})
}
