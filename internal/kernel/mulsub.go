package kernel

// MulSub is dst -= a * b, elementwise.
func MulSub(dst, a, b []float32) {
	checkSame("MulSub", "a", a, len(dst))
	checkSame("MulSub", "b", b, len(dst))
	mulSubGeneric(dst, a, b)
}

func mulSubGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		dst[i] -= float32(v * b[i])
	}
}
