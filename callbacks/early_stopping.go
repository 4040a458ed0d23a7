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
	Stopping
}

// Stopping is what an EarlyStopping has found.
type Stopping struct {
	StoppedEpoch int // the epoch after which it stopped the training, from 0; 0 where it did not
	BestEpoch    int // the epoch of the best value, from 0
	Wait         int // epochs since the counting began
	Record       record
	Weights      [][]float32 // of the best epoch, where they are to be restored
}

// TrainBegin implements unroll.Callback.
func (c *EarlyStopping) TrainBegin(t *unroll.Training) (err error) {
	for _, a := range []struct {
		name string
		v    int
	}{{"patience", c.Patience}, {"start_from_epoch", c.StartFromEpoch}} {
		if a.v < 0 {
			return fmt.Errorf("callbacks: EarlyStopping: %s must be from 0, got %d", a.name, a.v)
		}
	}
	if !t.Resumed {
		c.Stopping = Stopping{}
	}
	c.monitor, err = newMonitor("EarlyStopping", c.Monitor, c.Mode, c.MinDelta)
	return err
}

// EpochEnd implements unroll.Callback.
func (c *EarlyStopping) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	v, ok, err := c.monitor.value(t, logs)
	if err != nil || !ok || t.Epoch < c.StartFromEpoch {
		return err
	}
	if c.RestoreBestWeights && c.Weights == nil {
		c.keep(t)
	}
	c.Wait++
	if c.monitor.improves(&c.Record, v) {
		c.keep(t)
		if !c.Baseline.IsSet() || c.monitor.better(v, c.Baseline.Or(0)) {
			c.Wait = 0
		}
		return nil
	}
	if c.Wait >= c.Patience && t.Epoch > 0 {
		c.StoppedEpoch, t.Stop = t.Epoch, true
	}
	return nil
}

// State implements unroll.Stateful.
func (c *EarlyStopping) State() any { return &c.Stopping }

func (c *EarlyStopping) keep(t *unroll.Training) {
	c.BestEpoch = t.Epoch
	if !c.RestoreBestWeights {
		return
	}
	for i, w := range t.Model.Weights() {
		if i == len(c.Weights) {
			c.Weights = append(c.Weights, slices.Clone(w.Data))
		} else {
			copy(c.Weights[i], w.Data)
		}
	}
}

// TrainEnd implements unroll.Callback.
func (c *EarlyStopping) TrainEnd(t *unroll.Training) error {
	if c.Weights == nil {
		return nil
	}
	if c.Keras2 && c.StoppedEpoch == 0 {
		c.Weights = nil
		return nil
	}
	for i, w := range t.Model.Weights() {
		copy(w.Data, c.Weights[i])
	}
	t.Model.Touch()
	c.Weights = nil
	return nil
}
