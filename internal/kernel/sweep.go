package kernel

import "math"

// The optimizer sweeps: one pass over the weights w, their gradients g and the optimizer's slots, all of the same length, in the
// formulas of Keras 3. They round after every operation, so that every path returns the same bits. Decay rates are float64:
// 1 - rho is then rounded once, as in Keras, and not the difference of two rounded numbers.

// SGD is w -= lr g.
func SGD(w, g []float32, lr float32) {
	checkSame("SGD", "g", g, len(w))
	switch {
	case useAVX512 && len(w) > 0:
		sgdAVX512(&w[0], &g[0], lr, len(w))
	case useAVX2 && len(w) > 0:
		sgdAVX2(&w[0], &g[0], lr, len(w))
	default:
		sgdGeneric(w, g, lr)
	}
}

func sgdGeneric(w, g []float32, lr float32) {
	g = g[:len(w)]
	for i := range w {
		w[i] -= float32(lr * g[i])
	}
}

// Momentum is m = mu m - lr g, then w += m, or with nesterov w += mu m - lr g.
func Momentum(w, m, g []float32, lr, mu float32, nesterov bool) {
	checkSame("Momentum", "m", m, len(w))
	checkSame("Momentum", "g", g, len(w))
	switch {
	case useAVX512 && len(w) > 0 && nesterov:
		nesterovAVX512(&w[0], &m[0], &g[0], lr, mu, len(w))
	case useAVX512 && len(w) > 0:
		momentumAVX512(&w[0], &m[0], &g[0], lr, mu, len(w))
	case useAVX2 && len(w) > 0 && nesterov:
		nesterovAVX2(&w[0], &m[0], &g[0], lr, mu, len(w))
	case useAVX2 && len(w) > 0:
		momentumAVX2(&w[0], &m[0], &g[0], lr, mu, len(w))
	default:
		momentumGeneric(w, m, g, lr, mu, nesterov)
	}
}

func momentumGeneric(w, m, g []float32, lr, mu float32, nesterov bool) {
	m, g = m[:len(w)], g[:len(w)]
	for i := range w {
		step := float32(lr * g[i])
		m[i] = float32(mu*m[i]) - step
		if nesterov {
			w[i] += float32(mu*m[i]) - step
		} else {
			w[i] += m[i]
		}
	}
}

// RMSprop is v = rho v + (1 - rho) g^2, then w -= lr g / sqrt(v + eps).
func RMSprop(w, v, g []float32, lr float32, rho float64, eps float32) {
	checkSame("RMSprop", "v", v, len(w))
	checkSame("RMSprop", "g", g, len(w))
	switch {
	case useAVX512 && len(w) > 0:
		rmsPropAVX512(&w[0], &v[0], &g[0], lr, float32(rho), float32(1-rho), eps, len(w))
	case useAVX2 && len(w) > 0:
		rmsPropAVX2(&w[0], &v[0], &g[0], lr, float32(rho), float32(1-rho), eps, len(w))
	default:
		rmsPropGeneric(w, v, g, lr, float32(rho), float32(1-rho), eps)
	}
}

// RMSpropKeras2 is RMSprop as Keras 2 had it: eps is added to the root, w -= lr g / (sqrt(v) + eps).
func RMSpropKeras2(w, v, g []float32, lr float32, rho float64, eps float32) {
	checkSame("RMSpropKeras2", "v", v, len(w))
	checkSame("RMSpropKeras2", "g", g, len(w))
	switch {
	case useAVX512 && len(w) > 0:
		rmsPropKeras2AVX512(&w[0], &v[0], &g[0], lr, float32(rho), float32(1-rho), eps, len(w))
	case useAVX2 && len(w) > 0:
		rmsPropKeras2AVX2(&w[0], &v[0], &g[0], lr, float32(rho), float32(1-rho), eps, len(w))
	default:
		rmsPropKeras2Generic(w, v, g, lr, float32(rho), float32(1-rho), eps)
	}
}

func rmsPropKeras2Generic(w, v, g []float32, lr, rho, rest, eps float32) {
	v, g = v[:len(w)], g[:len(w)]
	for i, d := range g {
		s := float32(rho*v[i]) + float32(rest*float32(d*d))
		v[i] = s
		w[i] -= float32(lr*d) / (sqrt(s) + eps)
	}
}

func rmsPropGeneric(w, v, g []float32, lr, rho, rest, eps float32) {
	v, g = v[:len(w)], g[:len(w)]
	for i, d := range g {
		s := float32(rho*v[i]) + float32(rest*float32(d*d))
		v[i] = s
		w[i] -= float32(lr*d) / sqrt(s+eps)
	}
}

