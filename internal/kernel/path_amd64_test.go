//go:build !purego

package kernel

import (
	"math"
	"testing"
)

// eachPath runs a test on the path in use and on every lower one.
func eachPath(t *testing.T, test func(t *testing.T)) {
	defer func(avx512, avx2 bool) { useAVX512, useAVX2 = avx512, avx2 }(useAVX512, useAVX2)
	t.Run(Path(), test)
	if useAVX512 {
		useAVX512 = false
		t.Run(pathAVX2, test)
	}
	if useAVX2 {
		useAVX2 = false
		t.Run(pathGeneric, test)
	}
}

// TestVectorPathsAgree: AVX-512 returns the bits of AVX2, in products and in functions that approximate too.
func TestVectorPathsAgree(t *testing.T) {
	if !useAVX512 {
		t.Skip("expected the path avx512, got ", Path())
	}
	defer func() { useAVX512 = true }()
	r := newRand(11)
	const n, k, m = 29, 70, 150
	x, b, dy := make([]float32, n*k), make([]float32, k*m), make([]float32, n*k)
	randomize(r, x, false)
	randomize(r, b, false)
	randomize(r, dy, true)
	// For the functions, bits of every size: each exponent, both signs, NaN and the infinities among them.
	wide := make([]float32, n*k)
	for i := range wide {
		wide[i] = math.Float32frombits(r.Uint32())
	}
	copy(wide, specials)
	results := func() (all [][]float32) {
		var p Packed
		p.Pack(b, m, k, m)
		dst := make([]float32, n*m)
		MatMul(dst, m, x, k, &p, n)
		dw := make([]float32, k*m)
		Outer(dw, m, x, k, k, dst, m, m, n)
		all = append(all, dst, dw)
		for f := range funcs {
			for _, x := range [][]float32{x, wide} {
				y, dx := make([]float32, len(x)), make([]float32, len(x))
				Apply(f, y, x)
				ApplyGrad(f, dx, dy, x, y)
				all = append(all, y, dx)
			}
		}
		return all
	}
	got := results()
	useAVX512 = false
	for i, want := range results() {
		what := []string{"MatMul", "Outer"}[min(i, 1)]
		if i > 1 {
			what = Func((i - 2) / 4).String()
		}
		wantSame(t, what, got[i], want)
	}
}
