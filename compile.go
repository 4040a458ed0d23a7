package unroll

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// compiled is how a model is trained, and how far it has come.
type compiled struct {
	optimizer optimizers.Optimizer
	heads     []*head

	iteration int64         // optimizer steps taken
	rate      float64       // the learning rate, unless a schedule says it
	slots     [][][]float32 // the optimizer's arrays, by weight
	touched   []*touched    // by weight: a table whose slots may be behind; nil: up to date
	gathered  *gathered     // nil where a batch's gradients are applied as they are
}

// Compile says how a model with one output is trained. It starts the optimizer afresh.
func (m *Model) Compile(opt optimizers.Optimizer, loss losses.Loss, ms ...metrics.Metric) error {
	if loss == nil {
		return errors.New("unroll: Compile: expected a loss, got nil")
	}
	return m.CompileHeads(opt, Head{Loss: loss, Metrics: ms})
}

// CompileHeads says how a model is trained, with a head for every output, in the model's order. It starts the optimizer afresh.
func (m *Model) CompileHeads(opt optimizers.Optimizer, heads ...Head) error {
	if opt == nil {
		return errors.New("unroll: Compile: expected an optimizer, got nil")
	}
	if err := opt.Check(); err != nil {
		return fmt.Errorf("unroll: Compile: %w", err)
	}
	outputs := 1
	if m.built {
		outputs = len(m.outputs)
	}
	if len(heads) != outputs {
		return fmt.Errorf("unroll: Compile: expected a loss for every output of the model, %d (see CompileHeads), got %d", outputs, len(heads))
	}
	c := &compiled{optimizer: opt}
	judged := false
	for _, h := range heads {
		c.heads = append(c.heads, &head{Head: h})
		judged = judged || h.Loss != nil
		if w := h.LossWeight.Or(1); math.IsNaN(w) || math.IsInf(w, 0) {
			return fmt.Errorf("unroll: Compile: a loss weight must be finite, got %v", w)
		}
	}
	if !judged {
		return errors.New("unroll: Compile: expected a loss for one output at least, got none")
	}
	m.compiled = c
	c.reset()
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
	if m.compiled == nil {
		return metrics.Unknown
	}
	for _, h := range m.compiled.heads {
		if h.Loss != nil && len(m.compiled.heads) > 1 && name == h.name+"_loss" {
			return metrics.Down
		}
		for _, c := range h.counts {
			if c.name == name {
				return metrics.DirectionOf(c.metric)
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

// resolve fits losses and metrics to the shapes of the targets.
func (c *compiled) resolve(m *Model, targets []tensor.Shape) error {
	if len(targets) == 0 {
		return errors.New("unroll: the data have no targets")
	}
	if len(targets) != len(c.heads) {
		return fmt.Errorf("unroll: expected targets for every output of the model, %d, got %d", len(c.heads), len(targets))
	}
	for i, h := range c.heads {
		h.name = m.outputName(i)
		if err := h.resolve(m, i, targets[i]); err != nil {
			if len(c.heads) > 1 {
				return fmt.Errorf("unroll: output %q: %w", h.name, err)
			}
			return fmt.Errorf("unroll: %w", err)
		}
		for k := range h.counts {
			if n := &h.counts[k]; len(c.heads) > 1 {
				n.name = h.name + "_" + n.meter.Name()
			}
		}
	}
	return nil
}
