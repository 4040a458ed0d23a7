package datasets

import "strings"

// Decoder turns ids back into words.
type Decoder struct{ words []string }

// NewDecoder makes a Decoder of an index from words to ranks, as WordIndex gives it, and of the IndexFrom that was added to
// the ranks, 3 by default.
func NewDecoder(index map[string]int, indexFrom int) *Decoder {
	top := 0
	for _, rank := range index {
		top = max(top, rank)
	}
	// A rank far beyond the number of words is no rank: it stays unknown rather than ask for memory.
	d := &Decoder{words: make([]string, min(top, 4*len(index))+indexFrom+1)}
	for word, rank := range index {
		if id := rank + indexFrom; rank >= 0 && id >= 0 && id < len(d.words) {
			d.words[id] = word
		}
	}
	return d
}

// Word is the word of an id, "?" for marks and ids without a word.
func (d *Decoder) Word(id int32) string {
	if id < 0 || int(id) >= len(d.words) || d.words[id] == "" {
		return "?"
	}
	return d.words[id]
}

// Text is the words of a sequence with spaces between; every id without a word, StartChar and padding among them, is "?".
func (d *Decoder) Text(ids []int32) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(d.Word(id))
	}
	return b.String()
}
