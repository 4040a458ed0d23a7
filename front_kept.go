package unroll

import (
	"sync"

	"github.com/unroll-ml/unroll/internal/engine"
)

// keptWords decides when predictions keep what the first cells do with every word of the table: while the weights stand still, that needs to be computed once.
// It is made when predictions have projected as many words as there are, so that it never costs more than it would have been worth so far.
type keptWords struct {
	mu      sync.Mutex
	version uint64      // of the weights that all this is about
	spent   int         // words that predictions have projected since
	making  bool        // somebody is at it
	made    *wordTables // nil before
}

// wordTables is what is kept of one state of the weights.
type wordTables struct {
	byLane [][]float32 // (words, Cell.TableWidth)

	mu       sync.Mutex
	prefixes []keptPrefix // by lane
}

// keptPrefix is a row that repeats a word, on its way through the walks of a lane. Nobody changes it: rows of any batch leave it where they like.
type keptPrefix struct {
	word  int32
	steps int
	runs  []engine.Run
}

// mostKept is how many values of all lanes are kept at most: 32 MB.
const mostKept = 1 << 23

// version counts the changes of what the tables are made of.
func (f *front) version() uint64 {
	v := f.table.Version
	for _, walks := range f.chains {
		for _, walk := range walks {
			for _, w := range walk.Weights {
				v += w.Version
			}
		}
	}
	return v
}

// renew begins anew where the weights have changed. The lock is held.
func (k *keptWords) renew(f *front) {
	if v := f.version(); v != k.version {
		k.version, k.spent, k.made = v, 0, nil
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
func (k *keptWords) due(f *front) (made *wordTables, make bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renew(f)
	if k.made != nil {
		return k.made, false
	}
	words := f.table.Shape[0]
	if k.making || k.spent < words || words*f.tableWidth() > mostKept {
		return nil, false
	}
	k.making = true
	return nil, true
}

// keptTables are the kept tables, made now if it is time; nil: the batch projects its words itself. The layers have the weights that it is about: those
// predictions were made with them.
func (s *session) keptTables() *wordTables {
	f := s.front.front
	made, due := f.kept.due(f)
	if !due {
		return made
	}
	words := f.table.Shape[0]
	made = &wordTables{prefixes: make([]keptPrefix, len(f.chains))}
	for i, walks := range f.chains {
		l := &s.front.lanes[i]
		l.whole = engine.Rows{X: f.table.Data, D: words, Table: make([]float32, words*walks[0].Cell.TableWidth())}
		made.byLane = append(made.byLane, l.whole.Table)
	}
	s.run(s.doKeep, (words+engine.ChunkRows-1)/engine.ChunkRows)
	f.kept.mu.Lock()
	defer f.kept.mu.Unlock()
	f.kept.making, f.kept.made = false, made
	return made
}

// keepWords projects some words for the tables.
func (s *session) keepWords(w *worker, task int) {
	lo := task * engine.ChunkRows
	for i := range s.front.lanes {
		l := &s.front.lanes[i]
		w.front.lanes[i].words.Project(l.walks[0].Cell, &l.whole, lo, min(lo+engine.ChunkRows, l.whole.D))
	}
}

// prefix is the walk of a lane's prefix, of as many steps at least; walked now if there is none yet, and twice as far, for the next.
func (k *wordTables) prefix(l *lane) []engine.Run {
	k.mu.Lock()
	p := k.prefixes[l.at]
	k.mu.Unlock()
	if p.runs != nil && p.word == l.prefix && p.steps >= l.shared {
		return p.runs
	}
	p = keptPrefix{l.prefix, min(2*l.shared, l.t), make([]engine.Run, len(l.walks))}
	index := make([]int32, p.steps)
	for i := range index {
		index[i] = p.word
	}
	walkAlone(l.walks, p.runs, p.steps, engine.Input{Compact: true, Rows: &engine.Rows{Table: k.byLane[l.at], Index: index}})
	k.mu.Lock()
	k.prefixes[l.at] = p
	k.mu.Unlock()
	return p.runs
}
