package engine

import (
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/internal/reference"
)

// drawn is a random cell with float32 data of a size of our own.
type drawn struct {
	cell          *Cell
	n, t, c, h    int
	x, dseq, last []float32
	weights       [][]float32
	backwards     bool
	s             *random.Stream
}

func draw(t *testing.T, seed uint64) *drawn {
	t.Helper()
	r, err := reference.NewRandomCell(seed)
	if err != nil {
		t.Fatal(err)
	}
	d := &drawn{cell: New(cell.NewPlan(r.Run.Cell)), s: random.New(seed, random.Data, 99), backwards: r.Run.Backwards}
	for _, w := range r.Run.Weights {
		d.weights = append(d.weights, narrow(w))
	}
	d.cell.Bind(d.weights, true)
	d.n, d.t, d.c, d.h = 1+d.s.IntN(5), 1+d.s.IntN(9), r.Options.Input, width(d.cell.plan)
	d.x, d.dseq, d.last = d.normal(d.t*d.n*d.c), d.normal(d.t*d.n*d.h), d.normal(d.n*d.h)
	return d
}

func (d *drawn) normal(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(d.s.Normal()) * 0.5
	}
	return x
}

// time is the step of the input that is processed in step s.
func (d *drawn) time(s int) int {
	if d.backwards {
		return d.t - 1 - s
	}
	return s
}

func (d *drawn) grads() [][]float32 {
	var g [][]float32
	for _, w := range d.weights {
		g = append(g, make([]float32, len(w)))
	}
	return g
}

// result is everything that a run gives.
type result struct {
	last, dx       []float32
	final, initial [][]float32
	grads          [][]float32
}

func (d *drawn) run(s Shape, in Input, g Gradient) result {
	var run Run
	s.T, s.N, s.Training = d.t, d.n, true
	in.X, in.Backwards = d.x, d.backwards
	run.Forward(d.cell, s, in)
	res := result{last: slices.Clone(run.Last()), dx: make([]float32, len(d.x)), grads: d.grads()}
	for i := range d.cell.plan.Cell.States {
		res.final = append(res.final, slices.Clone(run.Final(i)))
	}
	g.Last, g.X, g.Weights = d.last, res.dx, res.grads
	run.Backward(g)
	for i := range d.cell.plan.Cell.States {
		res.initial = append(res.initial, slices.Clone(run.Initial(i)))
	}
	return res
}

// tame reports whether the result is one that float32 can be asked to repeat: some random cells explode over many steps.
func (r result) tame() bool {
	for _, v := range slices.Concat(append(append([][]float32{r.last, r.dx}, r.final...), r.grads...)...) {
		if !(v < 1e4 && v > -1e4) {
			return false
		}
	}
	return true
}

func (d *drawn) compare(t *testing.T, what string, got, want result) {
	t.Helper()
	same(t, what+": output", got.last, want.last)
	for i := range want.final {
		same(t, what+": state", got.final[i], want.final[i])
	}
	agree(t, what+": gradient of the input", got.dx, want.dx)
	for i, w := range d.cell.plan.Cell.Weights {
		agree(t, what+": gradient of "+w.Name, got.grads[i], want.grads[i])
	}
}

// Rows that begin later or end earlier are not computed where a mask hides them; the result is that of computing them.
func TestActiveRows(t *testing.T) {
	compared := 0
	for seed := range uint64(300) {
		d := draw(t, seed)
		for _, ends := range []bool{false, true} {
			mask, active := d.bounds(ends)
			if ends && active[0] < d.n || !ends && active[d.t-1] < d.n {
				t.Fatal("the test draws what Active does not allow")
			}
			want := d.run(Shape{}, Input{Mask: mask}, Gradient{})
			if !want.tame() {
				continue
			}
			compared++
			d.compare(t, "active rows", d.run(Shape{Active: active}, Input{}, Gradient{}), want)
			if t.Failed() {
				t.Fatalf("seed %d, ends %v, active %v:\n%s", seed, ends, active, d.cell.plan.Cell.Text)
			}
		}
	}
	if compared < 400 {
		t.Errorf("only %d of 600 runs were compared", compared)
	}
}

