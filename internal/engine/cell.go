// Package engine runs the plan of a cell over time: forward, and back through time.
//
// Legend: N rows processed together, T steps, C inputs, H units. Sequences are time-major: (T, N, width), so that the rows
// of a step stand together. Steps are counted in processing order; a layer that goes backwards reverses its input.
package engine

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Cell is a plan bound to its weights. It is read by any number of Runs at once; Bind must not run beside them.
type Cell struct {
	plan    *cell.Plan
	weights [][]float32 // stored form, in the order of the text
	packs   []kernel.Packed
	bound   uint64 // counts calls of Bind, so that a Run knows when its constants are stale

	once, hoist, steps, back        []instr
	backAfter, backHoist, backInput []instr
	keptSteps, keptBack             []int // slots with a place for every step that steps write, and that back writes
}

// instr is an instruction ready to run.
type instr struct {
	cell.Instr
	v  float32
	fn kernel.Func
}

// New is a cell that runs p.
func New(p *cell.Plan) *Cell {
	c := &Cell{plan: p, packs: make([]kernel.Packed, len(p.Packs))}
	c.once, c.hoist = ready(p.Once), ready(p.Hoist)
	for _, s := range p.Steps {
		c.steps = append(c.steps, ready(s.Instrs)...)
	}
	for _, s := range p.BackSteps {
		c.back = append(c.back, ready(s.Instrs)...)
	}
	c.backAfter, c.backHoist, c.backInput = ready(p.BackAfter), ready(p.BackHoist), ready(p.BackInput)
	c.keptSteps, c.keptBack = kept(p, c.steps), kept(p, c.back)
	return c
}

// kept are the slots that the instructions write and that have a place for every step.
func kept(p *cell.Plan, ins []instr) []int {
	var out []int
	for _, in := range ins {
		if k := p.Slots[in.D].Kind; (k == cell.KeptSlot || k == cell.OutputSlot) && !slices.Contains(out, in.D) {
			out = append(out, in.D)
		}
	}
	return out
}

func ready(ins []cell.Instr) []instr {
	out := make([]instr, len(ins))
	for i, in := range ins {
		out[i] = instr{Instr: in, v: float32(in.V)}
		if in.Code == cell.Apply || in.Code == cell.ApplyGrad {
			fn, ok := kernel.FuncByName(in.Func)
			if !ok {
				panic(fmt.Sprintf("engine: no kernel for function %q", in.Func))
			}
			out[i].fn = fn
		}
	}
	return out
}

// Plan is what the cell runs.
func (c *Cell) Plan() *cell.Plan { return c.plan }

// Bind takes the weights' present values: it packs the matrices. Training also packs what only the way back reads.
func (c *Cell) Bind(weights [][]float32, training bool) {
	c.weights = weights
	c.bound++
	for i, p := range c.plan.Packs {
		if p.Backward && !training {
			continue
		}
		w := weights[p.Weight][p.Start:]
		if p.Transposed {
			c.packs[i].PackT(w, p.Ld, p.K, p.M)
		} else {
			c.packs[i].Pack(w, p.Ld, p.K, p.M)
		}
	}
}
