package unroll

import "github.com/unroll-ml/unroll/internal/random"

// shuffling is how the rows of a pass are ordered.
type shuffling int

const (
	shuffleRows  shuffling = iota // all rows
	shuffleBatch                  // those of a batch
	shuffleNone
)

// walk is a pass over the rows of the data, batch by batch. It may last for several epochs. Its order follows from the seed and the epoch in
// which it began, so that it can be walked again from any place.
type walk struct {
	rows, batch int
	shuffle     shuffling
	order       []int
	epoch, done int // the epoch in which the pass began, and the batches of it that were taken
}

// batches is how many a pass has.
func (w *walk) batches() int { return ceil(w.rows, w.batch) }

// begin starts a pass.
func (w *walk) begin(seed uint64, epoch int) {
	if w.order == nil {
		w.order = make([]int, w.rows)
	}
	for i := range w.order {
		w.order[i] = i
	}
	w.epoch, w.done = epoch, 0
	switch w.shuffle {
	case shuffleRows:
		shuffle(w.order, random.New(seed, random.Shuffle, uint64(epoch)))
	case shuffleBatch:
		for b := range w.batches() {
			shuffle(w.order[b*w.batch:min((b+1)*w.batch, w.rows)], random.New(seed, random.Shuffle, uint64(epoch), uint64(b)))
		}
	}
}

func shuffle(order []int, s *random.Stream) {
	s.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
}

// next are the rows of the next batch; nil behind the last.
func (w *walk) next() []int {
	lo := w.done * w.batch
	if lo >= w.rows {
		return nil
	}
	w.done++
	return w.order[lo:min(lo+w.batch, w.rows)]
}
