package kernel

// matMulBlockGeneric adds rows k to k+kc of b to the sums of n rows: a begins at column k. Tiles are two rows by four columns,
// which is what sixteen scalar registers hold.
//
// A product is rounded before it is added, float32(x*y), everywhere in the generic twins: the language allows a compiler to
// fuse x*y + z where the machine can, as on arm64, and might do so in one loop and not in another. Rounding by hand makes
// every tile and tail, and every architecture, return the same bits.
func matMulBlockGeneric(dst []float32, ldd int, a []float32, lda int, b *Packed, k, kc, n int, from start, bias []float32) {
	startRows(dst, ldd, n, b.M, from, bias)
	for j := 0; j < b.M; j += 4 {
		// Four columns of the panel; in the last one, those beyond M are zeros.
		bp := b.data[(j-j%panelWidth)*b.K+k*panelWidth+j%panelWidth:]
		bp = bp[:(kc-1)*panelWidth+4]
		w := min(4, b.M-j)
		i := 0
		for ; i+2 <= n; i += 2 {
			tile2x4(dst[i*ldd+j:][:w], dst[(i+1)*ldd+j:][:w], a[i*lda:][:kc], a[(i+1)*lda:][:kc], bp)
		}
		if i < n {
			tile1x4(dst[i*ldd+j:][:w], a[i*lda:][:kc], bp)
		}
	}
}

// tile2x4 adds to two rows of at most four sums. b holds four values every panelWidth.
func tile2x4(d0, d1, a0, a1, b []float32) {
	var s, t [4]float32
	copy(s[:], d0)
	copy(t[:], d1)
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	t0, t1, t2, t3 := t[0], t[1], t[2], t[3]
	a1 = a1[:len(a0)]
	for i, x := range a0 {
		y := a1[i]
		q := (*[4]float32)(b[i*panelWidth:])
		s0 += float32(x * q[0])
		s1 += float32(x * q[1])
		s2 += float32(x * q[2])
		s3 += float32(x * q[3])
		t0 += float32(y * q[0])
		t1 += float32(y * q[1])
		t2 += float32(y * q[2])
		t3 += float32(y * q[3])
	}
	s = [4]float32{s0, s1, s2, s3}
	t = [4]float32{t0, t1, t2, t3}
	copy(d0, s[:])
	copy(d1, t[:])
}

// tile1x4 adds to one row of at most four sums.
func tile1x4(d, a, b []float32) {
	var s [4]float32
	copy(s[:], d)
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	for i, x := range a {
		q := (*[4]float32)(b[i*panelWidth:])
		s0 += float32(x * q[0])
		s1 += float32(x * q[1])
		s2 += float32(x * q[2])
		s3 += float32(x * q[3])
	}
	s = [4]float32{s0, s1, s2, s3}
	copy(d, s[:])
}
