package unroll

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// textPredictions are what Keras's model predicts for texts: oracle/text.py.
type textPredictions struct {
	Texts        []string
	Out          [][]float32
	Vocabularies [][]string
	Learned      []string // moved.json: what the model's vocabulary is of
}

func (p *textPredictions) data(t *testing.T, inputs int) Data {
	t.Helper()
	x := []any{tensor.Texts(p.Texts)}
	if inputs > 1 {
		numbers := tensor.New(len(p.Texts), 2)
		for i := range p.Texts {
			numbers.Data[2*i], numbers.Data[2*i+1] = float32(i)/4, 1
		}
		x = append(x, numbers)
	}
	d, err := Arrays(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Models that read texts predict what Keras's do, whether the vocabulary stands in the config or beside it, and so do the files that we write; asked, Keras
// predicts the same from those.
func TestTextModels(t *testing.T) {
	files, err := filepath.Glob("testdata/text/*.keras")
	if err != nil || len(files) < 6 {
		t.Fatalf("expected six models, got %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(strings.TrimSuffix(file, ".keras") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var want textPredictions
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			ours := filepath.Join(t.TempDir(), "ours.keras")
			for _, path := range []string{file, ours} {
				m, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				got, err := m.Predict(context.Background(), want.data(t, len(m.inputs)), BatchSize(len(want.Texts)))
				if err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, path, got.Data, slices.Concat(want.Out...), golden.Abs(2e-6))
				for i, n := range m.nodes[:m.texts] {
					if !slices.ContainsFunc(want.Vocabularies, func(v []string) bool { return slices.Equal(v, n.spec.(layers.TextVectorization).Terms()) }) {
						t.Errorf("vocabulary %d is none of Keras's", i)
					}
				}
				spelled, err := m.JSON()
				if err != nil {
					t.Fatal(err)
				}
				alone, err := FromJSON(spelled)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(alone.Vocabulary(), m.Vocabulary()) {
					t.Errorf("JSON: expected the vocabulary %q, got %q", m.Vocabulary(), alone.Vocabulary())
				}
				if err := m.Save(ours); err != nil {
					t.Fatal(err)
				}
			}
			askKeras(t, ours, &want)
		})
	}
}

