package callbacks_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// data are n rows of one number.
func data(t *testing.T, values ...float32) unroll.Data {
	t.Helper()
	x, err := tensor.From(values, len(values), 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := unroll.Arrays(x, x)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// In a training: what callbacks add is in the history, a rate that is set is used, and a training that is stopped in a batch ends its epoch.
func TestInATraining(t *testing.T) {
	m := model(t)
	var rates []float64
	seen := 0
	h, err := m.Fit(t.Context(), data(t, 1, 2, 3, 4), unroll.Epochs(5), unroll.BatchSize(1), unroll.ValidationData(data(t, 1)), unroll.Callbacks(
		&callbacks.LearningRateScheduler{Schedule: func(epoch int, rate float64) float64 { return rate / 2 }},
		&callbacks.LambdaCallback{
			OnBatchEnd: func(tr *unroll.Training, _ unroll.Logs) error {
				seen++
				tr.Stop = tr.Epoch == 2 && tr.Step == 3
				return nil
			},
			OnEpochEnd: func(_ *unroll.Training, logs unroll.Logs) error {
				rate, _ := logs.Get("learning_rate")
				rates = append(rates, rate)
				return nil
			}}))
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{float64(float32(0.05)), float64(float32(0.025)), float64(float32(0.0125))}
	if d := cmp.Diff(want, rates) + cmp.Diff(want, h.Values("learning_rate")); d != "" || seen != 11 || len(h.Values("val_loss")) != 3 {
		t.Errorf("%d batches, history %v: %s", seen, h.Keys(), d)
	}
}

func TestTerminateOnNaN(t *testing.T) {
	for _, raise := range []bool{false, true} {
		m := model(t)
		batches := 0
		_, err := m.Fit(t.Context(), data(t, 1, float32(math.NaN()), 1, 1), unroll.BatchSize(1), unroll.Shuffle(false), unroll.Callbacks(&callbacks.TerminateOnNaN{RaiseError: raise},
			&callbacks.LambdaCallback{OnBatchEnd: func(*unroll.Training, unroll.Logs) error { batches++; return nil }}))
		want := "callbacks: TerminateOnNaN: expected a finite loss, got NaN at batch 2 of epoch 1: the input is not finite, in one row"
		if raise && (err == nil || err.Error() != want) || !raise && (err != nil || batches != 2) {
			t.Errorf("raise %v: got %v after %d batches", raise, err, batches)
		}
	}
}

// A model saved in a training, and its weights, are those of that moment, with the optimizer's state.
func TestModelCheckpoint(t *testing.T) {
	m, folder := model(t), t.TempDir()
	if err := m.Compile(optimizers.Adam{}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	var kept []float32
	if _, err := m.Fit(t.Context(), data(t, 1, 2, 3, 4), unroll.Epochs(2), unroll.BatchSize(1), unroll.Callbacks(
		&callbacks.ModelCheckpoint{FilePath: filepath.Join(folder, "{epoch}-{batch:02d}.keras"), SaveFreq: 3},
		&callbacks.ModelCheckpoint{FilePath: filepath.Join(folder, "{epoch}.weights.h5"), SaveWeightsOnly: true},
		&callbacks.LambdaCallback{OnBatchEnd: func(tr *unroll.Training, _ unroll.Logs) error {
			kept = append(kept, tr.Model.Weights()[0].Data[0])
			return nil
		}})); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"1-03.keras", "1.weights.h5", "2-02.keras", "2.weights.h5"}, files(t, folder)); d != "" {
		t.Error(d)
	}
	for name, step := range map[string]int{"1-03.keras": 3, "2-02.keras": 6} {
		back, err := unroll.Load(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Weights()[0].Data[0]; got != kept[step-1] {
			t.Errorf("%s: got %v, want %v", name, got, kept[step-1])
		}
	}
	// From the weights of the first epoch the second goes as it went.
	again := model(t)
	if err := again.Compile(optimizers.Adam{}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	if err := again.LoadWeights(filepath.Join(folder, "1.weights.h5")); err != nil {
		t.Fatal(err)
	}
	if got := again.Weights()[0].Data[0]; got != kept[3] {
		t.Errorf("1.weights.h5: got %v, want %v", got, kept[3])
	}
	if _, err := again.Fit(t.Context(), data(t, 1, 2, 3, 4), unroll.InitialEpoch(1), unroll.Epochs(2), unroll.BatchSize(1)); err != nil {
		t.Fatal(err)
	}
	if got := again.Weights()[0].Data[0]; got != kept[7] {
		t.Errorf("going on: got %v, want %v", got, kept[7])
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		cb   unroll.Callback
		want string
	}{
		{&callbacks.EarlyStopping{Patience: -1}, "callbacks: EarlyStopping: patience must be from 0, got -1"},
		{&callbacks.EarlyStopping{Mode: "up"}, `callbacks: EarlyStopping: mode must be auto, min or max, got "up"`},
		{&callbacks.EarlyStopping{Monitor: "val_acc"}, `callbacks: EarlyStopping: monitor must be one of loss, acc, got "val_acc"`},
		{&callbacks.EarlyStopping{Monitor: "hits"}, `callbacks: EarlyStopping: mode must be min or max for a monitor of which Keras does not know the better way, got auto for "hits"`},
		{&callbacks.ReduceLROnPlateau{Factor: tensor.F(1)}, "callbacks: ReduceLROnPlateau: factor must be in [0, 1), got 1"},
		{&callbacks.ReduceLROnPlateau{Patience: tensor.F(1.5)}, "callbacks: ReduceLROnPlateau: patience must be a whole number from 0, got 1.5"},
		{&callbacks.LearningRateScheduler{}, "callbacks: LearningRateScheduler: schedule must be a function, got nil"},
		{&callbacks.LearningRateScheduler{Schedule: func(int, float64) float64 { return -1 }},
			"callbacks: LearningRateScheduler: epoch 1: unroll: SetLearningRate: learning_rate must be finite and from 0, got -1"},
		{&callbacks.ModelCheckpoint{FilePath: "x.h5"}, `callbacks: ModelCheckpoint: filepath must end in .keras, got "x.h5"`},
		{&callbacks.ModelCheckpoint{FilePath: "x.keras", SaveWeightsOnly: true}, `callbacks: ModelCheckpoint: filepath must end in .weights.h5, got "x.keras"`},
		{&callbacks.ModelCheckpoint{FilePath: "{val_acc}.keras"}, `callbacks: ModelCheckpoint: filepath must have one of epoch, loss, acc in braces, got "val_acc"`},
		{&callbacks.ModelCheckpoint{FilePath: "{loss:x}.keras"}, `callbacks: ModelCheckpoint: filepath must have a format like 02d or .2f behind the colon, got "x"`},
		{&callbacks.CSVLogger{Filename: "x", Separator: "ab"}, `callbacks: CSVLogger: separator must be one character, no quote and no line end, got "ab"`},
	} {
		if _, err := model(t).Fit(t.Context(), data(t, 1, 2), unroll.Callbacks(c.cb)); err == nil || err.Error() != c.want {
			t.Errorf("%T: got error %v, want %s", c.cb, err, c.want)
		}
	}
	m := model(t)
	if err := m.Compile(optimizers.SGD{Schedule: schedules.CosineDecay{Initial: 1, Steps: 2}}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	want := "callbacks: LearningRateScheduler: epoch 1: unroll: SetLearningRate: expected an optimizer with a number as rate, got the schedule CosineDecay"
	if _, err := m.Fit(t.Context(), data(t, 1), unroll.Callbacks(&callbacks.LearningRateScheduler{Schedule: func(int, float64) float64 { return 1 }})); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if _, err := model(t).Fit(t.Context(), data(t, 1), unroll.Callbacks(&callbacks.CSVLogger{Filename: filepath.Join(t.TempDir(), "no", "x.csv")})); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
}
