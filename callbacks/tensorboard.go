package callbacks

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/unroll-ml/unroll"
)

// TensorBoard writes the logs as TensorBoard reads them, under Keras's tags: LogDir/train has epoch_NAME of every epoch, the rate as
// epoch_learning_rate, and batch_NAME of every UpdateFreq-th batch; LogDir/validation has epoch_NAME and evaluation_NAME_vs_iterations, also of an Evaluate. Graphs, images,
// embeddings and profiles are not written. (Keras leaves values of an epoch out where the number of batches is no multiple of its update_freq;
// here they are always written.)
type TensorBoard struct {
	unroll.NoCallback
	LogDir              string // "logs"
	UpdateFreq          int    // batches; 0: epochs alone, 1 is Keras's "batch"
	HistogramFreq       int    // epochs between two histograms of all weights, from the first epoch on; 0: none
	WriteStepsPerSecond bool   // epoch_steps_per_second, and with UpdateFreq batch_steps_per_second

	train, validation *events // made when there is something to write
	state             batches
	batch             time.Time // when it began
	epoch             time.Time
	iterations        int64 // at the epoch's beginning
}

// batches is what a TensorBoard remembers.
type batches struct{ Done int64 }

// State implements unroll.Stateful.
func (c *TensorBoard) State() any { return &c.state }

// TrainBegin implements unroll.Callback.
func (c *TensorBoard) TrainBegin(t *unroll.Training) error {
	switch {
	case c.UpdateFreq < 0:
		return fmt.Errorf("callbacks: TensorBoard: update_freq must be epoch (0) or a number of batches, got %d", c.UpdateFreq)
	case c.HistogramFreq < 0:
		return fmt.Errorf("callbacks: TensorBoard: histogram_freq must be a number of epochs, or 0, got %d", c.HistogramFreq)
	}
	c.train, c.validation = nil, nil
	if !t.Resumed {
		c.state = batches{}
	}
	return c.EpochBegin(t) // where a training goes on within an epoch, there is no other beginning
}

// EpochBegin implements unroll.Callback.
func (c *TensorBoard) EpochBegin(t *unroll.Training) error {
	c.epoch, c.iterations = time.Now(), t.Model.Iterations()
	return nil
}

// BatchBegin implements unroll.BatchBeginner.
func (c *TensorBoard) BatchBegin(*unroll.Training) error {
	c.batch = time.Now()
	return nil
}

// BatchEnd implements unroll.Callback.
func (c *TensorBoard) BatchEnd(_ *unroll.Training, logs unroll.Logs) error {
	c.state.Done++
	if c.UpdateFreq == 0 || c.state.Done%int64(c.UpdateFreq) != 0 {
		return nil
	}
	if c.WriteStepsPerSecond {
		logs = append(unroll.Logs{{Name: "steps_per_second", Value: 1 / time.Since(c.batch).Seconds()}}, logs...)
	}
	for _, l := range logs {
		if err := c.scalar(&c.train, "train", "batch_"+l.Name, c.state.Done, l.Value); err != nil {
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
	if c.WriteStepsPerSecond {
		logs = append(logs[:len(logs):len(logs)], unroll.Log{Name: "steps_per_second", Value: float64(t.Model.Iterations()-c.iterations) / time.Since(c.epoch).Seconds()})
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
	}
	if c.HistogramFreq > 0 && t.Epoch%c.HistogramFreq == 0 {
		return c.histograms(t)
	}
	return nil
}

// TestBegin implements unroll.Tester.
func (c *TensorBoard) TestBegin(*unroll.Training) error { return nil }

// TestBatchEnd implements unroll.Tester.
func (c *TensorBoard) TestBatchEnd(*unroll.Training, unroll.Logs) error { return nil }

// TestEnd implements unroll.Tester.
func (c *TensorBoard) TestEnd(t *unroll.Training, logs unroll.Logs) error {
	for _, l := range logs {
		if err := c.scalar(&c.validation, "validation", "evaluation_"+l.Name+"_vs_iterations", t.Model.Iterations(), l.Value); err != nil {
			return err
		}
	}
	if t.Validating {
		return nil
	}
	return c.close() // an evaluation by itself
}

// histograms writes one of every weight.
func (c *TensorBoard) histograms(t *unroll.Training) error {
	if err := c.open(&c.train, "train"); err != nil {
		return err
	}
	for _, w := range t.Model.Weights() {
		if err := c.train.histogram(t.Model.PathOf(w)+"/histogram", int64(t.Epoch), histogram(w.Data)); err != nil {
			return fmt.Errorf("callbacks: TensorBoard: %w", err)
		}
	}
	return nil
}

// open makes a file of events, unless there is one.
func (c *TensorBoard) open(to **events, folder string) (err error) {
	if *to != nil {
		return nil
	}
	dir := c.LogDir
	if dir == "" {
		dir = "logs"
	}
	if *to, err = newEvents(filepath.Join(dir, folder)); err != nil {
		return fmt.Errorf("callbacks: TensorBoard: %w", err)
	}
	return nil
}

func (c *TensorBoard) scalar(to **events, folder, tag string, step int64, value float64) error {
	if err := c.open(to, folder); err != nil {
		return err
	}
	if err := (*to).scalar(tag, step, value); err != nil {
		return fmt.Errorf("callbacks: TensorBoard: %w", err)
	}
	return nil
}

// TrainEnd implements unroll.Callback.
func (c *TensorBoard) TrainEnd(*unroll.Training) error { return c.close() }

func (c *TensorBoard) close() error {
	for _, e := range []**events{&c.train, &c.validation} {
		if *e != nil {
			if err := (*e).close(); err != nil {
				return fmt.Errorf("callbacks: TensorBoard: %w", err)
			}
			*e = nil
		}
	}
	return nil
}
