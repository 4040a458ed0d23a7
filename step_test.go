package unroll

import (
	"context"
	"math"
	"runtime"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// stack is a model with every kind of layer that has something to get wrong: tables, masks, dropout, directions, stacks.
func stack(t testing.TB) *Model {
	t.Helper()
	m, err := Sequential(
		layers.Embedding{InputDim: 50, OutputDim: 6, MaskZero: true},
		layers.Bidirectional{Layer: layers.GRU{Units: 5, ReturnSequences: true, Dropout: 0.2}},
		layers.Dropout{Rate: 0.3},
		layers.LSTM{Units: 7, ReturnSequences: true, Dropout: 0.2, RecurrentDropout: 0.3},
		layers.SimpleRNN{Units: 4},
		layers.Dense{Units: 3, Activation: activations.Softmax},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// around is a model of the layers around the recurrent ones, with penalties and constraints.
func around(t testing.TB) *Model {
	t.Helper()
	penalty := regularizers.L1L2{L1: 0.01, L2: 0.02}
	m, err := Sequential(
		layers.Input{Shape: tensor.Shape{9}, IDs: true},
		layers.Embedding{InputDim: 50, OutputDim: 6, MaskZero: true, EmbeddingsConstraint: constraints.MaxNorm{Axis: []int{1}}, EmbeddingsRegularizer: penalty},
		layers.SpatialDropout1D{Rate: 0.2},
		layers.LayerNormalization{GammaRegularizer: regularizers.L2{}},
		layers.GaussianNoise{Stddev: 0.1},
		layers.TimeDistributed{Layer: layers.Dense{Units: 6, Activation: activations.Tanh}},
		layers.Conv1D{Filters: 8, KernelSize: 3, Padding: "same", Groups: 2, ActivityRegularizer: penalty, KernelConstraint: constraints.UnitNorm{Axis: []int{0, 1}}},
		layers.Dropout{Rate: 0.2, NoiseShape: tensor.Shape{tensor.None, tensor.None, 1}},
		layers.MaxPooling1D{Strides: 1},
		layers.Permute{Dims: []int{2, 1}},
		layers.AveragePooling1D{DataFormat: "channels_first"},
		layers.Reshape{TargetShape: []int{4, 8}},
		layers.GRU{Units: 5},
		layers.RepeatVector{N: 3},
		layers.GaussianDropout{Rate: 0.2},
		layers.Rescaling{Scale: []float64{0.5}},
		layers.Normalization{},
		layers.GlobalMaxPooling1D{KeepDims: true},
		layers.Flatten{},
		layers.Dense{Units: 3, KernelRegularizer: regularizers.Orthogonal{}},
		layers.Activation{Activation: activations.Softmax},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.RMSprop{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// inPiece is a model whose batch is one shard.
func inPiece(t testing.TB) *Model {
	t.Helper()
	m, err := Sequential(
		layers.Embedding{InputDim: 50, OutputDim: 6, MaskZero: true},
		layers.BatchNormalization{},
		layers.GRU{Units: 5, ReturnSequences: true},
		layers.GlobalMaxPooling1D{},
		layers.BatchNormalization{Renorm: true},
		layers.Dense{Units: 3, Activation: activations.Softmax},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.Adam{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// frontInPiece is such a model whose beginning is a front, with a held table.
func frontInPiece(t testing.TB) *Model {
	t.Helper()
	m, err := Sequential(
		layers.Embedding{InputDim: 50, OutputDim: 6, EmbeddingsConstraint: constraints.MaxNorm{Axis: []int{1}}},
		layers.LSTM{Units: 5, KernelRegularizer: regularizers.L2{}},
		layers.BatchNormalization{},
		layers.Dense{Units: 3, Activation: activations.Softmax},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.RMSprop{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// padded is sequences of ids, padded in front with zeros, and classes.
func padded(t testing.TB, rows, steps int) Data {
	t.Helper()
	s := random.New(7, random.Data)
	x, y := tensor.NewIDs(rows, steps), tensor.NewIDs(rows)
	for r := range rows {
		for i := s.IntN(steps + 1); i < steps; i++ {
			x.Data[r*steps+i] = int32(1 + s.IntN(49))
		}
		y.Data[r] = int32(s.IntN(3))
	}
	d, err := Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A run's weights depend on data, model and seed, not on the number of threads.
func TestSameBitsForAnyNumberOfThreads(t *testing.T) {
	data := padded(t, 150, 9)
	for name, build := range map[string]func(testing.TB) *Model{
		"stack": stack, "front": fronted, "both ways": bothWays(false), "both ways, masked": bothWays(true),
		"around": around, "one piece": inPiece, "front in one piece": frontInPiece,
	} {
		t.Run(name, func(t *testing.T) { checkSameBits(t, build, data) })
	}
}

func checkSameBits(t *testing.T, build func(testing.TB) *Model, data Data) {
	train := func(threads int) (*Model, *History) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		m := build(t)
		h, err := m.Fit(context.Background(), data, Epochs(3), BatchSize(64), ValidationSplit(0.2))
		if err != nil {
			t.Fatal(err)
		}
		return m, h
	}
	want, wantH := train(1)
	for _, threads := range []int{2, 3, 8} {
		got, gotH := train(threads)
		for i, w := range want.weights {
			for k, v := range w.Data {
				if math.Float32bits(v) != math.Float32bits(got.weights[i].Data[k]) {
					t.Fatalf("%d threads: %s[%d] = %v, with one thread %v", threads, w.Path, k, got.weights[i].Data[k], v)
				}
			}
		}
		for _, key := range wantH.Keys() {
			for e, v := range wantH.Values(key) {
				if v != gotH.Values(key)[e] {
					t.Errorf("%d threads: %s of epoch %d is %v, with one thread %v", threads, key, e+1, gotH.Values(key)[e], v)
				}
			}
		}
	}
}

// Nothing is allocated in a step once the workspaces have grown.
func TestNoAllocationInAStep(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates on its own")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, m := range map[string]*Model{
		"stack": stack(t), "front": fronted(t), "both ways": bothWays(false)(t), "both ways, masked": bothWays(true)(t),
		"around": around(t), "one piece": inPiece(t), "front in one piece": frontInPiece(t),
	} {
		t.Run(name, func(t *testing.T) { checkAllocations(t, m, padded(t, 64, 9)) })
	}
}

// fronted is a model of which every saving is taken.
func fronted(t testing.TB) *Model {
	t.Helper()
	return saving(t, false, layers.GRU{Units: 5, ReturnSequences: true}, layers.LSTM{Units: 7})
}

// bothWays is a model with a front of two lanes.
func bothWays(mask bool) func(testing.TB) *Model {
	return func(t testing.TB) *Model {
		t.Helper()
		return saving(t, mask, layers.Bidirectional{Layer: layers.LSTM{Units: 7}, BackwardLayer: layers.GRU{Units: 5, GoBackwards: true}})
	}
}

// saving is a model with a front of these layers, that goes by words.
func saving(t testing.TB, mask bool, stack ...layers.Spec) *Model {
	t.Helper()
	specs := append([]layers.Spec{layers.Embedding{InputDim: 50, OutputDim: 6, MaskZero: mask}}, stack...)
	m, err := Sequential(append(specs, layers.Dense{Units: 3, Activation: activations.Softmax})...)
	if err != nil {
		t.Fatal(err)
	}
	m.front.wordsFrom = 0
	if err := m.Compile(optimizers.RMSprop{}, losses.SparseCategoricalCrossentropy{}, metrics.Accuracy{}); err != nil {
		t.Fatal(err)
	}
	return m
}

func checkAllocations(t *testing.T, m *Model, data Data) {
	if err := m.ready(data); err != nil {
		t.Fatal(err)
	}
	s := m.newSession(m.compiled, true)
	defer s.close()
	rows := make([]int, 64)
	for i := range rows {
		rows[i] = i
	}
	total := newSums(m.compiled)
	step := func() {
		if _, err := s.train(data, rows, 0, 0, &total); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("a training step allocates %v times", n)
	}
}

// A batch cut into shards gives the gradients of the batch whole, up to the order of the sums.
func TestShardsAddUp(t *testing.T) {
	data := padded(t, 61, 9)
	gradients := func(perShard int) (float64, []float32) {
		m := stack(t)
		for i, n := range m.nodes { // without dropout, which is drawn by rows of a batch all the same
			if _, ok := n.spec.(layers.Dropout); ok {
				m.nodes[i].layer, _ = layers.Dropout{}.Build(nil, n.in)
			}
		}
		if err := m.ready(data); err != nil {
			t.Fatal(err)
		}
		s := m.newSession(m.compiled, true)
		defer s.close()
		s.perShard = perShard
		rows := make([]int, 61)
		for i := range rows {
			rows[i] = i
		}
		total := newSums(m.compiled)
		loss, err := s.train(data, rows, 0, 0, &total)
		if err != nil {
			t.Fatal(err)
		}
		return loss, append([]float32(nil), s.grads.total...)
	}
	wantLoss, want := gradients(64)
	for _, perShard := range []int{1, 7, 16} {
		loss, got := gradients(perShard)
		if !(math.Abs(loss-wantLoss) <= 1e-6) {
			t.Errorf("shards of %d rows: loss %v, whole batch %v", perShard, loss, wantLoss)
		}
		for i := range want {
			if err := math.Abs(float64(got[i] - want[i])); !(err <= 1e-6) {
				t.Fatalf("shards of %d rows: gradient %d is %v, whole batch %v", perShard, i, got[i], want[i])
			}
		}
	}
}
