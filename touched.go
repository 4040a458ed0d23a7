package unroll

import (
	"math"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// touched is a table of which the optimizer visits the rows that have a gradient, and those alone. Without a gradient a weight stays as it
// is and its slots shrink by a fixed rate (optimizers.Traits, SparseSafe): that is made up for, one rounded product for each update
// that was left out, before anybody reads them.
type touched struct {
	decay   float32
	updates int64   // of the table since this began
	seen    []int64 // by row: the update that its slots are of; nil where they do not shrink
}

// touch opens an update of a table at a learning rate. nil is returned where the optimizer must visit all of it; its slots are then up to date.
func (c *compiled) touch(w *layers.Weight, on bool, rate float64) *touched {
	traits := c.optimizer.Traits()
	still := float32(rate)*0 == 0 // the rate is finite, so that nothing happens without a gradient
	if !on || !traits.SparseSafe || !traits.Elementwise || !still {
		c.settle(w)
		return nil
	}
	t := c.touched[w.Index]
	if t == nil {
		if t = newTouched(float32(traits.Decay), c.slots[w.Index], w.Shape[0]); t == nil {
			return nil
		}
		c.touched[w.Index] = t
	}
	t.updates++
	return t
}

// newTouched is nil where slots hold what no training gives, and a file may: below 0, or no number.
func newTouched(decay float32, slots [][]float32, rows int) *touched {
	t := &touched{decay: decay}
	for _, slot := range slots {
		for _, v := range slot {
			if !(v >= 0 && v <= math.MaxFloat32) {
				return nil
			}
		}
	}
	if len(slots) > 0 && decay != 1 {
		t.seen = make([]int64, rows)
	}
	return t
}

// catchUp brings slots of these rows, one after the other, to the update before this one, and counts this one as seen.
func (t *touched) catchUp(slots [][]float32, ids []int32, width int) {
	if t.seen == nil {
		return
	}
	for i, id := range ids {
		if missed := t.updates - 1 - t.seen[id]; missed > 0 {
			for _, slot := range slots {
				shrink(slot[i*width:(i+1)*width], t.decay, missed)
			}
		}
		t.seen[id] = t.updates
	}
}

// shrink multiplies x by rate n times, each product rounded.
func shrink(x []float32, rate float32, n int64) {
	const most = 64 // at a time, between two looks whether it is worth going on
	for ; n > most; n -= most {
		kernel.Shrink(x, rate, most)
		if settled(x, rate) {
			return
		}
	}
	kernel.Shrink(x, rate, int(n))
}

// settled reports whether another product would change nothing, as it comes to be near zero.
func settled(x []float32, rate float32) bool {
	for _, v := range x {
		if next := float32(rate * v); next != v && v == v {
			return false
		}
	}
	return true
}

// settle makes the slots of a table what visiting every row in every update would have made of them. Whoever reads or writes slots,
// besides the updates themselves, calls it first.
func (c *compiled) settle(w *layers.Weight) {
	if c.touched == nil || c.touched[w.Index] == nil {
		return
	}
	t, width := c.touched[w.Index], w.Shape[1]
	for r, seen := range t.seen {
		if missed := t.updates - seen; missed > 0 {
			for _, slot := range c.slots[w.Index] {
				shrink(slot[r*width:(r+1)*width], t.decay, missed)
			}
		}
	}
	c.touched[w.Index] = nil
}
