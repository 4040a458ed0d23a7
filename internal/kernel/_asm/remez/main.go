// Command remez finds the coefficients of the exponential in package kernel and prints them.
//
// With x = n log 2 + r and |r| <= log(2)/2, expm1(r) = r + r^2 q(r). The search is for the polynomial q of degree 4 whose worst
// error, relative to expm1(r), is smallest: both exp (1 + expm1) and tanh (expm1 alone, down to r = 0) rest on it.
package main

import (
	"fmt"
	"math"
)

const degree = 4

// q is (expm1(r) - r) / r^2 = 1/2! + r/3! + r^2/4! + …
func q(r float64) float64 {
	sum, term := 0.0, 0.5
	for k := 3; math.Abs(term) > 1e-20 && k < 40; k++ {
		sum += term
		term *= r / float64(k)
	}
	return sum
}

// weight turns an error of q into an error relative to expm1.
func weight(r float64) float64 {
	if r == 0 {
		return 0
	}
	return r * r / math.Abs(math.Expm1(r))
}

func eval(c []float64, r float64) float64 {
	s := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		s = s*r + c[i]
	}
	return s
}

func main() {
	// Rounding of x log2(e) lets r pass the half by a little.
	const bound = math.Ln2/2 + 1e-5
	const points = 20001
	grid := make([]float64, points)
	for i := range grid {
		grid[i] = -bound + 2*bound*float64(i)/(points-1)
	}
	ref := make([]float64, degree+2)
	for i := range ref {
		ref[i] = -bound * math.Cos(math.Pi*(float64(i)+0.5)/float64(len(ref)))
	}
	var c []float64
	for range 50 {
		var level float64
		c, level = solve(ref)
		next := extrema(grid, c)
		if len(next) != len(ref) {
			panic("remez: the error does not alternate")
		}
		worst := 0.0
		for _, r := range next {
			worst = max(worst, math.Abs(weight(r)*(q(r)-eval(c, r))))
		}
		ref = next
		if worst-math.Abs(level) < 1e-6*worst {
			break
		}
	}
	fmt.Printf("// worst relative error of expm1: %.3g before, %.3g after rounding to float32\n", worst(grid, c), worst(grid, rounded(c)))
	for i, v := range c {
		fmt.Printf("expQ%d = %v // %#08x\n", i, float32(v), math.Float32bits(float32(v)))
	}
}

func rounded(c []float64) []float64 {
	r := make([]float64, len(c))
	for i, v := range c {
		r[i] = float64(float32(v))
	}
	return r
}

func worst(grid, c []float64) float64 {
	w := 0.0
	for _, r := range grid {
		w = max(w, math.Abs(weight(r)*(q(r)-eval(c, r))))
	}
	return w
}

// solve finds c and e with weight(r) (q(r) - p(r)) = e, -e, e, … at the points of ref.
func solve(ref []float64) (c []float64, level float64) {
	n := len(ref)
	m := make([][]float64, n)
	sign := 1.0
	for i, r := range ref {
		m[i] = make([]float64, n+1)
		for j := range degree + 1 {
			m[i][j] = math.Pow(r, float64(j))
		}
		m[i][n-1] = sign / weight(r)
		m[i][n] = q(r)
		sign = -sign
	}
	for i := range n {
		p := i
		for k := i; k < n; k++ {
			if math.Abs(m[k][i]) > math.Abs(m[p][i]) {
				p = k
			}
		}
		m[i], m[p] = m[p], m[i]
		for k := range n {
			if k != i {
				f := m[k][i] / m[i][i]
				for j := i; j <= n; j++ {
					m[k][j] -= f * m[i][j]
				}
			}
		}
	}
	for i := range n - 1 {
		c = append(c, m[i][n]/m[i][i])
	}
	return c, m[n-1][n] / m[n-1][n-1]
}

// extrema are the points of largest error, one for each stretch of equal sign.
func extrema(grid, c []float64) []float64 {
	var out []float64
	best, sign := 0.0, 0.0
	var at float64
	for _, r := range grid {
		e := weight(r) * (q(r) - eval(c, r))
		if e*sign < 0 {
			out = append(out, at)
			best = 0
		}
		if math.Abs(e) > best {
			best, at = math.Abs(e), r
		}
		if e != 0 {
			sign = e
		}
	}
	return append(out, at)
}
