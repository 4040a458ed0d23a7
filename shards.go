package unroll

import (
	"sync"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// prepare hands changed weights to the layers.
func (m *Model) prepare(training bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.prepared == m.version && (m.training || !training) {
		return
	}
	for _, n := range m.nodes {
		n.layer.Prepare(training)
	}
	m.prepared, m.training = m.version, training
}

// shardRows is how many rows make a shard: it follows from the layers' widths alone.
func (m *Model) shardRows() int {
	rows := 0
	for _, n := range m.nodes {
		rows = max(rows, n.layer.ShardRows())
	}
	if rows == 0 {
		return 32
	}
	return rows
}

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

// sums is what a shard adds to the loss and the metrics of its batch.
type sums struct {
	loss   float64
	meters [][]float64
}

func newSums(c *compiled) sums {
	s := sums{}
	for _, meter := range c.meters {
		s.meters = append(s.meters, make([]float64, meter.Sums()))
	}
	return s
}

func (s *sums) reset() {
	s.loss = 0
	for _, m := range s.meters {
		clear(m)
	}
}

func (s *sums) merge(o *sums) {
	s.loss += o.loss
	for i, m := range s.meters {
		metrics.Merge(m, o.meters[i])
	}
}

// judge computes the loss and the metrics of a shard's prediction, and for training the gradient.
type judge struct {
	item, scale, weight, hidden, dout []float32
}

// count adds a shard to s. Its items' losses are weighted by their masks over divisor, the number of valid items of the whole
// batch. It returns the gradient of the prediction, or of the logits, when training is set.
func (j *judge) count(c *compiled, w *worker, pred *layers.Value, target metrics.Target, divisor float64, s *sums, training bool) []float32 {
	perRow, width := losses.Items(pred.Shape)
	n := pred.Shape[0] * perRow
	j.scale = resize(j.scale, n)
	var weights []float32
	if pred.Mask != nil {
		j.weight = resize(j.weight, n)
		weights = j.weight
		for i, valid := range pred.Mask {
			weights[i] = 0
			if valid {
				weights[i] = 1
			}
		}
	}
	counts := j.hide(c, target, weights, n)
	for i := range j.scale {
		j.scale[i] = float32(1 / divisor)
		if counts != nil {
			j.scale[i] *= counts[i]
		}
	}
	value := pred.Data
	if c.onLogits {
		value = w.logits(pred)
	}
	j.item = resize(j.item, n)
	c.trained.Value(j.item, value, target, n, width)
	for i, l := range j.item {
		switch {
		case counts == nil:
			s.loss += float64(l) / divisor
		case counts[i] != 0:
			s.loss += float64(l) * float64(counts[i]) / divisor
		}
	}
	for i, meter := range c.meters {
		seen := weights
		if _, all := meter.(metrics.Unmasked); all {
			seen = nil
		}
		meter.Update(s.meters[i], pred.Data, target, seen, n, width)
	}
	if !training {
		return nil
	}
	j.dout = resize(j.dout, len(value))
	c.trained.Grad(j.dout, value, target, j.scale, n, width)
	return j.dout
}

// divisor of a batch: how many of its items count.
func (m *Model) divisor(c *compiled, b *Batch, items int) float64 {
	last := m.nodes[len(m.nodes)-1]
	if c.hider() != nil {
		items = c.counted(b, items, last.out.Masked && len(b.X.IDs) == items)
	} else if last.out.Masked {
		if first, ok := m.nodes[0].layer.(interface{ CountValid(layers.Value) int }); ok {
			items = first.CountValid(b.X)
		}
	}
	return c.trained.Reduce().Divisor(items, float64(items))
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
