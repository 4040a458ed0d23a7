package kernel

import "math"

// LayerNorm is dst = (x - mean) / sqrt(var + eps) * gain + bias for each of n rows of m values, with the row's own mean and
// population variance. gain and bias hold m values; nil stands for ones, and for zeros. dst may be x.
func LayerNorm(dst, x, gain, bias []float32, n, m int, eps float32) {
	checkMatrix("LayerNorm", "dst", dst, m, n, m)
	checkMatrix("LayerNorm", "x", x, m, n, m)
	checkOptional("LayerNorm", "gain", gain, m)
	checkOptional("LayerNorm", "bias", bias, m)
	normalize(dst, x, n, m, eps)
	if gain == nil && bias == nil {
		return
	}
	for i := range n {
		d := dst[i*m:][:m]
		if gain != nil {
			Mul(d, d, gain[:m])
		}
		if bias != nil {
			Add(d, d, bias[:m])
		}
	}
}

func normalize(dst, x []float32, n, m int, eps float32) {
	if useAVX2 && n > 0 && m > 0 {
		normalizeAVX2(&dst[0], &x[0], eps, n, m)
		return
	}
	for i := range n {
		normalizeGeneric(dst[i*m:][:m], x[i*m:][:m], eps)
	}
}

// normalizeGeneric is LayerNorm of one row, without gain and bias.
func normalizeGeneric(dst, x []float32, eps float32) {
	mean, scale := moments(x, eps)
	for j, v := range x {
		dst[j] = float32((float64(v) - mean) * scale)
	}
}

// LayerNormGrad is the backward pass of LayerNorm from dy and the same x, gain and eps. It writes dx, and adds to dgain and dbias
// (m values each) the rows' shares in increasing row order; each of dx, dgain and dbias may be nil where it is not wanted. dx may be dy or x.
//
// With h = (x - mean) s, s = 1 / sqrt(var + eps) and g = dy gain: dx = s (g - mean(g) - h mean(g h)), dgain = dy h, dbias = dy. The
// sums of a row run like those of Sum, so that every path returns the same bits.
func LayerNormGrad(dx, dgain, dbias, dy, x, gain []float32, n, m int, eps float32) {
	if dx != nil {
		checkMatrix("LayerNormGrad", "dx", dx, m, n, m)
	}
	checkMatrix("LayerNormGrad", "dy", dy, m, n, m)
	checkMatrix("LayerNormGrad", "x", x, m, n, m)
	checkOptional("LayerNormGrad", "gain", gain, m)
	checkOptional("LayerNormGrad", "dgain", dgain, m)
	checkOptional("LayerNormGrad", "dbias", dbias, m)
	if useAVX2 && n > 0 && m > 0 && dx != nil && dgain == nil && dbias == nil && gain == nil {
		normalizeGradAVX2(&dx[0], &dy[0], &x[0], eps, n, m)
		return
	}
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
			normalizeGradGeneric(dx[i*m:][:m], g, row, gain, mean, scale)
		}
	}
}

// normalizeGradGeneric is dx of one row: dx = s (g - mean(g) - (x - mean) s^2 mean(g (x - mean))).
func normalizeGradGeneric(dx, dy, x, gain []float32, mean, scale float64) {
	var sum, sumD [lanes]float64 // of g, and of g (x - mean)
	weighed := func(j int) float64 {
		if gain == nil {
			return float64(dy[j])
		}
		return float64(dy[j]) * float64(gain[j])
	}
	for j, v := range x {
		g := weighed(j)
		sum[j%lanes] += g
		sumD[j%lanes] += float64(g * (float64(v) - mean))
	}
	m := float64(len(x))
	meanG, slope := fold(&sum)/m, float64(scale*scale)*(fold(&sumD)/m)
	for j, v := range x {
		dx[j] = float32(scale * (weighed(j) - meanG - float64((float64(v)-mean)*slope)))
	}
}

// moments are the mean of a row and 1 / sqrt(variance + eps), in float64.
func moments(row []float32, eps float32) (mean, scale float64) {
	m := float64(len(row))
	mean = Sum(row) / m
	var s [lanes]float64
	for j, x := range row {
		d := float64(x) - mean
		s[j%lanes] += float64(d * d)
	}
	return mean, 1 / math.Sqrt(fold(&s)/m+float64(eps))
}

// checkOptional panics unless x is nil or has at least n values.
func checkOptional(kernel, arg string, x []float32, n int) {
	if x != nil {
		checkLen(kernel, arg, x, n)
	}
}
