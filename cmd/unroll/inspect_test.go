package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/internal/npy"
)

func inspectJSON(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	var out, mistakes strings.Builder
	if code := run([]string{"inspect", path, "--json"}, &out, &mistakes); code != exitOK {
		t.Fatal(mistakes.String())
	}
	return out.String()
}

// Numbers of a type that is not known do not hide the others.
func TestInspectSafetensors(t *testing.T) {
	const header = `{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"F4","shape":[4],"data_offsets":[8,10]}}`
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	data = append(data, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0xc0, 1, 2)
	got := inspectJSON(t, "a.safetensors", data)
	for _, want := range []string{`{"path":"b","type":"F4","shape":[4],"note":"safetensors: \"b\": expected numbers of a type such as F32`,
		`{"path":"w","type":"F32","shape":[2,1],"l2":5,"min":-4,"max":3,"nan":0,"inf":0}],"metadata":{"format":"pt"}}`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want it to have %s", got, want)
		}
	}
}

// A graph that convert refuses is shown: another domain's operators, graphs within nodes, functions, sparse initializers, and one whose values are elsewhere.
func TestInspectForeignGraph(t *testing.T) {
	message := func(number protowire.Number, parts ...string) string { // a field of bytes
		return string(protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), strings.Join(parts, "")))
	}
	body := message(6, message(1, message(4, "GRU"), message(2, "y")), message(5, "\x08\x01\x10\x07", message(8, "one"), "\x3a\x01\x05"))
	graph := message(7,
		message(1, message(3, "loop"), message(4, "Loop"), message(5, message(1, "body"), body)),
		message(1, message(4, "Gelu"), message(7, "com.microsoft")),
		message(5, "\x08\x03\x10\x01", message(8, "w"), "\x70\x01"),
		message(11, message(1, "x"), message(2, message(1, "\x08\x01", message(2, message(1, message(2, "n")), message(1), message(1, "\x08\x02"))))),
		message(11, message(1, "w"), message(2, message(1, "\x08\x01"))),
		message(12, message(1, "y"), message(2, message(1, "\x08\x07"))),
		message(15))
	file := "\x08\x08" + message(2, "us") + graph + message(8, "\x10\x11") + message(8, message(1, "com.microsoft"), "\x10\x01") + message(25)
	got := inspectJSON(t, "a.onnx", []byte(file))
	for _, want := range []string{
		`"onnx":{"producer":"us","ir_version":8,"opsets":[{"domain":"ai.onnx","version":17},{"domain":"com.microsoft","version":1}]`,
		`"inputs":[{"name":"x","type":"float","shape":["n",null,2]}],"outputs":[{"name":"y","type":"int64","shape":null}]`,
		`"nodes":3,"operators":{"GRU":1,"Loop":1,"com.microsoft.Gelu":1},"recurrent":[{"name":"loop/y","operator":"GRU","direction":"forward"}],"functions":1,"sparse_initializers":1}`,
		`"arrays":[{"path":"w","type":"float","shape":[3],"note":"onnx: tensor \"w\": its values stand in another file, which is not read"},{"path":"loop/one","type":"int64","shape":[1],"l2":5,`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want it to have %s", got, want)
		}
	}
}

// What is within itself is shown once.
func TestInspectCheckpointWithinItself(t *testing.T) {
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "a/data.pkl"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("\x80\x02}q\x00(X\x05\x00\x00\x00modelh\x00X\x05\x00\x00\x00epochK\x07u.")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got := inspectJSON(t, "a.pt", data.Bytes()); !strings.Contains(got, `"arrays":[],"metadata":{"epoch":7}`) {
		t.Errorf("got %s", got)
	}
	path := filepath.Join(t.TempDir(), "a.pt")
	if err := os.WriteFile(path, data.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	var out, mistakes strings.Builder
	if code := run([]string{"convert", path, path + ".keras", "--as", "input(3) |> dense(3)"}, &out, &mistakes); code != exitFailed || !strings.Contains(mistakes.String(), "expected tensors, or a state_dict") {
		t.Errorf("got %d, %s", code, &mistakes)
	}
}

// Numbers that are not finite are counted, and left out of norms and ranges.
func TestInspectNotFinite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	arrays := map[string]*npy.Array{"a": npy.From([]float32{3, nan, -4, inf, nan}), "b": npy.From([]float32{nan}), "text": npy.FromStrings([]string{"x"}), "none": npy.From([]float32{}, 0, 2)}
	if err := npy.SaveNPZ(path, []string{"a", "b", "text", "none"}, arrays); err != nil {
		t.Fatal(err)
	}
	r, err := inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Arrays[0].statistics; s == nil || *s != (statistics{L2: 5, Min: -4, Max: 3, NaN: 2, Inf: 1}) {
		t.Errorf("a: got %+v", s)
	}
	if s := r.Arrays[1].statistics; s == nil || *s != (statistics{NaN: 1}) {
		t.Errorf("b: got %+v", s)
	}
	if a := r.Arrays[2]; a.statistics != nil || a.Note != "not numbers" {
		t.Errorf("text: got %+v", a)
	}
	var out strings.Builder
	if err := r.print(&out); err != nil || !strings.Contains(out.String(), "2 NaN, 1 infinite") || !strings.Contains(out.String(), "2 arrays have numbers that are not finite") {
		t.Errorf("got %v:\n%s", err, &out)
	}
}

// Whatever a file has, it is shown or refused.
func FuzzInspect(f *testing.F) {
	for i, one := range new(fileReport).readers() {
		files, err := filepath.Glob("../../testdata/*/*" + one.ending)
		if err != nil {
			f.Fatal(err)
		}
		for k, path := range files {
			if k%8 > 0 { // some are enough
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(i, data)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, data []byte) {
		r := &fileReport{Arrays: []arrayReport{}}
		all := r.readers()
		if kind < 0 || kind >= len(all) {
			return
		}
		if err := all[kind].read(bytes.NewReader(data), int64(len(data))); err != nil {
			return
		}
		if err := r.print(io.Discard); err != nil {
			t.Error(err)
		}
		if err := printJSON(io.Discard, r); err != nil {
			t.Error(err)
		}
	})
}
