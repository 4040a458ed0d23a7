package kernel

import "math"

// Softmax is exp(x) over its sum, for each of n rows of m values. The largest value of a row is subtracted first, so nothing
// overflows. dst may be x. A row with NaN, or with no finite value, is NaN.
func Softmax(dst, x []float32, n, m int) {
	checkMatrix("Softmax", "dst", dst, m, n, m)
	checkMatrix("Softmax", "x", x, m, n, m)
	if useAVX2 && n > 0 && m > 0 {
		softmaxAVX2(&dst[0], &x[0], n, m)
		return
	}
	for i := range n {
		softmaxGeneric(dst[i*m:][:m], x[i*m:][:m])
	}
}

// softmaxGeneric is Softmax of one row.
func softmaxGeneric(dst, x []float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = maxNaN(v, top)
	}
	for j, v := range x {
		dst[j] = v - top
	}
	Apply(Exp, dst, dst)
	total := float32(Sum(dst))
	for j, v := range dst {
		dst[j] = v / total
	}
}

// LogSumExp writes log(sum of exp(x)) of each of n rows of m values to dst, n values.
func LogSumExp(dst, x []float32, n, m int) {
	checkLen("LogSumExp", "dst", dst, n)
	checkMatrix("LogSumExp", "x", x, m, n, m)
	for i := range n {
		row := x[i*m:][:m]
		top := float32(math.Inf(-1))
		for _, v := range row {
			top = maxNaN(v, top)
		}
		if math.IsInf(float64(top), 0) {
			dst[i] = top
			continue
		}
		s := 0.0
		for _, v := range row {
			s += math.Exp(float64(v - top))
		}
		dst[i] = float32(float64(top) + math.Log(s))
	}
}

// SoftmaxGrad is dst = y (dy - sum of dy y), for each of n rows of m values, with y = softmax(x). dst may be dy or y.
func SoftmaxGrad(dst, dy, y []float32, n, m int) {
	checkMatrix("SoftmaxGrad", "dst", dst, m, n, m)
	checkMatrix("SoftmaxGrad", "dy", dy, m, n, m)
	checkMatrix("SoftmaxGrad", "y", y, m, n, m)
	if useAVX2 && n > 0 && m > 0 {
		softmaxGradAVX2(&dst[0], &dy[0], &y[0], n, m)
		return
	}
	for i := range n {
		softmaxGradGeneric(dst[i*m:][:m], dy[i*m:][:m], y[i*m:][:m])
	}
}

// softmaxGradGeneric is SoftmaxGrad of one row.
func softmaxGradGeneric(dst, dy, y []float32) {
	s := Dot(dy, y)
	for j, v := range y {
		dst[j] = v * (dy[j] - s)
	}
}
