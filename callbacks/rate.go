package callbacks

import (
	"errors"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// ReduceLROnPlateau multiplies the learning rate by Factor when a value has not improved for Patience epochs, down to MinRate; then it waits
// Cooldown epochs before it counts again. The rate is in the history as learning_rate.
type ReduceLROnPlateau struct {
	unroll.NoCallback
	Monitor  string       // "val_loss"
	Factor   tensor.Float // 0.1; below 1
	Patience tensor.Float // 10
	Mode     Mode         // Auto
	MinDelta tensor.Float // 0.0001
	Cooldown int
	MinRate  float64 // min_lr
	Keras2   bool    // the history's key is lr

	monitor monitor
	state   plateau
}

// plateau is what a ReduceLROnPlateau remembers.
type plateau struct {
	Wait, Cooldown int
	Record         record
}

// State implements unroll.Stateful.
func (c *ReduceLROnPlateau) State() any { return &c.state }

// TrainBegin implements unroll.Callback.
func (c *ReduceLROnPlateau) TrainBegin(t *unroll.Training) (err error) {
	switch f, p := c.Factor.Or(0.1), c.Patience.Or(10); {
	case !(f >= 0 && f < 1):
		return fmt.Errorf("callbacks: ReduceLROnPlateau: factor must be in [0, 1), got %v", f)
	case !(p >= 0) || p != math.Trunc(p):
		return fmt.Errorf("callbacks: ReduceLROnPlateau: patience must be a whole number from 0, got %v", p)
	case c.Cooldown < 0:
		return fmt.Errorf("callbacks: ReduceLROnPlateau: cooldown must be from 0, got %d", c.Cooldown)
	case !(c.MinRate >= 0) || math.IsInf(c.MinRate, 0):
		return fmt.Errorf("callbacks: ReduceLROnPlateau: min_lr must be finite and from 0, got %v", c.MinRate)
	}
	if !t.Resumed {
		c.state = plateau{}
	}
	c.monitor, err = newMonitor("ReduceLROnPlateau", c.Monitor, c.Mode, c.MinDelta.Or(1e-4))
	return err
}

// EpochEnd implements unroll.Callback.
func (c *ReduceLROnPlateau) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	rate, err := logRate(t, c.Keras2)
	if err != nil {
		return err
	}
	v, ok, err := c.monitor.value(t, logs)
	if err != nil || !ok {
		return err
	}
	s := &c.state
	if s.Cooldown > 0 {
		s.Cooldown--
		s.Wait = 0
	}
	if c.monitor.improves(&s.Record, v) {
		s.Wait = 0
		return nil
	}
	if s.Cooldown > 0 {
		return nil
	}
	if s.Wait++; float64(s.Wait) < c.Patience.Or(10) || !(rate > float64(float32(c.MinRate))) {
		return nil
	}
	if err := t.Model.SetLearningRate(asVariable(math.Max(rate*c.Factor.Or(0.1), c.MinRate))); err != nil {
		return fmt.Errorf("callbacks: ReduceLROnPlateau: %w", err)
	}
	s.Wait, s.Cooldown = 0, c.Cooldown
	return nil
}

// LearningRateScheduler sets the learning rate at the beginning of every epoch to what Schedule makes of the epoch, from 0, and of the rate
// so far. The rate is in the history as learning_rate.
type LearningRateScheduler struct {
	unroll.NoCallback
	Schedule func(epoch int, rate float64) float64
	Keras2   bool // the history's key is lr
}

// TrainBegin implements unroll.Callback.
func (c *LearningRateScheduler) TrainBegin(*unroll.Training) error {
	if c.Schedule == nil {
		return errors.New("callbacks: LearningRateScheduler: schedule must be a function, got nil")
	}
	return nil
}

// EpochBegin implements unroll.Callback.
func (c *LearningRateScheduler) EpochBegin(t *unroll.Training) error {
	rate, err := t.Model.LearningRate()
	if err != nil {
		return err
	}
	if err := t.Model.SetLearningRate(asVariable(c.Schedule(t.Epoch, asVariable(rate)))); err != nil {
		return fmt.Errorf("callbacks: LearningRateScheduler: epoch %d: %w", t.Epoch+1, err)
	}
	return nil
}

// EpochEnd implements unroll.Callback.
func (c *LearningRateScheduler) EpochEnd(t *unroll.Training, _ unroll.Logs) error {
	_, err := logRate(t, c.Keras2)
	return err
}

// logRate adds the rate to the epoch's logs, under the name of Keras 3 or of Keras 2.
func logRate(t *unroll.Training, keras2 bool) (float64, error) {
	rate, err := t.Model.LearningRate()
	if err != nil {
		return 0, err
	}
	key := "learning_rate"
	if keras2 {
		key = "lr"
	}
	t.Add(key, asVariable(rate))
	return asVariable(rate), nil
}

// asVariable is a rate as Keras's variable holds it, a float32.
func asVariable(rate float64) float64 { return float64(float32(rate)) }
