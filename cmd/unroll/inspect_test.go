package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/npy"
)

func TestInspectSafetensors(t *testing.T) {
	const header = `{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}`
	path := filepath.Join(t.TempDir(), "a.safetensors")
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+"0123456789"...)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	var out, mistakes strings.Builder
	if code := run([]string{"inspect", path, "--json"}, &out, &mistakes); code != exitOK {
		t.Fatal(mistakes.String())
	}
	const want = `"arrays":[{"path":"b","type":"BF16","shape":[],"note":"only the header is read"},{"path":"w","type":"F32","shape":[2,1],"note":"only the header is read"}],"metadata":{"format":"pt"}}`
	if !strings.Contains(out.String(), want) {
		t.Errorf("got %s, want it to have %s", &out, want)
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
