package reviews

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/datasets"
)

func load(t *testing.T, o datasets.Options) (train, test datasets.Split) {
	t.Helper()
	train, test, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return train, test
}

// The shape of the data is that of the IMDB reviews: 238.7 words on average and 178 at the median, start mark counted.
func TestShape(t *testing.T) {
	train, test := load(t, datasets.Options{NumWords: 10000})
	for name, s := range map[string]datasets.Split{"train": train, "test": test} {
		if s.Len() != Rows || len(s.Y) != Rows {
			t.Fatalf("%s: %d rows, %d labels", name, s.Len(), len(s.Y))
		}
		var lengths []int
		var positive, words, out, long int
		for i, x := range s.X {
			lengths = append(lengths, len(x))
			words += len(x)
			positive += int(s.Y[i])
			if i%2 == 1 && s.Y[i]+s.Y[i-1] != 1 {
				t.Fatalf("%s: rows %d and %d have the same label", name, i-1, i)
			}
			if x[0] != 1 {
				t.Fatalf("%s: row %d begins with %d", name, i, x[0])
			}
			for _, id := range x[1:] {
				if id == 2 {
					out++
				} else if id < 4 || id >= 10000 {
					t.Fatalf("%s: row %d has id %d", name, i, id)
				}
			}
			if len(x) > 500 {
				long++
			}
		}
		slices.Sort(lengths)
		mean, median := float64(words)/Rows, lengths[Rows/2]
		if !(math.Abs(mean-235) <= 8) || median < 165 || median > 185 || lengths[0] < 8 || lengths[0] > 20 || lengths[Rows-1] > 2100 ||
			long < Rows/20 || long > Rows/8 || positive != Rows/2 || out == 0 || out > words/100 {
			t.Errorf("%s: lengths from %d by %d to %d, mean %g, %d above 500; %d positive; %d of %d words left out",
				name, lengths[0], median, lengths[Rows-1], mean, long, positive, out, words)
		}
	}
}

// The data are part of what the project promises: they change on purpose or not at all.
func TestSameBits(t *testing.T) {
	train, test := load(t, datasets.Options{})
	h := sha256.New()
	for _, s := range []datasets.Split{train, test} {
		binary.Write(h, binary.LittleEndian, s.Y)
		for _, x := range s.X {
			binary.Write(h, binary.LittleEndian, x)
		}
	}
	const want = "d6a899afa2ad069492e072a4e1a31663898dee56b6c46121efa6b6a877af83e3"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the reviews of seed 0 have sum %s, want %s", got, want)
	}
	other, _ := load(t, datasets.Options{Seed: datasets.I(1)})
	if slices.Equal(other.X[0], train.X[0]) {
		t.Error("seeds 0 and 1 begin with the same review")
	}
	if slices.Equal(test.X[0], train.X[0]) {
		t.Error("both splits begin with the same review")
	}
}

func TestTextAndIndex(t *testing.T) {
	index := WordIndex()
	if len(index) != vocabularySize {
		t.Errorf("%d words, want %d", len(index), vocabularySize)
	}
	if index["the"] != 1 {
		t.Errorf("the most frequent word is not \"the\", which has rank %d", index["the"])
	}
	seen := make([]bool, len(index)+1)
	for w, rank := range index {
		if rank < 1 || rank > len(index) || seen[rank] {
			t.Fatalf("%q has rank %d, which is out of range or another's", w, rank)
		}
		seen[rank] = true
	}
	d := datasets.NewDecoder(index, 3)
	train, test := load(t, datasets.Options{NumWords: vocabularySize + 4, Seed: datasets.I(5)})
	for _, row := range []int{0, 1, block - 1, block, Rows - 1} {
		for _, s := range []struct {
			test  bool
			split datasets.Split
		}{{false, train}, {true, test}} {
			text, err := Text(5, s.test, row)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimPrefix(d.Text(s.split.X[row]), "? "); got != text {
				t.Errorf("row %d: the ids say %.80q, the text %.80q", row, got, text)
			}
		}
	}
	for _, row := range []int{-1, Rows} {
		if _, err := Text(0, false, row); err == nil {
			t.Errorf("row %d: no error", row)
		}
	}
	if _, _, err := Load(datasets.Options{Seed: datasets.None()}); err == nil {
		t.Error("no seed: no error")
	}
}

// Of the same draws a review of praise and a review of blame differ in words of praise and blame only.
func TestLabelIsInTheVerdict(t *testing.T) {
	g := newGrammar()
	opinion := map[string]bool{"a": true, "an": true}
	for _, list := range []string{goodWords, badWords, lovedVerbs, hatedVerbs} {
		for _, w := range strings.Fields(list) {
			opinion[w] = true
		}
	}
	for row := range 500 {
		var text [2][]int32
		for label := range text {
			w := &writer{grammar: g}
			w.Reset(1, 4, uint64(row))
			w.review(int32(label))
			text[label] = w.words
		}
		if len(text[0]) != len(text[1]) {
			t.Fatalf("row %d: %d and %d words", row, len(text[0]), len(text[1]))
		}
		differ := 0
		for i, id := range text[0] {
			if other := text[1][i]; id != other {
				differ++
				if a, b := g.words[id], g.words[other]; !opinion[a] || !opinion[b] {
					t.Fatalf("row %d: word %d is %q or %q by the label", row, i, a, b)
				}
			}
		}
		if differ == 0 || differ > 10 {
			t.Fatalf("row %d: %d words differ by the label", row, differ)
		}
	}
}

// Counting words does not solve the task: naive Bayes stays far below what a recurrent layer that remembers reaches.
func TestBagOfWords(t *testing.T) {
	train, test := load(t, datasets.Options{NumWords: 10000})
	var counts [2][10000]float64
	for i, x := range train.X {
		for _, id := range x {
			counts[train.Y[i]][id]++
		}
	}
	right := 0
	for i, x := range test.X {
		logOdds := 0.0
		for _, id := range x {
			logOdds += math.Log((counts[1][id] + 1) / (counts[0][id] + 1))
		}
		if (logOdds > 0) == (test.Y[i] == 1) {
			right++
		}
	}
	accuracy := float64(right) / Rows
	t.Logf("naive Bayes: %.3f", accuracy)
	if !(accuracy >= 0.55 && accuracy <= 0.65) {
		t.Errorf("naive Bayes reaches %.3f, want 0.55 to 0.65", accuracy)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, _, err := Load(datasets.Options{NumWords: 10000}); err != nil {
			b.Fatal(err)
		}
	}
}
