package callbacks_test

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// scalar is a value of an event file.
type scalar struct {
	Tag   string
	Step  float64
	Value float32
}

// written trains with TensorBoard and returns what should be in its files.
func written(t *testing.T, folder string) map[string][]scalar {
	t.Helper()
	want := map[string][]scalar{}
	add := func(to, tag string, step int, v float64) {
		want[to] = append(want[to], scalar{tag, float64(step), float32(v)})
	}
	batches := 0
	_, err := model(t).Fit(t.Context(), data(t, 1, 2, 3), unroll.BatchSize(1), unroll.Epochs(2), unroll.ValidationData(data(t, 1)), unroll.Callbacks(
		&callbacks.TensorBoard{LogDir: folder, UpdateFreq: 2},
		&callbacks.LambdaCallback{
			OnBatchEnd: func(_ *unroll.Training, logs unroll.Logs) error {
				if batches++; batches%2 == 0 {
					for _, l := range logs {
						add("train", "batch_"+l.Name, batches, l.Value)
					}
				}
				return nil
			},
			OnEpochEnd: func(tr *unroll.Training, logs unroll.Logs) error {
				for _, l := range logs {
					if name, ok := strings.CutPrefix(l.Name, "val_"); ok {
						add("validation", "evaluation_"+name+"_vs_iterations", 3*(tr.Epoch+1), l.Value)
					}
				}
				for _, l := range logs {
					if name, ok := strings.CutPrefix(l.Name, "val_"); ok {
						add("validation", "epoch_"+name, tr.Epoch, l.Value)
					} else {
						add("train", "epoch_"+name, tr.Epoch, l.Value)
					}
				}
				add("train", "epoch_learning_rate", tr.Epoch, float64(float32(0.1)))
				return nil
			}}))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// What stands in the files, read field by field.
func TestTensorBoard(t *testing.T) {
	folder := t.TempDir()
	want := written(t, folder)
	got := map[string][]scalar{}
	for _, part := range []string{"train", "validation"} {
		eachEvent(t, folder, part, func(step uint64, value []byte) {
			bits, _ := protowire.ConsumeFixed32(field(t, field(t, value, 8), 5))
			got[part] = append(got[part], scalar{string(field(t, value, 1)), float64(step), math.Float32frombits(bits)})
		})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// eachEvent reads the one file of a folder, event by event: its step and its value.
func eachEvent(t *testing.T, folder, part string, take func(step uint64, value []byte)) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, part, "events.out.tfevents.*.v2"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for first := true; len(b) > 0; first = false {
		n := binary.LittleEndian.Uint64(b)
		check(t, b[:8], b[8:])
		event := b[12 : 12+n]
		check(t, event, b[12+n:])
		b = b[16+n:]
		if first {
			if v := string(field(t, event, 3)); v != "brain.Event:2" {
				t.Errorf("%s begins with %q", part, v)
			}
			continue
		}
		step, _ := protowire.ConsumeVarint(field(t, event, 2))
		take(step, field(t, field(t, event, 5), 1))
	}
}

func check(t *testing.T, data, sum []byte) {
	t.Helper()
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	if want := (c>>15 | c<<17) + 0xa282ead8; binary.LittleEndian.Uint32(sum) != want {
		t.Fatalf("got checksum %x, want %x", sum[:4], want)
	}
}

// field is the value of a field of a message: a message's or text's bytes, or a number as it is encoded.
func field(t *testing.T, b []byte, want protowire.Number) []byte {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(number, kind, b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		if number == want {
			if kind == protowire.BytesType {
				v, _ := protowire.ConsumeBytes(b)
				return v
			}
			return b[:size]
		}
		b = b[size:]
	}
	t.Fatalf("no field %d", want)
	return nil
}

// TensorFlow reads the files. It needs a Python with it, whose path is in UNROLL_ORACLE_PYTHON (see oracle/README.md).
func TestTensorFlowReadsOurEvents(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with TensorFlow to ask")
	}
	folder := t.TempDir()
	want := written(t, folder)
	out, err := exec.Command(python, "../oracle/read_events.py", folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string][][3]any
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	got := map[string][]scalar{}
	for part, r := range rows {
		for _, v := range r {
			got[part] = append(got[part], scalar{v[0].(string), v[1].(float64), float32(v[2].(float64))})
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// tensorBoardGolden is testdata/tensorboard.json.
type tensorBoardGolden struct {
	Runs []struct {
		Arguments struct {
			HistogramFreq       int  `json:"histogram_freq"`
			UpdateFreq          int  `json:"update_freq"`
			WriteStepsPerSecond bool `json:"write_steps_per_second"`
		}
		Written map[string][][2]any
	}
	Cases []struct {
		Data    []float32
		Buckets [][3]float64
	}
}

func readTensorBoardGolden(t *testing.T) (g tensorBoardGolden) {
	t.Helper()
	text, err := os.ReadFile("../testdata/tensorboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Runs) < 4 || len(g.Cases) < 9 {
		t.Fatalf("expected at least 4 runs and 9 histograms, got %d and %d", len(g.Runs), len(g.Cases))
	}
	return g
}

// deep is the training of oracle/board.py.
func deep(t *testing.T, cb *callbacks.TensorBoard) *unroll.Model {
	t.Helper()
	m, err := unroll.Sequential(layers.Dense{Name: "d", Units: 3}, layers.Dense{Name: "e", Units: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.SGD{}, losses.MeanSquaredError{}, metrics.MeanAbsoluteError{Name: "mae"}); err != nil {
		t.Fatal(err)
	}
	d := func(rows int) unroll.Data {
		x, y := tensor.New(rows, 2), tensor.New(rows, 1)
		for i := range x.Data {
			x.Data[i] = float32(i) / 10
			y.Data[i/2] = x.Data[i&^1]
		}
		d, err := unroll.Arrays(x, y)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if _, err := m.Fit(t.Context(), d(6), unroll.BatchSize(2), unroll.Epochs(3), unroll.ValidationData(d(2)), unroll.Callbacks(cb)); err != nil {
		t.Fatal(err)
	}
	return m
}

// What is written when: as Keras 3.15.1 writes, in its order.
func TestTensorBoardTags(t *testing.T) {
	for _, r := range readTensorBoardGolden(t).Runs {
		folder := t.TempDir()
		deep(t, &callbacks.TensorBoard{LogDir: folder, HistogramFreq: r.Arguments.HistogramFreq, UpdateFreq: r.Arguments.UpdateFreq, WriteStepsPerSecond: r.Arguments.WriteStepsPerSecond})
		got := map[string][][2]any{}
		for _, part := range []string{"train", "validation"} {
			eachEvent(t, folder, part, func(step uint64, value []byte) {
				tag := string(field(t, value, 1))
				plugin := string(field(t, field(t, field(t, value, 9), 1), 1))
				if want := map[bool]string{true: "histograms", false: "scalars"}[strings.HasSuffix(tag, "/histogram")]; plugin != want {
					t.Errorf("%s is of the plugin %q, want %q", tag, plugin, want)
				}
				got[part] = append(got[part], [2]any{tag, float64(step)})
			})
		}
		if d := cmp.Diff(r.Written, got); d != "" {
			t.Errorf("%+v (-Keras +ours):\n%s", r.Arguments, d)
		}
	}
}

// An evaluation by itself is written too, under the number of the updates so far.
func TestTensorBoardOfAnEvaluation(t *testing.T) {
	m, folder := model(t), t.TempDir()
	cb := &callbacks.TensorBoard{LogDir: folder}
	if _, err := m.Evaluate(t.Context(), data(t, 1, 2), unroll.Callbacks(cb)); err != nil {
		t.Fatal(err)
	}
	var got []string
	eachEvent(t, folder, "validation", func(step uint64, value []byte) {
		if step != 0 {
			t.Errorf("got step %d, want 0", step)
		}
		got = append(got, string(field(t, value, 1)))
	})
	if d := cmp.Diff([]string{"evaluation_loss_vs_iterations", "evaluation_acc_vs_iterations"}, got); d != "" {
		t.Error(d)
	}
}

// The buckets are TensorBoard's.
func TestHistogram(t *testing.T) {
	for i, c := range readTensorBoardGolden(t).Cases {
		got := callbacks.Histogram(c.Data)
		if len(got) != len(c.Buckets) {
			t.Fatalf("histogram %d: %d buckets, want %d", i, len(got), len(c.Buckets))
		}
		size := math.Abs(c.Buckets[0][0]) + math.Abs(c.Buckets[len(got)-1][1])
		for k, want := range c.Buckets {
			// The edges are rounded sums, in TensorFlow in another order.
			if !(math.Abs(got[k][0]-want[0]) <= 1e-14*size) || !(math.Abs(got[k][1]-want[1]) <= 1e-14*size) || got[k][2] != want[2] {
				t.Errorf("histogram %d, bucket %d: got %v, want %v", i, k, got[k], want)
			}
		}
	}
	// Numbers that are none stop nothing.
	nan := float32(math.NaN())
	for _, b := range callbacks.Histogram([]float32{1, nan, 2}) {
		if !math.IsNaN(b[0]) || !math.IsNaN(b[1]) || b[2] != 0 {
			t.Errorf("with NaN: got %v", b)
		}
	}
}

// TensorFlow reads the histograms too.
func TestTensorFlowReadsOurHistograms(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with TensorFlow to ask")
	}
	folder := t.TempDir()
	m := deep(t, &callbacks.TensorBoard{LogDir: folder, HistogramFreq: 2})
	out, err := exec.Command(python, "../oracle/read_events.py", folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string][][3]any
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range rows["train"] {
		for _, w := range m.Weights() {
			if r[0] == "sequential/"+w.Path+"/histogram" && r[1] == 2.0 { // the last epoch, whose weights the model has
				found++
				var want [][3]float64
				for _, b := range r[2].([]any) {
					b := b.([]any)
					want = append(want, [3]float64{b[0].(float64), b[1].(float64), b[2].(float64)})
				}
				if d := cmp.Diff(want, callbacks.Histogram(w.Data)); d != "" {
					t.Errorf("%s (-TensorFlow +ours):\n%s", w.Path, d)
				}
			}
		}
	}
	if found != 4 {
		t.Errorf("found %d histograms, want 4", found)
	}
}
