package kernel

// tileRows is the height of the tallest tile: 6 rows of 16 columns are twelve registers of sums.
const tileRows = 6

// run is a number of tiles of the same height, one below the other.
type run struct{ rows, tiles int }

// splitRows cuts n rows into tiles for a product. Twelve sums hide the latency of a multiply-add well: six rows of one panel or three of two;
// ten, of five rows, nearly; eight, of four, badly.
func splitRows(n int) [3]run {
	tall, low := n/tileRows, n%tileRows
	switch {
	case low == 4 && tall > 0:
		return [3]run{{6, tall - 1}, {5, 2}}
	case low == 2 && tall > 0:
		return [3]run{{6, tall - 1}, {5, 1}, {3, 1}}
	case low == 1 && tall > 1:
		return [3]run{{6, tall - 2}, {5, 2}, {3, 1}}
	case low == 1 && tall > 0:
		return [3]run{{4, 1}, {3, 1}}
	}
	return [3]run{{6, tall}, {low, 1}}
}

// splitOuter cuts n rows into tiles for an outer product, whose tiles are all one panel wide: sixes and fives, or fives and fours, if that
// can be.
func splitOuter(n int) [3]run {
	fives := -n % 6
	if fives < 0 {
		fives += 6
	}
	fours := -n % 5
	if fours < 0 {
		fours += 5
	}
	switch {
	case 5*fives <= n:
		return [3]run{{6, (n - 5*fives) / 6}, {5, fives}}
	case 4*fours <= n:
		return [3]run{{5, (n - 4*fours) / 5}, {4, fours}}
	case n == 7:
		return [3]run{{4, 1}, {3, 1}}
	}
	return [3]run{{n, 1}}
}

// matMulBlockAVX2 does what matMulBlockGeneric does.
func matMulBlockAVX2(dst []float32, ldd int, a []float32, lda int, b *Packed, k, kc, n int, from start, bias []float32) {
	if b.M == 1 && ldd == 1 {
		done := matMulColumnRowsAVX2(dst, a, lda, b, k, kc, n, from, bias)
		if done == n {
			return
		}
		dst, a, n = dst[done:], a[done*lda:], n-done
	}
	row := 0
	for _, r := range splitRows(n) {
		if r.tiles > 0 && r.rows > 0 {
			matMulRowsAVX2(r, dst[row*ldd:], ldd, a[row*lda:], lda, b, k, kc, from, bias)
			row += r.rows * r.tiles
		}
	}
	if b.M%panelWidth != 0 {
		matMulTailAVX2(dst, ldd, a, lda, b, k, kc, n, from, bias)
	}
}

// matMulColumnRowsAVX2 does what matMulBlockGeneric does for a single column, whose rows lie together, in sixteens of rows. It returns how
// many rows that is.
func matMulColumnRowsAVX2(dst []float32, a []float32, lda int, b *Packed, k, kc, n int, from start, bias []float32) int {
	tiles := n / 16
	if tiles > 0 {
		matMulColumnAVX2(&dst[0], &a[0], lda, &b.data[k*panelWidth], kc, tiles, int(from), biasAt(bias, from, 0))
	}
	return tiles * 16
}

// biasAt is the bias of the columns from j on, for a tile that starts there.
func biasAt(bias []float32, from start, j int) *float32 {
	if from != startBias {
		return nil
	}
	return &bias[j]
}

// startAt is where the sums of a product begin, for a tile kernel: the distance of rows and of groups of columns.
func startAt(from start, dst []float32, ldd int, bias []float32, group int) (x *float32, lds, starts int) {
	switch from {
	case startDst:
		return &dst[0], ldd, group
	case startBias:
		return &bias[0], 0, group
	}
	return &noStart[0], 0, 0
}

// noStart is a group of columns that begin with 0, as wide as the widest tile.
var noStart [8 * panelWidth]float32

