package unroll

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// wide are models whose batch of 16 rows is one shard, which the threads take together.
func wide(t *testing.T) map[string]*Model {
	t.Helper()
	models := map[string]*Model{}
	for name, stack := range map[string][]layers.Spec{
		"lstm":     {layers.LSTM{Units: 160}},
		"dropout":  {layers.LSTM{Units: 160, Dropout: 0.2, RecurrentDropout: 0.2}},
		"both":     {layers.Bidirectional{Layer: layers.GRU{Units: 160}}},
		"stack":    {layers.SimpleRNN{Units: 280, ReturnSequences: true}, layers.TimeDistributed{Layer: layers.Dense{Units: 9}}, layers.LSTM{Units: 160}},
		"equation": {layers.PeepholeLSTM(160)},
	} {
		specs := append([]layers.Spec{layers.Embedding{InputDim: 50, OutputDim: 12, MaskZero: name == "both"}}, stack...)
		m, err := Sequential(append(specs, layers.Dense{Units: 3, Activation: activations.Softmax})...)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		models[name] = m
	}
	return models
}

// batchOfOne is a batch that is one shard of models like these.
const batchOfOne = 16

// learned is what a model predicts for question after two epochs, and its weights.
func learned(t *testing.T, m *Model, data, question Data) []float32 {
	t.Helper()
	if _, err := m.Fit(context.Background(), data, BatchSize(batchOfOne), Epochs(2)); err != nil {
		t.Fatal(err)
	}
	p, err := m.Predict(context.Background(), question, BatchSize(batchOfOne))
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Clone(p.Data)
	for _, w := range m.Weights() {
		got = append(got, w.Data...)
	}
	return got
}

// Shards of very wide layers are taken one after the other, by all threads.
func TestThreadsShareShards(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want []float32
	for _, threads := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(threads)
		m, err := Sequential(layers.Embedding{InputDim: 50, OutputDim: 8}, layers.LSTM{Units: 264}, layers.Dense{Units: 3, Activation: activations.Softmax})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		data := padded(t, 300, 5)
		if _, err := m.Fit(context.Background(), data, BatchSize(150)); err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(context.Background(), data, BatchSize(300))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = p.Data
		}
		if !slices.Equal(p.Data, want) {
			t.Errorf("%d threads: other numbers than with one", threads)
		}
		if err := m.Without(Savings()...); err != nil { // each worker its own shards, as before
			t.Fatal(err)
		}
		plain, err := m.Predict(context.Background(), data, BatchSize(300))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(plain.Data, want) {
			t.Errorf("%d threads, without savings: other predictions", threads)
		}
	}
}

// Few rows of wide layers: threads take every step together, and get what one thread gets, bit for bit.
func TestThreadsShareSteps(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	want := map[string][]float32{}
	for _, threads := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(threads)
		for name, m := range wide(t) {
			got := learned(t, m, padded(t, 32, 7), padded(t, 16, 7))
			if want[name] == nil {
				want[name] = got
			}
			if !slices.Equal(got, want[name]) {
				t.Errorf("%s, %d threads: other numbers than with one", name, threads)
			}
		}
	}
}

// What else a shard of the whole batch computes is shared as well: windows, statistics, a layer with many units, its loss.
func TestThreadsShareLayers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const rows, steps = batchOfOne, 60
	s := random.New(3, random.Data)
	x, last, each := tensor.NewIDs(rows, steps), tensor.NewIDs(rows), tensor.NewIDs(rows, steps)
	for i := range x.Data {
		x.Data[i], each.Data[i] = int32(s.IntN(50)), int32(s.IntN(700))
	}
	for i := range last.Data {
		last.Data[i] = int32(s.IntN(700))
	}
	softmax := layers.Dense{Units: 700, Activation: activations.Softmax}
	models := map[string]struct {
		stack  []layers.Spec
		target *tensor.IDs
	}{
		"language": {[]layers.Spec{layers.LSTM{Units: 160, ReturnSequences: true}, softmax}, each},
		"gelu":     {[]layers.Spec{layers.LSTM{Units: 160, ReturnSequences: true}, layers.Dense{Units: 40, Activation: activations.GELU}, softmax}, each},
		"few rows": {[]layers.Spec{layers.LSTM{Units: 160}, layers.Dense{Units: 1003, Activation: activations.ReLU}, softmax}, last},
		"windows":  {[]layers.Spec{layers.Conv1D{Filters: 48, KernelSize: 5}, layers.BatchNormalization{}, layers.LSTM{Units: 160}, softmax}, last},
		"strides": {[]layers.Spec{layers.Conv1D{Filters: 96, KernelSize: 6, Strides: 2, Padding: "same", Groups: 3}, layers.BatchNormalization{},
			layers.Conv1D{Filters: 33, KernelSize: 3, DilationRate: 4, Padding: "causal"}, layers.LSTM{Units: 160}, softmax}, last},
	}
	for name, c := range models {
		t.Run(name, func(t *testing.T) {
			var want []float32
			for _, threads := range []int{1, 2, 3, 8} {
				runtime.GOMAXPROCS(threads)
				m, err := Sequential(append([]layers.Spec{layers.Embedding{InputDim: 50, OutputDim: 24}}, c.stack...)...)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}); err != nil {
					t.Fatal(err)
				}
				data, err := Arrays(x, c.target)
				if err != nil {
					t.Fatal(err)
				}
				got := learned(t, m, data, data)
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d threads: other numbers than with one", threads)
				}
			}
		})
	}
}
