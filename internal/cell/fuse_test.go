package cell_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/reference"
)

func planned(t *testing.T, text string, o cell.Options) *cell.Plan {
	t.Helper()
	c, err := cell.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c, err = c.Resolve(o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cell.NewPlan(c)
}

func layerText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../layers/cells/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// machine runs a plan with one number a slot: what the instructions compute does not matter, only which values they meet.
type machine struct{ slot []float64 }

func (m machine) run(in cell.Instr) {
	at := func(s int) float64 {
		if s < 0 {
			return 0
		}
		return m.slot[s]
	}
	m.slot[in.D] = compute(in.Code, in.V, in.Func, at(in.A), at(in.B), at(in.C), at(in.D), float64(in.Pack+in.Start+3*in.Weight))
}

// compute is the real thing for what groups take apart, and something that depends on every operand for the rest.
func compute(code cell.Code, v float64, fn string, a, b, c, d, other float64) float64 {
	mixed := math.Sin(float64(code) + v + float64(len(fn)) + 1.3*a + 0.7*b + 0.4*c + 0.1*other)
	switch code {
	case cell.Copy:
		return a
	case cell.Add:
		return a + b
	case cell.Mul:
		return a * b
	case cell.Sub:
		return a - b
	case cell.MulAdd:
		return d + a*b
	case cell.MulSub:
		return d - a*b
	case cell.MatMulAcc:
		return d + mixed
	}
	return mixed
}

func (m machine) group(g *cell.Group) {
	var values []float64
	for _, s := range g.In {
		values = append(values, m.slot[s])
	}
	at := func(v int) float64 {
		if v < 0 {
			return 0
		}
		return values[v]
	}
	for _, op := range g.Ops {
		values = append(values, compute(op.Code, op.V, op.Func, at(op.A), at(op.B), at(op.C), 0, 0))
	}
	for i, s := range g.Out {
		m.slot[s] = values[g.Stored[i]]
	}
}

func instrs(stages []cell.Stage) []cell.Instr {
	var all []cell.Instr
	for _, s := range stages {
		all = append(all, s.Instrs...)
	}
	return all
}

// A schedule computes what the lists compute: what leaves a step, what a later list reads, and every operand of a weight's gradient. What a
// group does not store is NaN afterwards, so nobody reads it.
func TestSchedulesComputeThePlan(t *testing.T) {
	groups := 0
	for seed := range uint64(400) {
		r, err := reference.NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		p := cell.NewPlan(r.Run.Cell)
		plain, grouped := machine{make([]float64, len(p.Slots))}, machine{make([]float64, len(p.Slots))}
		for i := range p.Slots {
			plain.slot[i] = math.Sin(float64(i))
			grouped.slot[i] = plain.slot[i]
		}
		s := p.Schedule()
		lists := [][]cell.Instr{p.Once, p.Hoist, instrs(p.Steps), instrs(p.BackSteps), p.BackAfter, p.BackHoist, p.BackInput}
		for i, parts := range [][]cell.Part{s.Once, s.Hoist, s.Steps, s.BackSteps, s.BackAfter, s.BackHoist, s.BackInput} {
			for _, in := range lists[i] {
				plain.run(in)
			}
			n := 0
			for _, part := range parts {
				if part.Group == nil {
					grouped.run(part.Instr)
					n++
					continue
				}
				groups++
				n += len(part.Group.Instrs)
				for _, in := range part.Group.Instrs {
					if !slices.Contains(part.Group.In, in.D) {
						grouped.slot[in.D] = math.NaN()
					}
				}
				grouped.group(part.Group)
			}
			if n != len(lists[i]) {
				t.Fatalf("seed %d, list %d: %d instructions are scheduled, want %d", seed, i, n, len(lists[i]))
			}
		}
		check := func(s int) {
			if err := math.Abs(grouped.slot[s] - plain.slot[s]); s >= 0 && !(err <= 1e-9*(1+math.Abs(plain.slot[s]))) {
				t.Fatalf("seed %d: slot %d %+v is %g in groups, want %g:\n%s", seed, s, p.Slots[s], grouped.slot[s], plain.slot[s], r.Text)
			}
		}
		for i, slot := range p.Slots {
			switch slot.Kind {
			case cell.NextSlot, cell.OutputSlot, cell.AdjStateSlot, cell.AdjInputSlot:
				check(i)
			}
		}
		for _, g := range append(append([]cell.GradOf(nil), p.Grads...), p.HoistGrads...) {
			for _, s := range []int{g.A, g.B} {
				if s >= 0 {
					check(s)
				}
			}
		}
	}
	if groups < 1000 {
		t.Fatalf("%d groups in 400 cells, want at least 1000: the test has become empty", groups)
	}
}

// keys are the keys of the groups in a schedule's loops, list by list; in a list sorted, since groups of different widths may change places.
func keys(p *cell.Plan) []string {
	s := p.Schedule()
	var k []string
	for _, parts := range [][]cell.Part{s.Steps, s.BackSteps, s.BackAfter, s.BackHoist, s.BackInput} {
		from := len(k)
		for _, part := range parts {
			if part.Group != nil {
				k = append(k, part.Group.Key)
			}
		}
		slices.Sort(k[from:])
	}
	return k
}

// The key does not depend on the order of independent instructions, of operands of sums and products, or on slots' numbers.
func TestKeysAreCanonical(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	keyed := 0
	for seed := range uint64(300) {
		c, err := reference.NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		p := cell.NewPlan(c.Run.Cell)
		want := keys(p)
		keyed += len(want)
		for range 3 {
			if got := keys(shuffled(r, p)); !slices.Equal(got, want) {
				t.Fatalf("seed %d: keys\n%s\nwant\n%s\nfor\n%s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"), c.Text)
			}
		}
	}
	if keyed < 500 {
		t.Fatalf("%d groups in 300 cells, want at least 500: the test has become empty", keyed)
	}
}

