package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// Head says how one output of a model is trained and judged.
type Head struct {
	Loss       losses.Loss  // nil: the output is not trained
	LossWeight tensor.Float // the loss's part in that of the model; unset: 1
	// Metrics do not see sample weights, WeightedMetrics do.
	Metrics, WeightedMetrics []metrics.Metric
}

// head is a Head, fitted to the shapes of an output and its targets.
type head struct {
	Head
	name   string       // of the output
	target tensor.Shape // nil before it is fitted
	// trained is the loss that is computed: Loss, or what it is on the logits of the last layer when onLogits is set. nil: none.
	trained  losses.Loss
	onLogits bool
	counts   []tally
}

// tally is a metric of a head.
type tally struct {
	name     string // the key in the logs
	metric   metrics.Metric
	meter    metrics.Meter
	weighted bool
}

// resolve fits loss and metrics of output i to the shape of its targets.
//
// A sigmoid or softmax before a crossentropy is left out of the training: the loss is computed on what comes before it, which
// is the same number without the logarithm of a rounded probability. Keras's TensorFlow backend does so too.
func (h *head) resolve(m *Model, i int, target tensor.Shape) error {
	if h.target.Equal(target) && h.target != nil {
		return nil
	}
	pred := m.values[m.outputs[i]].Shape
	h.trained, h.onLogits = h.Loss, false
	if h.Loss != nil {
		if err := h.Loss.Check(pred, target); err != nil {
			return err
		}
		if f, ok := h.Loss.(losses.Fitted); ok {
			h.trained = f.Fit(pred)
		}
		if r, ok := h.Loss.(losses.ByRow); ok && r.ByRow() && (m.values[m.outputs[i]].Masked || len(h.Metrics)+len(h.WeightedMetrics) > 0) {
			return fmt.Errorf("losses: %s: expected an output without a mask and without metrics, since rows are compared and no steps", h.Loss.Class())
		}
		if act, ok := m.lastActivation(i); ok {
			if on, ok := h.Loss.AsLogits(act); ok {
				h.trained, h.onLogits = on, true
			}
		}
	}
	h.counts = nil
	for k, s := range append(h.Metrics[:len(h.Metrics):len(h.Metrics)], h.WeightedMetrics...) {
		meter, err := s.Resolve(pred, target)
		if err != nil {
			return err
		}
		h.counts = append(h.counts, tally{meter.Name(), s, meter, k >= len(h.Metrics)})
	}
	h.target = target
	return nil
}

// lastActivation is what stands last before output i, which nothing else reads: no layer, and no penalty on the layer's values.
func (m *Model) lastActivation(i int) (name string, ok bool) {
	n := m.lastOf(i)
	if n < 0 || m.uses[m.outputs[i]] > 1 || m.nodes[n].activity != nil {
		return "", false
	}
	act, ok := layers.ActivationOf(m.nodes[n].layer)
	return act.Name(), ok
}

// outputName is Keras's name of output i: that of the layer that returns it.
func (m *Model) outputName(i int) string {
	if n := m.lastOf(i); n >= 0 {
		return m.nodes[n].name
	}
	return m.inputs[m.outputs[i]].name
}

// hider is the loss where targets may hide their items (an ignored class), otherwise nil.
func (h *head) hider() losses.Hider {
	if l, ok := h.trained.(losses.Hider); ok && l.Hiding() {
		return l
	}
	return nil
}

// whole reports whether the loss mixes the rows of a batch, which is then one shard.
func (h *head) whole() bool {
	w, ok := h.trained.(losses.Whole)
	return ok && w.Whole()
}

// items are those of the head in one row of predictions, and the values of each.
func (h *head) items(pred tensor.Shape) (perRow, width int) {
	if h.Loss == nil {
		return losses.Items(pred)
	}
	return losses.ItemsOf(h.Loss, pred)
}
