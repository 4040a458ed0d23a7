package engine

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Input is what a run reads. The slices must stay unchanged until the way back is done.
type Input struct {
	X       []float32   // (T, N, C)
	Mask    []bool      // (T, N): true where the step counts; nil when all do
	Initial [][]float32 // of every state (N, width); nil: zeros
	// Backwards walks from the last step to the first; outputs come in processing order.
	Backwards bool
}

// Forward walks the sequence. The results are read by Last, Sequence and Final, until the next Forward.
func (r *Run) Forward(c *Cell, s Shape, in Input) {
	r.prepare(c, s)
	r.x, r.mask = in.X, in.Mask
	if in.Backwards {
		r.reverse(in)
	}
	r.given = in.Initial != nil
	for i := range r.states {
		if r.given {
			copy(r.state(i, 0), in.Initial[i])
		} else {
			clear(r.state(i, 0))
		}
	}
	home := c.plan.OutputHome
	r.ownOut = home >= 0 && r.mask != nil && r.given
	if r.ownOut {
		steps := 1
		if s.Training || s.Sequences {
			steps = s.T
		}
		r.out = grow(r.out, steps*s.N*r.states[home].width)
	}
	if r.bound != c.bound {
		r.exec(c.once, 0, 0, r.block*s.N)
		r.bound = c.bound
	}
	for s0 := 0; s0 < s.T; s0 += r.block {
		end := min(s0+r.block, s.T)
		r.exec(c.hoist, s0, s0, (end-s0)*s.N)
		for step := s0; step < end; step++ {
			r.exec(c.steps, step, s0, s.N)
			if r.mask != nil {
				r.keepMasked(step, s0)
			}
		}
	}
}

// reverse makes the input and the mask stand in processing order.
func (r *Run) reverse(in Input) {
	t, n := r.shape.T, r.shape.N
	w := len(in.X) / max(1, t)
	r.reversed = grow(r.reversed, t*w)
	for s := range t {
		copy(r.reversed[s*w:(s+1)*w], in.X[(t-1-s)*w:])
	}
	r.x = r.reversed
	if in.Mask != nil {
		if cap(r.reversedMask) < t*n {
			r.reversedMask = make([]bool, t*n)
		}
		r.mask = r.reversedMask[:t*n]
		for s := range t {
			copy(r.mask[s*n:(s+1)*n], in.Mask[(t-1-s)*n:])
		}
	}
}

// keepMasked undoes a step where the mask says so: every state keeps its value, and the output repeats the previous one, zeros
// before the first.
func (r *Run) keepMasked(step, s0 int) {
	n := r.shape.N
	m := r.mask[step*n : (step+1)*n]
	for i := range r.states {
		next := r.state(i, step+1)
		kernel.Select(next, next, r.state(i, step), m, n, r.states[i].width)
	}
	if home := r.cell.plan.OutputHome; home >= 0 && !r.ownOut {
		return
	}
	out, prev := r.outputs(step)
	now := out
	if r.ownOut {
		now = r.state(r.cell.plan.OutputHome, step+1)
	} else if r.place[r.cell.plan.Output].stride == 0 {
		// One place for the outputs of all steps: the previous output was set aside in out.
		r.selectSingle(out, m, step)
		return
	}
	w := len(out) / max(1, n)
	if step == 0 {
		copy(out, now)
		kernel.ZeroRows(out, m, n, w)
		return
	}
	kernel.Select(out, now, prev, m, n, w)
}

// outputs is where the output of a step and of the step before stand.
func (r *Run) outputs(step int) (out, prev []float32) {
	n := r.shape.N
	if r.ownOut {
		w := n * r.states[r.cell.plan.OutputHome].width
		if len(r.out) == w {
			return r.out, r.out
		}
		out = sub(r.out, step*w, w)
		if step > 0 {
			prev = sub(r.out, (step-1)*w, w)
		}
		return out, prev
	}
	out = r.at(r.cell.plan.Output, step, 0, n)
	if step > 0 {
		prev = r.at(r.cell.plan.Output, step-1, 0, n)
	}
	return out, prev
}

// selectSingle is the select of a run that keeps one output: r.carry holds the previous one.
func (r *Run) selectSingle(out []float32, m []bool, step int) {
	n := r.shape.N
	w := len(out) / max(1, n)
	r.carry = grow(r.carry, len(out))
	if step == 0 {
		clear(r.carry)
	}
	kernel.Select(out, out, r.carry, m, n, w)
	copy(r.carry, out)
}

// Last is the output of the last step, (N, H).
func (r *Run) Last() []float32 {
	if r.shape.T == 0 {
		r.out = grow(r.out, r.shape.N*r.cell.plan.Slots[r.cell.plan.Output].Width)
		clear(r.out)
		return r.out
	}
	out, _ := r.outputs(r.shape.T - 1)
	return out
}

// Sequence is the output of every step, (T, N, H) in processing order; Shape.Sequences or Shape.Training must be set.
func (r *Run) Sequence() []float32 {
	p := r.cell.plan
	n := r.shape.T * r.shape.N * p.Slots[p.Output].Width
	switch {
	case r.ownOut:
		return r.out[:n]
	case p.OutputHome >= 0:
		return sub(r.states[p.OutputHome].values, r.shape.N*r.states[p.OutputHome].width, n)
	}
	return r.at(p.Output, 0, 0, r.shape.T*r.shape.N)
}

// Final is state i after the last step, (N, width).
func (r *Run) Final(i int) []float32 { return r.state(i, r.shape.T) }

// width of the output.
func width(p *cell.Plan) int { return p.Slots[p.Output].Width }
