package callbacks

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// EarlyStopping ends a training when a value has not improved for Patience epochs. With a Baseline the counting starts anew only where
// the value is better than that too.
type EarlyStopping struct {
	unroll.NoCallback
	Monitor            string // "val_loss"
	MinDelta           float64
	Patience           int
	Mode               Mode // Auto
	Baseline           tensor.Float
	RestoreBestWeights bool // a training ends with the weights of its best epoch, stopped or not
	StartFromEpoch     int  // epochs that are not looked at
	Keras2             bool // the best weights come back only where this stops the training, as in Keras 2.2.4

	monitor monitor
	wait    int
	weights [][]float32

	// StoppedEpoch is the epoch after which this stopped the training, from 0; 0 where it did not.
	StoppedEpoch int
	// BestEpoch is the epoch of the best value, from 0.
	BestEpoch int
}

// TrainBegin implements unroll.Callback.
func (c *EarlyStopping) TrainBegin(*unroll.Training) (err error) {
	for _, a := range []struct {
		name string
		v    int
	}{{"patience", c.Patience}, {"start_from_epoch", c.StartFromEpoch}} {
		if a.v < 0 {
			return fmt.Errorf("callbacks: EarlyStopping: %s must be from 0, got %d", a.name, a.v)
		}
	}
	c.wait, c.weights, c.StoppedEpoch, c.BestEpoch = 0, nil, 0, 0
	c.monitor, err = newMonitor("EarlyStopping", c.Monitor, c.Mode, c.MinDelta)
	return err
}

// EpochEnd implements unroll.Callback.
func (c *EarlyStopping) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	v, ok, err := c.monitor.value(t, logs)
	if err != nil || !ok || t.Epoch < c.StartFromEpoch {
		return err
	}
	if c.RestoreBestWeights && c.weights == nil {
		c.keep(t)
	}
	c.wait++
	if c.monitor.improves(v) {
		c.keep(t)
		if !c.Baseline.IsSet() || c.monitor.better(v, c.Baseline.Or(0)) {
			c.wait = 0
		}
		return nil
	}
	if c.wait >= c.Patience && t.Epoch > 0 {
		c.StoppedEpoch, t.Stop = t.Epoch, true
	}
	return nil
}

func (c *EarlyStopping) keep(t *unroll.Training) {
	c.BestEpoch = t.Epoch
	if !c.RestoreBestWeights {
		return
	}
	for i, w := range t.Model.Weights() {
		if i == len(c.weights) {
			c.weights = append(c.weights, slices.Clone(w.Data))
		} else {
			copy(c.weights[i], w.Data)
		}
	}
}

// TrainEnd implements unroll.Callback.
func (c *EarlyStopping) TrainEnd(t *unroll.Training) error {
	if c.weights == nil || c.Keras2 && c.StoppedEpoch == 0 {
		c.weights = nil
		return nil
	}
	for i, w := range t.Model.Weights() {
		copy(w.Data, c.weights[i])
	}
	t.Model.Touch()
	c.weights = nil
	return nil
}
