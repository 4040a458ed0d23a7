package callbacks_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/tensor"
)

// Keras 2's callbacks did these.
func TestKeras2(t *testing.T) {
	var cases []struct {
		Callback string
		Patience int
		Values   []float64
		Weight   float64
		Logs     []map[string]float64
	}
	text, err := os.ReadFile("../testdata/keras2/callbacks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) != 3 {
		t.Fatalf("expected three cases, got %d, %v", len(cases), err)
	}
	for _, c := range cases {
		var cb unroll.Callback = &callbacks.EarlyStopping{Patience: c.Patience, RestoreBestWeights: true, Keras2: true}
		if c.Callback == "ReduceLROnPlateau" {
			cb = &callbacks.ReduceLROnPlateau{Patience: tensor.F(float64(c.Patience)), Factor: tensor.F(0.5), Keras2: true}
		}
		epochs, weight, rates := runKeras2(t, cb, c.Values)
		if epochs != len(c.Logs) || weight != c.Weight {
			t.Errorf("%s of patience %d: %d epochs and weight %v, want %d and %v", c.Callback, c.Patience, epochs, weight, len(c.Logs), c.Weight)
		}
		for i, logs := range c.Logs {
			if want, ok := logs["lr"]; ok && rates[i] != want {
				t.Errorf("%s: epoch %d: rate %v, want %v", c.Callback, i, rates[i], want)
			}
		}
	}
	// Not stopped: Keras 3 restores the best weights, 2.2.4 leaves the last.
	for keras2, want := range map[bool]float64{false: 5, true: 6} {
		cb := &callbacks.EarlyStopping{Patience: 9, RestoreBestWeights: true, Keras2: keras2}
		if _, weight, _ := runKeras2(t, cb, []float64{1, 0.9, 0.95, 0.91, 0.92, 0.7, 0.71}); weight != want {
			t.Errorf("Keras2 %v, not stopped: weight %v, want %v", keras2, weight, want)
		}
	}
}

// run tells a callback of epochs, at the end of which the only weight is the epoch's number: how many there were, the last weight, the
// rate of each.
func runKeras2(t *testing.T, cb unroll.Callback, values []float64) (epochs int, weight float64, rates []float64) {
	t.Helper()
	m := model(t)
	tr := &unroll.Training{Model: m, Epochs: len(values), ValidationSamples: 2}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(cb.TrainBegin(tr))
	for ; tr.Epoch < len(values) && !tr.Stop; tr.Epoch++ {
		check(cb.EpochBegin(tr))
		m.Weights()[0].Data[0] = float32(tr.Epoch)
		rate, err := m.LearningRate()
		check(err)
		rates = append(rates, float64(float32(rate)))
		check(cb.EpochEnd(tr, unroll.Logs{{Name: "loss", Value: 0.25}, {Name: "val_loss", Value: values[tr.Epoch]}}))
	}
	check(cb.TrainEnd(tr))
	return tr.Epoch, float64(m.Weights()[0].Data[0]), rates
}

// The key of the rate is that of either Keras.
func TestRateKey(t *testing.T) {
	x, err := tensor.From([]float32{1, 1}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := unroll.Arrays(x, x)
	if err != nil {
		t.Fatal(err)
	}
	same := func(_ int, rate float64) float64 { return rate }
	for _, c := range []struct {
		cb   unroll.Callback
		want string
	}{
		{&callbacks.LearningRateScheduler{Schedule: same}, "learning_rate"}, {&callbacks.LearningRateScheduler{Schedule: same, Keras2: true}, "lr"},
		{&callbacks.ReduceLROnPlateau{Monitor: "loss", Keras2: true}, "lr"},
	} {
		h, err := model(t).Fit(t.Context(), d, unroll.Callbacks(c.cb))
		if err != nil {
			t.Fatal(err)
		}
		if keys := h.Keys(); !slices.Equal(keys, []string{"loss", "acc", c.want}) {
			t.Errorf("%T: keys %v, want %s last", c.cb, keys, c.want)
		}
	}
}
