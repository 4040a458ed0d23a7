package unroll

import (
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
func (s *session) project(training bool) {
	b := s.front
	b.number()
	c := b.walks[0].Cell
	width, d := b.table.Shape[1], len(b.distinct)
	b.rows.D = d
	b.rows.X = resize(b.rows.X, d*width)
	kernel.Gather(b.rows.X, b.table.Data, b.distinct, width)
	tables, handover := c.RowWidths()
	b.rows.Tables = resizeAll(b.rows.Tables, tables, d)
	if training {
		b.rows.Handover = resizeAll(b.rows.Handover, handover, b.places[len(b.places)-1])
		b.rows.Index = resize(b.rows.Index, b.places[len(b.places)-1])
	}
	s.crew.shard = s.doProject
	s.run((d + engine.ChunkRows - 1) / engine.ChunkRows)
	s.crew.shard = s.doShards
}

func (s *session) projectChunk(w *worker, chunk int) {
	b := s.front
	lo := chunk * engine.ChunkRows
	w.front.rowsRun.Project(b.walks[0].Cell, &b.rows, lo, min(lo+engine.ChunkRows, len(b.distinct)))
}

func resizeAll(b [][]float32, widths []int, n int) [][]float32 {
	b = resize(b, len(widths))
	for i, w := range widths {
		b[i] = resize(b[i], n*w)
	}
	return b
}

// rowsAt makes r the distinct rows as a shard sees them, or the prefix behind the shards: with its index and its part of the handover.
func (b *frontBatch) rowsAt(r *engine.Rows, shard int, index []int32) {
	r.X, r.D, r.Tables, r.Index = b.rows.X, b.rows.D, b.rows.Tables, index
	r.Handover = r.Handover[:0]
	if len(b.rows.Handover) == 0 {
		return
	}
	lo, hi := b.places[shard], b.places[shard+1]
	copy(b.rows.Index[lo:hi], index)
	_, widths := b.walks[0].Cell.RowWidths()
	for i, h := range b.rows.Handover {
		r.Handover = append(r.Handover, h[lo*widths[i]:hi*widths[i]])
	}
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
	b.list()
	b.dtable = resize(b.dtable, len(b.distinct)*b.table.Shape[1])
	s.crew.shard = s.doBackRows
	s.run(b.chunks())
	s.crew.shard = s.doShards
}

func (s *session) backRowsChunk(w *worker, chunk int) {
	b, leaf := s.front, s.firstChunk+chunk
	lo := chunk * rowsChunk
	b.backRows(w, lo, min(lo+rowsChunk, len(b.distinct)), s.grads.of(leaf))
	s.grads.done(leaf, s.leaves)
}

// list finds the places of every distinct row, in their order.
func (b *frontBatch) list() {
	d := len(b.distinct)
	b.from = resize(b.from, d+2)
	clear(b.from)
	for _, id := range b.rows.Index {
		b.from[id+2]++
	}
	for i := 2; i < len(b.from); i++ {
		b.from[i] += b.from[i-1]
	}
	b.where = resize(b.where, len(b.rows.Index))
	for p, id := range b.rows.Index {
		b.where[b.from[id+1]] = int32(p)
		b.from[id+1]++
	}
}

// gatherPlaces is how many places are fetched together before they are summed: they lie far apart, and fetching many at once
// hides how long each takes.
const gatherPlaces = 256

// sumPlaces writes to sums what stands in from at the places of each distinct row from lo to before hi, added up in their order.
func (b *frontBatch) sumPlaces(f *frontWork, sums, from []float32, width, lo, hi int) {
	clear(sums)
	f.fetched = resize(f.fetched, gatherPlaces*width)
	d, end := lo, b.from[hi]
	for at := b.from[lo]; at < end; {
		n := min(gatherPlaces, end-at)
		kernel.Gather(f.fetched[:n*width], from, b.where[at:at+n], width)
		for k := 0; k < n; {
			for b.from[d+1] <= at+k {
				d++
			}
			m := min(n-k, b.from[d+1]-at-k)
			kernel.SumRows(sums[(d-lo)*width:(d-lo+1)*width], f.fetched[k*width:], width, m, width)
			k += m
		}
		at += n
	}
}

// backRows sums the gradients of the distinct rows from lo to before hi over their places, and takes them back to the table.
func (b *frontBatch) backRows(w *worker, lo, hi int, grads *layers.Grads) {
	f := &w.front
	c := b.walks[0].Cell
	_, widths := c.RowWidths()
	f.sums = resizeAll(f.sums, widths, hi-lo)
	for i, width := range widths {
		b.sumPlaces(f, f.sums[i], b.rows.Handover[i], width, lo, hi)
	}
	f.grads = f.grads[:0]
	for _, wt := range b.walks[0].Weights {
		f.grads = append(f.grads, grads.Of(wt))
	}
	width := b.table.Shape[1]
	f.rowsRun.BackRows(c, &b.rows, lo, hi, f.sums, b.dtable[lo*width:hi*width], f.grads)
}
