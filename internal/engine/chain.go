package engine

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// chain is a number of products that follow each other on the way back, each onto the sum of the one before: the gradients of an LSTM's
// gates, which all lead to its state. Where their operands lie at equal distances they are one product, whose sums do not go to memory in
// between. Every sum is what it was: one, over all operands in their order.
type chain struct {
	first int   // of the products in Cell.back
	slots []int // of their operands, in order
	parts []*kernel.Packed
	pack  kernel.Packed // of all together
}

// chains finds them. A slot is in one chain at the most.
func (c *Cell) chains() []chain {
	var found []chain
	var taken []int
	for i := 0; i < len(c.back); {
		ch := chain{first: i}
		for ; i < len(c.back) && c.chainable(&ch, &c.back[i], taken); i++ {
			ch.slots, ch.parts = append(ch.slots, c.back[i].A), append(ch.parts, &c.packs[c.back[i].Pack])
		}
		if len(ch.slots) == 0 {
			i++
		}
		if len(ch.slots) > 1 {
			found, taken = append(found, ch), append(taken, ch.slots...)
		}
	}
	return found
}

// chainable reports whether the instruction goes on with ch.
func (c *Cell) chainable(ch *chain, in *instr, taken []int) bool {
	begins := in.Code == cell.MatMul || in.Code == cell.MatMulAcc
	if in.group != nil || !begins || len(ch.slots) > 0 && in.Code != cell.MatMulAcc {
		return false
	}
	if c.plan.Slots[in.A].Kind != cell.KeptSlot || !c.onWayBack[in.A] || slices.Contains(ch.slots, in.A) || slices.Contains(taken, in.A) {
		return false
	}
	k := c.plan.Packs[in.Pack]
	if !kernel.CanMatMul((len(ch.slots)+1)*k.K, k.M) {
		return false
	}
	if len(ch.slots) == 0 {
		return true
	}
	first := &c.back[ch.first]
	return in.D == first.D && k.K == c.plan.Packs[first.Pack].K && k.M == c.plan.Packs[first.Pack].M
}

// layChain gives the operands of a chain their places, from start on, for rows rows, at equal distances, and returns the room that they
// take.
func (r *Run) layChain(ch *chain, start, rows int) int {
	size := 0
	for _, k := range ch.slots {
		w := r.cell.plan.Slots[k].Width
		r.place[k] = place{start: start + size, ld: w, inBlock: true}
		size += padded(rows * w)
	}
	return size
}

// chained writes the products of a chain as one.
func (w *writer) chained(ch *chain) {
	in := &w.cell.back[ch.first]
	d, start := w.operand(in.D), kernel.Operand{}
	if in.Code == cell.MatMulAcc {
		start = d
	}
	apart := w.place[ch.slots[1]].start - w.place[ch.slots[0]].start
	w.steps.MatMulParts(d, start, false, w.operand(in.A), len(ch.slots), apart, &ch.pack, w.n)
}
