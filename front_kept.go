package unroll

import (
	"sync"

	"github.com/unroll-ml/unroll/internal/engine"
)

// keptWords is what the first cells do with every word of the table, kept from one prediction to the next: while the weights stand still, it needs to be
// computed once. It is made when predictions have projected as many words as there are, so that it never costs more than it has been worth.
type keptWords struct {
	mu      sync.Mutex
	version uint64      // of the weights that all this is about
	spent   int         // words that predictions have projected since
	making  bool        // somebody is at it
	made    bool        // tables are of this version
	tables  [][]float32 // by lane, (words, Cell.TableWidth)
}

// mostKept is how many values of all lanes are kept at most: 32 MB.
const mostKept = 1 << 23

// version counts the changes of what the tables are made of.
func (f *front) version() uint64 {
	v := f.table.Version
	for _, walks := range f.chains {
		for _, w := range walks[0].Weights {
			v += w.Version
		}
	}
	return v
}

// renew begins anew where the weights have changed. The lock is held.
func (k *keptWords) renew(f *front) {
	if v := f.version(); v != k.version {
		k.version, k.spent, k.made = v, 0, false
	}
}

// spend counts words that a prediction projects.
func (k *keptWords) spend(f *front, words int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renew(f)
	k.spent += words
}

// due returns the tables, or says whether it is time to make them, and counts on it that the caller does.
func (k *keptWords) due(f *front) (tables [][]float32, make bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renew(f)
	if k.made {
		return k.tables, false
	}
	width := 0
	for _, walks := range f.chains {
		width += walks[0].Cell.TableWidth()
	}
	words := f.table.Shape[0]
	if k.making || k.spent < words || words*width > mostKept {
		return nil, false
	}
	k.making = true
	return nil, true
}

// wordTables are the kept tables, made now if it is time; nil: the batch projects its words itself. The layers have the weights that it is about: those
// predictions were made with them.
func (s *session) wordTables() [][]float32 {
	f := s.front.front
	tables, due := f.kept.due(f)
	if !due {
		return tables
	}
	words := f.table.Shape[0]
	for i, walks := range f.chains {
		l := &s.front.lanes[i]
		l.whole = engine.Rows{X: f.table.Data, D: words, Table: make([]float32, words*walks[0].Cell.TableWidth())}
		tables = append(tables, l.whole.Table)
	}
	s.run(s.doKeep, (words+engine.ChunkRows-1)/engine.ChunkRows)
	f.kept.mu.Lock()
	defer f.kept.mu.Unlock()
	f.kept.making, f.kept.made, f.kept.tables = false, true, tables
	return tables
}

// keepWords projects some words for the tables.
func (s *session) keepWords(w *worker, task int) {
	lo := task * engine.ChunkRows
	for i := range s.front.lanes {
		l := &s.front.lanes[i]
		w.front.lanes[i].words.Project(l.walks[0].Cell, &l.whole, lo, min(lo+engine.ChunkRows, l.whole.D))
	}
}
