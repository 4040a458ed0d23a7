package kernel

// The sums below run in float64 in sixteen lanes, value i in lane i mod 16, and the lanes are added in a fixed tree: the result
// depends on the values alone. A product of two float32 is exact in float64, so every path returns the same bits.

// Dot is the sum of a[i] * b[i].
func Dot(a, b []float32) float32 {
	checkSame("Dot", "b", b, len(a))
	return float32(dot(a, b))
}

// SumSquares is the sum of a[i]^2, for norms.
func SumSquares(a []float32) float64 { return dot(a, a) }

// Sum is the sum of a[i].
func Sum(a []float32) float64 {
	var s [lanes]float64
	for ; len(a) >= lanes; a = a[lanes:] {
		for i, v := range a[:lanes] {
			s[i] += float64(v)
		}
	}
	for i, v := range a {
		s[i] += float64(v)
	}
	return fold(&s)
}

const lanes = 16

func dot(a, b []float32) float64 {
	var s [lanes]float64
	if useAVX2 && len(a) >= lanes {
		whole := len(a) / lanes * lanes
		dotAVX2(&s[0], &a[0], &b[0], whole)
		a, b = a[whole:], b[whole:]
	}
	dotGeneric(&s, a, b)
	return fold(&s)
}

func dotGeneric(s *[lanes]float64, a, b []float32) {
	for ; len(a) >= lanes && len(b) >= lanes; a, b = a[lanes:], b[lanes:] {
		x, y := (*[lanes]float32)(a), (*[lanes]float32)(b)
		for i, v := range x {
			s[i] += float64(float64(v) * float64(y[i]))
		}
	}
	for i, v := range a {
		s[i] += float64(float64(v) * float64(b[i]))
	}
}

// fold adds the lanes as a binary tree: i and i+8, then i and i+4, and so on.
func fold(s *[lanes]float64) float64 {
	for h := lanes / 2; h > 0; h /= 2 {
		for i := range h {
			s[i] += s[i+h]
		}
	}
	return s[0]
}
