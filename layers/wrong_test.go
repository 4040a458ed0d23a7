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
		{layers.TimeDistributed{Layer: layers.BatchNormalization{}}, sequences, "TimeDistributed: expected a layer that works row by row, got BatchNormalization"},
		{layers.TimeDistributed{Layer: layers.LSTM{Units: 2}}, sequences, "TimeDistributed: layers: LSTM: expected sequences (N, T, C), got vectors (None, 4)"},
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

// The same of layers that take several inputs.
func TestWrongOfSeveral(t *testing.T) {
	sequences, vectors := tensor.Shape{open, open, 4}, tensor.Shape{open, 4}
	wide, narrow := tensor.Shape{open, 6, 2, 4}, tensor.Shape{open, open, 3}
	heads := func(edit func(l *layers.MultiHeadAttention)) layers.Spec {
		l := layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3}
		edit(&l)
		return l
	}
	of := func(shapes ...tensor.Shape) (in []layers.Signature) {
		for _, s := range shapes {
			in = append(in, layers.Signature{Shape: s})
		}
		return in
	}
	masked := func(shapes ...tensor.Shape) []layers.Signature {
		in := of(shapes...)
		for i := range in {
			in[i].Masked = true
		}
		return in
	}
	for _, c := range []struct {
		spec layers.Spec
		in   []layers.Signature
		want string
	}{
		{layers.Add{}, nil, "Add: expected at least one input, got none"},
		{layers.Average{}, of(tensor.Shape{open}), "Average: expected floats (N, …), got floats (None,)"},
		{layers.Maximum{}, of(sequences, tensor.Shape{open, 3}), "Maximum: expected inputs whose axes behind the batch, from the last on, are equal or 1, got floats (None, None, 4), floats (None, 3)"},
		{layers.Minimum{}, of(tensor.Shape{2, 4}, tensor.Shape{3, 4}), "Minimum: expected inputs of one batch, got floats (2, 4), floats (3, 4)"},
		{layers.Multiply{}, masked(wide, wide), "Multiply: expected sequences (N, T, C) where an input is masked, got floats (None, 6, 2, 4), floats (None, 6, 2, 4)"},
		{layers.Add{}, masked(wide, sequences), "Add: expected masked inputs of one rank, got"},
		{layers.Subtract{}, of(vectors), "Subtract: expected two inputs, got floats (None, 4)"},
		{layers.Concatenate{Axis: tensor.F(0)}, of(vectors, vectors), "Concatenate: axis must name an axis of (None, 4) behind the batch, got 0"},
		{layers.Concatenate{Axis: tensor.F(-3)}, of(sequences), "Concatenate: axis must name an axis of (None, None, 4) behind the batch, got -3"},
		{layers.Concatenate{Axis: tensor.F(0.5)}, of(vectors), "Concatenate: axis must be a whole number, got 0.5"},
		{layers.Concatenate{Axis: tensor.F(1)}, of(sequences, narrow), "Concatenate: expected inputs that are equal but for axis 1, got floats (None, None, 4), floats (None, None, 3)"},
		{layers.Concatenate{}, of(sequences, vectors), "Concatenate: expected inputs that are equal but for axis 2"},
		{layers.Concatenate{}, masked(wide), "Concatenate: expected sequences (N, T, C) where an input is masked"},
		{layers.Dot{}, of(vectors, vectors), "Dot: axes must be one axis or two, got []"},
		{layers.Dot{Axes: []int{0}}, of(vectors, vectors), "Dot: axes must name axes of (None, 4) and (None, 4) behind the batch, got [0]"},
		{layers.Dot{Axes: []int{2}}, of(sequences, vectors), "Dot: axes must name axes of (None, None, 4) and (None, 4) behind the batch, got [2]"},
		{layers.Dot{Axes: []int{2}}, of(sequences, narrow), "Dot: expected axes [2] of one length, got floats (None, None, 4), floats (None, None, 3)"},
		{layers.Dot{Axes: []int{1}}, of(vectors), "Dot: expected two inputs, got floats (None, 4)"},
		{layers.Attention{ScoreMode: "cosine"}, of(sequences, sequences), `Attention: score_mode must be dot or concat, got "cosine"`},
		{layers.Attention{Dropout: 2}, of(sequences, sequences), "Attention: dropout must be from 0 to 1, got 2"},
		{layers.AdditiveAttention{Seed: tensor.F(-1)}, of(sequences, sequences), "AdditiveAttention: seed must be a whole number from 0 to 2^53, got -1"},
		{layers.Attention{}, of(sequences), "Attention: expected a query, a value and perhaps a key, got 1 inputs"},
		{layers.Attention{}, of(sequences, vectors), "Attention: expected sequences (N, T, C) with a known width, got floats (None, None, 4), floats (None, 4)"},
		{layers.AdditiveAttention{}, of(sequences, narrow), "AdditiveAttention: expected a query and a key of one width, got floats (None, None, 4), floats (None, None, 3)"},
		{layers.Attention{}, of(sequences, tensor.Shape{open, 5, 3}, tensor.Shape{open, 6, 4}), "Attention: expected a value and a key of equally many steps, got"},
		{heads(func(l *layers.MultiHeadAttention) { l.NumHeads = 0 }), of(sequences, sequences), "MultiHeadAttention: num_heads must be from 1 to 268435456, got 0"},
		{heads(func(l *layers.MultiHeadAttention) { l.KeyDim = -1 }), of(sequences, sequences), "MultiHeadAttention: key_dim must be from 1 to 268435456, got -1"},
		{heads(func(l *layers.MultiHeadAttention) { l.ValueDim = -2 }), of(sequences, sequences), "MultiHeadAttention: value_dim must be from 1 to 268435456, got -2"},
		{heads(func(l *layers.MultiHeadAttention) { l.SlidingWindow = -2 }), of(sequences, sequences), "MultiHeadAttention: sliding_window must be from 1 to 268435456, got -2"},
		{heads(func(l *layers.MultiHeadAttention) { l.Dropout = -1 }), of(sequences, sequences), "MultiHeadAttention: dropout must be from 0 to 1, got -1"},
		{heads(func(l *layers.MultiHeadAttention) { l.OutputShape = []int{} }), of(sequences, sequences), "MultiHeadAttention: output_shape must have from 1 to 6 axes, got []"},
		{heads(func(l *layers.MultiHeadAttention) { l.OutputShape = []int{2, 0} }), of(sequences, sequences), "MultiHeadAttention: output_shape must have axes from 1 to 268435456, got [2 0]"},
		{heads(func(l *layers.MultiHeadAttention) { l.BiasRegularizer = regularizers.L2{L2: tensor.F(-1)} }), of(sequences, sequences), "MultiHeadAttention: bias_regularizer: regularizers: L2: l2 must be"},
		{heads(func(l *layers.MultiHeadAttention) { l.KernelConstraint = constraints.MaxNorm{Axis: []int{3}} }), of(sequences, sequences), "MultiHeadAttention: kernel_constraint: constraints: MaxNorm: axis must name"},
		{heads(func(*layers.MultiHeadAttention) {}), of(wide, wide), "MultiHeadAttention: expected sequences (N, T, C) with a known width"},
	} {
		_, err := c.spec.Build(&layers.Builder{Name: "x"}, c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", c.spec.Class(), c.want, err)
		}
		ids := []layers.Signature{{Shape: sequences}, {Shape: sequences, IDs: true}}
		if _, err := c.spec.Build(&layers.Builder{Name: "x"}, ids); err == nil {
			t.Errorf("%s: expected an error for ids, got none", c.spec.Class())
		}
	}
}

// What a model's file says at the call of a layer, and is not offered, is an error.
func TestWrongCallArguments(t *testing.T) {
	for _, s := range []layers.Called{layers.Attention{}, layers.AdditiveAttention{}, layers.MultiHeadAttention{}} {
		for key, v := range map[string]any{"use_causal_mask": 1.0, "attention_mask": "x", "training": true, "scale": nil} {
			_, err := s.WithCallArguments(map[string]any{key: v})
			if err == nil || !strings.HasPrefix(err.Error(), "layers: "+s.Class()+": ") || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: expected an error that names %s, got %v", s.Class(), key, err)
			}
		}
		got, err := s.WithCallArguments(map[string]any{"use_causal_mask": true, "return_attention_scores": false, "training": nil, "query_mask": nil})
		if err != nil {
			t.Fatal(err)
		}
		if c := got.(layers.Called).CallArguments(); len(c) != 1 || c["use_causal_mask"] != true {
			t.Errorf("%s: expected use_causal_mask alone, got %v", s.Class(), c)
		}
	}
}
