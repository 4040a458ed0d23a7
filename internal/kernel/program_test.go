package kernel

import (
	"fmt"
	"testing"
)

// TestProgram: a program returns the bits of the functions that it stands for, called step by step, for one kind of step and for two that
// take turns, for any number of steps, and again when it goes on.
func TestProgram(t *testing.T) {
	if !Programs() {
		t.Skip("no programs without assembly")
	}
	r := newRand(11)
	const steps = 7
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 19, 32} {
		for _, s := range [][2]int{{32, 32}, {5, 16}, {33, 48}, {32, 128}, {256, 80}, {20, 20}, {9, 3}, {50, 50}} {
			k, m := s[0], s[1]
			var p Packed
			p.Pack(random(r, k*m, false), m, k, m)
			a, bias := random(r, steps*n*k, false), random(r, m, false)
			table, ids := random(r, 9*m, false), make([]int32, steps*n)
			for i := range ids {
				ids[i] = int32(r.IntN(9))
			}
			other := random(r, steps*n*m, false)
			// step writes or runs what a step does, on rows of all operands.
			type operands struct{ x, y, sum, out []float32 }
			make4 := func() operands {
				return operands{guarded(steps * n * m), guarded(steps * n * m), guarded(steps * n * m), guarded(n * m)}
			}
			want, got := make4(), make4()
			for s := range steps {
				rows := func(x []float32) []float32 { return x[s*n*m : (s+1)*n*m] }
				Gather(rows(want.x), table, m, ids[s*n:(s+1)*n], m)
				MatMulAcc(rows(want.x), m, a[s*n*k:], k, &p, n)
				MatMulBias(rows(want.y), m, bias, a[s*n*k:], k, &p, n)
				MatMul(rows(want.sum), m, a[s*n*k:], k, &p, n)
				MulAdd(rows(want.sum), rows(want.x), rows(other))
				Apply(Tanh, want.out, rows(want.sum))
				Scale(rows(want.y), rows(want.y), 0.75)
				ApplyGrad(Tanh, rows(want.x), rows(want.x), nil, want.out)
			}
			for _, kinds := range []int{1, 2} {
				var program Program
				write := func(s int) {
					at := func(x []float32) Operand { return Operand{x[s*n*m : (s+1)*n*m], kinds * n * m} }
					in, out := Operand{a[s*n*k : (s+1)*n*k], kinds * n * k}, Operand{X: got.out}
					element := func(name string) Elementwise {
						e, ok := ElementwiseByName(name)
						if !ok {
							t.Fatalf("no kernel %s", name)
						}
						return e
					}
					program.Gather(at(got.x), table, m, ids[s*n:], n, kinds*n, m)
					program.MatMul(at(got.x), at(got.x), false, in, &p, n)
					program.MatMul(at(got.y), Operand{X: bias}, true, in, &p, n)
					program.MatMul(at(got.sum), Operand{}, false, in, &p, n)
					program.Elementwise(element("mulAdd"), 0, at(got.sum), at(got.x), at(other))
					program.Elementwise(element("tanh"), 0, out, at(got.sum))
					program.Elementwise(element("scale"), 0.75, at(got.y), at(got.y))
					program.Elementwise(element("tanhGrad"), 0, at(got.x), at(got.x), out)
				}
				for _, x := range [][]float32{got.x, got.y, got.sum, got.out} {
					randomize(r, x, false)
				}
				write(0)
				if kinds == 2 {
					program.Turn()
					write(1)
				}
				program.Run(4)
				program.Run(steps - 4)
				name := fmt.Sprintf("n %d, k %d, m %d, %d kinds", n, k, m, kinds)
				wantSame(t, name+", gathered", got.x, want.x)
				wantSame(t, name+", biased", got.y, want.y)
				wantSame(t, name+", summed", got.sum, want.sum)
				wantSame(t, name+", last", got.out, want.out)
			}
			release()
		}
	}
}

// TestProgramParts: a product with an operand in parts is the sum of products, in their order.
func TestProgramParts(t *testing.T) {
	if !Programs() {
		t.Skip("no programs without assembly")
	}
	r := newRand(13)
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 12, 16, 31} {
		for _, s := range [][3]int{{32, 32, 4}, {5, 16, 3}, {64, 48, 2}, {20, 20, 4}, {7, 5, 2}} {
			k, m, parts := s[0], s[1], s[2]
			packs, list := make([]Packed, parts), []*Packed{}
			apart := n*k + 24
			a, start := random(r, parts*apart, false), random(r, n*m, false)
			want, got := clone(start), guarded(n*m)
			for i := range packs {
				packs[i].Pack(random(r, k*m, false), m, k, m)
				MatMulAcc(want, m, a[i*apart:], k, &packs[i], n)
				list = append(list, &packs[i])
			}
			var all Packed
			all.Below(list)
			var program Program
			program.MatMulParts(Operand{X: got}, Operand{X: start}, false, Operand{X: a}, parts, apart, &all, n)
			program.Run(1)
			wantSame(t, fmt.Sprintf("n %d, k %d, m %d, %d parts", n, k, m, parts), got, want)
			release()
		}
	}
}

// TestProgramFused: a fused loop in a program is that loop.
func TestProgramFused(t *testing.T) {
	if !Programs() {
		t.Skip("no programs without assembly")
	}
	r := newRand(12)
	const steps, n = 3, 37
	for i := range fusedForms {
		form := &fusedForms[i]
		f := Fused{i}
		operands := make([][]float32, form.inputs+len(form.stored))
		for k := range operands {
			operands[k] = random(r, steps*n, false)
		}
		for k, o := range form.over {
			if o >= 0 {
				operands[form.inputs+k] = operands[o]
			}
		}
		run := make([][]float32, len(operands))
		for k := range operands {
			run[k] = clone(operands[k])
		}
		for k, o := range form.over {
			if o >= 0 {
				run[form.inputs+k] = run[o]
			}
		}
		var program Program
		list := make([]Operand, len(operands))
		for k := range list {
			list[k] = Operand{run[k][:n], n}
		}
		program.Fused(f, list[form.inputs:], list[:form.inputs])
		program.Run(steps)
		for s := range steps {
			part := make([][]float32, len(operands))
			for k := range part {
				part[k] = operands[k][s*n : (s+1)*n]
			}
			f.Run(part[form.inputs:], part[:form.inputs])
		}
		for k := range operands {
			wantSame(t, fmt.Sprintf("%s, operand %d", f, k), run[k], operands[k])
		}
	}
}
