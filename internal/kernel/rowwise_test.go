package kernel

import (
	"fmt"
	"testing"
)

// rowwiseCalls are the functions of whole rows that have kernels, with up to two operands, and their definitions for one row.
var rowwiseCalls = []struct {
	name     string
	operands int
	call     func(dst, a, b []float32, n, m int)
	twin     func(dst, a, b []float32)
	write    func(p *Program, dst, a, b Operand, n, m int)
}{
	{"Softmax", 1, func(dst, a, _ []float32, n, m int) { Softmax(dst, a, n, m) }, func(dst, a, _ []float32) { softmaxGeneric(dst, a) },
		func(p *Program, dst, a, _ Operand, n, m int) { p.Softmax(dst, a, n, m) }},
	{"SoftmaxGrad", 2, SoftmaxGrad, softmaxGradGeneric, (*Program).SoftmaxGrad},
	{"LayerNorm", 1, func(dst, a, _ []float32, n, m int) { LayerNorm(dst, a, nil, nil, n, m, 1e-3) },
		func(dst, a, _ []float32) { normalizeGeneric(dst, a, 1e-3) },
		func(p *Program, dst, a, _ Operand, n, m int) { p.Normalize(dst, a, n, m, 1e-3) }},
	{"LayerNormGrad", 2, func(dst, a, b []float32, n, m int) { LayerNormGrad(dst, nil, nil, a, b, nil, n, m, 1e-3) },
		func(dst, a, b []float32) {
			mean, scale := moments(b, 1e-3)
			normalizeGradGeneric(dst, a, b, nil, mean, scale)
		}, func(p *Program, dst, a, b Operand, n, m int) { p.NormalizeGrad(dst, a, b, n, m, 1e-3) }},
	{"LayerNorm without eps", 1, func(dst, a, _ []float32, n, m int) { LayerNorm(dst, a, nil, nil, n, m, 0) },
		func(dst, a, _ []float32) { normalizeGeneric(dst, a, 0) },
		func(p *Program, dst, a, _ Operand, n, m int) { p.Normalize(dst, a, n, m, 0) }},
}

// TestRowwiseTwins: a row's result is its definition's, to the bit, on every path, whatever else is there, and in place.
func TestRowwiseTwins(t *testing.T) { eachPath(t, testRowwiseTwins) }

func testRowwiseTwins(t *testing.T) {
	r := newRand(17)
	for _, c := range rowwiseCalls {
		for _, m := range lengths {
			for _, n := range []int{0, 1, 2, 5} {
				for _, withSpecials := range []bool{false, true} {
					if m > 200 && n > 2 {
						continue
					}
					what := fmt.Sprintf("%s of %d rows of %d", c.name, n, m)
					a, b := random(r, n*m, withSpecials), random(r, n*m, withSpecials)
					if n > 1 && m > 0 && withSpecials { // only some rows are without them
						randomize(r, a[m:2*m], false)
						randomize(r, b[m:2*m], false)
						for j := range m {
							a[j] = 3 // no variance
						}
					}
					got, want := random(r, n*m, true), make([]float32, n*m)
					for i := range n {
						c.twin(want[i*m:][:m], a[i*m:][:m], b[i*m:][:m])
					}
					c.call(got, a, b, n, m)
					wantSame(t, what, got, want)
					in := guardedCopy(a)
					c.call(in, in, b, n, m)
					wantSame(t, what+", in place", in, want)
					if c.operands == 2 {
						in := guardedCopy(b)
						c.call(in, a, in, n, m)
						wantSame(t, what+", in place of the second", in, want)
					}
					release()
				}
			}
		}
	}
}

// TestRowwisePathsAgree: what needs no exp returns the same bits with assembly and without.
func TestRowwisePathsAgree(t *testing.T) {
	r := newRand(18)
	const n, m = 7, 45
	a, b := random(r, n*m, false), random(r, n*m, false)
	b[3], a[m+2], b[2*m] = nan, inf, -inf
	var first [][]float32
	eachPath(t, func(t *testing.T) {
		for i, c := range rowwiseCalls[1:] {
			got := make([]float32, n*m)
			c.call(got, a, b, n, m)
			if len(first) <= i {
				first = append(first, got)
			}
			wantSame(t, c.name, got, first[i])
		}
	})
	release()
}

// TestProgramRowwise: a function of rows in a program is that function, from step to step.
func TestProgramRowwise(t *testing.T) {
	if !Programs() {
		t.Skip("no programs without assembly")
	}
	r := newRand(19)
	const steps = 3
	for _, c := range rowwiseCalls {
		for _, n := range []int{1, 2, 16} {
			for _, m := range []int{1, 7, 16, 33, 80} {
				size := n * m
				a, b := random(r, steps*size, false), random(r, steps*size, false)
				got, want := random(r, steps*size, false), make([]float32, steps*size)
				for s := range steps {
					c.call(want[s*size:][:size], a[s*size:][:size], b[s*size:][:size], n, m)
				}
				var program Program
				at := func(x []float32) Operand { return Operand{x[:size], size} }
				c.write(&program, at(got), at(a), at(b), n, m)
				program.Run(steps)
				wantSame(t, fmt.Sprintf("%s, n %d, m %d", c.name, n, m), got, want)
				release()
			}
		}
		var program Program
		c.write(&program, Operand{}, Operand{}, Operand{}, 0, 5)
		c.write(&program, Operand{}, Operand{}, Operand{}, 5, 0)
		program.Run(steps)
		wantPanic(t, "Program", func() { c.write(&program, Operand{X: make([]float32, 5)}, Operand{}, Operand{}, 1, 5) })
	}
}