// shuffled is the same plan with slots renumbered, and the instructions of the loops in another order.
func shuffled(r *rand.Rand, p *cell.Plan) *cell.Plan {
	q := *p
	to := r.Perm(len(p.Slots))
	q.Slots = make([]cell.Slot, len(p.Slots))
	for i, s := range p.Slots {
		q.Slots[to[i]] = s
	}
	rename := func(list []cell.Instr) []cell.Instr {
		var out []cell.Instr
		for _, in := range list {
			for _, s := range []*int{&in.D, &in.A, &in.B, &in.C} {
				if *s >= 0 {
					*s = to[*s]
				}
			}
			switch in.Code {
			case cell.Add, cell.Mul, cell.MulAdd, cell.MulSub:
				if r.IntN(2) == 0 {
					in.A, in.B = in.B, in.A
				}
			}
			out = append(out, in)
		}
		return out
	}
	q.Once, q.Hoist, q.BackAfter, q.BackHoist, q.BackInput = rename(p.Once), rename(p.Hoist), rename(p.BackAfter), rename(p.BackHoist), rename(p.BackInput)
	q.Steps = []cell.Stage{{Instrs: reordered(r, rename(instrs(p.Steps)))}}
	q.BackSteps = []cell.Stage{{Instrs: reordered(r, rename(instrs(p.BackSteps)))}}
	rename2 := func(grads []cell.GradOf) []cell.GradOf {
		var out []cell.GradOf
		for _, g := range grads {
			if g.B = to[g.B]; g.A >= 0 {
				g.A = to[g.A]
			}
			out = append(out, g)
		}
		return out
	}
	q.Grads, q.HoistGrads = rename2(p.Grads), rename2(p.HoistGrads)
	return &q
}

