package unroll

// lookRows is how many rows are looked at together.
const lookRows = 16

// look reads every id of the loaded batch once: are they in the table, where do the rows begin, which words are there. It
// returns false where the table does not have an id.
func (s *session) look() bool {
	b := s.front
	x := &s.in[s.model.texts] // what a TextVectorization makes of the input follows it
	b.ids, b.n, b.t, b.perShard = x.IDs, s.n, x.Shape[1], s.perShard
	b.tables = nil
	if s.grads == nil && b.savings.rows {
		b.tables = s.keptTables()
	}
	b.byWords = b.tables == nil && b.savings.rows && b.n*b.t >= b.wordsFrom
	b.lead, b.trail, b.inner = resize(b.lead, b.n), resize(b.trail, b.n), resize(b.inner, b.n)
	b.bad.Store(false)
	s.forget()
	s.run(s.doLook, (b.n+lookRows-1)/lookRows)
	return !b.bad.Load()
}

// forget clears what was seen of a batch that went no further.
func (c *crew) forget() {
	for _, w := range c.workers {
		if w.front.saw {
			clear(w.front.seen)
			w.front.saw = false
		}
	}
}

func (s *session) lookAt(w *worker, task int) {
	b := s.front
	known := b.table.Shape[0]
	if b.byWords && len(w.front.seen) == 0 {
		w.front.seen = marks(known)
	}
	w.front.saw = b.byWords
	for r := task * lookRows; r < min((task+1)*lookRows, b.n); r++ {
		if !b.lookAtRow(w.front.seen, known, r) {
			b.bad.Store(true)
		}
	}
}

// lookAtRow marks the words of a row in seen, where the batch goes by words, and false is returned for an id that is not known. The
// word that a row begins with, or the padding, is marked by the way.
func (b *frontBatch) lookAtRow(seen []byte, known, r int) bool {
	row := b.ids[r*b.t : (r+1)*b.t]
	b.lead[r], b.trail[r], b.inner[r] = 0, b.t, false
	if b.t == 0 {
		return true
	}
	first := row[0]
	if uint32(first) >= uint32(known) {
		return false
	}
	last := row[b.t-1]
	from, to := leading(row, first, b.t-1), trailing(row, last, 1)
	if b.masked && first != 0 {
		from = 0
	}
	if b.masked && last != 0 {
		to = b.t
	}
	b.lead[r], b.trail[r] = from, to
	if !b.masked && b.byWords {
		seen[first] = 1
	}
	if b.byWords {
		seen = seen[:known]
		for _, id := range row[from:] {
			if uint(uint32(id)) >= uint(len(seen)) {
				return false
			}
			seen[id] = 1
		}
	} else {
		for _, id := range row[from:] {
			if uint32(id) >= uint32(known) {
				return false
			}
		}
	}
	if b.masked {
		for _, id := range row[from:max(from, to)] {
			b.inner[r] = b.inner[r] || id == 0
		}
	}
	return true
}

// leading counts how often id stands at the beginning of row, up to limit.
func leading(row []int32, id int32, limit int) int {
	k := 0
	for k < limit && row[k] == id {
		k++
	}
	return k
}

// trailing is where the ids at the end of row begin that are all id, from on.
func trailing(row []int32, id int32, from int) int {
	k := len(row)
	for k > from && row[k-1] == id {
		k--
	}
	return k
}

// number gives the distinct words of the batch their numbers, in the order of their ids; the first is the prefix's, or the padding. So
// the numbers do not depend on who looked at what.
func (s *session) number() {
	b := s.front
	first := int32(-1)
	switch {
	case b.ahead != nil:
		first = b.ahead.prefix
	case b.masked:
		first = 0 // stands in places that are left behind
	}
	b.seers = b.seers[:0]
	for _, w := range s.workers {
		if w.front.saw {
			b.seers = append(b.seers, w.front.seen)
			w.front.saw = false
		}
	}
	b.words.collect(b.table.Shape[0], first, b.seers...)
}
