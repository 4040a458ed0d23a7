package reference

import (
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// The language's table and the kernel know the same functions, and derive them from the same of x and y.
func TestFunctionsOfKernel(t *testing.T) {
	for _, name := range append(cell.Funcs(), "swish", "hard_swish", "exponential") {
		f, _ := cell.FuncByName(name)
		k, ok := kernel.FuncByName(name)
		if !ok || k.String() != f.Name {
			t.Errorf("%s: the kernel has %v", name, k)
			continue
		}
		if k.NeedsX() != f.NeedsX || k.NeedsY() != f.NeedsY {
			t.Errorf("%s: the kernel derives from x %v and y %v, the table from x %v and y %v", name, k.NeedsX(), k.NeedsY(), f.NeedsX, f.NeedsY)
		}
	}
}

// Every slope is the difference quotient of its function, away from the corners.
func TestSlopes(t *testing.T) {
	for _, name := range cell.Funcs() {
		if name == "linear" {
			continue // no node has it
		}
		f := elementwise(name)
		checked := 0
	points:
		for x := -8.037; x < 8; x += 0.0931 {
			for _, c := range f.corners {
				if math.Abs(x-c) < 0.01 || (name == "log" || name == "sqrt") && x < 0.1 {
					continue points
				}
			}
			const h = 1e-4
			want := (8*(f.f(x+h)-f.f(x-h)) - (f.f(x+2*h) - f.f(x-2*h))) / (12 * h)
			if got := f.slope(x); !(math.Abs(got-want) <= 1e-8*(1+math.Abs(want))) {
				t.Errorf("%s: slope %g at %g, difference quotient %g", name, got, x, want)
			}
			checked++
		}
		if checked < 50 {
			t.Errorf("%s: %d points", name, checked)
		}
	}
}

// Values at a point on either side of every corner, by hand from the definitions in Keras's documentation.
func TestValues(t *testing.T) {
	e := math.E
	for _, test := range []struct {
		name string
		x, y float64
	}{
		{"relu", -1, 0}, {"relu", 2, 2}, {"leaky_relu", -1, -0.2}, {"leaky_relu", 2, 2}, {"relu6", -1, 0}, {"relu6", 2, 2}, {"relu6", 7, 6},
		{"elu", -1, 1/e - 1}, {"elu", 2, 2}, {"selu", -1, 1.05070098735548 * 1.67326324235437 * (1/e - 1)}, {"selu", 2, 2.10140197471096},
		{"celu", -1, 1/e - 1}, {"gelu", 1, 0.841344746068543}, {"gelu", -1, -0.158655253931457}, {"silu", 1, 1 / (1 + 1/e)},
		{"hard_silu", -4, 0}, {"hard_silu", 1, 4.0 / 6}, {"hard_silu", 4, 4}, {"softplus", 1, math.Log(1 + e)}, {"softsign", -3, -0.75},
		{"tanh", 1, 0.761594155955765}, {"hard_tanh", -2, -1}, {"hard_tanh", 0.5, 0.5}, {"hard_tanh", 2, 1}, {"tanh_shrink", 1, 0.238405844044235},
		{"soft_shrink", -2, -1.5}, {"soft_shrink", 0.25, 0}, {"soft_shrink", 2, 1.5}, {"hard_shrink", -2, -2}, {"hard_shrink", 0.25, 0},
		{"sigmoid", 1, 1 / (1 + 1/e)}, {"hard_sigmoid", -4, 0}, {"hard_sigmoid", 1, 4.0 / 6}, {"hard_sigmoid", 4, 1}, {"hard_sigmoid_keras2", -2.6, 0}, {"hard_sigmoid_keras2", 1, 0.7}, {"hard_sigmoid_keras2", 3, 1},
		{"log_sigmoid", 1, -math.Log(1 + 1/e)}, {"mish", 1, 0.865098388267310}, {"squareplus", 1.5, 2}, {"sparse_plus", -2, 0},
		{"sparse_plus", 0, 0.25}, {"sparse_plus", 2, 2}, {"sparse_sigmoid", -2, 0}, {"sparse_sigmoid", 0.5, 0.75}, {"sparse_sigmoid", 2, 1},
		{"exp", 1, e}, {"log", e, 1}, {"sqrt", 9, 3}, {"abs", -2, 2}, {"square", -3, 9},
	} {
		if got := elementwise(test.name).f(test.x); !(math.Abs(got-test.y) <= 1e-14) {
			t.Errorf("%s(%g) = %.17g, want %.17g", test.name, test.x, got, test.y)
		}
	}
	for _, name := range []string{"relu", "abs"} {
		if got := elementwise(name).slope(0); got != 0 {
			t.Errorf("%s has slope %g at 0, want 0", name, got)
		}
	}
}