// RMSpropFull is RMSprop with Keras's two options: avg, unless nil, centers (avg = rho avg + (1 - rho) g and the root is taken of
// v - avg^2 + eps); mom, unless nil, collects (mom = mu mom + increment, w -= mom).
func RMSpropFull(w, v, avg, mom, g []float32, lr float32, rho float64, mu, eps float32) {
	checkSame("RMSpropFull", "v", v, len(w))
	checkSame("RMSpropFull", "g", g, len(w))
	if avg != nil {
		checkSame("RMSpropFull", "avg", avg, len(w))
	}
	if mom != nil {
		checkSame("RMSpropFull", "mom", mom, len(w))
	}
	r, rest := float32(rho), float32(1-rho)
	switch {
	case len(w) == 0:
	case avg == nil && mom == nil:
		RMSprop(w, v, g, lr, rho, eps)
	case useAVX512 && mom == nil:
		rmsPropCenteredAVX512(&w[0], &v[0], &avg[0], &g[0], lr, r, rest, eps, len(w))
	case useAVX512 && avg == nil:
		rmsPropMomentumAVX512(&w[0], &v[0], &mom[0], &g[0], lr, r, rest, eps, mu, len(w))
	case useAVX512:
		rmsPropFullAVX512(&w[0], &v[0], &avg[0], &mom[0], &g[0], lr, r, rest, eps, mu, len(w))
	case useAVX2 && mom == nil:
		rmsPropCenteredAVX2(&w[0], &v[0], &avg[0], &g[0], lr, r, rest, eps, len(w))
	case useAVX2 && avg == nil:
		rmsPropMomentumAVX2(&w[0], &v[0], &mom[0], &g[0], lr, r, rest, eps, mu, len(w))
	case useAVX2:
		rmsPropFullAVX2(&w[0], &v[0], &avg[0], &mom[0], &g[0], lr, r, rest, eps, mu, len(w))
	default:
		rmsPropFullGeneric(w, v, avg, mom, g, lr, r, rest, mu, eps)
	}
}

func rmsPropFullGeneric(w, v, avg, mom, g []float32, lr, rho, rest, mu, eps float32) {
	for i, d := range g {
		v[i] = float32(rho*v[i]) + float32(rest*float32(d*d))
		den := v[i]
		if avg != nil {
			avg[i] = float32(rho*avg[i]) + float32(rest*d)
			den -= float32(avg[i] * avg[i])
		}
		inc := float32(lr*d) / sqrt(den+eps)
		if mom != nil {
			mom[i] = float32(mu*mom[i]) + inc
			inc = mom[i]
		}
		w[i] -= inc
	}
}

// Adam is m += (1 - beta1) (g - m), v += (1 - beta2) (g^2 - v), then w -= alpha m / (sqrt(v) + eps). alpha is the learning rate with
// the bias correction of step t: lr sqrt(1 - beta2^t) / (1 - beta1^t).
func Adam(w, m, v, g []float32, alpha float32, beta1, beta2 float64, eps float32) {
	checkSame("Adam", "m", m, len(w))
	checkSame("Adam", "v", v, len(w))
	checkSame("Adam", "g", g, len(w))
	switch {
	case useAVX512 && len(w) > 0:
		adamAVX512(&w[0], &m[0], &v[0], &g[0], alpha, float32(1-beta1), float32(1-beta2), eps, len(w))
	case useAVX2 && len(w) > 0:
		adamAVX2(&w[0], &m[0], &v[0], &g[0], alpha, float32(1-beta1), float32(1-beta2), eps, len(w))
	default:
		adamGeneric(w, m, v, g, alpha, float32(1-beta1), float32(1-beta2), eps)
	}
}

func adamGeneric(w, m, v, g []float32, alpha, rest1, rest2, eps float32) {
	m, v, g = m[:len(w)], v[:len(w)], g[:len(w)]
	for i, d := range g {
		m[i] += float32((d - m[i]) * rest1)
		v[i] += float32((float32(d*d) - v[i]) * rest2)
		w[i] -= float32(m[i]*alpha) / (sqrt(v[i]) + eps)
	}
}

// AMSGrad is Adam whose root is taken of vmax, the largest v so far.
func AMSGrad(w, m, v, vmax, g []float32, alpha float32, beta1, beta2 float64, eps float32) {
	checkSame("AMSGrad", "m", m, len(w))
	checkSame("AMSGrad", "v", v, len(w))
	checkSame("AMSGrad", "vmax", vmax, len(w))
	checkSame("AMSGrad", "g", g, len(w))
	switch {
	case useAVX512 && len(w) > 0:
		amsGradAVX512(&w[0], &m[0], &v[0], &vmax[0], &g[0], alpha, float32(1-beta1), float32(1-beta2), eps, len(w))
	case useAVX2 && len(w) > 0:
		amsGradAVX2(&w[0], &m[0], &v[0], &vmax[0], &g[0], alpha, float32(1-beta1), float32(1-beta2), eps, len(w))
	default:
		amsGradGeneric(w, m, v, vmax, g, alpha, float32(1-beta1), float32(1-beta2), eps)
	}
}

func amsGradGeneric(w, m, v, vmax, g []float32, alpha, rest1, rest2, eps float32) {
	for i, d := range g {
		m[i] += float32((d - m[i]) * rest1)
		v[i] += float32((float32(d*d) - v[i]) * rest2)
		vmax[i] = maxNaN(v[i], vmax[i])
		w[i] -= float32(m[i]*alpha) / (sqrt(vmax[i]) + eps)
	}
}

// Shrink is x *= rate, times times, each product rounded: what so many sweeps without a gradient make of a slot that decays.
func Shrink(x []float32, rate float32, times int) {
	switch {
	case len(x) == 0 || times <= 0:
	case useAVX512:
		shrinkAVX512(&x[0], rate, times, len(x))
	case useAVX2:
		shrinkAVX2(&x[0], rate, times, len(x))
	default:
		shrinkGeneric(x, rate, times)
	}
}

func shrinkGeneric(x []float32, rate float32, times int) {
	for range times {
		for i := range x {
			x[i] *= rate
		}
	}
}

// sqrt rounds to float32 what is exact to float64: the correctly rounded root.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
