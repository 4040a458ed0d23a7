// Command remez finds the polynomials of package kernel and prints their coefficients: for each the one of its degree whose worst error,
// relative to the function that rests on it, is smallest.
//
// The exponential: with x = n log 2 + r and |r| <= log(2)/2, expm1(r) = r + r^2 q(r). Both exp (1 + expm1) and tanh (expm1 alone, down
// to r = 0) rest on q.
//
// The logarithm: with x = 2^n (1 + f) and 1 + f from sqrt(1/2) to sqrt(2), log1p(f) = f - f^2/2 + f^3 q(f). Both log and softplus (log1p
// alone, down to f = 0) rest on q.
//
// The hyperbolic tangent: with w = u^2, tanh(u) = u (w + C) / (B w + C). That is u (1 - w/q(w)) with q(w) = (B w + C) / (B - 1), a
// polynomial of degree 1; B and C are printed with it.
//
// The distribution function of the standard normal, below 0: Phi(-a) = exp(-a^2/2) Q(s) / (a + K) with s = (a - K) / (a + K), which bends the
// long tail onto a short stretch where Q is nearly flat.
package main

import (
	"fmt"
	"math"
)

// search is for a polynomial near q between low and high. An error of q weighs as it changes the function that rests on it.
type search struct {
	name      string
	degree    int
	low, high float64
	q, weight func(r float64) float64
	also      func(c []float64) // prints what follows from the coefficients
}

var searches = []search{
	// Rounding of x log2(e) lets r pass the half by a little.
	{"expQ", 4, -math.Ln2/2 - 1e-5, math.Ln2/2 + 1e-5,
		// (expm1(r) - r) / r^2 = 1/2! + r/3! + r^2/4! + …
		func(r float64) float64 {
			sum, term := 0.0, 0.5
			for k := 3; math.Abs(term) > 1e-20 && k < 40; k++ {
				sum += term
				term *= r / float64(k)
			}
			return sum
		},
		func(r float64) float64 { return relative(r*r, math.Expm1(r)) }, nil},
	{"logQ", 7, math.Sqrt2/2 - 1 - 1e-6, math.Sqrt2 - 1 + 1e-6,
		// (log1p(f) - f + f^2/2) / f^3 = 1/3 - f/4 + f^2/5 - …
		func(f float64) float64 {
			sum, power := 0.0, 1.0
			for k := 3; math.Abs(power) > 1e-20; k++ {
				sum += power / float64(k)
				power *= -f
			}
			return sum
		},
		func(f float64) float64 { return relative(f*f*f, math.Log1p(f)) }, nil},
	{"tanhQ", 1, 0, tanhReach * tanhReach,
		// w / (1 - tanh(u)/u) = 3 + 6/5 w - w^2/175 + …
		func(w float64) float64 {
			if w < 1e-3 {
				return 3 + 1.2*w - w*w/175
			}
			return w / (1 - tanhRatio(w))
		},
		// 1 - w/q changes by w/q^2; near 0 that is w/9.
		func(w float64) float64 {
			q := 3 + 1.2*w - w*w/175
			return w / (q * q * tanhRatio(w))
		},
		func(c []float64) {
			fmt.Printf("tanhB = %v\ntanhC = %v\n", float32(c[1]/(c[1]-1)), float32(c[0]/(c[1]-1)))
		}},
	{"normalQ", 9, -1, (normalMax - normalK) / (normalMax + normalK), normalQ, func(s float64) float64 { return 1 / normalQ(s) }, nil},
}

const (
	normalK   = 3.625 // of some, the one whose coefficients lose least by rounding
	normalMax = 14.5  // from where on Phi(-a) is less than a float32 holds
)

func normalQ(s float64) float64 {
	a := normalK * (1 + s) / (1 - s)
	z := a / math.Sqrt2
	return (a + normalK) * math.Exp(z*z) * math.Erfc(z) / 2
}

// tanhReach bounds |u|: it lies between -1/8 and 7/8 of log(2)/2, and rounding lets it pass them by a little.
const tanhReach = 7.0/16*math.Ln2 + 1e-5

// tanhRatio is tanh(u) / u with w = u^2.
func tanhRatio(w float64) float64 {
	if w == 0 {
		return 1
	}
	u := math.Sqrt(w)
	return math.Tanh(u) / u
}

func relative(part, whole float64) float64 {
	if part == 0 {
		return 0
	}
	return math.Abs(part / whole)
}

func eval(c []float64, r float64) float64 {
	s := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		s = s*r + c[i]
	}
	return s
}

func main() {
	for _, s := range searches {
		s.run()
	}
}

func (s search) run() {
	const points = 20001
	middle, half := (s.low+s.high)/2, (s.high-s.low)/2
	grid := make([]float64, points)
	for i := range grid {
		grid[i] = s.low + 2*half*float64(i)/(points-1)
	}
	ref := make([]float64, s.degree+2)
	for i := range ref {
		ref[i] = middle - half*math.Cos(math.Pi*(float64(i)+0.5)/float64(len(ref)))
	}
	var c []float64
	for range 50 {
		var level float64
		c, level = s.solve(ref)
		next := s.extrema(grid, c)
		if len(next) != len(ref) {
			panic("remez: the error of " + s.name + " does not alternate")
		}
		ref = next
		if worst := s.worst(grid, c); worst-math.Abs(level) < 1e-6*worst {
			break
		}
	}
	fmt.Printf("// worst relative error of what rests on %s: %.3g before, %.3g after rounding to float32\n", s.name, s.worst(grid, c), s.worst(grid, rounded(c)))
	for i, v := range c {
		fmt.Printf("%s%d = %v // %#08x\n", s.name, i, float32(v), math.Float32bits(float32(v)))
	}
	if s.also != nil {
		s.also(c)
	}
}

func rounded(c []float64) []float64 {
	r := make([]float64, len(c))
	for i, v := range c {
		r[i] = float64(float32(v))
	}
	return r
}

func (s search) worst(grid, c []float64) float64 {
	w := 0.0
	for _, r := range grid {
		w = max(w, math.Abs(s.weight(r)*(s.q(r)-eval(c, r))))
	}
	return w
}

// solve finds c and e with weight(r) (q(r) - p(r)) = e, -e, e, … at the points of ref.
func (s search) solve(ref []float64) (c []float64, level float64) {
	n := len(ref)
	m := make([][]float64, n)
	sign := 1.0
	for i, r := range ref {
		m[i] = make([]float64, n+1)
		for j := range s.degree + 1 {
			m[i][j] = math.Pow(r, float64(j))
		}
		m[i][n-1] = sign / s.weight(r)
		m[i][n] = s.q(r)
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
func (s search) extrema(grid, c []float64) []float64 {
	var out []float64
	best, sign := 0.0, 0.0
	var at float64
	for _, r := range grid {
		e := s.weight(r) * (s.q(r) - eval(c, r))
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
