package unroll

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// An optimizer step: parts of weights are updated one by one, by all workers. Every value is updated by itself (or its weight whole,
// see optimizers.Traits), so it does not matter who does which part.

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
	grad    []float32
	slots   [][]float32
	values  []float32
	fetched [][]float32
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
	s.sumTables()
	if s.watch {
		s.norm = s.gradientNorm()
	}
	if s.c.gathers() {
		s.gather()
		return
	}
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
			j.table, n, piece = s.tableGradOf(w), w.Shape[0], max(1, jobSize/w.Shape[1])
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

// frontUpdates: the front updates the rows of a table as soon as it has their gradients, which nobody sees then.
func (s *session) frontUpdates(w *layers.Weight) bool {
	return !s.watch && s.front != nil && s.front.byWords && w == s.front.table && s.touched[w.Index] != nil
}

func (s *session) job(w *worker, k int) {
	j := &s.jobs[k]
	switch {
	case j.sparse:
		width, ids := j.weight.Shape[1], j.table.distinct[j.lo:j.hi]
		w.update.values = resize(w.update.values, len(ids)*width)
		kernel.Gather(w.update.values, j.weight.Data, width, ids, width)
		s.updateRows(w, j.weight, ids, w.update.values, j.table.rows[j.lo*width:j.hi*width])
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

// updateRows updates rows of a table, whose values are copied in values, by their gradients, one after the other. The values are overwritten.
// Slots are fetched too, so that one update serves all rows and none waits for another's way from memory.
func (s *session) updateRows(w *worker, of *layers.Weight, ids []int32, values, grad []float32) {
	width, u := of.Shape[1], &w.update
	slots := s.c.slots[of.Index]
	u.fetched, u.slots = resize(u.fetched, len(slots)), u.slots[:0]
	for k, slot := range slots {
		u.fetched[k] = resize(u.fetched[k], len(ids)*width)
		kernel.Gather(u.fetched[k], slot, width, ids, width)
		u.slots = append(u.slots, u.fetched[k])
	}
	s.touched[of.Index].catchUp(u.slots, ids, width)
	s.c.optimizer.Apply(s.c.iteration, s.rate, values, grad, u.slots)
	kernel.Scatter(of.Data, width, ids, values, width)
	for k, slot := range slots {
		kernel.Scatter(slot, width, ids, u.slots[k], width)
	}
}

// start makes the optimizer's arrays.
func (c *compiled) start(m *Model) {
	c.startGathered(m)
	if c.slots != nil {
		return
	}
	c.slots, c.touched = make([][][]float32, len(m.weights)), make([]*touched, len(m.weights))
	for _, w := range m.weights {
		if w.Statistic {
			continue
		}
		shapes := c.slotShapes(w)
		for _, group := range c.of(w).Slots() {
			for _, slot := range group {
				values := make([]float32, shapes[len(c.slots[w.Index])].Size())
				if slot.Copy {
					copy(values, w.Data)
				}
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
