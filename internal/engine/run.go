package engine

import "github.com/unroll-ml/unroll/internal/cell"

// Shape is what a run works on.
type Shape struct {
	T, N int
	// Training keeps what the way back needs.
	Training bool
	// Sequences keeps the output of every step, not of the last alone.
	Sequences bool
}

// blockRows is about how many rows (steps × rows a step) are hoisted together: enough to amortize a call, few enough that the
// values of a block stay in the first-level cache until their steps read them.
const blockRows = 128

// Run is the workspace of one recurrent layer in one pass. It is reused from shard to shard; after the largest shape has been
// seen, nothing is allocated any more.
type Run struct {
	cell  *Cell
	shape Shape
	block int    // steps hoisted together
	bound uint64 // the Bind that the constants were made from
	place []place
	arena []float32

	x, dx, dy []float32 // the caller's: InputSlot, AdjInputSlot, AdjOutputSlot
	mask      []bool    // (T, N) in processing order; nil: every step of every row is valid
	given     bool      // the initial states were given
	// out is the outputs of every step where they are not simply a state: with a mask, the first valid step may come after
	// steps whose output is zero while the state is not.
	ownOut bool
	out    []float32

	states               []stateBuf
	pass                 [][]float32 // of every state: gradients that masked rows hand through
	carry                []float32   // gradient of the previous output, from masked steps that repeat it
	dyKept               []float32   // the gradients of the output, after masks
	reversed, dxReversed []float32   // of a run that goes backwards, in processing order
	reversedMask         []bool
}

// place is where a slot lies: at arena[start + step*stride], step counted from the block's first where inBlock.
type place struct {
	start, stride int
	inBlock       bool
}

// stateBuf is a state of every step, (T+1, N, width), or of two steps in turn; and its two gradients, which change places.
type stateBuf struct {
	width    int
	values   []float32
	ring     int // steps the buffer holds
	next, in []float32
}

// grow returns a slice of n floats, in b when it is large enough. The contents are not defined.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// prepare lays the slots out for the shape.
func (r *Run) prepare(c *Cell, s Shape) {
	if r.cell == c && r.shape == s {
		return
	}
	r.cell, r.shape, r.bound = c, s, 0
	r.block = max(1, min(s.T, blockRows/max(1, s.N)))
	rows := r.block * s.N
	p := c.plan
	r.place = make([]place, len(p.Slots))
	size := 0
	for i, sl := range p.Slots {
		n, pl := 0, place{start: size}
		switch sl.Kind {
		case cell.OnceSlot, cell.TempSlot:
			n = rows * sl.Width
		case cell.BlockSlot:
			n, pl.stride, pl.inBlock = rows*sl.Width, s.N*sl.Width, true
		case cell.KeptSlot:
			switch {
			case s.Training:
				n, pl.stride = s.T*s.N*sl.Width, s.N*sl.Width
			case sl.Hoisted:
				n, pl.stride, pl.inBlock = rows*sl.Width, s.N*sl.Width, true
			default:
				n = rows * sl.Width
			}
		case cell.OutputSlot:
			n = s.N * sl.Width
			if s.Training || s.Sequences {
				n, pl.stride = s.T*s.N*sl.Width, s.N*sl.Width
			}
		}
		r.place[i] = pl
		size += (n + 15) &^ 15 // rows of a cache line's multiple
	}
	r.arena = grow(r.arena, size)
	clear(r.arena)
	if r.states == nil {
		r.states = make([]stateBuf, len(p.Cell.States))
		r.pass = make([][]float32, len(p.Cell.States))
	}
	for i := range r.states {
		b := &r.states[i]
		b.width, b.ring = p.Cell.States[i].Width, 2
		if s.Training || s.Sequences && i == p.OutputHome {
			b.ring = s.T + 1
		}
		b.values = grow(b.values, b.ring*s.N*b.width)
		if s.Training {
			b.next, b.in = grow(b.next, s.N*b.width), grow(b.in, s.N*b.width)
		}
	}
}

// state is state i before step s.
func (r *Run) state(i, s int) []float32 {
	b := &r.states[i]
	n := r.shape.N * b.width
	if b.ring == 2 {
		s &= 1
	}
	return b.values[s*n : (s+1)*n : (s+1)*n]
}

// at is rows rows of a slot from step s on; s0 is the first step of the block.
func (r *Run) at(slot, s, s0, rows int) []float32 {
	sl := &r.cell.plan.Slots[slot]
	n := rows * sl.Width
	switch sl.Kind {
	case cell.InputSlot:
		return sub(r.x, s*r.shape.N*sl.Width, n)
	case cell.AdjInputSlot:
		return sub(r.dx, s*r.shape.N*sl.Width, n)
	case cell.AdjOutputSlot:
		return sub(r.dy, s*r.shape.N*sl.Width, n)
	case cell.StateSlot, cell.NextSlot:
		if sl.Kind == cell.NextSlot {
			s++
		}
		b := &r.states[sl.Index]
		if b.ring == 2 {
			s &= 1
		}
		return sub(b.values, s*r.shape.N*sl.Width, n)
	case cell.AdjNextSlot:
		return r.states[sl.Index].next
	case cell.AdjStateSlot:
		return r.states[sl.Index].in
	}
	p := &r.place[slot]
	if p.inBlock {
		s -= s0
	}
	return sub(r.arena, p.start+s*p.stride, n)
}

func sub(x []float32, start, n int) []float32 { return x[start : start+n : start+n] }
