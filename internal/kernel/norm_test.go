package kernel

import (
	"math"
	"testing"
)

func softmax64(x []float64) []float64 {
	top, total := math.Inf(-1), 0.0
	for _, v := range x {
		top = max(top, v)
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Exp(v - top)
		total += y[i]
	}
	for i := range y {
		y[i] /= total
	}
	return y
}

func layerNorm64(x, gain, bias []float64, eps float64) []float64 {
	mean, v := 0.0, 0.0
	for _, a := range x {
		mean += a / float64(len(x))
	}
	for _, a := range x {
		v += (a - mean) * (a - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, a := range x {
		y[i] = (a-mean)/math.Sqrt(v+eps)*gain[i] + bias[i]
	}
	return y
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

// differences is the gradient of sum(dy f(x)) by central differences.
func differences(f func([]float64) []float64, x, dy []float64) []float64 {
	const h = 1e-5
	weigh := func() (s float64) {
		for i, v := range f(x) {
			s += dy[i] * v
		}
		return s
	}
	g := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + h
		up := weigh()
		x[i] = v - h
		g[i] = (up - weigh()) / (2 * h)
		x[i] = v
	}
	return g
}

func TestSoftmax(t *testing.T) { eachPath(t, testSoftmax) }

func testSoftmax(t *testing.T) {
	r := newRand(1)
	for _, m := range []int{1, 2, 3, 8, 10, 33, 100} {
		const n = 3
		x, y, dy, dx := random(r, n*m, false), guarded(n*m), random(r, n*m, false), guarded(n*m)
		x[0] += 200 // exp alone would overflow
		Softmax(y, x, n, m)
		SoftmaxGrad(dx, dy, y, n, m)
		lse := guarded(n)
		LogSumExp(lse, x, n, m)
		for i := range n {
			row := wide(x[i*m:][:m])
			wantNear(t, "Softmax", y[i*m:][:m], softmax64(row), 3e-7)
			wantNear(t, "SoftmaxGrad", dx[i*m:][:m], differences(softmax64, row, wide(dy[i*m:][:m])), 2e-6)
			// log sum exp(x) = x_0 - log softmax(x)_0
			wantNear(t, "LogSumExp", lse[i:i+1], []float64{row[0] - math.Log(softmax64(row)[0])}, 2e-7)
			alone := make([]float32, m)
			Softmax(alone, x[i*m:], 1, m)
			wantSame(t, "Softmax of a row alone", alone, y[i*m:][:m])
		}
		in := clone(x)
		Softmax(in, in, n, m)
		wantSame(t, "Softmax in place", in, y)
		in = clone(dy)
		SoftmaxGrad(in, in, y, n, m)
		wantSame(t, "SoftmaxGrad in place", in, dx)
		release()
	}
	y := make([]float32, 3)
	Softmax(y, []float32{1, nan, 2}, 1, 3)
	wantSame(t, "Softmax of NaN", y, []float32{nan, nan, nan})
	Softmax(y, []float32{1, -inf, 1}, 1, 3)
	wantSame(t, "Softmax of -Inf", y, []float32{0.5, 0, 0.5})
	wantPanic(t, "Softmax", func() { Softmax(y, y, 2, 3) })
	wantPanic(t, "SoftmaxGrad", func() { SoftmaxGrad(y, y, y[:2], 1, 3) })
	wantPanic(t, "LogSumExp", func() { LogSumExp(y[:1], make([]float32, 6), 2, 3) })
}

func TestLayerNorm(t *testing.T) { eachPath(t, testLayerNorm) }

func testLayerNorm(t *testing.T) {
	r := newRand(2)
	const n, eps = 4, 1e-3
	for _, m := range []int{1, 2, 5, 8, 32, 33} {
		x, y, dy, dx := random(r, n*m, false), guarded(n*m), random(r, n*m, false), guarded(n*m)
		for _, affine := range []bool{false, true} {
			gain64, bias64 := make([]float64, m), make([]float64, m)
			for i := range gain64 {
				gain64[i] = 1
			}
			var gain, bias []float32
			if affine {
				gain, bias = random(r, m, false), random(r, m, false)
				gain64, bias64 = wide(gain), wide(bias)
			}
			LayerNorm(y, x, gain, bias, n, m, eps)
			dgain, dbias := make([]float32, m), make([]float32, m)
			dgain[0], dbias[0] = 5, 7 // added to
			LayerNormGrad(dx, dgain, dbias, dy, x, gain, n, m, eps)
			wantGain, wantBias := make([]float64, m), make([]float64, m)
			wantGain[0], wantBias[0] = 5, 7
			for i := range n {
				row, g := wide(x[i*m:][:m]), wide(dy[i*m:][:m])
				norm := func(x []float64) []float64 { return layerNorm64(x, gain64, bias64, float64(float32(eps))) }
				wantNear(t, "LayerNorm", y[i*m:][:m], norm(row), 3e-7)
				wantNear(t, "LayerNormGrad", dx[i*m:][:m], differences(norm, row, g), 3e-6)
				ones, zeros := make([]float64, m), make([]float64, m)
				for j := range ones {
					ones[j] = 1
				}
				for j, h := range layerNorm64(row, ones, zeros, float64(float32(eps))) {
					wantGain[j] += g[j] * h
					wantBias[j] += g[j]
				}
			}
			wantNear(t, "gain's gradient", dgain, wantGain, 1e-6)
			wantNear(t, "bias's gradient", dbias, wantBias, 1e-6)
			in := clone(x)
			LayerNorm(in, in, gain, bias, n, m, eps)
			wantSame(t, "LayerNorm in place", in, y)
			for _, alias := range [][]float32{x, dy} {
				in := clone(alias)
				if &alias[0] == &x[0] {
					LayerNormGrad(in, nil, nil, dy, in, gain, n, m, eps)
				} else {
					LayerNormGrad(in, nil, nil, in, x, gain, n, m, eps)
				}
				wantSame(t, "LayerNormGrad in place", in, dx)
			}
		}
		release()
	}
	x := make([]float32, 6)
	wantPanic(t, "LayerNorm", func() { LayerNorm(x, x, x[:2], nil, 2, 3, eps) })
	wantPanic(t, "LayerNormGrad", func() { LayerNormGrad(x, nil, nil, x[:5], x, nil, 2, 3, eps) })
}
