package unroll

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/unroll-ml/unroll/layers"
)

// Weights are read straight into their arrays: all that loading allocates is little more than the file's size.
func TestLoadMemory(t *testing.T) {
	const rows, width = 40_000, 100
	m, err := Sequential(layers.Embedding{InputDim: rows, OutputDim: width}, layers.LSTM{Units: 8}, layers.Dense{Units: 1})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	whole, weights := filepath.Join(folder, "m.keras"), []string{filepath.Join(folder, "m.weights.h5"), filepath.Join(folder, "m.npz")}
	if err := m.Save(whole); err != nil {
		t.Fatal(err)
	}
	measure := func(what string, most uint64, read func() error) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := read(); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: %d bytes were allocated, want at most %d", what, got, most)
		}
	}
	const size = 4 * rows * width
	measure(whole, size*5/4, func() error { _, err := Load(whole); return err })
	for _, path := range weights {
		if err := m.SaveWeights(path); err != nil {
			t.Fatal(err)
		}
		measure(path, size/4, func() error { return m.LoadWeights(path) })
	}
}
