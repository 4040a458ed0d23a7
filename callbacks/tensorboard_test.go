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
						add("validation", "epoch_"+name, tr.Epoch, l.Value)
						add("validation", "evaluation_"+name+"_vs_iterations", 3*(tr.Epoch+1), l.Value)
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
			value := field(t, field(t, event, 5), 1)
			bits, _ := protowire.ConsumeFixed32(field(t, field(t, value, 8), 5))
			got[part] = append(got[part], scalar{string(field(t, value, 1)), float64(step), math.Float32frombits(bits)})
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
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
