package kernel

import "math"

// exp, tanh and sigmoid, within 2.5 units in the last place over every float32. The assembly runs the same steps with fused
// multiply-adds; there a product and its sum are rounded once, here twice.
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

	// Beyond these exp is +Inf, and 0. For sigmoid the second is enough.
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

// sigmoid is 1 / (1 + z) or z / (1 + z) with z = exp(-|x|) <= 1.
func sigmoid(x float32) float32 {
	m := -abs(x)
	if m < expMin {
		m = expMin
	}
	z := expScaled(m, expShift)
	num := z
	if x >= 0 {
		num = expUp
	}
	return num / (float32(z*expDown) + 1) * expDown
}

const (
	tanhMax   = 10   // beyond where tanh rounds to 1
	tanhSmall = 0.17 // below this n is 0
)

// tanh(x) = e / (e + 1) with e = expm1(2x) / 2. With x = n log(2)/2 + u, expm1(2u)/2 = u + u^2 (2 q(2u)).
//
// The function is odd, so the sign of the argument is free. Taken positive, the rounding of a large e fades in the quotient; taken
// negative, a small e is less than the result in magnitude and so is its rounding. Either alone would pass 2.5 units somewhere.
func tanh(x float32) float32 {
	a := abs(x)
	if a > tanhMax {
		a = tanhMax
	}
	if a < tanhSmall {
		a = -a
	}
	t := float32(a*(2*math.Log2E)) + roundBias
	n := t - roundBias
	u := a - float32(n*(ln2Hi/2))
	u -= float32(n * (ln2Lo / 2))
	q := float32((32*expQ4)*u) + 16*expQ3
	q = float32(q*u) + 8*expQ2
	q = float32(q*u) + 4*expQ1
	q = float32(q*u) + 2*expQ0
	p := float32(q*float32(u*u)) + u
	s := math.Float32frombits(math.Float32bits(t) << 23)
	e := float32(s*p) + (float32(0.5*s) - 0.5)
	return float32(math.Copysign(float64(e/(e+1)), float64(x)))
}
