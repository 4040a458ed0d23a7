package unroll

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// Keras loads what Save writes: the same weights and optimizer state, the same predictions, and training that goes on alike. It
// needs a Python with Keras, whose path is in UNROLL_ORACLE_PYTHON (see oracle/README.md).
func TestKerasLoadsOurFiles(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with Keras to ask")
	}
	for _, c := range trials() {
		if c.ours {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			const before, after = 2, 3
			m := c.model(t)
			xs, ys := c.batches(m, before+after)
			for i := range before {
				step(t, m, goldenData(t, batch(t, xs, i), batch(t, ys, i)))
			}
			folder := t.TempDir()
			file, in, out := filepath.Join(folder, "m.keras"), filepath.Join(folder, "in.npz"), filepath.Join(folder, "out.npz")
			if err := m.Save(file); err != nil {
				t.Fatal(err)
			}
			names, arrays := []string{"x"}, map[string]*npy.Array{"x": someBatches(t, xs, 0, 1)}
			if !c.random {
				names = append(names, "xs", "ys")
				arrays["xs"], arrays["ys"] = someBatches(t, xs, before, before+after), someBatches(t, ys, before, before+after)
			}
			arrays["x"].Shape = arrays["x"].Shape[1:]
			if err := npy.SaveNPZ(in, names, arrays); err != nil {
				t.Fatal(err)
			}
			if log, err := exec.Command(python, "oracle/check_keras_file.py", file, in, out).CombinedOutput(); err != nil {
				t.Fatalf("Keras does not load the file: %v\n%s", err, log)
			}
			got, err := npy.ReadNPZ(out)
			if err != nil {
				t.Fatal(err)
			}
			compare := func(prefix string, want [][]float32, tol golden.Tolerance) {
				t.Helper()
				for i, w := range want {
					name := prefix + "/" + strconv.Itoa(i)
					if got[name] == nil {
						t.Fatalf("Keras has no %s", name)
					}
					golden.Compare(t, name, got[name].Float32(), w, tol)
				}
				if got[prefix+"/"+strconv.Itoa(len(want))] != nil {
					t.Errorf("%s: Keras has more than %d", prefix, len(want))
				}
			}
			state := func() [][]float32 {
				s := m.state()
				if _, schedule := c.opt.Rate(); schedule != nil {
					return append(s[:1:1], s[2:]...) // Keras keeps no rate then
				}
				return s
			}
			values := func() (all [][]float32) {
				for _, w := range m.weights {
					all = append(all, w.Data)
				}
				return all
			}
			compare("w", values(), golden.Abs(0))
			compare("opt", state(), golden.Abs(0))
			golden.Compare(t, "predictions", predict(t, m, batch(t, xs, 0)).Data, got["out"].Float32(), golden.Abs(1e-5))
			if c.random {
				return
			}
			for i := range after {
				loss := step(t, m, goldenData(t, batch(t, xs, before+i), batch(t, ys, before+i)))
				golden.Compare(t, "loss", []float32{loss}, got["losses"].Float32()[i:i+1], golden.Abs(1e-4))
			}
			compare("after", values(), golden.Abs(1e-3))
			compare("opt_after", state(), golden.Tolerance{Abs: 1e-9, Rel: 1e-3})
		})
	}
}

// someBatches are the batches lo to hi.
func someBatches(t *testing.T, a *npy.Array, lo, hi int) *npy.Array {
	t.Helper()
	shape := append([]int{hi - lo}, a.Shape[1:]...)
	n := tensor.Shape(a.Shape[1:]).Size()
	if a.Kind() == 'f' {
		return npy.From(a.Float32()[lo*n:hi*n], shape...)
	}
	ids, err := a.Int32()
	if err != nil {
		t.Fatal(err)
	}
	return npy.From(ids[lo*n:hi*n], shape...)
}
