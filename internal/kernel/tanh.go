package kernel

import "math"

// tanh and sigmoid, within 2.5 units in the last place over every float32. The assembly runs the same steps with fused multiply-adds.
//
// Both rest on tanh(u) = v / d with v = u (u^2 + C) and d = B u^2 + C, for u between -1/8 and 7/8 of log(2)/2: the fraction of this form
// of least relative error, 1.8e-8 of tanh (found by _asm/remez). With it exp(2u) = (d + v) / (d - v): an exponential costs a few
// operations and no division but the one that the result needs anyway. That C is close below 16 is welcome: a sum near C is rounded
// by little more than half of what one just above 8 is.
const (
	tanhB = 6.0182147
	tanhC = 15.054747

	// floorBias brings a sum between 2^20 and 2^21, where floats are eighths. With the last three bits cleared it has been rounded down,
	// and a shift by 20 makes of it 2^n / 2.
	floorBias = 3<<19 + 126
	eighths   = 7

	tanhMax = 10 // beyond where tanh rounds to 1

	sigmoidD = 105.0

	// Beyond these sigmoid is 0, and 1 while 2^n has an exponent.
	sigmoidMin = -104.5
	sigmoidMax = 40
)

// sigmoid is 1 / (1 + exp(-x)). With -x = n log 2 + r, |r| <= log(2)/2, and u = r/2 it is (d - v) / (d - v + 2^n (d + v)): here r is
// -r, which changes the sign of v. So a small result is as good as a large one. n goes to 151, hence 2^-64 everywhere. Here v and d are
// such that d near 0 is sigmoidD: d - v and d + v are then between 86 and 125, where floats are dense for their size.
func sigmoid(x float32) float32 {
	switch {
	case x < sigmoidMin:
		x = sigmoidMin
	case x > sigmoidMax:
		x = sigmoidMax
	}
	const bias = roundBias - expShift
	t := float32(x*-math.Log2E) + bias
	n := t - bias
	r := x + float32(n*ln2Hi)
	r += float32(n * ln2Lo)
	w := r * r
	v := (float32(w*(sigmoidD/(8*tanhC))) + 0.5*sigmoidD) * r
	d := float32(w*(sigmoidD*tanhB/(4*tanhC))) + sigmoidD
	s := math.Float32frombits(math.Float32bits(t) << 23)
	num := (d + v) * expDown
	return num / (float32(s*(d-v)) + num)
}

// tanh(a) = e / (e + 1) with e = expm1(2a) / 2. With a = n log(2)/2 + u, e is (h (d + v) + v) / (d - v), h = (2^n - 1) / 2: for n = 0
// that leaves v / d.
//
// n is rounded down, from an eighth above: for u < 0 and n = 1 much of h (d + v) + v would cancel, for large u the fraction is worse.
func tanh(x float32) float32 {
	a := abs(x)
	if a > tanhMax {
		a = tanhMax
	}
	t := float32(a*(2*math.Log2E)) + (floorBias + 1.0/8)
	t = math.Float32frombits(math.Float32bits(t) &^ eighths)
	n := t - floorBias
	u := a - float32(n*(math.Ln2/2)) // n is small enough, or the result close enough to 1, for log 2 in one part
	w := u * u
	v := (w + tanhC) * u
	d := float32(w*tanhB) + tanhC
	h := math.Float32frombits(math.Float32bits(t)<<20) - 0.5
	g := float32(h * (d + v))
	return float32(math.Copysign(float64((g+v)/(g+d)), float64(x)))
}
