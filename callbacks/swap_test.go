package callbacks_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// averaging is the model of oracle/swap.py.
func averaging(t *testing.T, overwrite int) (*unroll.Model, unroll.Data) {
	t.Helper()
	m := model(t)
	if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(0.05), Common: optimizers.Common{UseEMA: true, EMAMomentum: tensor.F(0.7), EMAOverwrite: overwrite}},
		losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	m.Weights()[0].Data[0] = 0.5
	m.Touch()
	x, err := tensor.From([]float32{1, 2}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	y, err := tensor.From([]float32{2, 4}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := unroll.Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return m, d
}

// Keras 3.15.1 did these.
func TestSwapEMAWeights(t *testing.T) {
	var file struct {
		Cases []struct {
			SwapOnEpoch bool `json:"swap_on_epoch"`
			Overwrite   int
			ValLoss     []float64 `json:"val_loss"`
			Seen        []float64
			Weight      float64
		}
	}
	text, err := os.ReadFile("../testdata/swap.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 4 {
		t.Fatalf("expected at least 4 cases, got %d", len(file.Cases))
	}
	near := func(got, want float64) bool { return math.Abs(got-want) <= 2e-6*math.Abs(want) }
	for _, c := range file.Cases {
		m, d := averaging(t, c.Overwrite)
		var seen []float64
		h, err := m.Fit(t.Context(), d, unroll.BatchSize(1), unroll.Epochs(4), unroll.Shuffle(false), unroll.ValidationData(d), unroll.Callbacks(
			&callbacks.SwapEMAWeights{SwapOnEpoch: c.SwapOnEpoch},
			&callbacks.LambdaCallback{OnEpochEnd: func(*unroll.Training, unroll.Logs) error {
				seen = append(seen, float64(m.Weights()[0].Data[0]))
				return nil
			}}))
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range h.Values("val_loss") {
			if !near(got, c.ValLoss[i]) || !near(seen[i], c.Seen[i]) {
				t.Errorf("%+v, epoch %d: val_loss %v, weight %v", c, i, got, seen[i])
			}
		}
		if got := float64(m.Weights()[0].Data[0]); len(seen) != 4 || !near(got, c.Weight) {
			t.Errorf("%+v: the weight is %v in the end, after %d epochs", c, got, len(seen))
		}
	}
}

// A prediction uses the averages and leaves the weights; a training that is stopped ends with the averages; without averages it is an error.
func TestSwapEMAWeightsAround(t *testing.T) {
	m, d := averaging(t, 0)
	cb := &callbacks.SwapEMAWeights{SwapOnEpoch: true}
	var kept, average float32
	look := &callbacks.LambdaCallback{OnBatchEnd: func(tr *unroll.Training, _ unroll.Logs) error {
		if kept = m.Weights()[0].Data[0]; tr.Epoch != 1 || tr.Step != 2 {
			return nil
		}
		x, err := m.Predict(t.Context(), d, unroll.Callbacks(cb))
		if err != nil {
			return err
		}
		if average = x.Data[0]; average == kept || m.Weights()[0].Data[0] != kept {
			t.Errorf("predicted with %v; the weight was %v and is %v", average, kept, m.Weights()[0].Data[0])
		}
		tr.Stop = true
		return nil
	}}
	if _, err := m.Fit(t.Context(), d, unroll.BatchSize(1), unroll.Epochs(4), unroll.Shuffle(false), unroll.Callbacks(cb, look)); err != nil {
		t.Fatal(err)
	}
	if got := m.Weights()[0].Data[0]; got != average {
		t.Errorf("a training that was stopped ends with %v, want %v", got, average)
	}
	_, err := model(t).Fit(t.Context(), d, unroll.Callbacks(cb))
	if want := "callbacks: SwapEMAWeights: unroll: UseAverages: expected an optimizer with use_ema, got SGD without"; err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
