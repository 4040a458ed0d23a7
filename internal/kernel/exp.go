package kernel

import "math"

// exp, within 2.5 units in the last place over every float32. The assembly runs the same steps with fused multiply-adds; there a
// product and its sum are rounded once, here twice.
//
// With x = n log 2 + r, |r| <= log(2)/2: exp(x) = 2^n (1 + p) and p = expm1(r) = r + r^2 q(r). q is the polynomial of least
// relative error, 1.7e-8 of expm1 (found by _asm/remez).
const (
	expQ0 = 0.49999997
	expQ1 = 0.16666543
	expQ2 = 0.0416672
	expQ3 = 0.008366516
	expQ4 = 0.0013882522

	// log 2 in two parts: the first has 15 bits, so that its products with n are exact.
	ln2Hi = 0.693145751953125
	ln2Lo = 1.42860676533018e-06

	// roundBias brings a sum between 2^23 and 2^24, where floats are whole: its last bits are the integer nearest to what was
	// added. With 127 added too they are the exponent of a float, and a shift by 23 makes it 2^n.
	roundBias = 3<<22 + 127

	// exp runs at 2^64 or 2^-64 of its scale, so that no step leaves the normal floats before the last one.
	expShift = 64
	expUp    = 1 << expShift
	expDown  = 1.0 / expUp

	// Beyond these exp is +Inf, and 0.
	expMax = 89
	expMin = -104.5
)

// expScaled is exp(x) times two to the power shift, for x between expMin and expMax.
func expScaled(x, shift float32) float32 {
	bias := roundBias + shift
	t := float32(x*math.Log2E) + bias
	n := t - bias
	r := x - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	q := float32(expQ4*r) + expQ3
	q = float32(q*r) + expQ2
	q = float32(q*r) + expQ1
	q = float32(q*r) + expQ0
	p := float32(q*float32(r*r)) + r
	s := math.Float32frombits(math.Float32bits(t) << 23)
	return float32(s*p) + s
}

func exp(x float32) float32 {
	switch {
	case x > expMax:
		x = expMax
	case x < expMin:
		x = expMin
	}
	if x < 0 {
		return expScaled(x, expShift) * expDown
	}
	return expScaled(x, -expShift) * expUp
}
