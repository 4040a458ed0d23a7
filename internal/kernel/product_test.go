package kernel

import (
	"fmt"
	"math"
	"testing"
)

// multiplyAdd is x*y + z as the products of this path round it.
func multiplyAdd(x, y, z float32) float32 {
	if useAVX2 {
		return fusedMultiplyAdd(x, y, z)
	}
	return float32(x*y) + z
}

// fusedMultiplyAdd rounds x*y + z once. The product is exact in float64; the sum is rounded to odd there, which makes the second
// rounding right (Boldo and Melquiond 2008).
func fusedMultiplyAdd(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	v := s - p
	rest := (p - (s - v)) + (c - v) // what the sum lost, exactly (Knuth)
	if b := math.Float64bits(s); rest != 0 && b&1 == 0 {
		if (rest > 0) == (s > 0) {
			b++
		} else {
			b--
		}
		s = math.Float64frombits(b)
	}
	return float32(s)
}

var (
	productRows    = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 25, 40, 131, 132, 133, 265}
	productInner   = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 255, 256, 257, 513}
	productColumns = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 79, 80, 96, 112, 129}
)

// matrix is n rows of m values, ld apart, in guarded memory without anything after the last row.
func matrix(n, m, ld int) []float32 {
	if n == 0 || m == 0 {
		return guarded(0)
	}
	return guarded((n-1)*ld + m)
}

// TestMatMulDefinition: on this path every element is bit for bit the plain sum over increasing k from its start value, whatever
// the number of rows, the tile and the tail; nothing else is written; where the start is not dst, dst is not read.
func TestMatMulDefinition(t *testing.T) { eachPath(t, testMatMulDefinition) }

func testMatMulDefinition(t *testing.T) {
	r := newRand(1)
	for _, n := range productRows {
		for ki, k := range productInner {
			for mi, m := range productColumns {
				if n > 13 && (ki+mi)%5 != n%5 || n*k*m > 1<<16 && (n+2*ki+3*mi)%9 != 0 {
					continue // large cases sampled, to stay within seconds
				}
				if testing.Short() && (n+ki+mi)%4 != 0 {
					continue // for an emulator
				}
				lda, ldd, ldb := k+n%3, m+(n+k)%4, m+(n+k)%3
				a, b := random(r, len(matrix(n, k, lda)), false), random(r, len(matrix(k, m, ldb)), false)
				bias := random(r, m, false)
				var p Packed
				p.Pack(b, ldb, k, m)
				for from := startZero; from <= startBias; from++ {
					dst := matrix(n, m, ldd)
					randomize(r, dst, false)
					want := clone(dst)
					for i := range n {
						for j := range m {
							s := want[i*ldd+j]
							switch from {
							case startZero:
								s = 0
							case startBias:
								s = bias[j]
							}
							for q := range k {
								s = multiplyAdd(a[i*lda+q], b[q*ldb+j], s)
							}
							want[i*ldd+j] = s
							if from != startDst {
								dst[i*ldd+j] = nan
							}
						}
					}
					switch from {
					case startZero:
						MatMul(dst, ldd, a, lda, &p, n)
					case startDst:
						MatMulAcc(dst, ldd, a, lda, &p, n)
					case startBias:
						MatMulBias(dst, ldd, bias, a, lda, &p, n)
					}
					wantSame(t, fmt.Sprintf("n %d, k %d, m %d, start %d", n, k, m, from), dst, want)
				}
				release()
			}
		}
	}
}

// TestMatMulRows: a row's answer is the same alone and among others, bit for bit.
func TestMatMulRows(t *testing.T) { eachPath(t, testMatMulRows) }

func testMatMulRows(t *testing.T) {
	r := newRand(2)
	for _, s := range [][2]int{{32, 32}, {32, 128}, {33, 17}, {300, 70}} {
		k, m := s[0], s[1]
		const rows = 40
		a, b := random(r, rows*k, false), random(r, k*m, false)
		var p Packed
		p.Pack(b, m, k, m)
		alone := make([]float32, rows*m)
		for i := range rows {
			MatMul(alone[i*m:], m, a[i*k:], k, &p, 1)
		}
		for n := 1; n <= rows; n++ {
			dst := guarded(n * m)
			MatMul(dst, m, a, k, &p, n)
			wantSame(t, fmt.Sprintf("k %d, m %d, n %d", k, m, n), dst, alone[:n*m])
		}
	}
}

