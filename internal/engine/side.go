package engine

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// side is a number of products of one operand that follow each other in a step, each onto what was hoisted: the gates of an LSTM. A single
// row is too short to keep the machine busy with one of them: its sums wait for each other. So where a run has one row alone, the slots
// of their sums lie side by side in memory, and the products are one. Every sum is what it was.
type side struct {
	slots []int // of the sums
	width int   // of all together
	first int   // of the products in Cell.steps
	parts []*kernel.Packed
	pack  kernel.Packed // of all together
}

// sideBySide finds them.
func (c *Cell) sideBySide() side {
	var best side
	for i := 0; i < len(c.steps); {
		s := side{first: i}
		for ; i < len(c.steps) && c.besideable(&s, &c.steps[i]); i++ {
			d := c.steps[i].D
			s.slots, s.parts = append(s.slots, d), append(s.parts, &c.packs[c.steps[i].Pack])
			s.width += c.plan.Slots[d].Width
		}
		if len(s.slots) > len(best.slots) {
			best = s
		}
		if len(s.slots) == 0 {
			i++
		}
	}
	if len(best.slots) < 2 {
		return side{}
	}
	return best
}

// besideable reports whether the instruction goes on with s.
func (c *Cell) besideable(s *side, in *instr) bool {
	if in.group != nil || in.Code != cell.MatMulAcc || slices.Contains(s.slots, in.D) {
		return false
	}
	k := c.plan.Packs[in.Pack]
	if c.plan.Slots[in.D].Kind != cell.BlockSlot || !kernel.CanMatMul(k.K, k.M) || len(s.slots) > 0 && in.A != c.steps[s.first].A {
		return false
	}
	return c.onlyProducts(in.D)
}

// onlyProducts reports whether of what is hoisted products alone touch a slot, and write it: they do with rows that lie apart.
func (c *Cell) onlyProducts(slot int) bool {
	for _, h := range c.hoist {
		if h.group != nil {
			if slices.Contains(h.group.In, slot) || slices.Contains(h.group.Out, slot) {
				return false
			}
			continue
		}
		if (h.D == slot && !isProduct(&h)) || h.A == slot || h.B == slot || h.C == slot {
			return false
		}
	}
	return true
}

// layBeside gives the slots of side their places, from start on, for rows rows, and returns the room that they take; 0 where they lie apart.
func (r *Run) layBeside(start, rows int) int {
	if r.beside = r.shape.N == 1 && len(r.cell.side.slots) > 0; !r.beside {
		return 0
	}
	s, at := &r.cell.side, 0
	for _, k := range s.slots {
		r.place[k] = place{start: start + at, ld: s.width, inBlock: true}
		at += r.cell.plan.Slots[k].Width
	}
	return padded(rows * s.width)
}

// sideOperand is all slots of side as the step sees them.
func (w *writer) sideOperand() kernel.Operand {
	v := &w.views[w.cell.side.slots[0]]
	return kernel.Operand{X: sub(*v.from, v.start+w.before[v.mode]*v.ld, w.cell.side.width), Move: w.moves[v.mode] * v.ld}
}
