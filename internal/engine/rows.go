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
	// Tables are the hoisted values of the distinct rows, (D, width), one for each of Cell.gathered; Cell.Project fills them.
	Tables [][]float32
	// Handover receives the gradients that the hoisted part of the way back reads: a row a place, one for each of Cell.handover.
	Handover [][]float32
}

// rowPlan is what of a plan works on distinct rows.
type rowPlan struct {
	gathered []int // hoisted slots, or the input, that steps or their way back read
	handover []int // slots of gradients that the hoisted part of the way back reads
	// rehoist: that part also reads hoisted values, which are computed anew.
	rehoist bool
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

// RowWidths are the widths of Rows.Tables and of Rows.Handover.
func (c *Cell) RowWidths() (tables, handover []int) {
	for _, s := range c.rows.gathered {
		tables = append(tables, c.plan.Slots[s].Width)
	}
	for _, s := range c.rows.handover {
		handover = append(handover, c.plan.Slots[s].Width)
	}
	return tables, handover
}

// Project computes the hoisted values of the distinct rows from lo to before hi, at most ChunkRows of them. Parts may be
// computed in different Runs at once.
func (r *Run) Project(c *Cell, rows *Rows, lo, hi int) {
	r.beginRows(c, rows.X, lo, hi)
	r.exec(c.hoist, 0, 0, hi-lo)
	for i, s := range c.rows.gathered {
		w := c.plan.Slots[s].Width
		copy(rows.Tables[i][lo*w:hi*w], r.at(s, 0, 0, hi-lo))
	}
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
// for each of Rows.Handover, a row a distinct row from lo on. dx, (hi-lo, C), is overwritten unless it is nil; the weights'
// gradients are added to.
func (r *Run) BackRows(c *Cell, rows *Rows, lo, hi int, sums [][]float32, dx []float32, weights [][]float32) {
	r.beginRows(c, rows.X, lo, hi)
	n := hi - lo
	if c.rows.rehoist {
		r.exec(c.hoist, 0, 0, n)
	}
	for i, s := range c.rows.handover {
		if c.plan.Slots[s].Kind == cell.AdjOutputSlot {
			r.dy = sums[i]
			continue
		}
		copy(r.at(s, 0, 0, n), sums[i][:n*c.plan.Slots[s].Width])
	}
	r.dx = dx
	r.exec(c.backHoist, 0, 0, n)
	if dx != nil {
		r.exec(c.backInput, 0, 0, n)
	}
	r.weightGradients(c.plan.HoistGrads, weights)
}

// gather fills the hoisted slots of a block from the tables.
func (r *Run) gather(s0, end int) {
	rows := r.in.Rows
	lo, hi := r.offset[s0], r.offset[end]
	for i, s := range r.cell.rows.gathered {
		w := r.cell.plan.Slots[s].Width
		kernel.Gather(r.at(s, s0, s0, hi-lo), rows.Tables[i], rows.Index[lo:hi], w)
	}
}

// handOver is where a gradient goes that is summed by distinct row: outside of the run, so that it outlives it.
func (r *Run) handOver() {
	if r.in.Rows == nil || len(r.in.Rows.Handover) == 0 {
		return
	}
	for i, s := range r.cell.rows.handover {
		if r.cell.plan.Slots[s].Kind == cell.AdjOutputSlot {
			continue // the caller's, or gathered from it: copied when the loop is done
		}
		r.place[s].external = rows(r.in.Rows.Handover[i], r.offset[r.shape.T], r.cell.plan.Slots[s].Width)
	}
}

func rows(x []float32, n, width int) []float32 { return x[: n*width : n*width] }
