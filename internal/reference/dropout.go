package reference

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// Drop gives the run masks of dropout, and reports whether its values still stay away from corners and poles. Some masks drop half of
// their values; the others only scale, so that a cell without biases does not always end at the corner 0.
func (r *RandomCell) Drop(seed uint64, d cell.Dropout) bool {
	source := func(state bool, kind uint64, width int) func(row, weight, block int) []float64 {
		if state && !d.State || !state && !d.Input {
			return nil
		}
		return func(row, weight, block int) []float64 {
			if !d.Each {
				weight, block = 1<<20, 0
			}
			s := random.New(seed, random.Dropout, kind, uint64(row), uint64(weight), uint64(block))
			mask, drops := make([]float64, width), s.IntN(2) == 0
			for i := range mask {
				mask[i] = 0.5 + s.Float64()
				if drops && s.IntN(2) == 0 {
					mask[i] = 0
				}
			}
			return mask
		}
	}
	r.Run.DropInput = source(false, 0, r.Options.Input)
	for _, s := range r.Run.Cell.States {
		if s.Name == "state" {
			r.Run.DropState = source(true, 1, s.Width)
		}
	}
	return r.smooth()
}