// reordered exchanges neighbours that touch no slot of one another, many times.
func reordered(r *rand.Rand, list []cell.Instr) []cell.Instr {
	touch := func(a, b cell.Instr) bool {
		for _, s := range []int{b.D, b.A, b.B, b.C} {
			if s == a.D {
				return true
			}
		}
		return b.D == a.A || b.D == a.B || b.D == a.C
	}
	for range 20 * len(list) {
		if i := r.IntN(len(list)); i > 0 && !touch(list[i-1], list[i]) {
			list[i-1], list[i] = list[i], list[i-1]
		}
	}
	return list
}

// Groups that compute something else have another key.
func TestKeysTellFormsApart(t *testing.T) {
	text := layerText(t, "lstm.cell")
	o := cell.Options{Units: 7, Input: 5}
	want := keys(planned(t, text, o))
	if len(want) != 2 || strings.Contains(strings.Join(want, ""), "input") {
		t.Fatalf("the LSTM has the groups %q, want one a way", want)
	}
	for _, change := range [][2]string{
		{"f_t * c_t + i_t * g_t", "f_t * c_t - i_t * g_t"},
		{"f_t * c_t + i_t * g_t", "f_t * c_t + i_t * f_t"},
		{"f_t * c_t + i_t * g_t", "2 * f_t * c_t + i_t * g_t"},
		{"o_t * activation(c_t+1)", "o_t * c_t+1"},
		{"o_t * activation(c_t+1)", "o_t * sigmoid(c_t+1)"},
		{"o_t * activation(c_t+1)", "i_t * activation(c_t+1)"},
		{"g_t = activation", "g_t = relu"},
	} {
		other := strings.Replace(text, change[0], change[1], 1)
		if other == text {
			t.Fatalf("%q is not in the text", change[0])
		}
		for i, k := range keys(planned(t, other, o)) {
			if i < len(want) && k == want[i] {
				t.Errorf("with %q group %d has the key of the LSTM: %s", change[1], i, k)
			}
		}
	}
}

// A group too large for a key is still a group.
func TestLargeGroupsHaveNoKey(t *testing.T) {
	var b strings.Builder
	b.WriteString("vaa_t = tanh(dot(state_t, U))\n")
	last := 150
	for i := 1; i <= last; i++ {
		b.WriteString("v" + letters(i) + "_t = v" + letters(i-1) + "_t * state_t + v" + letters(i-1) + "_t\n")
	}
	b.WriteString("output_t = v" + letters(last) + "_t + dot(input_t, W)\n")
	if k := keys(planned(t, b.String(), cell.Options{Units: 3, Input: 3})); len(k) == 0 || k[0] != "" {
		t.Errorf("the keys are %q, want an empty one first: a group of 300 operations", k)
	}
}

// letters are a name for a number.
func letters(i int) string { return string(rune('a'+i/26)) + string(rune('a'+i%26)) }

// The longest texts there may be are scheduled in time: model files carry them.
func TestLongTextsAreScheduledInTime(t *testing.T) {
	for _, line := range []string{
		"v%[1]d_t = v%[2]d_t * state_t + v%[2]d_t\n",
		"v%[1]d_t = dot(v%[2]d_t, U) * state_t\n",
		"v%[1]d_t = tanh(dot(state_t, U)) + v%[2]d_t\n",
		"v%[1]d_t=v%[2]d_t*v0_t\n",
	} {
		var b strings.Builder
		b.WriteString("v0_t = tanh(dot(state_t, U))\n")
		last := 0
		for b.Len() < 60000 {
			last++
			fmt.Fprintf(&b, line, last, last-1)
		}
		fmt.Fprintf(&b, "output_t = v%d_t + dot(input_t, U)\n", last)
		p := planned(t, b.String(), cell.Options{Units: 3, Input: 3})
		done := make(chan struct{})
		go func() {
			p.Schedule()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second): // it takes 0.1 s
			t.Fatalf("%d lines like %q are not scheduled in 20 s", last, line)
		}
	}
}
