package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestSumRows(t *testing.T) { eachPath(t, testSumRows) }

func testSumRows(t *testing.T) {
	r := newRand(1)
	for _, n := range []int{0, 1, 2, 7, 33} {
		for _, m := range lengths {
			ldx := m + n%3
			x := random(r, len(matrix(n, m, ldx)), true)
			dst := random(r, m, true)
			want := clone(dst)
			for j := range m {
				for i := range n {
					want[j] += x[i*ldx+j]
				}
			}
			twin := clone(dst)
			sumRowsGeneric(twin, x, ldx, min(n, n*m), m)
			SumRows(dst, x, ldx, n, m)
			wantSame(t, fmt.Sprintf("SumRows of %d by %d", n, m), dst, want)
			wantSame(t, fmt.Sprintf("twin of %d by %d", n, m), twin, want)
			release()
		}
	}
	wantPanic(t, "SumRows", func() { SumRows(make([]float32, 3), make([]float32, 8), 4, 2, 4) })
	wantPanic(t, "SumRows", func() { SumRows(make([]float32, 4), make([]float32, 7), 4, 2, 4) })
}

func TestGatherScatter(t *testing.T) { eachPath(t, testGatherScatter) }

func testGatherScatter(t *testing.T) {
	r := newRand(2)
	const rows = 21
	for _, width := range []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100} {
		for _, n := range []int{0, 1, 2, 8, 9, 17, 60} {
			ids := make([]int32, n)
			for i := range ids {
				ids[i] = int32(r.IntN(rows)) // repeated for certain when n > rows
			}
			if n > 0 {
				ids[0] = rows - 1
			}
			table, dst := random(r, rows*width, true), random(r, n*width, true)
			Gather(dst, table, width, ids, width)
			for i, id := range ids {
				wantSame(t, fmt.Sprintf("Gather %d of %d, width %d", i, n, width), dst[i*width:][:width], table[int(id)*width:][:width])
			}
			src := random(r, n*width, true)
			want, twin := clone(table), clone(table)
			for i, id := range ids {
				for j := range width {
					want[int(id)*width+j] += src[i*width+j]
				}
			}
			ScatterAdd(table, width, ids, src, width)
			scatterAddGeneric(twin, width, ids, src, width)
			wantSame(t, fmt.Sprintf("ScatterAdd of %d, width %d", n, width), table, want)
			wantSame(t, fmt.Sprintf("twin of %d, width %d", n, width), twin, want)
			want, twin, dst = clone(table), clone(table), clone(table)
			for i, id := range ids {
				copy(want[int(id)*width:][:width], src[i*width:])
			}
			Scatter(dst, width, ids, src, width)
			scatterGeneric(twin, width, ids, src, width)
			wantSame(t, fmt.Sprintf("Scatter of %d, width %d", n, width), dst, want)
			wantSame(t, fmt.Sprintf("twin of Scatter of %d, width %d", n, width), twin, want)
			release()
		}
	}
	wantPanic(t, "Scatter", func() { Scatter(make([]float32, 9), 3, []int32{0, 1}, make([]float32, 5), 3) })
	wantPanic(t, "Gather", func() { Gather(make([]float32, 5), make([]float32, 9), 3, []int32{0, 1}, 3) })
	wantPanic(t, "ScatterAdd", func() { ScatterAdd(make([]float32, 9), 3, []int32{0, 1}, make([]float32, 5), 3) })
}

func TestRowMasks(t *testing.T) {
	a, b := []float32{1, 2, 3, 4, 5, 6}, []float32{-1, -2, nan, -4, -5, -6}
	mask := []bool{true, false, true}
	dst := make([]float32, 6)
	Select(dst, a, b, mask, 3, 2)
	wantSame(t, "Select", dst, []float32{1, 2, nan, -4, 5, 6})
	onto := clone(a)
	Select(onto, onto, b, mask, 3, 2)
	wantSame(t, "Select in place of a", onto, dst)
	onto = clone(b)
	Select(onto, a, onto, mask, 3, 2)
	wantSame(t, "Select in place of b", onto, dst)
	ZeroRows(dst, mask, 3, 2)
	wantSame(t, "ZeroRows", dst, []float32{1, 2, 0, 0, 5, 6})
	Broadcast(dst, []float32{7, 8}, 3)
	wantSame(t, "Broadcast", dst, []float32{7, 8, 7, 8, 7, 8})
	wantPanic(t, "Select", func() { Select(dst, a, b, mask[:2], 3, 2) })
	wantPanic(t, "Select", func() { Select(dst, a, b[:5], mask, 3, 2) })
	wantPanic(t, "ZeroRows", func() { ZeroRows(dst, mask[:2], 3, 2) })
	wantPanic(t, "Broadcast", func() { Broadcast(dst, []float32{7, 8}, 4) })
}

func TestReduce(t *testing.T) { eachPath(t, testReduce) }

func testReduce(t *testing.T) {
	r := newRand(3)
	for _, n := range lengths {
		a, b := random(r, n, false), random(r, n, false)
		var lane [lanes]float64
		dotGeneric(&lane, a, b)
		if got, want := Dot(a, b), float32(fold(&lane)); got != want {
			t.Errorf("Dot of %d: got %v, twin %v", n, got, want)
		}
		var plain, squares, sum float64
		for i, v := range a {
			plain += float64(v) * float64(b[i])
			squares += float64(v) * float64(v)
			sum += float64(v)
		}
		if got := float64(Dot(a, b)); !(math.Abs(got-plain) <= 1e-7*math.Abs(plain)+1e-12) {
			t.Errorf("Dot of %d: got %v, want %v", n, got, plain)
		}
		if got := SumSquares(a); !(math.Abs(got-squares) <= 1e-13*squares) {
			t.Errorf("SumSquares of %d: got %v, want %v", n, got, squares)
		}
		if got := Sum(a); !(math.Abs(got-sum) <= 1e-12) {
			t.Errorf("Sum of %d: got %v, want %v", n, got, sum)
		}
		release()
	}
	for i := range 40 {
		x := make([]float32, 40)
		x[i] = nan
		if d, s, q := Dot(x, x), Sum(x), SumSquares(x); d == d || s == s || q == q {
			t.Errorf("NaN at %d: got %v, %v, %v", i, d, s, q)
		}
	}
	// Squares that overflow float32 do not overflow the sum.
	if got := SumSquares([]float32{math.MaxFloat32, math.MaxFloat32}); math.IsInf(got, 0) {
		t.Errorf("SumSquares: got %v", got)
	}
	wantPanic(t, "Dot", func() { Dot(make([]float32, 3), make([]float32, 4)) })
}
