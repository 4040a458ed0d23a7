package schedules_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/schedules"
)

// Keras 3.15.1 computed these, in float32: the rates of steps 0 to 40. The configs are those that Keras writes.
func TestKeras(t *testing.T) {
	var file struct {
		Schedules []struct {
			Schedule json.RawMessage
			Rates    []float64
		}
	}
	text, err := os.ReadFile("../testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Schedules) < 13 {
		t.Fatalf("expected at least 13 schedules, got %d", len(file.Schedules))
	}
	for _, c := range file.Schedules {
		config, err := keras.Decode("schedule", c.Schedule)
		if err != nil {
			t.Fatal(err)
		}
		o, err := keras.ParseObject("schedule", config)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schedules.FromConfig("schedule", o.Class, o.Config)
		if err != nil {
			t.Errorf("%s: %v", c.Schedule, err)
			continue
		}
		for step, want := range c.Rates {
			// Keras rounds every operation to float32, here powers and cosines of up to ten times what is left of them.
			if got := s.At(int64(step)); !(math.Abs(got-want) <= 1e-6*math.Abs(want)+2e-8) {
				t.Errorf("%s: step %d: got %v, want %v", c.Schedule, step, got, want)
			}
		}
		again, err := keras.Encode(map[string]any{"s": s.Config()})
		if err != nil {
			t.Fatal(err)
		}
		back, err := keras.Decode("schedule", again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(config["config"], back["s"], cmp.Transformer("number", func(n json.Number) float64 { f, _ := n.Float64(); return f })); d != "" {
			t.Errorf("%s: the config differs (-Keras +ours):\n%s", c.Schedule, d)
		}
	}
}