// widestAVX2 is how many panels a tile of so many rows takes: the lower, the wider.
var widestAVX2 = [tileRows + 1]int{1: 4, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}

// matMulRowsAVX2 runs tiles, one below the other, along the whole panels.
func matMulRowsAVX2(r run, dst []float32, ldd int, a []float32, lda int, b *Packed, k, kc int, from start, bias []float32) {
	j := 0
	for panels, left := widestAVX2[r.rows], b.M/panelWidth; left > 0; panels /= 2 {
		groups := left / panels
		if groups == 0 {
			continue
		}
		begin := bias
		if from == startBias {
			begin = bias[j:]
		}
		x, lds, starts := startAt(from, dst[j:], ldd, begin, panels*panelWidth)
		matMulTileAVX2(r.rows, panels, &dst[j], ldd, x, lds, starts, &a[0], lda, &b.data[j*b.K+k*panelWidth], b.K*panelWidth, kc, r.tiles, groups)
		left -= groups * panels
		j += groups * panels * panelWidth
	}
}

// matMulTileAVX2 runs tiles of rows by panels of 16 columns.
func matMulTileAVX2(rows, panels int, dst *float32, ldd int, x *float32, lds, starts int, a *float32, lda int, b *float32, panel, k, tiles, groups int) {
	switch rows<<4 | panels {
	case 1<<4 | 1:
		matMul1x16AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 1<<4 | 2:
		matMul1x32AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 1<<4 | 4:
		matMul1x64AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 2<<4 | 1:
		matMul2x16AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 2<<4 | 2:
		matMul2x32AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 3<<4 | 1:
		matMul3x16AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 3<<4 | 2:
		matMul3x32AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 4<<4 | 1:
		matMul4x16AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 5<<4 | 1:
		matMul5x16AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	case 6<<4 | 1:
		matMul6x16AVX2(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups)
	}
}

// splitTail cuts n rows into tiles for the last, narrow panel.
func splitTail(n int) [2]run { return [2]run{{4, n / 4}, {n % 4, 1}} }

// matMulTailAVX2 does the columns of the last, narrow panel, under a mask.
func matMulTailAVX2(dst []float32, ldd int, a []float32, lda int, b *Packed, k, kc, n int, from start, bias []float32) {
	j := b.M / panelWidth * panelWidth
	if from == startBias {
		bias = bias[j:]
	}
	x, lds, _ := startAt(from, dst[j:], ldd, bias, 0)
	y, mask := &b.data[j*b.K+k*panelWidth], &columnMask[panelWidth-b.M%panelWidth]
	i := 0
	for _, r := range splitTail(n) {
		if r.tiles == 0 || r.rows == 0 {
			continue
		}
		if from == startDst {
			x = &dst[i*ldd+j]
		}
		matMulMaskAVX2(r, &dst[i*ldd+j], ldd, x, lds, &a[i*lda], lda, y, kc, mask)
		i += r.rows * r.tiles
	}
}

// matMulMaskAVX2 runs tiles of the columns of mask.
func matMulMaskAVX2(r run, dst *float32, ldd int, x *float32, lds int, a *float32, lda int, b *float32, k int, mask *int32) {
	switch r.rows {
	case 1:
		matMul1xMaskAVX2(dst, ldd, x, lds, 0, a, lda, b, 0, k, 1, 0, r.tiles, 1, mask)
	case 2:
		matMul2xMaskAVX2(dst, ldd, x, lds, 0, a, lda, b, 0, k, 1, 0, r.tiles, 1, mask)
	case 3:
		matMul3xMaskAVX2(dst, ldd, x, lds, 0, a, lda, b, 0, k, 1, 0, r.tiles, 1, mask)
	case 4:
		matMul4xMaskAVX2(dst, ldd, x, lds, 0, a, lda, b, 0, k, 1, 0, r.tiles, 1, mask)
	}
}

