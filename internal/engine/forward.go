package engine

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Input is what a run reads. The slices must stay unchanged until the way back is done.
type Input struct {
	// X is (T, N, C). With Compact, it has a row for each place: the active rows of every step, one step after the other; so has
	// Mask, and so has Rows.Index, always.
	X       []float32
	Compact bool
	Mask    []bool      // (T, N): true where the step counts; nil when all do
	Initial [][]float32 // of every state (N, width); nil: zeros
	// Backwards walks from the last step to the first; outputs come in processing order.
	Backwards bool
	// ZeroMasked makes the output of a masked step zero; otherwise it repeats the previous one.
	ZeroMasked bool
	// Prefix is the run of one row that all rows share up to where they begin; nil: they begin with Initial.
	Prefix *Run
	// Rows, if not nil, is the input instead of X.
	Rows *Rows
	// Drop are the masks of dropout, (N, width) for each of the plan's Masks; nil where it has none.
	Drop [][]float32
}

// Forward walks the sequence. The results are read by Last, Sequence and Final, until the next Forward.
func (r *Run) Forward(c *Cell, s Shape, in Input) {
	r.prepare(c, s)
	r.in, r.spreadRows = in, 0
	r.arrange()
	home := c.plan.OutputHome
	r.ownOut = home >= 0 && r.mask != nil && (in.Initial != nil || in.ZeroMasked)
	if r.ownOut {
		places := s.N
		if s.Training || s.Sequences {
			places = r.offset[s.T]
		}
		r.out = grow(r.out, places*r.states[home].width)
	}
	if r.mask != nil && (home < 0 || r.ownOut) && !in.ZeroMasked {
		r.carry = grow(r.carry, s.N*width(c.plan))
		clear(r.carry)
	}
	if r.ending {
		r.last = grow(r.last, s.N*width(c.plan))
	}
	r.constants()
	if s.T > 0 {
		r.join(0, 0)
	}
	for s0 := 0; s0 < s.T; {
		end := s.T
		if in.Rows == nil {
			end = r.blockEnd(s0)
			r.spread(s0, end)
			r.exec(c.hoist, s0, s0, r.offset[end]-r.offset[s0])
		}
		for step := s0; step < end; {
			n, alike := r.active(step), 1
			r.leave(step)
			switch {
			case n == 0:
			case c.program && r.mask == nil && r.share == nil:
				alike = r.alike(step, 1, end)
				r.walk(step, s0, alike)
			default:
				r.step(step, s0, n)
			}
			if step += alike; step < s.T {
				r.join(step, n)
			}
		}
		s0 = end
	}
	if s.T == 0 {
		r.join(0, 0)
	}
}

// step runs a step of n rows by itself, in the block that begins at s0.
func (r *Run) step(s, s0, n int) {
	if r.in.Rows != nil {
		s0 = s
		r.gather(s)
	}
	r.exec(r.cell.steps, s, s0, n)
	if r.mask != nil {
		r.keepMasked(s, n)
	}
}

// constants makes what depends on the weights alone.
func (r *Run) constants() {
	if r.bound != r.cell.bound {
		r.exec(r.cell.once, 0, 0, r.rows)
		r.bound = r.cell.bound
	}
}

// arrange makes the input and the mask stand in the order of the places.
func (r *Run) arrange() {
	s := r.shape
	r.x, r.mask = r.in.X, r.in.Mask
	if r.in.Rows != nil { // steps that read the input itself find it gathered
		for _, k := range r.cell.rows.gathered {
			if sl := r.cell.plan.Slots[k]; sl.Kind == cell.InputSlot {
				r.placed = grow(r.placed, r.offset[s.T]*sl.Width)
				r.x = r.placed
			}
		}
		return
	}
	if r.in.Compact || s.Active == nil && !r.in.Backwards {
		return
	}
	w := len(r.in.X) / max(1, s.T*s.N)
	r.placed = grow(r.placed, r.offset[s.T]*w)
	r.x = r.placed
	if r.in.Mask != nil {
		r.placedMask = grow(r.placedMask, r.offset[s.T])
		r.mask = r.placedMask
	}
	for t := range s.T {
		from, to, n := r.time(t)*s.N, r.offset[t], r.active(t)
		copy(r.x[to*w:(to+n)*w], r.in.X[from*w:])
		clear(r.x[(to+n)*w : r.offset[t+1]*w])
		if r.in.Mask != nil {
			copy(r.mask[to:to+n], r.in.Mask[from:])
		}
	}
}

// time is the step of the input that is processed in step s.
func (r *Run) time(s int) int {
	if r.in.Backwards {
		return r.shape.T - 1 - s
	}
	return s
}

