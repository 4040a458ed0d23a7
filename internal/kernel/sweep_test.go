package kernel

import (
	"fmt"
	"math"
	"testing"
)

// A sweep under test: over w, the slots s (all of the length of w) and the gradient g.
type sweep struct {
	name     string
	slots    int
	do, twin func(w []float32, s [][]float32, g []float32)
	// plain is one value in float64: it returns the new w and changes s.
	plain func(w float64, s []float64, g float64) float64
}

const (
	lr  = float32(0.01)
	mu  = float32(0.9)
	eps = float32(1e-7)
	rho = 0.9
	b1  = 0.9
	b2  = 0.999
)

var allSweeps = []sweep{
	{"SGD", 0, func(w []float32, s [][]float32, g []float32) { SGD(w, g, lr) },
		func(w []float32, s [][]float32, g []float32) { sgdGeneric(w, g, lr) },
		func(w float64, s []float64, g float64) float64 { return w - 0.01*g }},
	{"Momentum", 1, func(w []float32, s [][]float32, g []float32) { Momentum(w, s[0], g, lr, mu, false) },
		func(w []float32, s [][]float32, g []float32) { momentumGeneric(w, s[0], g, lr, mu, false) },
		func(w float64, s []float64, g float64) float64 { s[0] = 0.9*s[0] - 0.01*g; return w + s[0] }},
	{"Momentum", 1, func(w []float32, s [][]float32, g []float32) { Momentum(w, s[0], g, lr, mu, true) },
		func(w []float32, s [][]float32, g []float32) { momentumGeneric(w, s[0], g, lr, mu, true) },
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] - 0.01*g
			return w + 0.9*s[0] - 0.01*g
		}},
	{"RMSprop", 1, func(w []float32, s [][]float32, g []float32) { RMSprop(w, s[0], g, lr, rho, eps) },
		func(w []float32, s [][]float32, g []float32) {
			rmsPropFullGeneric(w, s[0], nil, nil, g, lr, rho, 1-rho, 0, eps)
		},
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			return w - 0.01*g/math.Sqrt(s[0]+1e-7)
		}},
	{"RMSprop", 1, func(w []float32, s [][]float32, g []float32) { RMSprop(w, s[0], g, lr, rho, eps) },
		func(w []float32, s [][]float32, g []float32) { rmsPropGeneric(w, s[0], g, lr, rho, 1-rho, eps) },
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			return w - 0.01*g/math.Sqrt(s[0]+1e-7)
		}},
	{"RMSpropKeras2", 1, func(w []float32, s [][]float32, g []float32) { RMSpropKeras2(w, s[0], g, lr, rho, eps) },
		func(w []float32, s [][]float32, g []float32) { rmsPropKeras2Generic(w, s[0], g, lr, rho, 1-rho, eps) },
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			return w - 0.01*g/(math.Sqrt(s[0])+1e-7)
		}},
	{"RMSpropFull", 1, func(w []float32, s [][]float32, g []float32) { RMSpropFull(w, s[0], nil, nil, g, lr, rho, mu, eps) },
		func(w []float32, s [][]float32, g []float32) { rmsPropGeneric(w, s[0], g, lr, rho, 1-rho, eps) },
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			return w - 0.01*g/math.Sqrt(s[0]+1e-7)
		}},
	{"RMSpropFull", 2, func(w []float32, s [][]float32, g []float32) { RMSpropFull(w, s[0], s[1], nil, g, lr, rho, mu, eps) },
		func(w []float32, s [][]float32, g []float32) {
			rmsPropFullGeneric(w, s[0], s[1], nil, g, lr, rho, 1-rho, mu, eps)
		},
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			s[1] = 0.9*s[1] + 0.1*g
			return w - 0.01*g/math.Sqrt(s[0]-s[1]*s[1]+1e-7)
		}},
	{"RMSpropFull", 2, func(w []float32, s [][]float32, g []float32) { RMSpropFull(w, s[0], nil, s[1], g, lr, rho, mu, eps) },
		func(w []float32, s [][]float32, g []float32) {
			rmsPropFullGeneric(w, s[0], nil, s[1], g, lr, rho, 1-rho, mu, eps)
		},
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			s[1] = 0.9*s[1] + 0.01*g/math.Sqrt(s[0]+1e-7)
			return w - s[1]
		}},
	{"RMSpropFull", 3, func(w []float32, s [][]float32, g []float32) { RMSpropFull(w, s[0], s[1], s[2], g, lr, rho, mu, eps) },
		func(w []float32, s [][]float32, g []float32) {
			rmsPropFullGeneric(w, s[0], s[1], s[2], g, lr, rho, 1-rho, mu, eps)
		},
		func(w float64, s []float64, g float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g*g
			s[1] = 0.9*s[1] + 0.1*g
			s[2] = 0.9*s[2] + 0.01*g/math.Sqrt(s[0]-s[1]*s[1]+1e-7)
			return w - s[2]
		}},
	{"Adam", 2, func(w []float32, s [][]float32, g []float32) { Adam(w, s[0], s[1], g, lr, b1, b2, eps) },
		func(w []float32, s [][]float32, g []float32) { adamGeneric(w, s[0], s[1], g, lr, 0.1, 0.001, eps) },
		func(w float64, s []float64, g float64) float64 {
			s[0] += 0.1 * (g - s[0])
			s[1] += 0.001 * (g*g - s[1])
			return w - 0.01*s[0]/(math.Sqrt(s[1])+1e-7)
		}},
	{"AMSGrad", 3, func(w []float32, s [][]float32, g []float32) { AMSGrad(w, s[0], s[1], s[2], g, lr, b1, b2, eps) },
		func(w []float32, s [][]float32, g []float32) {
			amsGradGeneric(w, s[0], s[1], s[2], g, lr, 0.1, 0.001, eps)
		},
		func(w float64, s []float64, g float64) float64 {
			s[0] += 0.1 * (g - s[0])
			s[1] += 0.001 * (g*g - s[1])
			s[2] = math.Max(s[2], s[1])
			return w - 0.01*s[0]/(math.Sqrt(s[2])+1e-7)
		}},
}

