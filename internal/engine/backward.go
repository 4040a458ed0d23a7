package engine

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Gradient is what comes for the results of a run, and where its own gradients go.
type Gradient struct {
	Sequence []float32   // (T, N, H) in processing order, or nil
	Last     []float32   // (N, H), or nil
	Final    [][]float32 // of every state (N, width), or nil; single ones may be nil

	X       []float32   // (T, N, C), overwritten; nil when nobody asks for it
	Weights [][]float32 // stored form, in the order of the text; added to

	Backwards bool // as the Input's
}

// Backward walks back through the run that Forward did last, with Shape.Training set. Initial tells the gradient of the
// initial states afterwards.
func (r *Run) Backward(g Gradient) {
	c, t, n := r.cell, r.shape.T, r.shape.N
	p := c.plan
	for i := range r.states {
		b := &r.states[i]
		clear(b.next)
		if g.Final != nil && g.Final[i] != nil {
			copy(b.next, g.Final[i])
		}
	}
	masked := r.mask != nil && (p.OutputHome < 0 || r.ownOut) // outputs repeat, apart from states
	if p.OutputHome < 0 || masked {
		r.carry = grow(r.carry, n*width(p))
		clear(r.carry)
	}
	if p.OutputHome < 0 {
		r.gatherOutputs(g, masked)
	}
	for s := t - 1; s >= 0; s-- {
		if p.OutputHome >= 0 {
			r.addOutput(g, s, masked)
		}
		r.setAside(s)
		r.exec(c.back, s, s, n)
		r.handThrough(s)
		for i := range r.states {
			b := &r.states[i]
			b.next, b.in = b.in, b.next
		}
	}
	r.dx = g.X
	if g.X != nil && g.Backwards {
		r.dx = grow(r.dxReversed, len(g.X))
		r.dxReversed = r.dx
	}
	for s0 := 0; s0 < t; s0 += r.block {
		rows := (min(s0+r.block, t) - s0) * n
		r.exec(c.backAfter, s0, s0, rows)
		r.exec(c.backHoist, s0, s0, rows)
		if r.dx != nil {
			r.exec(c.backInput, s0, s0, rows)
		}
	}
	if g.X != nil && g.Backwards {
		w := len(g.X) / max(1, t)
		for s := range t {
			copy(g.X[(t-1-s)*w:(t-s)*w], r.dx[s*w:])
		}
	}
	r.weightGradients(p.Grads, g.Weights)
	r.weightGradients(p.HoistGrads, g.Weights)
}

// weightGradients adds every weight's gradient: one product or one sum over all rows of all steps.
func (r *Run) weightGradients(grads []cell.GradOf, weights [][]float32) {
	rows := r.shape.T * r.shape.N
	for _, g := range grads {
		dst := weights[g.Weight][g.Start:]
		b, wb := r.at(g.B, 0, 0, rows), r.cell.plan.Slots[g.B].Width
		if g.A < 0 {
			kernel.SumRows(dst[:wb], b, wb, rows, wb)
			continue
		}
		a, wa := r.at(g.A, 0, 0, rows), r.cell.plan.Slots[g.A].Width
		kernel.Outer(dst, g.Ld, a, wa, wa, b, wb, wb, rows)
	}
}

// incoming is the gradient that comes for the output of step s from outside; nil: none.
func (r *Run) incoming(g Gradient, s int) []float32 {
	w := r.shape.N * width(r.cell.plan)
	if g.Sequence != nil {
		return sub(g.Sequence, s*w, w)
	}
	return nil
}

// addOutput adds the gradient of the output of step s to that of the state which the output is.
func (r *Run) addOutput(g Gradient, s int, masked bool) {
	next := r.states[r.cell.plan.OutputHome].next
	for _, dy := range [][]float32{r.incoming(g, s), r.last(g, s)} {
		switch {
		case dy == nil:
		case masked:
			kernel.Add(r.carry, r.carry, dy)
		default:
			kernel.Add(next, next, dy)
		}
	}
	if masked {
		r.release(next, s)
	}
}

func (r *Run) last(g Gradient, s int) []float32 {
	if s == r.shape.T-1 {
		return g.Last
	}
	return nil
}

// release hands what was carried for the output of step s to dst, in the rows where the step is valid; the others carry it on
// to the step whose output they repeat.
func (r *Run) release(dst []float32, s int) {
	n := r.shape.N
	w := len(dst) / max(1, n)
	for i, valid := range r.mask[s*n : (s+1)*n] {
		if valid {
			row := r.carry[i*w : (i+1)*w]
			kernel.Add(dst[i*w:(i+1)*w], dst[i*w:(i+1)*w], row)
			clear(row)
		}
	}
}

// gatherOutputs makes the gradients of all outputs, for a cell whose output is no state.
func (r *Run) gatherOutputs(g Gradient, masked bool) {
	if g.Sequence != nil && g.Last == nil && !masked {
		r.dy = g.Sequence
		return
	}
	t, w := r.shape.T, r.shape.N*width(r.cell.plan)
	r.dyKept = grow(r.dyKept, t*w)
	r.dy = r.dyKept
	clear(r.dy)
	for s := t - 1; s >= 0; s-- {
		d := sub(r.dy, s*w, w)
		for _, dy := range [][]float32{r.incoming(g, s), r.last(g, s)} {
			switch {
			case dy == nil:
			case masked:
				kernel.Add(r.carry, r.carry, dy)
			default:
				kernel.Add(d, d, dy)
			}
		}
		if masked {
			r.release(d, s)
		}
	}
}

// setAside takes the gradients of masked rows' next states out of step s: they belong to the incoming states unchanged.
func (r *Run) setAside(s int) {
	if r.mask == nil {
		return
	}
	n := r.shape.N
	m := r.mask[s*n : (s+1)*n]
	for i := range r.states {
		b := &r.states[i]
		r.pass[i] = grow(r.pass[i], len(b.next))
		copy(r.pass[i], b.next)
		kernel.ZeroRows(b.next, m, n, b.width)
	}
}

// handThrough gives them to the incoming states, and makes the step's own gradients zero in masked rows, whatever the values
// of a step that does not count were.
func (r *Run) handThrough(s int) {
	if r.mask == nil {
		return
	}
	n := r.shape.N
	m := r.mask[s*n : (s+1)*n]
	for i := range r.states {
		b := &r.states[i]
		kernel.Select(b.in, b.in, r.pass[i], m, n, b.width)
	}
	for _, k := range r.cell.keptBack {
		kernel.ZeroRows(r.at(k, s, s, n), m, n, r.cell.plan.Slots[k].Width)
	}
}

// Initial is the gradient of the initial state i after Backward, (N, width), where initial states were given. (Otherwise an output
// before the first valid step counts as the state that it equals.)
func (r *Run) Initial(i int) []float32 { return r.states[i].next }
