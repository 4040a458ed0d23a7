package constraints_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Norms over the axes, by hand.
func TestApply(t *testing.T) {
	matrix := []float32{3, 0.5, 4, 0} // columns of norm 5 and 0.5, rows of about 3.04 and 4
	r := math.Sqrt(9.25)
	for _, c := range []struct {
		c    constraints.Constraint
		want []float64
	}{
		{constraints.NonNeg{}, []float64{3, 0.5, 4, 0}},
		{constraints.MaxNorm{}, []float64{1.2, 0.5, 1.6, 0}},
		{constraints.MaxNorm{MaxValue: tensor.F(1), Axis: []int{1}}, []float64{3 / r, 0.5 / r, 1, 0}},
		{constraints.MaxNorm{MaxValue: tensor.F(1), Axis: []int{0, -1}}, []float64{3 / math.Sqrt(25.25), 0.5 / math.Sqrt(25.25), 4 / math.Sqrt(25.25), 0}},
		{constraints.UnitNorm{}, []float64{0.6, 1, 0.8, 0}},
		{constraints.MinMaxNorm{MinValue: 1, MaxValue: tensor.F(2), Rate: tensor.F(0.5)}, []float64{2.1, 0.75, 2.8, 0}},
		{constraints.MinMaxNorm{}, []float64{0.6, 0.5, 0.8, 0}},
	} {
		if err := c.c.Check(tensor.Shape{2, 2}); err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(matrix)
		c.c.Apply(got, tensor.Shape{2, 2})
		want := make([]float32, len(got))
		for i, v := range c.want {
			want[i] = float32(v)
		}
		golden.Compare(t, c.c.Class(), got, want, golden.Abs(1e-5))
	}
	w := []float32{-1, 2, float32(math.NaN())}
	constraints.NonNeg{}.Apply(w, tensor.Shape{3})
	if w[0] != 0 || w[1] != 2 || w[2] == w[2] {
		t.Errorf("expected 0, 2 and NaN, got %v", w)
	}
}

// Axes in the middle of a kernel of three.
func TestApplyBetween(t *testing.T) {
	shape := tensor.Shape{2, 3, 2}
	w := make([]float32, 12)
	for i := range w {
		w[i] = float32(i + 1)
	}
	constraints.UnitNorm{Axis: []int{1}}.Apply(w, shape)
	for a := range 2 {
		for b := range 2 {
			sum := 0.0
			for k := range 3 {
				v := float64(w[a*6+k*2+b])
				sum += v * v
			}
			if !(math.Abs(sum-1) <= 1e-5) {
				t.Errorf("vector %d, %d: expected a norm of 1, got %v", a, b, math.Sqrt(sum))
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() { constraints.MaxNorm{Axis: []int{0, 2}}.Apply(w, shape) }); n != 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
}

func TestConfigs(t *testing.T) {
	for _, c := range []constraints.Constraint{
		constraints.NonNeg{}, constraints.MaxNorm{}, constraints.MaxNorm{MaxValue: tensor.F(3), Axis: []int{0, 1}}, constraints.UnitNorm{Axis: []int{1}},
		constraints.MinMaxNorm{}, constraints.MinMaxNorm{MinValue: 0.5, MaxValue: tensor.F(2), Rate: tensor.F(0.25), Axis: []int{-1}},
	} {
		text, err := keras.Encode(constraints.Object(c))
		if err != nil {
			t.Fatal(err)
		}
		m, err := keras.Decode("c", text)
		if err != nil {
			t.Fatal(err)
		}
		o, err := keras.ParseObject("c", m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := constraints.FromConfig("c", o.Class, o.Config)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.Config(), got.Config()); d != "" || got.Class() != c.Class() {
			t.Errorf("%s: %s", c.Class(), d)
		}
	}
	for name, class := range map[string]string{"max_norm": "MaxNorm", "non_neg": "NonNeg", "unit_norm": "UnitNorm", "min_max_norm": "MinMaxNorm"} {
		if c, err := constraints.ByName(name); err != nil || c.Class() != class {
			t.Errorf("%s: expected %s, got %v, %v", name, class, c, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		c    constraints.Constraint
		want string
	}{
		{constraints.MaxNorm{MaxValue: tensor.F(math.NaN())}, "MaxNorm: max_value must be a finite number, got NaN"},
		{constraints.MinMaxNorm{Rate: tensor.F(math.Inf(1))}, "MinMaxNorm: rate must be a finite number, got +Inf"},
		{constraints.UnitNorm{Axis: []int{2}}, "UnitNorm: axis must name different axes of the weight's shape (2, 3), got [2]"},
		{constraints.MaxNorm{Axis: []int{1, -1}}, "MaxNorm: axis must name different axes of the weight's shape (2, 3), got [1 -1]"},
	} {
		if err := c.c.Check(tensor.Shape{2, 3}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, got %v", c.want, err)
		}
	}
	if _, err := constraints.ByName("maximum"); err == nil || !strings.Contains(err.Error(), "expected the name of a constraint") {
		t.Errorf("expected an error with the names, got %v", err)
	}
}
