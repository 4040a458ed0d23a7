package kernel

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	nan  = float32(math.NaN())
	inf  = float32(math.Inf(1))
	zero = float32(math.Copysign(0, -1)) // the negative one
)

// specials are the values that a kernel may treat wrongly.
var specials = []float32{0, zero, 1, -1, inf, -inf, nan, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-126,
	math.MaxFloat32, -math.MaxFloat32, 0.5, -0.5, 3, -3, 6, 88, -88, 89, -89, -104, 1e-8, -1e-8, 1e10}

// lengths pass every edge of a loop of four blocks of eight or sixteen, of two, of one, and of the tail.
var lengths = func() []int {
	var n []int
	for i := range 42 {
		n = append(n, i)
	}
	return append(n, 47, 48, 49, 63, 64, 65, 71, 79, 80, 81, 95, 100, 127, 128, 129, 1000)
}()

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// randomize fills x with normal numbers; every few with a special value when asked.
func randomize(r *rand.Rand, x []float32, withSpecials bool) {
	for i := range x {
		x[i] = float32(r.NormFloat64())
		if withSpecials && r.IntN(4) == 0 {
			x[i] = specials[r.IntN(len(specials))]
		}
	}
}

// random is n normal numbers that end where memory does.
func random(r *rand.Rand, n int, withSpecials bool) []float32 {
	x := guarded(n)
	randomize(r, x, withSpecials)
	return x
}

// same reports equal bits, or both NaN: which NaN is not promised.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func wantSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !same(got[i], want[i]) {
			t.Fatalf("%s: at %d of %d: got %v (%#x), want %v (%#x)", what, i, len(got), got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// wantNear compares with a tolerance relative to 1 and to the wanted value.
func wantNear(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	for i := range got {
		if !(math.Abs(float64(got[i])-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: at %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

// ulps is the distance of got from want in units in the last place of the float32 next to want.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if same(got, w) && (w != w || math.IsInf(float64(w), 0)) {
		return 0
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func clone(x []float32) []float32 { return append([]float32(nil), x...) }

// wantPanic checks that a wrong size is met with a panic that names the kernel.
func wantPanic(t *testing.T, name string, call func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "kernel: "+name+": ") {
			t.Errorf("%s: expected a panic that names it, got %q", name, text)
		}
	}()
	call()
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		length, ld, n, m int
		want             bool
	}{
		{0, 0, 0, 5, true}, {0, 0, 5, 0, true}, {5, 0, 1, 5, true}, {5, 0, 1, 6, false},
		{10, 5, 2, 5, true}, {9, 5, 2, 5, false}, {8, 5, 2, 3, true}, {100, 4, 2, 5, false},
		{10, 5, -1, 5, false}, {10, 5, 2, -1, false}, {10, -5, 2, 5, false},
		{100, math.MaxInt, 3, 1, false}, {100, math.MaxInt / 2, math.MaxInt / 2, 1, false}, {100, math.MaxInt32, math.MaxInt32, 1, false},
	} {
		if got := fits(c.length, c.ld, c.n, c.m); got != c.want {
			t.Errorf("fits(%d, %d, %d, %d): got %v", c.length, c.ld, c.n, c.m, got)
		}
	}
}

func TestChoosePath(t *testing.T) {
	for _, c := range []struct {
		want, best, path string
		fails            bool
	}{
		{"", "avx2", "avx2", false}, {"", "generic", "generic", false},
		{"generic", "avx2", "generic", false}, {"avx2", "avx2", "avx2", false}, {"generic", "generic", "generic", false},
		{"", "avx512", "avx512", false}, {"avx512", "avx512", "avx512", false}, {"avx2", "avx512", "avx2", false}, {"generic", "avx512", "generic", false},
		{"avx512", "avx2", "avx2", true}, {"avx512", "generic", "generic", true},
		{"avx2", "generic", "generic", true}, {"AVX2", "avx2", "avx2", true}, {"fast", "generic", "generic", true},
	} {
		path, err := choosePath(c.want, c.best)
		if path != c.path || (err != nil) != c.fails {
			t.Errorf("choosePath(%q, %q): got %q, %v", c.want, c.best, path, err)
		}
	}
	if _, err := choosePath(Path(), Path()); err != nil {
		t.Errorf("Path: got %q", Path())
	}
	if useAVX512 != (Path() == pathAVX512) || useAVX2 != (Path() != pathGeneric) {
		t.Errorf("Path is %q, but useAVX512 is %v and useAVX2 %v", Path(), useAVX512, useAVX2)
	}
}
