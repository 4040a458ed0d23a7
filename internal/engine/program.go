package engine

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Where the same rows take part in many steps one after the other, and no mask interferes, all those steps are one call: their
// operations are written down once, as a kernel.Program, with how far every operand lies from one step to the next. It computes what exec
// computes step by step.

// elementwise are the names of the kernels of operations.
var elementwise = map[cell.Code]string{
	cell.Copy: "copy", cell.Fill: "fill", cell.Add: "add", cell.Sub: "sub", cell.Mul: "mul", cell.Div: "div", cell.Min: "min", cell.Max: "max",
	cell.MulAdd: "mulAdd", cell.MulSub: "mulSub", cell.Neg: "neg", cell.AddConst: "addConst", cell.SubFrom: "rSub", cell.Scale: "scale",
	cell.DivFrom: "rDiv",
}

// stepByStep is why no program can run the list; "" where one can.
func (c *Cell) stepByStep(list []instr) string {
	if !kernel.Programs() {
		return "no assembly on this path"
	}
	for _, in := range list {
		if in.group != nil || in.alone {
			continue
		}
		switch in.Code {
		case cell.MatMul, cell.MatMulAcc, cell.MatMulFrom:
			if p := c.plan.Packs[in.Pack]; !kernel.CanMatMul(p.K, p.M) {
				return fmt.Sprintf("a product of %d by %d", p.K, p.M)
			}
		case cell.Softmax, cell.SoftmaxGrad, cell.Normalize, cell.NormalizeGrad:
		default:
			return in.Name() + " has no kernel"
		}
	}
	return ""
}

// alike is how many steps from s on, in direction d, have the same rows without a gap, up to before limit.
func (r *Run) alike(s, d, limit int) int {
	n, k := r.active(s), 0
	for ; s != limit && r.active(s) == n && r.offset[s+1]-r.offset[s] == n; s += d {
		k++
	}
	return max(1, k)
}

// writer writes the operations of a step.
type writer struct {
	*Run
	s, s0, n int
	before   [viewModes]int
	moves    [viewModes]int // rows, from one step of a kind to the next of that kind
}

// write is a writer for steps like s, whose next of the same kind is so many steps away.
func (r *Run) write(s, s0, n, away int) writer {
	w := writer{Run: r, s: s, s0: s0, n: n, before: r.rowsBefore(s, s0)}
	w.moves[viewPlaces], w.moves[viewNext], w.moves[viewBlock] = away*n, away*n, away*n
	return w
}

// operand is a slot as the step sees it.
func (w *writer) operand(slot int) kernel.Operand {
	v := &w.views[slot]
	if v.mode != viewAt {
		return kernel.Operand{X: v.rows(&w.before, w.n), Move: w.moves[v.mode] * v.ld}
	}
	mode := viewPlaces
	if w.cell.plan.Slots[slot].Kind == cell.MaskSlot {
		if mode = viewFixed; w.place[slot].inBlock {
			mode = viewBlock
		}
	}
	return kernel.Operand{X: w.at(slot, w.s, w.s0, w.n), Move: w.moves[mode] * v.width}
}

// list writes the operations of a list, of steps forward or back.
func (w *writer) list(list []instr, forward bool) {
	p := &w.steps
	for i := 0; i < len(list); i++ {
		in := &list[i]
		if w.beside && forward && i == w.cell.side.first {
			d := w.sideOperand()
			p.MatMul(d, d, false, w.operand(in.A), &w.cell.side.pack, 1)
			i += len(w.cell.side.slots) - 1
			continue
		}
		if !forward {
			if ch := slices.IndexFunc(w.cell.joined, func(ch chain) bool { return ch.first == i }); ch >= 0 {
				w.chained(&w.cell.joined[ch])
				i += len(w.cell.joined[ch].slots) - 1
				continue
			}
		}
		if in.group != nil {
			w.operandsOut, w.operandsIn = w.operandsOut[:0], w.operandsIn[:0]
			for _, slot := range in.group.Out {
				w.operandsOut = append(w.operandsOut, w.operand(slot))
			}
			for _, slot := range in.group.In {
				w.operandsIn = append(w.operandsIn, w.operand(slot))
			}
			p.Fused(in.fused, w.operandsOut, w.operandsIn)
			continue
		}
		d := w.operand(in.D)
		if in.alone {
			w.operandsIn = append(w.operandsIn[:0], d)
			for _, slot := range [3]int{in.A, in.B, in.C} {
				if slot >= 0 {
					w.operandsIn = append(w.operandsIn, w.operand(slot))
				}
			}
			p.Elementwise(in.element, in.v, w.operandsIn...)
			continue
		}
		width := w.cell.plan.Slots[in.D].Width
		switch in.Code {
		case cell.Softmax:
			p.Softmax(d, w.operand(in.A), w.n, width)
			continue
		case cell.SoftmaxGrad:
			p.SoftmaxGrad(d, w.operand(in.A), w.operand(in.B), w.n, width)
			continue
		case cell.Normalize:
			p.Normalize(d, w.operand(in.A), w.n, width, normalizeEpsilon)
			continue
		case cell.NormalizeGrad:
			p.NormalizeGrad(d, w.operand(in.A), w.operand(in.B), w.n, width, normalizeEpsilon)
			continue
		}
		start, shared := kernel.Operand{}, false
		switch in.Code {
		case cell.MatMulAcc:
			start = d
		case cell.MatMulFrom:
			start, shared = w.operand(in.C), true
		}
		p.MatMul(d, start, shared, w.operand(in.A), &w.cell.packs[in.Pack], w.n)
	}
}

