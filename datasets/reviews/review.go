package reviews

import (
	"math/bits"

	"github.com/unroll-ml/unroll/internal/random"
)

// How hard the task is. The shares were chosen with Keras's layers and the lecture's settings: see the package's comment.
const (
	// Of 16 verdicts so many are negated and turned; the others are direct.
	negatedOf16 = 3
	turnedOf16  = 2
	// Of 16 reviews so many say their verdict only late, and only early; the others do both. Early is within the first fifth,
	// late begins at most nearWords before the last sentence.
	lateOf16  = 3
	earlyOf16 = 5
	nearWords = 12
	// Of 16 sentences of a digression so many are asides, whose praise and blame mean nothing.
	asidesOf16 = 1

	never = 1 << 30
)

// grammar is all that reviews are made from. It is not changed after newGrammar.
type grammar struct {
	*vocabulary
	direct, negated, turned, asides, tales [][]slot
}

func newGrammar() *grammar {
	v := newVocabulary()
	return &grammar{v, v.compile(direct), v.compile(negated), v.compile(turned), v.compile(asides), v.compile(tales)}
}

// writer makes one review after the other. The words are numbers of the vocabulary.
type writer struct {
	*grammar
	random.Stream
	words []int32
	cast  [categories][3]uint16 // the people and places that a review comes back to
}

// review appends one review to w.words. Its stream decides everything but the label.
func (w *writer) review(label int32) {
	for _, c := range []category{person, surname, town, title, job, place} {
		for i := range w.cast[c] {
			w.cast[c][i] = w.word(c)
		}
	}
	length := w.length()
	from := len(w.words)
	// A verdict begins at the first sentence that starts at or after its word.
	early, late := w.IntN(length/5+1), length-8-w.IntN(nearWords)
	switch n := w.IntN(16); {
	case n < lateOf16:
		early = never
	case n < lateOf16+earlyOf16:
		late = never
	}
	for early < never || late < never || len(w.words)-from < length {
		switch at := len(w.words) - from; {
		case at >= early:
			w.verdict(label)
			early = never
		case at >= late:
			w.verdict(label)
			late = never
		case w.IntN(16) < asidesOf16:
			w.sentence(w.asides, int32(w.IntN(2)))
		default:
			w.sentence(w.tales, 0)
		}
	}
}

// verdict appends a sentence that decides the label.
func (w *writer) verdict(label int32) {
	kind := w.direct
	switch n := w.IntN(16); {
	case n < negatedOf16:
		kind = w.negated
	case n < negatedOf16+turnedOf16:
		kind = w.turned
	}
	w.sentence(kind, label)
}

// sentence appends a sentence of the list; polarity is what SAME means in it, 1 praise and 0 blame.
func (w *writer) sentence(list [][]slot, polarity int32) {
	from := len(w.words)
	for _, s := range list[w.IntN(len(list))] {
		word := s.word
		switch c := s.category; c {
		case literal:
		case same, opposite:
			// The tables are those of praise and of blame.
			word = w.word(same + ((c - same) ^ category(1-polarity)))
		case sameVerb, otherVerb:
			word = w.word(sameVerb + ((c - sameVerb) ^ category(1-polarity)))
		case person, surname, town, title, job, place:
			// Three times of four somebody that the review has spoken of.
			if i := w.IntN(4); i < 3 {
				word = w.cast[c][i]
			} else {
				word = w.word(c)
			}
		default:
			word = w.word(c)
		}
		if k := len(w.words); k > from && w.words[k-1] == int32(w.a) && w.vowel[word] {
			w.words[k-1] = int32(w.an)
		}
		w.words = append(w.words, int32(word))
	}
}

func (w *writer) word(c category) uint16 { return w.draw[c][w.IntN(len(w.draw[c]))] }

// lengths are 33 quantiles of the number of words, 1/32 apart, close to those of the IMDB reviews: a lognormal distribution
// of median 170 and sigma 0.77, less the half sentence that a review runs over.
var lengths = [33]int{8, 34, 45, 55, 63, 71, 79, 86, 94, 102, 110, 118, 126, 135, 144, 153, 163, 174, 185, 197, 210, 225, 241, 259,
	279, 302, 330, 363, 405, 462, 547, 706, 1600}

// tails are the quantiles beyond 31/32: each span holds half of what is left.
var tails = [6]int{706, 886, 1087, 1311, 1561, 2000}

// length draws a number of words: uniform between two neighbouring quantiles.
func (w *writer) length() int {
	q := lengths[:]
	i := w.IntN(32)
	if i == 30+1 {
		q, i = tails[:], min(bits.TrailingZeros32(w.Uint32()), len(tails)-2)
	}
	return q[i] + w.IntN(q[i+1]-q[i])
}
