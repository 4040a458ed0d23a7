package unroll

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// The gradients of tables. What a shard gives, position by position, it sums by row itself; behind the shards these sums are added up, shard
// by shard, by chunks of rows. The front has its own way, see front_rows.go.

// tableGrad is the gradient of a table: zero but for some rows.
type tableGrad struct {
	words
	rows []float32 // of the distinct rows, one after the other
	seen []byte
}

// tableWork is a worker's workspace for a table.
type tableWork struct {
	words
	seen  []byte
	index []int32
}

// sumRows sums what a shard gave for every row of the tables.
func (g *gradients) sumRows(w *worker, shard int) {
	w.tables = resize(w.tables, len(g.model.weights))
	for _, table := range g.model.weights {
		if !table.Table || !table.Trainable {
			continue
		}
		parts := g.shards[shard].Rows[table.Index]
		own, f, width := &g.shares[shard][table.Index], &w.tables[table.Index], table.Shape[1]
		own.words = own.words[:0]
		if len(parts) == 0 {
			continue
		}
		if f.seen == nil {
			f.seen = marks(table.Shape[0])
		}
		for _, part := range parts {
			for _, id := range part.IDs {
				f.seen[id] = 1
			}
		}
		f.collect(table.Shape[0], -1, f.seen)
		own.words = append(own.words, f.distinct...)
		own.sums = resize(own.sums, len(own.words)*width)
		clear(own.sums)
		for _, part := range parts {
			f.index = resize(f.index, len(part.IDs))
			for k, id := range part.IDs {
				f.index[k] = f.local[id]
			}
			kernel.ScatterAdd(own.sums, width, f.index, part.Rows, width)
		}
	}
}

// tableGradOf is where the gradient of a table stands.
func (s *session) tableGradOf(w *layers.Weight) *tableGrad {
	if b := s.front; b != nil && b.byWords && w == b.table {
		return &b.words
	}
	return s.grads.tables[w.Index]
}

// sumTables adds up what the shards gave.
func (s *session) sumTables() {
	s.jobs = s.jobs[:0]
	for _, w := range s.model.weights {
		t := s.grads.tables[w.Index]
		if !w.Table || !w.Trainable || s.tableGradOf(w) != t {
			continue
		}
		if t.seen == nil {
			t.seen = marks(w.Shape[0])
		}
		for i := range s.leaves {
			for _, id := range s.grads.shares[i][w.Index].words {
				t.seen[id] = 1
			}
		}
		t.collect(w.Shape[0], -1, t.seen)
		t.rows = resize(t.rows, len(t.distinct)*w.Shape[1])
		for lo := 0; lo < len(t.distinct); lo += chunkRows {
			s.jobs = append(s.jobs, job{weight: w, table: t, lo: lo, hi: min(lo+chunkRows, len(t.distinct))})
		}
	}
	s.run(s.doSum, len(s.jobs))
}

// sum adds up a chunk of the rows of a table.
func (s *session) sum(w *worker, k int) {
	j := &s.jobs[k]
	t, width := j.table, j.weight.Shape[1]
	rows := t.rows[j.lo*width : j.hi*width]
	clear(rows)
	for i := range s.leaves {
		some, sums := s.grads.shares[i][j.weight.Index].between(int(t.distinct[j.lo]), int(t.distinct[j.hi-1])+1, width)
		w.among = resize(w.among, len(some))
		for k, id := range some {
			w.among[k] = t.local[id] - int32(j.lo)
		}
		kernel.ScatterAdd(rows, width, w.among, sums, width)
	}
}
