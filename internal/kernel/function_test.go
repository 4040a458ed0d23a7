package kernel

import (
	"fmt"
	"math"
	"testing"
)

// formulas are the functions in float64, written as in Keras's documentation.
var formulas = map[Func]func(x float64) float64{
	Linear:    func(x float64) float64 { return x },
	Relu:      func(x float64) float64 { return math.Max(x, 0) },
	LeakyRelu: func(x float64) float64 { return math.Max(x, 0.2*x) },
	Relu6:     func(x float64) float64 { return math.Min(math.Max(x, 0), 6) },
	Elu:       func(x float64) float64 { return math.Max(x, math.Expm1(math.Min(x, 0))) },
	Selu: func(x float64) float64 {
		return 1.0507009873554805 * (math.Max(x, 0) + 1.6732632423543772*math.Expm1(math.Min(x, 0)))
	},
	Celu:              func(x float64) float64 { return math.Max(x, 0) + math.Expm1(math.Min(x, 0)) },
	Gelu:              func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
	Silu:              func(x float64) float64 { return x * sigmoid64(x) },
	HardSilu:          func(x float64) float64 { return x * math.Min(math.Max(x+3, 0), 6) / 6 },
	Softplus:          func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
	Softsign:          func(x float64) float64 { return x / (1 + math.Abs(x)) },
	Tanh:              math.Tanh,
	HardTanh:          func(x float64) float64 { return math.Min(math.Max(x, -1), 1) },
	TanhShrink:        func(x float64) float64 { return x - math.Tanh(x) },
	SoftShrink:        func(x float64) float64 { return math.Max(x-0.5, 0) + math.Min(x+0.5, 0) },
	HardShrink:        func(x float64) float64 { return map[bool]float64{true: x}[math.Abs(x) > 0.5] },
	Sigmoid:           sigmoid64,
	HardSigmoid:       func(x float64) float64 { return math.Min(math.Max(x+3, 0), 6) / 6 },
	HardSigmoidKeras2: func(x float64) float64 { return math.Min(math.Max(0.2*x+0.5, 0), 1) },
	LogSigmoid:        func(x float64) float64 { return math.Min(x, 0) - math.Log1p(math.Exp(-math.Abs(x))) },
	Mish:              func(x float64) float64 { return x * math.Tanh(math.Max(x, 0)+math.Log1p(math.Exp(-math.Abs(x)))) },
	Squareplus:        func(x float64) float64 { return (x + math.Sqrt(x*x+4)) / 2 },
	SparsePlus:        sparsePlus64,
	SparseSigmoid:     func(x float64) float64 { return math.Min(math.Max((x+1)/2, 0), 1) },
	Exp:               math.Exp,
	Log:               math.Log,
	Sqrt:              math.Sqrt,
	Abs:               math.Abs,
	Square:            func(x float64) float64 { return x * x },
}

