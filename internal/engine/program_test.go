package engine

import (
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/random"
)

// The switch: stretches of steps as one program give the bits of step by step, whoever takes part when, from vectors and from distinct
// rows, behind a prefix or from given states, forward, back and without training.
func TestProgramsAreTheSame(t *testing.T) {
	if !kernel.Programs() {
		t.Skip("no programs without assembly")
	}
	texts := map[string]string{"peephole": peepholeLSTM, "minimal gated unit": minimalGatedUnit, "coupled": coupledLSTM,
		"output no state": "output_t = dot(h_t, V) + tanh(dot(input_t, W)) * u\nh_t+1 = relu(dot(h_t, U) + dot(input_t, W2) - 2 * h_t)"}
	texts["layer_norm"], texts["softmax"] = layerNormLSTM, "output_t = softmax(dot(input_t, W) + dot(state_t, U) + b)"
	texts["functions"] = "output_t = softsign(dot(input_t, W) + dot(state_t, U)) * silu(dot(state_t, V)) + hard_shrink(squareplus(state_t)) - sparse_plus(abs(state_t))"
	for _, name := range []string{"simple_rnn", "lstm", "gru", "gru_reset_before", "lecture_lstm", "layer_norm_lstm", "irnn"} {
		texts[name] = fileText(t, "../../layers/cells/"+name+".cell")
	}
	active := map[string][]int{"all": nil, "late": {1, 1, 1, 3, 3, 6, 6, 6, 6}, "early": {6, 6, 6, 6, 4, 4, 4, 1, 1}, "none at first": {0, 0, 2, 2, 2, 2, 6, 6, 6}}
	for name, text := range texts {
		p := planOf(t, text, cell.Options{Units: 16, Input: 16})
		on, off := newCell(p, true), newCell(p, true)
		if !on.program || !on.backProgram {
			t.Errorf("%s: no program", name)
		}
		off.program, off.backProgram = false, false
		for order, rows := range active {
			for _, distinct := range []bool{false, true} {
				for _, begin := range []string{"zeros", "prefix", "given"} {
					a := programResults(on, rows, distinct, begin, nil)
					b := programResults(off, rows, distinct, begin, nil)
					for i := range a {
						for k, v := range a[i] {
							if w := b[i][k]; math.Float32bits(v) != math.Float32bits(w) {
								t.Fatalf("%s, rows %s, distinct %v, from %s: result %d [%d] = %g, step by step %g", name, order, distinct, begin, i, k, v, w)
							}
						}
					}
				}
			}
		}
	}
}

const layerNormLSTM = `i_t = sigmoid(layer_norm(dot(input_t, kernel.i) + dot(state_t, recurrent.i), gamma.i, beta.i))
f_t = sigmoid(layer_norm(dot(input_t, kernel.f) + dot(state_t, recurrent.f), gamma.f, beta.f))
g_t = tanh(layer_norm(dot(input_t, kernel.g) + dot(state_t, recurrent.g), gamma.g, beta.g))
o_t = sigmoid(layer_norm(dot(input_t, kernel.o) + dot(state_t, recurrent.o), gamma.o, beta.o))
c_t+1 = f_t * c_t + i_t * g_t
output_t = o_t * tanh(layer_norm(c_t+1, gamma.c, beta.c))`

// programResults are all that a run hands on which begins with zeros, with the states of a prefix, or with given ones.
func programResults(c *Cell, rows []int, distinct bool, begin string, share *Share) [][]float32 {
	prefix := begin == "prefix"
	const steps, n, words, shared = 9, 6, 5, 4
	p, s := c.plan, random.New(3, random.Data)
	var weights, grads [][]float32
	for i := range p.Cell.Weights {
		size := 1
		for _, d := range p.Cell.Weights[i].Shape() {
			size *= d
		}
		weights, grads = append(weights, uniform(s, size, 0.4)), append(grads, make([]float32, size))
	}
	c.Bind(weights, true)
	if prefix {
		rows = []int{2, 3, 3, 3, n, n, n, n, n} // rows begin where the prefix has a state
	}
	shape := Shape{T: steps, N: n, Active: rows, Training: true, Sequences: true, Share: share}
	var run, before Run
	places := 0
	for t := range steps {
		places += shapePlaces(shape, t)
	}
	in := Input{Compact: true, X: uniform(s, places*16, 1)}
	var all Rows
	if distinct {
		all = Rows{X: uniform(s, words*16, 1), D: words, Table: make([]float32, words*c.TableWidth()), Sums: make([]float32, words*c.SumWidth())}
		run.Project(c, &all, 0, words)
		for range places {
			id := int32(s.IntN(words))
			all.Index, all.Local = append(all.Index, id), append(all.Local, words-1-id)
		}
		in.X, in.Rows = nil, &all
	}
	if prefix {
		before.Forward(c, Shape{T: shared, N: 1, Training: true, Sequences: true}, Input{Compact: true, X: uniform(s, shared*16, 1)})
		in.Prefix = &before
	}
	if begin == "given" {
		for i := range p.Cell.States {
			in.Initial = append(in.Initial, uniform(s, n*p.Cell.States[i].Width, 1))
		}
	}
	// What a run left in memory is of no account.
	full := Shape{T: steps, N: n, Training: true, Sequences: true}
	run.Forward(c, full, Input{Compact: true, X: uniform(s, steps*n*16, 1)})
	run.Backward(Gradient{Last: uniform(s, n*width(p), 1), X: make([]float32, steps*n*16), Weights: grads})
	for _, g := range grads {
		clear(g)
	}
	out := [][]float32{}
	keep := func(x []float32) { out = append(out, append([]float32(nil), x...)) }
	run.Forward(c, shape, in)
	keep(run.Sequence())
	keep(run.Last())
	for i := range run.states {
		keep(run.Final(i))
	}
	g := Gradient{Sequence: uniform(s, len(out[0]), 1), Last: uniform(s, len(out[1]), 1), Weights: grads}
	if begin == "given" {
		for i := range p.Cell.States {
			g.Final = append(g.Final, uniform(s, n*p.Cell.States[i].Width, 1))
		}
	}
	if in.Rows == nil {
		g.X = make([]float32, len(in.X))
	}
	run.Backward(g)
	keep(g.X)
	keep(all.Sums)
	out = append(out, grads...)
	for i := range run.states {
		keep(run.Initial(i))
	}
	if prefix {
		g := Gradient{Weights: grads}
		for i := range p.Cell.States {
			g.Given = append(g.Given, uniform(s, (shared+1)*p.Cell.States[i].Width, 1))
		}
		before.Backward(g)
		for i := range before.states {
			keep(before.Initial(i))
		}
	}
	shape.Training, shape.Sequences = false, false
	run.Forward(c, shape, in)
	keep(run.Last())
	return out
}

// shapePlaces is how many places step t has.
func shapePlaces(s Shape, t int) int {
	if s.Active == nil {
		return s.N
	}
	if t > 0 {
		return max(s.Active[t], s.Active[t-1])
	}
	return s.Active[t]
}
