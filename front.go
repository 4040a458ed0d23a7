package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// front is the beginning of many models: an Embedding, and recurrent layers up to the one that returns its last output alone.
// There a batch can do with less, and get what the plain way gets:
//
//   - rows: what the cell computes from the input alone is computed once a distinct word of the batch, and on the way back
//     gradients are summed by word first;
//   - prefix: rows that begin with the same word again and again (padding that is not masked) walk that stretch together,
//     as one row, before the shards, and back after them;
//   - active: steps that a mask hides at the beginning or at the end of a row are not computed.
type front struct {
	table  *layers.Weight
	masked bool // id 0 is padding
	walks  []layers.Walk
	last   int // the node of the last walk
}

// savings says which of them are taken; tests switch them off.
type savings struct{ rows, prefix, active bool }

// newFront is the front of the nodes; nil where they do not begin so.
func newFront(nodes []*node) *front {
	if len(nodes) < 2 {
		return nil
	}
	f := &front{}
	var ok bool
	if f.table, f.masked, ok = layers.TableOf(nodes[0].layer); !ok || len(nodes[0].in.Shape) != 2 {
		return nil
	}
	for i, n := range nodes[1:] {
		w, ok := layers.WalkOf(n.layer)
		if !ok || w.Backwards {
			return nil
		}
		f.walks = append(f.walks, w)
		if !w.Sequences {
			f.last = i + 1
			return f
		}
	}
	return nil
}

// frontBatch is a batch on its way through the front.
type frontBatch struct {
	*front
	savings
	ids   []int32
	n, t  int
	order []int // the rows as the shards take them
	begin []int // of every row: the step that it begins with; of rows that share a prefix, where they leave it
	end   []int // of every row: the step behind its last
	holes bool  // steps between begin and end are masked

	local    []int32 // of every id: its number among the distinct ones, where stamp is that of this batch
	stamp    []uint32
	now      uint32
	distinct []int32
	shared   int   // steps of the prefix
	prefix   int32 // the id that it repeats

	rows   engine.Rows
	shares []share       // in training: of every shard, then of the prefix
	sums   []float32     // all shares together
	joined [][][]float32 // of every walk and state: the gradients of the states with which the rows began
	target metrics.Target
	shape  tensor.Shape
	count  []int

	// Of the prefix: a run, what it reads and its gradients, one a walk.
	runs       []engine.Run
	prefixRows engine.Rows
	mark       []int32
	index      []int32
	x          []float32
	given      [][][]float32
	dx         [][]float32
	grads      [][]float32

	dtable []float32 // gradients of the distinct rows of the table
}

// plan looks at the ids of a batch (N, T): who begins where, in which order the shards take the rows.
func (b *frontBatch) plan(ids []int32, n, t int) {
	b.ids, b.n, b.t = ids, n, t
	b.begin, b.end = resize(b.begin, n), resize(b.end, n)
	b.holes, b.shared = false, 0
	if b.masked {
		b.bounds()
	} else {
		b.share()
	}
	b.sort()
}

// share finds the stretch that rows have in common: as long as the longest run of one id with which a row begins.
func (b *frontBatch) share() {
	for r := range b.n {
		b.begin[r], b.end[r] = 0, b.t
	}
	if !b.savings.prefix || b.t < 2 {
		return
	}
	for r := range b.n {
		row := b.ids[r*b.t : (r+1)*b.t]
		if k := leading(row, row[0], b.t-1); k > b.shared {
			b.shared, b.prefix = k, row[0]
		}
	}
	if b.shared < 2 {
		b.shared = 0
		return
	}
	for r := range b.n {
		b.begin[r] = leading(b.ids[r*b.t:(r+1)*b.t], b.prefix, b.t-1)
	}
}

// leading counts how often id stands at the beginning of row, up to limit.
func leading(row []int32, id int32, limit int) int {
	k := 0
	for k < limit && row[k] == id {
		k++
	}
	return k
}

// bounds finds what the mask leaves of every row. Rows either begin late or end early, whichever saves more; what is masked
// besides is a hole.
func (b *frontBatch) bounds() {
	var late, early int
	for r := range b.n {
		row := b.ids[r*b.t : (r+1)*b.t]
		b.begin[r] = leading(row, 0, max(0, b.t-1))
		b.end[r] = b.t
		for b.end[r] > 1 && row[b.end[r]-1] == 0 {
			b.end[r]--
		}
		late += b.begin[r]
		early += b.t - b.end[r]
	}
	for r := range b.n {
		if !b.active || late < early {
			b.begin[r] = 0
		}
		if !b.active || late >= early {
			b.end[r] = b.t
		}
		for _, id := range b.ids[r*b.t+b.begin[r] : r*b.t+b.end[r]] {
			b.holes = b.holes || id == 0
		}
	}
}

// sort orders the rows by where they begin, and those that begin together by where they end, the longest first.
func (b *frontBatch) sort() {
	b.count = resize(b.count, 2*b.t+3)
	clear(b.count)
	count := b.count
	key := func(r int) int { return b.begin[r] + b.t - b.end[r] }
	for r := range b.n {
		count[key(r)+1]++
	}
	for k := 1; k < len(count); k++ {
		count[k] += count[k-1]
	}
	b.order = resize(b.order, b.n)
	for r := range b.n {
		b.order[count[key(r)]] = r
		count[key(r)]++
	}
}

// stretch is how many of the rows take part in a step: rows are in the order of sort.
func (b *frontBatch) stretch(rows []int, s int) int {
	n := 0
	for _, r := range rows {
		if b.begin[r] <= s && s < b.end[r] {
			n++
		}
	}
	return n
}
