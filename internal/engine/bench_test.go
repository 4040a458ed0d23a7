package engine

import (
	"fmt"
	"os"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// Cells that no layer of Keras has, as a user would type them.
const (
	peepholeLSTM = `i_t = sigmoid(dot(input_t, kernel.i) + dot(state_t, recurrent.i) + p.i * c_t + bias.i)
f_t = sigmoid(dot(input_t, kernel.f) + dot(state_t, recurrent.f) + p.f * c_t + bias.f)
c_t+1 = f_t * c_t + i_t * tanh(dot(input_t, kernel.c) + dot(state_t, recurrent.c) + bias.c)
o_t = sigmoid(dot(input_t, kernel.o) + dot(state_t, recurrent.o) + q * c_t+1 + bias.o)
output_t = o_t * tanh(c_t+1)`
	minimalGatedUnit = `f_t = sigmoid(dot(input_t, Wf) + dot(state_t, Uf) + bf)
h_t = tanh(dot(input_t, Wh) + dot(f_t * state_t, Uh) + bh)
output_t = (1 - f_t) * state_t + f_t * h_t`
)

func fileText(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func planOf(tb testing.TB, text string, o cell.Options) *cell.Plan {
	tb.Helper()
	c, err := cell.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	if c, err = c.Resolve(o); err != nil {
		tb.Fatal(err)
	}
	return cell.NewPlan(c)
}

func uniform(s *random.Stream, n int, scale float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = scale * (2*s.Float32() - 1)
	}
	return x
}

// BenchmarkStep is a shard of 16 rows over 500 steps: nanoseconds a row and step, forward alone and there and back.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"simple_rnn", fileText(b, "../../layers/cells/simple_rnn.cell")},
		{"lstm", fileText(b, "../../layers/cells/lstm.cell")},
		{"gru", fileText(b, "../../layers/cells/gru.cell")},
		{"peephole", peepholeLSTM},
		{"mgu", minimalGatedUnit},
	} {
		p := planOf(b, c.text, cell.Options{Units: 32, Input: 32})
		for _, training := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/training=%v", c.name, training), func(b *testing.B) { benchmarkPlan(b, New(p), training) })
		}
	}
}

func benchmarkPlan(b *testing.B, c *Cell, training bool) {
	const rows, steps, inputs = 16, 500, 32
	s := random.New(1, random.Data)
	var weights, grads [][]float32
	for i := range c.plan.Cell.Weights {
		n := 1
		for _, d := range c.plan.Cell.Weights[i].Shape() {
			n *= d
		}
		weights = append(weights, uniform(s, n, 0.3))
		grads = append(grads, make([]float32, n))
	}
	c.Bind(weights, true)
	x := uniform(s, rows*steps*inputs, 1)
	dx := make([]float32, len(x))
	dy := uniform(s, rows*32, 1)
	var run Run
	for b.Loop() {
		run.Forward(c, Shape{T: steps, N: rows, Training: training}, Input{X: x})
		if training {
			run.Backward(Gradient{Last: dy, X: dx, Weights: grads})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*steps), "ns/row-step")
}
