package text_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/text"
)

// tokenizerTable is what oracle/text.py asked Keras's Tokenizer.
type tokenizerTable struct {
	Fit   [2][]string
	New   []string
	Cases []struct {
		Arguments struct {
			NumWords  int     `json:"num_words"`
			Filters   *string `json:"filters"`
			Lower     *bool   `json:"lower"`
			Split     string  `json:"split"`
			CharLevel bool    `json:"char_level"`
			OOVToken  string  `json:"oov_token"`
		}
		Index     map[string]int
		Counts    [][2]any
		Sequences [][]int32
		Texts     []string
		JSON      string
		Matrix    map[text.Mode][][]float32
	}
	Hashed []struct {
		N    int
		Text string
		IDs  []int32
	}
	Sequences [][]float32
}

func (w *tokenizerTable) tokenizer(i int) *text.Tokenizer {
	a := w.Cases[i].Arguments
	t := &text.Tokenizer{NumWords: a.NumWords, Split: a.Split, CharLevel: a.CharLevel, OOVToken: a.OOVToken, NoLower: a.Lower != nil && !*a.Lower}
	if a.Filters != nil {
		t.Filters, t.NoFilters = *a.Filters, *a.Filters == ""
	}
	return t
}

func table(t *testing.T) *tokenizerTable {
	t.Helper()
	b, err := os.ReadFile("../testdata/text/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	w := &tokenizerTable{}
	if err := json.Unmarshal(b, w); err != nil {
		t.Fatal(err)
	}
	if len(w.Cases) < 10 {
		t.Fatalf("expected at least 10 cases, got %d", len(w.Cases))
	}
	return w
}

// The Tokenizer gives what Keras's gives, for every argument, and so does one that went through either's JSON.
func TestTokenizer(t *testing.T) {
	w := table(t)
	all := slices.Concat(w.Fit[0], w.Fit[1], w.New)
	for i, c := range w.Cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			fitted := w.tokenizer(i)
			fitted.FitOnTexts(w.Fit[0])
			fitted.FitOnTexts(w.Fit[1])
			ours, err := json.Marshal(fitted)
			if err != nil {
				t.Fatal(err)
			}
			sameTokenizer(t, ours, []byte(c.JSON))
			for from, text := range map[string]string{"ours": string(ours), "Keras's": c.JSON} {
				read := w.tokenizer(0)
				if err := json.Unmarshal([]byte(text), read); err != nil {
					t.Fatal(err)
				}
				if again, err := json.Marshal(read); err != nil || from == "ours" && string(again) != string(ours) {
					t.Errorf("expected the same JSON again, got %s, %v", again, err)
				}
				checkTokenizer(t, from, read, w, i, all)
			}
			checkTokenizer(t, "fitted", fitted, w, i, all)
		})
	}
}

func checkTokenizer(t *testing.T, from string, k *text.Tokenizer, w *tokenizerTable, i int, all []string) {
	t.Helper()
	c := w.Cases[i]
	if diff := cmp.Diff(c.Index, k.WordIndex()); diff != "" {
		t.Errorf("%s: index (-want +got)\n%s", from, diff)
	}
	words, counts := k.WordCounts()
	var pairs [][2]any
	for i := range words {
		pairs = append(pairs, [2]any{words[i], float64(counts[i])})
	}
	if diff := cmp.Diff(c.Counts, pairs); diff != "" {
		t.Errorf("%s: counts (-want +got)\n%s", from, diff)
	}
	sequences := k.TextsToSequences(all)
	if diff := cmp.Diff(c.Sequences, sequences); diff != "" {
		t.Errorf("%s: sequences (-want +got)\n%s", from, diff)
	}
	if diff := cmp.Diff(c.Texts, k.SequencesToTexts(append(slices.Clone(sequences), []int32{1, 3, 100000}))); diff != "" {
		t.Errorf("%s: texts (-want +got)\n%s", from, diff)
	}
	if len(c.Matrix) != 4 {
		t.Errorf("expected four modes, got %d", len(c.Matrix))
	}
	for mode, want := range c.Matrix {
		got, err := k.TextsToMatrix(all, mode)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, from+": "+string(mode), got.Data, slices.Concat(want...), golden.Rel(2e-7))
	}
}

// sameTokenizer compares two JSON forms, the order of words in tables left aside.
func sameTokenizer(t *testing.T, got, want []byte) {
	t.Helper()
	read := func(b []byte) (f map[string]any) {
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		c := f["config"].(map[string]any)
		for _, key := range []string{"word_counts", "word_docs", "index_docs", "index_word", "word_index"} {
			var table map[string]any
			if err := json.Unmarshal([]byte(c[key].(string)), &table); err != nil {
				t.Fatal(err)
			}
			c[key] = table
		}
		return f
	}
	if diff := cmp.Diff(read(want), read(got)); diff != "" {
		t.Errorf("JSON (-want +got)\n%s", diff)
	}
}

