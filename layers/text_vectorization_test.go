package layers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// bytesOf is a text whose bytes are written as the characters of their numbers.
func bytesOf(latin string) string {
	var b []byte
	for _, c := range latin {
		b = append(b, byte(c))
	}
	return string(b)
}

func textsOf(rows [][]string) *tensor.Text {
	x := &tensor.Text{Shape: tensor.Shape{len(rows), len(rows[0])}}
	for _, row := range rows {
		for _, text := range row {
			x.Data = append(x.Data, bytesOf(text))
		}
	}
	return x
}

// Vocabularies, ids and numbers are Keras's, for every argument: oracle/text.py.
func TestTextVectorization(t *testing.T) {
	b, err := os.ReadFile("../testdata/text/vectorization.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Cases []struct {
			Config     map[string]any
			Texts, New [][]string
			Terms      []string
			Out, All   [][]float32
		}
	}
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Cases) < 20 {
		t.Fatalf("expected at least 20 cases, got %d", len(table.Cases))
	}
	for i, c := range table.Cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			size := c.Config["vocabulary_size"]
			s, err := layers.FromConfig("layer", &keras.Object{Class: "TextVectorization", Config: c.Config})
			if err != nil {
				t.Fatal(err)
			}
			l := s.(layers.TextVectorization)
			if !l.Adapted() {
				if l, err = l.AdaptTo(textsOf(c.Texts)); err != nil {
					t.Fatal(err)
				}
			}
			var want []string
			for _, term := range c.Terms {
				want = append(want, bytesOf(term))
			}
			terms := l.Terms()
			if diff := cmp.Diff(want, terms[len(terms)-len(want):]); diff != "" || float64(len(terms)) != size {
				t.Errorf("terms, %v (-want +got)\n%s", size, diff)
			}
			v, err := l.Vectorizer()
			if err != nil {
				t.Fatal(err)
			}
			compareTexts(t, "new", v, c.New, c.Out)
			compareTexts(t, "all", v, c.Texts, c.All)
		})
	}
}

func compareTexts(t *testing.T, what string, v *layers.Vectorizer, rows [][]string, want [][]float32) {
	t.Helper()
	x := textsOf(rows)
	if v.ForIDs() {
		got, err := v.IDs(x)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Shape.Equal(tensor.Shape{len(want), len(want[0])}) {
			t.Fatalf("%s: expected rows of %d, got %v", what, len(want[0]), got.Shape)
		}
		for i, id := range got.Data {
			if w := want[i/got.Shape[1]][i%got.Shape[1]]; float32(id) != w {
				t.Fatalf("%s: row %d, place %d: expected %v, got %d", what, i/got.Shape[1], i%got.Shape[1], w, id)
			}
		}
		return
	}
	got, err := v.Numbers(x)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, what, got.Data, slices.Concat(want...), golden.Rel(3e-7))
}

// What a file keeps beside the config comes back from there, the rest from the config.
func TestVocabularyThroughAFile(t *testing.T) {
	rows := []string{"b a", "b", "c d"}
	for _, l := range []layers.TextVectorization{
		{Name: "x"}, {Name: "x", NGrams: []int{2, 1}, MaxTokens: 9, OutputSequenceLength: 4, Standardize: "none"},
		{Name: "x", OutputMode: "tf_idf", MaxTokens: 9, PadToMaxTokens: true}, {Name: "x", OutputMode: "multi_hot", Split: "character"},
	} {
		l, err := l.Adapt(rows)
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.Vectorizer()
		if err != nil {
			t.Fatal(err)
		}
		s, config := through(t, l, "x")
		if !l.Beside() || config["config"].(map[string]any)["vocabulary"] != nil {
			t.Error("expected a vocabulary beside the config")
		}
		read, err := s.(layers.TextVectorization).WithVocabularyFile(l.VocabularyFile(), v.IDF())
		if err != nil {
			t.Fatal(err)
		}
		w, err := read.Vectorizer()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l.Terms(), read.Terms()); diff != "" {
			t.Error(diff)
		}
		golden.Compare(t, "idf", w.IDF(), v.IDF(), golden.Abs(0))
		if _, err := s.(layers.TextVectorization).WithVocabularyFile(l.VocabularyFile()+"\nz", v.IDF()); err == nil {
			t.Error("expected an error for a file of another length")
		}
	}
	lines, err := layers.TextVectorization{Name: "x", Split: "none", Standardize: "lower"}.Adapt([]string{"one\ntwo", "three"})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := through(t, lines, "x")
	if read := s.(layers.TextVectorization); lines.Beside() || !slices.Equal(read.Terms(), lines.Terms()) {
		t.Errorf("expected a term of two lines to stand in the config, got %q", read.Terms())
	}
}

