package reference

import "math"

// vec is a value of the tape with its gradient. A number is a vec of one element, which fits any width.
type vec struct{ v, g []float64 }

func newVec(n int) *vec { return &vec{make([]float64, n), make([]float64, n)} }

// tape remembers how to hand gradients back, last operation first.
type tape struct{ back []func() }

func (t *tape) onBack(f func()) { t.back = append(t.back, f) }

// run hands the gradients back.
func (t *tape) run() {
	for i := len(t.back) - 1; i >= 0; i-- {
		t.back[i]()
	}
}

// place of element i in a.
func place(a *vec, i int) int {
	if len(a.v) == 1 {
		return 0
	}
	return i
}

// unary is y = f(x), n wide.
func (t *tape) unary(n int, a *vec, f, slope func(float64) float64) *vec {
	y := newVec(n)
	for i := range y.v {
		y.v[i] = f(a.v[place(a, i)])
	}
	t.onBack(func() {
		for i, g := range y.g {
			k := place(a, i)
			a.g[k] += g * slope(a.v[k])
		}
	})
	return y
}

// binary is y = f(a, b), n wide; slopes are dy/da and dy/db.
func (t *tape) binary(n int, a, b *vec, f func(a, b float64) float64, slopes func(a, b float64) (float64, float64)) *vec {
	y := newVec(n)
	for i := range y.v {
		y.v[i] = f(a.v[place(a, i)], b.v[place(b, i)])
	}
	t.onBack(func() {
		for i, g := range y.g {
			j, k := place(a, i), place(b, i)
			da, db := slopes(a.v[j], b.v[k])
			a.g[j] += g * da
			b.g[k] += g * db
		}
	})
	return y
}

// product is y = x times a matrix whose element (k, m), of n columns m, is at start + k*byIn + m*byOut of w.
func (t *tape) product(n int, x, w *vec, start, byIn, byOut int) *vec {
	y := newVec(n)
	for m := range y.v {
		for k, v := range x.v {
			y.v[m] += v * w.v[start+k*byIn+m*byOut]
		}
	}
	t.onBack(func() {
		for m, g := range y.g {
			for k, v := range x.v {
				x.g[k] += g * w.v[start+k*byIn+m*byOut]
				w.g[start+k*byIn+m*byOut] += g * v
			}
		}
	})
	return y
}

// slice is y = w[start : start+n].
func (t *tape) slice(n int, w *vec, start int) *vec {
	y := newVec(n)
	copy(y.v, w.v[start:])
	t.onBack(func() {
		for i, g := range y.g {
			w.g[start+i] += g
		}
	})
	return y
}

// softmax is y = exp(x) / sum(exp(x)). Its Jacobian is diag(y) - y y'.
func (t *tape) softmax(x *vec) *vec {
	y := newVec(len(x.v))
	top, sum := math.Inf(-1), 0.0
	for _, v := range x.v {
		top = math.Max(top, v)
	}
	for _, v := range x.v {
		sum += math.Exp(v - top)
	}
	for i, v := range x.v {
		y.v[i] = math.Exp(v-top) / sum
	}
	t.onBack(func() {
		for i := range x.v {
			for j, g := range y.g {
				x.g[i] += g * y.v[j] * (where(i == j, 1, 0) - y.v[i])
			}
		}
	})
	return y
}

// layerNorm is y = (x - mean) / sqrt(var + 1e-3) * gain + bias. With s = 1/sqrt(var + 1e-3) and d = x - mean, the Jacobian of
// the quotient is dy_j/dx_i = s (delta_ij - 1/n) - s^3 d_i d_j / n.
func (t *tape) layerNorm(x, gain, bias *vec) *vec {
	n := float64(len(x.v))
	y, d := newVec(len(x.v)), make([]float64, len(x.v))
	mean, variance := 0.0, 0.0
	for _, v := range x.v {
		mean += v / n
	}
	for i, v := range x.v {
		d[i] = v - mean
		variance += d[i] * d[i] / n
	}
	s := 1 / math.Sqrt(variance+1e-3)
	for i := range y.v {
		y.v[i] = d[i]*s*gain.v[place(gain, i)] + bias.v[place(bias, i)]
	}
	t.onBack(func() {
		for j, g := range y.g {
			gain.g[place(gain, j)] += g * d[j] * s
			bias.g[place(bias, j)] += g
			for i := range x.v {
				x.g[i] += g * gain.v[place(gain, j)] * (s*(where(i == j, 1, 0)-1/n) - s*s*s*d[i]*d[j]/n)
			}
		}
	})
	return y
}
