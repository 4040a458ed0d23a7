package kernel

// Blocks of a product: blockK rows of a panel (16 KB; AVX-512 takes two) stay in the L1 cache while blockN rows of a (132 KB) stay in L2.
const (
	blockK = 256
	blockN = 132 // a multiple of the six or twelve rows of a tile
	// Rows are cut into tiles of two or three heights, each of which goes along b. Where kc rows of b are more than blockB values, which the second-level cache
	// would lose from one to the next, they go along blockM columns, a multiple of the widest tile's, before the next.
	blockB = 1 << 15
	blockM = 128
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
		step := b.M
		if kc*b.M > blockB {
			step = blockM
		}
		for i := 0; i < n; i += blockN {
			nc := min(blockN, n-i)
			for j := 0; j < b.M; j += step {
				var columns Packed
				b.Columns(&columns, j, min(j+step, b.M))
				to, begin := dst[i*ldd+j:], bias
				if from == startBias {
					begin = bias[j:]
				}
				switch {
				case useAVX512:
					matMulBlockAVX512(to, ldd, a[i*lda+k:], lda, &columns, k, kc, nc, from, begin)
				case useAVX2:
					matMulBlockAVX2(to, ldd, a[i*lda+k:], lda, &columns, k, kc, nc, from, begin)
				default:
					matMulBlockGeneric(to, ldd, a[i*lda+k:], lda, &columns, k, kc, nc, from, begin)
				}
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
