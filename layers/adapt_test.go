package layers_test

import (
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Adapt takes mean and population variance of what lies behind every place of the axis, as Keras's adapt does.
func TestAdapt(t *testing.T) {
	x, err := tensor.From([]float32{1, 10, 2, 20, 3, 30, 6, 40}, 2, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		axis           []int
		mean, variance []float64
	}{
		{nil, []float64{3, 25}, []float64{3.5, 125}},
		{[]int{1}, []float64{11, 17}, []float64{(100 + 1 + 64 + 361) / 4.0, (225 + 9 + 121 + 529) / 4.0}},
		{[]int{}, []float64{14}, []float64{(169 + 16 + 144 + 36 + 121 + 256 + 64 + 676) / 8.0}},
	} {
		got, err := layers.Normalization{Axis: c.axis}.Adapt(x)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "mean", got.Mean, c.mean, golden.Abs(1e-12))
		golden.Compare(t, "variance", got.Variance, c.variance, golden.Abs(1e-9))
	}
	for _, c := range []struct {
		axis []int
		x    tensor.Tensor
		want string
	}{
		{[]int{1, 2}, *x, "Normalization: Adapt: expected at most one axis, got [1 2]"},
		{[]int{3}, *x, "Normalization: axis must name different axes of (2, 2, 2)"},
		{nil, tensor.Tensor{Shape: tensor.Shape{2, 2}}, "Normalization: Adapt: expected values of shape (2, 2), got 0"},
	} {
		if _, err := (layers.Normalization{Axis: c.axis}).Adapt(&c.x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected an error with %q, got %v", c.want, err)
		}
	}
}

// A row whose steps are all masked has no mean: NaN, as in Keras; the rows beside it have theirs.
func TestAverageOfNothing(t *testing.T) {
	l, err := layers.GlobalAveragePooling1D{}.Build(&layers.Builder{Name: "x"}, []layers.Signature{{Shape: tensor.Shape{open, 2, 1}, Masked: true}})
	if err != nil {
		t.Fatal(err)
	}
	c := layers.Call{Pass: &layers.Pass{}, In: make([]layers.Value, 1), Out: make([]layers.Value, 1)}
	c.In[0] = layers.Value{Shape: tensor.Shape{2, 2, 1}, Data: []float32{1, 5, 2, 7}, Mask: []bool{false, true, false, false}, TimeMajor: true}
	l.Forward(&c)
	if got := c.Out[0].Data; !math.IsNaN(float64(got[0])) || got[1] != 5 {
		t.Errorf("expected NaN and 5, got %v", got)
	}
}
