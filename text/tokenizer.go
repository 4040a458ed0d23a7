package text

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Tokenizer numbers the words of texts from 1 on, the most frequent first, those that are as frequent in the order in which they were met. It is the one
// of Keras 1 and 2, R's text_tokenizer. The zero value has Keras's defaults. Source: keras/src/legacy/preprocessing/text.py.
type Tokenizer struct {
	NumWords  int    // ids from here on are left out, or become OOVToken; 0: none are
	Filters   string // characters that are gaps between words; "": the constant Filters
	NoFilters bool   // no character is
	NoLower   bool   // capitals stay
	Split     string // stands between words; "": a blank
	CharLevel bool   // every character is a word, filters or not
	OOVToken  string // a word for those that the index does not have, with id 1; "": they are left out

	documents int
	counts    []wordCount    // in the order in which the words were met
	place     map[string]int // of a word in counts
	index     map[string]int
	words     map[int]string
	indexDocs map[int]int // by id: how many texts have the word
}

// wordCount is how often a word was met, and in how many texts.
type wordCount struct {
	word        string
	count, docs int
}

func (t *Tokenizer) split() string { return cmp.Or(t.Split, " ") }

func (t *Tokenizer) filters() string {
	if t.NoFilters {
		return ""
	}
	return cmp.Or(t.Filters, Filters)
}

// cut is the words of a text.
func (t *Tokenizer) cut(text string) []string {
	if !t.CharLevel {
		return Words(text, t.filters(), t.split(), !t.NoLower)
	}
	if !t.NoLower {
		text = toLower(text)
	}
	return strings.Split(text, "")
}

// FitOnTexts counts the words of texts, with those of earlier calls, and numbers them anew.
func (t *Tokenizer) FitOnTexts(texts []string) {
	if t.place == nil {
		t.place, t.indexDocs = map[string]int{}, map[int]int{}
	}
	last := make([]int, len(t.counts)) // the text in which a word was met last, from 1
	for i, text := range texts {
		for _, w := range t.cut(text) {
			k, met := t.place[w]
			if !met {
				k = len(t.counts)
				t.place[w] = k
				t.counts, last = append(t.counts, wordCount{word: w}), append(last, 0)
			}
			t.counts[k].count++
			if last[k] != i+1 {
				last[k] = i + 1
				t.counts[k].docs++
			}
		}
	}
	t.documents += len(texts)
	sorted := slices.Clone(t.counts)
	slices.SortStableFunc(sorted, func(a, b wordCount) int { return cmp.Compare(b.count, a.count) })
	t.index, t.words = map[string]int{}, map[int]string{}
	next := 1
	if t.OOVToken != "" {
		t.index[t.OOVToken] = next // until the texts have it too
		next++
	}
	for i, c := range sorted {
		t.index[c.word] = next + i
	}
	for w, i := range t.index {
		t.words[i] = w
	}
	for _, c := range t.counts {
		t.indexDocs[t.index[c.word]] = c.docs
	}
}

// FitOnSequences counts in how many of the sequences each id stands, for the mode tfidf of texts that were turned into ids elsewhere.
func (t *Tokenizer) FitOnSequences(sequences [][]int32) {
	if t.place == nil {
		t.place, t.indexDocs = map[string]int{}, map[int]int{}
	}
	t.documents += len(sequences)
	for _, seq := range sequences {
		met := map[int32]bool{}
		for _, id := range seq {
			if !met[id] {
				met[id] = true
				t.indexDocs[int(id)]++
			}
		}
	}
}

// WordIndex is the id of every word, those that NumWords leaves out included. The map is the Tokenizer's own.
func (t *Tokenizer) WordIndex() map[string]int { return t.index }

// WordCounts are the words that were met, in that order, and how often each was.
func (t *Tokenizer) WordCounts() (words []string, counts []int) {
	for _, c := range t.counts {
		words, counts = append(words, c.word), append(counts, c.count)
	}
	return words, counts
}

// Documents is how many texts were met.
func (t *Tokenizer) Documents() int { return t.documents }

// kept reports whether NumWords keeps an id.
func (t *Tokenizer) kept(id int) bool { return t.NumWords == 0 || id < t.NumWords }

// oov is the id of OOVToken; false where there is none.
func (t *Tokenizer) oov() (int, bool) {
	if t.OOVToken == "" {
		return 0, false
	}
	id, ok := t.index[t.OOVToken]
	return id, ok
}

// TextsToSequences are the ids of the words of every text. Words that the index does not have, or that NumWords leaves out, are left out too, or have the id
// of OOVToken.
func (t *Tokenizer) TextsToSequences(texts []string) [][]int32 {
	all := make([][]int32, len(texts))
	oov, marked := t.oov()
	for i, text := range texts {
		ids := []int32{}
		for _, w := range t.cut(text) {
			id, known := t.index[w]
			switch {
			case known && t.kept(id):
				ids = append(ids, int32(id))
			case marked:
				ids = append(ids, int32(oov))
			}
		}
		all[i] = ids
	}
	return all
}

// SequencesToTexts are the words of ids, with blanks between them.
func (t *Tokenizer) SequencesToTexts(sequences [][]int32) []string {
	all := make([]string, len(sequences))
	oov, marked := t.oov()
	for i, seq := range sequences {
		var words []string
		for _, id := range seq {
			w, known := t.words[int(id)]
			switch {
			case known && t.kept(int(id)):
				words = append(words, w)
			case marked:
				words = append(words, t.words[oov])
			}
		}
		all[i] = strings.Join(words, " ")
	}
	return all
}

// width is how wide a row of a matrix is.
func (t *Tokenizer) width() (int, error) {
	switch {
	case t.NumWords < 0:
		return 0, errors.New("text: Tokenizer: num_words must not be negative")
	case t.NumWords > 0:
		return t.NumWords, nil
	case len(t.index) == 0:
		return 0, errors.New("text: Tokenizer: expected num_words, or texts to fit on first, for a matrix's width")
	}
	return len(t.index) + 1, nil
}
