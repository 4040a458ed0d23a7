package kernel

import "math"

// LayerNorm is dst = (x - mean) / sqrt(var + eps) * gain + bias for each of n rows of m values, with the row's own mean and
// population variance. gain and bias hold m values; nil stands for ones, and for zeros. dst may be x.
func LayerNorm(dst, x, gain, bias []float32, n, m int, eps float32) {
	checkMatrix("LayerNorm", "dst", dst, m, n, m)
	checkMatrix("LayerNorm", "x", x, m, n, m)
	checkOptional("LayerNorm", "gain", gain, m)
	checkOptional("LayerNorm", "bias", bias, m)
	for i := range n {
		d, row := dst[i*m:][:m], x[i*m:][:m]
		mean, scale := moments(row, eps)
		for j, v := range row {
			d[j] = float32((float64(v) - mean) * scale)
		}
		if gain != nil {
			Mul(d, d, gain[:m])
		}
		if bias != nil {
			Add(d, d, bias[:m])
		}
	}
}

// LayerNormGrad is the backward pass of LayerNorm from dy and the same x, gain and eps. It writes dx, and adds to dgain and dbias
// (m values each) the rows' shares in increasing row order; each of dx, dgain and dbias may be nil where it is not wanted. dx may be dy or x.
//
// With h = (x - mean) s, s = 1 / sqrt(var + eps) and g = dy gain: dx = s (g - mean(g) - h mean(g h)), dgain = dy h, dbias = dy.
func LayerNormGrad(dx, dgain, dbias, dy, x, gain []float32, n, m int, eps float32) {
	if dx != nil {
		checkMatrix("LayerNormGrad", "dx", dx, m, n, m)
	}
	checkMatrix("LayerNormGrad", "dy", dy, m, n, m)
	checkMatrix("LayerNormGrad", "x", x, m, n, m)
	checkOptional("LayerNormGrad", "gain", gain, m)
	checkOptional("LayerNormGrad", "dgain", dgain, m)
	checkOptional("LayerNormGrad", "dbias", dbias, m)
	for i := range n {
		g, row := dy[i*m:][:m], x[i*m:][:m]
		mean, scale := moments(row, eps)
		if dbias != nil {
			Add(dbias[:m], dbias[:m], g)
		}
		if dgain != nil {
			for j, v := range row {
				dgain[j] += float32(g[j] * float32((float64(v)-mean)*scale))
			}
		}
		if dx != nil {
			normalizeGradRow(dx[i*m:][:m], g, row, gain, mean, scale)
		}
	}
}

func normalizeGradRow(dx, dy, x, gain []float32, mean, scale float64) {
	var sum, sumH float64 // of g, and of g h
	for j, v := range x {
		g := float64(dy[j])
		if gain != nil {
			g *= float64(gain[j])
		}
		sum += g
		sumH += float64(g * ((float64(v) - mean) * scale))
	}
	m := float64(len(x))
	sum, sumH = sum/m, sumH/m
	for j, v := range x {
		g := float64(dy[j])
		if gain != nil {
			g *= float64(gain[j])
		}
		h := (float64(v) - mean) * scale
		dx[j] = float32(scale * (g - sum - float64(h*sumH)))
	}
}

// moments are the mean of a row and 1 / sqrt(variance + eps), in float64.
func moments(row []float32, eps float32) (mean, scale float64) {
	m := float64(len(row))
	mean = Sum(row) / m
	v := 0.0
	for _, x := range row {
		d := float64(x) - mean
		v += float64(d * d)
	}
	return mean, 1 / math.Sqrt(v/m+float64(eps))
}

// checkOptional panics unless x is nil or has at least n values.
func checkOptional(kernel, arg string, x []float32, n int) {
	if x != nil {
		checkLen(kernel, arg, x, n)
	}
}
