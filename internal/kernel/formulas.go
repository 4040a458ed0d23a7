package kernel

import "math"

// The formulas of the functions that have more than one line, one value at a time. Those in float64 are rounded once, at the end.

// From Klambauer et al. 2017, as Keras writes them.
const (
	seluAlpha = 1.6732632423543772848170429916717
	seluScale = 1.0507009873554804934193349852946
)

const shrink = 0.5 // the threshold of soft_shrink and hard_shrink

// relu keeps NaN, and -0.
func relu(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

func relu6(x float32) float32 {
	switch {
	case x < 0:
		return 0
	case x > 6:
		return 6
	}
	return x
}

func hardTanh(x float32) float32 {
	switch {
	case x < -1:
		return -1
	case x > 1:
		return 1
	}
	return x
}

func hardSigmoidKeras2(x float32) float32 {
	switch x = float32(0.2*x) + 0.5; {
	case x < 0:
		return 0
	case x > 1:
		return 1
	}
	return x
}

// hardSilu is x hard_sigmoid(x): its limit at -Inf is 0, no infinite factor.
func hardSilu(x float32) float32 { return max(x, -math.MaxFloat32) * (relu6(x+3) / 6) }

func softShrink(x float32) float32 {
	switch {
	case x > shrink:
		return x - shrink
	case x < -shrink:
		return x + shrink
	}
	return x * 0 // 0, and NaN of NaN
}

func sparsePlus(x float32) float32 {
	switch {
	case x <= -1:
		return 0
	case x < 1:
		return (x + 1) * (x + 1) / 4
	}
	return x
}

func sparseSigmoid(x float32) float32 {
	switch {
	case x <= -1:
		return 0
	case x >= 1:
		return 1
	}
	return (x + 1) / 2
}

// softsign takes its limits at the infinities.
func softsign(x float32) float32 {
	if math.IsInf(float64(x), 0) {
		return float32(math.Copysign(1, float64(x)))
	}
	return x / (1 + abs(x))
}

// gated is x times a gate that vanishes faster than x grows: its limit at -Inf is 0, not Inf times 0.
func gated(x, gate float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x * gate
}

// squareplus is the root of y^2 - xy - 1 = 0 written, below 0, without the cancellation: 2 / (sqrt(x^2+4) - x).
func squareplus(x float32) float32 {
	v := float64(x)
	r := math.Sqrt(float64(v*v) + 4)
	if v < 0 {
		return float32(2 / (r - v))
	}
	return float32((v + r) / 2)
}

// softplus is log(1 + exp(x)) without overflow and without losing the small values.
func softplus(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

// normalCDF is the distribution function of the standard normal: (1 + erf(x / sqrt 2)) / 2.
func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// normalPDF is its derivative.
func normalPDF(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