// gatherStep writes what gather does, for one step.
func (w *writer) gatherStep() {
	rows, at, ld := w.in.Rows, 0, w.cell.TableWidth()
	gathered := w.cell.rows.gathered
	if n := len(w.cell.side.slots); w.beside && len(gathered) >= n && slices.Equal(gathered[:n], w.cell.side.slots) {
		d := w.sideOperand()
		w.steps.Gather(d, rows.Table, ld, rows.Index[w.offset[w.s]:], 1, w.moves[viewPlaces], len(d.X))
		gathered, at = gathered[n:], len(d.X)
	}
	for _, s := range gathered {
		width := w.cell.plan.Slots[s].Width
		w.steps.Gather(w.operand(s), rows.Table[at:], ld, rows.Index[w.offset[w.s]:], w.n, w.moves[viewPlaces], width)
		at += width
	}
}

// walk runs count steps from s on.
func (r *Run) walk(s, s0, count int) {
	n, kinds := r.active(s), 1
	for i := range r.states {
		if !r.states[i].full {
			kinds = 2 // their two places take turns
		}
	}
	r.steps.Reset()
	for k := range min(kinds, count) {
		if k > 0 {
			r.steps.Turn()
		}
		if r.in.Rows != nil { // every step is a block
			s0 = s + k
		}
		w := r.write(s+k, s0, n, kinds)
		if r.in.Rows != nil {
			w.moves[viewBlock] = 0
			w.gatherStep()
		}
		w.list(r.cell.steps, true)
	}
	r.steps.Run(count)
}

// walkBack runs count steps back from s on, in the block that begins at s0.
func (r *Run) walkBack(g Gradient, s, s0, count int) {
	n := r.active(s)
	r.keepIdle(n)
	r.steps.Reset()
	for k := range min(2, count) {
		if k > 0 {
			r.steps.Turn()
			r.swap()
		}
		w := r.write(s-k, s0, n, -2)
		for i := range g.Given {
			w.addTo(i, g.Given[i], s-k+1)
		}
		if home := r.cell.plan.OutputHome; home >= 0 && g.Sequence != nil {
			w.addTo(home, g.Sequence, s-k)
		}
		w.list(r.cell.back, false)
	}
	if count > 1 {
		r.swap()
	}
	r.steps.Run(count)
	if count%2 == 1 {
		r.swap()
	}
	r.clearLeft(s, s0, n) // a step with such places is alike no other
}

// keepIdle hands the gradients of the rows behind the first n through: they end earlier or begin later.
func (r *Run) keepIdle(n int) {
	for i := range r.states {
		b := &r.states[i]
		copy(b.in[n*b.width:], b.next[n*b.width:])
	}
}

// swap exchanges the gradients of the states before and after a step, as every step back does.
func (r *Run) swap() {
	for i := range r.states {
		b := &r.states[i]
		b.next, b.in = b.in, b.next
	}
}

var sum, _ = kernel.ElementwiseByName("add")

// addTo writes the sum of the gradient of the next state i and what comes from outside for place s.
func (w *writer) addTo(i int, from []float32, s int) {
	b := &w.states[i]
	next := kernel.Operand{X: b.next[:w.n*b.width]}
	w.steps.Elementwise(sum, 0, next, next, kernel.Operand{X: sub(from, w.offset[s]*b.width, w.n*b.width), Move: w.moves[viewPlaces] * b.width})
}
