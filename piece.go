package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
)

// Most models take a batch shard by shard. Some cannot: where a layer mixes rows in training, or where how many items count is known
// only when a mask has been made in mid-model. Their batch is one shard.

// onePiece reports whether a batch must be one shard.
func (s *session) onePiece() bool {
	if s.model.inOnePiece(s.grads != nil) {
		return true
	}
	if s.c == nil {
		return false
	}
	for i, h := range s.c.heads {
		if h.whole() || h.trained != nil && s.model.masks[s.model.outputs[i]] == lateMask {
			return true
		}
	}
	return false
}

// divisor is what the losses of output i are divided by; 0: it is known when its mask is.
func (s *session) divisor(i int) float64 {
	h, y := s.c.heads[i], &s.batch.Y[i]
	perRow, _ := h.items(s.returned[i])
	items := s.n * perRow
	made := s.model.masks[s.model.outputs[i]]
	if h.trained == nil || made == lateMask {
		return 0
	}
	reduce := h.trained.Reduce()
	if made == noMask && h.hider() == nil && (y.Weights == nil || reduce != losses.MeanWithSampleWeight) {
		return reduce.Divisor(items, float64(items))
	}
	j := &s.workers[0].heads[i].judge
	var mask []float32
	if made != noMask {
		n := s.model.nodes[made]
		s.valid = resize(s.valid, items)
		n.layer.(validates).Valid(s.valid, s.in[n.from[0]])
		mask = j.masked(s.valid, items)
	}
	return j.divisor(h, mask, y.Target, j.weighted(mask, y.Weights, items), items)
}

// fits fails where a layer refuses what becomes of a batch of these shapes: too few steps for a window, or for a shape.
func (s *session) fits(x []layers.Value) error {
	same := len(s.fitted) == len(x)
	for i := 0; same && i < len(x); i++ {
		same = s.fitted[i][1:].Equal(x[i].Shape[1:])
	}
	if same {
		return nil
	}
	sigs := s.model.signatures()
	s.fitted = resize(s.fitted, len(x))
	for i := range x {
		sigs[i].Shape = x[i].Shape.Clone()
		s.fitted[i] = sigs[i].Shape
	}
	out, err := s.model.infer(sigs)
	if err != nil {
		s.fitted = s.fitted[:0]
		return fmt.Errorf("unroll: a batch of shape %v: %w", sigs[0].Shape, err)
	}
	s.returned = s.returned[:0]
	for _, o := range out {
		s.returned = append(s.returned, o.Shape)
	}
	return nil
}
