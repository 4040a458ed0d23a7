package engine

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// The gradient of the states after a step is that of the initial states of a run over the steps that follow; asking for it changes no other.
func TestGradientsOfStates(t *testing.T) {
	const steps, n, inputs, units = 6, 3, 4, 5
	for name, text := range map[string]string{"lstm": fileText(t, "../../layers/cells/lstm.cell"), "gru": fileText(t, "../../layers/cells/gru.cell"),
		"peephole": fileText(t, "../../layers/cells/peephole_lstm.cell"), "output no state": "output_t = dot(h_t, V)\nh_t+1 = tanh(dot(h_t, U) + dot(input_t, W))"} {
		c, s := New(planOf(t, text, cell.Options{Units: units, Input: inputs})), random.New(5, random.Data)
		var weights, grads [][]float32
		for i := range c.plan.Cell.Weights {
			size := 1
			for _, d := range c.plan.Cell.Weights[i].Shape() {
				size *= d
			}
			weights, grads = append(weights, uniform(s, size, 0.8)), append(grads, make([]float32, size))
		}
		c.Bind(weights, true)
		x, dy, last := uniform(s, steps*n*inputs, 1), uniform(s, steps*n*units, 1), uniform(s, n*units, 1)
		plain, shown := make([]float32, len(x)), make([]float32, len(x))
		var run Run
		run.Forward(c, Shape{T: steps, N: n, Training: true, Sequences: true}, Input{X: x})
		run.Backward(Gradient{Sequence: dy, Last: last, X: plain, Weights: grads})
		var states [][]float32
		for i := range run.states {
			states = append(states, make([]float32, steps*n*run.states[i].width))
		}
		run.Backward(Gradient{Sequence: dy, Last: last, X: shown, Weights: grads, States: states})
		same(t, name+": grad:x", shown, plain)
		for step := range steps - 1 {
			// The states after a step: those of a run up to it.
			var before, behind Run
			before.Forward(c, Shape{T: step + 1, N: n}, Input{X: x[:(step+1)*n*inputs]})
			var initial [][]float32
			for i := range before.states {
				initial = append(initial, append([]float32(nil), before.Final(i)...))
			}
			behind.Forward(c, Shape{T: steps - step - 1, N: n, Training: true, Sequences: true}, Input{X: x[(step+1)*n*inputs:], Initial: initial})
			behind.Backward(Gradient{Sequence: dy[(step+1)*n*units:], Last: last, Weights: grads})
			for i := range behind.states {
				w := n * behind.states[i].width
				got, want := states[i][step*w:(step+1)*w], append([]float32(nil), behind.Initial(i)...)
				if i == c.plan.OutputHome { // the step's own output is heard too
					for k := range want {
						want[k] += dy[step*w+k]
					}
				}
				near(t, name, got, want)
			}
		}
	}
}
