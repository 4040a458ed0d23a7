// Package reviews is a made-up data set of film reviews: 25,000 to train on and 25,000 to test on, half of praise and half
// of blame, with about the vocabulary and the lengths of the IMDB reviews. Nobody wrote them and no film in them exists. A
// small grammar in this package makes them from a seed in less than a second, so that the lecture can be followed without
// fetching data.
//
// A review's label is what it says of "this film", once or twice, plainly, by negation, or after a "but". A third says it
// only early and then digresses to the end, where the same words praise and blame hotels and soup; so a layer has to
// remember. With the lecture's settings (10,000 words, the last 500, Embedding(32), RMSprop, batches of 128, a fifth for
// validation) the validation accuracy was, over three seeds of the weights:
//
//	                after 10 epochs          mean of the 10 epochs
//	SimpleRNN(32)   0.74 (0.73 to 0.76)      0.72 (0.71 to 0.73)
//	LSTM(32)        0.91 (0.89 to 0.92)      0.83 (0.81 to 0.84)
//	counts of words: logistic regression 0.69, naive Bayes 0.59
//
// It was measured with a program of its own in C, float32, with Keras's initial weights; a test holds the naive Bayes.
package reviews

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/internal/random"
)

// Rows is the number of reviews in each split.
const Rows = 25000

// The sub-keys of the streams: a split, or what belongs to none.
const (
	trainKey  = 0
	testKey   = 1
	sampleKey = 2
	namesKey  = 3
)

// Load makes both splits. The ids are as those of imdb.Load: words by frequency, shifted by IndexFrom, and the Options mean
// the same, except that Seed chooses another set of reviews in the same language. Rows 2k and 2k+1 have different labels,
// so any even number of rows is balanced. The same Options give the same reviews, on every machine.
func Load(o datasets.Options) (train, test datasets.Split, err error) {
	seed, some := o.Seed.Or(0)
	if !some {
		return train, test, fmt.Errorf("reviews: expected a seed, got None")
	}
	g := newGrammar()
	rank := g.ranks()
	train = g.split(uint64(seed), trainKey, rank)
	test = g.split(uint64(seed), testKey, rank)
	if err := o.Prepare(&train, &test); err != nil {
		return datasets.Split{}, datasets.Split{}, err
	}
	return train, test, nil
}

// WordIndex is every word with its rank: 1 for the most frequent, as in imdb.WordIndex. In the data of Load a word is its
// rank plus IndexFrom. It does not depend on the seed; the frequencies are those of a sample.
func WordIndex() map[string]int {
	g := newGrammar()
	index := make(map[string]int, len(g.words))
	for id, rank := range g.ranks() {
		index[g.words[id]] = int(rank)
	}
	return index
}

// Text is one review as words, with spaces between: row of the training split, or of the test split, of this seed.
func Text(seed uint64, test bool, row int) (string, error) {
	if row < 0 || row >= Rows {
		return "", fmt.Errorf("reviews: expected a row of 0 to %d, got %d", Rows-1, row)
	}
	split := uint64(trainKey)
	if test {
		split = testKey
	}
	w := &writer{grammar: newGrammar()}
	w.row(seed, split, row)
	words := make([]string, len(w.words))
	for i, id := range w.words {
		words[i] = w.grammar.words[id]
	}
	return strings.Join(words, " "), nil
}

// row appends one review, which depends on nothing but the arguments, and returns its label.
func (w *writer) row(seed, split uint64, row int) int32 {
	// Every pair of rows has both labels, in an order of its own.
	w.Reset(seed, random.Data, split, uint64(row/2), 2)
	label := int32(w.IntN(2)) ^ int32(row%2)
	w.Reset(seed, random.Data, split, uint64(row/2), uint64(row%2))
	w.review(label)
	return label
}

// sampleRows are counted to rank the words: enough that the frequent ones are in order.
const sampleRows = 2000

func (g *grammar) ranks() []int32 {
	w := &writer{grammar: g}
	counts := make([]int, len(g.words))
	for row := range sampleRows {
		w.words = w.words[:0]
		w.row(0, sampleKey, row)
		for _, id := range w.words {
			counts[id]++
		}
	}
	return ranks(counts)
}

// block is how many rows share one array.
const block = 500

// split makes the reviews of a split as ranks, each with one place before it for a mark, as Options.Prepare wants them.
func (g *grammar) split(seed, key uint64, rank []int32) datasets.Split {
	s := datasets.Split{X: make([][]int32, Rows), Y: make([]int32, Rows)}
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), Rows/block) {
		done.Go(func() {
			w := &writer{grammar: g}
			var starts [block + 1]int
			for {
				first := int(next.Add(block)) - block
				if first >= Rows {
					return
				}
				w.words = w.words[:0]
				for i := range block {
					starts[i] = len(w.words)
					w.words = append(w.words, 0)
					s.Y[first+i] = w.row(seed, key, first+i)
				}
				starts[block] = len(w.words)
				ids := make([]int32, len(w.words))
				for i, word := range w.words {
					ids[i] = rank[word]
				}
				for i := range block {
					s.X[first+i] = ids[starts[i]:starts[i+1]:starts[i+1]]
				}
			}
		})
	}
	done.Wait()
	return s
}
