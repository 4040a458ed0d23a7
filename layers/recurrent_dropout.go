package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// Dropout in a recurrent layer multiplies the input and the state where they enter the products of a step with masks, one a call
// and row, the same at all steps. Without recurrent dropout one mask of the input serves all products; with it every block of a
// matrix has masks of its own, for input and state. Source: keras/src/layers/rnn/dropout_rnn_cell.py and the cells.

// dropoutOf is the dropout of a cell in training.
func dropoutOf(s cellSpec) (d cell.Dropout, err error) {
	class, l := s.class, s.l
	for _, rate := range []struct {
		name  string
		value float64
	}{{"dropout", l.Dropout}, {"recurrent_dropout", l.RecurrentDropout}} {
		if !(rate.value >= 0 && rate.value <= 1) {
			return d, fmt.Errorf("layers: %s: %s must be from 0 to 1, got %v", class, rate.name, rate.value)
		}
	}
	if err := checkSeed(l.Seed); err != nil {
		return d, fmt.Errorf("layers: %s: %w", class, err)
	}
	d = cell.Dropout{Input: l.Dropout > 0, State: l.RecurrentDropout > 0, Each: l.RecurrentDropout > 0}
	if s.gated { // Keras's cells of gates drop at rates below 1 alone
		d.Input, d.State = d.Input && l.Dropout < 1, d.State && l.RecurrentDropout < 1
	}
	return d, nil
}

// maxSeed is the largest seed: every whole number up to it is a float64.
const maxSeed = 1 << 53

func checkSeed(s tensor.Float) error {
	if v := s.Or(0); !(v >= 0 && v <= maxSeed) || v != float64(uint64(v)) {
		return fmt.Errorf("seed must be a whole number from 0 to 2^53, got %v", v)
	}
	return nil
}

// DropSource fills the masks of dropout: dst has m.Width numbers for each row of the call; backward says whether they belong to the
// backward layer of a Bidirectional.
type DropSource func(c *Call, backward bool, m cell.DropMask, dst []float32)

// runs is the cell of a call, and the masks that it needs.
func (g *stage) runs(run *engine.Run, c *Call) (*engine.Cell, [][]float32) {
	if g.dropped == nil || !c.Training {
		return g.cell, nil
	}
	n := c.In[0].Shape[0]
	masks := run.DropMasks(g.dropped, n)
	for k, m := range g.dropped.Plan().Masks {
		if g.source != nil {
			g.source(c, g.second, m, masks[k])
			continue
		}
		g.drawMask(masks[k], c, k, m)
	}
	return g.dropped, masks
}

// drawMask draws mask k. Its numbers for a row depend on the row's number in the batch, not on its shard.
func (g *stage) drawMask(dst []float32, c *Call, k int, m cell.DropMask) {
	rate, seed := g.spec.Dropout, c.Seed
	if m.State {
		rate = g.spec.RecurrentDropout
	}
	if g.spec.Seed.IsSet() {
		seed = uint64(g.spec.Seed.Or(0))
	}
	var s random.Stream
	for row := range c.In[0].Shape[0] {
		s.Reset(seed, random.Dropout, uint64(c.Number), uint64(c.Epoch), uint64(c.Step), uint64(c.RowNumber(row)), g.part, uint64(k))
		drop(dst[row*m.Width:(row+1)*m.Width], rate, &s)
	}
}
