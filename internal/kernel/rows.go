package kernel

import "fmt"

// SumRows is dst[j] += sum of x[i*ldx+j] over increasing i < n, for j < m: one sum started at the old dst.
func SumRows(dst []float32, x []float32, ldx, n, m int) {
	checkLen("SumRows", "dst", dst, m)
	checkMatrix("SumRows", "x", x, ldx, n, m)
	if n == 0 || m == 0 {
		return
	}
	switch {
	case useAVX512:
		sumRowsAVX512(&dst[0], &x[0], ldx, n, m)
	case useAVX2:
		sumRowsAVX2(&dst[0], &x[0], ldx, n, m)
	default:
		sumRowsGeneric(dst, x, ldx, n, m)
	}
}

func sumRowsGeneric(dst []float32, x []float32, ldx, n, m int) {
	dst = dst[:m]
	for i := range n {
		for j, v := range x[i*ldx:][:m] {
			dst[j] += v
		}
	}
}

// Gather copies rows of a table: row i of dst is row ids[i], width values each; those of the table are ld apart, those of dst without gaps. The ids are trusted to be
// within the table: who takes them from outside checks them there.
func Gather(dst, table []float32, ld int, ids []int32, width int) {
	checkMatrix("Gather", "dst", dst, width, len(ids), width)
	if len(ids) == 0 || width == 0 {
		return
	}
	switch {
	case useAVX512:
		gatherAVX512(&dst[0], &table[0], ld, &ids[0], len(ids), len(ids), width)
	case useAVX2:
		gatherAVX2(&dst[0], &table[0], ld, &ids[0], len(ids), len(ids), width)
	default:
		gatherGeneric(dst, table, ld, ids, width)
	}
}

func gatherGeneric(dst, table []float32, ld int, ids []int32, width int) {
	for i, id := range ids {
		copy(dst[i*width:][:width], table[int(id)*ld:][:width])
	}
}

// ScatterAdd adds row i of src to row ids[i] of dst, whose rows are ld apart, in the order of i, so that repeated ids give one sum in that order. The ids
// are trusted like Gather's.
func ScatterAdd(dst []float32, ld int, ids []int32, src []float32, width int) {
	checkMatrix("ScatterAdd", "src", src, width, len(ids), width)
	if len(ids) == 0 || width == 0 {
		return
	}
	switch {
	case useAVX512:
		scatterAddAVX512(&dst[0], ld, &ids[0], &src[0], len(ids), width)
	case useAVX2:
		scatterAddAVX2(&dst[0], ld, &ids[0], &src[0], len(ids), width)
	default:
		scatterAddGeneric(dst, ld, ids, src, width)
	}
}

func scatterAddGeneric(dst []float32, ld int, ids []int32, src []float32, width int) {
	for i, id := range ids {
		d := dst[int(id)*ld:][:width]
		for j, v := range src[i*width:][:width] {
			d[j] += v
		}
	}
}

// Scatter copies row i of src to row ids[i] of dst, whose rows are ld apart, in the order of i, so that the last of repeated ids stays. The ids are trusted like
// Gather's.
func Scatter(dst []float32, ld int, ids []int32, src []float32, width int) {
	checkMatrix("Scatter", "src", src, width, len(ids), width)
	if len(ids) == 0 || width == 0 {
		return
	}
	switch {
	case useAVX512:
		scatterAVX512(&dst[0], ld, &ids[0], &src[0], len(ids), width)
	case useAVX2:
		scatterAVX2(&dst[0], ld, &ids[0], &src[0], len(ids), width)
	default:
		scatterGeneric(dst, ld, ids, src, width)
	}
}

func scatterGeneric(dst []float32, ld int, ids []int32, src []float32, width int) {
	for i, id := range ids {
		copy(dst[int(id)*ld:][:width], src[i*width:])
	}
}

// CopyRows copies n rows of m values, ldx apart, to rows ldd apart.
func CopyRows(dst []float32, ldd int, x []float32, ldx, n, m int) {
	checkMatrix("CopyRows", "dst", dst, ldd, n, m)
	checkMatrix("CopyRows", "x", x, ldx, n, m)
	if ldd == m && ldx == m {
		copy(dst[:n*m], x)
		return
	}
	for i := range n {
		copy(dst[i*ldd:i*ldd+m], x[i*ldx:])
	}
}

// Broadcast writes n copies of row, one after the other.
func Broadcast(dst, row []float32, n int) {
	checkMatrix("Broadcast", "dst", dst, len(row), n, len(row))
	for i := range n {
		copy(dst[i*len(row):], row)
	}
}

// Select takes whole rows of m values: row i of dst is row i of a where mask[i] is set, and of b elsewhere, i < n. dst may be a
// or b itself.
func Select(dst, a, b []float32, mask []bool, n, m int) {
	checkMatrix("Select", "dst", dst, m, n, m)
	checkMatrix("Select", "a", a, m, n, m)
	checkMatrix("Select", "b", b, m, n, m)
	checkMask("Select", mask, n)
	for i, set := range mask[:n] {
		from := b
		if set {
			from = a
		}
		copy(dst[i*m:][:m], from[i*m:][:m])
	}
}

// ZeroRows clears the rows of m values whose mask is not set, i < n.
func ZeroRows(dst []float32, mask []bool, n, m int) {
	checkMatrix("ZeroRows", "dst", dst, m, n, m)
	checkMask("ZeroRows", mask, n)
	for i, set := range mask[:n] {
		if !set {
			clear(dst[i*m:][:m])
		}
	}
}

func checkMask(kernel string, mask []bool, n int) {
	if len(mask) < n {
		panic(fmt.Sprintf("kernel: %s: mask must hold %d values, got %d", kernel, n, len(mask)))
	}
}
