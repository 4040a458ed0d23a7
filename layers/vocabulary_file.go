package layers

import (
	"fmt"
	"strings"
)

// Keras keeps a vocabulary that was given in the config, and one that was learned in a text file beside it, a line a term.
// Source: keras/src/layers/preprocessing/index_lookup.py, save_assets.

// Beside reports whether the vocabulary stands in a file of its own. A term that such a file cannot hold, since Python sees the end of a line in it, keeps the
// whole in the config.
func (l TextVectorization) Beside() bool {
	return l.learned && !strings.ContainsAny(strings.Join(l.own(), ""), "\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029")
}

// Given is the layer with what it learned as if it had been given, so that its config has it.
func (l TextVectorization) Given() TextVectorization {
	l.learned = false
	return l
}

// VocabularyFile is the text of that file.
func (l TextVectorization) VocabularyFile() string { return strings.Join(l.Terms(), "\n") }

// WithVocabularyFile is the layer with the vocabulary of such a file, and with the weights of its entries, those of padding and unknown terms included, for tf_idf.
func (l TextVectorization) WithVocabularyFile(file string, idf []float32) (TextVectorization, error) {
	file = strings.TrimRight(file, "\n")
	l.Vocabulary, l.learned = strings.Split(file, "\n"), true
	if !l.begins(l.special()) || l.size > 0 && len(l.Vocabulary) != l.size {
		return l, fmt.Errorf("layers: TextVectorization: expected a vocabulary of %d entries that begins with %q, got %d", l.size, l.special(), len(l.Vocabulary))
	}
	l.size = len(l.Vocabulary)
	if l.mode() == modeTFIDF {
		return l.WithIDF(idf)
	}
	return l, l.check()
}

// WithIDF is the layer, which has its vocabulary, with other weights of tf_idf: by id, those of padding and unknown terms included.
func (l TextVectorization) WithIDF(idf []float32) (TextVectorization, error) {
	l.Vocabulary = l.Terms()
	if len(idf) < len(l.Vocabulary) {
		return l, fmt.Errorf("layers: TextVectorization: expected %d idf_weights, got %d", len(l.Vocabulary), len(idf))
	}
	l.IDFWeights = nil
	for i := range l.Vocabulary { // what is left of pad_to_max_tokens is zero
		l.IDFWeights = append(l.IDFWeights, float64(idf[i]))
	}
	return l, l.check()
}
