package unroll

import "github.com/unroll-ml/unroll/losses"

// hider is the loss where targets may hide their items (an ignored class), otherwise nil.
func (c *compiled) hider() losses.Hider {
	if h, ok := c.trained.(losses.Hider); ok && h.Hiding() {
		return h
	}
	return nil
}

// hide is the loss's weights of n items: those of the mask, nil for none, and 0 for what targets hide. Metrics do not see the latter.
func (j *judge) hide(c *compiled, target losses.Target, weights []float32, n int) []float32 {
	h := c.hider()
	if h == nil {
		return weights
	}
	j.hidden = resize(j.hidden, n)
	for i := range j.hidden {
		j.hidden[i] = 1
		if weights != nil {
			j.hidden[i] = weights[i]
		}
		if h.Hides(target, i) {
			j.hidden[i] = 0
		}
	}
	return j.hidden
}

// counted is how many of the items of a batch neither a mask nor their target hides; masked says that ids of 0 are masked.
func (c *compiled) counted(b *Batch, items int, masked bool) int {
	h, n := c.hider(), 0
	for i := range items {
		if (!masked || b.X.IDs[i] != 0) && !h.Hides(b.Y, i) {
			n++
		}
	}
	return n
}

// whole reports whether the loss mixes the rows of a batch, which is then one shard.
func (c *compiled) whole() bool {
	w, ok := c.trained.(losses.Whole)
	return ok && w.Whole()
}