// TestMatMulTwin: this path against the generic one, within the rounding of k sums.
func TestMatMulTwin(t *testing.T) {
	r := newRand(3)
	for _, s := range [][3]int{{16, 32, 32}, {13, 300, 70}, {127, 64, 48}} {
		n, k, m := s[0], s[1], s[2]
		a, b := random(r, n*k, false), random(r, k*m, false)
		var p Packed
		p.Pack(b, m, k, m)
		got, twin := make([]float32, n*m), make([]float32, n*m)
		MatMul(got, m, a, k, &p, n)
		matMulBlockGeneric(twin, m, a, k, &p, 0, k, n, startZero, nil)
		for i := range n {
			for j := range m {
				size := 0.0
				for q := range k {
					size += math.Abs(float64(a[i*k+q]) * float64(b[q*m+j]))
				}
				// Each path is off by at most k roundings of partial sums no larger than size.
				if tol := 2 * float64(k) * 0x1p-24 * size; !(math.Abs(float64(got[i*m+j]-twin[i*m+j])) <= tol) {
					t.Fatalf("%v: at %d, %d: got %v, twin %v", s, i, j, got[i*m+j], twin[i*m+j])
				}
			}
		}
	}
}

// TestProductSpecials: NaN and Inf reach every sum that they take part in, by way of zeros too, and no other.
func TestProductSpecials(t *testing.T) { eachPath(t, testProductSpecials) }

func testProductSpecials(t *testing.T) {
	const n, k, m = 9, 5, 21
	for _, v := range []float32{nan, inf} {
		a, b := make([]float32, n*k), make([]float32, k*m)
		b[3*m+18] = v // times zeros: NaN in column 18
		a[7*k+2] = v  // likewise in row 7
		var p Packed
		p.Pack(b, m, k, m)
		dst := make([]float32, n*m)
		MatMul(dst, m, a, k, &p, n)
		for i := range n {
			for j := range m {
				if want := i == 7 || j == 18; (dst[i*m+j] != dst[i*m+j]) != want {
					t.Errorf("MatMul of %v at %d, %d: got %v", v, i, j, dst[i*m+j])
				}
			}
		}
		x, d := make([]float32, n*k), make([]float32, n*m)
		x[4*k+1], d[6*m+20] = v, v
		w := make([]float32, k*m)
		Outer(w, m, x, k, k, d, m, m, n)
		for i := range k {
			for j := range m {
				if want := i == 1 || j == 20; (w[i*m+j] != w[i*m+j]) != want {
					t.Errorf("Outer of %v at %d, %d: got %v", v, i, j, w[i*m+j])
				}
			}
		}
	}
}

// TestOuterDefinition is TestMatMulDefinition for Outer.
func TestOuterDefinition(t *testing.T) { eachPath(t, testOuterDefinition) }

func testOuterDefinition(t *testing.T) {
	r := newRand(4)
	for ni, n := range []int{0, 1, 2, 3, 7, 127, 128, 129, 300} {
		for ki, k := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 25, 32, 97, 130} {
			for mi, m := range productColumns {
				if n*k*m > 1<<16 && (ni+ki+mi)%5 != 0 {
					continue
				}
				lda, ldb, ldd := k+n%3, m+k%3, m+(n+k)%4
				a, d := random(r, len(matrix(n, k, lda)), false), random(r, len(matrix(n, m, ldb)), false)
				dst := matrix(k, m, ldd)
				randomize(r, dst, false)
				want := clone(dst)
				for i := range k {
					for j := range m {
						s := want[i*ldd+j]
						for p := range n {
							s = multiplyAdd(a[p*lda+i], d[p*ldb+j], s)
						}
						want[i*ldd+j] = s
					}
				}
				Outer(dst, ldd, a, lda, k, d, ldb, m, n)
				wantSame(t, fmt.Sprintf("n %d, k %d, m %d", n, k, m), dst, want)
				release()
			}
		}
	}
}

// TestOuterTwin: this path against the generic one.
func TestOuterTwin(t *testing.T) {
	r := newRand(5)
	const n, k, m = 100, 33, 37
	a, d := random(r, n*k, false), random(r, n*m, false)
	got, twin := make([]float32, k*m), make([]float32, k*m)
	Outer(got, m, a, k, k, d, m, m, n)
	outerBlockGeneric(twin, m, a, k, k, d, m, m, n)
	want := make([]float64, len(twin))
	for i, v := range twin {
		want[i] = float64(v)
	}
	wantNear(t, "Outer", got, want, n*0x1p-22)
}

func TestPack(t *testing.T) { eachPath(t, testPack) }

