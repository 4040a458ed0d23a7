package callbacks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// ModelCheckpoint saves the model, or with SaveWeightsOnly its weights, after every epoch or every SaveFreq batches. FilePath ends in .keras, or in
// .weights.h5 for weights; {epoch}, {batch}, from 1, and the names of logs in braces stand for their values, with a format as in Python:
// {epoch:02d}, {val_loss:.2f}. With SaveBestOnly a value must have improved.
type ModelCheckpoint struct {
	unroll.NoCallback
	FilePath        string
	Monitor         string // "val_loss"
	SaveBestOnly    bool
	SaveWeightsOnly bool
	Mode            Mode         // Auto
	SaveFreq        int          // batches; 0: an epoch
	Threshold       tensor.Float // initial_value_threshold: what the first value must improve on; unset: anything

	monitor monitor
	state   saved
}

// saved is what a ModelCheckpoint remembers.
type saved struct {
	Batches int // since the last
	Record  record
}

// State implements unroll.Stateful.
func (c *ModelCheckpoint) State() any { return &c.state }

// TrainBegin implements unroll.Callback.
func (c *ModelCheckpoint) TrainBegin(t *unroll.Training) (err error) {
	switch end := map[bool]string{true: ".weights.h5", false: ".keras"}[c.SaveWeightsOnly]; {
	case !strings.HasSuffix(c.FilePath, end):
		return fmt.Errorf("callbacks: ModelCheckpoint: filepath must end in %s, got %q", end, c.FilePath)
	case c.SaveFreq < 0:
		return fmt.Errorf("callbacks: ModelCheckpoint: save_freq must be epoch (0) or a number of batches, got %d", c.SaveFreq)
	}
	if !t.Resumed {
		c.state = saved{Record: record{c.Threshold.Or(0), c.Threshold.IsSet()}}
	}
	c.monitor, err = newMonitor("ModelCheckpoint", c.Monitor, c.Mode, 0)
	return err
}

// BatchEnd implements unroll.Callback.
func (c *ModelCheckpoint) BatchEnd(t *unroll.Training, logs unroll.Logs) error {
	if c.SaveFreq == 0 {
		return nil
	}
	if c.state.Batches++; c.state.Batches < c.SaveFreq {
		return nil
	}
	c.state.Batches = 0
	return c.save(t, logs, true)
}

// EpochEnd implements unroll.Callback.
func (c *ModelCheckpoint) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	if c.SaveFreq > 0 {
		return nil
	}
	return c.save(t, logs, false)
}

func (c *ModelCheckpoint) save(t *unroll.Training, logs unroll.Logs, batch bool) error {
	if c.SaveBestOnly {
		v, ok, err := c.monitor.value(t, logs)
		if err != nil || ok && !c.monitor.improves(&c.state.Record, v) {
			return err
		}
	}
	values := append(unroll.Logs{{Name: "epoch", Value: float64(t.Epoch + 1)}}, logs...)
	if batch {
		values = append(values, unroll.Log{Name: "batch", Value: float64(t.Step)})
	}
	path, err := format(c.FilePath, values)
	if err != nil {
		return fmt.Errorf("callbacks: ModelCheckpoint: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("callbacks: ModelCheckpoint: %w", err)
	}
	if c.SaveWeightsOnly {
		return t.Model.SaveWeights(path)
	}
	return t.Model.Save(path)
}
