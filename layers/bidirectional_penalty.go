package layers

import "github.com/unroll-ml/unroll/tensor"

// An activity regularizer of one of the two layers of a Bidirectional sees what that layer returns: its output before the merge, and its
// states where it returns them. Nobody else does, so that the layer counts the penalty itself, and adds its gradient.

// penalized reports whether there is any.
func (d *bidirectional) penalized() bool {
	return d.dirs[0].spec.ActivityRegularizer != nil || d.dirs[1].spec.ActivityRegularizer != nil
}

// Penalty is what the rows of the last Forward add to the loss of the batch.
func (d *bidirectional) Penalty(c *Call) float64 {
	sum := 0.0
	for i, r := range d.dirs {
		reg := r.spec.ActivityRegularizer
		if reg == nil {
			continue
		}
		k := &c.Keep.(*walkingBoth).dirs[i]
		sum += reg.Value(r.result(k), k.shapes[0])
		for s := range r.returns() {
			sum += reg.Value(r.final(k, s), k.shapes[1+s])
		}
	}
	return sum / float64(c.Batch)
}

// returns is how many states the layer returns.
func (r *recurrent) returns() int {
	if r.spec.ReturnState {
		return len(r.states)
	}
	return 0
}

// final is what state s ended with.
func (r *recurrent) final(k *walking, s int) []float32 {
	for i, g := range r.stages {
		if n := len(g.states()); s >= n {
			s -= n
			continue
		}
		return k.runs[i].Final(s)
	}
	panic("layers: no such state")
}

// penalize adds the gradient of a direction's penalty on its output, in processing order, to that of the output.
func (d *bidirectional) penalize(c *Call, k *walkingBoth, i int, dout []float32) []float32 {
	r := d.dirs[i]
	if r.spec.ActivityRegularizer == nil {
		return dout
	}
	slot := biGrad0 + i
	if i == 1 && r.spec.ReturnSequences {
		slot = biFlippedGrad
	}
	return r.penalty(c, slot, r.result(&k.dirs[i]), k.dirs[i].shapes[0], dout)
}

// penalty is the gradient dout, or zeros where that is nil, with that of the penalty on out, in the buffer slot, which may be dout's.
func (r *recurrent) penalty(c *Call, slot int, out []float32, shape tensor.Shape, dout []float32) []float32 {
	sum := c.Floats(slot, len(out))
	if dout == nil {
		clear(sum)
	} else {
		copy(sum, dout)
	}
	r.spec.ActivityRegularizer.AddGrad(sum, out, shape, 1/float32(c.Batch))
	return sum
}

// finals are the gradients of the states that are returned, those of penalties included; single ones may be nil.
func (d *bidirectional) finals(c *Call, k *walkingBoth) [][]float32 {
	k.finals = append(k.finals[:0], c.DOut[d.outputs():]...)
	at := 0
	for i, r := range d.dirs {
		for s := range r.returns() {
			if r.spec.ActivityRegularizer != nil {
				k.finals[at] = r.penalty(c, biFinal+at, r.final(&k.dirs[i], s), k.dirs[i].shapes[1+s], k.finals[at])
			}
			at++
		}
	}
	return k.finals
}
