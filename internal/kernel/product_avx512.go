package kernel

// outerWidth is how many columns an outer product takes at a time with AVX-512: two registers.
const outerWidth = 2 * panelWidth

// splitTall cuts n rows into tiles of twelve, which with two panels are 24 registers of sums, and lower ones. From the ninth row on none
// is lower than four: with two panels that is eight sums, as many as hide the latency of a multiply-add.
func splitTall(n int) [3]run {
	tall, low := n/12, n%12
	switch {
	case low > 8: // 9, 10, 11 are 5 + 4, 5 + 5, 6 + 5
		return [3]run{{12, tall}, {(low + 1) / 2, 1}, {low / 2, 1}}
	case tall > 0 && low == 4: // 16 is 8 + 8
		return [3]run{{12, tall - 1}, {8, 2}}
	case tall > 0 && low > 0 && low < 4: // 13, 14, 15 are 8 + 5, 8 + 6, 8 + 7
		return [3]run{{12, tall - 1}, {8, 1}, {low + 4, 1}}
	case low > 0:
		return [3]run{{12, tall}, {low, 1}}
	}
	return [3]run{{12, tall}}
}

// lastMask has a bit for each of the last, one to sixteen, of m columns.
func lastMask(m int) int { return 1<<((m-1)%panelWidth+1) - 1 }

// matMulBlockAVX512 does what matMulBlockGeneric does.
func matMulBlockAVX512(dst []float32, ldd int, a []float32, lda int, b *Packed, k, kc, n int, from start, bias []float32) {
	if b.M == 1 && ldd == 1 {
		done := matMulColumnRowsAVX2(dst, a, lda, b, k, kc, n, from, bias)
		if done == n {
			return
		}
		dst, a, n = dst[done:], a[done*lda:], n-done
	}
	row := 0
	for _, r := range splitTall(n) {
		if r.tiles == 0 {
			continue
		}
		matMulRowsAVX512(r.rows, r.tiles, dst[row*ldd:], ldd, a[row*lda:], lda, b, k, kc, from, bias)
		row += r.rows * r.tiles
	}
}

// widestAVX512 is how many panels a tile of so many rows takes: the lower, the wider.
func widestAVX512(rows int) int {
	switch {
	case rows == 1:
		return 8
	case rows <= 4:
		return 4
	}
	return 2
}

// matMulRowsAVX512 runs tiles, one below the other, along the panels.
func matMulRowsAVX512(rows, tiles int, dst []float32, ldd int, a []float32, lda int, b *Packed, k, kc int, from start, bias []float32) {
	j := 0
	run := func(panels, groups, mask int) {
		begin := bias
		if from == startBias {
			begin = bias[j:]
		}
		x, lds, starts := startAt(from, dst[j:], ldd, begin, panels*panelWidth)
		matMulTileAVX512(rows, panels, &dst[j], ldd, x, lds, starts, &a[0], lda, &b.data[j*b.K+k*panelWidth], b.K*panelWidth, kc, tiles, groups, mask)
		j += groups * panels * panelWidth
	}
	for panels := widestAVX512(rows); panels > 0; panels /= 2 {
		if groups := (b.M - j) / (panels * panelWidth); groups > 0 {
			run(panels, groups, wholeMask)
		}
	}
	if j < b.M {
		run(1, 1, lastMask(b.M))
	}
}

// wholeMask has a bit for each of 16 columns.
const wholeMask = 1<<panelWidth - 1

