package kernel

import (
	"fmt"
	"testing"
)

func gflops(b *testing.B, perCall int) {
	b.ReportMetric(float64(b.N)*float64(perCall)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func nanoseconds(b *testing.B, values int) {
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(values), "ns/value")
}

// The sizes of products: n rows, k, m. The first are the lecture's layers in shards of 16 and one row.
var benchSizes = [][3]int{{16, 32, 32}, {16, 32, 128}, {1, 32, 32}, {1, 32, 128}, {128, 32, 1}, {128, 32, 128}, {64, 512, 2048}, {512, 512, 512}}

// BenchmarkPeak is what the tile of products reaches without any traffic: the bound of the others.
func BenchmarkPeak(b *testing.B) {
	const n, k, m = 12, 128, 32
	a, x, dst := make([]float32, n*k), make([]float32, k*m), make([]float32, n*m)
	var p Packed
	p.Pack(x, m, k, m)
	for b.Loop() {
		MatMul(dst, m, a, k, &p, n)
	}
	gflops(b, 2*n*k*m)
}

func BenchmarkMatMul(b *testing.B) {
	for _, s := range benchSizes {
		n, k, m := s[0], s[1], s[2]
		b.Run(fmt.Sprintf("%dx%dx%d", n, k, m), func(b *testing.B) {
			a, x, dst := make([]float32, n*k), make([]float32, k*m), make([]float32, n*m)
			var p Packed
			p.Pack(x, m, k, m)
			for b.Loop() {
				MatMul(dst, m, a, k, &p, n)
			}
			gflops(b, 2*n*k*m)
		})
	}
}

func BenchmarkOuter(b *testing.B) {
	for _, s := range [][3]int{{16, 32, 32}, {8000, 32, 32}, {8000, 32, 128}, {128, 32, 1}, {2000, 512, 2048}, {512, 512, 512}} {
		n, k, m := s[0], s[1], s[2]
		b.Run(fmt.Sprintf("%dx%dx%d", n, k, m), func(b *testing.B) {
			a, d, dst := make([]float32, n*k), make([]float32, n*m), make([]float32, k*m)
			for b.Loop() {
				Outer(dst, m, a, k, k, d, m, m, n)
			}
			gflops(b, 2*n*k*m)
		})
	}
}

func BenchmarkPack(b *testing.B) {
	for _, m := range []int{32, 512} {
		x := make([]float32, m*m)
		var p Packed
		b.Run(fmt.Sprintf("%dx%d", m, m), func(b *testing.B) {
			for b.Loop() {
				p.Pack(x, m, m, m)
			}
			nanoseconds(b, m*m)
		})
		b.Run(fmt.Sprintf("transposed/%dx%d", m, m), func(b *testing.B) {
			for b.Loop() {
				p.PackT(x, m, m, m)
			}
			nanoseconds(b, m*m)
		})
	}
}

func BenchmarkApply(b *testing.B) {
	r := newRand(1)
	x, y := make([]float32, 512), make([]float32, 512)
	randomize(r, x, false)
	for f := range funcs {
		b.Run(f.String(), func(b *testing.B) {
			for b.Loop() {
				Apply(f, y, x)
			}
			nanoseconds(b, len(x))
		})
	}
}

func BenchmarkSweep(b *testing.B) {
	const n = 1 << 14
	for _, f := range allSweeps {
		r := newRand(1)
		w, g := random(r, n, false), random(r, n, false)
		s := slotsOf(n, f.slots, func(i, j int) float32 { return 1 })
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				f.do(w, s, g)
			}
			nanoseconds(b, n)
		})
	}
	release()
}

// BenchmarkRows moves rows of 32 of a table of 10,000, larger than L2.
func BenchmarkRows(b *testing.B) {
	const rows, n, width = 10000, 4000, 32
	r := newRand(1)
	table, x, sum := make([]float32, rows*width), make([]float32, n*width), make([]float32, width)
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(rows))
	}
	b.Run("Gather", func(b *testing.B) {
		for b.Loop() {
			Gather(x, table, width, ids, width)
		}
		nanoseconds(b, n*width)
	})
	b.Run("ScatterAdd", func(b *testing.B) {
		for b.Loop() {
			ScatterAdd(table, width, ids, x, width)
		}
		nanoseconds(b, n*width)
	})
	b.Run("SumRows", func(b *testing.B) {
		for b.Loop() {
			SumRows(sum, x, width, n, width)
		}
		nanoseconds(b, n*width)
	})
	b.Run("SumSquares", func(b *testing.B) {
		for b.Loop() {
			SumSquares(x)
		}
		nanoseconds(b, n*width)
	})
}
