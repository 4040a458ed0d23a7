package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/layers"
)

// beginFront is what comes before the shards: the order of the rows, the numbers of the words, their projection, the prefix.
func (s *session) beginFront() {
	b := s.front
	training := s.grads != nil
	b.plan()
	b.stretch = resize(b.stretch, b.shards*b.t)
	total := b.places[b.shards+1]
	b.index = resize(b.index, total)
	if b.holes {
		b.mask = resize(b.mask, total)
	}
	b.shares = b.shares[:0]
	if b.byWords {
		s.number()
		b.makeRows(training)
	}
	if training {
		b.makeJoined()
	}
	s.run(s.doBefore, b.alone()+b.shards+b.projections())
	if s.c != nil {
		y := s.batch.Y
		b.shape = append(b.shape[:0], s.n, y.Len()/max(1, s.n))
		b.target.Values = take(b.target.Values, y.Values, b.shape, b.order)
		b.target.IDs = take(b.target.IDs, y.IDs, b.shape, b.order)
	}
}

// alone is 1 where there is a prefix, which walks as a task of its own.
func (b *frontBatch) alone() int {
	if b.shared > 0 {
		return 1
	}
	return 0
}

func (b *frontBatch) makeJoined() {
	b.joined = resize(b.joined, len(b.walks))
	for k, w := range b.walks {
		states := w.Cell.Plan().Cell.States
		b.joined[k] = resize(b.joined[k], len(states))
		for i, st := range states {
			b.joined[k][i] = resize(b.joined[k][i], b.n*st.Width)
		}
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
		b.walkPrefix(s.grads != nil)
	case shard < b.shards:
		b.arrange(&w.front, shard)
		if len(b.shares) > 0 {
			b.meet(&w.front, shard)
		}
	default:
		lo := b.alone() + (shard-b.shards)*engine.ChunkRows
		b.project(w, lo, min(lo+engine.ChunkRows, len(b.words.distinct)))
	}
}

// leaves is how many contributions to the gradients come besides the shards': the prefix, and the distinct words.
func (b *frontBatch) leaves() int { return b.alone() + b.chunks() }

// endFront is what comes after the shards: back through the prefix, and by distinct word through the first cell's input. The
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
	if task == 0 && b.shared > 0 {
		b.backPrefix(s.grads.of(s.shards))
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
		s.updateRows(w, b.table, b.words.distinct[lo:hi], b.rows.X[lo*width:hi*width], dx)
	}
}

// arrangeSteps is how many steps are listed together, row by row: few enough that their places stay in the first-level cache.
const arrangeSteps = 64

// arrange lists what stands at every place of a shard: the number of the word, or the id itself, and whether it counts. In
// training by words, those that the shard meets are marked.
func (b *frontBatch) arrange(f *frontWork, shard int) {
	rows := b.shardRows(shard)
	active := b.stretch[shard*b.t : (shard+1)*b.t]
	// Rows that begin late stand first to last; rows that end early leave from the end.
	f.offset = resize(f.offset, b.t+1)
	n, before, at := 0, 0, 0
	if k := len(rows); b.t > 0 && b.begin[rows[k-1]] == 0 {
		n = k
	}
	for t := range active {
		for n < len(rows) && b.begin[rows[n]] <= t && b.end[rows[n]] > t {
			n++
		}
		for n > 0 && b.end[rows[n-1]] <= t {
			n--
		}
		f.offset[t] = int32(at)
		active[t] = n
		at += max(n, before)
		before = n
	}
	index := b.index[b.places[shard]:b.places[shard+1]]
	var mask []bool
	if b.holes {
		mask = b.mask[b.places[shard]:b.places[shard+1]]
	}
	meets := len(b.shares) > 0
	if words := len(b.words.distinct); meets && len(f.marks) < words {
		f.marks = marks(words + words/4)
	}
	met, number := f.marks, b.words.local
	for from := 0; from < b.t; from += arrangeSteps {
		for i, r := range rows {
			begin, end := max(from, b.begin[r]), min(from+arrangeSteps, b.end[r])
			if begin >= end {
				continue
			}
			ids := b.ids[r*b.t+begin : r*b.t+end]
			offset := f.offset[begin:end]
			switch {
			case meets:
				for t, id := range ids {
					k := number[id]
					index[int(offset[t])+i] = k
					met[k] = 1
				}
			case b.byWords:
				for t, id := range ids {
					index[int(offset[t])+i] = number[id]
				}
			default:
				for t, id := range ids {
					index[int(offset[t])+i] = id
				}
			}
			if b.holes {
				for t, id := range ids {
					mask[int(offset[t])+i] = id != 0
				}
			}
		}
	}
	for i, r := range rows {
		if end := b.end[r]; end < b.t { // the place that it leaves behind; padding is word 0
			index[int(f.offset[end])+i] = 0
			if meets {
				met[0] = 1
			}
			if b.holes {
				mask[int(f.offset[end])+i] = false
			}
		}
	}
}

// forward takes a shard through the front and returns the last walk's output, in the order of the shards.
func (b *frontBatch) forward(w *worker, shard, lo, hi int, training bool) layers.Value {
	f := &w.front
	if f.runs == nil {
		f.runs = make([]engine.Run, len(b.walks))
	}
	n := hi - lo
	shape := engine.Shape{T: b.t, N: n, Training: training}
	if last := b.order[hi-1]; b.begin[last] > 0 || b.end[last] < b.t {
		shape.Active = b.stretch[shard*b.t : (shard+1)*b.t]
	}
	in := engine.Input{Compact: true}
	if b.holes {
		in.Mask = b.mask[b.places[shard]:b.places[shard+1]]
	}
	if b.byWords {
		b.rowsAt(&f.rows, shard, training)
		in.Rows = &f.rows
	} else {
		in.X = b.vectors(&f.x, shard)
	}
	for k, walk := range b.walks {
		if k > 0 {
			in.Rows, in.X = nil, f.runs[k-1].Sequence()
		}
		if b.shared > 0 {
			in.Prefix = &b.runs[k]
		}
		shape.Sequences = walk.Sequences
		f.runs[k].Forward(walk.Cell, shape, in)
	}
	f.shape = append(f.shape[:0], n, b.walks[len(b.walks)-1].Width)
	return layers.Value{Shape: f.shape, Data: f.runs[len(f.runs)-1].Last()}
}
