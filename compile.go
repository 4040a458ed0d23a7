package unroll

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// compiled is how a model is trained, and how far it has come.
type compiled struct {
	optimizer optimizers.Optimizer
	loss      losses.Loss
	metrics   []metrics.Metric

	// What follows is made when the shapes are known.
	target tensor.Shape
	meters []metrics.Meter
	// trained is the loss that is computed: loss, or what it is on the logits of the last layer when onLogits is set.
	trained  losses.Loss
	onLogits bool

	iteration int64         // optimizer steps taken
	rate      float64       // the learning rate, unless a schedule says it
	slots     [][][]float32 // the optimizer's arrays, by weight
	touched   []*touched    // by weight: a table whose slots may be behind; nil: up to date
	gathered  *gathered     // nil where a batch\'s gradients are applied as they are
}

// Compile says how the model is trained. It starts the optimizer afresh.
func (m *Model) Compile(opt optimizers.Optimizer, loss losses.Loss, ms ...metrics.Metric) error {
	switch {
	case opt == nil:
		return errors.New("unroll: Compile: expected an optimizer, got nil")
	case loss == nil:
		return errors.New("unroll: Compile: expected a loss, got nil")
	}
	if err := opt.Check(); err != nil {
		return fmt.Errorf("unroll: Compile: %w", err)
	}
	m.compiled = &compiled{optimizer: opt, loss: loss, metrics: ms}
	m.compiled.reset()
	return nil
}

// LearningRate is the rate of the next step: what a schedule says, or what is set.
func (m *Model) LearningRate() (float64, error) {
	if m.compiled == nil {
		return 0, errors.New("unroll: LearningRate: the model must be compiled first")
	}
	if _, schedule := m.compiled.optimizer.Rate(); schedule != nil {
		return schedule.At(m.compiled.iteration), nil
	}
	return m.compiled.rate, nil
}

// Iterations is how many updates the optimizer has made.
func (m *Model) Iterations() int64 {
	if m.compiled == nil {
		return 0
	}
	if k := m.compiled.optimizer.Shared().AccumulationSteps; k > 0 {
		return m.compiled.iteration / int64(k)
	}
	return m.compiled.iteration
}

// SetLearningRate sets the rate of the steps that follow. A schedule's cannot be set.
func (m *Model) SetLearningRate(rate float64) error {
	if m.compiled == nil {
		return errors.New("unroll: SetLearningRate: the model must be compiled first")
	}
	if _, schedule := m.compiled.optimizer.Rate(); schedule != nil {
		return fmt.Errorf("unroll: SetLearningRate: expected an optimizer with a number as rate, got the schedule %s", schedule.Class())
	}
	if !(rate >= 0) || math.IsInf(rate, 0) {
		return fmt.Errorf("unroll: SetLearningRate: learning_rate must be finite and from 0, got %v", rate)
	}
	m.compiled.rate = rate
	return nil
}

// Better says which way a value of the logs is better, with or without val_ before it, as Keras takes it: metrics.Unknown where it does not say.
func (m *Model) Better(log string) metrics.Direction {
	name := strings.TrimPrefix(log, "val_")
	if name == "loss" {
		return metrics.Down
	}
	if m.compiled != nil {
		for i, meter := range m.compiled.meters {
			if meter.Name() == name {
				return metrics.DirectionOf(m.compiled.metrics[i])
			}
		}
	}
	return metrics.Unknown
}

// reset starts the optimizer afresh.
func (c *compiled) reset() {
	c.iteration, c.slots, c.touched, c.gathered = 0, nil, nil, nil
	c.rate, _ = c.optimizer.Rate()
}

// resolve fits loss and metrics to the shape of the targets.
//
// A sigmoid or softmax before a crossentropy is left out of the training: the loss is computed on what comes before it, which
// is the same number without the logarithm of a rounded probability. Keras's TensorFlow backend does so too.
func (c *compiled) resolve(m *Model, target tensor.Shape) error {
	if target == nil {
		return errors.New("unroll: the data have no targets")
	}
	if c.target.Equal(target) && c.trained != nil {
		return nil
	}
	pred := m.Output()
	if err := c.loss.Check(pred, target); err != nil {
		return fmt.Errorf("unroll: %w", err)
	}
	c.trained, c.onLogits = c.loss, false
	last := m.nodes[len(m.nodes)-1]
	if act, ok := layers.ActivationOf(last.layer); ok && last.activity == nil { // which reads the values, not the logits
		if on, ok := c.loss.AsLogits(act.Name()); ok {
			c.trained, c.onLogits = on, true
		}
	}
	c.meters = nil
	for _, s := range c.metrics {
		meter, err := s.Resolve(pred, target)
		if err != nil {
			return fmt.Errorf("unroll: %w", err)
		}
		c.meters = append(c.meters, meter)
	}
	c.target = target
	return nil
}
