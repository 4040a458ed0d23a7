package callbacks

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll"
)

// LambdaCallback calls functions; those that are nil are left out. An error ends the training.
type LambdaCallback struct {
	OnTrainBegin func(t *unroll.Training) error
	OnEpochBegin func(t *unroll.Training) error
	OnBatchEnd   func(t *unroll.Training, logs unroll.Logs) error
	OnEpochEnd   func(t *unroll.Training, logs unroll.Logs) error
	OnTrainEnd   func(t *unroll.Training) error
}

// TrainBegin implements unroll.Callback.
func (c *LambdaCallback) TrainBegin(t *unroll.Training) error { return call(c.OnTrainBegin, t) }

// EpochBegin implements unroll.Callback.
func (c *LambdaCallback) EpochBegin(t *unroll.Training) error { return call(c.OnEpochBegin, t) }

// BatchEnd implements unroll.Callback.
func (c *LambdaCallback) BatchEnd(t *unroll.Training, logs unroll.Logs) error {
	if c.OnBatchEnd == nil {
		return nil
	}
	return c.OnBatchEnd(t, logs)
}

// EpochEnd implements unroll.Callback.
func (c *LambdaCallback) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	if c.OnEpochEnd == nil {
		return nil
	}
	return c.OnEpochEnd(t, logs)
}

// TrainEnd implements unroll.Callback.
func (c *LambdaCallback) TrainEnd(t *unroll.Training) error { return call(c.OnTrainEnd, t) }

func call(f func(*unroll.Training) error, t *unroll.Training) error {
	if f == nil {
		return nil
	}
	return f(t)
}

// TerminateOnNaN ends a training after the first batch whose loss is no finite number.
type TerminateOnNaN struct {
	unroll.NoCallback
	RaiseError bool // with an error, which says the layer and the time step where it began
}

// BatchEnd implements unroll.Callback.
func (c *TerminateOnNaN) BatchEnd(t *unroll.Training, logs unroll.Logs) error {
	loss, ok := logs.Get("loss")
	if !ok || !math.IsNaN(loss) && !math.IsInf(loss, 0) {
		return nil
	}
	if t.Stop = true; c.RaiseError {
		err := fmt.Errorf("callbacks: TerminateOnNaN: expected a finite loss, got %v at batch %d of epoch %d", loss, t.Step, t.Epoch+1)
		if t.Broken != nil {
			err = fmt.Errorf("%w: %v", err, t.Broken)
		}
		return err
	}
	return nil
}
