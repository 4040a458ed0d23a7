package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Most models take a batch shard by shard. Some cannot: where a layer mixes rows in training, or where how many items count is known
// only when a mask has been made in mid-model. Their batch is one shard.

// inOnePiece reports whether a batch must be one shard.
func (m *Model) inOnePiece(training bool) bool {
	if m.lateMask() {
		return true
	}
	for _, n := range m.nodes {
		if l, ok := n.layer.(interface{ MixesRows() bool }); ok && training && l.MixesRows() {
			return true
		}
		if _, ok := n.activity.(regularizers.Orthogonal); ok { // compares rows
			return true
		}
	}
	return false
}

// lateMask reports whether the mask of the prediction comes from a layer behind the first.
func (m *Model) lateMask() bool {
	if !m.nodes[len(m.nodes)-1].out.Masked {
		return false
	}
	for _, n := range m.nodes[1:] {
		if l, ok := n.layer.(interface{ MakesMask() bool }); ok && l.MakesMask() {
			return true
		}
	}
	return false
}

// lateDivisor is the divisor of a batch whose mask has just been made; otherwise that which was known before.
func (s *session) lateDivisor(pred *layers.Value) float64 {
	if pred.Mask == nil || !s.model.lateMask() {
		return s.divisor
	}
	items := 0
	for _, valid := range pred.Mask {
		if valid {
			items++
		}
	}
	return s.c.trained.Reduce().Divisor(items, float64(items))
}

// fits fails where a layer refuses what becomes of a batch of this shape: too few steps for a window, or for a shape.
func (s *session) fits(x tensor.Shape) error {
	if s.fitted != nil && s.fitted[1:].Equal(x[1:]) {
		return nil
	}
	sig := s.model.input
	sig.Shape = x.Clone()
	for _, n := range s.model.nodes {
		out, err := n.layer.Output([]layers.Signature{sig})
		if err != nil {
			return fmt.Errorf("unroll: layer %q: a batch of shape %v: %w", n.name, x, err)
		}
		sig = out[0]
	}
	s.fitted, s.returned = append(s.fitted[:0], x...), sig.Shape
	return nil
}
