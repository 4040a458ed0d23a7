package unroll

import (
	"sync"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// rowsOf is the rows [lo, hi) of a batch's input.
func rowsOf(v layers.Value, lo, hi int, shape *tensor.Shape) layers.Value {
	w := v.Shape[1:].Size()
	*shape = append(append((*shape)[:0], hi-lo), v.Shape[1:]...)
	out := layers.Value{Shape: *shape}
	if v.Data != nil {
		out.Data = v.Data[lo*w : hi*w]
	}
	if v.IDs != nil {
		out.IDs = v.IDs[lo*w : hi*w]
	}
	return out
}

// gradients adds up the gradients of a batch's shards.
//
// Shards are the leaves of a binary tree over their numbers: two neighbours are added as soon as both are there. So the order
// of the sums is fixed, and no more buffers live than workers and levels of the tree.
type gradients struct {
	model  *Model
	size   int // of all dense gradients together
	shards []layers.Grads
	total  []float32    // dense gradients of the batch, by weight one after the other
	shares [][]share    // by shard and weight: of tables, what shards gave, by row
	tables []*tableGrad // by weight

	mu      sync.Mutex
	pending [][][]float32 // by level and place
	free    [][]float32
	arena   [][]float32 // of every shard while it runs
}

func (m *Model) newGradients() *gradients {
	g := &gradients{model: m, tables: make([]*tableGrad, len(m.weights))}
	for _, w := range m.weights {
		if w.Table {
			g.tables[w.Index] = &tableGrad{}
		} else {
			g.size += len(w.Data)
		}
	}
	return g
}

// begin makes room for a batch of n shards.
func (g *gradients) begin(n int) {
	for len(g.shards) < n {
		g.shards = append(g.shards, layers.Grads{
			Dense: make([][]float32, len(g.model.weights)), Rows: make([][]layers.RowGrad, len(g.model.weights)),
		})
		g.arena, g.shares = append(g.arena, nil), append(g.shares, make([]share, len(g.model.weights)))
	}
	if g.total != nil {
		g.free = append(g.free, g.total)
		g.total = nil
	}
	for level, k := 0, n; ; level, k = level+1, (k+1)/2 {
		if len(g.pending) <= level {
			g.pending = append(g.pending, nil)
		}
		g.pending[level] = resize(g.pending[level], k)
		clear(g.pending[level])
		if k <= 1 {
			return
		}
	}
}

// of is where a shard adds its gradients, all zero.
func (g *gradients) of(shard int) *layers.Grads {
	g.mu.Lock()
	var arena []float32
	if k := len(g.free); k > 0 {
		arena, g.free = g.free[k-1], g.free[:k-1]
	}
	g.mu.Unlock()
	if arena == nil {
		arena = make([]float32, g.size)
	}
	clear(arena)
	g.arena[shard] = arena
	s := &g.shards[shard]
	at := 0
	for _, w := range g.model.weights {
		if !w.Table {
			s.Dense[w.Index] = arena[at : at+len(w.Data) : at+len(w.Data)]
			at += len(w.Data)
		}
		s.Rows[w.Index] = s.Rows[w.Index][:0]
	}
	return s
}

// done hands the finished gradients of a shard to the tree; n is the number of shards.
func (g *gradients) done(shard, n int) {
	sum := g.arena[shard]
	for level, i, k := 0, shard, n; ; level, i, k = level+1, i/2, (k+1)/2 {
		if k == 1 {
			g.total = sum
			return
		}
		if i == k-1 && k%2 == 1 {
			continue // no neighbour at this level
		}
		g.mu.Lock()
		other := g.pending[level][i^1]
		if other == nil {
			g.pending[level][i] = sum
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		kernel.Add(sum, sum, other) // of two numbers, either order gives the same bits
		g.mu.Lock()
		g.free = append(g.free, other)
		g.mu.Unlock()
	}
}
