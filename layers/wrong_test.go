package layers_test

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Every wrong argument, and every input that a layer does not take, is an error that names the layer, the argument and what it got.
func TestWrong(t *testing.T) {
	sequences, vectors, static := tensor.Shape{open, open, 4}, tensor.Shape{open, 4}, tensor.Shape{open, 6, 4}
	conv := func(edit func(l *layers.Conv1D)) layers.Spec {
		l := layers.Conv1D{Filters: 4, KernelSize: 2}
		edit(&l)
		return l
	}
	for _, c := range []struct {
		spec layers.Spec
		in   tensor.Shape
		want string
	}{
		{layers.Activation{Activation: "tahn"}, vectors, `Activation: activation: activations: expected the name of an activation, got "tahn"`},
		{layers.Activation{Activation: activations.GLU}, vectors, "Activation: activation must keep the width, got glu"},
		{layers.Masking{}, vectors, "Masking: expected sequences (N, T, C), got floats (None, 4)"},
		{layers.Dropout{Rate: 1.5}, vectors, "Dropout: rate must be from 0 to 1, got 1.5"},
		{layers.Dropout{Rate: 0.5, NoiseShape: tensor.Shape{open, 1}}, sequences, "Dropout: noise_shape must have an entry for every axis of (None, None, 4), 1 or None (or the axis itself), got (None, 1)"},
		{layers.Dropout{Rate: 0.5, NoiseShape: tensor.Shape{open, 3}}, vectors, "noise_shape must have an entry for every axis of (None, 4)"},
		{layers.Dropout{Rate: 0.5, Seed: tensor.F(0.5)}, vectors, "Dropout: seed must be a whole number from 0 to 2^53, got 0.5"},
		{layers.SpatialDropout1D{Rate: -1}, sequences, "SpatialDropout1D: rate must be from 0 to 1, got -1"},
		{layers.SpatialDropout1D{}, vectors, "SpatialDropout1D: expected sequences (N, T, C), got floats (None, 4)"},
		{layers.GaussianNoise{Stddev: 2}, vectors, "GaussianNoise: stddev must be from 0 to 1, got 2"},
		{layers.GaussianDropout{Rate: 1}, vectors, "GaussianDropout: rate must be from 0 to below 1, got 1"},
		{layers.GlobalMaxPooling1D{DataFormat: "last"}, sequences, `GlobalMaxPooling1D: data_format must be channels_last or channels_first, got "last"`},
		{layers.GlobalAveragePooling1D{}, vectors, "GlobalAveragePooling1D: expected sequences (N, T, C) with a known width, got floats (None, 4)"},
		{layers.GlobalAveragePooling1D{}, tensor.Shape{open, 4, open}, "expected sequences (N, T, C) with a known width, got floats (None, 4, None)"},
		{layers.MaxPooling1D{PoolSize: -1}, sequences, "MaxPooling1D: pool_size must be positive, got -1"},
		{layers.MaxPooling1D{Strides: -2}, sequences, "MaxPooling1D: strides must be positive, got -2"},
		{layers.AveragePooling1D{Padding: "causal"}, sequences, `AveragePooling1D: padding must be valid or same, got "causal"`},
		{layers.AveragePooling1D{PoolSize: 7}, static, "AveragePooling1D: expected at least 7 steps, as many as pool_size, got (None, 6, 4)"},
		{conv(func(l *layers.Conv1D) { l.Filters = 0 }), sequences, "Conv1D: filters must be from 1 to 268435456, got 0"},
		{conv(func(l *layers.Conv1D) { l.KernelSize = -3 }), sequences, "Conv1D: kernel_size must be from 1 to 268435456, got -3"},
		{conv(func(l *layers.Conv1D) { l.Strides = -1 }), sequences, "Conv1D: strides must be from 1"},
		{conv(func(l *layers.Conv1D) { l.Strides, l.DilationRate = 2, 3 }), sequences, "Conv1D: strides must be 1 where dilation_rate is 3, got 2"},
		{conv(func(l *layers.Conv1D) { l.Groups = 3 }), sequences, "Conv1D: filters must be a multiple of groups, 3, got 4"},
		{conv(func(l *layers.Conv1D) { l.Groups, l.Filters = 3, 6 }), sequences, "Conv1D: expected a number of channels that is a multiple of groups, 3, got (None, None, 4)"},
		{conv(func(l *layers.Conv1D) { l.Padding = "full" }), sequences, `Conv1D: padding must be valid, same or causal, got "full"`},
		{conv(func(l *layers.Conv1D) { l.DilationRate = 6 }), static, "Conv1D: expected at least 7 steps, as many as a window spans, got (None, 6, 4)"},
		{conv(func(l *layers.Conv1D) { l.BiasRegularizer = regularizers.Orthogonal{} }), sequences, "Conv1D: bias_regularizer: regularizers: OrthogonalRegularizer: expected a matrix, got shape (4,)"},
		{conv(func(l *layers.Conv1D) { l.KernelConstraint = constraints.MaxNorm{Axis: []int{3}} }), sequences, "Conv1D: kernel_constraint: constraints: MaxNorm: axis must name"},
		{layers.Dense{Units: 2, KernelRegularizer: regularizers.L2{L2: tensor.F(-1)}}, vectors, "Dense: kernel_regularizer: regularizers: L2: l2 must be a finite number from 0, got -1"},
		{layers.Dense{Units: 2, ActivityRegularizer: regularizers.Orthogonal{}}, sequences, "Dense: activity_regularizer: regularizers: OrthogonalRegularizer: expected a matrix, got shape (None, None, 2)"},
		{layers.LayerNormalization{Epsilon: tensor.F(-1)}, vectors, "LayerNormalization: epsilon must be a number from 0, got -1"},
		{layers.LayerNormalization{Axis: []int{1}}, sequences, "LayerNormalization: axis must name axes of a known length, got [1] for (None, None, 4)"},
		{layers.LayerNormalization{Axis: []int{0}}, vectors, "LayerNormalization: axis must name different axes of (None, 4) behind the batch, got [0]"},
		{layers.LayerNormalization{Axis: []int{}}, vectors, "LayerNormalization: axis must name at least one axis, got none"},
		{layers.BatchNormalization{Axis: tensor.F(2)}, vectors, "BatchNormalization: axis must name different axes of (None, 4) behind the batch, got [2]"},
		{layers.BatchNormalization{Axis: tensor.F(0.5)}, vectors, "BatchNormalization: axis must be a whole number, got 0.5"},
		{layers.BatchNormalization{Momentum: tensor.F(-1)}, vectors, "BatchNormalization: momentum must be a number from 0, got -1"},
		{layers.BatchNormalization{Renorm: true, RenormClipping: layers.RenormClipping{RMin: tensor.F(2), RMax: tensor.F(1)}}, vectors, "renorm_clipping must have rmin up to rmax, got 2 and 1"},
		{layers.Normalization{Mean: []float64{1}}, vectors, "Normalization: mean and variance must be given both, with as many numbers, got 1 and 0"},
		{layers.Normalization{Mean: []float64{1, 2}, Variance: []float64{1, 2}}, vectors, "Normalization: mean and variance must be one number each, or one for each place of axis [-1] of (None, 4), got 2"},
		{layers.Normalization{Axis: []int{1}}, sequences, "Normalization: axis must name axes of a known length"},
		{layers.Rescaling{}, vectors, "Rescaling: scale must be a number or a list of them, got none"},
		{layers.Rescaling{Scale: []float64{1}, Offset: []float64{1, 2}}, vectors, "Rescaling: offset must be one number, or one for each of the last axis of (None, 4), got 2"},
		{layers.RepeatVector{}, vectors, "RepeatVector: n must be positive, got 0"},
		{layers.RepeatVector{N: 2}, sequences, "RepeatVector: expected vectors (N, C), got floats (None, None, 4)"},
		{layers.Flatten{DataFormat: "first"}, vectors, "Flatten: data_format must be"},
		{layers.Reshape{}, vectors, "Reshape: target_shape must have at least one axis, got none"},
		{layers.Reshape{TargetShape: []int{-1, -1}}, vectors, "Reshape: target_shape must have at most one -1, got [-1 -1]"},
		{layers.Reshape{TargetShape: []int{0}}, vectors, "Reshape: target_shape must have axes from 1 to 268435456, or one -1, got [0]"},
		{layers.Reshape{TargetShape: []int{3, 2}}, vectors, "Reshape: target_shape must have as many values as the input's rows (4,), 4, got [3 2]"},
		{layers.Reshape{TargetShape: []int{-1, 3}}, vectors, "Reshape: target_shape must have as many values"},
		{layers.Permute{Dims: []int{2, 3}}, sequences, "Permute: dims must be the numbers from 1 on in some order, got [2 3]"},
		{layers.Permute{Dims: []int{1}}, sequences, "Permute: dims must name the 2 axes of (None, None, 4) behind the batch, got [1]"},
		{layers.TimeDistributed{}, sequences, "TimeDistributed: expected a layer, got none"},
		{layers.TimeDistributed{Layer: layers.Dense{Units: 2}}, vectors, "TimeDistributed: expected sequences (N, T, …), got floats (None, 4)"},
		{layers.TimeDistributed{Layer: layers.LSTM{Units: 2}}, sequences, "TimeDistributed: layers: LSTM: expected sequences (N, T, C), got vectors (None, 4)"},
		{layers.TimeDistributed{Layer: layers.GRU{Units: 2, ReturnState: true}}, tensor.Shape{open, open, 3, 4}, "TimeDistributed: expected a layer with one output, got GRU with 2"},
		{layers.TimeDistributed{Layer: layers.GRU{Units: 2, Stateful: true}}, tensor.Shape{open, open, 3, 4}, "TimeDistributed: expected a layer without stateful, whose states would go on from step to step, got GRU"},
		{layers.RNN{}, sequences, "RNN: expected a cell or a list of cells, got none"},
		{layers.RNN{Cell: layers.GRU{Units: 2}, Cells: []layers.Spec{layers.GRU{Units: 2}}}, sequences, "RNN: expected a cell or a list of cells, got both"},
		{layers.RNN{Cell: layers.Dense{Units: 2}}, sequences, "RNN: cell 0: expected SimpleRNN, LSTM, GRU or Recurrent, got Dense"},
		{layers.RNN{Cells: []layers.Spec{layers.GRU{Units: 2}, nil}}, sequences, "RNN: cell 1: expected SimpleRNN, LSTM, GRU or Recurrent, got nothing"},
		{layers.RNN{Cells: []layers.Spec{layers.GRU{Units: 2}, layers.RNN{}}}, sequences, "RNN: cell 1: expected SimpleRNN, LSTM, GRU or Recurrent, got RNN"},
		{layers.RNN{Cell: layers.LSTM{Units: 2, ReturnSequences: true}}, sequences, "RNN: cell 0: return_sequences is an argument of the RNN, expected a cell without it, got one of LSTM"},
		{layers.RNN{Cell: layers.LSTM{Units: 2, ActivityRegularizer: regularizers.L2{}}}, sequences, "RNN: cell 0: activity_regularizer is an argument of the RNN"},
		{layers.RNN{Cells: []layers.Spec{layers.LSTM{Name: "a", Units: 2}, layers.GRU{Name: "a", Units: 2}}}, sequences, `RNN: cell 1: expected a name of its own, got "a" again`},
		{layers.RNN{Cells: []layers.Spec{layers.LSTM{Units: 2}, layers.GRU{}}}, sequences, "RNN: GRUCell: units must be positive, got 0"},
		{layers.RNN{Cells: []layers.Spec{layers.LSTM{Units: 2}, layers.GRU{Units: 2, Dropout: 2}}}, sequences, "RNN: GRUCell: dropout must be from 0 to 1, got 2"},
		{layers.RNN{Cell: layers.LSTM{Units: 2}}, vectors, "RNN: expected sequences (N, T, C), got vectors (None, 4)"},
		{layers.RNN{Cell: layers.LSTM{Units: 2}, ActivityRegularizer: regularizers.L2{L2: tensor.F(-1)}}, sequences, "RNN: activity_regularizer: regularizers: L2"},
		{layers.Bidirectional{Layer: layers.RNN{}}, sequences, "Bidirectional: layers: RNN: expected a cell or a list of cells, got none"},
		{layers.Bidirectional{Layer: layers.GRU{Units: 2}, MergeMode: "max"}, sequences, `Bidirectional: merge_mode must be concat, sum, mul, ave or none, got "max"`},
		{layers.Bidirectional{Layer: layers.GRU{Units: 2}, BackwardLayer: layers.GRU{Units: 2, GoBackwards: true, ReturnState: true}}, sequences, "Bidirectional: expected two layers that agree in return_state, got false and true"},
		{layers.Bidirectional{Layer: layers.GRU{Units: 2}, ActivityRegularizer: regularizers.L1{L1: tensor.F(-1)}}, sequences, "Bidirectional: activity_regularizer: regularizers: L1"},
	} {
		_, err := c.spec.Build(&layers.Builder{Name: "x"}, []layers.Signature{{Shape: c.in}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", c.spec.Class(), c.want, err)
		}
		ids := []layers.Signature{{Shape: tensor.Shape{open, open}, IDs: true}}
		if _, err := c.spec.Build(&layers.Builder{Name: "x"}, ids); err == nil {
			t.Errorf("%s: expected an error for ids, got none", c.spec.Class())
		}
	}
}

// Initial states are one value for each state, as wide as it is.
func TestWrongStates(t *testing.T) {
	x := layers.Signature{Shape: tensor.Shape{open, open, 4}}
	vector := func(w int) layers.Signature { return layers.Signature{Shape: tensor.Shape{open, w}} }
	for _, c := range []struct {
		spec layers.Spec
		in   []layers.Signature
		want string
	}{
		{layers.LSTM{Units: 2}, []layers.Signature{x, vector(2)}, "LSTM: initial_state must be one value for each of the 2 states, got 1"},
		{layers.GRU{Units: 2}, []layers.Signature{x, vector(2), vector(2)}, "GRU: initial_state must be one value for each of the 1 states, got 2"},
		{layers.LSTM{Units: 2}, []layers.Signature{x, vector(2), vector(3)}, "LSTM: initial_state 1 (c) must be floats (N, 2), got floats (None, 3)"},
		{layers.SimpleRNN{Units: 2}, []layers.Signature{x, {Shape: tensor.Shape{open, 2}, IDs: true}}, "SimpleRNN: initial_state 0 (state) must be floats (N, 2), got ids (None, 2)"},
		{layers.SimpleRNN{Units: 2}, []layers.Signature{x, x}, "SimpleRNN: initial_state 0 (state) must be floats (N, 2), got floats (None, None, 4)"},
		{layers.RNN{Cells: []layers.Spec{layers.LSTM{Units: 2}, layers.GRU{Units: 3}}}, []layers.Signature{x, vector(2), vector(2), vector(2)}, "RNN: initial_state 2 (state) must be floats (N, 3), got floats (None, 2)"},
		{layers.Bidirectional{Layer: layers.LSTM{Units: 2}}, []layers.Signature{x, vector(2), vector(2)}, "Bidirectional: initial_state must be one value for each of the 4 states, got 2"},
		{layers.LSTM{Units: 2}, nil, "LSTM: expected sequences (N, T, C) with a known width, got "},
		{layers.Bidirectional{Layer: layers.LSTM{Units: 2}}, nil, "LSTM: expected sequences (N, T, C) with a known width, got "},
	} {
		_, err := c.spec.Build(&layers.Builder{Name: "x"}, c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", c.spec.Class(), c.want, err)
		}
	}
}