// matMulTileAVX512 runs tiles of rows by panels of 16 columns.
func matMulTileAVX512(rows, panels int, dst *float32, ldd int, x *float32, lds, starts int, a *float32, lda int, b *float32, panel, k, tiles, groups, mask int) {
	switch rows<<4 | panels {
	case 12<<4 | 2:
		matMul12x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 8<<4 | 2:
		matMul8x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 7<<4 | 2:
		matMul7x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 6<<4 | 2:
		matMul6x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 5<<4 | 2:
		matMul5x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 4<<4 | 2:
		matMul4x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 3<<4 | 2:
		matMul3x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 2<<4 | 2:
		matMul2x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 1<<4 | 2:
		matMul1x32AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 12<<4 | 1:
		matMul12x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 8<<4 | 1:
		matMul8x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 7<<4 | 1:
		matMul7x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 6<<4 | 1:
		matMul6x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 5<<4 | 1:
		matMul5x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 4<<4 | 1:
		matMul4x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 3<<4 | 1:
		matMul3x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 2<<4 | 1:
		matMul2x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 1<<4 | 1:
		matMul1x16AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 4<<4 | 4:
		matMul4x64AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 3<<4 | 4:
		matMul3x64AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 2<<4 | 4:
		matMul2x64AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 1<<4 | 4:
		matMul1x64AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	case 1<<4 | 8:
		matMul1x128AVX512(dst, ldd, x, lds, starts, a, lda, b, panel, k, 1, 0, tiles, groups, mask)
	}
}

// outerBlockAVX512 does what outerBlockGeneric does.
func outerBlockAVX512(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	rows, whole := k/outerRows*outerRows, m/outerWidth*outerWidth
	if rows == 0 || whole == 0 || lda < outerApart {
		rows, whole = 0, 0
	} else {
		outerWideAVX512(dst, ldd, a, lda, rows, d, ldb, whole, n)
	}
	for j := 0; j < m; j += outerWidth {
		from := 0
		if j < whole {
			from = rows
		}
		if from < k {
			outerColumnsAVX512(dst[from*ldd+j:], ldd, a[from:], lda, k-from, d[j:], ldb, min(outerWidth, m-j), n)
		}
	}
}

// outerWideAVX512 brings columns of a and d together before their use. k is a multiple of outerRows, m of outerWidth.
func outerWideAVX512(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	var rows [outerRows / outerWidth][blockP * outerWidth]float32
	var columns [blockP * outerWidth]float32
	for i := 0; i < k; i += outerRows {
		for c := range rows {
			copyPanelAVX512(&rows[c][0], &a[i+c*outerWidth], lda, n)
		}
		for j := 0; j < m; j += outerWidth {
			copyPanelAVX512(&columns[0], &d[j], ldb, n)
			for c := range rows {
				outerColumnsAVX512(dst[(i+c*outerWidth)*ldd+j:], ldd, rows[c][:], outerWidth, outerWidth, columns[:], outerWidth, outerWidth, n)
			}
		}
	}
}

// outerColumnsAVX512 does m columns, at most 32.
func outerColumnsAVX512(dst []float32, ldd int, a []float32, lda, k int, d []float32, ldb, m int, n int) {
	row := 0
	for _, r := range splitTall(k) {
		if r.tiles == 0 {
			continue
		}
		outerTileAVX512(r.rows, (m+panelWidth-1)/panelWidth, &dst[row*ldd], ldd, &a[row], lda, &d[0], ldb, n, r.tiles, lastMask(m))
		row += r.rows * r.tiles
	}
}

// outerTileAVX512 runs tiles of rows by one or two registers.
func outerTileAVX512(rows, columns int, dst *float32, ldd int, a *float32, lda int, d *float32, ldb, n, tiles, mask int) {
	switch rows<<4 | columns {
	case 12<<4 | 2:
		outer12x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 8<<4 | 2:
		outer8x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 7<<4 | 2:
		outer7x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 6<<4 | 2:
		outer6x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 5<<4 | 2:
		outer5x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 4<<4 | 2:
		outer4x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 3<<4 | 2:
		outer3x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 2<<4 | 2:
		outer2x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 1<<4 | 2:
		outer1x32AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 12<<4 | 1:
		outer12x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 8<<4 | 1:
		outer8x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 7<<4 | 1:
		outer7x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 6<<4 | 1:
		outer6x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 5<<4 | 1:
		outer5x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 4<<4 | 1:
		outer4x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 3<<4 | 1:
		outer3x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 2<<4 | 1:
		outer2x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	case 1<<4 | 1:
		outer1x16AVX512(dst, ldd, a, lda, d, ldb, n, tiles, mask)
	}
}
