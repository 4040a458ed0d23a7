// Package datasets holds what the ready-made data sets share: labelled sequences of word ids, and how Keras's load_data
// prepares them. The sets themselves are the packages below it: imdb, and the made-up reviews.
package datasets

import (
	"fmt"
	"math"
)

// Split is one part of a data set, the training or the test rows: X[i] is a sequence of ids of any length and Y[i] its
// class. The sequences lie in a few long arrays and are for reading; each is cut so that appending to it copies.
type Split struct {
	X [][]int32
	Y []int32
}

// Len is the number of rows.
func (s Split) Len() int { return len(s.X) }

// Int is an integer that may be unset, and then is Keras's default, or none, as None is in Keras. The zero value is unset.
type Int struct {
	v     int32
	state uint8 // unset, set, none
}

// I is a set integer.
func I(v int32) Int { return Int{v, 1} }

// None is what None is in Keras: a mark or a limit that is not wanted.
func None() Int { return Int{0, 2} }

// Or is the integer, def when it is unset, and false when it is None.
func (i Int) Or(def int32) (v int32, some bool) {
	switch i.state {
	case 0:
		return def, true
	case 1:
		return i.v, true
	}
	return 0, false
}

// Options are the arguments of Keras's imdb.load_data; the zero value is its defaults.
type Options struct {
	// NumWords keeps the ids below it; any other becomes OOVChar. It counts ids, after IndexFrom is added. 0 is the largest
	// id there is, which itself becomes OOVChar, as in Keras.
	NumWords int
	// SkipTop makes the most frequent words, those whose id is below it, OOVChar; StartChar too.
	SkipTop int
	// MaxLen drops the rows that are not shorter than it, StartChar counted; 0 keeps all.
	MaxLen int
	// Seed decides the order of the rows of imdb (113 when unset), and the contents of reviews (0 when unset).
	Seed Int
	// StartChar is put before every sequence: 1 when unset, nothing when None.
	StartChar Int
	// OOVChar stands for words that are left out: 2 when unset; when None they vanish.
	OOVChar Int
	// IndexFrom is added to every word's rank: 3 when unset, so that rank 1 is id 4.
	IndexFrom Int
}

// Prepare turns ranks into ids as Keras 3's imdb.load_data does after it has shuffled the rows, both splits at once,
// because without NumWords the largest id of either is the limit. It works in place. Every sequence of X must begin with
// one place for StartChar.
func (o Options) Prepare(train, test *Split) error {
	if o.NumWords < 0 || o.SkipTop < 0 || o.MaxLen < 0 {
		return fmt.Errorf("datasets: expected NumWords, SkipTop and MaxLen of 0 or more, got %d, %d and %d", o.NumWords, o.SkipTop, o.MaxLen)
	}
	start, hasStart := o.StartChar.Or(1)
	oov, hasOOV := o.OOVChar.Or(2)
	from, some := o.IndexFrom.Or(3)
	if !some || from < 0 {
		return fmt.Errorf("datasets: expected an IndexFrom of 0 or more")
	}
	if start < 0 || oov < 0 {
		return fmt.Errorf("datasets: expected a StartChar and an OOVChar of 0 or more, got %d and %d", start, oov)
	}
	limit := int64(o.NumWords)
	for _, s := range []*Split{train, test} {
		kept := 0
		for i, seq := range s.X {
			words := seq[1:]
			for j, rank := range words {
				if rank < 0 || rank > math.MaxInt32-from {
					return fmt.Errorf("datasets: expected ranks of 0 to %d, got %d in row %d", math.MaxInt32-from, rank, i)
				}
				words[j] = rank + from
			}
			seq[0] = start
			if !hasStart {
				seq = words
			}
			if o.MaxLen > 0 && len(seq) >= o.MaxLen {
				continue
			}
			s.X[kept], s.Y[kept] = seq, s.Y[i]
			kept++
			if o.NumWords == 0 {
				for _, id := range seq {
					limit = max(limit, int64(id))
				}
			}
		}
		if kept == 0 && len(s.X) > 0 {
			return fmt.Errorf("datasets: expected rows shorter than MaxLen, got none below %d", o.MaxLen)
		}
		s.X, s.Y = s.X[:kept], s.Y[:kept]
	}
	for _, s := range []*Split{train, test} {
		for i, seq := range s.X {
			kept := seq[:0]
			for _, id := range seq {
				switch {
				case int64(o.SkipTop) <= int64(id) && int64(id) < limit:
					kept = append(kept, id)
				case hasOOV:
					kept = append(kept, oov)
				}
			}
			s.X[i] = kept[:len(kept):len(kept)]
		}
	}
	return nil
}
