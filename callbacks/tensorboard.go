package callbacks

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/unroll-ml/unroll"
)

// TensorBoard writes the logs as TensorBoard reads them, under Keras's tags: LogDir/train has epoch_NAME of every epoch, the rate as
// epoch_learning_rate, and batch_NAME of every UpdateFreq-th batch; LogDir/validation has epoch_NAME and evaluation_NAME_vs_iterations. Histograms,
// graphs and profiles are not written.
type TensorBoard struct {
	unroll.NoCallback
	LogDir     string // "logs"
	UpdateFreq int    // batches; 0: epochs alone

	train, validation *events // made when there is something to write
	batches           int64
}

// TrainBegin implements unroll.Callback.
func (c *TensorBoard) TrainBegin(*unroll.Training) error {
	if c.UpdateFreq < 0 {
		return fmt.Errorf("callbacks: TensorBoard: update_freq must be epoch (0) or a number of batches, got %d", c.UpdateFreq)
	}
	c.train, c.validation, c.batches = nil, nil, 0
	return nil
}

// BatchEnd implements unroll.Callback.
func (c *TensorBoard) BatchEnd(_ *unroll.Training, logs unroll.Logs) error {
	c.batches++
	if c.UpdateFreq == 0 || c.batches%int64(c.UpdateFreq) != 0 {
		return nil
	}
	for _, l := range logs {
		if err := c.scalar(&c.train, "train", "batch_"+l.Name, c.batches, l.Value); err != nil {
			return err
		}
	}
	return nil
}

// EpochEnd implements unroll.Callback.
func (c *TensorBoard) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	rate, err := t.Model.LearningRate()
	if err != nil {
		return err
	}
	if _, ok := logs.Get("learning_rate"); !ok {
		logs = append(logs[:len(logs):len(logs)], unroll.Log{Name: "learning_rate", Value: asVariable(rate)})
	}
	for _, l := range logs {
		name, val := strings.CutPrefix(l.Name, "val_")
		if !val {
			if err := c.scalar(&c.train, "train", "epoch_"+name, int64(t.Epoch), l.Value); err != nil {
				return err
			}
			continue
		}
		if err := c.scalar(&c.validation, "validation", "epoch_"+name, int64(t.Epoch), l.Value); err != nil {
			return err
		}
		if err := c.scalar(&c.validation, "validation", "evaluation_"+name+"_vs_iterations", t.Model.Iterations(), l.Value); err != nil {
			return err
		}
	}
	return nil
}

func (c *TensorBoard) scalar(to **events, folder, tag string, step int64, value float64) (err error) {
	if *to == nil {
		dir := c.LogDir
		if dir == "" {
			dir = "logs"
		}
		if *to, err = newEvents(filepath.Join(dir, folder)); err != nil {
			return fmt.Errorf("callbacks: TensorBoard: %w", err)
		}
	}
	if err := (*to).scalar(tag, step, value); err != nil {
		return fmt.Errorf("callbacks: TensorBoard: %w", err)
	}
	return nil
}

// TrainEnd implements unroll.Callback.
func (c *TensorBoard) TrainEnd(*unroll.Training) error {
	for _, e := range []*events{c.train, c.validation} {
		if e != nil {
			if err := e.close(); err != nil {
				return fmt.Errorf("callbacks: TensorBoard: %w", err)
			}
		}
	}
	return nil
}