func testPack(t *testing.T) {
	r := newRand(6)
	var p Packed
	for _, s := range [][3]int{{5, 40, 41}, {3, 16, 16}, {7, 1, 3}, {1, 17, 17}, {0, 4, 4}, {0, 40, 40}, {4, 0, 0}, {9, 32, 50}} {
		k, m, ldb := s[0], s[1], s[2]
		b := random(r, len(matrix(k, m, ldb)), true)
		p.Pack(b, ldb, k, m)
		transposed := make([]float32, m*(k+1))
		for i := range k {
			for j := range m {
				if !same(p.at(i, j), b[i*ldb+j]) {
					t.Fatalf("Pack %v: at %d, %d: got %v, want %v", s, i, j, p.at(i, j), b[i*ldb+j])
				}
				transposed[j*(k+1)+i] = b[i*ldb+j]
			}
		}
		plain := clone(p.data)
		p.data = append(p.data[:0], make([]float32, len(p.data))...)
		for i := range p.data {
			p.data[i] = nan // what an earlier, larger matrix may have left
		}
		p.PackT(transposed, k+1, k, m)
		wantSame(t, fmt.Sprintf("PackT %v", s), p.data, plain)
	}
}

func TestPackKeepsMemory(t *testing.T) { eachPath(t, testPackKeepsMemory) }

func testPackKeepsMemory(t *testing.T) {
	b := make([]float32, 64*64)
	var p Packed
	p.Pack(b, 64, 64, 64)
	dst := make([]float32, 64*64)
	if n := testing.AllocsPerRun(10, func() {
		p.Pack(b, 64, 32, 50)
		p.PackT(b, 64, 64, 64)
		MatMul(dst, 64, b, 64, &p, 64)
		Outer(dst, 64, b, 64, 64, b, 64, 61, 64)
	}); n != 0 {
		t.Errorf("allocations: got %v, want 0", n)
	}
}

func TestProductSizes(t *testing.T) {
	var p Packed
	p.Pack(make([]float32, 12), 4, 3, 4)
	x := make([]float32, 11)
	wantPanic(t, "Pack", func() { new(Packed).Pack(x, 4, 3, 4) })
	wantPanic(t, "PackT", func() { new(Packed).PackT(x, 4, 4, 3) })
	wantPanic(t, "MatMul", func() { MatMul(x, 4, make([]float32, 9), 3, &p, 3) })
	wantPanic(t, "MatMul", func() { MatMul(make([]float32, 12), 3, make([]float32, 9), 3, &p, 3) })
	wantPanic(t, "MatMulAcc", func() { MatMulAcc(make([]float32, 16), 4, x, 3, &p, 4) })
	wantPanic(t, "MatMulBias", func() { MatMulBias(make([]float32, 16), 4, x[:3], make([]float32, 12), 3, &p, 4) })
	wantPanic(t, "Outer", func() { Outer(x, 4, make([]float32, 15), 3, 3, make([]float32, 20), 4, 4, 5) })
	wantPanic(t, "Outer", func() { Outer(make([]float32, 12), 4, make([]float32, 14), 3, 3, make([]float32, 20), 4, 4, 5) })
	wantPanic(t, "Outer", func() { Outer(make([]float32, 12), 4, make([]float32, 15), 3, 3, make([]float32, 19), 4, 4, 5) })
	wantPanic(t, "Outer", func() { Outer(make([]float32, 12), 4, make([]float32, 15), 3, 3, make([]float32, 20), 4, 4, -5) })
}

// TestBeside: the product with matrices side by side is theirs, side by side.
func TestBeside(t *testing.T) {
	r := newRand(21)
	for _, widths := range [][]int{{16, 32}, {20, 20, 20, 20}, {5, 16, 3}, {1}, {32, 7}} {
		const k, n = 9, 3
		m, parts := 0, []*Packed{}
		for _, w := range widths {
			p := &Packed{}
			p.Pack(random(r, k*w, false), w, k, w)
			m, parts = m+w, append(parts, p)
		}
		var all Packed
		all.Pack(random(r, 40*k*m, false), m, 40*k, m) // memory with other contents
		all.Beside(parts)
		a, got := random(r, n*k, false), guarded(n*m)
		MatMul(got, m, a, k, &all, n)
		at := 0
		for i, w := range widths {
			want := guarded(n * w)
			MatMul(want, w, a, k, parts[i], n)
			for row := range n {
				wantSame(t, fmt.Sprintf("widths %v, part %d", widths, i), got[row*m+at:row*m+at+w], want[row*w:(row+1)*w])
			}
			at += w
		}
		release()
	}
}
