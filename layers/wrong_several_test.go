package layers_test

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

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
