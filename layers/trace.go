package layers

import (
	"math"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/tensor"
)

// Trace is what a recurrent layer notes on its way back: how much the loss hears of its states, step by step.
type Trace struct {
	// Walks are one for each cell and direction.
	Walks []TracedWalk

	states [][]float32
}

// TracedWalk is a walk over time.
type TracedWalk struct {
	Cell      int // of a stack of cells
	Backwards bool
	// Norms are, for step t of row n at t·N + n, the Euclidean norm of the gradient of the loss by what the cell carries out of the step: all
	// its states together, such as h and c.
	Norms []float64
}

// begin makes room for the gradients of the states of a walk over an input of this shape.
func (t *Trace) begin(p *cell.Plan, in tensor.Shape) [][]float32 {
	t.states = t.states[:0]
	for _, s := range p.Cell.States {
		t.states = append(t.states, make([]float32, in[0]*in[1]*s.Width))
	}
	return t.states
}

// end takes their norms and adds the walk. Cells behind the first of a walk backwards have steps in processing order.
func (t *Trace) end(w TracedWalk, in tensor.Shape) {
	norms := make([]float64, in[0]*in[1])
	for _, s := range t.states {
		width := len(s) / max(1, len(norms))
		for i := range norms {
			for _, v := range s[i*width : (i+1)*width] {
				norms[i] += float64(v) * float64(v)
			}
		}
	}
	for i, v := range norms {
		norms[i] = math.Sqrt(v)
	}
	if w.Norms = norms; w.Backwards && w.Cell > 0 {
		w.Norms = make([]float64, len(norms))
		for s, n := 0, in[0]; s < in[1]; s++ {
			copy(w.Norms[s*n:(s+1)*n], norms[(in[1]-1-s)*n:])
		}
	}
	t.Walks = append(t.Walks, w)
}
