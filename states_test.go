package unroll

import (
	"context"
	"math"
	"path/filepath"

	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// statefulModel is a model whose layers keep their states, or not.
func statefulModel(t *testing.T, keeps bool) *Model {
	t.Helper()
	m, err := Sequential(layers.Input{Shape: tensor.Shape{tensor.None, 3}},
		layers.LSTM{Units: 5, Stateful: keeps, ReturnSequences: true},
		layers.RNN{Cells: []layers.Spec{layers.GRU{Units: 4}, layers.SimpleRNN{Units: 3}}, Stateful: keeps},
		layers.Dense{Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Init(3); err != nil {
		t.Fatal(err)
	}
	return m
}

// sequenceOf is n rows of t steps.
func sequenceOf(n, t int) *tensor.Tensor {
	x := &tensor.Tensor{Shape: tensor.Shape{n, t, 3}, Data: make([]float32, n*t*3)}
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(i) * 1.7))
	}
	return x
}

// cut are the steps from lo to before hi of all rows.
func cut(x *tensor.Tensor, lo, hi int) *tensor.Tensor {
	n, t, w := x.Shape[0], x.Shape[1], x.Shape[2]
	out := &tensor.Tensor{Shape: tensor.Shape{n, hi - lo, w}}
	for r := range n {
		out.Data = append(out.Data, x.Data[(r*t+lo)*w:(r*t+hi)*w]...)
	}
	return out
}

func predicted(t *testing.T, m *Model, x *tensor.Tensor) []float32 {
	t.Helper()
	d, err := Arrays(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Predict(context.Background(), d, BatchSize(x.Shape[0]))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out.Data)
}

// Sequences in pieces give, to the bit, what they give in one, in more shards than one, and after a reset again.
func TestStatefulGoesOn(t *testing.T) {
	x := sequenceOf(40, 9)
	want := predicted(t, statefulModel(t, false), x)
	m := statefulModel(t, true)
	for range 2 {
		predicted(t, m, cut(x, 0, 4))
		predicted(t, m, cut(x, 4, 5))
		if got := predicted(t, m, cut(x, 5, 9)); !slices.Equal(got, want) {
			t.Fatal("sequences in pieces give other numbers than in one")
		}
		if slices.Equal(predicted(t, m, cut(x, 5, 9)), want) {
			t.Fatal("the states did not go on")
		}
		m.ResetStates()
	}
}

// Training leaves states too, with rows in any number of shards: the same whatever the number of threads.
func TestStatefulTraining(t *testing.T) {
	x, y := sequenceOf(64, 6), &tensor.Tensor{Shape: tensor.Shape{64, 2}, Data: make([]float32, 128)}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want []float32
	for _, threads := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(threads)
		m := statefulModel(t, true)
		if err := m.Compile(&optimizers.SGD{}, losses.MeanSquaredError{}); err != nil {
			t.Fatal(err)
		}
		d, err := Arrays(x, y)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(32), Shuffle(false)); err != nil {
			t.Fatal(err)
		}
		got := predicted(t, m, cut(sequenceOf(32, 6), 0, 2))
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads: other numbers than with one", threads)
		}
		m.ResetStates()
		if slices.Equal(predicted(t, m, cut(sequenceOf(32, 6), 0, 2)), got) {
			t.Error("training left no states")
		}
	}
}

// A batch of another size cannot go on.
func TestStatefulBatchSize(t *testing.T) {
	m := statefulModel(t, true)
	predicted(t, m, sequenceOf(4, 2))
	d, err := Arrays(sequenceOf(3, 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Predict(context.Background(), d)
	const want = `unroll: layer "lstm": layers: LSTM: stateful: expected batches of 4 rows, as the first since the states were reset, got 3`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("expected error %q, got %v", want, err)
	}
	m.ResetStates()
	predicted(t, m, sequenceOf(3, 2))
}

// A front walks no layer whose states come from elsewhere or go there, and says why.
func TestStatesKeepOutOfTheFront(t *testing.T) {
	for want, l := range map[string]layers.Spec{
		"lstm begins where the batch before ended (stateful)":                  layers.LSTM{Units: 2, Stateful: true},
		"rnn is a stack of cells (RNN)":                                        layers.RNN{Cells: []layers.Spec{layers.GRU{Units: 2}, layers.GRU{Units: 2}}},
		"bidirectional begins where the batch before ended (stateful)":         layers.Bidirectional{Layer: layers.GRU{Units: 2, Stateful: true}},
		"bidirectional has layers whose activity regularizer sees every value": layers.Bidirectional{Layer: layers.GRU{Units: 2, ActivityRegularizer: regularizers.L2{}}},
		"": layers.RNN{Cell: layers.LSTM{Units: 2}},
	} {
		words := Input(layers.Input{Shape: tensor.Shape{tensor.None}, IDs: true})
		out := Apply(layers.Dense{Units: 1}, Apply(l, Apply(layers.Embedding{InputDim: 7, OutputDim: 3}, words)))
		m, err := Functional([]Symbol{words}, []Symbol{out})
		if err != nil {
			t.Fatal(err)
		}
		if m.noFront != want {
			t.Errorf("%T: expected %q, got %q", l, want, m.noFront)
		}
	}
}

// Nor is anything allocated in a step with states.
func TestNoAllocationWithStates(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates on its own")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	two := []layers.Spec{layers.GRU{Units: 4}, layers.LSTM{Units: 3, Dropout: 0.2}}
	m, err := Sequential(layers.Embedding{InputDim: 50, OutputDim: 6, MaskZero: true},
		layers.LSTM{Units: 5, Stateful: true, ReturnSequences: true},
		layers.Bidirectional{Layer: layers.RNN{Cells: two, Stateful: true, ReturnSequences: true, ActivityRegularizer: regularizers.L2{}}},
		layers.RNN{Cells: two, GoBackwards: true, ReturnSequences: true},
		layers.TimeDistributed{Layer: layers.BatchNormalization{}},
		layers.SimpleRNN{Units: 4},
		layers.Dense{Units: 3, Activation: activations.Softmax})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.RMSprop{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		t.Fatal(err)
	}
	checkAllocations(t, m, padded(t, 64, 9))
}

// The states of a stack of cells go from one layer to another, through a file too, where Keras has them in a list for each cell.
func TestStatesOfAStackInAGraph(t *testing.T) {
	stack := func(name string) layers.RNN {
		return layers.RNN{Name: name, Cells: []layers.Spec{layers.LSTM{Units: 4}, layers.GRU{Units: 3}}, ReturnState: true, ReturnSequences: true}
	}
	x := Input(layers.Input{Name: "x", Shape: tensor.Shape{tensor.None, 3}})
	first := Apply(stack("first"), x)
	second := Apply(stack("second"), first, first.At(1), first.At(2), first.At(3))
	m, err := Functional([]Symbol{x}, []Symbol{Apply(layers.Dense{Units: 2}, second.At(2))})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Init(5); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.keras")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	read, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	in := sequenceOf(20, 6)
	want := predicted(t, m, in)
	if got := predicted(t, read, in); !slices.Equal(got, want) {
		t.Errorf("expected %v from the file, got %v", want[:4], got[:4])
	}
}
