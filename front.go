package unroll

import (
	"math"
	"sync/atomic"

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

	// wordsFrom is how many positions a batch must have to go by distinct words: for less, finding them costs more than it saves.
	wordsFrom int
}

// savings says which of them, and of the update, are taken; tests switch them off.
type savings struct{ rows, prefix, active, touched bool }

// front: whether there is anything for a front to do.
func (s savings) front() bool { return s.rows || s.prefix || s.active }

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
		if !ok || w.Backwards || n.activity != nil || nodes[0].activity != nil {
			return nil
		}
		f.walks = append(f.walks, w)
		if !w.Sequences {
			f.last = i + 1
			f.weigh()
			return f
		}
	}
	return nil
}

// weigh finds out from how many positions on distinct words pay. Of a position, half of the projection is saved (a word occurs twice in
// a single review, more often in a batch), at 64 multiply-adds a nanosecond; finding the words takes 1.5 a position, 1/24 a word of the
// table and about 10 000 in all. These are measured roughly, on one machine: the choice changes no prediction.
func (f *front) weigh() {
	gain := float64(f.table.Shape[1]*f.walks[0].Cell.TableWidth())/128 - 1.5
	f.wordsFrom = math.MaxInt
	if gain > 0 {
		f.wordsFrom = int((10_000 + float64(f.table.Shape[0])/24) / gain)
	}
}

// frontBatch is a batch on its way through the front.
type frontBatch struct {
	*front
	savings
	ids              []int32
	n, t             int
	perShard, shards int

	// What look finds of every row: where what repeats (or the mask hides) at its beginning ends, where what the mask hides at its end
	// begins, and whether something is masked in between.
	lead, trail []int
	inner       []bool
	bad         atomic.Bool // ids that the table does not have

	order []int // the rows as the shards take them
	begin []int // of every row: the step that it begins with; of rows that share a prefix, where they leave it
	end   []int // of every row: the step behind its last
	holes bool  // steps between begin and end are masked

	byWords bool  // the batch goes by distinct words
	shared  int   // steps of the prefix
	prefix  int32 // the id that it repeats

	// Places are the positions that are computed: of the shards one after the other, then of the prefix.
	places  []int   // of every shard, of the prefix, and of nobody: where they begin among all
	stretch []int   // (shards, T): how many rows take part in a step
	index   []int32 // of every place: the number of its word, or the id itself
	mask    []bool  // of every place: whether it counts

	seers  [][]byte // of the workers that looked: the words that they saw
	rows   engine.Rows
	shares []share // in training: of every shard, then of the prefix

	joined [][][]float32 // of every walk and state: the gradients of the states with which the rows began
	target metrics.Target
	shape  tensor.Shape
	count  []int

	// Of the prefix: a run, what it reads and its gradients, one a walk.
	runs       []engine.Run
	prefixRows engine.Rows
	x          []float32
	given      [][][]float32
	dx         [][]float32
	grads      [][]float32

	words tableGrad // the distinct words, and their gradients
}

// plan decides, when all rows were looked at, who begins where and in which order the shards take the rows.
func (b *frontBatch) plan() {
	b.begin, b.end = resize(b.begin, b.n), resize(b.end, b.n)
	b.holes, b.shared = false, 0
	if b.masked {
		b.bounds()
	} else {
		b.share()
	}
	b.sort()
	b.places = b.places[:0]
	total := 0
	for lo := 0; lo < b.n; lo += b.perShard {
		b.places = append(b.places, total)
		total += b.placesOf(b.order[lo:min(lo+b.perShard, b.n)])
	}
	b.shards = len(b.places)
	b.places = append(b.places, total, total+b.shared)
}

// share finds the stretch that rows have in common: as long as the longest run of one id with which a row begins.
func (b *frontBatch) share() {
	for r := range b.n {
		b.begin[r], b.end[r] = 0, b.t
	}
	if !b.savings.prefix {
		return
	}
	for r, k := range b.lead[:b.n] {
		if k > b.shared {
			b.shared, b.prefix = k, b.ids[r*b.t]
		}
	}
	saved := -b.shared
	for r, k := range b.lead[:b.n] {
		if k > 0 && b.ids[r*b.t] == b.prefix {
			b.begin[r] = k
			saved += k
		}
	}
	if b.shared < 2 || saved <= 0 { // one row shares with nobody
		b.shared = 0
		clear(b.begin)
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
		b.begin[r], b.end[r] = 0, b.t
		if b.active && late >= early {
			b.begin[r] = b.lead[r]
		}
		if b.active && late < early {
			b.end[r] = b.trail[r]
		}
		b.holes = b.holes || b.inner[r] || b.begin[r] < b.lead[r] || b.end[r] > b.trail[r]
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

// placesOf is how many places the rows of a shard take: rows that end leave one more behind.
func (b *frontBatch) placesOf(rows []int) int {
	n := 0
	for _, r := range rows {
		n += b.end[r] - b.begin[r]
		if b.end[r] < b.t {
			n++
		}
	}
	return n
}

// shardRows are the rows of a shard, in order.
func (b *frontBatch) shardRows(shard int) []int {
	return b.order[shard*b.perShard : min((shard+1)*b.perShard, b.n)]
}