func TestHashingTrick(t *testing.T) {
	w := table(t)
	for _, c := range w.Hashed {
		got, err := text.HashingTrick(c.Text, c.N, text.Filters, " ", true)
		if err != nil || !slices.Equal(got, c.IDs) {
			t.Errorf("%q, %d: expected %v, got %v, %v", c.Text, c.N, c.IDs, got, err)
		}
	}
	if _, err := text.HashingTrick("a", 1, "", " ", true); err == nil || err.Error() != "text: HashingTrick: n must be from 2 to 2147483647, got 1" {
		t.Errorf("expected an error, got %v", err)
	}
}

func TestFitOnSequences(t *testing.T) {
	k := &text.Tokenizer{NumWords: 6}
	k.FitOnSequences([][]int32{{1, 2, 2}, {2, 3, 7}, {}})
	got, err := k.SequencesToMatrix([][]int32{{1, 2, 2, 9}, {5}}, text.TFIDF)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "tfidf", got.Data, slices.Concat(table(t).Sequences...), golden.Rel(2e-7))
}

func TestTokenizerWrong(t *testing.T) {
	for _, c := range []struct {
		k    text.Tokenizer
		seq  [][]int32
		mode text.Mode
		want string
	}{
		{text.Tokenizer{}, nil, text.Binary, "expected num_words, or texts to fit on first"},
		{text.Tokenizer{NumWords: 3}, nil, text.TFIDF, "expected texts to fit on before mode tfidf, got none"},
		{text.Tokenizer{NumWords: 3}, nil, "tf", `mode must be binary, count, freq or tfidf, got "tf"`},
		{text.Tokenizer{NumWords: 3}, [][]int32{{1}, {-1}}, text.Count, "expected ids from 0, got -1 in sequence 1"},
	} {
		if _, err := c.k.SequencesToMatrix(c.seq, c.mode); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected an error with %q, got %v", c.want, err)
		}
	}
	for file, want := range map[string]string{
		`{"class_name": "Dense"}`:                                                        `class_name: expected Tokenizer, got "Dense"`,
		`{"class_name": 3}`:                                                              "text: Tokenizer: json",
		`{"class_name": "Tokenizer", "config": {"split": ""}}`:                           "split: expected a text",
		`{"class_name": "Tokenizer", "config": {"word_index": "{\"a\": -1}"}}`:           "word_index: expected ids from 0",
		`{"class_name": "Tokenizer", "config": {"word_counts": "[]"}}`:                   "word_counts: expected an object of words",
		`{"class_name": "Tokenizer", "config": {"word_counts": "{\"a\": 1, \"a\": 2}"}}`: `word_counts: expected every word once, got "a" twice`,
		`{"class_name": "Tokenizer", "config": {"num_words": -2}}`:                       "num_words: expected a number from 0, got -2",
		`{"class_name": "Tokenizer", "config": {"index_docs": "{\"a\": 1}"}}`:            "index_docs: json",
	} {
		k := text.Tokenizer{NumWords: 7}
		if err := json.Unmarshal([]byte(file), &k); err == nil || !strings.Contains(err.Error(), want) || k.NumWords != 7 {
			t.Errorf("%s: expected an error with %q and nothing changed, got %v", file, want, err)
		}
	}
}

// Keras reads what MarshalJSON writes. It needs a Python with Keras (oracle/README.md).
func TestKerasReadsOurTokenizer(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with Keras to ask")
	}
	w := table(t)
	k := &text.Tokenizer{OOVToken: "<oov>", NumWords: 40}
	k.FitOnTexts(w.Fit[0])
	folder := t.TempDir()
	file, texts := filepath.Join(folder, "t.json"), filepath.Join(folder, "texts.json")
	for name, v := range map[string]any{file: k, texts: w.Fit[1]} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, "../oracle/text.py", "read", file, texts).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Matrix    [][]float32
		Index     map[string]int
		Sequences [][]int32
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want, err := k.TextsToMatrix(w.Fit[1], text.TFIDF)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "matrix", want.Data, slices.Concat(got.Matrix...), golden.Rel(2e-7))
	if diff := cmp.Diff(k.WordIndex(), got.Index); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(k.TextsToSequences(w.Fit[1]), got.Sequences); diff != "" {
		t.Error(diff)
	}
}
