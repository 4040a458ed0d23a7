package unroll

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// translator is an encoder and a decoder that share an embedding, with dropout in between and a nested block at the end, and a second output.
func translator(t testing.TB) *Model {
	t.Helper()
	source := Input(layers.Input{Name: "source", Shape: tensor.Shape{tensor.None}, IDs: true})
	target := Input(layers.Input{Name: "target", Shape: tensor.Shape{tensor.None}, IDs: true})
	words := Share(layers.Embedding{InputDim: 50, OutputDim: 6, MaskZero: true})
	encoded := Apply(layers.LSTM{Units: 5, ReturnState: true, Dropout: 0.1}, Apply(words, source))
	decoded := ApplyMasked(layers.LSTM{Units: 5, ReturnSequences: true}, Apply(words, target), encoded.At(1), encoded.At(2))
	block, err := Sequential(layers.Dense{Units: 7, Activation: activations.Tanh}, layers.Dropout{Rate: 0.2}, layers.Dense{Units: 5})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Functional([]Symbol{source, target}, []Symbol{
		Apply(layers.Dense{Name: "words", Units: 50, Activation: activations.Softmax}, Apply(block.AsLayer(), Apply(block.AsLayer(), decoded))),
		Apply(layers.Dense{Name: "kind", Units: 1, Activation: activations.Sigmoid}, encoded),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = m.CompileHeads(optimizers.RMSprop{},
		Head{Loss: losses.SparseCategoricalCrossentropy{}, Metrics: []metrics.Metric{metrics.Accuracy{}}},
		Head{Loss: losses.BinaryCrossentropy{}, LossWeight: tensor.F(0.5), WeightedMetrics: []metrics.Metric{metrics.Accuracy{}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sentences(t testing.TB, rows int) Data {
	t.Helper()
	s := random.New(9, random.Data)
	from, to, next := tensor.NewIDs(rows, 8), tensor.NewIDs(rows, 6), tensor.NewIDs(rows, 6)
	kind, weights := tensor.New(rows, 1), tensor.New(rows)
	draw := func(x *tensor.IDs) {
		steps := x.Shape[1]
		for r := range rows {
			for i := range 1 + s.IntN(steps) {
				x.Data[r*steps+i] = int32(1 + s.IntN(49))
			}
		}
	}
	draw(from)
	draw(to)
	draw(next)
	for r := range rows {
		kind.Data[r], weights.Data[r] = float32(s.IntN(2)), float32(s.Float64())
	}
	d, err := Arrays([]any{from, to}, []any{next, kind})
	if err != nil {
		t.Fatal(err)
	}
	if d, err = SampleWeights(d, nil, weights); err != nil {
		t.Fatal(err)
	}
	return d
}

// A graph, too, comes to the same bits with any number of threads, and learns.
func TestGraphsAreTheSameForAnyNumberOfThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []float32
	for _, threads := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(threads)
		m := translator(t)
		h, err := m.Fit(context.Background(), sentences(t, 70), Epochs(8), BatchSize(32), ValidationSplit(0.2))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"loss", "words_loss", "kind_loss", "words_accuracy", "kind_accuracy", "val_loss", "val_words_loss", "val_kind_loss", "val_words_accuracy", "val_kind_accuracy"}
		if got := h.Keys(); !slices.Equal(got, want) {
			t.Fatalf("expected the history %v, got %v", want, got)
		}
		if l := h.Values("loss"); !(l[7] < l[0]) {
			t.Errorf("expected a loss that falls, got %v", l)
		}
		var all []float32
		for _, w := range m.Weights() {
			all = append(all, w.Data...)
		}
		if first == nil {
			first = all
		}
		if !slices.Equal(all, first) {
			t.Errorf("%d threads: other weights than with one", threads)
		}
	}
}

func TestNoAllocationInAGraphsStep(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates on its own")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	checkAllocations(t, translator(t), sentences(t, 64))
}

// A chain of applications is the sequential model of these layers, bit for bit, with the front and all.
func TestFunctionalChainIsSequential(t *testing.T) {
	specs := []layers.Spec{
		layers.Embedding{InputDim: 50, OutputDim: 6}, layers.GRU{Units: 5, ReturnSequences: true}, layers.LSTM{Units: 7},
		layers.Dropout{Rate: 0.3}, layers.Dense{Units: 3, Activation: activations.Softmax},
	}
	a, err := Sequential(specs...)
	if err != nil {
		t.Fatal(err)
	}
	x := Input(layers.Input{Shape: tensor.Shape{tensor.None}, IDs: true})
	y := x
	for _, s := range specs {
		y = Apply(s, y)
	}
	b, err := Functional([]Symbol{x}, []Symbol{y})
	if err != nil {
		t.Fatal(err)
	}
	if b.front == nil {
		t.Errorf("expected a front, got none: %s", b.noFront)
	}
	for _, m := range []*Model{a, b} {
		if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Fit(context.Background(), padded(t, 70, 9), Epochs(2)); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range a.Weights() {
		if !slices.Equal(w.Data, b.Weights()[i].Data) {
			t.Errorf("%s: other values than %s", b.Weights()[i].Path, w.Path)
		}
	}
}

// Models over the same values share their layers: what one learns the other knows, whoever predicted in between.
func TestModelsShareLayers(t *testing.T) {
	x := Input(layers.Input{Shape: tensor.Shape{4}})
	code := Apply(layers.Dense{Units: 2, Activation: activations.Tanh}, x)
	decode := Share(layers.Dense{Units: 4})
	auto, err := Functional([]Symbol{x}, []Symbol{Apply(decode, code)})
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := Functional([]Symbol{x}, []Symbol{code})
	if err != nil {
		t.Fatal(err)
	}
	z := Input(layers.Input{Shape: tensor.Shape{2}})
	decoder, err := Functional([]Symbol{z}, []Symbol{Apply(decode, z)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(encoder.Weights())+len(decoder.Weights()), len(auto.Weights()); got != want || encoder.Weights()[0] != auto.Weights()[0] {
		t.Fatalf("expected the weights of one model in the two others, got %d of %d", got, want)
	}
	if err := auto.Compile(optimizers.SGD{LearningRate: tensor.F(0.1)}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	data := tensor.New(16, 4)
	s := random.New(3, random.Data)
	for i := range data.Data {
		data.Data[i] = float32(s.Normal())
	}
	d, err := Arrays(data, data)
	if err != nil {
		t.Fatal(err)
	}
	predict := func(m *Model, x *tensor.Tensor) *tensor.Tensor {
		d, err := Arrays(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Predict(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for range 3 {
		if _, err := auto.Fit(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		whole, parts := predict(auto, data), predict(decoder, predict(encoder, data))
		if !slices.Equal(whole.Data, parts.Data) {
			t.Errorf("expected encoder and decoder to predict what the whole predicts")
		}
	}
}

// Class weights are sample weights by class.
func TestClassWeight(t *testing.T) {
	data := padded(t, 40, 6).(*arrays)
	weights := tensor.New(40)
	for i, c := range data.y[0].IDs {
		weights.Data[i] = []float32{2, 0.5, 1}[c]
	}
	byRow, err := SampleWeights(data, weights)
	if err != nil {
		t.Fatal(err)
	}
	fit := func(d Data, opts ...FitOption) []float64 {
		m := saving(t, true, layers.GRU{Units: 5})
		h, err := m.Fit(context.Background(), d, append(opts, Epochs(3), BatchSize(16))...)
		if err != nil {
			t.Fatal(err)
		}
		return h.Values("loss")
	}
	a, b, c := fit(byRow), fit(data, ClassWeight(map[int]float64{0: 2, 1: 0.5})), fit(data)
	if !slices.Equal(a, b) {
		t.Errorf("expected the losses of sample weights, %v, got %v", a, b)
	}
	if slices.Equal(a, c) {
		t.Errorf("weights changed nothing")
	}
	m := saving(t, true, layers.GRU{Units: 5})
	const want = "class_weight: expected data without sample weights, got both"
	if _, err := m.Fit(context.Background(), byRow, ClassWeight(map[int]float64{0: 2})); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("expected the error %q, got %v", want, err)
	}
}

func TestWrongGraphs(t *testing.T) {
	words := Input(layers.Input{Name: "words", Shape: tensor.Shape{tensor.None}, IDs: true})
	row := Input(layers.Input{Name: "row", Shape: tensor.Shape{3}})
	lstm := Apply(layers.LSTM{Units: 4, ReturnState: true}, Apply(layers.Embedding{InputDim: 9, OutputDim: 2}, words))
	dense := Share(layers.Dense{Name: "d", Units: 2})
	for want, symbols := range map[string][2][]Symbol{
		"Functional: expected at least one input and one output, got 1 and 0":                            {{row}, nil},
		"the outputs depend on the input \"words\" of shape (None, None), which is not among the inputs": {{row}, {lstm}},
		`layer "LSTM": layers: LSTM: expected sequences (N, T, C), got vectors (None, 3)`:                {{row}, {Apply(layers.LSTM{Units: 4}, row)}},
		"At: LSTM has 3 results, numbered from 0, got 3":                                                 {{words}, {lstm.At(3)}},
		"expected a value that Input or Apply made, got none":                                            {{row}, {{}}},
		"Apply: Dense: input 0 is no value: it was made by neither Input nor Apply":                      {{row}, {Apply(layers.Dense{Units: 1}, Symbol{})}},
		"Apply: Dense: expected at least one input, got none":                                            {{row}, {Apply(layers.Dense{Units: 1})}},
		"Apply: expected a layer, got nil":                                                               {{row}, {Apply(nil, row)}},
		`layer "d": layers: Dense: expected a last axis of 3, got 4`:                                     {{row, words}, {Apply(dense, row), Apply(dense, lstm)}},
		"Functional: input 1 is given twice":                                                             {{row, row}, {Apply(layers.Dense{Units: 1}, row)}},
		`Functional: expected a name of its own for every layer, got "a" twice`:                          {{row}, {Apply(layers.Dense{Name: "a", Units: 1}, Apply(layers.Dense{Name: "a", Units: 1}, row))}},
		`LSTM: initial_state must be one value for each of the 2 states, got 1`:                          {{words}, {Apply(layers.LSTM{Units: 4}, Apply(layers.Embedding{InputDim: 9, OutputDim: 2}, words), lstm)}},
		"Input: shape must have at least one axis behind the batch, got ()":                              {{Input(layers.Input{})}, {row}},
	} {
		if _, err := Functional(symbols[0], symbols[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected the error %q, got %v", want, err)
		}
	}
	m := translator(t)
	if _, err := m.Predict(context.Background(), sentences(t, 4)); err == nil || !strings.Contains(err.Error(), "the model has 2 outputs: use PredictAll") {
		t.Errorf("expected an error about outputs, got %v", err)
	}
	one, err := Arrays(tensor.NewIDs(4, 3), tensor.NewIDs(4))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fit(context.Background(), one); err == nil || !strings.Contains(err.Error(), "expected targets for every output of the model, 2, got 1") {
		t.Errorf("expected an error about targets, got %v", err)
	}
	if _, err := m.PredictAll(context.Background(), one); err == nil || !strings.Contains(err.Error(), "expected data with 2 inputs, as the model has, got 1") {
		t.Errorf("expected an error about inputs, got %v", err)
	}
	if err := m.Compile(optimizers.SGD{}, losses.MeanSquaredError{}); err == nil || !strings.Contains(err.Error(), "expected a loss for every output of the model, 2") {
		t.Errorf("expected an error about losses, got %v", err)
	}
}
