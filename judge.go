package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
)

// judge computes the loss and the metrics of a shard's prediction of one output, and for training the gradient.
type judge struct {
	item, scale, mask, weight, hidden, dout []float32

	share *engine.Share // threads that would be idle; nil: none
}

// verdict is what a shard adds to the loss and the metrics of its batch.
type verdict struct {
	loss   float64 // of the head, without its loss weight
	meters [][]float64
}

// sums are the verdicts on all outputs, and the whole loss.
type sums struct {
	loss  float64
	heads []verdict
}

func newSums(c *compiled) sums {
	s := sums{heads: make([]verdict, len(c.heads))}
	for i, h := range c.heads {
		for _, n := range h.counts {
			s.heads[i].meters = append(s.heads[i].meters, make([]float64, n.meter.Sums()))
		}
	}
	return s
}

func (s *sums) reset() {
	s.loss = 0
	for i := range s.heads {
		s.heads[i].loss = 0
		for _, m := range s.heads[i].meters {
			clear(m)
		}
	}
}

// merge adds the meters of a shard.
func (s *sums) merge(o *sums) {
	for i := range s.heads {
		for k, m := range s.heads[i].meters {
			metrics.Merge(m, o.heads[i].meters[k])
		}
	}
}

// kept is everything that a later restore wants: of every output the loss, then the state of each metric.
func (s *sums) kept() [][]float64 {
	var all [][]float64
	for i := range s.heads {
		h := &s.heads[i]
		all = append(append(all, []float64{h.loss}), h.meters...)
	}
	return all
}

// restore takes over what kept returned.
func (s *sums) restore(all [][]float64) {
	if all == nil {
		return
	}
	for i := range s.heads {
		h := &s.heads[i]
		h.loss, all = all[0][0], all[1:]
		for k := range h.meters {
			copy(h.meters[k], all[k])
		}
		all = all[len(h.meters):]
	}
}

// labels are the rows of a shard: its targets, and its sample weights, one an item or one a row; nil: all count alike.
type labels struct {
	target  metrics.Target
	weights []float32
}

// count adds a shard to v. Its items' losses are weighted, and hidden by their mask, over divisor, see divisorOf; a divisor of 0 is computed here, from a
// shard that is the whole batch. The gradient of the prediction, or of the logits, is returned when training is set, times the loss weight.
func (j *judge) count(h *head, pred *layers.Value, logits []float32, y labels, divisor float64, v *verdict, training bool) []float32 {
	perRow, width := h.items(pred.Shape)
	n := pred.Shape[0] * perRow
	mask := j.masked(pred.Mask, n)
	weights := j.weighted(mask, y.weights, n)
	for i, c := range h.counts {
		seen := mask
		if _, all := c.meter.(metrics.Unmasked); all {
			seen = nil
		}
		if c.weighted && y.weights != nil {
			seen = weights
		}
		c.meter.Update(v.meters[i], pred.Data, y.target, seen, n, width)
	}
	if h.trained == nil {
		return nil
	}
	hidden := j.hide(h, y.target, weights, n)
	if divisor == 0 {
		divisor = j.divisor(h, mask, y.target, weights, n)
	}
	j.scale = resize(j.scale, n)
	part := h.LossWeight.Or(1)
	for i := range j.scale {
		j.scale[i] = float32(part / divisor)
		if hidden != nil {
			j.scale[i] *= hidden[i]
		}
	}
	value := pred.Data
	if h.onLogits {
		value = logits
	}
	j.item = resize(j.item, n)
	apart := j.apart(h, len(value))
	if apart {
		j.values(h.trained, value, y.target, n, width)
	} else {
		h.trained.Value(j.item, value, y.target, n, width)
	}
	for i, l := range j.item {
		switch {
		case hidden == nil:
			v.loss += float64(l) / divisor
		case hidden[i] != 0:
			v.loss += float64(l) * float64(hidden[i]) / divisor
		}
	}
	if !training {
		return nil
	}
	j.dout = resize(j.dout, len(value))
	if apart {
		j.gradients(h.trained, value, y.target, n, width)
	} else {
		h.trained.Grad(j.dout, value, y.target, j.scale, n, width)
	}
	return j.dout
}

// lossWork is how many operations of a product take as long as a value of a loss.
const lossWork = 16

// apart reports whether threads share the items of a loss.
func (j *judge) apart(h *head, values int) bool {
	_, each := h.trained.(losses.Itemwise)
	return each && j.share.Worth(lossWork*values)
}

// values computes the losses of items by all threads.
func (j *judge) values(l losses.Loss, value []float32, y losses.Target, n, width int) {
	per := y.Len() / n
	j.share.Split(n, func(lo, hi int) {
		l.Value(j.item[lo:hi], value[lo*width:hi*width], y.Slice(lo*per, hi*per), hi-lo, width)
	})
}

// gradients does the same with their gradients.
func (j *judge) gradients(l losses.Loss, value []float32, y losses.Target, n, width int) {
	per := y.Len() / n
	j.share.Split(n, func(lo, hi int) {
		l.Grad(j.dout[lo*width:hi*width], value[lo*width:hi*width], y.Slice(lo*per, hi*per), j.scale[lo:hi], hi-lo, width)
	})
}

// masked is 0 for the items that a mask hides and 1 for the others; nil without a mask.
func (j *judge) masked(valid []bool, n int) []float32 {
	if valid == nil {
		return nil
	}
	j.mask = resize(j.mask, n)
	for i, valid := range valid {
		j.mask[i] = 0
		if valid {
			j.mask[i] = 1
		}
	}
	return j.mask
}

// weighted are the sample weights of the items that the mask leaves; nil where all count alike.
func (j *judge) weighted(mask, weights []float32, n int) []float32 {
	if weights == nil {
		return mask
	}
	j.weight = resize(j.weight, n)
	per := n / len(weights)
	for i := range j.weight {
		j.weight[i] = weights[i/per]
		if mask != nil {
			j.weight[i] *= mask[i]
		}
	}
	return j.weight
}

// hide is the loss's weights of n items: those given, and 0 for what targets hide. Metrics do not see the latter.
func (j *judge) hide(h *head, target losses.Target, weights []float32, n int) []float32 {
	hider := h.hider()
	if hider == nil {
		return weights
	}
	j.hidden = resize(j.hidden, n)
	for i := range j.hidden {
		j.hidden[i] = 1
		if weights != nil {
			j.hidden[i] = weights[i]
		}
		if hider.Hides(target, i) {
			j.hidden[i] = 0
		}
	}
	return j.hidden
}

// divisor is what the losses of a whole batch are divided by.
func (j *judge) divisor(h *head, mask []float32, target metrics.Target, weights []float32, n int) float64 {
	hider := h.hider()
	items, sum := 0, 0.0
	for i := range n {
		if mask != nil && mask[i] == 0 || hider != nil && hider.Hides(target, i) {
			continue
		}
		items++
		if weights != nil {
			sum += float64(weights[i])
		} else {
			sum++
		}
	}
	return h.trained.Reduce().Divisor(items, sum)
}
