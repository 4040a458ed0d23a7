package engine

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Gradient is what comes for the results of a run, and where its own gradients go.
type Gradient struct {
	Sequence []float32   // as Run.Sequence, or nil
	Last     []float32   // (N, H), or nil
	Final    [][]float32 // of every state (N, width), or nil; single ones may be nil

	X       []float32   // as Input.X, overwritten; nil when nobody asks for it
	Weights [][]float32 // stored form, in the order of the text; added to

	// Given are gradients of the states before every step and after the last, (T+1, N, width), for the run of a prefix: what
	// the rows that left it there have as gradients of their initial states. Nil elsewhere.
	Given [][]float32

	// States, for who looks on, are overwritten with the gradient of every state after every step, (T, N, width), in the order of the
	// input. Nil elsewhere: steps are then not taken one by one.
	States [][]float32
}

// Backward walks back through the run that Forward did last, with Shape.Training set. Initial tells the gradient of the
// initial states afterwards.
func (r *Run) Backward(g Gradient) {
	c, s := r.cell, r.shape
	p := c.plan
	for i := range r.states {
		b := &r.states[i]
		clear(b.next)
		if g.Final != nil && g.Final[i] != nil {
			copy(b.next, g.Final[i])
		}
	}
	masked := r.mask != nil && (p.OutputHome < 0 || r.ownOut) // outputs repeat, apart from states
	if masked {
		r.carry = grow(r.carry, s.N*width(p))
		clear(r.carry)
	}
	if p.OutputHome < 0 {
		r.gatherOutputs(g, masked)
	} else if g.Last != nil {
		if masked {
			kernel.Add(r.carry, r.carry, g.Last)
		} else {
			next := r.states[p.OutputHome].next
			kernel.Add(next, next, g.Last)
		}
	}
	apart := r.beginInput(g)
	for end := s.T; end > 0; {
		s0 := r.backStart(end)
		for t := end - 1; t >= s0; {
			n := r.active(t)
			if n > 0 && c.backProgram && r.share == nil && r.mask == nil && g.States == nil && (g.Given == nil || n == s.N) {
				alike := r.alike(t, -1, s0-1)
				r.walkBack(g, t, s0, alike)
				t -= alike
				continue
			}
			r.stepBack(g, t, s0, n, masked)
			t--
		}
		r.afterBlock(g, s0, end)
		end = s0
	}
	if apart {
		r.endInput(g)
	}
}

// stepBack goes back through step t, of n rows, by itself, in the block that begins at s0.
func (r *Run) stepBack(g Gradient, t, s0, n int, masked bool) {
	r.addGiven(g.Given, t+1)
	if n > 0 {
		if r.cell.plan.OutputHome >= 0 {
			r.addOutput(g, t, n, masked)
		}
		r.show(g.States, t)
		r.setAside(t, n)
		r.exec(r.cell.back, t, s0, n)
		r.handThrough(t, s0, n)
	}
	r.clearLeft(t, s0, n)
	r.keepIdle(n)
	r.swap()
}

// show copies the gradients of the states after step t.
func (r *Run) show(states [][]float32, t int) {
	for i, dst := range states {
		w := r.shape.N * r.states[i].width
		copy(sub(dst, r.time(t)*w, w), r.states[i].next)
	}
}

// clearLeft makes the gradients zero at the places of step t that rows left behind which ended before it.
func (r *Run) clearLeft(t, s0, n int) {
	if places := r.offset[t+1] - r.offset[t]; places > n {
		for _, k := range r.cell.keptBack {
			clear(r.at(k, t, s0, places)[n*r.cell.plan.Slots[k].Width:])
		}
	}
}

// backStart is the first step of the block that ends before step end: as many as fit backRows, but one at least.
func (r *Run) backStart(end int) int {
	s := end - 1
	for s > 0 && r.offset[end]-r.offset[s-1] <= r.cell.backRows {
		s--
	}
	return s
}

// beginInput finds where the gradient of the input goes; apart: into places that endInput puts in the caller's order.
func (r *Run) beginInput(g Gradient) (apart bool) {
	r.dx = g.X
	apart = g.X != nil && r.in.Rows == nil && !r.in.Compact && (r.shape.Active != nil || r.in.Backwards)
	if apart {
		r.dplaced = grow(r.dplaced, len(r.x))
		r.dx = r.dplaced
	}
	return apart
}

func (r *Run) endInput(g Gradient) {
	s := r.shape
	clear(g.X)
	w := len(g.X) / max(1, s.T*s.N)
	for t := range s.T {
		copy(g.X[r.time(t)*s.N*w:], r.dx[r.offset[t]*w:(r.offset[t]+r.active(t))*w])
	}
}

// afterBlock is what no state waits for, over the rows of a block of steps together, while what they left is near.
func (r *Run) afterBlock(g Gradient, s0, end int) {
	c := r.cell
	rows := r.offset[end] - r.offset[s0]
	r.spread(s0, end)
	r.exec(c.backAfter, s0, s0, rows)
	r.weightGradients(c.plan.Grads, g.Weights, s0, rows)
	if r.in.Rows != nil {
		r.scatter(s0, end)
		return
	}
	r.exec(c.backHoist, s0, s0, rows)
	if r.dx != nil {
		r.exec(c.backInput, s0, s0, rows)
	}
	r.weightGradients(c.plan.HoistGrads, g.Weights, s0, rows)
}