func TestTextVectorizationWrong(t *testing.T) {
	texts := layers.Signature{Shape: tensor.Shape{open, 1}, Text: true}
	ab := []string{"a", "b"}
	for _, c := range []struct {
		l    layers.TextVectorization
		want string
	}{
		{layers.TextVectorization{Standardize: "upper"}, `standardize must be lower_and_strip_punctuation, lower, strip_punctuation or none, got "upper"`},
		{layers.TextVectorization{Split: "words"}, `split must be whitespace, character or none, got "words"`},
		{layers.TextVectorization{NGrams: []int{}}, "ngrams must have at least one width, got none"},
		{layers.TextVectorization{NGrams: []int{1, 0}}, "ngrams must be widths from 1, got [1 0]"},
		{layers.TextVectorization{OutputMode: "one_hot"}, `output_mode must be int, multi_hot, count or tf_idf, got "one_hot"`},
		{layers.TextVectorization{MaxTokens: 1}, "max_tokens must be from 2 to 268435456, got 1"},
		{layers.TextVectorization{OutputSequenceLength: -1}, "output_sequence_length must be from 1"},
		{layers.TextVectorization{OutputSequenceLength: 3, OutputMode: "count", Vocabulary: ab}, "output_sequence_length must not be given for output_mode count, got 3"},
		{layers.TextVectorization{PadToMaxTokens: true}, "max_tokens must be given with pad_to_max_tokens"},
		{layers.TextVectorization{OutputMode: "count"}, "expected a vocabulary for output_mode count, whose size is the output's width, got none: Adapt gives one"},
		{layers.TextVectorization{Vocabulary: ab, IDFWeights: []float64{1, 2}}, "idf_weights must not be given for output_mode int"},
		{layers.TextVectorization{Vocabulary: ab, OutputMode: "tf_idf"}, "idf_weights must have an entry for each of the vocabulary's, 2, got 0"},
		{layers.TextVectorization{Vocabulary: []string{}}, "vocabulary must have at least one term, got none"},
		{layers.TextVectorization{Vocabulary: ab, MaxTokens: 3}, "vocabulary must have at most max_tokens entries, 3, those of padding and unknown terms included, got 4"},
		{layers.TextVectorization{Vocabulary: []string{"a", "a"}}, `vocabulary must have every term once, got "a" twice`},
		{layers.TextVectorization{Vocabulary: []string{"a", ""}}, `vocabulary must begin with "" and "[UNK]" or have neither`},
	} {
		_, err := c.l.Build(&layers.Builder{Name: "x"}, []layers.Signature{texts})
		if err == nil || !strings.HasPrefix(err.Error(), "layers: TextVectorization: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected an error with %q, got %v", c.want, err)
		}
	}
	for _, c := range []struct {
		in   layers.Signature
		want string
	}{
		{layers.Signature{Shape: tensor.Shape{open, 4}}, "expected texts, got floats (None, 4)"},
		{layers.Signature{Shape: tensor.Shape{open, open}, IDs: true}, "expected texts, got ids (None, None)"},
		{layers.Signature{Shape: tensor.Shape{open, 2}, Text: true}, "expected texts of shape (N) or (N, 1), got (None, 2)"},
	} {
		if _, err := (layers.TextVectorization{}).Build(&layers.Builder{Name: "x"}, []layers.Signature{c.in}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected an error with %q, got %v", c.want, err)
		}
	}
	if _, err := (layers.TextVectorization{Vocabulary: ab}).Adapt([]string{"x"}); err == nil || !strings.Contains(err.Error(), "expected a layer without a vocabulary, got one of 2 terms") {
		t.Errorf("expected an error, got %v", err)
	}
	if _, err := (layers.TextVectorization{}).Adapt([]string{"!", ""}); err == nil || !strings.Contains(err.Error(), "expected texts with at least one term, got 2 texts without") {
		t.Errorf("expected an error, got %v", err)
	}
	if _, err := (layers.TextVectorization{}).Vectorizer(); err == nil || !strings.Contains(err.Error(), "expected a vocabulary, got none") {
		t.Errorf("expected an error, got %v", err)
	}
}
