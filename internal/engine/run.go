package engine

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Shape is what a run works on.
type Shape struct {
	T, N int
	// Active is how many rows take part in each step, in processing order; nil: all N. They are the first of the N: rows stand
	// in the order in which they begin (Active never decreases) or end (it never increases).
	Active []int
	// Training keeps what the way back needs.
	Training bool
	// Sequences keeps the output of every step, not of the last alone.
	Sequences bool
	// Share has other threads help with every step; nil: the rows are this thread's own.
	Share *Share
}

// blockRows is about how many rows (steps × rows a step) are hoisted together: enough to amortize a call, few enough that the
// values of a block stay in the first-level cache until their steps read them.
const blockRows = 128

// Run is the workspace of one recurrent layer in one pass. It is reused from shard to shard; after the largest shape has been
// seen, nothing is allocated any more.
type Run struct {
	cell   *Cell
	shape  Shape
	offset []int // where the rows of every step begin among those of all steps; the last is the number of places
	ending bool  // rows end before the last step
	rows   int   // of a block at the most
	beside bool  // the slots of Cell.side lie side by side
	bound  uint64
	place  []place
	arena  []float32
	once   []float32 // slots that depend on weights alone

	in        Input
	x, dx, dy []float32 // InputSlot, AdjInputSlot, AdjOutputSlot: a row a place
	mask      []bool    // a value a place; nil: every step of every row is valid
	// out is the outputs of every step where they are not simply a state: with a mask, the first valid step may come after
	// steps whose output is zero while the state is not.
	ownOut bool
	out    []float32

	states []stateBuf
	pass   [][]float32 // of every state: gradients that masked rows hand through
	carry  []float32   // gradient of the previous output, from masked steps that repeat it
	dyKept []float32   // the gradients of the output, after masks
	last   []float32   // outputs of the last steps of all rows, where they end at different steps

	views []view // of every slot
	lists        // of the group that runs
	// steps is the program of a stretch of steps, operandsOut and operandsIn what is written to it at a time.
	steps                   kernel.Program
	operandsOut, operandsIn []kernel.Operand
	drop                    [][]float32 // room for the caller's masks of dropout
	spreadRows              int         // rows of the block that they were last spread over

	table           []float32 // Rows.Table while it is written
	placed, dplaced []float32 // input and its gradient, where the caller's do not stand in processing order
	placedMask      []bool

	share  *Share // nil: this thread is alone
	region region
	parts  []partWork // of every thread
	doPart func(task int)
}

// place is where a slot lies in its memory: at start, and behind it a row for every place (full) or for those of a block.
type place struct {
	start         int
	ld            int // from one row to the next
	full, inBlock bool
	once          bool
}

// stateBuf is a state of every step, a row a place and N more, or of two steps in turn; and its two gradients, which change
// places, each (N, width).
type stateBuf struct {
	width    int
	values   []float32
	full     bool
	final    []float32 // of rows that end before the last step
	next, in []float32
}

// grow returns a slice of n values, in b when it is large enough. The contents are not defined. Shards differ in what they need: with some
// room to spare, a slice is large enough after the first few of them.
func grow[E any](b []E, n int) []E {
	if cap(b) < n {
		return make([]E, n, n+n/2)
	}
	return b[:n]
}

// active is how many rows take part in step s.
func (r *Run) active(s int) int {
	if r.shape.Active == nil {
		return r.shape.N
	}
	return r.shape.Active[s]
}

