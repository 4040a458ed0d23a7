package engine

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
)

// DropMasks is room for the masks of n rows that c's plan multiplies with, (n, width) each: for Input.Drop. The contents are not defined. It is
// valid until the next call.
func (r *Run) DropMasks(c *Cell, n int) [][]float32 {
	if r.cell != c {
		*r = Run{cell: c}
	}
	r.drop = grow(r.drop, len(c.plan.Masks))
	for i, m := range c.plan.Masks {
		r.drop[i] = grow(r.drop[i], n*m.Width)
	}
	return r.drop
}

// spreads are the slots of masks that are read over many steps together: there, they have a row for every place of a block. They are
// the input's; those of the state are read at single steps.
func spreads(p *cell.Plan) []int {
	var out []int
	for _, list := range [][]cell.Instr{p.Hoist, p.BackAfter, p.BackHoist, p.BackInput} {
		for _, in := range list {
			for _, s := range []int{in.A, in.B, in.C} {
				if s >= 0 && p.Slots[s].Kind == cell.MaskSlot && !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// spread writes those masks for the block [s0, end). Where all rows take part in all steps, the longest block so far serves all.
func (r *Run) spread(s0, end int) {
	rows := r.offset[end] - r.offset[s0]
	if len(r.cell.spreads) == 0 || r.shape.Active == nil && rows <= r.spreadRows {
		return
	}
	r.spreadRows = rows
	for _, slot := range r.cell.spreads {
		sl := r.cell.plan.Slots[slot]
		for s := s0; s < end; s++ {
			n := r.offset[s+1] - r.offset[s]
			copy(r.at(slot, s, s0, n), r.in.Drop[sl.Index])
		}
	}
}