// A file of weights has those of tf_idf, and no vocabulary: a model that learned other texts takes them over, as in Keras, which wrote this file and predicted.
func TestWeightsOfTextModels(t *testing.T) {
	b, err := os.ReadFile("testdata/text/moved.json")
	if err != nil {
		t.Fatal(err)
	}
	var want textPredictions
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	path := "testdata/text/moved.weights.h5"
	folder := t.TempDir()
	for _, again := range []string{"ours.weights.h5", "ours.npz"} {
		m := textModel(t, layers.TextVectorization{OutputMode: "tf_idf"}, want.Learned, layers.Dense{Units: 2})
		if err := m.LoadWeights(path); err != nil {
			t.Fatal(err)
		}
		got, err := m.Predict(context.Background(), want.data(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, path, got.Data, slices.Concat(want.Out...), golden.Abs(2e-6))
		path = filepath.Join(folder, again)
		if err := m.SaveWeights(path); err != nil {
			t.Fatal(err)
		}
	}
	m := textModel(t, layers.TextVectorization{OutputMode: "tf_idf"}, want.Learned[:2], layers.Dense{Units: 2})
	if err := m.LoadWeights(path); err == nil || !strings.Contains(err.Error(), "expected") {
		t.Errorf("expected an error of another vocabulary's size, got %v", err)
	}
	counts := textModel(t, layers.TextVectorization{OutputMode: "count"}, want.Learned, layers.Dense{Units: 2})
	if err := counts.LoadWeights(path); err != nil {
		t.Errorf("expected weights that nobody needs to be left alone, got %v", err)
	}
	if err := counts.SaveWeights(path); err != nil {
		t.Fatal(err)
	}
	m = textModel(t, layers.TextVectorization{OutputMode: "tf_idf"}, want.Learned, layers.Dense{Units: 2})
	if err := m.LoadWeights(path); err == nil || !strings.Contains(err.Error(), "expected idf_weights for tf_idf, got none") {
		t.Errorf("expected an error of weights that are not there, got %v", err)
	}
}

// askKeras has Keras predict from a file.
func askKeras(t *testing.T, file string, want *textPredictions) {
	t.Helper()
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		return
	}
	b, err := json.Marshal(want.Texts)
	if err != nil {
		t.Fatal(err)
	}
	texts := filepath.Join(t.TempDir(), "texts.json")
	if err := os.WriteFile(texts, b, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "oracle/text.py", "check", file, texts).Output()
	if err != nil {
		t.Fatalf("Keras does not load the file: %v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var got textPredictions
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "Keras's predictions", slices.Concat(got.Out...), slices.Concat(want.Out...), golden.Abs(2e-6))
	if !slices.EqualFunc(got.Vocabularies, want.Vocabularies, slices.Equal[[]string]) {
		t.Errorf("expected the vocabularies %q, got %q", want.Vocabularies, got.Vocabularies)
	}
}

// opinions are made-up texts, whose kind hangs on two words of theirs.
func opinions(n int) (texts []string, kinds *tensor.IDs) {
	s := random.New(3, random.Data)
	words := strings.Fields("the film was a story of two friends who never met again in that town by the sea")
	kinds = tensor.NewIDs(n)
	for i := range n {
		var text []string
		for range 3 + s.IntN(20) {
			text = append(text, words[s.IntN(len(words))])
		}
		kind := s.IntN(2)
		text[s.IntN(len(text))] = [][]string{{"Bad!", "dull,"}, {"Good.", "(fine)"}}[kind][s.IntN(2)]
		texts, kinds.Data[i] = append(texts, strings.Join(text, " ")), int32(kind)
	}
	return texts, kinds
}

func textModel(t testing.TB, l layers.TextVectorization, texts []string, after ...layers.Spec) *Model {
	t.Helper()
	l, err := l.Adapt(texts)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Sequential(append([]layers.Spec{l}, after...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.Adam{LearningRate: tensor.F(0.01)}, losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}); err != nil {
		t.Fatal(err)
	}
	return m
}

// A model that reads texts has the bits of one that is given their ids, with its front, and the same with any number of threads.
func TestTextsAreTheirIDs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	texts, kinds := opinions(400)
	l, err := layers.TextVectorization{MaxTokens: 30, OutputSequenceLength: 12}.Adapt(texts)
	if err != nil {
		t.Fatal(err)
	}
	v, err := l.Vectorizer()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := v.IDs(tensor.Texts(texts))
	if err != nil {
		t.Fatal(err)
	}
	below := []layers.Spec{layers.Embedding{InputDim: 30, OutputDim: 8, MaskZero: true}, layers.LSTM{Units: 8}, layers.Dense{Units: 1, Activation: activations.Sigmoid}}
	plain, err := Sequential(below...)
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.Compile(optimizers.Adam{LearningRate: tensor.F(0.01)}, losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}); err != nil {
		t.Fatal(err)
	}
	fit := func(m *Model, x any) []float32 {
		t.Helper()
		if m.front == nil {
			t.Errorf("expected a front, got none: %s", m.noFront)
		}
		d, err := Arrays(x, kinds)
		if err != nil {
			t.Fatal(err)
		}
		h, err := m.Fit(context.Background(), d, Epochs(6), BatchSize(50), ValidationSplit(0.2))
		if err != nil {
			t.Fatal(err)
		}
		if acc := h.Values("val_acc")[5]; !(acc > 0.8) {
			t.Errorf("expected it to learn, got a validation accuracy of %v", acc)
		}
		return slices.Clone(m.weights[0].Data)
	}
	want := fit(plain, ids)
	for _, threads := range []int{1, 3} {
		runtime.GOMAXPROCS(threads)
		m := textModel(t, layers.TextVectorization{MaxTokens: 30, OutputSequenceLength: 12}, texts, below...)
		golden.Compare(t, "table", fit(m, tensor.Texts(texts)), want, golden.Abs(0))
	}
}

// Nothing is allocated in a step that reads texts.
func TestNoAllocationInAStepOfTexts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // with more it is chance which worker meets the longest text first
	texts, kinds := opinions(128)
	for _, l := range []layers.TextVectorization{{OutputSequenceLength: 9, NGrams: []int{1, 2}}, {OutputMode: "tf_idf"}} {
		after := []layers.Spec{layers.Dense{Units: 1, Activation: activations.Sigmoid}}
		if l.OutputMode == "" {
			after = append([]layers.Spec{layers.Embedding{InputDim: 2000, OutputDim: 4}, layers.LSTM{Units: 8}}, after...)
		}
		m := textModel(t, l, texts, after...)
		d, err := Arrays(tensor.Texts(texts), kinds)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.ready(d); err != nil {
			t.Fatal(err)
		}
		m.compiled.start(m)
		s := m.newSession(m.compiled, true)
		rows := make([]int, 64)
		for i := range rows {
			rows[i] = 2 * i
		}
		total := newSums(m.compiled)
		at := 0
		run := func() {
			at++
			if _, err := s.train(d, rows, 0, at, &total); err != nil {
				t.Fatal(err)
			}
		}
		run()
		run()
		if n := testing.AllocsPerRun(20, run); n != 0 {
			t.Errorf("%v: expected no allocation in a step, got %v", l.OutputMode, n)
		}
		s.close()
	}
}

