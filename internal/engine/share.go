package engine

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Where a batch is too small for every thread to have rows of its own, threads take a step together: products by columns, so that each reads its part of the
// weights alone, and the rest by rows. Every value is computed as by one, in the same order: the bits are the same.

// Share has threads do the tasks from 0 on, and comes back when all are done.
type Share struct {
	Threads int
	Do      func(tasks int, do func(task int))

	always bool // also what is not worth it, for tests
}

// Worth says whether work of so many operations is worth sharing.
func (s *Share) Worth(operations int) bool {
	return s != nil && (s.always || s.Threads > 1 && operations >= shareWork)
}

// Split does n things in as many parts as there are threads, those from lo to before hi each.
func (s *Share) Split(n int, do func(lo, hi int)) {
	s.Do(s.Threads, func(task int) {
		if lo, hi := n*task/s.Threads, n*(task+1)/s.Threads; lo < hi {
			do(lo, hi)
		}
	})
}

// shareFrom is how many operations a step must have to be shared, and shareWork a part of it, shareValues where it has no products: less is done before others have
// heard of it.
const (
	shareFrom   = 2 << 20
	shareWork   = 1 << 19
	shareValues = 1 << 13
)

// region is a part of a step that is done together: products, or what treats rows alike, or weights' gradients.
type region struct {
	ins         []instr
	products    bool
	grads       []cell.GradOf
	weights     [][]float32
	s, s0, rows int
}

// partWork is a thread's own workspace.
type partWork struct {
	lists
	columns kernel.Packed
}

// shared says whether steps of so many rows are shared.
func (r *Run) shared(s Shape) *Share {
	if s.Share != nil && (s.Share.always || s.Share.Threads > 1 && r.cell.SharesSteps(s.N)) {
		return s.Share
	}
	return nil
}

// SharesSteps says whether steps of n rows are long enough to be shared.
func (c *Cell) SharesSteps(n int) bool { return n*c.stepWork >= shareFrom }

// stepWork is how many operations the products of a step have for a row.
func stepWork(p *cell.Plan, steps []instr) int {
	n := 0
	for i := range steps {
		if isProduct(&steps[i]) {
			k := p.Packs[steps[i].Pack]
			n += 2 * k.K * k.M
		}
	}
	return n
}

func isProduct(in *instr) bool {
	return in.group == nil && (in.Code == cell.MatMul || in.Code == cell.MatMulAcc || in.Code == cell.MatMulFrom)
}

// execShared is exec by all threads.
func (r *Run) execShared(ins []instr, s, s0, rows int) {
	for len(ins) > 0 {
		n, work := r.alikeInstrs(ins, rows)
		g := region{ins: ins[:n], products: isProduct(&ins[0]), s: s, s0: s0, rows: rows}
		ins = ins[n:]
		if !work {
			r.execRows(g.ins, s, s0, rows, 0, rows, &r.lists)
			continue
		}
		r.together(g)
	}
}

// together does a region.
func (r *Run) together(g region) {
	n := r.share.Threads
	for len(r.parts) < n {
		r.parts = append(r.parts, partWork{})
	}
	if r.doPart == nil {
		r.doPart = r.part
	}
	r.region = g
	r.share.Do(n, r.doPart)
	r.region = region{}
}

// alikeInstrs is how many of the first instructions are one region, and whether it is worth sharing. Products are one as long as none reads what another
// writes: those onto one sum follow each other in every column.
func (r *Run) alikeInstrs(ins []instr, rows int) (n int, worth bool) {
	if !isProduct(&ins[0]) {
		values := 0
		for n < len(ins) && !isProduct(&ins[n]) {
			width := 0
			if in := &ins[n]; in.group != nil {
				width = r.cell.plan.Slots[in.group.Out[0]].Width * len(in.group.Ops)
			} else {
				width = r.cell.plan.Slots[in.D].Width
			}
			values += rows * width
			n++
		}
		return n, rows >= r.share.Threads && (values >= shareValues || r.share.always)
	}
	work := 0
	for n < len(ins) && isProduct(&ins[n]) {
		in := &ins[n]
		reads := func(other instr) bool { return other.D == in.A || in.Code == cell.MatMulFrom && other.D == in.C }
		if slices.ContainsFunc(ins[:n], reads) {
			break
		}
		k := r.cell.plan.Packs[in.Pack]
		work += 2 * rows * k.K * k.M
		n++
	}
	return n, r.share.Worth(work)
}

// part is a thread's part of the region.
func (r *Run) part(task int) {
	g, w := &r.region, &r.parts[task]
	n := r.share.Threads
	switch {
	case g.grads != nil:
		r.addGradients(g.grads, g.weights, g.s0, g.rows, task, n)
	case g.products:
		for i := range g.ins {
			r.productPart(g, &g.ins[i], task, w)
		}
	default:
		r.execRows(g.ins, g.s, g.s0, g.rows, g.rows*task/n, g.rows*(task+1)/n, &w.lists)
	}
}

// columns are one of so many parts of m columns: whole panels.
func columns(m, part, parts int) (from, to int) {
	panels := kernel.Panels(m)
	return min(m, panels*part/parts*kernel.PanelWidth), min(m, panels*(part+1)/parts*kernel.PanelWidth)
}

func (r *Run) productPart(g *region, in *instr, task int, w *partWork) {
	pack := &r.cell.packs[in.Pack]
	from, to := columns(pack.M, task, r.share.Threads)
	if from == to {
		return
	}
	pack.Columns(&w.columns, from, to)
	d, ld := r.rowsOf(in.D, g.s, g.s0, g.rows), r.views[in.D].ld
	a, lda := r.rowsOf(in.A, g.s, g.s0, g.rows), r.cell.plan.Slots[in.A].Width
	switch d = d[from:]; in.Code {
	case cell.MatMul:
		kernel.MatMul(d, ld, a, lda, &w.columns, g.rows)
	case cell.MatMulAcc:
		kernel.MatMulAcc(d, ld, a, lda, &w.columns, g.rows)
	case cell.MatMulFrom:
		kernel.MatMulBias(d, ld, r.rowsOf(in.C, g.s, g.s0, g.rows)[from:to], a, lda, &w.columns, g.rows)
	}
}

// rowsOf is rows rows of a slot for step s of the block that begins at step s0.
func (r *Run) rowsOf(slot, s, s0, rows int) []float32 {
	if v := &r.views[slot]; v.mode != viewAt {
		before := r.rowsBefore(s, s0)
		return v.rows(&before, rows)
	}
	return r.at(slot, s, s0, rows)
}

// worthSharing says whether the gradients of weights from so many rows are worth it.
func (r *Run) worthSharing(grads []cell.GradOf, rows int) bool {
	work := 0
	for _, g := range grads {
		if g.A >= 0 {
			work += 2 * rows * r.cell.plan.Slots[g.A].Width * r.cell.plan.Slots[g.B].Width
		}
	}
	return r.share.Worth(work)
}
