package unroll

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
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
			if _, err := m.Fit(context.Background(), padded(t, 32, 7), BatchSize(16), Epochs(2)); err != nil {
				t.Fatal(err)
			}
			p, err := m.Predict(context.Background(), padded(t, 16, 7), BatchSize(16))
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Clone(p.Data)
			for _, w := range m.Weights() {
				got = append(got, w.Data...)
			}
			if want[name] == nil {
				want[name] = got
			}
			if !slices.Equal(got, want[name]) {
				t.Errorf("%s, %d threads: other numbers than with one", name, threads)
			}
		}
	}
}
