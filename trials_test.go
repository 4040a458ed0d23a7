package unroll

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// trial is a model of ours with data for it.
type trial struct {
	name   string
	specs  []layers.Spec
	input  tensor.Shape // for models that begin with floats
	opt    optimizers.Optimizer
	loss   losses.Loss
	metric metrics.Metric
	frozen string // a layer whose weights are not trained
	ours   bool   // Keras does not know it
	random bool   // training draws dropout
}

func trials() []trial {
	floats := tensor.Shape{tensor.None, tensor.None, 4}
	embedding := layers.Embedding{InputDim: 30, OutputDim: 5}
	masked := layers.Embedding{InputDim: 30, OutputDim: 5, MaskZero: true}
	sigmoid := layers.Dense{Units: 1, Activation: activations.Sigmoid}
	binary, acc := losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}
	return []trial{
		{name: "lecture", specs: []layers.Spec{embedding, layers.SimpleRNN{Units: 6}, sigmoid}, opt: optimizers.RMSprop{}, loss: binary, metric: acc},
		{name: "stack", specs: []layers.Spec{masked, layers.LSTM{Units: 4, ReturnSequences: true, NoUnitForgetBias: true, ZeroOutputForMask: true}, layers.GRU{Units: 3, ReturnSequences: true},
			layers.LSTM{Name: "last", Units: 4, GoBackwards: true, RecurrentActivation: activations.HardSigmoid}, sigmoid},
			opt: optimizers.Adam{LearningRate: tensor.F(0.01), AMSGrad: true}, loss: binary, metric: metrics.BinaryAccuracy{}},
		{name: "both_ways", specs: []layers.Spec{layers.Input{Name: "x", Shape: floats[1:]},
			layers.Bidirectional{Layer: layers.GRU{Units: 3, NoResetAfter: true, ReturnSequences: true}, MergeMode: "sum"},
			layers.Bidirectional{Name: "two", Layer: layers.SimpleRNN{Name: "inner", Units: 2, NoBias: true}}, layers.Dense{Units: 3, Activation: activations.Softmax}},
			opt: optimizers.RMSprop{Momentum: 0.5, Centered: true}, loss: losses.SparseCategoricalCrossentropy{}, metric: metrics.SparseCategoricalAccuracy{}},
		{name: "schedule", specs: []layers.Spec{layers.LSTM{Units: 3, NoBias: true}, layers.Dense{Units: 2, NoBias: true}}, input: floats,
			opt: optimizers.SGD{Schedule: schedules.ExponentialDecay{Initial: 0.05, Steps: 2, Rate: 0.5}, Momentum: 0.9}, loss: losses.MeanSquaredError{}, metric: metrics.MeanAbsoluteError{}},
		{name: "two_layers", specs: []layers.Spec{layers.Bidirectional{Layer: layers.LSTM{Units: 3}, BackwardLayer: layers.GRU{Name: "back", Units: 2, GoBackwards: true}}}, input: floats,
			opt: optimizers.SGD{}, loss: losses.MeanAbsoluteError{}, metric: metrics.MeanSquaredError{Name: "mse"}},
		{name: "frozen", specs: []layers.Spec{embedding, layers.Bidirectional{Layer: layers.LSTM{Units: 2}}, sigmoid},
			opt: optimizers.AdamW{}, loss: losses.BinaryCrossentropy{LabelSmoothing: 0.1}, metric: acc, frozen: "bidirectional"},
		{name: "nadam", specs: []layers.Spec{embedding, layers.GRU{Units: 3}, sigmoid}, opt: optimizers.Nadam{LearningRate: tensor.F(0.01), Common: optimizers.Common{ClipNorm: tensor.F(0.1)}},
			loss: losses.BinaryFocalCrossentropy{Gamma: tensor.F(1.5)}, metric: metrics.AUC{NumThresholds: 20}},
		{name: "adafactor", specs: []layers.Spec{embedding, layers.LSTM{Units: 3}, sigmoid}, opt: optimizers.Adafactor{LearningRate: tensor.F(0.01), WeightDecay: tensor.F(0.01)}, loss: losses.Hinge{},
			metric: metrics.Precision{Threshold: tensor.F(0.4)}},
		{name: "averaged", specs: []layers.Spec{embedding, layers.SimpleRNN{Units: 3}, sigmoid}, opt: optimizers.Adagrad{LearningRate: tensor.F(0.1),
			Common: optimizers.Common{UseEMA: true, EMAMomentum: tensor.F(0.9), AccumulationSteps: 2, GlobalClipNorm: tensor.F(0.05)}}, loss: losses.Huber{}, metric: metrics.F1Score{Threshold: tensor.F(0.5)}},
		{name: "ftrl", specs: []layers.Spec{layers.SimpleRNN{Units: 3}, layers.Dense{Units: 2, Activation: activations.Softmax}}, input: floats,
			opt: optimizers.Ftrl{LearningRate: tensor.F(0.1), L1: 0.01, Beta: 0.1}, loss: losses.KLDivergence{}, metric: metrics.CategoricalAccuracy{}},
		{name: "lamb", specs: []layers.Spec{layers.SimpleRNN{Units: 3}, layers.Dense{Units: 2}}, input: floats, opt: optimizers.Lamb{LearningRate: tensor.F(0.1)}, loss: losses.CosineSimilarity{},
			metric: metrics.R2Score{}},
		{name: "dropout", specs: []layers.Spec{embedding, layers.Dropout{Rate: 0.25}, layers.LSTM{Units: 3, ReturnSequences: true, Dropout: 0.5, RecurrentDropout: 0.25},
			layers.Bidirectional{Layer: layers.SimpleRNN{Units: 3, Dropout: 0.5, Seed: tensor.F(4)}}, layers.Dropout{Rate: 0.5}, sigmoid},
			opt: optimizers.SGD{}, loss: binary, random: true},
		{name: "around", specs: []layers.Spec{masked, layers.LayerNormalization{GammaRegularizer: regularizers.L2{}, BetaConstraint: constraints.NonNeg{}},
			layers.TimeDistributed{Layer: layers.Dense{Units: 6, Activation: activations.Tanh, KernelRegularizer: regularizers.L1L2{L1: 0.01, L2: 0.02}}},
			layers.Conv1D{Filters: 4, KernelSize: 2, Groups: 2, Padding: "causal", ActivityRegularizer: regularizers.L2{}, KernelConstraint: constraints.MaxNorm{Axis: []int{0, 1}}},
			layers.BatchNormalization{Momentum: tensor.F(0.9)}, layers.MaxPooling1D{}, layers.AveragePooling1D{Strides: 1, Padding: "same"},
			layers.TimeDistributed{Name: "steps", Layer: layers.LayerNormalization{Name: "inner"}},
			layers.LSTM{Units: 3}, layers.RepeatVector{N: 2}, layers.Bidirectional{Layer: layers.GRU{Units: 2, ReturnSequences: true}},
			layers.GlobalMaxPooling1D{}, layers.BatchNormalization{Renorm: true, RenormClipping: layers.RenormClipping{DMax: tensor.F(3)}}, sigmoid},
			opt: optimizers.RMSprop{}, loss: binary, metric: acc},
		{name: "normalized", specs: []layers.Spec{layers.Input{Shape: tensor.Shape{6, 4}}, layers.Normalization{}, layers.Rescaling{Scale: []float64{0.5, 1, 2, 1}},
			layers.Masking{MaskValue: 3}, layers.SpatialDropout1D{}, layers.GaussianNoise{}, layers.GaussianDropout{}, layers.Dropout{NoiseShape: tensor.Shape{tensor.None, 1, tensor.None}},
			layers.Permute{Dims: []int{2, 1}}, layers.Reshape{TargetShape: []int{-1, 3}}, layers.Normalization{Mean: []float64{1, 2, 3}, Variance: []float64{1, 4, 9}},
			layers.LayerNormalization{Axis: []int{1, 2}, NoCenter: true}, layers.Flatten{}, layers.Dense{Units: 3, KernelConstraint: constraints.UnitNorm{}},
			layers.Activation{Activation: activations.Softmax}},
			opt: optimizers.SGD{}, loss: losses.SparseCategoricalCrossentropy{}, metric: metrics.SparseCategoricalAccuracy{}},
		{name: "averages", specs: []layers.Spec{embedding, layers.BatchNormalization{}, layers.GlobalAveragePooling1D{}, layers.Dense{Units: 3, NoBias: true}, layers.BatchNormalization{Axis: tensor.F(1)}, sigmoid},
			opt: optimizers.Adam{}, loss: binary, metric: acc, frozen: "batch_normalization"},
		{name: "equations", specs: []layers.Spec{embedding, layers.Bidirectional{Layer: layers.LectureLSTM(3)}, sigmoid},
			opt: optimizers.RMSprop{}, loss: binary, metric: acc, ours: true},
		{name: "stacked_equations", specs: []layers.Spec{layers.Recurrent{Units: 3, Cell: "output_t = tanh(dot(W, input_t) + dot(U, state_t) + b)", ReturnSequences: true},
			layers.LectureLSTM(3), layers.Dense{Units: 2}}, input: floats, opt: optimizers.Adam{}, loss: losses.MeanSquaredError{}, ours: true},
	}
}

