package callbacks_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// arguments are those of all callbacks that oracle/callbacks.py asks about.
type arguments struct {
	Monitor, Mode, FilePath, Separator                        string
	Patience, Factor, MinDelta, Baseline, Threshold           *float64
	MinLR                                                     float64
	Cooldown, StartFromEpoch                                  int
	RestoreBestWeights, SaveBestOnly, SaveWeightsOnly, Append bool
}

func read(t *testing.T, text json.RawMessage) arguments {
	t.Helper()
	var keras map[string]json.RawMessage
	if err := json.Unmarshal(text, &keras); err != nil {
		t.Fatal(err)
	}
	var a arguments
	for key, to := range map[string]any{"monitor": &a.Monitor, "mode": &a.Mode, "filepath": &a.FilePath, "separator": &a.Separator, "patience": &a.Patience, "factor": &a.Factor,
		"min_delta": &a.MinDelta, "baseline": &a.Baseline, "initial_value_threshold": &a.Threshold, "min_lr": &a.MinLR, "cooldown": &a.Cooldown,
		"start_from_epoch": &a.StartFromEpoch, "restore_best_weights": &a.RestoreBestWeights, "save_best_only": &a.SaveBestOnly,
		"save_weights_only": &a.SaveWeightsOnly, "append": &a.Append} {
		if v, ok := keras[key]; ok {
			if err := json.Unmarshal(v, to); err != nil {
				t.Fatal(err)
			}
			delete(keras, key)
		}
	}
	if len(keras) > 0 {
		t.Fatalf("unknown arguments: %v", keras)
	}
	return a
}

func float(p *float64) tensor.Float {
	if p == nil {
		return tensor.Float{}
	}
	return tensor.F(*p)
}

func (a arguments) callback(t *testing.T, class, folder string) unroll.Callback {
	t.Helper()
	patience := 0
	if a.Patience != nil {
		patience = int(*a.Patience)
	}
	switch class {
	case "EarlyStopping":
		return &callbacks.EarlyStopping{Monitor: a.Monitor, MinDelta: float(a.MinDelta).Or(0), Patience: patience, Mode: callbacks.Mode(a.Mode), Baseline: float(a.Baseline),
			RestoreBestWeights: a.RestoreBestWeights, StartFromEpoch: a.StartFromEpoch}
	case "ReduceLROnPlateau":
		return &callbacks.ReduceLROnPlateau{Monitor: a.Monitor, Factor: float(a.Factor), Patience: float(a.Patience), Mode: callbacks.Mode(a.Mode), MinDelta: float(a.MinDelta),
			Cooldown: a.Cooldown, MinRate: a.MinLR}
	case "ModelCheckpoint":
		return &callbacks.ModelCheckpoint{FilePath: filepath.Join(folder, a.FilePath), Monitor: a.Monitor, SaveBestOnly: a.SaveBestOnly, SaveWeightsOnly: a.SaveWeightsOnly,
			Threshold: float(a.Threshold)}
	case "CSVLogger":
		return &callbacks.CSVLogger{Filename: filepath.Join(folder, "log.csv"), Separator: a.Separator, Append: a.Append}
	}
	t.Fatalf("no callback %s", class)
	return nil
}

// model is one weight, trained on nothing.
func model(t *testing.T) *unroll.Model {
	t.Helper()
	m, err := unroll.Sequential(layers.Dense{Name: "d", Units: 1, NoBias: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Build(tensor.Shape{tensor.None, 1}); err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(0.1)}, losses.MeanSquaredError{}, metrics.Accuracy{Name: "acc"}); err != nil {
		t.Fatal(err)
	}
	x, err := tensor.From([]float32{1, 1}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := unroll.Arrays(x, x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Evaluate(t.Context(), d); err != nil { // so that metrics have their names
		t.Fatal(err)
	}
	return m
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) != ".csv" {
			name, _ := filepath.Rel(folder, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// Keras 3.15.1 did these: what its callbacks make of given logs, epoch by epoch.
func TestKeras(t *testing.T) {
	var file struct {
		Cases []struct {
			Callback  string
			Arguments json.RawMessage
			Key       string
			Values    []string
			Epochs    []struct {
				Stop  bool
				Rate  float64
				Saved []string
			}
			Weight float64
			Text   string
		}
	}
	text, err := os.ReadFile("../testdata/callbacks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 25 {
		t.Fatalf("expected at least 25 cases, got %d", len(file.Cases))
	}
	for i, c := range file.Cases {
		t.Run(c.Callback+strconv.Itoa(i), func(t *testing.T) { // the folder has this name: no braces
			folder, m := t.TempDir(), model(t)
			a := read(t, c.Arguments)
			if a.Append {
				if err := os.WriteFile(filepath.Join(folder, "log.csv"), []byte("epoch,loss,val_loss\r\n0,1.0,2.0\r\n"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			cb := a.callback(t, c.Callback, folder)
			tr := &unroll.Training{Model: m, Epochs: len(c.Values), ValidationSamples: 2}
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			check(cb.TrainBegin(tr))
			var before []string
			for epoch, want := range c.Epochs {
				tr.Epoch = epoch
				check(cb.EpochBegin(tr))
				m.Weights()[0].Data[0] = float32(epoch)
				value, err := strconv.ParseFloat(c.Values[epoch], 64)
				check(err)
				check(cb.EpochEnd(tr, unroll.Logs{{Name: "loss", Value: 0.25}, {Name: c.Key, Value: value}}))
				rate, err := m.LearningRate()
				check(err)
				now := files(t, folder)
				saved := []string{}
				for _, f := range now {
					if !slices.Contains(before, f) {
						saved = append(saved, f)
					}
				}
				before = now
				if tr.Stop != want.Stop || float32(rate) != float32(want.Rate) || cmp.Diff(want.Saved, saved) != "" {
					t.Fatalf("epoch %d: got stop %v, rate %v, saved %v, want %+v", epoch, tr.Stop, rate, saved, want)
				}
			}
			check(cb.TrainEnd(tr))
			if got := m.Weights()[0].Data[0]; float64(got) != c.Weight {
				t.Errorf("the weight is %v at the end, want %v", got, c.Weight)
			}
			if c.Text != "" {
				got, err := os.ReadFile(filepath.Join(folder, "log.csv"))
				check(err)
				if d := cmp.Diff(c.Text, string(got)); d != "" {
					t.Errorf("the file differs (-Keras +ours):\n%s", d)
				}
			}
		})
	}
}