// weightGradients adds every weight's gradient: one product or one sum over the rows of a block that begins with step s0.
func (r *Run) weightGradients(grads []cell.GradOf, weights [][]float32, s0, rows int) {
	if r.share != nil && r.worthSharing(grads, rows) {
		r.together(region{grads: grads, weights: weights, s0: s0, rows: rows})
		return
	}
	r.addGradients(grads, weights, s0, rows, 0, 1)
}

// addGradients adds one of so many parts of the columns of every weight's gradient.
func (r *Run) addGradients(grads []cell.GradOf, weights [][]float32, s0, rows, part, parts int) {
	for _, g := range grads {
		dst := weights[g.Weight][g.Start:]
		b, wb := r.at(g.B, s0, s0, rows), r.cell.plan.Slots[g.B].Width
		from, to := columns(wb, part, parts)
		switch {
		case from == to:
		case g.A < 0:
			kernel.SumRows(dst[from:to], b[from:], wb, rows, to-from)
		default:
			a, wa := r.at(g.A, s0, s0, rows), r.cell.plan.Slots[g.A].Width
			kernel.Outer(dst[from:], g.Ld, a, wa, wa, b[from:], wb, to-from, rows)
		}
	}
}

// addGiven adds what rows handed back for the states before step s.
func (r *Run) addGiven(given [][]float32, s int) {
	if given == nil {
		return
	}
	for i := range r.states {
		b := &r.states[i]
		w := r.shape.N * b.width
		kernel.Add(b.next, b.next, sub(given[i], s*w, w))
	}
}

// incoming is the gradient that comes for the outputs of step s from outside; nil: none.
func (r *Run) incoming(g Gradient, s, n int) []float32 {
	if g.Sequence == nil {
		return nil
	}
	w := width(r.cell.plan)
	return sub(g.Sequence, r.offset[s]*w, n*w)
}

// addOutput adds the gradient of the output of step s to that of the state which the output is.
func (r *Run) addOutput(g Gradient, s, n int, masked bool) {
	w := width(r.cell.plan)
	next := r.states[r.cell.plan.OutputHome].next[: n*w : n*w]
	dy := r.incoming(g, s, n)
	switch {
	case masked:
		if dy != nil {
			kernel.Add(r.carry[:n*w], r.carry[:n*w], dy)
		}
		r.release(next, s, n)
	case dy != nil:
		kernel.Add(next, next, dy)
	}
}

// release hands what was carried for the output of step s to dst, in the rows where the step is valid; the others carry it on
// to the step whose output they repeat, or drop it with ZeroMasked.
func (r *Run) release(dst []float32, s, n int) {
	w := len(dst) / n
	for i, valid := range r.mask[r.offset[s] : r.offset[s]+n] {
		row := r.carry[i*w : (i+1)*w]
		if valid {
			kernel.Add(dst[i*w:(i+1)*w], dst[i*w:(i+1)*w], row)
		}
		if valid || r.in.ZeroMasked {
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
	s, w := r.shape, width(r.cell.plan)
	r.dyKept = grow(r.dyKept, r.offset[s.T]*w)
	r.dy = r.dyKept
	clear(r.dy)
	for t := s.T - 1; t >= 0; t-- {
		n := r.active(t)
		if n == 0 {
			continue
		}
		stay := 0
		if t < s.T-1 {
			stay = r.active(t + 1)
		}
		d := sub(r.dy, r.offset[t]*w, n*w)
		to := d
		if masked {
			to = r.carry[: n*w : n*w]
		}
		if dy := r.incoming(g, t, n); dy != nil {
			kernel.Add(to, to, dy)
		}
		if g.Last != nil && stay < n { // rows that end here
			kernel.Add(to[stay*w:], to[stay*w:], g.Last[stay*w:n*w])
		}
		if masked {
			r.release(d, t, n)
		}
	}
}

// setAside takes the gradients of masked rows' next states out of step s: they belong to the incoming states unchanged.
func (r *Run) setAside(s, n int) {
	if r.mask == nil {
		return
	}
	m := r.mask[r.offset[s] : r.offset[s]+n]
	for i := range r.states {
		b := &r.states[i]
		r.pass[i] = grow(r.pass[i], len(b.next))
		copy(r.pass[i], b.next)
		kernel.ZeroRows(b.next, m, n, b.width)
	}
}

// handThrough gives them to the incoming states, and makes the step's own gradients zero in masked rows, whatever the values
// of a step that does not count were.
func (r *Run) handThrough(s, s0, n int) {
	if r.mask == nil {
		return
	}
	m := r.mask[r.offset[s] : r.offset[s]+n]
	for i := range r.states {
		b := &r.states[i]
		kernel.Select(b.in, b.in, r.pass[i], m, n, b.width)
	}
	for _, k := range r.cell.keptBack {
		kernel.ZeroRows(r.at(k, s, s0, n), m, n, r.cell.plan.Slots[k].Width)
	}
}

// Initial is the gradient of the state i with which each row began after Backward, (N, width): of the initial state where one was
// given, of the prefix's where the row left one. (Otherwise an output before the first valid step counts as the state that it equals.)
func (r *Run) Initial(i int) []float32 { return r.states[i].next }
