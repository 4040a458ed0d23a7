package activations

import (
	"math"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// each calls f for every row.
func each(dst, x []float32, rows, width int, f func(dst, x []float32)) {
	for i := range rows {
		f(dst[i*width:][:width], x[i*width:][:width])
	}
}

// eachGrad calls f for every row.
func eachGrad(dx, dy, y []float32, rows, width int, f func(dx, dy, y []float32)) {
	for i := range rows {
		f(dx[i*width:][:width], dy[i*width:][:width], y[i*width:][:width])
	}
}

// logSoftmax is x - top - log(sum of exp(x - top)), with the largest value as top so that nothing overflows.
func logSoftmax(dst, x []float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	// Stretch by stretch: the sum needs the exponentials, dst does not.
	var buf [256]float32
	sum := 0.0
	for rest := x; len(rest) > 0; {
		part := buf[:min(len(buf), len(rest))]
		kernel.AddConst(part, rest[:len(part)], -top)
		kernel.Apply(kernel.Exp, part, part)
		sum += kernel.Sum(part)
		rest = rest[len(part):]
	}
	log := math.Log(sum)
	for j, v := range x {
		dst[j] = float32(float64(v-top) - log)
	}
}

// logSoftmaxGrad is dx = dy - exp(y) times the sum of dy.
func logSoftmaxGrad(dx, dy, y []float32) {
	sum := kernel.Sum(dy)
	for j, g := range dy {
		dx[j] = g - float32(math.Exp(float64(y[j]))*sum)
	}
}

// sparsemax is max(x - tau, 0) with tau such that the row sums to 1. (Keras up to 3.15 takes a wrong tau where several values are
// above it, so that its rows do not sum to 1; mended by pull request 23469 of keras-team/keras.)
func sparsemax(dst, x []float32) {
	// Michelot, 1986: tau from all values; then from those above tau, until none drops out. Each round drops one or ends.
	tau, left := math.Inf(-1), len(x)+1
	for {
		sum, above := 0.0, 0
		for _, v := range x {
			if float64(v) > tau {
				sum += float64(v)
				above++
			}
		}
		if above >= left || above == 0 {
			break
		}
		tau, left = (sum-1)/float64(above), above
	}
	for _, v := range x {
		if v != v { // NaN is above nothing, so the sums have not seen it
			tau = math.NaN()
		}
	}
	for j, v := range x {
		dst[j] = max(float32(float64(v)-tau), 0)
	}
}

// sparsemaxGrad is dy less its mean, over the values that are not 0.
func sparsemaxGrad(dx, dy, y []float32) {
	sum, n := 0.0, 0
	for j, v := range y {
		if v != 0 {
			sum += float64(dy[j])
			n++
		}
	}
	mean := float32(sum / float64(n))
	for j, v := range y {
		if v != 0 {
			dx[j] = dy[j] - mean
		} else {
			dx[j] = 0
		}
	}
}

// glu is a sigmoid(b) for x = (a, b).
func glu(dst, x []float32) {
	half := len(dst)
	kernel.Apply(kernel.Sigmoid, dst, x[half:])
	kernel.Mul(dst, dst, x[:half])
}

// gluGrad is (dy s, dy a s (1 - s)) for x = (a, b) and s = sigmoid(b).
func gluGrad(dx, dy, x []float32) {
	half := len(dy)
	a, da, db := x[:half], dx[:half], dx[half:]
	kernel.Apply(kernel.Sigmoid, db, x[half:])
	for j, s := range db {
		da[j] = dy[j] * s
		db[j] = dy[j] * a[j] * (s * (1 - s))
	}
}
