package layers_test

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/layertest"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Every layer of several inputs, in the forms that run different code.
func TestConformanceOfSeveral(t *testing.T) {
	vectors, sequences := tensor.Shape{open, 4}, tensor.Shape{open, open, 4}
	column, row := tensor.Shape{open, open, 1}, tensor.Shape{open, 1, 4}
	static := tensor.Shape{open, 5, 4}
	more := func(shapes ...tensor.Shape) (in []layertest.Input) {
		for _, s := range shapes {
			in = append(in, layertest.Input{In: s})
		}
		return in
	}
	for _, s := range []layers.Spec{layers.Add{}, layers.Average{}, layers.Multiply{}, layers.Maximum{}, layers.Minimum{}} {
		kinks := s == (layers.Maximum{}) || s == (layers.Minimum{})
		wide := layertest.Refuses // a mask of (N, T) says nothing about the values of more axes
		if s == (layers.Add{}) || s == (layers.Average{}) {
			wide = layertest.Drops
		}
		conform(t,
			layertest.Case{Spec: s, In: sequences, More: more(sequences, sequences), Out: sequences, Kinks: kinks},
			layertest.Case{Name: s.Class() + " of one", Spec: s, In: sequences, Out: sequences},
			layertest.Case{Name: s.Class() + " broadcast", Spec: s, In: column, More: more(sequences, row), Out: sequences, Mask: layertest.Makes, Kinks: kinks},
			layertest.Case{Name: s.Class() + " of two ranks", Spec: s, In: vectors, More: more(static), Out: static, Kinks: kinks},
			layertest.Case{Name: s.Class() + " of four axes", Spec: s, In: tensor.Shape{open, 1, 3, 4}, More: more(tensor.Shape{open, 2, 3, 1}, vectors), Out: tensor.Shape{open, 2, 3, 4}, Mask: wide, Kinks: kinks},
		)
	}
	conform(t,
		layertest.Case{Spec: layers.Subtract{}, In: sequences, More: more(sequences), Out: sequences},
		layertest.Case{Name: "Subtract broadcast", Spec: layers.Subtract{}, In: column, More: more(vectors), Out: sequences, Mask: layertest.Drops},
		layertest.Case{Spec: layers.Concatenate{}, In: sequences, More: more(tensor.Shape{open, open, 2}, sequences), Out: tensor.Shape{open, open, 10}},
		layertest.Case{Name: "Concatenate steps", Spec: layers.Concatenate{Axis: tensor.F(1)}, In: sequences, More: more(sequences, static), Out: sequences, Mask: layertest.Makes},
		layertest.Case{Name: "Concatenate of one", Spec: layers.Concatenate{Axis: tensor.F(-2)}, In: sequences, Out: sequences},
		layertest.Case{Name: "Concatenate of four axes", Spec: layers.Concatenate{Axis: tensor.F(2)}, In: tensor.Shape{open, 2, 3, 2}, More: more(tensor.Shape{open, 2, 1, 2}), Out: tensor.Shape{open, 2, 4, 2}, Mask: layertest.Refuses},
		layertest.Case{Spec: layers.Dot{Axes: []int{2}}, In: sequences, More: more(tensor.Shape{open, 3, 4}), Out: tensor.Shape{open, open, 3}, Mask: layertest.Drops},
		layertest.Case{Name: "Dot of steps", Spec: layers.Dot{Axes: []int{1}}, In: static, More: more(tensor.Shape{open, 5, 3}), Out: tensor.Shape{open, 4, 3}, Mask: layertest.Drops},
		layertest.Case{Name: "Dot of two axes", Spec: layers.Dot{Axes: []int{2, 1}, Normalize: true}, In: sequences, More: more(tensor.Shape{open, 4, 3}), Out: tensor.Shape{open, open, 3}, Mask: layertest.Drops},
		layertest.Case{Name: "Dot of vectors", Spec: layers.Dot{Axes: []int{-1}, Normalize: true}, In: vectors, More: more(vectors), Out: tensor.Shape{open, 1}},
		layertest.Case{Name: "Dot of two ranks", Spec: layers.Dot{Axes: []int{1, -2}}, In: vectors, More: more(tensor.Shape{open, 2, 4, 3}), Out: tensor.Shape{open, 2, 3}},
	)
}

func TestConformanceOfAttention(t *testing.T) {
	query, value, key := tensor.Shape{open, open, 4}, tensor.Shape{open, 6, 3}, tensor.Shape{open, 6, 4}
	scores, heads := []tensor.Shape{{open, open, 6}}, []tensor.Shape{{open, 2, open, 6}}
	two, three := []layertest.Input{{In: key}}, []layertest.Input{{In: value}, {In: key}}
	conform(t,
		layertest.Case{Spec: layers.Attention{}, In: query, More: two, Out: query},
		layertest.Case{Name: "Attention scale", Spec: layers.Attention{UseScale: true, ReturnAttentionScores: true}, In: query, More: three,
			Out: tensor.Shape{open, open, 3}, MoreOut: scores, Params: 1},
		layertest.Case{Name: "Attention concat", Spec: layers.Attention{ScoreMode: "concat", ReturnAttentionScores: true}, In: query, More: three,
			Out: tensor.Shape{open, open, 3}, MoreOut: scores, Params: 1},
		layertest.Case{Name: "Attention concat scale", Spec: layers.Attention{ScoreMode: "concat", UseScale: true}, In: query, More: two, Out: query, Params: 2},
		// Where nothing is left to see the scores are some -1e9, whose float32 do not move with the differences.
		layertest.Case{Name: "Attention causal", Spec: layers.Attention{UseCausalMask: true}, In: query, More: two, Out: query, Kinks: true},
		layertest.Case{Name: "Attention dropout", Spec: layers.Attention{Dropout: 0.3, Seed: tensor.F(2), ReturnAttentionScores: true}, In: query, More: two, Out: query, MoreOut: scores, Random: true},
		layertest.Case{Spec: layers.AdditiveAttention{}, In: query, More: two, Out: query, Params: 4},
		layertest.Case{Name: "AdditiveAttention no scale", Spec: layers.AdditiveAttention{NoScale: true, Dropout: 0.5, ReturnAttentionScores: true}, In: query, More: three,
			Out: tensor.Shape{open, open, 3}, MoreOut: scores, Random: true},
		layertest.Case{Spec: layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3}, In: query, More: two, Out: query, Params: 3*30 + 28},
		layertest.Case{Name: "MultiHeadAttention key", Spec: layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3, ValueDim: 2, NoBias: true, OutputShape: []int{2, 3}, UseCausalMask: true, ReturnAttentionScores: true},
			In: query, More: three, Out: tensor.Shape{open, open, 2, 3}, MoreOut: heads, Params: 24 + 24 + 12 + 24},
		layertest.Case{Name: "MultiHeadAttention gate", Spec: layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3, UseGate: true, SlidingWindow: 3}, In: query, More: two, Out: query, Params: 4*30 + 28},
		layertest.Case{Name: "MultiHeadAttention dropout", Spec: layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3, Dropout: 0.4, ReturnAttentionScores: true}, In: query, More: two, Out: query, MoreOut: heads, Params: 118, Random: true},
	)
}
