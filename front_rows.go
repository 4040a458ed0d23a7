package unroll

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// number gives the distinct ids of the batch their numbers, in the order in which the shards meet them.
func (b *frontBatch) number() {
	v := b.table.Shape[0]
	if len(b.stamp) < v {
		b.stamp, b.local, b.now = make([]uint32, v), make([]int32, v), 0
	}
	b.now++
	b.distinct = b.distinct[:0]
	see := func(id int32) {
		if b.stamp[id] != b.now {
			b.stamp[id], b.local[id] = b.now, int32(len(b.distinct))
			b.distinct = append(b.distinct, id)
		}
	}
	if b.shared > 0 {
		see(b.prefix)
	}
	if b.masked {
		see(0) // stands in places that are left behind
	}
	for _, r := range b.order {
		for _, id := range b.ids[r*b.t+b.begin[r] : r*b.t+b.end[r]] {
			see(id)
		}
	}
}

// project computes what the first cell does with the input alone, once a distinct word.
func (s *session) project() {
	b := s.front
	b.number()
	c := b.walks[0].Cell
	width, d := b.table.Shape[1], len(b.distinct)
	b.rows.D = d
	b.rows.X = resize(b.rows.X, d*width)
	kernel.Gather(b.rows.X, b.table.Data, width, b.distinct, width)
	b.rows.Table = resize(b.rows.Table, d*c.TableWidth())
	s.run(s.doProject, (d+engine.ChunkRows-1)/engine.ChunkRows)
}

func (s *session) projectChunk(w *worker, chunk int) {
	b := s.front
	lo := chunk * engine.ChunkRows
	w.front.rowsRun.Project(b.walks[0].Cell, &b.rows, lo, min(lo+engine.ChunkRows, len(b.distinct)))
}

// share is what a shard, or the prefix, adds to the gradients of the distinct rows that it meets: their numbers, in increasing order, and
// a row of sums for each.
type share struct {
	words []int32
	sums  []float32
}

// rowsAt makes r the distinct rows as a shard sees them, or the prefix behind the shards: at its places stand those of index. In training
// it gets a share of sums, all zero.
func (b *frontBatch) rowsAt(r *engine.Rows, index []int32, share *share, mark []int32) []int32 {
	r.X, r.D, r.Table, r.Index = b.rows.X, b.rows.D, b.rows.Table, index
	if share == nil {
		return mark
	}
	mark = resize(mark, b.rows.D)
	clear(mark)
	for _, d := range index {
		mark[d] = 1
	}
	share.words = share.words[:0]
	for d, met := range mark {
		if met != 0 {
			mark[d] = int32(len(share.words))
			share.words = append(share.words, int32(d))
		}
	}
	r.Local = resize(r.Local, len(index))
	for i, d := range index {
		r.Local[i] = mark[d]
	}
	share.sums = resize(share.sums, len(share.words)*b.walks[0].Cell.SumWidth())
	clear(share.sums)
	r.Sums = share.sums
	return mark
}

// leaves is how many contributions to the gradients come besides the shards': the prefix, and the distinct rows.
func (b *frontBatch) leaves() int {
	n := 0
	if b.shared > 0 {
		n++
	}
	if b.savings.rows {
		n += b.chunks()
	}
	return n
}

// rowsChunk is how many distinct rows are summed and taken back together.
const rowsChunk = 256

func (b *frontBatch) chunks() int { return (len(b.distinct) + rowsChunk - 1) / rowsChunk }

// endFront is what comes after the shards: back through the prefix, then, by distinct word, through the first cell's input.
func (s *session) endFront() {
	b := s.front
	s.firstChunk = s.shards
	if b.shared > 0 {
		b.backPrefix(s.grads.of(s.shards))
		s.grads.done(s.shards, s.leaves)
		s.firstChunk++
	}
	if !b.savings.rows {
		return
	}
	b.sums = resize(b.sums, len(b.distinct)*b.walks[0].Cell.SumWidth())
	b.dtable = resize(b.dtable, len(b.distinct)*b.table.Shape[1])
	s.run(s.doBackRows, b.chunks())
}

func (s *session) backRowsChunk(w *worker, chunk int) {
	b, leaf := s.front, s.firstChunk+chunk
	lo := chunk * rowsChunk
	b.backRows(w, lo, min(lo+rowsChunk, len(b.distinct)), s.grads.of(leaf))
	s.grads.done(leaf, s.leaves)
}

// backRows adds up the sums of the distinct rows from lo to before hi, share by share, and takes them back to the table.
func (b *frontBatch) backRows(w *worker, lo, hi int, grads *layers.Grads) {
	f := &w.front
	c := b.walks[0].Cell
	n := c.SumWidth()
	sums := b.sums[lo*n : hi*n]
	clear(sums)
	for i := range b.shares {
		s := &b.shares[i]
		from, _ := slices.BinarySearch(s.words, int32(lo))
		to, _ := slices.BinarySearch(s.words, int32(hi))
		kernel.ScatterAdd(b.sums, n, s.words[from:to], s.sums[from*n:to*n], n)
	}
	f.grads = f.grads[:0]
	for _, wt := range b.walks[0].Weights {
		f.grads = append(f.grads, grads.Of(wt))
	}
	width := b.table.Shape[1]
	f.rowsRun.BackRows(c, &b.rows, lo, hi, sums, b.dtable[lo*width:hi*width], f.grads)
}
