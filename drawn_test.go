package unroll

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/npy"
)

// Models that oracle/drawn.py has drawn predict and train here as in Keras, and, where a Python with Keras is at hand, in Keras as here when they were saved here. The
// folder of the drawn models is in UNROLL_DRAWN: `make drawn` makes it.
func TestDrawn(t *testing.T) {
	folder := os.Getenv("UNROLL_DRAWN")
	if folder == "" {
		t.Skip("UNROLL_DRAWN is not set: no models are drawn (make drawn)")
	}
	ours := t.TempDir()
	forward, trained := 0, 0
	files := graphsIn(t, folder)
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f.path), ".keras")
		t.Run(name, func(t *testing.T) {
			m, err := Load(f.path)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Save(filepath.Join(ours, name+".keras")); err != nil {
				t.Fatal(err)
			}
			forward++
			if f.arrays["losses"] != nil {
				trained++
			}
			compareGraph(t, m, f.arrays, &f.meta)
			checkOrder(t, f.path)
		})
	}
	t.Logf("%d models predict, %d of them train", forward, trained)
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		return
	}
	out := t.TempDir()
	if log, err := exec.Command(python, "oracle/graphs.py", "check", ours, folder, out).CombinedOutput(); err != nil {
		t.Fatalf("Keras does not load what is saved here: %v\n%s", err, log)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f.path), ".keras")
		t.Run(name+" in Keras", func(t *testing.T) {
			got, err := npy.ReadNPZ(filepath.Join(out, name+".npz"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := Load(f.path)
			if err != nil {
				t.Fatal(err)
			}
			arrays := maps.Clone(f.arrays)
			maps.Copy(arrays, got)
			compareGraph(t, m, arrays, &f.meta)
		})
	}
}
