package text

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Mode is what a row of a Tokenizer's matrix says of every word.
type Mode string

// The modes.
const (
	Binary Mode = "binary" // 1 where the text has the word
	Count  Mode = "count"  // how often
	Freq   Mode = "freq"   // how often, divided by the text's length
	TFIDF  Mode = "tfidf"  // (1 + ln count) · ln(1 + texts / (1 + texts with the word))
)

// TextsToMatrix is a row for every text and a column for every id, NumWords of them or one more than words.
func (t *Tokenizer) TextsToMatrix(texts []string, mode Mode) (*tensor.Tensor, error) {
	return t.SequencesToMatrix(t.TextsToSequences(texts), mode)
}

// SequencesToMatrix is TextsToMatrix of texts that are ids already; ids from the width on do not count. It fails on an unknown mode, where nothing says how wide
// rows are, and for TFIDF before any text was met.
func (t *Tokenizer) SequencesToMatrix(sequences [][]int32, mode Mode) (*tensor.Tensor, error) {
	width, err := t.width()
	if err != nil {
		return nil, err
	}
	switch mode {
	case Binary, Count, Freq:
	case TFIDF:
		if t.documents == 0 {
			return nil, fmt.Errorf("text: Tokenizer: expected texts to fit on before mode tfidf, got none")
		}
	default:
		return nil, fmt.Errorf("text: Tokenizer: mode must be binary, count, freq or tfidf, got %q", string(mode))
	}
	x := tensor.New(len(sequences), width)
	for i, seq := range sequences {
		row := x.Data[i*width : (i+1)*width]
		for _, id := range seq {
			if id < 0 {
				return nil, fmt.Errorf("text: Tokenizer: expected ids from 0, got %d in sequence %d", id, i)
			}
			if int(id) < width {
				row[id]++
			}
		}
		for id, count := range row {
			if count != 0 {
				row[id] = float32(t.value(mode, id, float64(count), len(seq)))
			}
		}
	}
	return x, nil
}

// value is what stands for a word that a text of so many words has count times.
func (t *Tokenizer) value(mode Mode, id int, count float64, length int) float64 {
	switch mode {
	case Count:
		return count
	case Freq:
		return count / float64(length)
	case TFIDF:
		return (1 + math.Log(count)) * math.Log(1+float64(t.documents)/float64(1+t.indexDocs[id]))
	}
	return 1
}