// slotsOf are slots with a history: means near zero, squares positive and, for centering, above the squared mean.
func slotsOf(n, slots int, fill func(i, j int) float32) [][]float32 {
	s := make([][]float32, slots)
	for i := range s {
		s[i] = guarded(n)
		for j := range s[i] {
			s[i][j] = fill(i, j)
		}
	}
	return s
}

// TestSweepTwins: the same bits, specials included.
func TestSweepTwins(t *testing.T) {
	for _, f := range allSweeps {
		for _, n := range lengths {
			r := newRand(uint64(n))
			w, g := random(r, n, true), random(r, n, true)
			fill := func(i, j int) float32 { return specials[(7*i+j)%len(specials)] }
			s := slotsOf(n, f.slots, fill)
			wantW, wantS := clone(w), slotsOf(n, f.slots, fill)
			f.do(w, s, g)
			f.twin(wantW, wantS, g)
			wantSame(t, fmt.Sprintf("%s of %d: w", f.name, n), w, wantW)
			for i := range s {
				wantSame(t, fmt.Sprintf("%s of %d: slot %d", f.name, n, i), s[i], wantS[i])
			}
			release()
		}
	}
}

// TestSweepFormulas: ten steps against the formulas in float64.
func TestSweepFormulas(t *testing.T) { eachPath(t, testSweepFormulas) }

func testSweepFormulas(t *testing.T) {
	for _, f := range allSweeps {
		const n = 37
		r := newRand(9)
		w := random(r, n, false)
		s := slotsOf(n, f.slots, func(i, j int) float32 { return []float32{0, 0, 0.01}[i%3] })
		want := wide(w)
		slots := make([][]float64, n)
		for j := range slots {
			for i := range s {
				slots[j] = append(slots[j], float64(s[i][j]))
			}
		}
		for range 10 {
			g := random(r, n, false)
			f.do(w, s, g)
			for j := range want {
				want[j] = f.plain(want[j], slots[j], float64(g[j]))
			}
		}
		// Ten updates of about 0.03, each good to some roundings.
		wantNear(t, f.name, w, want, 1e-6)
		release()
	}
}

func TestSweepSizes(t *testing.T) {
	three, two := make([]float32, 3), make([]float32, 2)
	for _, f := range allSweeps {
		s := make([][]float32, f.slots)
		for i := range s {
			s[i] = three
		}
		wantPanic(t, f.name, func() { f.do(three, s, two) })
		for i := range s {
			s[i] = two
			wantPanic(t, f.name, func() { f.do(three, s, three) })
			s[i] = three
		}
	}
}

// TestShrink: the bits of its twin, and of RMSprop's slot under gradients of 0, on every path.
func TestShrink(t *testing.T) { eachPath(t, testShrink) }

func testShrink(t *testing.T) {
	for _, n := range lengths {
		for _, times := range []int{0, 1, 2, 7, 300} {
			r := newRand(uint64(n))
			x := random(r, n, true)
			want, v := clone(x), clone(x)
			Shrink(x, rho, times)
			shrinkGeneric(want, rho, times)
			wantSame(t, fmt.Sprintf("Shrink of %d, %d times", n, times), x, want)
			for i := range v {
				v[i] = max(v[i], 0)
			}
			want = clone(v)
			Shrink(v, rho, times)
			w, g := make([]float32, n), make([]float32, n)
			for range times {
				RMSprop(w, want, g, lr, rho, eps)
			}
			wantSame(t, fmt.Sprintf("RMSprop of %d, %d times", n, times), v, want)
			release()
		}
	}
}