// A text without a word is a row of padding; a batch of such has no steps where the length is open.
func TestTextsWithoutWords(t *testing.T) {
	texts, _ := opinions(50)
	m := textModel(t, layers.TextVectorization{}, texts, layers.Embedding{InputDim: 40, OutputDim: 3}, layers.GRU{Units: 4, ReturnSequences: true}, layers.GRU{Units: 2})
	d, err := Arrays(&tensor.Text{Shape: tensor.Shape{3}, Data: []string{"", "!", " "}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Predict(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "predictions", got.Data, make([]float32, 6), golden.Abs(0))
}

func TestTextsWrong(t *testing.T) {
	texts, kinds := opinions(20)
	tail := []layers.Spec{layers.Embedding{InputDim: 10, OutputDim: 3}, layers.GRU{Units: 1, Activation: activations.Sigmoid}}
	expect := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, got %v", want, err)
		}
	}
	m := textModel(t, layers.TextVectorization{}, texts, tail...)
	d, err := Arrays(tensor.Texts(texts), kinds)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Fit(context.Background(), d, Epochs(1))
	expect(err, "expected ids from 0 to 9 (input_dim 10), got ")
	numbers, err := Arrays(tensor.New(20, 1), kinds)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Predict(context.Background(), numbers)
	expect(err, "expected input of shape (None, 1) (texts), got (20, 1) (floats)")
	ids, err := Sequential(tail...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ids.Predict(context.Background(), d)
	expect(err, "expected input of shape (None, None) (ids), got (20, 1) (texts)")

	unadapted, err := Sequential(append([]layers.Spec{layers.TextVectorization{Name: "words"}}, tail...)...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = unadapted.Predict(context.Background(), d)
	expect(err, `layer "words" has no vocabulary yet: Adapt gives one`)
	counts, err := Sequential(layers.TextVectorization{OutputMode: "count"}, layers.Dense{Units: 1})
	if err != nil || counts.built {
		t.Fatalf("expected a model that waits for its vocabulary, got %v", err)
	}
	if err := counts.Adapt(tensor.Texts(texts)); err != nil || !counts.built {
		t.Errorf("expected a built model, got %v", err)
	}
	expect(ids.Adapt(tensor.Texts(texts)), "Adapt: expected a model that begins with a TextVectorization, got one that begins with Embedding")
	if err := unadapted.Adapt(tensor.Texts(texts)); err != nil || !unadapted.built {
		t.Errorf("expected a built model, got %v", err)
	}
	terms := len(unadapted.specs[0].(layers.TextVectorization).Terms())
	if err := unadapted.Adapt(tensor.Texts([]string{"a b c"})); err != nil || len(unadapted.nodes[0].spec.(layers.TextVectorization).Terms()) != 5 || terms == 5 {
		t.Errorf("expected another vocabulary, got %v", err)
	}

	_, err = Sequential(layers.Input{Shape: tensor.Shape{1}, Text: true}, layers.Dense{Units: 2})
	expect(err, "Dense: expected ids or floats, got texts (None, 1): a TextVectorization makes some of them")
	_, err = Sequential(layers.TextVectorization{Vocabulary: []string{"a"}})
	expect(err, "expected a layer behind what is read of texts")
	expect(Apply(m.AsLayer(), Input(layers.Input{Shape: tensor.Shape{1}, Text: true})).Err(), "expected a model of ids or floats as a layer, got one that reads texts")
	_, err = Arrays(tensor.New(2), tensor.Texts(texts[:2]))
	expect(err, "y must be a *tensor.Tensor or a *tensor.IDs")
	_, err = Arrays(&tensor.Text{Shape: tensor.Shape{3, 1}, Data: texts[:2]}, nil)
	expect(err, "expected as many texts as shape (3, 1) says, got 2")
}