// sigmoid64 does not lose small values to 1 + exp(-x).
func sigmoid64(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

func sparsePlus64(x float64) float64 {
	if math.Abs(x) < 1 {
		return (x + 1) * (x + 1) / 4
	}
	return math.Max(x, 0)
}

// positive says that a function is for x > 0 only.
func positive(f Func) bool { return f == Log || f == Sqrt }

// points are where a function is compared with its formula: dense around 0, clear of the corners by construction (no point is a
// multiple of a half but 0).
func points(f Func) []float32 {
	var x []float32
	for i := range 400 {
		v := float32(i)*0.0371 + 0.001
		x = append(x, v)
		if !positive(f) {
			x = append(x, -v)
		}
	}
	return x
}

func TestFunctions(t *testing.T) { eachPath(t, testFunctions) }

func testFunctions(t *testing.T) {
	for f := range funcs {
		formula := formulas[f]
		x := points(f)
		got, twin := make([]float32, len(x)), make([]float32, len(x))
		Apply(f, got, x)
		applyGeneric(f, twin, x)
		for i, v := range x {
			want := formula(float64(v))
			// 2.5 ulp for tanh and sigmoid, half a one more for silu; where the value is a difference, a rounding of x instead.
			const tol = 3
			if d := math.Abs(float64(got[i]) - want); !(ulps(got[i], want) <= tol || d <= 0x1p-23*math.Abs(float64(v))) {
				t.Errorf("%v(%v): got %v, want %v", f, v, got[i], want)
			}
			if d := math.Abs(float64(twin[i]) - want); !(ulps(twin[i], want) <= tol || d <= 0x1p-23*math.Abs(float64(v))) {
				t.Errorf("%v(%v) of the twin: got %v, want %v", f, v, twin[i], want)
			}
		}
		// In place.
		same := clone(x)
		Apply(f, same, same)
		wantSame(t, f.String()+" in place", same, got)
	}
}

// TestFunctionGradients compares with a central difference of the formula.
func TestFunctionGradients(t *testing.T) { eachPath(t, testFunctionGradients) }

func testFunctionGradients(t *testing.T) {
	for f := range funcs {
		x := points(f)
		y, dy, got := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
		Apply(f, y, x)
		for i := range dy {
			dy[i] = 1 + float32(i%3)
		}
		// What is not needed is nil.
		needX, needY := x, y
		if !f.NeedsX() {
			needX = nil
		}
		if !f.NeedsY() {
			needY = nil
		}
		ApplyGrad(f, got, dy, needX, needY)
		for i, v := range x {
			const h = 1e-6
			want := float64(dy[i]) * (formulas[f](float64(v)+h) - formulas[f](float64(v)-h)) / (2 * h)
			// The difference is good to 1e-9; a slope from a rounded y near saturation is off by a rounding of y.
			if !(math.Abs(float64(got[i])-want) <= 2e-6*(1+math.Abs(want))) {
				t.Errorf("derivative of %v at %v: got %v, want %v", f, v, got[i], want)
			}
		}
		same := clone(dy)
		ApplyGrad(f, same, same, needX, needY)
		wantSame(t, "derivative of "+f.String()+" in place", same, got)
	}
}

// TestFunctionCorners: the slopes that TensorFlow takes where there are two.
func TestFunctionCorners(t *testing.T) { eachPath(t, testFunctionCorners) }

func testFunctionCorners(t *testing.T) {
	for _, c := range []struct {
		f    Func
		x    float32
		want float32
	}{
		{Relu, 0, 0}, {Abs, 0, 0}, {LeakyRelu, 0, 0.2}, {Relu6, 0, 0}, {Relu6, 6, 0}, {Elu, 0, 1}, {HardTanh, 1, 1}, {HardTanh, -1, 1},
		{HardTanh, 1.5, 0}, {HardSigmoid, 3, 0}, {HardSigmoid, -3, 0}, {SoftShrink, 0.5, 0}, {HardShrink, -0.5, 0}, {SparsePlus, -1, 0},
		{SparsePlus, 1, 1}, {Relu, zero, 0},
	} {
		y, g := make([]float32, 1), make([]float32, 1)
		Apply(c.f, y, []float32{c.x})
		ApplyGrad(c.f, g, []float32{1}, []float32{c.x}, y)
		if g[0] != c.want {
			t.Errorf("slope of %v at %v: got %v, want %v", c.f, c.x, g[0], c.want)
		}
	}
}

// TestFunctionLimits: NaN stays, the infinities go to the limits, and slopes there are no NaN.
func TestFunctionLimits(t *testing.T) { eachPath(t, testFunctionLimits) }

func testFunctionLimits(t *testing.T) {
	for f := range funcs {
		got := make([]float32, 3)
		x := []float32{nan, inf, -inf}
		Apply(f, got, x)
		want := []float32{nan, limit(formulas[f], 1e30), limit(formulas[f], -1e30)}
		wantSame(t, f.String(), got, positiveZeros(want, got))
		y := clone(got)
		ApplyGrad(f, got, []float32{1, 1, 1}, x, y)
		for i, g := range got[1:] {
			if g != g && !positive(f) {
				t.Errorf("slope of %v at %v: got %v", f, x[i+1], g)
			}
		}
	}
}

// limit is f far out at x; what still grows there goes to infinity.
func limit(f func(float64) float64, x float64) float32 {
	v := f(x)
	if grows := math.Abs(f(x*1e3)) > 1.01*math.Abs(v); grows {
		return float32(math.Inf(int(math.Copysign(1, v))))
	}
	return float32(v)
}

// positiveZeros gives the zeros of want the sign that got has: limits do not know theirs.
func positiveZeros(want, got []float32) []float32 {
	for i := range want {
		if want[i] == 0 && got[i] == 0 {
			want[i] = got[i]
		}
	}
	return want
}

// TestFunctionPlace: a value's result does not depend on its place in the slice or on the slice's length.
func TestFunctionPlace(t *testing.T) { eachPath(t, testFunctionPlace) }

func testFunctionPlace(t *testing.T) {
	for f := range funcs {
		r := newRand(uint64(f))
		x, dy := make([]float32, 200), make([]float32, 200)
		randomize(r, x, true)
		randomize(r, dy, true)
		whole, slope := make([]float32, 200), make([]float32, 200)
		Apply(f, whole, x)
		ApplyGrad(f, slope, dy, x, whole)
		for _, n := range lengths {
			if n > 150 {
				break
			}
			x, y, dy, whole, slope := guardedCopy(x[40:40+n]), guardedCopy(whole[40:40+n]), guardedCopy(dy[40:40+n]), whole[40:40+n], slope[40:40+n]
			got := guarded(n)
			Apply(f, got, x)
			wantSame(t, fmt.Sprintf("%v of %d", f, n), got, whole)
			ApplyGrad(f, got, dy, x, y)
			wantSame(t, fmt.Sprintf("slope of %v of %d", f, n), got, slope)
			release()
		}
	}
}

func guardedCopy(x []float32) []float32 {
	g := guarded(len(x))
	copy(g, x)
	return g
}

// TestFunctionTwins: what does not approximate returns the twin's bits.
func TestFunctionTwins(t *testing.T) {
	for _, f := range []Func{Relu, LeakyRelu, Relu6, HardTanh, HardSigmoid, HardSigmoidKeras2, Sqrt, Abs, Square, HardSilu, Softsign, SoftShrink, HardShrink, Squareplus,
		SparsePlus, SparseSigmoid} {
		for _, n := range lengths {
			x := arrays(n, 2)
			got, want := x[1], clone(x[1])
			Apply(f, got, x[0])
			applyGeneric(f, want, x[0])
			wantSame(t, fmt.Sprintf("%v of %d", f, n), got, want)
			release()
		}
	}
}

// TestGradientTwins: where both exist, assembly and twin return the same bits.
func TestGradientTwins(t *testing.T) {
	for _, f := range []Func{Tanh, Sigmoid, HardSigmoid, HardSigmoidKeras2, Relu, Elu, Selu, Celu, Exp, LeakyRelu, Relu6, Sqrt, HardTanh, Log, Abs, Square, HardSilu,
		Softsign, SoftShrink, HardShrink, Squareplus, SparsePlus, SparseSigmoid} {
		for _, n := range lengths {
			x := arrays(n, 3)
			got, want := x[2], clone(x[2])
			ApplyGrad(f, got, x[0], x[1], x[1])
			applyGradGeneric(f, want, x[0], x[1], x[1])
			wantSame(t, fmt.Sprintf("slope of %v of %d", f, n), got, want)
			release()
		}
	}
}

// TestUlps: the functions that have assembly and approximate, over the whole range, on this path and in the generic twin.
func TestUlps(t *testing.T) {
	const block = 1 << 12
	step := uint64(3001) // a prime
	if testing.Short() {
		step = 20011
	}
	x, got, twin := make([]float32, 0, block), make([]float32, block), make([]float32, block)
	for _, f := range []Func{Exp, Tanh, Sigmoid, Elu, Selu, Softplus, LogSigmoid, Log, Gelu, Mish} {
		bound := 2.5
		if f == Gelu || f == Mish {
			bound = 4.5 // what they multiply is rounded before
		}
		var worst, worstTwin float64
		var at, atTwin float32
		flush := func() {
			Apply(f, got[:len(x)], x)
			applyGeneric(f, twin[:len(x)], x)
			for i, v := range x {
				want := formulas[f](float64(v))
				if u := ulps(got[i], want); !(u <= worst) {
					worst, at = u, v
				}
				if u := ulps(twin[i], want); !(u <= worstTwin) {
					worstTwin, atTwin = u, v
				}
			}
			x = x[:0]
		}
		for b := uint64(0); b < 1<<32; b += step {
			if x = append(x, math.Float32frombits(uint32(b))); len(x) == block {
				flush()
			}
		}
		flush()
		if f == Tanh || f == Sigmoid {
			// Where they bend, the worst values are rare.
			for b := math.Float32bits(1.0 / 16); b < math.Float32bits(20); b += uint32(step / 100) {
				x = append(x, math.Float32frombits(b), -math.Float32frombits(b))
				if len(x) == block {
					flush()
				}
			}
		}
		flush()
		t.Logf("%v: %.3f ulp at %v, twin %.3f at %v", f, worst, at, worstTwin, atTwin)
		if !(worst <= bound && worstTwin <= bound) {
			t.Errorf("%v: expected at most %v ulp, got %.3f at %v, twin %.3f at %v", f, bound, worst, at, worstTwin, atTwin)
		}
	}
}

func TestFuncNames(t *testing.T) {
	for f := range funcs {
		if got, ok := FuncByName(f.String()); !ok || got != f {
			t.Errorf("FuncByName(%q): got %v, %v", f.String(), got, ok)
		}
		if f.NeedsX() && f.NeedsY() {
			t.Errorf("%v needs both", f)
		}
	}
	for name, want := range map[string]Func{"swish": Silu, "hard_swish": HardSilu, "exponential": Exp} {
		if got, ok := FuncByName(name); !ok || got != want {
			t.Errorf("FuncByName(%q): got %v, %v", name, got, ok)
		}
	}
	if _, ok := FuncByName("softmax"); ok {
		t.Error("FuncByName: softmax is no elementwise function")
	}
	wantPanic(t, "Apply", func() { Apply(Tanh, make([]float32, 2), make([]float32, 3)) })
	wantPanic(t, "Apply", func() { Apply(funcs, nil, nil) })
	wantPanic(t, "ApplyGrad", func() { ApplyGrad(Tanh, make([]float32, 2), make([]float32, 2), make([]float32, 2), nil) })
	wantPanic(t, "ApplyGrad", func() { ApplyGrad(Gelu, make([]float32, 2), make([]float32, 2), nil, make([]float32, 2)) })
}