// outerBlockAVX2 does what outerBlockGeneric does.
func outerBlockAVX2(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	whole, rows := m/panelWidth*panelWidth, 0
	if rows = k / outerRows * outerRows; rows > 0 && whole > 0 && lda >= outerApart {
		outerWideAVX2(dst, ldd, a, lda, rows, d, ldb, whole, n)
	} else {
		rows = 0
	}
	if rows < k {
		for j := 0; j < whole; j += panelWidth {
			outerPanelAVX2(dst[rows*ldd+j:], ldd, a[rows:], lda, k-rows, d[j:], ldb, n)
		}
	}
	if whole < m {
		outerTailAVX2(dst[whole:], ldd, a, lda, k, d[whole:], ldb, m-whole, n)
	}
}

const (
	// outerApart is how far apart, in floats, the rows of a matrix must lie for its columns to be brought together before their use: the rows of a
	// wide one share a few sets of the first-level cache.
	outerApart = 128
	// outerRows is how many columns of a are brought together, which are rows of dst: with blockP rows, 32 KB.
	outerRows = 64
)

// outerWideAVX2 brings columns of a and d together before their use. k is a multiple of outerRows, m of 16.
func outerWideAVX2(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	var columns [outerRows / panelWidth][blockP * panelWidth]float32
	var panel [blockP * panelWidth]float32
	for i := 0; i < k; i += outerRows {
		for c := range columns {
			copyPanelAVX2(&columns[c][0], &a[i+c*panelWidth], lda, n)
		}
		for j := 0; j < m; j += panelWidth {
			copyPanelAVX2(&panel[0], &d[j], ldb, n)
			for c := range columns {
				outerPanelAVX2(dst[(i+c*panelWidth)*ldd+j:], ldd, columns[c][:], panelWidth, panelWidth, panel[:], panelWidth, n)
			}
		}
	}
}

// outerPanelAVX2 does 16 columns.
func outerPanelAVX2(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, n int) {
	i := 0
	for _, r := range splitOuter(k) {
		if r.tiles > 0 && r.rows > 0 {
			outerTileAVX2(r, &dst[i*ldd], ldd, &a[i], lda, &d[0], ldb, n)
			i += r.rows * r.tiles
		}
	}
}

// outerTailAVX2 does the last m columns, fewer than 16, under a mask.
func outerTailAVX2(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	mask := &columnMask[panelWidth-m]
	i := k / 4 * 4
	if i > 0 {
		outer4xMaskAVX2(&dst[0], ldd, &a[0], lda, &d[0], ldb, n, i/4, mask)
	}
	switch k - i {
	case 1:
		outer1xMaskAVX2(&dst[i*ldd], ldd, &a[i], lda, &d[0], ldb, n, 1, mask)
	case 2:
		outer2xMaskAVX2(&dst[i*ldd], ldd, &a[i], lda, &d[0], ldb, n, 1, mask)
	case 3:
		outer3xMaskAVX2(&dst[i*ldd], ldd, &a[i], lda, &d[0], ldb, n, 1, mask)
	}
}

// outerTileAVX2 is tiles of one to six rows by 16 columns.
func outerTileAVX2(r run, dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n int) {
	switch r.rows {
	case 1:
		outer1x16AVX2(dst, ldd, a, lda, d, ldb, n, r.tiles)
	case 2:
		outer2x16AVX2(dst, ldd, a, lda, d, ldb, n, r.tiles)
	case 3:
		outer3x16AVX2(dst, ldd, a, lda, d, ldb, n, r.tiles)
	case 4:
		outer4x16AVX2(dst, ldd, a, lda, d, ldb, n, r.tiles)
	case 5:
		outer5x16AVX2(dst, ldd, a, lda, d, ldb, n, r.tiles)
	case 6:
		outer6x16AVX2(dst, ldd, a, lda, d, ldb, n, r.tiles)
	}
}

// columnMask, read from 16-w on, is a mask of w columns: all ones, then zeros.
var columnMask = [2 * panelWidth]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
