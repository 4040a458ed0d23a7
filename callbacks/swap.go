package callbacks

import (
	"fmt"

	"github.com/unroll-ml/unroll"
)

// SwapEMAWeights evaluates and predicts with the moving averages of the weights, which an optimizer with UseEMA keeps. With SwapOnEpoch the callbacks
// behind it see them as the weights at the end of an epoch too. (Keras leaves a model with them after a prediction, and where a training is stopped
// before its last epoch with SwapOnEpoch without them.)
type SwapEMAWeights struct {
	unroll.NoCallback
	SwapOnEpoch bool
}

func swap(t *unroll.Training, on bool) error {
	if err := t.Model.UseAverages(on); err != nil {
		return fmt.Errorf("callbacks: SwapEMAWeights: %w", err)
	}
	return nil
}

// EpochBegin implements unroll.Callback.
func (c *SwapEMAWeights) EpochBegin(t *unroll.Training) error { return swap(t, false) }

// EpochEnd implements unroll.Callback.
func (c *SwapEMAWeights) EpochEnd(t *unroll.Training, _ unroll.Logs) error {
	return swap(t, c.SwapOnEpoch)
}

// TestBegin implements unroll.Tester.
func (c *SwapEMAWeights) TestBegin(t *unroll.Training) error { return swap(t, true) }

// TestBatchEnd implements unroll.Tester.
func (c *SwapEMAWeights) TestBatchEnd(*unroll.Training, unroll.Logs) error { return nil }

// TestEnd implements unroll.Tester.
func (c *SwapEMAWeights) TestEnd(t *unroll.Training, _ unroll.Logs) error { return swap(t, false) }

// PredictBegin implements unroll.Predictor.
func (c *SwapEMAWeights) PredictBegin(t *unroll.Training) error { return swap(t, true) }

// PredictBatchEnd implements unroll.Predictor.
func (c *SwapEMAWeights) PredictBatchEnd(*unroll.Training) error { return nil }

// PredictEnd implements unroll.Predictor.
func (c *SwapEMAWeights) PredictEnd(t *unroll.Training) error { return swap(t, false) }