// join lets the rows that begin with step s begin, behind the n that are there.
func (r *Run) join(s, n int) {
	end := r.shape.N
	if s < r.shape.T {
		end = r.active(s)
	}
	if end <= n {
		return
	}
	for i := range r.states {
		w := r.states[i].width
		to := r.state(i, s, end)[n*w:]
		switch {
		case r.in.Prefix != nil:
			kernel.Broadcast(to, r.in.Prefix.state(i, s, 1), end-n)
		case r.in.Initial != nil:
			copy(to, r.in.Initial[i][n*w:])
		default:
			clear(to)
		}
	}
}

// leave sets the results of the rows aside that ended with step s-1. The places that they leave behind in step s take part in sums
// over all places: there they have their last values again, which are sound, and no gradient.
func (r *Run) leave(s int) {
	if s == 0 || r.active(s) >= r.active(s-1) {
		return
	}
	n, stay := r.active(s-1), r.active(s)
	for i := range r.states {
		w := r.states[i].width
		copy(r.states[i].final[stay*w:n*w], r.state(i, s, n)[stay*w:])
	}
	out := r.output(s-1, n)
	w := len(out) / n
	copy(r.last[stay*w:n*w], out[stay*w:])
	if !r.shape.Training {
		return
	}
	for _, k := range r.cell.keptSteps {
		w := r.cell.plan.Slots[k].Width
		copy(r.at(k, s, s, n)[stay*w:], r.at(k, s-1, s-1, n)[stay*w:])
	}
}

// keepMasked undoes a step where the mask says so: every state keeps its value, and the output repeats the previous one, zeros
// before the first (always, with ZeroMasked).
func (r *Run) keepMasked(s, n int) {
	m := r.mask[r.offset[s] : r.offset[s]+n]
	for i := range r.states {
		next := r.state(i, s+1, n)
		kernel.Select(next, next, r.state(i, s, n), m, n, r.states[i].width)
	}
	home := r.cell.plan.OutputHome
	if home >= 0 && !r.ownOut {
		return
	}
	out := r.output(s, n)
	w := len(out) / n
	now := out
	if r.ownOut {
		now = r.state(home, s+1, n)
	}
	if r.in.ZeroMasked {
		copy(out, now)
		kernel.ZeroRows(out, m, n, w)
		return
	}
	// The output before is set aside, since its place may be this one's.
	kernel.Select(out, now, r.carry, m, n, w)
	copy(r.carry, out)
}

// output is where n rows of the output of step s stand.
func (r *Run) output(s, n int) []float32 {
	if r.ownOut {
		w := r.states[r.cell.plan.OutputHome].width
		if r.shape.Training || r.shape.Sequences {
			return sub(r.out, r.offset[s]*w, n*w)
		}
		return r.out[: n*w : n*w]
	}
	return r.at(r.cell.plan.Output, s, s, n)
}

// Last is the output of the last step of every row, (N, H).
func (r *Run) Last() []float32 {
	s, w := r.shape, width(r.cell.plan)
	if s.T == 0 {
		r.last = grow(r.last, s.N*w)
		clear(r.last)
		if home := r.cell.plan.OutputHome; home >= 0 && r.in.Prefix != nil {
			copy(r.last, r.state(home, 0, s.N))
		}
		return r.last
	}
	out := r.output(s.T-1, r.active(s.T-1))
	if !r.ending {
		return out
	}
	copy(r.last, out)
	return r.last
}

// Sequence is the output of every step in processing order, a row a place: (T, N, H) unless Shape.Active says otherwise.
// Shape.Sequences or Shape.Training must be set.
func (r *Run) Sequence() []float32 {
	p := r.cell.plan
	if p.OutputHome < 0 || r.ownOut {
		return r.output(0, r.offset[r.shape.T])
	}
	w := r.states[p.OutputHome].width
	if r.shape.Active == nil {
		return sub(r.states[p.OutputHome].values, r.shape.N*w, r.offset[r.shape.T]*w)
	}
	r.out = grow(r.out, r.offset[r.shape.T]*w)
	for s := range r.shape.T {
		n := r.active(s)
		to := r.out[r.offset[s]*w : r.offset[s+1]*w]
		copy(to, r.state(p.OutputHome, s+1, n))
		clear(to[n*w:])
	}
	return r.out
}

// Final is state i after the last step of every row, (N, width).
func (r *Run) Final(i int) []float32 {
	if r.shape.T == 0 || !r.ending {
		return r.state(i, r.shape.T, r.shape.N)
	}
	n := r.active(r.shape.T - 1)
	copy(r.states[i].final, r.state(i, r.shape.T, n))
	return r.states[i].final
}

// width of the output.
func width(p *cell.Plan) int { return p.Slots[p.Output].Width }
