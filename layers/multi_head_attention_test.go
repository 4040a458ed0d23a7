package layers_test

import (
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// The fans of a projection are the values that meet and the values that come out, however many axes they have: Keras 3.15.1 tells its
// initializers so (keras/src/layers/core/einsum_dense.py, build).
func TestProjectionsAreDrawnAsMatrices(t *testing.T) {
	in := []layers.Signature{{Shape: tensor.Shape{open, open, 40}}, {Shape: tensor.Shape{open, open, 30}}}
	l, err := layers.MultiHeadAttention{NumHeads: 5, KeyDim: 20, ValueDim: 12, NoBias: true}.Build(&layers.Builder{Name: "x"}, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, fans := range []float64{40 + 100, 30 + 100, 30 + 60, 60 + 40} {
		w := l.Weights()[i]
		if err := w.Init(random.New(1, random.Init, uint64(i))); err != nil {
			t.Fatal(err)
		}
		limit, largest := math.Sqrt(6/fans), 0.0
		for _, v := range w.Data {
			largest = max(largest, math.Abs(float64(v)))
		}
		// Of a thousand uniform draws and more the largest is within a hundredth of the limit, but for one run in ten thousand.
		if !(largest <= limit && largest >= 0.99*limit) {
			t.Errorf("%s: expected draws up to %v, got %v", w.Path, limit, largest)
		}
	}
	// An orthogonal kernel is one of the kernel's own shape: its last axis are columns, of length 1.
	l, err = layers.MultiHeadAttention{NumHeads: 5, KeyDim: 20, KernelInitializer: initializers.Orthogonal{}}.Build(&layers.Builder{Name: "x"}, in)
	if err != nil {
		t.Fatal(err)
	}
	w := l.Weights()[0]
	if err := w.Init(random.New(1, random.Init)); err != nil {
		t.Fatal(err)
	}
	for j := range 20 {
		sum := 0.0
		for i := j; i < len(w.Data); i += 20 {
			sum += float64(w.Data[i]) * float64(w.Data[i])
		}
		if !(math.Abs(sum-1) <= 1e-5) {
			t.Errorf("column %d: expected a length of 1, got the square %v", j, sum)
		}
	}
}

// What a file says of these layers and is not offered here is an error with its place; other ways to say the same are read.
func TestConfigsOfSeveral(t *testing.T) {
	heads := layers.MultiHeadAttention{NumHeads: 2, KeyDim: 3, OutputShape: []int{4}}
	for name, c := range map[string]struct {
		spec layers.Spec
		key  string
		to   any
		want string
	}{
		"another axis":        {heads, "attention_axes", []any{2}, "layer.config.attention_axes: expected null or [1], the steps"},
		"two axes":            {heads, "attention_axes", []any{1, 2}, "layer.config.attention_axes: expected one integer"},
		"all axes":            {heads, "attention_axes", nil, ""},
		"a number of values":  {heads, "output_shape", 4, ""},
		"no width of values":  {heads, "value_dim", nil, ""},
		"a penalty":           {heads, "activity_regularizer", "l2", "layer.config.activity_regularizer"},
		"no heads":            {heads, "num_heads", 0, "layer.config.num_heads: expected an integer from 1"},
		"a window of nothing": {heads, "sliding_window", 0, "layer.config.sliding_window: expected an integer from 1"},
		"another score":       {layers.Attention{}, "score_mode", "cosine", `layer.config.score_mode: expected "dot" or "concat"`},
		"a rate of 2":         {layers.AdditiveAttention{}, "dropout", 2, "layer.config.dropout: expected a number from 0 to 1"},
		"three axes":          {layers.Dot{Axes: []int{1}}, "axes", []any{1, 2, 1}, "layer.config.axes: expected an integer or two"},
		"half an axis":        {layers.Concatenate{}, "axis", 0.5, "layer.config.axis"},
		"an unknown argument": {layers.Add{}, "axis", 1, `unknown key "axis"`},
	} {
		in := layers.Signature{Shape: tensor.Shape{open, open, 4}}
		o := layers.Serialize(c.spec, "x", in, true, in)
		want := o.Config["output_shape"]
		o.Config[c.key] = c.to
		text, err := keras.Encode(o)
		if err != nil {
			t.Fatal(err)
		}
		m, err := keras.Decode("layer", text)
		if err != nil {
			t.Fatal(err)
		}
		read, err := keras.ParseObject("layer", m)
		if err != nil {
			t.Fatal(err)
		}
		s, err := layers.FromConfig("layer", read)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: expected error %q, got %v", name, c.want, err)
		}
		if l, ok := s.(layers.MultiHeadAttention); ok && err == nil {
			if got := l.Config(); got["value_dim"] != 3 || len(got["output_shape"].([]any)) != len(want.([]any)) {
				t.Errorf("%s: expected the layer as it was, got %+v", name, l)
			}
		}
	}
}