// prepare lays the slots out for the shape.
func (r *Run) prepare(c *Cell, s Shape) {
	if r.cell != c {
		*r = Run{cell: c}
	}
	r.shape, r.share = s, r.shared(s)
	r.offset = grow(r.offset, s.T+1)
	total := 0
	r.ending = s.T > 0 && r.active(s.T-1) < s.N
	for t := range s.T {
		r.offset[t] = total
		n := r.active(t)
		if t > 0 {
			n = max(n, r.active(t-1))
		}
		total += n
	}
	r.offset[s.T] = total
	p := c.plan
	r.place = grow(r.place, len(p.Slots))
	size, onceSize := 0, 0
	rows := max(blockRows, s.N)
	if s.Training {
		rows = max(rows, c.backRows)
	}
	size += r.layBeside(size, rows)
	for i := range c.joined {
		size += r.layChain(&c.joined[i], size, rows)
	}
	for i, sl := range p.Slots {
		n, pl := 0, place{start: size, ld: sl.Width}
		block := rows * sl.Width
		all := total * sl.Width
		switch sl.Kind {
		case cell.OnceSlot:
			pl.start, pl.once = onceSize, true
			onceSize += padded(block)
		case cell.TempSlot:
			n = block
		case cell.BlockSlot:
			if r.beside && slices.Contains(c.side.slots, i) {
				continue
			}
			n, pl.inBlock = block, true
		case cell.KeptSlot:
			switch {
			case slices.Contains(c.linked, i):
				continue
			case c.onWayBack[i]:
				n, pl.inBlock = block, true
			case s.Training:
				n, pl.full = all, true
			case sl.Hoisted:
				n, pl.inBlock = block, true
			default:
				n = block
			}
		case cell.OutputSlot:
			n = block
			if s.Training || s.Sequences {
				n, pl.full = all, true
			}
		case cell.MaskSlot:
			if slices.Contains(c.spreads, i) {
				n, pl.inBlock = block, true
			}
		}
		r.place[i] = pl
		size += padded(n)
	}
	r.arena = grow(r.arena, size)
	if len(r.once) != onceSize {
		r.once, r.bound = grow(r.once, onceSize), 0
	}
	r.rows = rows
	if r.states == nil {
		r.states = make([]stateBuf, len(p.Cell.States))
		r.pass = make([][]float32, len(p.Cell.States))
	}
	for i := range r.states {
		b := &r.states[i]
		b.width = p.Cell.States[i].Width
		b.full = s.Training || s.Sequences && i == p.OutputHome
		if b.full {
			b.values = grow(b.values, (total+s.N)*b.width)
		} else {
			b.values = grow(b.values, 2*s.N*b.width)
		}
		if r.ending {
			b.final = grow(b.final, s.N*b.width)
		}
		if s.Training {
			b.next, b.in = grow(b.next, s.N*b.width), grow(b.in, s.N*b.width)
		}
	}
	r.look()
}

// padded is the room for n floats: whole cache lines and nine more. Widths are powers of two more often than not: slots that followed one
// another closely would have the same places of a step in the same set of the first-level cache, which holds eight or twelve of them.
func padded(n int) int { return (n+15)&^15 + 9*16 }

// blockEnd is the step behind the last of the block that begins with step s: as many as fit blockRows, but one at least.
func (r *Run) blockEnd(s int) int {
	end := s + 1
	for end < r.shape.T && r.offset[end+1]-r.offset[s] <= r.rows {
		end++
	}
	return end
}

// state is n rows of state i before step s.
func (r *Run) state(i, s, n int) []float32 {
	b := &r.states[i]
	if b.full {
		return sub(b.values, r.offset[s]*b.width, n*b.width)
	}
	return sub(b.values, s&1*r.shape.N*b.width, n*b.width)
}

// at is rows rows of a slot from step s on; s0 is the first step of the block.
func (r *Run) at(slot, s, s0, rows int) []float32 {
	sl := &r.cell.plan.Slots[slot]
	n := rows * sl.Width
	switch sl.Kind {
	case cell.InputSlot:
		return sub(r.x, r.offset[s]*sl.Width, n)
	case cell.AdjInputSlot:
		return sub(r.dx, r.offset[s]*sl.Width, n)
	case cell.AdjOutputSlot:
		return sub(r.dy, r.offset[s]*sl.Width, n)
	case cell.StateSlot:
		return r.state(sl.Index, s, rows)
	case cell.NextSlot:
		return r.state(sl.Index, s+1, rows)
	case cell.AdjNextSlot:
		return r.states[sl.Index].next[:n:n]
	case cell.AdjStateSlot:
		return r.states[sl.Index].in[:n:n]
	case cell.MaskSlot:
		if !r.place[slot].inBlock {
			return r.in.Drop[sl.Index][:n:n]
		}
	}
	p := &r.place[slot]
	switch {
	case p.once:
		return sub(r.once, p.start, n)
	case p.full:
		return sub(r.arena, p.start+r.offset[s]*sl.Width, n)
	case p.inBlock:
		return sub(r.arena, p.start+(r.offset[s]-r.offset[s0])*p.ld, (rows-1)*p.ld+sl.Width)
	}
	return sub(r.arena, p.start, n)
}

func sub(x []float32, start, n int) []float32 { return x[start : start+n : start+n] }
