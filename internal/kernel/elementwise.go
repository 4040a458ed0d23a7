package kernel

// The elementwise functions run over len(dst) values; every operand has that length. An operand may be dst itself, or lie
// apart from it; it must not overlap dst in part. They round after every operation, so that they return the same bits on every
// path and architecture.

// Add is dst = a + b.
func Add(dst, a, b []float32) {
	checkSame("Add", "a", a, len(dst))
	checkSame("Add", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		addAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		addAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		addGeneric(dst, a, b)
	}
}

func addGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sub is dst = a - b.
func Sub(dst, a, b []float32) {
	checkSame("Sub", "a", a, len(dst))
	checkSame("Sub", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		subAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		subAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		subGeneric(dst, a, b)
	}
}

func subGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul is dst = a * b.
func Mul(dst, a, b []float32) {
	checkSame("Mul", "a", a, len(dst))
	checkSame("Mul", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		mulAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		mulAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		mulGeneric(dst, a, b)
	}
}

func mulGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// Div is dst = a / b.
func Div(dst, a, b []float32) {
	checkSame("Div", "a", a, len(dst))
	checkSame("Div", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		divAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		divAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		divGeneric(dst, a, b)
	}
}

func divGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// Min is dst = the smaller of a and b, b on a tie, NaN where either is NaN.
func Min(dst, a, b []float32) {
	checkSame("Min", "a", a, len(dst))
	checkSame("Min", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		minAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		minAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		minGeneric(dst, a, b)
	}
}

func minGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = minNaN(a[i], b[i])
	}
}

// Max is dst = the larger of a and b, b on a tie, NaN where either is NaN.
func Max(dst, a, b []float32) {
	checkSame("Max", "a", a, len(dst))
	checkSame("Max", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		maxAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		maxAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		maxGeneric(dst, a, b)
	}
}

func maxGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = maxNaN(a[i], b[i])
	}
}

// MulAdd is dst = dst + a * b.
func MulAdd(dst, a, b []float32) {
	checkSame("MulAdd", "a", a, len(dst))
	checkSame("MulAdd", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		mulAddAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		mulAddAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		mulAddGeneric(dst, a, b)
	}
}

func mulAddGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] += float32(a[i] * b[i])
	}
}

// MulSub is dst = dst - a * b.
func MulSub(dst, a, b []float32) {
	checkSame("MulSub", "a", a, len(dst))
	checkSame("MulSub", "b", b, len(dst))
	switch {
	case useAVX512 && len(dst) > 0:
		mulSubAVX512(&dst[0], &a[0], &b[0], len(dst))
	case useAVX2 && len(dst) > 0:
		mulSubAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		mulSubGeneric(dst, a, b)
	}
}

func mulSubGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] -= float32(a[i] * b[i])
	}
}

// minNaN is what the vector instruction and a blend return: b unless a < b or a is NaN.
func minNaN(a, b float32) float32 {
	if a < b || a != a {
		return a
	}
	return b
}

// maxNaN is likewise b unless a > b or a is NaN.
func maxNaN(a, b float32) float32 {
	if a > b || a != a {
		return a
	}
	return b
}
