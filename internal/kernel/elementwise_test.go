package kernel

import (
	"fmt"
	"math"
	"testing"
)

// arrays are k operands of n values with specials; every pair of specials meets when n is large.
func arrays(n, k int) [][]float32 {
	r := newRand(uint64(n))
	a := make([][]float32, k)
	for i := range a {
		a[i] = random(r, n, true)
	}
	for i := range min(n, len(specials)*len(specials)) {
		a[0][i] = specials[i%len(specials)]
		if k > 1 {
			a[1][i] = specials[i/len(specials)]
		}
	}
	return a
}

// TestElementwiseTwins: every function of two operands returns its twin's bits, dst apart or one of the operands.
func TestElementwiseTwins(t *testing.T) {
	for _, f := range []struct {
		name     string
		do, twin func(dst, a, b []float32)
		plain    func(d, a, b float64) float64
	}{
		{"Add", Add, addGeneric, func(d, a, b float64) float64 { return a + b }},
		{"Sub", Sub, subGeneric, func(d, a, b float64) float64 { return a - b }},
		{"Mul", Mul, mulGeneric, func(d, a, b float64) float64 { return a * b }},
		{"Div", Div, divGeneric, func(d, a, b float64) float64 { return a / b }},
		{"Min", Min, minGeneric, func(d, a, b float64) float64 { return min(a, b) }},
		{"Max", Max, maxGeneric, func(d, a, b float64) float64 { return max(a, b) }},
		{"MulAdd", MulAdd, mulAddGeneric, func(d, a, b float64) float64 { return d + float64(float32(a*b)) }},
		{"MulSub", MulSub, mulSubGeneric, func(d, a, b float64) float64 { return d - float64(float32(a*b)) }},
	} {
		for _, n := range lengths {
			x := arrays(n, 3)
			a, b, dst := x[0], x[1], x[2]
			want, old := clone(dst), clone(dst)
			f.twin(want, a, b)
			f.do(dst, a, b)
			wantSame(t, fmt.Sprintf("%s of %d", f.name, n), dst, want)
			for i := range want {
				if w := float32(f.plain(float64(old[i]), float64(a[i]), float64(b[i]))); want[i] != w && (want[i] == want[i] || w == w) {
					t.Fatalf("%s of %v and %v: got %v, want %v", f.name, a[i], b[i], want[i], w)
				}
			}
			for i, alias := range [][]float32{a, b} {
				want, got := clone(alias), clone(alias)
				other := [][]float32{b, a}[i]
				if i == 0 {
					f.twin(want, clone(want), other)
					f.do(got, got, other)
				} else {
					f.twin(want, other, clone(want))
					f.do(got, other, got)
				}
				wantSame(t, fmt.Sprintf("%s of %d in place of operand %d", f.name, n, i), got, want)
			}
			release()
		}
		wantPanic(t, f.name, func() { f.do(make([]float32, 3), make([]float32, 2), make([]float32, 3)) })
		wantPanic(t, f.name, func() { f.do(make([]float32, 3), make([]float32, 3), make([]float32, 4)) })
	}
}

// TestConstantTwins is the same for the functions of one operand and a number.
func TestConstantTwins(t *testing.T) {
	for _, f := range []struct {
		name     string
		do, twin func(dst, a []float32, c float32)
		plain    func(d, a, c float64) float64
	}{
		{"AddConst", AddConst, addConstGeneric, func(d, a, c float64) float64 { return a + c }},
		{"Scale", Scale, scaleGeneric, func(d, a, c float64) float64 { return a * c }},
		{"RSub", RSub, rSubGeneric, func(d, a, c float64) float64 { return c - a }},
		{"RDiv", RDiv, rDivGeneric, func(d, a, c float64) float64 { return c / a }},
		{"Axpy", func(dst, a []float32, c float32) { Axpy(dst, c, a) }, func(dst, a []float32, c float32) { axpyGeneric(dst, c, a) },
			func(d, a, c float64) float64 { return d + float64(float32(a*c)) }},
	} {
		for _, n := range lengths {
			for _, c := range []float32{0, 1, -2.5, 1e30, inf, nan} {
				x := arrays(n, 2)
				a, dst := x[0], x[1]
				want, old := clone(dst), clone(dst)
				f.twin(want, a, c)
				f.do(dst, a, c)
				wantSame(t, fmt.Sprintf("%s of %d with %v", f.name, n, c), dst, want)
				for i := range want {
					if w := float32(f.plain(float64(old[i]), float64(a[i]), float64(c))); want[i] != w && (want[i] == want[i] || w == w) {
						t.Fatalf("%s of %v and %v: got %v, want %v", f.name, a[i], c, want[i], w)
					}
				}
				got := clone(a)
				want = clone(a)
				f.twin(want, want, c)
				f.do(got, got, c)
				wantSame(t, fmt.Sprintf("%s of %d in place", f.name, n), got, want)
			}
			release()
		}
		wantPanic(t, f.name, func() { f.do(make([]float32, 3), make([]float32, 2), 1) })
	}
}

func TestNeg(t *testing.T) {
	a := []float32{1, -2, 0, inf, nan}
	Neg(a, a)
	wantSame(t, "Neg", a, []float32{-1, 2, zero, -inf, nan})
}

func TestPowConst(t *testing.T) {
	x := []float32{0, 1, 2, -3, 0.3, inf, -0.7, nan}
	dst := make([]float32, len(x))
	for _, c := range []float32{0, 1, 2, 3, -1, 0.5, -2, 2.5, 4} {
		PowConst(dst, x, c)
		for i, v := range x {
			if want := math.Pow(float64(v), float64(c)); !(ulps(dst[i], want) <= 1.5) {
				t.Errorf("PowConst of %v to %v: got %v, want %v", v, c, dst[i], want)
			}
		}
		dy := []float32{2, 2, 2, 2, 2, 2, 2, 2}
		PowGrad(dst, dy, x, c)
		for i, v := range x {
			want := 2 * float64(c) * math.Pow(float64(v), float64(c)-1)
			if c == 0 {
				want = 0
			}
			if !(ulps(dst[i], want) <= 3) {
				t.Errorf("PowGrad of %v to %v: got %v, want %v", v, c, dst[i], want)
			}
		}
	}
}

func TestMinMaxGrad(t *testing.T) {
	a := []float32{1, 2, 3, nan, 1, inf, -inf, inf}
	b := []float32{2, 2, 2, 1, nan, 1, 1, inf}
	dy := []float32{8, 8, 8, 8, 8, 8, 8, 8}
	dst := make([]float32, len(a))
	MinMaxGrad(dst, dy, a, b, false)
	wantSame(t, "min, first", dst, []float32{8, 4, 0, nan, nan, 0, 8, 4})
	MinMaxGrad(dst, dy, b, a, false)
	wantSame(t, "min, second", dst, []float32{0, 4, 8, nan, nan, 8, 0, 4})
	MinMaxGrad(dst, dy, a, b, true)
	wantSame(t, "max, first", dst, []float32{0, 4, 8, nan, nan, 8, 0, 4})
	MinMaxGrad(dst, dy, b, a, true)
	wantSame(t, "max, second", dst, []float32{8, 4, 0, nan, nan, 0, 8, 4})
}
