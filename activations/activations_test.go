package activations_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/random"
)

func sigmoid(x float64) float64  { return 1 / (1 + math.Exp(-x)) }
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
func below(x, neg float64) float64 {
	if x < 0 {
		return neg
	}
	return x
}
func between(x, lo, hi float64) float64 { return math.Min(math.Max(x, lo), hi) }

// elementwise are the definitions in float64, written from Keras's documentation.
func elementwise() map[activations.Activation]func(x float64) float64 {
	return map[activations.Activation]func(x float64) float64{
		activations.Linear:    func(x float64) float64 { return x },
		activations.ReLU:      func(x float64) float64 { return math.Max(x, 0) },
		activations.LeakyReLU: func(x float64) float64 { return below(x, 0.2*x) },
		activations.ReLU6:     func(x float64) float64 { return between(x, 0, 6) },
		activations.ELU:       func(x float64) float64 { return below(x, math.Expm1(x)) },
		activations.SELU: func(x float64) float64 {
			return 1.0507009873554805 * below(x, 1.6732632423543772*math.Expm1(x))
		},
		activations.CELU:       func(x float64) float64 { return below(x, math.Expm1(x)) },
		activations.GELU:       func(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 },
		activations.SiLU:       func(x float64) float64 { return x * sigmoid(x) },
		activations.HardSiLU:   func(x float64) float64 { return x * between(x+3, 0, 6) / 6 },
		activations.Softplus:   softplus,
		activations.Softsign:   func(x float64) float64 { return x / (1 + math.Abs(x)) },
		activations.Tanh:       math.Tanh,
		activations.HardTanh:   func(x float64) float64 { return between(x, -1, 1) },
		activations.TanhShrink: func(x float64) float64 { return x - math.Tanh(x) },
		activations.SoftShrink: func(x float64) float64 { return x - between(x, -0.5, 0.5) },
		activations.HardShrink: func(x float64) float64 {
			if math.Abs(x) <= 0.5 {
				return 0
			}
			return x
		},
		activations.Sigmoid:           sigmoid,
		activations.HardSigmoid:       func(x float64) float64 { return between(x+3, 0, 6) / 6 },
		activations.HardSigmoidKeras2: func(x float64) float64 { return between(0.2*x+0.5, 0, 1) },
		activations.LogSigmoid:        func(x float64) float64 { return -softplus(-x) },
		activations.Mish:              func(x float64) float64 { return x * math.Tanh(softplus(x)) },
		activations.Squareplus:        func(x float64) float64 { return (x + math.Sqrt(x*x+4)) / 2 },
		activations.SparsePlus: func(x float64) float64 {
			if x >= 1 {
				return x
			}
			return math.Pow(math.Max(x+1, 0), 2) / 4
		},
		activations.SparseSigmoid: func(x float64) float64 { return between((x+1)/2, 0, 1) },
		activations.Exponential:   math.Exp,
	}
}

// rowwise are the definitions of what works on rows.
func rowwise() map[activations.Activation]func(x []float64) []float64 {
	softmax := func(x []float64) []float64 {
		y, sum := make([]float64, len(x)), 0.0
		for _, v := range x {
			sum += math.Exp(v)
		}
		for j, v := range x {
			y[j] = math.Exp(v) / sum
		}
		return y
	}
	return map[activations.Activation]func(x []float64) []float64{
		activations.Softmax: softmax,
		activations.LogSoftmax: func(x []float64) []float64 {
			y := softmax(x)
			for j := range y {
				y[j] = math.Log(y[j])
			}
			return y
		},
		activations.Sparsemax: func(x []float64) []float64 {
			// Algorithm 1 of the paper: the largest k with 1 + k z(k) > sum of the k largest.
			z := slices.Sorted(slices.Values(x))
			slices.Reverse(z)
			tau, sum := 0.0, 0.0
			for k, v := range z {
				sum += v
				if 1+float64(k+1)*v > sum {
					tau = (sum - 1) / float64(k+1)
				}
			}
			y := make([]float64, len(x))
			for j, v := range x {
				y[j] = math.Max(v-tau, 0)
			}
			return y
		},
		activations.GLU: func(x []float64) []float64 {
			half := len(x) / 2
			y := make([]float64, half)
			for j := range y {
				y[j] = x[j] * sigmoid(x[half+j])
			}
			return y
		},
	}
}

