package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// attentionKeep is what a Call keeps for a layer of attention.
type attentionKeep struct {
	packed kernel.Packed // the right factor of a product of one row
	draws  random.Stream
	shape  tensor.Shape
}

func attentionKeepOf(c *Call) *attentionKeep {
	k, ok := c.Keep.(*attentionKeep)
	if !ok {
		k = new(attentionKeep)
		c.Keep = k
	}
	return k
}

// scoreDropout drops values of a softmax over scores.
type scoreDropout struct {
	rate   float64
	seed   tensor.Float
	source NoiseSource // of the draws; nil: drawn
}

func (d *scoreDropout) check(class string) error {
	if !(d.rate >= 0 && d.rate <= 1) {
		return fmt.Errorf("layers: %s: dropout must be from 0 to 1, got %v", class, d.rate)
	}
	if err := checkSeed(d.seed); err != nil {
		return fmt.Errorf("layers: %s: %w", class, err)
	}
	return nil
}

// on reports whether this pass drops.
func (d *scoreDropout) on(c *Call) bool { return c.Training && d.rate > 0 }

// draw overwrites draws, of this shape, with what the values are multiplied with. A row's depend on its number in the batch, not on its
// shard.
func (d *scoreDropout) draw(c *Call, keep *attentionKeep, draws []float32, shape ...int) {
	keep.shape = append(keep.shape[:0], shape...)
	if d.source != nil {
		d.source(c, &Value{Shape: keep.shape, Data: draws}, draws)
		return
	}
	seed := c.Seed
	if d.seed.IsSet() {
		seed = uint64(d.seed.Or(0))
	}
	n := shape[0]
	row := len(draws) / max(1, n)
	for r := range n {
		keep.draws.Reset(seed, random.Dropout, uint64(c.Number), uint64(c.Epoch), uint64(c.Step), uint64(c.RowNumber(r)))
		drop(draws[r*row:(r+1)*row], d.rate, &keep.draws)
	}
}

// sight is what each step of a query sees of a value's steps. The zero value sees all.
type sight struct {
	query, value, key []bool // (N, T), (N, S), (N, S); nil: all
	causal            bool   // no later step
	window            int    // only steps less than this away; 0: all
}

// whole reports whether all is seen.
func (s *sight) whole() bool {
	return s.query == nil && s.value == nil && s.key == nil && !s.causal && s.window == 0
}

// row overwrites seen, (t, n), with what is seen in row r of the batch.
func (s *sight) row(seen []bool, r, t, n int) {
	for i := range t {
		line := seen[i*n : (i+1)*n]
		if s.query != nil && !s.query[r*t+i] {
			clear(line)
			continue
		}
		fill(line, true)
		for _, mask := range [2][]bool{s.value, s.key} {
			if mask != nil {
				for j, valid := range mask[r*n : (r+1)*n] {
					line[j] = line[j] && valid
				}
			}
		}
		if s.causal {
			clear(line[min(i+1, n):])
		}
		if s.window > 0 {
			clear(line[:min(max(0, i-s.window+1), n)])
			clear(line[min(i+s.window, n):])
		}
	}
}

// put overwrites the values of x that are not seen with v.
func put(x []float32, seen []bool, v float32) {
	for i, ok := range seen {
		if !ok {
			x[i] = v
		}
	}
}

// lower subtracts v from the values of x that are not seen.
func lower(x []float32, seen []bool, v float32) {
	for i, ok := range seen {
		if !ok {
			x[i] -= v
		}
	}
}
