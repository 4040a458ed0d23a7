package unroll

import (
	"sync/atomic"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// frontBatch is a batch on its way through the front.
type frontBatch struct {
	*front
	savings
	ids              []int32
	n, t             int
	perShard, shards int

	// What look finds of every row: where what repeats (or the mask hides) at its beginning ends, where what repeats (or the mask hides)
	// at its end begins, and whether something is masked in between.
	lead, trail []int
	inner       []bool
	bad         atomic.Bool // ids that the table does not have

	order []int  // the rows as the shards take them
	holes bool   // steps between a row's begin and end are masked
	lanes []lane // one of every chain
	ahead *lane  // the one whose rows share a prefix, or nil

	tables  *wordTables // of predictions before; nil: the batch has its own words, or none
	byWords bool        // the batch goes by distinct words
	vectors []float32   // of the distinct words
	seers   [][]byte    // of the workers that looked: the words that they saw
	words   tableGrad   // the distinct words, and their gradients

	labels labels // of the rows, in order
	shape  tensor.Shape
	count  []int
}

func newFrontBatch(f *front) *frontBatch {
	b := &frontBatch{front: f, lanes: make([]lane, len(f.chains))}
	for i, walks := range f.chains {
		b.lanes[i] = newLane(b, i, walks)
	}
	return b
}

// plan decides, when all rows were looked at, who begins where and in which order the shards take the rows.
func (b *frontBatch) plan() {
	b.holes, b.ahead = false, nil
	for i := range b.lanes {
		b.lanes[i].open()
	}
	switch {
	case b.masked:
		b.bounds()
	case b.savings.prefix && b.t > 0:
		b.share()
	}
	b.sort()
	b.shards = (b.n + b.perShard - 1) / b.perShard
	for i := range b.lanes {
		b.lanes[i].place()
	}
}

// share finds the lane whose rows save most by a stretch that they have in common. The rows stand in one order, so that one lane alone has
// such a stretch.
func (b *frontBatch) share() {
	most := 0
	for i := range b.lanes {
		if saved := b.lanes[i].findPrefix(); saved > most {
			b.ahead, most = &b.lanes[i], saved
		}
	}
	for i := range b.lanes {
		if l := &b.lanes[i]; l == b.ahead {
			l.beginBehindPrefix()
		} else {
			l.shared = 0
		}
	}
}

// bounds finds what the mask leaves of every row. Rows either begin late or end early, whichever saves more; what is masked
// besides is a hole.
func (b *frontBatch) bounds() {
	var late, early int
	for r := range b.n {
		late += b.lead[r]
		early += b.t - b.trail[r]
	}
	for r := range b.n {
		from, to := 0, b.t
		if b.active && late >= early {
			from = b.lead[r]
		}
		if b.active && late < early {
			to = b.trail[r]
		}
		b.holes = b.holes || b.inner[r] || from < b.lead[r] || to > b.trail[r]
		for i := range b.lanes {
			b.lanes[i].bound(r, from, to)
		}
	}
}

// sort orders the rows by how many steps they do not take part in, the longest first. In a lane, either all rows that miss steps begin
// late or all end early; and where two lanes have such rows, a row misses as many steps in both.
func (b *frontBatch) sort() {
	b.count = resize(b.count, b.t+2)
	clear(b.count)
	count := b.count
	missed := func(r int) int {
		k := 0
		for i := range b.lanes {
			l := &b.lanes[i]
			k = max(k, l.begin[r]+b.t-l.end[r])
		}
		return k
	}
	for r := range b.n {
		count[missed(r)+1]++
	}
	for k := 1; k < len(count); k++ {
		count[k] += count[k-1]
	}
	b.order = resize(b.order, b.n)
	for r := range b.n {
		k := missed(r)
		b.order[count[k]] = r
		count[k]++
	}
}

// shardRows are the rows of a shard, in order.
func (b *frontBatch) shardRows(shard int) []int {
	return b.order[shard*b.perShard : min((shard+1)*b.perShard, b.n)]
}

// alone is 1 where there is a prefix, which walks as a task of its own.
func (b *frontBatch) alone() int {
	if b.ahead != nil {
		return 1
	}
	return 0
}

// forward takes a shard through the front and returns the last output, in the order of the shards.
func (b *frontBatch) forward(w *worker, shard int, training bool) layers.Value {
	f := &w.front
	n := len(b.shardRows(shard))
	for i := range b.lanes {
		l := &b.lanes[i]
		f.lasts[i] = l.forward(w, shard, training)
		f.shape = append(f.shape[:0], n, l.walks[len(l.walks)-1].Width)
	}
	out := f.lasts[0]
	if len(b.lanes) == 2 {
		f.shape[1] = b.merge.Width()
		f.merged = resize(f.merged, f.shape.Size())
		b.merge.Forward(f.merged, f.lasts[0], f.lasts[1])
		out = f.merged
	}
	return layers.Value{Shape: f.shape, Data: out}
}

// backward takes the gradient of what forward returned back through the front.
func (b *frontBatch) backward(w *worker, shard int, dout []float32, grads *layers.Grads) {
	f := &w.front
	if len(b.lanes) == 1 {
		b.lanes[0].backward(w, shard, dout, grads)
		return
	}
	for i := range f.dlasts {
		f.dlasts[i] = resize(f.dlasts[i], len(f.lasts[i]))
	}
	b.merge.Backward(f.dlasts[0], f.dlasts[1], dout, f.lasts[0], f.lasts[1])
	for i := range b.lanes {
		b.lanes[i].backward(w, shard, f.dlasts[i], grads)
	}
}