func all() map[activations.Activation]func(x []float64) []float64 {
	m := rowwise()
	for a, f := range elementwise() {
		m[a] = func(x []float64) []float64 {
			y := make([]float64, len(x))
			for j, v := range x {
				y[j] = f(v)
			}
			return y
		}
	}
	return m
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

func TestForwardAndBackward(t *testing.T) {
	for a, f := range all() {
		for _, width := range []int{2, 6, 34, 300} {
			const rows = 3
			out, err := a.Width(width)
			if err != nil {
				t.Fatal(err)
			}
			s := random.New(5, random.Data, uint64(width))
			x, dy := make([]float32, rows*width), make([]float32, rows*out)
			for i := range x {
				// Away from every corner, where a difference quotient is no derivative: the corners are multiples of 0.5.
				x[i] = float32(0.5*math.Floor(2*2.5*s.Normal()) + 0.1 + 0.3*s.Float64())
			}
			for i := range dy {
				dy[i] = float32(s.Normal())
			}
			y := make([]float32, rows*out)
			a.Forward(y, x, rows, width)
			var px, py []float32 // only what Backward says it reads
			if a.NeedsInput() {
				px = x
			}
			if a.NeedsOutput() {
				py = y
			}
			dx := make([]float32, rows*width)
			a.Backward(dx, dy, px, py, rows, width)

			for i := range rows {
				row := wide(x[i*width:][:width])
				want := f(row)
				for j, w := range want {
					// 2.5 ulp for exponentials, and one rounding more where a sum follows.
					if got := float64(y[i*out+j]); !(math.Abs(got-w) <= 6e-7*math.Max(1, math.Abs(w))) {
						t.Errorf("%s, width %d: row %d, value %d (x = %v): got %v, want %v", a, width, i, j, row[min(j, width-1)], got, w)
					}
				}
				for j := range row {
					at := row[j]
					const h = 1e-5
					row[j] = at + h
					up := f(row)
					row[j] = at - h
					down := f(row)
					row[j] = at
					g := 0.0
					for k := range up {
						g += float64(dy[i*out+k]) * (up[k] - down[k]) / (2 * h)
					}
					// The sum over a row of 300 in float32 is the widest part.
					if got := float64(dx[i*width+j]); !(math.Abs(got-g) <= 3e-6*math.Max(1, math.Abs(g))) {
						t.Errorf("%s, width %d: gradient of row %d, value %d (x = %v): got %v, want %v", a, width, i, j, at, got, g)
					}
				}
			}
			if a != activations.GLU {
				in := slices.Clone(x)
				a.Forward(in, in, rows, width)
				back := slices.Clone(dy)
				a.Backward(back, back, px, py, rows, width)
				if !slices.Equal(in, y) || !slices.Equal(back, dx) {
					t.Errorf("%s, width %d: in place differs", a, width)
				}
			}
			if n := testing.AllocsPerRun(3, func() { a.Forward(y, x, rows, width); a.Backward(dx, dy, px, py, rows, width) }); n != 0 {
				t.Errorf("%s, width %d: allocates %v times", a, width, n)
			}
		}
	}
}

func TestSparsemaxByHand(t *testing.T) {
	for _, c := range []struct{ x, want []float32 }{
		{[]float32{0, 0}, []float32{0.5, 0.5}},
		{[]float32{3, 0, 0}, []float32{1, 0, 0}},
		{[]float32{1, 0.5, -7}, []float32{0.75, 0.25, 0}},
		{[]float32{5}, []float32{1}},
	} {
		y := make([]float32, len(c.x))
		activations.Sparsemax.Forward(y, c.x, 1, len(c.x))
		if !slices.Equal(y, c.want) {
			t.Errorf("sparsemax of %v: got %v, want %v", c.x, y, c.want)
		}
	}
}

func TestLargeAndNaN(t *testing.T) {
	y := make([]float32, 2)
	activations.LogSoftmax.Forward(y, []float32{1000, 0}, 1, 2)
	if y[0] != 0 || y[1] != -1000 {
		t.Errorf("log_softmax of (1000, 0): got %v", y)
	}
	nan := float32(math.NaN())
	for a := range all() {
		out, _ := a.Width(4)
		y := make([]float32, out)
		a.Forward(y, []float32{nan, 1, 1, 1}, 1, 4)
		if y[0] == y[0] {
			t.Errorf("%s of NaN: got %v", a, y[0])
		}
	}
}

func TestNames(t *testing.T) {
	for a := range all() {
		got, err := activations.ByName(string(a))
		if err != nil || got != a || got.Name() != string(a) || a.Check() != nil {
			t.Errorf("ByName(%q) = %v, %v", a, got, err)
		}
		if _, ok := elementwise()[a]; ok != a.Elementwise() {
			t.Errorf("%s: Elementwise() = %v", a, a.Elementwise())
		}
		if w, err := a.Width(6); err != nil || (w == 3) != (a == activations.GLU) {
			t.Errorf("%s: Width(6) = %d, %v", a, w, err)
		}
	}
	for alias, want := range map[string]activations.Activation{"swish": activations.SiLU, "hard_swish": activations.HardSiLU} {
		if got, err := activations.ByName(alias); err != nil || got != want || activations.Activation(alias).Name() != string(want) {
			t.Errorf("ByName(%q) = %v, %v, want %v", alias, got, err, want)
		}
		x, y, z := []float32{-1, 2}, make([]float32, 2), make([]float32, 2)
		activations.Activation(alias).Forward(y, x, 1, 2)
		want.Forward(z, x, 1, 2)
		if !slices.Equal(y, z) {
			t.Errorf("%s: got %v, want %v", alias, y, z)
		}
	}
	var unset activations.Activation
	if unset.Check() != nil || unset.Or(activations.Tanh) != activations.Tanh || activations.ReLU.Or(activations.Tanh) != activations.ReLU {
		t.Error("the zero value is the layer's default")
	}
}

func TestErrors(t *testing.T) {
	for name, want := range map[string]string{
		"tahn":      `activations: expected the name of an activation, got "tahn"; did you mean tanh?`,
		"sigmod":    `activations: expected the name of an activation, got "sigmod"; did you mean sigmoid?`,
		"threshold": `activations: threshold has arguments without defaults`,
		"square":    `activations: expected the name of an activation`,
		"exp":       `activations: expected the name of an activation`,
		"":          `activations: expected the name of an activation, one of linear, relu`,
	} {
		_, err := activations.ByName(name)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ByName(%q): got error %v, want %s", name, err, want)
		}
		if name != "" && activations.Activation(name).Check() == nil {
			t.Errorf("%q: Check found nothing", name)
		}
	}
	if _, err := activations.GLU.Width(3); err == nil || err.Error() != "activations: glu: expected an even width, got 3" {
		t.Errorf("got error %v", err)
	}
	for _, f := range []func(){
		func() { activations.Activation("tahn").Forward(make([]float32, 1), make([]float32, 1), 1, 1) },
		func() {
			activations.Activation("").Backward(make([]float32, 1), make([]float32, 1), make([]float32, 1), make([]float32, 1), 1, 1)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("an unknown activation: expected a panic")
				}
			}()
			f()
		}()
	}
}
