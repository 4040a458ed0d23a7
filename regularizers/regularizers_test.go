package regularizers_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

func all() []regularizers.Regularizer {
	return []regularizers.Regularizer{
		regularizers.L1{}, regularizers.L1{L1: tensor.F(0.5)}, regularizers.L2{}, regularizers.L2{L2: tensor.F(0.25)},
		regularizers.L1L2{L1: 0.5, L2: 0.25}, regularizers.Orthogonal{}, regularizers.Orthogonal{Factor: tensor.F(2), Mode: "columns"},
	}
}

// The gradient is that of Value, by differences, and is added.
func TestGradients(t *testing.T) {
	shape := tensor.Shape{3, 4}
	s := random.New(3, random.Data)
	x := make([]float32, 12)
	for i := range x {
		x[i] = float32(s.Normal())
	}
	for _, r := range all() {
		if err := r.Check(shape); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 12)
		for i := range got {
			got[i] = 1
		}
		r.AddGrad(got, x, shape, 2)
		for i := range x {
			const h = 1.0 / 1024
			keep := x[i]
			x[i] = keep + h
			up := r.Value(x, shape)
			x[i] = keep - h
			down := r.Value(x, shape)
			x[i] = keep
			if want := 1 + 2*(up-down)/(2*h); !(math.Abs(want-float64(got[i])) <= 1e-4) {
				t.Errorf("%s %v: index %d: expected %v by differences, got %v", r.Class(), r.Config(), i, want, got[i])
			}
		}
	}
}

// Known values. Two rows at an angle of 60°: their cosine is a half.
func TestValues(t *testing.T) {
	x, shape := []float32{2, 0, 1, float32(math.Sqrt(3))}, tensor.Shape{2, 2}
	for _, c := range []struct {
		r    regularizers.Regularizer
		want float64
	}{
		{regularizers.L1{}, 0.01 * (3 + math.Sqrt(3))}, {regularizers.L2{}, 0.08}, {regularizers.L1L2{}, 0},
		{regularizers.L1L2{L1: 1, L2: 2}, 3 + math.Sqrt(3) + 16}, {regularizers.Orthogonal{Factor: tensor.F(3)}, 1.5},
	} {
		if got := c.r.Value(x, shape); !(math.Abs(got-c.want) <= 1e-6) {
			t.Errorf("%s %v: expected %v, got %v", c.r.Class(), c.r.Config(), c.want, got)
		}
	}
	if got := (regularizers.Orthogonal{}).Value([]float32{0, 0, 1, 2}, shape); got != 0 {
		t.Errorf("a row of zeros: expected 0, got %v", got)
	}
	grad := make([]float32, 4)
	regularizers.Orthogonal{}.AddGrad(grad, []float32{0, 0, 1, 2}, shape, 1)
	for _, g := range grad {
		if g != g || math.IsInf(float64(g), 0) {
			t.Errorf("a row of zeros: expected finite gradients, got %v", grad)
		}
	}
}

func TestConfigs(t *testing.T) {
	for _, r := range all() {
		text, err := keras.Encode(regularizers.Object(r))
		if err != nil {
			t.Fatal(err)
		}
		m, err := keras.Decode("r", text)
		if err != nil {
			t.Fatal(err)
		}
		o, err := keras.ParseObject("r", m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := regularizers.FromConfig("r", o.Class, o.Config)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r.Config(), got.Config()); d != "" || got.Class() != r.Class() {
			t.Errorf("%s: %s", r.Class(), d)
		}
	}
	for name, class := range map[string]string{"l1": "L1", "l2": "L2", "l1l2": "L1L2", "L1L2": "L1L2", "orthogonal_regularizer": "OrthogonalRegularizer"} {
		if r, err := regularizers.ByName(name); err != nil || r.Class() != class {
			t.Errorf("%s: expected %s, got %v, %v", name, class, r, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	square := tensor.Shape{2, 2}
	for _, c := range []struct {
		r     regularizers.Regularizer
		shape tensor.Shape
		want  string
	}{
		{regularizers.L1{L1: tensor.F(-1)}, square, "L1: l1 must be a finite number from 0, got -1"},
		{regularizers.L2{L2: tensor.F(math.NaN())}, square, "L2: l2 must be a finite number from 0, got NaN"},
		{regularizers.L1L2{L2: math.Inf(1)}, square, "L1L2: l2 must be a finite number from 0, got +Inf"},
		{regularizers.Orthogonal{Mode: "diagonals"}, square, `mode must be rows or columns, got "diagonals"`},
		{regularizers.Orthogonal{}, tensor.Shape{4}, "expected a matrix, got shape (4,)"},
		{regularizers.Orthogonal{Mode: "columns"}, tensor.Shape{4, 1}, "expected at least two columns, got shape (4, 1)"},
	} {
		if err := c.r.Check(c.shape); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, got %v", c.want, err)
		}
	}
	if _, err := regularizers.ByName("l2l"); err == nil || !strings.Contains(err.Error(), "expected the name of a regularizer") {
		t.Errorf("expected an error with the names, got %v", err)
	}
	if _, err := regularizers.FromConfig("r", "L2", map[string]any{"l3": 1}); err == nil || !strings.Contains(err.Error(), `unknown key "l3"`) {
		t.Errorf("expected an error for an unknown key, got %v", err)
	}
}