// model is the trial's, with weights of which none is zero.
func (c *trial) model(t *testing.T) *Model {
	t.Helper()
	m, err := Sequential(c.specs...)
	if err != nil {
		t.Fatal(err)
	}
	if c.input != nil {
		if err := m.Build(c.input); err != nil {
			t.Fatal(err)
		}
	}
	s := random.New(7, random.Data)
	for _, w := range m.weights {
		for i := range w.Data {
			if w.Integer {
				break
			}
			w.Data[i] += 0.1 * float32(s.Normal())
		}
		if c.frozen != "" && strings.HasPrefix(w.Path, c.frozen+"/") {
			w.Trainable = false
		}
	}
	m.Touch()
	var ms []metrics.Metric
	if c.metric != nil {
		ms = append(ms, c.metric)
	}
	if err := m.Compile(c.opt, c.loss, ms...); err != nil {
		t.Fatal(err)
	}
	return m
}

// batches are n batches of 4 rows and 6 steps, as arrays with the batch's number first.
func (c *trial) batches(m *Model, n int) (x, y *npy.Array) {
	s := random.New(11, random.Data)
	shape := []int{n, 4, 6}
	if m.values[0].IDs {
		ids := make([]int32, n*4*6)
		for i := range ids {
			ids[i] = int32(s.IntN(30))
		}
		x = npy.From(ids, shape...)
	} else {
		shape = append(shape, m.values[0].Shape[2])
		v := make([]float32, n*4*6*m.values[0].Shape[2])
		for i := range v {
			v[i] = float32(s.Normal())
		}
		x = npy.From(v, shape...)
	}
	width := m.Output()[1]
	if _, sparse := c.loss.(losses.SparseCategoricalCrossentropy); sparse {
		classes := make([]int32, n*4)
		for i := range classes {
			classes[i] = int32(s.IntN(width))
		}
		return x, npy.From(classes, n, 4)
	}
	v := make([]float32, n*4*width)
	for i := range v {
		v[i] = float32(s.IntN(2))
	}
	return x, npy.From(v, n, 4, width)
}

// batch is batch i of such an array.
func batch(t *testing.T, a *npy.Array, i int) golden.Batch {
	t.Helper()
	shape := tensor.Shape(a.Shape[1:])
	n := shape.Size()
	if a.Kind() == 'f' {
		return golden.Batch{Floats: &tensor.Tensor{Shape: shape, Data: a.Float32()[i*n : (i+1)*n]}}
	}
	ids, err := a.Int32()
	if err != nil {
		t.Fatal(err)
	}
	return golden.Batch{IDs: &tensor.IDs{Shape: shape, Data: ids[i*n : (i+1)*n]}}
}
