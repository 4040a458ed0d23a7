package unroll

import (
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
)

// Penalties, as in Keras: those on weights are added to the loss of every batch once, those on what a layer returns by shards, divided
// by the rows of the batch. Both stand in every loss that is told, of evaluations too. Frozen weights have none. A constraint
// follows the optimizer's step. Source: keras/src/layers/layer.py, keras/src/optimizers/base_optimizer.py.

// penalty is that of the weights.
func (m *Model) penalty() float64 {
	sum := 0.0
	for _, w := range m.weights {
		if w.Regularizer != nil && w.Trainable {
			sum += w.Regularizer.Value(w.Data, w.Shape)
		}
	}
	return sum
}

// held reports whether a weight has a penalty or a constraint, which look at all of it in every step.
func held(w *layers.Weight) bool {
	return (w.Regularizer != nil || w.Constraint != nil) && w.Trainable
}

// penalize adds the gradient of a weight's penalty to that of the loss, both of the whole weight.
func penalize(w *layers.Weight, grad []float32) {
	if w.Regularizer != nil && w.Trainable {
		w.Regularizer.AddGrad(grad, w.Data, w.Shape, 1)
	}
}

// constrain brings a weight back after a step.
func constrain(w *layers.Weight) {
	if w.Constraint != nil && w.Trainable {
		w.Constraint.Apply(w.Data, w.Shape)
	}
}

// activityOf is the penalty on what a layer returns; nil where there is none.
func activityOf(l layers.Layer) regularizers.Regularizer {
	if a, ok := l.(interface {
		Activity() regularizers.Regularizer
	}); ok {
		return a.Activity()
	}
	return nil
}

// penalizeOutput adds the penalty of what node n has returned to that of the shard, and those within a model that is a layer.
func (p *passer) penalizeOutput(n *node, c *layers.Call) {
	if n.activity != nil {
		for k := range c.Out { // states too, where they are returned
			out := &c.Out[k]
			p.penalty += n.activity.Value(out.Data, out.Shape) / float64(c.Batch)
		}
	}
	if inner, ok := c.Keep.(*innerPass); ok {
		p.penalty += inner.penalty
	}
	if l, ok := n.layer.(interface{ Penalty(*layers.Call) float64 }); ok { // of its parts, whose gradient it adds itself
		p.penalty += l.Penalty(c)
	}
}

// penalizeGradient adds its gradient to that of the output.
func penalizeGradient(n *node, c *layers.Call) {
	if n.activity != nil {
		for k := range c.Out {
			out := &c.Out[k]
			n.activity.AddGrad(c.DOut[k], out.Data, out.Shape, 1/float32(c.Batch))
		}
	}
}
