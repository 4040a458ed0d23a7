package engine

import (
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/reference"
)

// Views are where Run.at says, for every slot, step and shape, before and after the gradients of states changed places.
func TestViewsAreWhereSlotsLie(t *testing.T) {
	seen := map[cell.SlotKind]int{}
	for seed := range uint64(60) {
		d := draw(t, seed)
		r, err := reference.NewRandomCell(seed)
		if err != nil {
			t.Fatal(err)
		}
		active := make([]int, d.t)
		for i := range active {
			active[i] = min(d.n, 1+i)
		}
		for _, s := range []Shape{{T: d.t, N: d.n}, {T: d.t, N: d.n, Sequences: true}, {T: d.t, N: d.n, Training: true},
			{T: d.t, N: d.n, Training: true, Active: active}} {
			var run Run
			run.Forward(d.cell, s, Input{X: d.x, Backwards: d.backwards})
			if s.Training {
				run.Backward(Gradient{Last: d.last, X: make([]float32, len(d.x)), Weights: d.grads()})
			}
			for step := range d.t {
				s0 := step &^ 1 // any block
				n := run.active(step)
				before := run.rowsBefore(step, s0)
				for i, sl := range d.cell.plan.Slots {
					v := &run.views[i]
					backward := sl.Kind == cell.AdjOutputSlot || sl.Kind == cell.AdjNextSlot || sl.Kind == cell.AdjStateSlot || sl.Kind == cell.AdjInputSlot
					if n == 0 || v.mode == viewAt || backward && !s.Training || sl.Kind == cell.AdjOutputSlot && run.dy == nil {
						continue
					}
					got, want := v.rows(&before, n), run.at(i, step, s0, n)
					if len(got) != n*sl.Width || len(want) != len(got) || len(got) > 0 && &got[0] != &want[0] {
						t.Fatalf("slot %d %+v, shape %+v, step %d: the view is elsewhere, or has %d values for %d:\n%s", i, sl, s, step, len(got), len(want), r.Text)
					}
					seen[sl.Kind]++
				}
			}
		}
	}
	for _, k := range []cell.SlotKind{cell.InputSlot, cell.OnceSlot, cell.BlockSlot, cell.TempSlot, cell.KeptSlot, cell.StateSlot, cell.NextSlot, cell.OutputSlot,
		cell.AdjNextSlot, cell.AdjStateSlot, cell.AdjInputSlot} {
		if seen[k] == 0 {
			t.Errorf("no slot of kind %d was looked at", k)
		}
	}
}