// Likewise where rows begin with given states, and somebody asks for their last ones: rows that begin later keep what they were given until then,
// rows that end earlier what they had.
func TestActiveRowsWithStates(t *testing.T) {
	compared := 0
	for seed := range uint64(300) {
		d := draw(t, seed)
		var in Input
		var g Gradient
		for _, s := range d.cell.plan.Cell.States {
			in.Initial, g.Final = append(in.Initial, d.normal(d.n*s.Width)), append(g.Final, d.normal(d.n*s.Width))
		}
		for _, ends := range []bool{false, true} {
			mask, active := d.bounds(ends)
			masked := in
			masked.Mask = mask
			want := d.run(Shape{}, masked, g)
			if !want.tame() {
				continue
			}
			compared++
			got := d.run(Shape{Active: active}, in, g)
			d.compare(t, "active rows with states", got, want)
			for i := range want.initial {
				agree(t, "active rows with states: gradient of the initial state", got.initial[i], want.initial[i])
			}
			if t.Failed() {
				t.Fatalf("seed %d, ends %v, active %v:\n%s", seed, ends, active, d.cell.plan.Cell.Text)
			}
		}
	}
	if compared < 400 {
		t.Errorf("only %d of 600 runs were compared", compared)
	}
}

// bounds are a mask that hides the beginnings of rows, or their ends, and how many rows it leaves in each step.
func (d *drawn) bounds(ends bool) (mask []bool, active []int) {
	bound := make([]int, d.n) // in processing order, sorted as Active asks
	for r := range bound {
		bound[r] = d.s.IntN(d.t)
	}
	slices.Sort(bound)
	mask, active = make([]bool, d.t*d.n), make([]int, d.t)
	for s := range d.t {
		for r := range d.n {
			valid := s >= bound[r]
			if ends {
				valid = s <= bound[d.n-1-r]
			}
			mask[d.time(s)*d.n+r] = valid
			if valid {
				active[s]++
			}
		}
	}
	return mask, active
}

// Rows that begin alike walk the stretch that they share once; the result is that of walking it each.
func TestSharedPrefix(t *testing.T) {
	compared := 0
	for seed := range uint64(300) {
		d := draw(t, seed)
		bound := make([]int, d.n)
		for r := range bound {
			bound[r] = d.s.IntN(d.t)
		}
		slices.Sort(bound)
		longest := bound[d.n-1]
		shared := d.normal(longest * d.c)
		active := make([]int, d.t)
		for s := range d.t {
			for r := range d.n {
				if s < bound[r] {
					copy(d.x[(d.time(s)*d.n+r)*d.c:], shared[s*d.c:(s+1)*d.c])
				} else {
					active[s]++
				}
			}
		}
		want := d.run(Shape{}, Input{}, Gradient{})
		if !want.tame() {
			continue
		}
		compared++
		var prefix Run
		prefix.Forward(d.cell, Shape{T: longest, N: 1, Training: true}, Input{X: shared})
		got := d.run(Shape{Active: active}, Input{Prefix: &prefix}, Gradient{})
		var joined [][]float32
		for i, s := range d.cell.plan.Cell.States {
			given := make([]float32, (longest+1)*s.Width)
			for r := range d.n {
				for k := range s.Width {
					given[bound[r]*s.Width+k] += got.initial[i][r*s.Width+k]
				}
			}
			joined = append(joined, given)
		}
		dshared := make([]float32, len(shared))
		prefix.Backward(Gradient{Given: joined, X: dshared, Weights: got.grads})
		// The plain run has the shared stretch's gradient in every row.
		sum := make([]float32, len(shared))
		for s := range longest {
			for r := range d.n {
				if s >= bound[r] {
					continue
				}
				row := want.dx[(d.time(s)*d.n+r)*d.c:][:d.c]
				for k, v := range row {
					sum[s*d.c+k] += v
					row[k] = 0
				}
			}
		}
		agree(t, "gradient of the shared input", dshared, sum)
		d.compare(t, "shared prefix", got, want)
		if t.Failed() {
			t.Fatalf("seed %d, begins %v:\n%s", seed, bound, d.cell.plan.Cell.Text)
		}
	}
	if compared < 200 {
		t.Errorf("only %d of 300 runs were compared", compared)
	}
}

// A row that is masked from where it begins on has zeros as its output, whatever the run did before, also where nobody takes part in the
// first step.
func TestActiveFromNobody(t *testing.T) {
	for seed := range uint64(100) {
		d := draw(t, seed)
		var run Run
		s := Shape{T: d.t, N: d.n, Training: true}
		run.Forward(d.cell, s, Input{X: d.x, Mask: slices.Repeat([]bool{true}, d.t*d.n)})
		s.Active = make([]int, d.t)
		s.Active[d.t-1] = d.n
		run.Forward(d.cell, s, Input{X: d.x, Mask: make([]bool, d.t*d.n)})
		same(t, "output", run.Last(), make([]float32, d.n*d.h))
	}
}
