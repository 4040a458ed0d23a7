package unroll

import "github.com/unroll-ml/unroll/internal/engine"

// beginFront is what comes before the shards: the order of the rows, the numbers of the words, their projection, the prefix.
func (s *session) beginFront() {
	b := s.front
	training := s.grads != nil
	b.plan()
	for i := range b.lanes {
		b.lanes[i].makePlaces()
	}
	if b.byWords {
		s.number()
		b.makeRows(training)
	}
	if !training && b.savings.rows && b.tables == nil {
		words := b.n * b.t
		if b.byWords {
			words = len(b.words.distinct)
		}
		b.front.kept.spend(b.front, words)
	}
	if training && b.ahead != nil {
		b.ahead.makeJoined()
	}
	s.run(s.doBefore, b.alone()+b.shards+b.projections())
	if s.c != nil {
		y, to := &s.batch.Y[0], &b.labels
		b.shape = append(b.shape[:0], s.n, y.Len()/max(1, s.n))
		to.target.Values = take(to.target.Values, y.Values, b.shape, b.order)
		to.target.IDs = take(to.target.IDs, y.IDs, b.shape, b.order)
		b.shape[1] = len(y.Weights) / max(1, s.n)
		to.weights = take(to.weights, y.Weights, b.shape, b.order)
	}
}

// before is a task before the shards: the walk of the prefix, which takes longest; the places of a shard; some words.
func (s *session) before(w *worker, task int) {
	b := s.front
	switch shard := task - b.alone(); {
	case shard < 0:
		if b.byWords {
			b.project(w, 0, 1)
		}
		b.ahead.walkPrefix(s.grads != nil)
	case shard < b.shards:
		for i := range b.lanes {
			l := &b.lanes[i]
			l.arrange(&w.front, shard)
			if len(l.shares) > 0 {
				l.meet(&w.front, shard)
			}
		}
	default:
		lo := b.alone() + (shard-b.shards)*engine.ChunkRows
		b.project(w, lo, min(lo+engine.ChunkRows, len(b.words.distinct)))
	}
}

// leaves is how many contributions to the gradients come besides the shards': the prefix, and the distinct words.
func (b *frontBatch) leaves() int { return b.alone() + b.chunks() }

// endFront is what comes after the shards: back through the prefix, and by distinct word through the first cells' input. The
// prefix's word is the first of them and has a chunk of its own, so that the others need not wait.
func (s *session) endFront() {
	b := s.front
	if b.byWords && !s.frontUpdates(b.table) {
		b.words.rows = resize(b.words.rows, len(b.words.distinct)*b.table.Shape[1])
	}
	s.run(s.doBehind, max(b.alone(), b.chunks()))
}

// behind is a task behind the shards.
func (s *session) behind(w *worker, task int) {
	b := s.front
	if task == 0 && b.ahead != nil {
		b.ahead.backPrefix(s.grads.of(s.shards))
		s.grads.sumRows(w, s.shards)
		s.grads.done(s.shards, s.leaves)
	}
	if !b.byWords {
		return
	}
	leaf := s.shards + b.alone() + task
	lo, hi := b.chunk(task)
	width, now := b.table.Shape[1], s.frontUpdates(b.table)
	w.update.grad = resize(w.update.grad, (hi-lo)*width)
	dx := w.update.grad // nobody else asks for it
	if !now {
		dx = b.words.rows[lo*width : hi*width]
	}
	b.backRows(w, lo, hi, dx, s.grads.of(leaf))
	s.grads.done(leaf, s.leaves)
	if now { // the words' vectors have served
		s.updateRows(w, b.table, b.words.distinct[lo:hi], b.vectors[lo*width:hi*width], dx)
	}
}
