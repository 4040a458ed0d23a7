package kernel

// blockP is how many rows of a and d an outer product takes at a time: at widths of 16 and more they stay in L1.
const blockP = 128

// Outer is dst += transpose(a) d: dst[i*ldd+j] += sum of a[p*lda+i] * d[p*ldb+j] over increasing p < n, for i < k and j < m,
// each sum started at the old dst. With a the inputs of n steps and d the gradients of their products, it is the gradient of
// a (k, m) weight. dst must not overlap a or d.
func Outer(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	checkMatrix("Outer", "dst", dst, ldd, k, m)
	checkMatrix("Outer", "a", a, lda, n, k)
	checkMatrix("Outer", "d", d, ldb, n, m)
	if n == 0 || k == 0 || m == 0 {
		return
	}
	if m == 1 && ldd == 1 && k > 1 {
		// A column of dst whose rows lie together is better as a row, with the factors exchanged.
		ldd, a, lda, k, d, ldb, m = k, d, ldb, m, a, lda, k
	}
	for p := 0; p < n; p += blockP {
		pc := min(blockP, n-p)
		switch {
		case useAVX512:
			outerBlockAVX512(dst, ldd, a[p*lda:], lda, k, d[p*ldb:], ldb, m, pc)
		case useAVX2:
			outerBlockAVX2(dst, ldd, a[p*lda:], lda, k, d[p*ldb:], ldb, m, pc)
		default:
			outerBlockGeneric(dst, ldd, a[p*lda:], lda, k, d[p*ldb:], ldb, m, pc)
		}
	}
}

// outerBlockGeneric adds n rows in tiles of two by four.
func outerBlockGeneric(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	i := 0
	for ; i+2 <= k; i += 2 {
		j := 0
		for ; j+4 <= m; j += 4 {
			outer2x4(dst[i*ldd+j:], ldd, a[i:], lda, d[j:], ldb, n)
		}
		for ; j < m; j++ {
			outer1x1(&dst[i*ldd+j], a[i:], lda, d[j:], ldb, n)
			outer1x1(&dst[(i+1)*ldd+j], a[i+1:], lda, d[j:], ldb, n)
		}
	}
	if i < k {
		for j := range m {
			outer1x1(&dst[i*ldd+j], a[i:], lda, d[j:], ldb, n)
		}
	}
}

func outer2x4(dst []float32, ldd int, a []float32, lda int, d []float32, ldb int, n int) {
	u, v := (*[4]float32)(dst), (*[4]float32)(dst[ldd:])
	s0, s1, s2, s3 := u[0], u[1], u[2], u[3]
	t0, t1, t2, t3 := v[0], v[1], v[2], v[3]
	for p := range n {
		x := (*[2]float32)(a[p*lda:])
		q := (*[4]float32)(d[p*ldb:])
		s0 += float32(x[0] * q[0])
		s1 += float32(x[0] * q[1])
		s2 += float32(x[0] * q[2])
		s3 += float32(x[0] * q[3])
		t0 += float32(x[1] * q[0])
		t1 += float32(x[1] * q[1])
		t2 += float32(x[1] * q[2])
		t3 += float32(x[1] * q[3])
	}
	*u = [4]float32{s0, s1, s2, s3}
	*v = [4]float32{t0, t1, t2, t3}
}

func outer1x1(dst *float32, a []float32, lda int, d []float32, ldb int, n int) {
	s := *dst
	for p := range n {
		s += float32(a[p*lda] * d[p*ldb])
	}
	*dst = s
}
