package layers_test

import (
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/layertest"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

const open = tensor.None

// Every layer, in the forms that run different code.
func TestConformance(t *testing.T) {
	vectors, sequences := tensor.Shape{open, 4}, tensor.Shape{open, open, 4}
	first := tensor.Shape{open, 4, 6}
	conform(t, recurrentCases()...)
	conform(t,
		layertest.Case{Spec: layers.Embedding{InputDim: 7, OutputDim: 3}, In: tensor.Shape{open, open}, IDs: 7, Out: tensor.Shape{open, open, 3}, Params: 21, Mask: layertest.Drops},
		layertest.Case{Name: "Embedding mask_zero", Spec: layers.Embedding{InputDim: 7, OutputDim: 3, MaskZero: true}, In: tensor.Shape{open, open}, IDs: 7,
			Out: tensor.Shape{open, open, 3}, Params: 21, Mask: layertest.Makes},
		layertest.Case{Spec: layers.Dense{Units: 3, Activation: activations.Tanh}, In: vectors, Out: tensor.Shape{open, 3}, Params: 15},
		layertest.Case{Name: "Dense softmax over steps", Spec: layers.Dense{Units: 3, Activation: activations.Softmax, NoBias: true}, In: sequences, Out: tensor.Shape{open, open, 3}, Params: 12},
		layertest.Case{Spec: layers.Dropout{Rate: 0.4}, In: sequences, Out: sequences, Random: true},
		layertest.Case{Name: "Dropout of steps", Spec: layers.Dropout{Rate: 0.4, NoiseShape: tensor.Shape{open, open, 1}, Seed: tensor.F(3)}, In: sequences, Out: sequences, Random: true},
		layertest.Case{Name: "Dropout rate 0", Spec: layers.Dropout{}, In: vectors, Out: vectors},
		layertest.Case{Spec: layers.SpatialDropout1D{Rate: 0.4, Seed: tensor.F(2)}, In: sequences, Out: sequences, Random: true},
		layertest.Case{Spec: layers.GaussianNoise{Stddev: 0.5}, In: sequences, Out: sequences, Random: true},
		layertest.Case{Spec: layers.GaussianDropout{Rate: 0.3}, In: sequences, Out: sequences, Random: true},
		layertest.Case{Spec: layers.Activation{Activation: activations.SiLU}, In: sequences, Out: sequences},
		layertest.Case{Name: "Activation softmax", Spec: layers.Activation{Activation: activations.Softmax}, In: sequences, Out: sequences},
		layertest.Case{Spec: layers.Masking{MaskValue: 0.5}, In: sequences, Out: sequences, Mask: layertest.Makes},
	)
	conform(t,
		layertest.Case{Spec: layers.RepeatVector{N: 3}, In: vectors, Out: tensor.Shape{open, 3, 4}, Mask: layertest.Drops},
		layertest.Case{Spec: layers.Flatten{}, In: first, Out: tensor.Shape{open, 24}, Mask: layertest.Drops},
		layertest.Case{Name: "Flatten of open length", Spec: layers.Flatten{}, In: sequences, Out: tensor.Shape{open, open}, Mask: layertest.Drops},
		layertest.Case{Name: "Flatten channels_first", Spec: layers.Flatten{DataFormat: "channels_first"}, In: first, Out: tensor.Shape{open, 24}, Mask: layertest.Drops},
		layertest.Case{Spec: layers.Reshape{TargetShape: []int{3, -1, 2}}, In: first, Out: tensor.Shape{open, 3, 4, 2}, Mask: layertest.Drops},
		layertest.Case{Name: "Reshape of open length", Spec: layers.Reshape{TargetShape: []int{-1, 2}}, In: sequences, Out: tensor.Shape{open, open, 2}, Mask: layertest.Drops},
		layertest.Case{Spec: layers.Permute{Dims: []int{2, 1}}, In: sequences, Out: tensor.Shape{open, 4, open}, Mask: layertest.Drops},
		layertest.Case{Name: "Permute of three axes", Spec: layers.Permute{Dims: []int{3, 1, 2}}, In: tensor.Shape{open, 2, 3, 4}, Out: tensor.Shape{open, 4, 2, 3}, Mask: layertest.Drops},
	)
	conform(t,
		layertest.Case{Spec: layers.GlobalMaxPooling1D{}, In: sequences, Out: vectors, Mask: layertest.Drops},
		layertest.Case{Name: "GlobalMaxPooling1D channels_first", Spec: layers.GlobalMaxPooling1D{DataFormat: "channels_first", KeepDims: true}, In: first, Out: tensor.Shape{open, 4, 1}, Mask: layertest.Refuses},
		layertest.Case{Spec: layers.GlobalAveragePooling1D{}, In: sequences, Out: vectors, Mask: layertest.Drops},
		layertest.Case{Name: "GlobalAveragePooling1D keepdims", Spec: layers.GlobalAveragePooling1D{KeepDims: true}, In: sequences, Out: tensor.Shape{open, 1, 4}, Mask: layertest.Drops},
		layertest.Case{Name: "GlobalAveragePooling1D channels_first", Spec: layers.GlobalAveragePooling1D{DataFormat: "channels_first"}, In: first, Out: vectors, Mask: layertest.Refuses},
		layertest.Case{Spec: layers.MaxPooling1D{}, In: sequences, Out: sequences, Mask: layertest.Drops},
		layertest.Case{Name: "MaxPooling1D same", Spec: layers.MaxPooling1D{PoolSize: 3, Strides: 2, Padding: "same"}, In: tensor.Shape{open, 8, 4}, Out: tensor.Shape{open, 4, 4}, Mask: layertest.Drops},
		layertest.Case{Name: "MaxPooling1D channels_first", Spec: layers.MaxPooling1D{DataFormat: "channels_first"}, In: first, Out: tensor.Shape{open, 4, 3}, Mask: layertest.Drops},
		layertest.Case{Spec: layers.AveragePooling1D{PoolSize: 3, Strides: 1}, In: sequences, Out: sequences, Mask: layertest.Drops},
		layertest.Case{Name: "AveragePooling1D same", Spec: layers.AveragePooling1D{PoolSize: 4, Padding: "same", DataFormat: "channels_first"}, In: first, Out: tensor.Shape{open, 4, 2}, Mask: layertest.Drops},
	)
	conform(t,
		layertest.Case{Spec: layers.Conv1D{Filters: 6, KernelSize: 3}, In: sequences, Out: tensor.Shape{open, open, 6}, Params: 78, Mask: layertest.Drops},
		layertest.Case{Name: "Conv1D strides", Spec: layers.Conv1D{Filters: 2, KernelSize: 3, Strides: 2, Padding: "same", Activation: activations.Tanh}, In: tensor.Shape{open, 8, 4}, Out: tensor.Shape{open, 4, 2}, Params: 26, Mask: layertest.Drops},
		layertest.Case{Name: "Conv1D causal", Spec: layers.Conv1D{Filters: 2, KernelSize: 3, DilationRate: 2, Padding: "causal", NoBias: true}, In: sequences, Out: tensor.Shape{open, open, 2}, Params: 24, Mask: layertest.Drops},
		layertest.Case{Name: "Conv1D groups", Spec: layers.Conv1D{Filters: 6, KernelSize: 2, Groups: 2, Padding: "same"}, In: sequences, Out: tensor.Shape{open, open, 6}, Params: 30, Mask: layertest.Drops},
		layertest.Case{Name: "Conv1D channels_first", Spec: layers.Conv1D{Filters: 3, KernelSize: 2, Activation: activations.Softmax, DataFormat: "channels_first"}, In: first, Out: tensor.Shape{open, 3, 5}, Params: 27, Mask: layertest.Drops},
		layertest.Case{Spec: layers.LayerNormalization{}, In: sequences, Out: sequences, Params: 8},
		layertest.Case{Name: "LayerNormalization of steps", Spec: layers.LayerNormalization{Axis: []int{1}, NoCenter: true, Epsilon: tensor.F(0.1)}, In: first, Out: first, Params: 4},
		layertest.Case{Name: "LayerNormalization of all", Spec: layers.LayerNormalization{Axis: []int{1, -1}}, In: first, Out: first, Params: 48},
		layertest.Case{Name: "LayerNormalization apart", Spec: layers.LayerNormalization{Axis: []int{1, 3}, NoScale: true}, In: tensor.Shape{open, 2, 3, 4}, Out: tensor.Shape{open, 2, 3, 4}, Params: 8},
		layertest.Case{Name: "LayerNormalization rms", Spec: layers.LayerNormalization{RMSScaling: true}, In: sequences, Out: sequences, Params: 4},
		layertest.Case{Spec: layers.BatchNormalization{}, In: sequences, Out: sequences, Params: 16, Mixes: true},
		layertest.Case{Name: "BatchNormalization of vectors", Spec: layers.BatchNormalization{NoScale: true, Momentum: tensor.F(0.5)}, In: vectors, Out: vectors, Params: 12, Mixes: true},
		layertest.Case{Name: "BatchNormalization of steps", Spec: layers.BatchNormalization{Axis: tensor.F(1)}, In: first, Out: first, Params: 16, Mixes: true},
		layertest.Case{Name: "BatchNormalization plain", Spec: layers.BatchNormalization{NoScale: true, NoCenter: true}, In: tensor.Shape{open, 2, 3, 4}, Out: tensor.Shape{open, 2, 3, 4}, Params: 8, Mixes: true, Mask: layertest.Refuses},
		layertest.Case{Name: "BatchNormalization renorm", Spec: layers.BatchNormalization{Renorm: true, RenormClipping: layers.RenormClipping{RMax: tensor.F(1.5), DMax: tensor.F(0.5)}}, In: sequences, Out: sequences, Params: 28, Mixes: true, Kinks: true},
		layertest.Case{Spec: layers.Normalization{}, In: sequences, Out: sequences, Params: 9},
		layertest.Case{Name: "Normalization given", Spec: layers.Normalization{Mean: []float64{0.5}, Variance: []float64{4}, Invert: true}, In: sequences, Out: sequences},
		layertest.Case{Name: "Normalization of all", Spec: layers.Normalization{Axis: []int{}}, In: vectors, Out: vectors, Params: 3},
		layertest.Case{Name: "Normalization of two axes", Spec: layers.Normalization{Axis: []int{1, 2}}, In: first, Out: first, Params: 49},
		layertest.Case{Spec: layers.Rescaling{Scale: []float64{0.5}, Offset: []float64{1, 2, 3, 4}}, In: sequences, Out: sequences},
	)
	conform(t,
		layertest.Case{Spec: layers.TimeDistributed{Layer: layers.Dense{Units: 3, Activation: activations.Tanh}}, In: sequences, Out: tensor.Shape{open, open, 3}, Params: 15},
		layertest.Case{Name: "TimeDistributed Conv1D", Spec: layers.TimeDistributed{Layer: layers.Conv1D{Name: "c", Filters: 2, KernelSize: 2}}, In: tensor.Shape{open, open, 5, 3}, Out: tensor.Shape{open, open, 4, 2}, Params: 14},
		layertest.Case{Name: "TimeDistributed LSTM", Spec: layers.TimeDistributed{Layer: layers.LSTM{Units: 2, ReturnSequences: true}}, In: tensor.Shape{open, open, 4, 3}, Out: tensor.Shape{open, open, 4, 2}, Params: 48, Mask: layertest.Refuses},
		layertest.Case{Name: "TimeDistributed Flatten", Spec: layers.TimeDistributed{Layer: layers.Flatten{}}, In: tensor.Shape{open, open, 2, 3}, Out: tensor.Shape{open, open, 6}},
		layertest.Case{Name: "TimeDistributed Dropout", Spec: layers.TimeDistributed{Layer: layers.Dropout{Rate: 0.5}}, In: sequences, Out: sequences, Random: true},
		layertest.Case{Name: "TimeDistributed twice", Spec: layers.TimeDistributed{Layer: layers.TimeDistributed{Layer: layers.LayerNormalization{}}}, In: tensor.Shape{open, open, 2, 3}, Out: tensor.Shape{open, open, 2, 3}, Params: 6, Mask: layertest.Refuses},
	)
}

// Initial states in, final states out, states kept, stacks of cells.
func TestConformanceOfStates(t *testing.T) {
	in, out, all, state := tensor.Shape{open, open, 4}, tensor.Shape{open, 2}, tensor.Shape{open, open, 2}, tensor.Shape{open, 2}
	given := func(n int) []layertest.Input { return slices.Repeat([]layertest.Input{{In: state}}, n) }
	returned := func(n int) []tensor.Shape { return slices.Repeat([]tensor.Shape{state}, n) }
	two := []layers.Spec{layers.LSTM{Units: 2}, layers.GRU{Units: 2, NoBias: true}}
	conform(t,
		layertest.Case{Name: "SimpleRNN states", Spec: layers.SimpleRNN{Units: 2, ReturnState: true, GoBackwards: true}, In: in, More: given(1), Out: out, MoreOut: returned(1), Params: 14, Mask: layertest.Drops},
		layertest.Case{Name: "LSTM states", Spec: layers.LSTM{Units: 2, ReturnState: true, ReturnSequences: true}, In: in, More: given(2), Out: all, MoreOut: returned(2), Params: 56},
		layertest.Case{Name: "LSTM states, zeros", Spec: layers.LSTM{Units: 2, ReturnState: true, ReturnSequences: true, ZeroOutputForMask: true, Unroll: true}, In: in, More: given(2), Out: all, MoreOut: returned(2), Params: 56},
		layertest.Case{Name: "LSTM returns states", Spec: layers.LSTM{Units: 2, ReturnState: true, RecurrentDropout: 0.3}, In: in, Out: out, MoreOut: returned(2), Params: 56, Mask: layertest.Drops, Random: true},
		layertest.Case{Name: "GRU begins", Spec: layers.GRU{Units: 2}, In: in, More: given(1), Out: out, Params: 48, Mask: layertest.Drops},
		layertest.Case{Name: "Recurrent states", Spec: layers.Recurrent{Units: 2, Cell: apartCell, ReturnState: true, ReturnSequences: true}, In: in, More: given(2), Out: all, MoreOut: returned(2), Params: 16},
		layertest.Case{Name: "LSTM stateful", Spec: layers.LSTM{Units: 2, Stateful: true, ReturnState: true}, In: in, Out: out, MoreOut: returned(2), Params: 56, Mask: layertest.Drops},
		layertest.Case{Spec: layers.RNN{Cell: layers.LSTM{Units: 2}}, In: in, Out: out, Params: 56, Mask: layertest.Drops},
		layertest.Case{Name: "RNN of two", Spec: layers.RNN{Cells: two, ReturnSequences: true}, In: in, Out: all, Params: 56 + 24},
		layertest.Case{Name: "RNN of two, states", Spec: layers.RNN{Cells: two, ReturnState: true, GoBackwards: true, ZeroOutputForMask: true}, In: in, More: given(3), Out: out, MoreOut: returned(3), Params: 56 + 24, Mask: layertest.Drops},
		layertest.Case{Name: "RNN of three, dropout", Spec: layers.RNN{Cells: append(two[:2:2], layers.LSTM{Name: "top", Units: 2, Dropout: 0.4, RecurrentDropout: 0.3})}, In: in, Out: out, Params: 56 + 24 + 40, Mask: layertest.Drops, Random: true},
		layertest.Case{Name: "RNN stateful", Spec: layers.RNN{Cells: two, Stateful: true, ReturnSequences: true}, In: in, Out: all, Params: 56 + 24},
		layertest.Case{Name: "RNN of equations", Spec: layers.RNN{Cell: layers.LectureLSTM(2)}, In: in, Out: out, Params: 60, Mask: layertest.Drops},
		layertest.Case{Name: "Bidirectional states", Spec: layers.Bidirectional{Layer: layers.LSTM{Units: 2, ReturnState: true, ReturnSequences: true}}, In: in, More: given(4), Out: tensor.Shape{open, open, 4}, MoreOut: returned(4), Params: 112},
		layertest.Case{Name: "Bidirectional mul, states", Spec: layers.Bidirectional{Layer: layers.GRU{Units: 2, ReturnState: true}, MergeMode: "mul"}, In: in, More: given(2), Out: out, MoreOut: returned(2), Params: 96, Mask: layertest.Drops},
		layertest.Case{Name: "Bidirectional apart", Spec: layers.Bidirectional{Layer: layers.SimpleRNN{Units: 2}, MergeMode: "none"}, In: in, Out: out, MoreOut: []tensor.Shape{out}, Params: 28, Mask: layertest.Drops},
		layertest.Case{Name: "Bidirectional apart, states", Spec: layers.Bidirectional{Layer: layers.SimpleRNN{Units: 2, ReturnState: true}, MergeMode: "none"}, In: in, More: given(2), Out: out, MoreOut: returned(3), Params: 28, Mask: layertest.Drops},
		layertest.Case{Name: "Bidirectional of stacks", Spec: layers.Bidirectional{Layer: layers.RNN{Cells: two, ReturnState: true}}, In: in, Out: tensor.Shape{open, 4}, MoreOut: returned(6), Params: 160, Mask: layertest.Drops},
		layertest.Case{Name: "Bidirectional of two classes", Spec: layers.Bidirectional{Layer: layers.GRU{Units: 2, ReturnSequences: true}, BackwardLayer: layers.RNN{Name: "b", Cells: two, ReturnSequences: true, GoBackwards: true}}, In: in, Out: tensor.Shape{open, open, 4}, Params: 48 + 80},
		layertest.Case{Name: "Bidirectional stateful", Spec: layers.Bidirectional{Layer: layers.SimpleRNN{Units: 2, Stateful: true}}, In: in, Out: tensor.Shape{open, 4}, Params: 28, Mask: layertest.Drops},
	)
	sequences := tensor.Shape{open, open, 4, 2}
	conform(t,
		layertest.Case{Name: "TimeDistributed BatchNormalization", Spec: layers.TimeDistributed{Layer: layers.BatchNormalization{}}, In: in, Out: in, Params: 16, Mixes: true},
		layertest.Case{Name: "TimeDistributed BatchNormalization of sequences", Spec: layers.TimeDistributed{Layer: layers.BatchNormalization{Axis: tensor.F(1)}}, In: sequences, Out: sequences, Params: 16, Mixes: true, Mask: layertest.Refuses},
		layertest.Case{Name: "TimeDistributed RNN", Spec: layers.TimeDistributed{Layer: layers.RNN{Cells: two, ReturnSequences: true}}, In: sequences, Out: tensor.Shape{open, open, 4, 2}, Params: 40 + 24, Mask: layertest.Refuses},
		layertest.Case{Name: "TimeDistributed Bidirectional", Spec: layers.TimeDistributed{Layer: layers.Bidirectional{Layer: layers.GRU{Units: 2}}}, In: sequences, Out: tensor.Shape{open, open, 4}, Params: 2 * 36, Mask: layertest.Refuses},
	)
}

// apartCell has two states, neither of which is its output.
const apartCell = `output_t = dot(a_t, V) * tanh(dot(input_t, W) + b_t)
a_t+1 = tanh(dot(a_t, U) + 0.5 * b_t)
b_t+1 = 0.9 * b_t + output_t * a_t`

func recurrentCases() []layertest.Case {
	in, out, all := tensor.Shape{open, open, 4}, tensor.Shape{open, 3}, tensor.Shape{open, open, 3}
	bias := initializers.RandomNormal{}
	projected, irnn := layers.ProjectedLSTM(5, 3), layers.IRNN(3)
	projected.ReturnSequences, projected.RecurrentDropout, projected.Seed = true, 0.3, tensor.F(2)
	irnn.KernelInitializer, irnn.BiasInitializer = nil, initializers.Ones{}
	return []layertest.Case{
		{Spec: layers.SimpleRNN{Units: 3, BiasInitializer: bias}, In: in, Out: out, Params: 24, Mask: layertest.Drops},
		{Name: "SimpleRNN sequences", Spec: layers.SimpleRNN{Units: 3, ReturnSequences: true, GoBackwards: true, Activation: activations.SiLU}, In: in, Out: all, Params: 24},
		{Spec: layers.LSTM{Units: 3}, In: in, Out: out, Params: 96, Mask: layertest.Drops},
		{Name: "LSTM sequences", Spec: layers.LSTM{Units: 3, ReturnSequences: true, ZeroOutputForMask: true}, In: in, Out: all, Params: 96},
		{Name: "LSTM dropout", Spec: layers.LSTM{Units: 3, Dropout: 0.3, RecurrentDropout: 0.2, Seed: tensor.F(4)}, In: in, Out: out, Params: 96, Mask: layertest.Drops, Random: true},
		{Name: "LSTM of Keras 2", Spec: layers.LSTM{Units: 3, RecurrentActivation: activations.HardSigmoidKeras2}, In: in, Out: out, Params: 96, Mask: layertest.Drops, Kinks: true},
		{Spec: layers.GRU{Units: 3, NoBias: true}, In: in, Out: out, Params: 63, Mask: layertest.Drops},
		{Name: "GRU reset before", Spec: layers.GRU{Units: 3, NoResetAfter: true, ReturnSequences: true}, In: in, Out: all, Params: 72},
		{Spec: layers.LectureLSTM(3), In: in, Out: out, Params: 105, Mask: layertest.Drops},
		{Spec: layers.PeepholeLSTM(3), In: in, Out: out, Params: 105, Mask: layertest.Drops},
		{Spec: layers.ProjectedLSTM(5, 3), In: in, Out: out, Params: 175, Mask: layertest.Drops},
		{Name: "ProjectedLSTM sequences", Spec: projected, In: in, Out: all, Params: 175, Random: true},
		{Spec: layers.LayerNormLSTM(3), In: in, Out: out, Params: 114, Mask: layertest.Drops},
		{Spec: layers.MinimalGatedUnit(3), In: in, Out: out, Params: 48, Mask: layertest.Drops},
		{Spec: layers.CoupledLSTM(3), In: in, Out: out, Params: 72, Mask: layertest.Drops},
		{Spec: irnn, In: in, Out: out, Params: 24, Mask: layertest.Drops, Kinks: true},
		{Spec: layers.Bidirectional{Layer: layers.PeepholeLSTM(3)}, In: in, Out: tensor.Shape{open, 6}, Params: 210, Mask: layertest.Drops},
		{Spec: layers.Bidirectional{Layer: layers.GRU{Units: 3, ReturnSequences: true}}, In: in, Out: tensor.Shape{open, open, 6}, Params: 162},
		{Name: "Bidirectional sum", Spec: layers.Bidirectional{Layer: layers.LSTM{Units: 3, Dropout: 0.5}, MergeMode: "mul"}, In: in, Out: out, Params: 192, Mask: layertest.Drops, Random: true},
	}
}
