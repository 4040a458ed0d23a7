package engine

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// BenchmarkWalks is a shard of 16 rows of an LSTM(32) over 500 steps, there and back, with what may be asked of a walk: nanoseconds a row and
// step.
func BenchmarkWalks(b *testing.B) {
	const rows, steps, width = 16, 500, 32
	p := planOf(b, fileText(b, "../../layers/cells/lstm.cell"), cell.Options{Units: width, Input: width})
	s := random.New(1, random.Data)
	holes, ends := make([]bool, steps*rows), make([]bool, steps*rows)
	for i := range holes {
		holes[i] = s.Float32() < 0.7
		ends[i] = i/rows >= i%rows*steps/rows
	}
	given := [][]float32{uniform(s, rows*width, 1), uniform(s, rows*width, 1)}
	x, dy := uniform(s, steps*rows*width, 1), uniform(s, rows*width, 1)
	for _, c := range []struct {
		name string
		in   Input
		g    Gradient
	}{
		{"plain", Input{}, Gradient{}},
		{"states", Input{Initial: given}, Gradient{Final: given}},
		{"backwards", Input{Backwards: true}, Gradient{}},
		{"padded", Input{Mask: ends}, Gradient{}},
		{"holes", Input{Mask: holes}, Gradient{}},
		{"holes and states", Input{Mask: holes, Initial: given}, Gradient{Final: given}},
		{"holes and zeros", Input{Mask: holes, ZeroMasked: true}, Gradient{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			k := New(p)
			weights, grads := weightsOf(k, 0.3)
			k.Bind(weights, true)
			c.in.X, c.g.X, c.g.Last, c.g.Weights = x, make([]float32, len(x)), dy, grads
			var run Run
			for b.Loop() {
				run.Forward(k, Shape{T: steps, N: rows, Training: true}, c.in)
				run.Backward(c.g)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*steps), "ns/row-step")
		})
	}
}

// weightsOf are values for a cell's weights, and room for their gradients.
func weightsOf(k *Cell, scale float32) (weights, grads [][]float32) {
	s := random.New(2, random.Data)
	for i := range k.plan.Cell.Weights {
		n := 1
		for _, d := range k.plan.Cell.Weights[i].Shape() {
			n *= d
		}
		weights, grads = append(weights, uniform(s, n, scale)), append(grads, make([]float32, n))
	}
	return weights, grads
}
