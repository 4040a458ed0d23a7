package engine

import (
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/reference"
)

// Random cells, with masks of every form, given states, both directions: the engine agrees with the float64 tape.
func TestRandomCells(t *testing.T) {
	seeds := uint64(600)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		r, err := reference.NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		checkRandom(t, r, cell.NewPlan(r.Run.Cell))
		if t.Failed() {
			t.Fatalf("seed %d, options %+v:\n%s", seed, r.Options, r.Text)
		}
	}
}

// Likewise with dropout: of the input, of the state, of both; one mask for all products, and one for each block.
func TestRandomCellsDropout(t *testing.T) {
	seeds := uint64(900)
	if testing.Short() {
		seeds = 150
	}
	checked, masks := 0, 0
	for seed := range seeds {
		r, err := reference.NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		d := cell.Dropout{Input: seed%3 != 0, State: seed%3 != 1, Each: seed%2 == 0}
		if !r.Drop(seed, d) {
			continue
		}
		p, err := cell.NewDropoutPlan(r.Run.Cell, d)
		if err != nil {
			t.Fatal(err)
		}
		checked++
		masks += len(p.Masks)
		checkRandom(t, r, p)
		if t.Failed() {
			t.Fatalf("seed %d, %+v, options %+v:\n%s", seed, d, r.Options, r.Text)
		}
	}
	t.Logf("%d cells with %d masks", checked, masks)
	if uint64(checked) < seeds/2 || masks < checked/2 {
		t.Errorf("of %d cells only %d were away from corners, with %d masks", seeds, checked, masks)
	}
}

// drops are the masks of a plan, from the reference's.
func drops(p *cell.Plan, r *reference.CellRun) [][]float32 {
	var out [][]float32
	for _, m := range p.Masks {
		of, mask := r.DropInput, []float32{}
		if m.State {
			of = r.DropState
		}
		for row := range r.X {
			mask = append(mask, narrow(of(row, m.Weight, m.Block))...)
		}
		out = append(out, mask)
	}
	return out
}

func checkRandom(t *testing.T, r *reference.RandomCell, p *cell.Plan) {
	c := New(p)
	var weights, grads [][]float32
	for _, w := range r.Run.Weights {
		weights = append(weights, narrow(w))
		grads = append(grads, make([]float32, len(w)))
	}
	c.Bind(weights, true)
	n, steps := len(r.Run.X), len(r.Run.X[0])
	in := Input{X: flat(r.Run.X), Backwards: r.Run.Backwards, Drop: drops(p, &r.Run)}
	if r.Run.Mask != nil {
		in.Mask = make([]bool, steps*n)
		for i, row := range r.Run.Mask {
			for s, m := range row {
				in.Mask[s*n+i] = m
			}
		}
	}
	if r.Run.Init != nil {
		in.Initial = byState(r.Run.Init)
	}
	out := r.Run.Forward()
	want := r.Run.Gradient(r.DY, r.DStates)
	var run Run
	run.Forward(c, Shape{T: steps, N: n, Training: true, Sequences: true}, in)
	agree(t, "output", run.Sequence(), flat(out.Y))
	for i, s := range byState(out.States) {
		agree(t, "state", run.Final(i), s)
	}
	dx := make([]float32, len(in.X))
	run.Backward(Gradient{Sequence: flat(r.DY), Final: byState(r.DStates), X: dx, Weights: grads})
	agree(t, "gradient of the input", dx, flat(want.X))
	for i, g := range grads {
		agree(t, "gradient of "+r.Run.Cell.Weights[i].Name, g, narrow(want.Weights[i]))
	}
	if r.Run.Init != nil {
		for i, g := range byState(want.Init) {
			agree(t, "gradient of the initial state", run.Initial(i), g)
		}
	}
	sequence := append([]float32(nil), run.Sequence()...)
	run.Forward(c, Shape{T: steps, N: n}, in)
	same(t, "last output without training", run.Last(), sequence[len(sequence)-len(run.Last()):])

	// The last output alone, as layers without return_sequences have it.
	last := make([][][]float64, n)
	for i := range last {
		for s := range steps {
			g := make([]float64, len(r.DY[i][s]))
			if s == steps-1 {
				copy(g, r.DY[i][s])
			}
			last[i] = append(last[i], g)
		}
	}
	want = r.Run.Gradient(last, nil)
	for _, g := range grads {
		clear(g)
	}
	run.Forward(c, Shape{T: steps, N: n, Training: true}, in)
	dy := flat(r.DY)
	run.Backward(Gradient{Last: dy[len(dy)-len(run.Last()):], X: dx, Weights: grads})
	agree(t, "gradient of the input from the last output", dx, flat(want.X))
	for i, g := range grads {
		agree(t, "gradient from the last output of "+r.Run.Cell.Weights[i].Name, g, narrow(want.Weights[i]))
	}
}

// flat is (rows, steps, width) as the engine has it, (T, N, width).
func flat(a [][][]float64) []float32 {
	var out []float32
	for s := range a[0] {
		for i := range a {
			out = append(out, narrow(a[i][s])...)
		}
	}
	return out
}

// byState is (rows, states, width) as the engine has it: of every state (N, width).
func byState(a [][][]float64) [][]float32 {
	out := make([][]float32, len(a[0]))
	for i := range a {
		for s := range a[i] {
			out[s] = append(out[s], narrow(a[i][s])...)
		}
	}
	return out
}

func narrow(a []float64) []float32 {
	out := make([]float32, len(a))
	for i, v := range a {
		out[i] = float32(v)
	}
	return out
}

// agree allows float32 rounding, amplified by steep functions over up to four steps: 1e-4 of the largest magnitude.
func agree(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d values, want %d", what, len(got), len(want))
		return
	}
	largest := 1.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range want {
		if err := math.Abs(float64(got[i]) - float64(want[i])); !(err <= 1e-4*largest) {
			t.Errorf("%s[%d] = %g, want %g", what, i, got[i], want[i])
			return
		}
	}
}
