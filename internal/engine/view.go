package engine

import (
	"github.com/unroll-ml/unroll/internal/cell"
)

// view says where a slot's rows lie, worked out once a layout: in a slice of the Run, at start, and behind it so many rows, ld apart,
// as the mode says. Run.at is its definition.
type view struct {
	from             *[]float32
	start, ld, width int
	mode             viewMode
}

type viewMode uint8

const (
	viewFixed  viewMode = iota // no rows
	viewPlaces                 // those of the steps before
	viewNext                   // and of this one
	viewBlock                  // those of the steps before in the block
	viewTurn                   // N in every other step
	viewTurned                 // N in the others
	viewAt                     // ask Run.at
	viewModes
)

// look works the views out.
func (r *Run) look() {
	p := r.cell.plan
	r.views = grow(r.views, len(p.Slots))
	for i, sl := range p.Slots {
		v := view{from: &r.arena, start: r.place[i].start, ld: r.place[i].ld, width: sl.Width}
		switch pl := &r.place[i]; sl.Kind {
		case cell.InputSlot:
			v.from, v.start, v.mode = &r.x, 0, viewPlaces
		case cell.AdjInputSlot:
			v.from, v.start, v.mode = &r.dx, 0, viewPlaces
		case cell.AdjOutputSlot:
			v.from, v.start, v.mode = &r.dy, 0, viewPlaces
		case cell.StateSlot:
			b := &r.states[sl.Index]
			if v.from, v.start, v.mode = &b.values, 0, viewTurn; b.full {
				v.mode = viewPlaces
			}
		case cell.NextSlot:
			b := &r.states[sl.Index]
			if v.from, v.start, v.mode = &b.values, 0, viewTurned; b.full {
				v.mode = viewNext
			}
		case cell.AdjNextSlot:
			v.from, v.start = &r.states[sl.Index].next, 0
		case cell.AdjStateSlot:
			v.from, v.start = &r.states[sl.Index].in, 0
		case cell.MaskSlot:
			v.mode = viewAt
		default:
			switch {
			case pl.once:
				v.from = &r.once
			case pl.full:
				v.mode = viewPlaces
			case pl.inBlock:
				v.mode = viewBlock
			}
		}
		r.views[i] = v
	}
}

// rows are n rows of the slot, not for viewAt.
func (v *view) rows(before *[viewModes]int, n int) []float32 {
	return sub(*v.from, v.start+before[v.mode]*v.ld, (n-1)*v.ld+v.width)
}

// rowsBefore are the rows of every mode for step s of the block that begins at step s0.
func (r *Run) rowsBefore(s, s0 int) (rows [viewModes]int) {
	rows[viewPlaces] = r.offset[s]
	rows[viewNext] = r.offset[min(s+1, len(r.offset)-1)]
	rows[viewBlock] = r.offset[s] - r.offset[s0]
	rows[viewTurn] = s & 1 * r.shape.N
	rows[viewTurned] = (s + 1) & 1 * r.shape.N
	return rows
}
