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
	c, d := b.walks[0].Cell, len(b.words.distinct)
	b.rows.D = d
	b.rows.X = resize(b.rows.X, d*b.table.Shape[1])
	b.rows.Table = resize(b.rows.Table, d*c.TableWidth())
	if training {
		b.shares = resize(b.shares, b.shards+b.alone())
		b.rows.Local = resize(b.rows.Local, len(b.index))
	}
}

// projections are how many parts of the words are projected apart, besides that of the prefix.
func (b *frontBatch) projections() int {
	if !b.byWords {
		return 0
	}
	return (len(b.words.distinct) - b.alone() + engine.ChunkRows - 1) / engine.ChunkRows
}

// project computes what the first cell does with the input alone, for the words from lo to before hi.
func (b *frontBatch) project(w *worker, lo, hi int) {
	width := b.table.Shape[1]
	kernel.Gather(b.rows.X[lo*width:hi*width], b.table.Data, width, b.words.distinct[lo:hi], width)
	w.front.rowsRun.Project(b.walks[0].Cell, &b.rows, lo, hi)
}

// meet takes the words that were marked as a shard's, for its share, and gives the places their numbers in it.
func (b *frontBatch) meet(f *frontWork, shard int) {
	f.met.collect(len(b.words.distinct), -1, f.marks)
	s := &b.shares[shard]
	s.words = append(s.words[:0], f.met.distinct...)
	s.sums = resize(s.sums, len(s.words)*b.walks[0].Cell.SumWidth())
	index, number := b.index[b.places[shard]:b.places[shard+1]], f.met.local
	local := b.rows.Local[b.places[shard]:b.places[shard+1]][:len(index)]
	for p, k := range index {
		local[p] = number[k]
	}
}

// rowsAt makes r the distinct rows as a shard sees them, or the prefix behind the shards. In training it has a share of the sums.
func (b *frontBatch) rowsAt(r *engine.Rows, shard int, training bool) {
	lo, hi := b.places[shard], b.places[shard+1]
	r.X, r.D, r.Table, r.Index = b.rows.X, b.rows.D, b.rows.Table, b.index[lo:hi]
	r.Sums, r.Local = nil, nil
	if training {
		r.Sums, r.Local = b.shares[shard].sums, b.rows.Local[lo:hi]
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

// backRows adds up the sums of the words from lo to before hi, share by share, and takes them back to the table: dx is
// their gradients there.
func (b *frontBatch) backRows(w *worker, lo, hi int, dx []float32, grads *layers.Grads) {
	f := &w.front
	c := b.walks[0].Cell
	n := c.SumWidth()
	f.sums = resize(f.sums, (hi-lo)*n)
	clear(f.sums)
	for i := range b.shares {
		some, sums := b.shares[i].between(lo, hi, n)
		w.among = resize(w.among, len(some))
		for k, word := range some {
			w.among[k] = word - int32(lo)
		}
		kernel.ScatterAdd(f.sums, n, w.among, sums, n)
	}
	f.grads = f.grads[:0]
	for _, wt := range b.walks[0].Weights {
		f.grads = append(f.grads, grads.Of(wt))
	}
	f.rowsRun.BackRows(c, &b.rows, lo, hi, f.sums, dx, f.grads)
}
