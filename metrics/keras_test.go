package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// batch is what oracle/tables.py gave a metric.
type batch struct {
	Pred, Y, Weights, Mask array
}

type array struct {
	Shape  tensor.Shape
	Values []any
	IDs    bool
}

func (a array) floats() []float32 {
	f := make([]float32, len(a.Values))
	for i, v := range a.Values {
		switch v := v.(type) {
		case float64:
			f[i] = float32(v)
		case bool:
			if v {
				f[i] = 1
			}
		}
	}
	return f
}

func (a array) target() metrics.Target {
	if !a.IDs {
		return metrics.Target{Values: a.floats()}
	}
	var t metrics.Target
	for _, v := range a.floats() {
		t.IDs = append(t.IDs, int32(v))
	}
	return t
}

// Keras 3.15.1 computed these: every metric and argument, after one and after two batches, without weights, with weights, and with a
// mask. Every batch is also cut into shards, whose sums must add up to the same.
func TestKeras(t *testing.T) {
	var file struct {
		Data    map[string][]batch
		Metrics []struct {
			Metric                  json.RawMessage
			Data                    string
			Plain, Weighted, Masked []float64
		}
	}
	text, err := os.ReadFile("../testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Metrics) < 80 {
		t.Fatalf("expected at least 80 metrics, got %d", len(file.Metrics))
	}
	for _, c := range file.Metrics {
		config, err := keras.Decode("metric", c.Metric)
		if err != nil {
			t.Fatal(err)
		}
		m, err := metrics.Deserialize("metric", config)
		if err != nil {
			t.Errorf("%s: %v", c.Metric, err)
			continue
		}
		name := fmt.Sprintf("%s on %s", c.Metric, c.Data)
		for how, want := range map[string][]float64{"plain": c.Plain, "weighted": c.Weighted, "masked": c.Masked} {
			var whole, cut []float64
			for k, b := range file.Data[c.Data] {
				meter := resolve(t, m, b.Pred.Shape, b.Y.Shape)
				if whole == nil {
					whole, cut = make([]float64, meter.Sums()), make([]float64, meter.Sums())
				}
				_, width := losses.Items(b.Pred.Shape)
				pred, y := b.Pred.floats(), b.Y.target()
				n := len(pred) / width
				var weights []float32
				switch how {
				case "weighted":
					weights = b.Weights.floats()
				case "masked":
					if _, all := meter.(metrics.Unmasked); !all {
						weights = b.Mask.floats()
					}
				}
				meter.Update(whole, pred, y, weights, n, width)
				per := y.Len() / n
				for lo := 0; lo < n; lo += 5 {
					hi := min(lo+5, n)
					var w []float32
					if weights != nil {
						w = weights[lo:hi]
					}
					part := make([]float64, meter.Sums())
					meter.Update(part, pred[lo*width:hi*width], y.Slice(lo*per, hi*per), w, hi-lo, width)
					metrics.Merge(cut, part)
				}
				for _, state := range [][]float64{whole, cut} {
					if got := meter.Result(state); !(math.Abs(got-want[k]) <= 2e-6*math.Max(1, math.Abs(want[k]))) {
						t.Errorf("%s, %s, batch %d: got %v, want %v", name, how, k+1, got, want[k])
					}
				}
				if a := testing.AllocsPerRun(3, func() { meter.Update(cut, pred, y, weights, n, width) }); a != 0 {
					t.Errorf("%s: Update allocates %v times", name, a)
				}
				if k == 0 {
					copy(cut, whole)
				}
			}
		}
		// What is written is read again as the same, and says what Keras wrote.
		again, err := keras.Encode(map[string]any{"m": metrics.Serialize(m)})
		if err != nil {
			t.Fatal(err)
		}
		back, err := keras.Decode("metric", again)
		if err != nil {
			t.Fatal(err)
		}
		if m2, err := metrics.Deserialize("m", back["m"]); err != nil || cmp.Diff(m.Config(), m2.Config()) != "" {
			t.Errorf("%s: got back %+v, %v", name, m2, err)
		}
		ours, theirs := back["m"].(map[string]any)["config"].(map[string]any), config["config"].(map[string]any)
		delete(ours, "name")
		if tensor, ok := theirs["label_weights"].(map[string]any); ok {
			theirs["label_weights"] = tensor["config"].(map[string]any)["value"]
		}
		for _, c := range []map[string]any{ours, theirs} {
			for k, v := range c {
				if f, err := json.Number(fmt.Sprint(v)).Float64(); err == nil {
					c[k] = f // 0 and 0.0
				}
			}
		}
		delete(theirs, "num_labels")
		delete(ours, "num_labels")
		if d := cmp.Diff(theirs, ours); d != "" {
			t.Errorf("%s: the config differs (-Keras +ours):\n%s", name, d)
		}
	}
}

// Which way a metric is better is what Keras says.
func TestDirection(t *testing.T) {
	for m, want := range map[metrics.Metric]metrics.Direction{
		metrics.Accuracy{}: metrics.Up, metrics.BinaryAccuracy{}: metrics.Up, metrics.Precision{}: metrics.Up, metrics.F1Score{}: metrics.Up, metrics.R2Score{}: metrics.Up,
		metrics.CosineSimilarity{}: metrics.Up, metrics.MeanIoU{}: metrics.Up, metrics.MeanSquaredError{}: metrics.Down, metrics.KLDivergence{}: metrics.Down,
		metrics.RootMeanSquaredError{}: metrics.Down, metrics.BinaryCrossentropy{}: metrics.Down, metrics.LossMean{Loss: losses.Huber{}}: metrics.Down, metrics.TruePositives{}: metrics.Unknown,
	} {
		if got := metrics.DirectionOf(m); got != want {
			t.Errorf("%+v: got %v, want %v", m, got, want)
		}
	}
}
