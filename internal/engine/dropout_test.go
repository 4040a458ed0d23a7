package engine

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/reference"
)

// dropping is a random cell with dropout, over more steps than a block has.
func dropping(t *testing.T, seed uint64) (*drawn, [][]float32) {
	t.Helper()
	d := draw(t, seed)
	r, err := reference.NewRandomCell(seed)
	if err != nil {
		t.Fatal(err)
	}
	p, err := cell.NewDropoutPlan(r.Run.Cell, cell.Dropout{Input: true, State: true, Each: seed%2 == 0})
	if err != nil {
		t.Fatal(err)
	}
	d.cell = New(p)
	d.cell.Bind(d.weights, true)
	d.t = 40 + d.t
	d.x = d.normal(d.t * d.n * d.c)
	var masks [][]float32
	for _, m := range p.Masks {
		mask := make([]float32, d.n*m.Width)
		for i := range mask {
			mask[i] = []float32{0, 1.5, 1.5}[d.s.IntN(3)]
		}
		masks = append(masks, mask)
	}
	return d, masks
}

// Rows that begin later or end earlier have their own masks, in every block of steps.
func TestDropoutOfActiveRows(t *testing.T) {
	compared := 0
	for seed := range uint64(200) {
		d, masks := dropping(t, seed)
		if len(masks) == 0 {
			continue
		}
		for _, ends := range []bool{false, true} {
			mask, active := d.bounds(ends)
			want := d.run(Shape{}, Input{Mask: mask, Drop: masks}, Gradient{})
			if !want.tame() {
				continue
			}
			compared++
			d.compare(t, "active rows", d.run(Shape{Active: active}, Input{Drop: masks}, Gradient{}), want)
			if t.Failed() {
				t.Fatalf("seed %d, ends %v, active %v:\n%s", seed, ends, active, d.cell.plan.Cell.Text)
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d runs were compared", compared)
	}
}

// The room for masks, and all else, is kept from one run to the next.
func TestDropoutAllocatesNothing(t *testing.T) {
	const text = "output_t = tanh(dot(input_t, W) + dot(state_t, U) + b)"
	parsed, err := cell.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parsed.Resolve(cell.Options{Units: 4, Input: 3})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cell.NewDropoutPlan(c, cell.Dropout{Input: true, State: true, Each: true})
	if err != nil {
		t.Fatal(err)
	}
	run, k := new(Run), New(p)
	weights := [][]float32{make([]float32, 12), make([]float32, 16), make([]float32, 4)}
	k.Bind(weights, true)
	x, last := make([]float32, 50*5*3), make([]float32, 5*4)
	if got := testing.AllocsPerRun(5, func() {
		masks := run.DropMasks(k, 5)
		if len(masks) != 2 || len(masks[0]) != 5*3 || len(masks[1]) != 5*4 {
			t.Fatalf("expected masks of 15 and 20 numbers, got %v", masks)
		}
		for _, m := range masks {
			clear(m)
		}
		run.Forward(k, Shape{T: 50, N: 5, Training: true}, Input{X: x, Drop: masks})
		run.Backward(Gradient{Last: last, Weights: weights})
	}); got != 0 {
		t.Errorf("expected no allocations, got %v", got)
	}
}
