package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/layers"
)

// lane is a batch on its way through one chain of walks. Its steps are counted as it takes them: of one that goes backwards, step 0 is
// the last of a row.
type lane struct {
	*frontBatch
	at        int // among the lanes
	walks     []layers.Walk
	backwards bool

	begin  []int // of every row: the step that it begins with; of rows that share a prefix, where they leave it
	end    []int // of every row: the step behind its last
	shared int   // steps of the prefix
	prefix int32 // the id that it repeats

	// Places are the positions that are computed: of the shards one after the other, then of the prefix.
	places  []int   // of every shard, of the prefix, and of nobody: where they begin among all
	stretch []int   // (shards, T): how many rows take part in a step
	index   []int32 // of every place: the number of its word, or the id itself
	mask    []bool  // of every place: whether it counts

	rows   engine.Rows
	whole  engine.Rows // of all words, while their table is made
	shares []share     // in training by words: of every shard, then of the prefix

	joined [][][]float32 // of every walk and state: the gradients of the states with which the rows began

	// Of the prefix: a run, what it reads and its gradients, one a walk. walked are the runs that went, these or kept ones.
	runs       []engine.Run
	walked     []engine.Run
	prefixRows engine.Rows
	x          []float32
	given      [][][]float32
	dx         [][]float32
	grads      [][]float32
}

func newLane(b *frontBatch, at int, walks []layers.Walk) lane {
	return lane{frontBatch: b, at: at, walks: walks, backwards: walks[0].Backwards, runs: make([]engine.Run, len(walks))}
}

// open lets every row take part in every step.
func (l *lane) open() {
	l.begin, l.end, l.shared = resize(l.begin, l.n), resize(l.end, l.n), 0
	for r := range l.n {
		l.begin[r], l.end[r] = 0, l.t
	}
}

// bound leaves of a row the positions from from to before to.
func (l *lane) bound(r, from, to int) { l.begin[r], l.end[r] = l.turned(from, to) }

// turned are the steps of some positions of a row, or the positions of some steps.
func (l *lane) turned(from, to int) (int, int) {
	if l.backwards {
		return l.t - to, l.t - from
	}
	return from, to
}

// repeats is the id that a row begins with, and how often it stands there.
func (l *lane) repeats(r int) (id int32, times int) {
	if l.backwards {
		return l.ids[(r+1)*l.t-1], l.t - l.trail[r]
	}
	return l.ids[r*l.t], l.lead[r]
}

// findPrefix finds what rows may have in common: the longest run of one id with which a row begins. It returns how many steps that saves,
// all rows together.
func (l *lane) findPrefix() int {
	for r := range l.n {
		if id, k := l.repeats(r); k > l.shared {
			l.shared, l.prefix = k, id
		}
	}
	if l.shared < 2 {
		return 0
	}
	saved := -l.shared // one row shares with nobody
	for r := range l.n {
		if id, k := l.repeats(r); id == l.prefix {
			saved += k
		}
	}
	return saved
}

// beginBehindPrefix has the rows begin where they leave the prefix.
func (l *lane) beginBehindPrefix() {
	for r := range l.n {
		if id, k := l.repeats(r); id == l.prefix {
			l.begin[r] = k
		}
	}
}

// place gives the shards and the prefix their places.
func (l *lane) place() {
	l.places = l.places[:0]
	total := 0
	for shard := range l.shards {
		l.places = append(l.places, total)
		total += l.placesOf(l.shardRows(shard))
	}
	l.places = append(l.places, total, total+l.shared)
}

// placesOf is how many places the rows of a shard take: rows that end leave one more behind.
func (l *lane) placesOf(rows []int) int {
	n := 0
	for _, r := range rows {
		n += l.end[r] - l.begin[r]
		if l.end[r] < l.t {
			n++
		}
	}
	return n
}

// makePlaces makes room for what stands at the places.
func (l *lane) makePlaces() {
	l.stretch = resize(l.stretch, l.shards*l.t)
	total := l.places[len(l.places)-1]
	l.index = resize(l.index, total)
	if l.holes {
		l.mask = resize(l.mask, total)
	}
	l.shares = l.shares[:0]
}

// arrangeSteps is how many steps are listed together, row by row: few enough that their places stay in the first-level cache.
const arrangeSteps = 64

// arrange lists what stands at every place of a shard: the number of the word, or the id itself, and whether it counts. In
// training by words, those that the shard meets are marked.
func (l *lane) arrange(f *frontWork, shard int) {
	rows := l.shardRows(shard)
	offset := l.offsets(f, shard)
	index := l.index[l.places[shard]:l.places[shard+1]]
	var mask []bool
	if l.holes {
		mask = l.mask[l.places[shard]:l.places[shard+1]]
	}
	meets := len(l.shares) > 0
	if words := len(l.words.distinct); meets && len(f.marks) < words {
		f.marks = marks(words + words/4)
	}
	met, number := f.marks, l.words.local
	for block := 0; block < l.t; block += arrangeSteps {
		for i, r := range rows {
			from, to := l.turned(l.begin[r], l.end[r])
			from, to = max(from, block), min(to, block+arrangeSteps)
			if from >= to {
				continue
			}
			ids, offset := l.ids[r*l.t+from:r*l.t+to], offset[from:to]
			switch {
			case meets:
				for t, id := range ids {
					k := number[id]
					index[int(offset[t])+i] = k
					met[k] = 1
				}
			case l.byWords:
				for t, id := range ids {
					index[int(offset[t])+i] = number[id]
				}
			default:
				for t, id := range ids {
					index[int(offset[t])+i] = id
				}
			}
			if l.holes {
				for t, id := range ids {
					mask[int(offset[t])+i] = id != 0
				}
			}
		}
	}
	for i, r := range rows {
		if end := l.end[r]; end < l.t { // the place that it leaves behind; padding is word 0
			left, _ := l.turned(end, end+1)
			at := int(offset[left]) + i
			index[at] = 0
			if meets {
				met[0] = 1
			}
			if l.holes {
				mask[at] = false
			}
		}
	}
}

// offsets counts how many rows of a shard take part in a step, and returns where the places of a step begin among the shard's: by the
// position in the rows that the step reads.
func (l *lane) offsets(f *frontWork, shard int) []int32 {
	rows := l.shardRows(shard)
	active := l.stretch[shard*l.t : (shard+1)*l.t]
	f.offset = resize(f.offset, l.t)
	n, before, at := 0, 0, 0
	// Rows that begin late stand first to last; rows that end early leave from the end.
	if k := len(rows); l.t > 0 && l.begin[rows[k-1]] == 0 {
		n = k
	}
	for s := range active {
		for n < len(rows) && l.begin[rows[n]] <= s && l.end[rows[n]] > s {
			n++
		}
		for n > 0 && l.end[rows[n-1]] <= s {
			n--
		}
		position, _ := l.turned(s, s+1)
		f.offset[position] = int32(at)
		active[s] = n
		at += max(n, before)
		before = n
	}
	return f.offset
}
