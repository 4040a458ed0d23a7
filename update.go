package unroll

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// An optimizer step: parts of weights are updated one by one, by all workers. Every value is updated by itself (or its weight whole,
// see optimizers.Traits), so it does not matter who does which part.

// tableGrad is the gradient of a table: zero but for some rows.
type tableGrad struct {
	words
	rows []float32 // of the distinct rows, one after the other

	seen  []byte
	index []int32
}

// job is what a task updates: values of a weight, or rows of a table whose gradient stands in table.
type job struct {
	weight *layers.Weight
	lo, hi int
	grad   []float32 // of the whole weight
	table  *tableGrad
	sparse bool // lo and hi count distinct rows, not rows of the table
}

const (
	// jobSize is how many values a task updates: with their gradient and two slots they fit the second-level cache.
	jobSize = 1 << 13
	// aloneSize is how many values one worker updates faster than it could hand a part over.
	aloneSize = 1 << 14
)

// updateWork is a worker's workspace for updates.
type updateWork struct {
	grad  []float32
	slots [][]float32
}

// beginUpdate opens an optimizer step.
func (s *session) beginUpdate() {
	c := s.c
	c.start(s.model)
	s.rate = c.rate
	if _, schedule := c.optimizer.Rate(); schedule != nil {
		s.rate = schedule.At(c.iteration)
	}
	c.iteration++
	s.touched = resize(s.touched, len(s.model.weights))
	for _, w := range s.model.weights {
		s.touched[w.Index] = nil
		if w.Table && w.Trainable {
			s.touched[w.Index] = c.touch(w, s.model.savings.touched && !held(w), s.rate)
		}
	}
}

// update takes the step with the gradients of the batch, where the front has not done so already.
func (s *session) update() {
	s.jobs = s.jobs[:0]
	at, size := 0, 0
	elementwise := s.c.optimizer.Traits().Elementwise
	for _, w := range s.model.weights {
		j := job{weight: w}
		n, piece := len(w.Data), jobSize
		switch {
		case !w.Table:
			j.grad = s.grads.total[at : at+n]
			at += n
		case !w.Trainable || s.frontUpdates(w):
			continue
		default:
			j.table, n, piece = s.tableGradient(w), w.Shape[0], max(1, jobSize/w.Shape[1])
			if j.sparse = s.touched[w.Index] != nil; j.sparse {
				n = len(j.table.distinct)
			}
			size += n * (w.Shape[1] - 1)
		}
		if !w.Trainable {
			continue
		}
		if !elementwise || held(w) {
			piece = n
		}
		size += n
		for ; j.lo < n; j.lo = j.hi {
			j.hi = min(j.lo+piece, n)
			s.jobs = append(s.jobs, j)
		}
	}
	if size > aloneSize {
		s.run(s.doJob, len(s.jobs))
		return
	}
	for k := range s.jobs {
		s.job(s.workers[0], k)
	}
}

// frontUpdates: the front updates the rows of a table as soon as it has their gradients.
func (s *session) frontUpdates(w *layers.Weight) bool {
	return s.front != nil && s.front.byWords && w == s.front.table && s.touched[w.Index] != nil
}

// tableGradient is a table's gradient: the front's, or what the shards gave, added up by shards and rows in order.
func (s *session) tableGradient(w *layers.Weight) *tableGrad {
	if b := s.front; b != nil && b.byWords && w == b.table {
		return &b.words
	}
	t := s.grads.tables[w.Index]
	if t.seen == nil {
		t.seen = marks(w.Shape[0])
	}
	for i := range s.leaves {
		for _, part := range s.grads.shards[i].Rows[w.Index] {
			for _, id := range part.IDs {
				t.seen[id] = 1
			}
		}
	}
	t.collect(w.Shape[0], -1, t.seen)
	t.rows = resize(t.rows, len(t.distinct)*w.Shape[1])
	clear(t.rows)
	for i := range s.leaves {
		for _, part := range s.grads.shards[i].Rows[w.Index] {
			t.index = resize(t.index, len(part.IDs))
			for k, id := range part.IDs {
				t.index[k] = t.local[id]
			}
			kernel.ScatterAdd(t.rows, w.Shape[1], t.index, part.Rows, w.Shape[1])
		}
	}
	return t
}

func (s *session) job(w *worker, k int) {
	j := &s.jobs[k]
	switch {
	case j.sparse:
		s.updateRows(w, j.weight, j.table, j.lo, j.hi)
	case j.table != nil:
		width := j.weight.Shape[1]
		grad := resize(w.update.grad, (j.hi-j.lo)*width)
		w.update.grad = grad
		for r := j.lo; r < j.hi; r++ {
			to := grad[(r-j.lo)*width : (r-j.lo+1)*width]
			if at := j.table.number(r); at >= 0 {
				copy(to, j.table.rows[at*width:])
			} else {
				clear(to)
			}
		}
		s.updatePart(w, j.weight, grad, j.lo*width, j.hi*width)
	default:
		s.updatePart(w, j.weight, j.grad[j.lo:j.hi], j.lo, j.hi)
	}
}

// updatePart updates the values of a weight from lo to before hi, which have this gradient.
func (s *session) updatePart(w *worker, of *layers.Weight, grad []float32, lo, hi int) {
	slots := w.update.slots[:0]
	for _, slot := range s.c.slots[of.Index] {
		slots = append(slots, slot[lo:hi])
	}
	w.update.slots = slots
	penalize(of, grad)
	s.c.optimizer.Apply(s.c.iteration, s.rate, of.Data[lo:hi], grad, slots)
	constrain(of)
}

// updateRows updates the rows of a table that are the distinct ones from lo to before hi; neighbours go together.
func (s *session) updateRows(w *worker, of *layers.Weight, g *tableGrad, lo, hi int) {
	width := of.Shape[1]
	for end := lo; lo < hi; lo = end {
		row := int(g.distinct[lo])
		for end = lo + 1; end < hi && int(g.distinct[end]) == row+end-lo; end++ {
		}
		s.touched[of.Index].catchUp(s.c.slots[of.Index], row, end-lo, width)
		s.updatePart(w, of, g.rows[lo*width:end*width], row*width, (row+end-lo)*width)
	}
}

// start makes the optimizer's arrays.
func (c *compiled) start(m *Model) {
	if c.slots != nil {
		return
	}
	c.slots, c.touched = make([][][]float32, len(m.weights)), make([]*touched, len(m.weights))
	for _, w := range m.weights {
		if w.Statistic {
			continue
		}
		for _, group := range c.optimizer.Slots() {
			for _, slot := range group {
				values := make([]float32, len(w.Data))
				if slot.Start != 0 {
					for i := range values {
						values[i] = slot.Start
					}
				}
				c.slots[w.Index] = append(c.slots[w.Index], values)
			}
		}
	}
}
