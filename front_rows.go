package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// The distinct words of a batch, when it goes by them: projected before the shards, taken back behind them. The first, where there is a
// prefix, is the prefix's: it is worked on apart, so that its walk need not wait for the others.

// makeRows makes room for what belongs to the distinct words.
func (b *frontBatch) makeRows(training bool) {
	d, width := len(b.words.distinct), b.table.Shape[1]
	b.vectors = resize(b.vectors, d*width)
	for i := range b.lanes {
		l := &b.lanes[i]
		l.rows.D, l.rows.X = d, b.vectors
		l.rows.Table = resize(l.rows.Table, d*l.walks[0].Cell.TableWidth())
		if training {
			n := b.shards
			if l == b.ahead {
				n++
			}
			l.shares = resize(l.shares, n)
			l.rows.Local = resize(l.rows.Local, len(l.index))
		}
	}
}

// projections are how many parts of the words are projected apart, besides that of the prefix.
func (b *frontBatch) projections() int {
	if !b.byWords {
		return 0
	}
	return (len(b.words.distinct) - b.alone() + engine.ChunkRows - 1) / engine.ChunkRows
}

// project computes what the first cells do with the input alone, for the words from lo to before hi.
func (b *frontBatch) project(w *worker, lo, hi int) {
	width := b.table.Shape[1]
	kernel.Gather(b.vectors[lo*width:hi*width], b.table.Data, width, b.words.distinct[lo:hi], width)
	for i := range b.lanes {
		l := &b.lanes[i]
		w.front.lanes[i].words.Project(l.walks[0].Cell, &l.rows, lo, hi)
	}
}

// meet takes the words that were marked as a shard's, for its share, and gives the places their numbers in it.
func (l *lane) meet(f *frontWork, shard int) {
	f.met.collect(len(l.words.distinct), -1, f.marks)
	s := &l.shares[shard]
	s.words = append(s.words[:0], f.met.distinct...)
	s.sums = resize(s.sums, len(s.words)*l.walks[0].Cell.SumWidth())
	index, number := l.index[l.places[shard]:l.places[shard+1]], f.met.local
	local := l.rows.Local[l.places[shard]:l.places[shard+1]][:len(index)]
	for p, k := range index {
		local[p] = number[k]
	}
}

// gathers reports whether the first cell's walk reads rows of a table, and does not compute what it does with the input.
func (b *frontBatch) gathers() bool { return b.byWords || b.tables != nil }

// rowsAt makes r the distinct rows, or all, as a shard sees them, or the prefix behind the shards. In training it has a share of the sums.
func (l *lane) rowsAt(r *engine.Rows, shard int, training bool) {
	lo, hi := l.places[shard], l.places[shard+1]
	r.X, r.D, r.Table, r.Index = l.rows.X, l.rows.D, l.rows.Table, l.index[lo:hi]
	if l.tables != nil {
		r.X, r.D, r.Table = l.table.Data, l.table.Shape[0], l.tables.byLane[l.at]
	}
	r.Sums, r.Local = nil, nil
	if training {
		r.Sums, r.Local = l.shares[shard].sums, l.rows.Local[lo:hi]
	}
}

// chunkRows is how many words are taken back together.
const chunkRows = 256

// chunks are how many chunks of words there are, that of the prefix included.
func (b *frontBatch) chunks() int {
	if !b.byWords {
		return 0
	}
	return b.alone() + (len(b.words.distinct)-b.alone()+chunkRows-1)/chunkRows
}

// chunk is the words of a chunk.
func (b *frontBatch) chunk(i int) (lo, hi int) {
	if i < b.alone() {
		return 0, 1
	}
	lo = b.alone() + (i-b.alone())*chunkRows
	return lo, min(lo+chunkRows, len(b.words.distinct))
}

// backRows adds up the sums of the words from lo to before hi, share by share, and takes them back to the table: dx is their
// gradients there, those of all lanes together.
func (b *frontBatch) backRows(w *worker, lo, hi int, dx []float32, grads *layers.Grads) {
	f := &w.front
	for i := range b.lanes {
		l, to := &b.lanes[i], dx
		if i > 0 {
			f.more = resize(f.more, len(dx))
			to = f.more
		}
		l.sum(w, lo, hi)
		f.grads = gradsOf(f.grads, grads, l.walks[0].Weights)
		f.lanes[i].words.BackRows(l.walks[0].Cell, &l.rows, lo, hi, f.sums, to, f.grads)
		if i > 0 {
			kernel.Add(dx, dx, to)
		}
	}
}

// sum adds up the shares of the words from lo to before hi.
func (l *lane) sum(w *worker, lo, hi int) {
	f := &w.front
	n := l.walks[0].Cell.SumWidth()
	f.sums = resize(f.sums, (hi-lo)*n)
	clear(f.sums)
	for i := range l.shares {
		some, sums := l.shares[i].between(lo, hi, n)
		w.among = resize(w.among, len(some))
		for k, word := range some {
			w.among[k] = word - int32(lo)
		}
		kernel.ScatterAdd(f.sums, n, w.among, sums, n)
	}
}
