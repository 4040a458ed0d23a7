package kernel

// Blocks of a product: blockK rows of a panel (16 KB; AVX-512 takes two) stay in the L1 cache while blockN rows of a (132 KB) stay in L2.
const (
	blockK = 256
	blockN = 132 // a multiple of the six or twelve rows of a tile
)

// MatMul is dst = a B: dst[i*ldd+j] = sum of a[i*lda+k] * B[k,j] over increasing k, for i < n and j < b.M. It never reads dst.
// dst must not overlap a.
func MatMul(dst []float32, ldd int, a []float32, lda int, b *Packed, n int) {
	matMul("MatMul", dst, ldd, a, lda, b, n, startZero, nil)
}

// MatMulAcc is dst += a B: the sum of MatMul started at the old dst[i*ldd+j].
func MatMulAcc(dst []float32, ldd int, a []float32, lda int, b *Packed, n int) {
	matMul("MatMulAcc", dst, ldd, a, lda, b, n, startDst, nil)
}

// MatMulBias is dst = bias + a B: the sum of MatMul started at bias[j]. It never reads dst.
func MatMulBias(dst []float32, ldd int, bias []float32, a []float32, lda int, b *Packed, n int) {
	checkLen("MatMulBias", "bias", bias, b.M)
	matMul("MatMulBias", dst, ldd, a, lda, b, n, startBias, bias)
}

// start says where the sums of a product begin. The assembly knows the numbers.
type start int

const (
	startZero start = 0
	startDst  start = 1
	startBias start = 2
)

func matMul(name string, dst []float32, ldd int, a []float32, lda int, b *Packed, n int, from start, bias []float32) {
	checkMatrix(name, "dst", dst, ldd, n, b.M)
	checkMatrix(name, "a", a, lda, n, b.K)
	if n == 0 || b.M == 0 {
		return
	}
	if b.K == 0 {
		startRows(dst, ldd, n, b.M, from, bias)
		return
	}
	// The blocks over k are the outermost loop and every later one starts at dst, so that each sum runs over increasing k.
	for k := 0; k < b.K; k += blockK {
		kc := min(blockK, b.K-k)
		if k > 0 {
			from = startDst
		}
		for i := 0; i < n; i += blockN {
			nc := min(blockN, n-i)
			switch {
			case useAVX512:
				matMulBlockAVX512(dst[i*ldd:], ldd, a[i*lda+k:], lda, b, k, kc, nc, from, bias)
			case useAVX2:
				matMulBlockAVX2(dst[i*ldd:], ldd, a[i*lda+k:], lda, b, k, kc, nc, from, bias)
			default:
				matMulBlockGeneric(dst[i*ldd:], ldd, a[i*lda+k:], lda, b, k, kc, nc, from, bias)
			}
		}
	}
}

// startRows writes the start value of every sum.
func startRows(dst []float32, ldd, n, m int, from start, bias []float32) {
	for i := range n {
		switch row := dst[i*ldd:][:m]; from {
		case startZero:
			clear(row)
		case startBias:
			copy(row, bias)
		}
	}
}
