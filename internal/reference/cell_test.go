package reference

import (
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// loss is sum(Y * dY) + sum(States * dStates).
func loss(r *CellRun, dY, dStates [][][]float64) float64 {
	out := r.Forward()
	l := 0.0
	for row := range r.X {
		for t := range dY[row] {
			for i, d := range dY[row][t] {
				l += out.Y[row][t][i] * d
			}
		}
		for s := range dStates[row] {
			for i, d := range dStates[row][s] {
				l += out.States[row][s][i] * d
			}
		}
	}
	return l
}

// checkGradient compares the tape with the central difference quotient of five points, whose error is of fourth order.
func checkGradient(t *testing.T, r *CellRun, dY, dStates [][][]float64, what string, v, got []float64) {
	t.Helper()
	const h, tol = 1e-5, 1e-6
	for i := range v {
		at := func(d float64) float64 {
			old := v[i]
			v[i] = old + d
			l := loss(r, dY, dStates)
			v[i] = old
			return l
		}
		want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
		if !(math.Abs(got[i]-want) <= tol*(1+math.Abs(want))) {
			t.Fatalf("gradient of %s[%d] = %g, difference quotient %g", what, i, got[i], want)
		}
	}
}

func checkGradients(t *testing.T, r *CellRun, dY, dStates [][][]float64) {
	t.Helper()
	g := r.Gradient(dY, dStates)
	for i, w := range r.Weights {
		checkGradient(t, r, dY, dStates, r.Cell.Weights[i].Name, w, g.Weights[i])
	}
	for row := range r.X {
		for k, x := range r.X[row] {
			checkGradient(t, r, dY, dStates, "x", x, g.X[row][k])
		}
		if r.Init == nil {
			continue
		}
		for s, v := range r.Init[row] {
			checkGradient(t, r, dY, dStates, "the initial "+r.Cell.States[s].Name, v, g.Init[row][s])
		}
	}
}

func TestGradientOfRandomCells(t *testing.T) {
	attempts, seeds := 0, uint64(300)
	if testing.Short() {
		seeds = 50
	}
	seen := map[string]int{}
	for seed := range seeds {
		r, err := NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		attempts += r.Attempts
		for _, n := range r.Run.Cell.Nodes {
			seen[n.Func]++
		}
		checkGradients(t, &r.Run, r.DY, r.DStates)
		if t.Failed() {
			t.Fatalf("seed %d, options %+v:\n%s", seed, r.Options, r.Text)
		}
	}
	for _, f := range cell.Funcs() {
		if seen[f] == 0 && f != "linear" && !testing.Short() {
			t.Errorf("no random cell has the function %s", f)
		}
	}
	t.Logf("%d cells, %d thrown away", seeds, attempts)
}

// Dropout multiplies input_t and state_t in the argument of the nearest product, named or not, with one mask a block, and
// nothing elsewhere.
func TestDropout(t *testing.T) {
	parse := func(text string) *cell.Cell {
		c, err := cell.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = c.Resolve(cell.Options{Units: 3, Input: 3}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	named := parse("p_t = 2 * input_t * state_t\nq_t = dot(p_t + dot(input_t, W.b), W.a)\noutput_t = tanh(q_t + p_t)")
	// The same with the masks m (input) and n (state) written as values: input and state are multiplied by hand.
	byHand := parse("q_t = dot(2 * (input_t * ma) * (state_t * na) + dot(input_t * mb, W.b), W.a)\noutput_t = tanh(q_t + 2 * input_t * state_t)")
	s := random.New(3, random.Data)
	w := normal(s, 18, 1)
	x := [][][]float64{{normal(s, 3, 1), normal(s, 3, 1)}}
	first := [][][]float64{{normal(s, 3, 1)}}
	m := map[string][]float64{"ma": {0, 2, 2}, "mb": {2, 0, 2}, "na": {2, 2, 0}, "nb": {0, 0, 2}}
	block := func(kind string, weight, block int) []float64 {
		return m[kind+named.Weights[weight].Blocks[block].Name]
	}
	a := CellRun{
		Cell: named, Weights: [][]float64{w}, X: x, Init: first,
		DropInput: func(_, weight, b int) []float64 { return block("m", weight, b) },
		DropState: func(_, weight, b int) []float64 { return block("n", weight, b) },
	}
	b := CellRun{Cell: byHand, X: x, Init: first}
	// Order of first use: ma, na, mb, W with blocks b, a; named: W with blocks b, a.
	for _, p := range byHand.Weights {
		if v, ok := m[p.Name]; ok {
			b.Weights = append(b.Weights, v)
		} else {
			b.Weights = append(b.Weights, w)
		}
	}
	got, want := a.Forward().Y[0], b.Forward().Y[0]
	for k := range want {
		for i := range want[k] {
			if !(math.Abs(got[k][i]-want[k][i]) <= 1e-12) {
				t.Errorf("y[%d][%d] = %g, by hand %g", k, i, got[k][i], want[k][i])
			}
		}
	}
	checkGradients(t, &a, [][][]float64{{normal(s, 3, 1), normal(s, 3, 1)}}, [][][]float64{{normal(s, 3, 1)}})
}

// A masked step keeps every state and the last output; before the first valid step the output is zero.
func TestMask(t *testing.T) {
	c, err := cell.Parse("c_t+1 = c_t + dot(input_t, W)\noutput_t = c_t+1 + 1")
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Resolve(cell.Options{Units: 1, Input: 1}); err != nil {
		t.Fatal(err)
	}
	r := CellRun{
		Cell: c, Weights: [][]float64{{2}}, X: [][][]float64{{{1}, {10}, {100}, {1000}}}, Mask: [][]bool{{false, true, false, true}},
		Init: [][][]float64{{{5}}},
	}
	for _, test := range []struct {
		backwards bool
		want      [4]float64
		dx        [4]float64
	}{
		{false, [4]float64{0, 26, 26, 2026}, [4]float64{0, 6, 0, 2}},
		{true, [4]float64{2006, 2006, 2026, 2026}, [4]float64{0, 4, 0, 8}},
	} {
		r.Backwards = test.backwards
		out := r.Forward()
		g := r.Gradient([][][]float64{{{1}, {1}, {1}, {1}}}, nil)
		for k := range test.want {
			if out.Y[0][k][0] != test.want[k] || g.X[0][k][0] != test.dx[k] {
				t.Errorf("backwards %v: step %d: y = %g, want %g; dx = %g, want %g", test.backwards, k, out.Y[0][k][0], test.want[k], g.X[0][k][0], test.dx[k])
			}
		}
		if got := out.States[0][0][0]; got != 2025 {
			t.Errorf("backwards %v: last state %g, want 2025", test.backwards, got)
		}
	}
}
