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
	keptSteps, keptBack             []int  // slots with a place for every step that steps write, and that back writes
	onWayBack                       []bool // slots that are made on the way back
	backRows                        int    // about how many rows go back together, see backRowsOf
	rows                            rowPlan
	spreads                         []int // slots of masks that are read over many steps together
	side                            side
	joined                          []chain
	linked                          []int // slots that are laid by their chain
	stepWork                        int   // of the products of a step, a row
	// program and backProgram: kernel.Program can run the steps, and the way back.
	program, backProgram bool
}

// instr is an instruction ready to run, or a group of them that has a kernel.
type instr struct {
	cell.Instr
	v       float32
	fn      kernel.Func
	group   *cell.Group // nil: Instr
	fused   kernel.Fused
	element kernel.Elementwise // of an operation that has a kernel by itself
	alone   bool               // it has
}

// New is a cell that runs p.
func New(p *cell.Plan) *Cell { return newCell(p, true) }

// newCell is New; without fuse every operation runs by itself.
func newCell(p *cell.Plan, fuse bool) *Cell {
	s := p.Schedule()
	c := &Cell{plan: p, packs: make([]kernel.Packed, len(p.Packs)), rows: newRowPlan(p)}
	c.once, c.hoist, c.steps, c.back = ready(s.Once, fuse), ready(s.Hoist, fuse), ready(s.Steps, fuse), ready(s.BackSteps, fuse)
	c.backAfter, c.backHoist, c.backInput = ready(s.BackAfter, fuse), ready(s.BackHoist, fuse), ready(s.BackInput, fuse)
	c.keptSteps, c.keptBack = kept(p, p.Steps), kept(p, p.BackSteps)
	c.spreads = spreads(p)
	c.onWayBack, c.backRows = onWayBack(p), backRowsOf(p, c.keptBack)
	c.rows.direct = !slices.ContainsFunc(c.rows.gathered, func(s int) bool {
		return p.Slots[s].Kind == cell.InputSlot || !c.onlyProducts(s)
	})
	c.side, c.joined = c.sideBySide(), c.chains()
	for _, ch := range c.joined {
		c.linked = append(c.linked, ch.slots...)
	}
	c.stepWork = stepWork(p, c.steps)
	c.program, c.backProgram = c.stepByStep(c.steps) == "", c.stepByStep(c.back) == ""
	return c
}

// kept are the slots that the stages write and that have a place for every step.
func kept(p *cell.Plan, stages []cell.Stage) []int {
	var out []int
	for _, s := range stages {
		for _, in := range s.Instrs {
			if k := p.Slots[in.D].Kind; (k == cell.KeptSlot || k == cell.OutputSlot) && !slices.Contains(out, in.D) {
				out = append(out, in.D)
			}
		}
	}
	return out
}

// onWayBack marks the slots that are made on the way back.
func onWayBack(p *cell.Plan) []bool {
	made := make([]bool, len(p.Slots))
	lists := [][]cell.Instr{p.BackAfter, p.BackHoist, p.BackInput}
	for _, s := range p.BackSteps {
		lists = append(lists, s.Instrs)
	}
	for _, list := range lists {
		for _, in := range list {
			made[in.D] = true
		}
	}
	return made
}

// backRowsOf is how many rows go back together before what they left is summed into the weights' gradients: with 64 KB they are still in
// the second-level cache. Fewer than 128 would not be worth a call, more than 512 gain nothing.
func backRowsOf(p *cell.Plan, kept []int) int {
	width := 1
	for _, k := range kept {
		width += p.Slots[k].Width
	}
	return max(128, min(512, 64<<10/4/width))
}

// ready looks up what the parts need: the kernel of a group, where there is one, and of a function.
func ready(parts []cell.Part, fuse bool) []instr {
	var out []instr
	for _, p := range parts {
		if p.Group == nil {
			out = append(out, single(p.Instr))
			continue
		}
		if f, ok := kernel.FusedByKey(p.Group.Key); ok && fuse {
			out = append(out, instr{group: p.Group, fused: f})
			continue
		}
		for _, in := range p.Group.Instrs {
			out = append(out, single(in))
		}
	}
	return out
}

func single(in cell.Instr) instr {
	out := instr{Instr: in, v: float32(in.V)}
	if in.Code == cell.Apply || in.Code == cell.ApplyGrad {
		fn, ok := kernel.FuncByName(in.Func)
		if !ok {
			panic(fmt.Sprintf("engine: no kernel for function %q", in.Func))
		}
		out.fn = fn
		out.element, out.alone = kernel.ElementwiseByFunc(fn, in.Code == cell.ApplyGrad)
		return out
	}
	if name, ok := elementwise[in.Code]; ok {
		out.element, out.alone = kernel.ElementwiseByName(name)
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
	if len(c.side.slots) > 0 {
		c.side.pack.Beside(c.side.parts)
	}
	if training {
		for i := range c.joined {
			c.joined[i].pack.Below(c.joined[i].parts)
		}
	}
}
