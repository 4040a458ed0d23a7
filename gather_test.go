package unroll

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// gathering are optimizers whose updates look at whole gradients, with what else they have.
func gathering() map[string]optimizers.Optimizer {
	return map[string]optimizers.Optimizer{
		"global_clipnorm": optimizers.SGD{Common: optimizers.Common{GlobalClipNorm: tensor.F(0.01)}},
		"averaged":        optimizers.RMSprop{Common: optimizers.Common{UseEMA: true, EMAMomentum: tensor.F(0.5), AccumulationSteps: 2, ClipValue: tensor.F(0.001)}},
		"muon":            optimizers.Muon{Common: optimizers.Common{ClipNorm: tensor.F(0.1)}},
		"lamb":            optimizers.Lamb{Common: optimizers.Common{ClipNorm: tensor.F(0.1)}},
		"adafactor":       optimizers.Adafactor{},
		"nadam":           optimizers.Nadam{},
	}
}

// Nothing is allocated in a step, and the weights do not depend on the number of threads, with a table that the front updates or would.
func TestGatheredSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates on its own")
	}
	for name, o := range gathering() {
		t.Run(name, func(t *testing.T) {
			var want [][]float32
			for _, threads := range []int{1, 3} {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
				m := fronted(t)
				if err := m.Compile(o, losses.SparseCategoricalCrossentropy{IgnoreClass: tensor.F(1)}, metrics.Accuracy{}, metrics.SparseTopKCategoricalAccuracy{K: 2},
					metrics.SparseCategoricalCrossentropy{}); err != nil {
					t.Fatal(err)
				}
				if threads == 1 {
					checkAllocations(t, m, padded(t, 64, 9))
				}
				if err := m.Init(3); err != nil {
					t.Fatal(err)
				}
				if _, err := m.Fit(context.Background(), padded(t, 150, 9), Epochs(2), BatchSize(64)); err != nil {
					t.Fatal(err)
				}
				for i, w := range m.weights {
					if threads == 1 {
						want = append(want, slices.Clone(w.Data))
					} else {
						wantSameBits(t, w.Path, w.Data, want[i])
					}
				}
			}
		})
	}
}

// A training ends with the averages as weights.
func TestFitEndsWithAverages(t *testing.T) {
	m := fronted(t)
	if err := m.Compile(gathering()["averaged"], losses.SparseCategoricalCrossentropy{}); err != nil {
		t.Fatal(err)
	}
	end := &weightsAtEpochEnd{}
	if _, err := m.Fit(context.Background(), padded(t, 150, 9), Epochs(2), BatchSize(64), Callbacks(end)); err != nil {
		t.Fatal(err)
	}
	for i, w := range m.weights {
		wantSameBits(t, w.Path, w.Data, m.compiled.gathered.averages[i])
		if slices.Equal(w.Data, end.weights[i]) {
			t.Errorf("%s: the average is the weight itself", w.Path)
		}
	}
}

type weightsAtEpochEnd struct {
	NoCallback
	weights [][]float32
}

func (c *weightsAtEpochEnd) EpochEnd(t *Training, _ Logs) error {
	c.weights = nil
	for _, w := range t.Model.Weights() {
		c.weights = append(c.weights, slices.Clone(w.Data))
	}
	return nil
}
