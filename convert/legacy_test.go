package convert

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// legacyFolder has files that several versions of Keras saved, and what each makes of its own. oracle/legacy_files.py writes them.
const legacyFolder = "../testdata/legacy"

// values are the arrays PREFIX/0, PREFIX/1 … of a file; of a stack of steps that of one, unless it is negative.
func values(t *testing.T, arrays map[string]*npy.Array, prefix string, step int) (all []any) {
	t.Helper()
	for i := 0; ; i++ {
		a := arrays[fmt.Sprintf("%s/%d", prefix, i)]
		if a == nil {
			return all
		}
		shape := tensor.Shape(a.Shape)
		from, to := 0, shape.Size()
		if step >= 0 {
			shape = shape[1:]
			from, to = step*shape.Size(), (step+1)*shape.Size()
		}
		if a.Kind() == 'f' {
			all = append(all, &tensor.Tensor{Shape: shape, Data: a.Float32()[from:to]})
			continue
		}
		ids, err := a.Int32()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &tensor.IDs{Shape: shape, Data: ids[from:to]})
	}
}

func single(v []any) any {
	if len(v) == 1 {
		return v[0]
	}
	return v
}

func predictAll(t *testing.T, m *unroll.Model, x []any) []*tensor.Tensor {
	t.Helper()
	d, err := unroll.Arrays(single(x), nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.PredictAll(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// comparePredictions compares a model's with what a file says.
func comparePredictions(t *testing.T, m *unroll.Model, arrays map[string]*npy.Array) {
	t.Helper()
	for i, o := range predictAll(t, m, values(t, arrays, "x", -1)) {
		golden.Compare(t, fmt.Sprintf("output %d", i), o.Data, arrays[fmt.Sprintf("out/%d", i)].Float32(), golden.Abs(1e-5))
	}
}

// compareTraining trains on as the file says; order names the layers of the file. Moving averages of Keras 2.2 are left out: there they are corrected for their
// zero start, the correction is in no file, and so a loaded model's begin anew with the next batch.
func compareTraining(t *testing.T, m *unroll.Model, arrays map[string]*npy.Array, order []string) {
	t.Helper()
	var got []float32
	for i := range arrays["losses"].Shape[0] {
		d, err := unroll.Arrays(single(values(t, arrays, "xs", i)), single(values(t, arrays, "ys", i)))
		if err != nil {
			t.Fatal(err)
		}
		h, err := m.Fit(context.Background(), d, unroll.Epochs(1), unroll.BatchSize(d.Len()))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, float32(h.Values("loss")[0]))
	}
	golden.Compare(t, "losses", got, arrays["losses"].Float32(), golden.Tolerance{Abs: 1e-4, Rel: 1e-4})
	byName := map[string]unroll.LayerOf{}
	for _, l := range m.Layers() {
		byName[l.Name] = l
	}
	var version []byte
	for _, v := range arrays["versions"].Float64() {
		version = append(version, byte(v))
	}
	anew := bytes.HasPrefix(version, []byte("keras 2.2."))
	n := 0
	for _, name := range order {
		for _, w := range ordered(byName[name].Weights) {
			a := arrays[fmt.Sprintf("after/%d", n)]
			if a == nil {
				t.Fatalf("expected a weight after/%d for %s", n, w.Path)
			}
			if n++; w.Statistic && anew {
				continue
			}
			golden.Compare(t, "after, "+w.Path, w.Data, a.Float32(), golden.Abs(1e-3))
		}
	}
	if arrays[fmt.Sprintf("after/%d", n)] != nil {
		t.Errorf("expected %d weights in the file, got more", n)
	}
}

func layerOrder(t *testing.T, path string) (order []string) {
	t.Helper()
	err := withHDF5(path, func(root *hdf5.Group, _ int64) error {
		g, err := root.Group("model_weights")
		order, _ = names(g, "layer_names")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func legacyFiles(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(legacyFolder, "*.h5"))
	if err != nil || len(all) < 4 {
		t.Fatalf("expected files in %s, got %v, %v", legacyFolder, all, err)
	}
	var whole []string
	for _, path := range all {
		if !strings.HasSuffix(path, "_weights.h5") {
			whole = append(whole, path)
		}
	}
	return whole
}

// loadSaved is the model of a file, and what the Keras that saved it makes of it.
func loadSaved(t *testing.T, path string) (*unroll.Model, map[string]*npy.Array) {
	t.Helper()
	arrays, err := npy.ReadNPZ(strings.TrimSuffix(path, filepath.Ext(path)) + ".npz")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m, arrays
}

// What Keras 2 and 3 saved predicts here as there, and goes on training from where it stopped.
func TestLegacyFiles(t *testing.T) {
	for _, path := range legacyFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".h5"), func(t *testing.T) {
			m, arrays := loadSaved(t, path)
			comparePredictions(t, m, arrays)
			compareTraining(t, m, arrays, layerOrder(t, path))
		})
	}
}

// The `.keras` files of Keras 3.0, 3.5 and 3.10 predict and train on as there; Load has no other way for them than for those of today.
func TestKerasFilesOfOlderVersions(t *testing.T) {
	all, err := filepath.Glob(filepath.Join(legacyFolder, "k3*.keras"))
	if err != nil || len(all) < 8 {
		t.Fatalf("expected files in %s, got %v, %v", legacyFolder, all, err)
	}
	for _, path := range all {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".keras"), func(t *testing.T) {
			m, arrays := loadSaved(t, path)
			comparePredictions(t, m, arrays)
			if arrays["losses"] == nil {
				return // that Keras trains wrongly: the script says why
			}
			var order []string
			for _, l := range m.Layers() {
				order = append(order, l.Name)
			}
			compareTraining(t, m, arrays, order)
		})
	}
}

// What we write we read, and it predicts and trains on as before.
func TestLegacyRoundTrip(t *testing.T) {
	for _, path := range legacyFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".h5"), func(t *testing.T) {
			m, arrays := loadSaved(t, path)
			again := filepath.Join(t.TempDir(), "again.h5")
			if err := Save(m, again); err != nil {
				t.Fatal(err)
			}
			m, err := Load(again)
			if err != nil {
				t.Fatal(err)
			}
			comparePredictions(t, m, arrays)
			compareTraining(t, m, arrays, layerOrder(t, path))
		})
	}
}

// Layers for cuDNN keep their weights in an order of their own.
func TestWeightsOfCuDNN(t *testing.T) {
	for name, spec := range map[string]layers.Spec{"lstm": layers.LSTM{Units: 3}, "gru": layers.GRU{Units: 3}} {
		t.Run(name, func(t *testing.T) {
			arrays, err := npy.ReadNPZ(filepath.Join(legacyFolder, "tf215_cudnn_"+name+".npz"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := unroll.Sequential(layers.Input{Shape: tensor.Shape{4, 2}}, spec, layers.Dense{Units: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Build(tensor.Shape{tensor.None, 4, 2}); err != nil && m.Output() == nil {
				t.Fatal(err)
			}
			if err := LoadWeights(m, filepath.Join(legacyFolder, "tf215_cudnn_"+name+"_weights.h5"), false); err != nil {
				t.Fatal(err)
			}
			comparePredictions(t, m, arrays)
		})
	}
}

// Keras, whichever UNROLL_ORACLE_PYTHON has, and tf-keras in UNROLL_ORACLE_TF_KERAS, load what Save writes and predict alike. tf-keras trains on, too.
func TestKerasLoadsOurLegacyFiles(t *testing.T) {
	for _, program := range []struct {
		variable, reader string
		keras3           bool
	}{{"UNROLL_ORACLE_PYTHON", "keras", true}, {"UNROLL_ORACLE_TF_KERAS", "tf_keras", false}} {
		python := os.Getenv(program.variable)
		if python == "" {
			t.Logf("%s is not set: no Python with %s to ask", program.variable, program.reader)
			continue
		}
		for _, path := range legacyFiles(t) {
			name := strings.TrimSuffix(filepath.Base(path), ".h5")
			if !program.keras3 && strings.HasSuffix(name, "_graph") {
				continue // models within a model: in Keras 3's words alone
			}
			if program.keras3 && !strings.HasPrefix(name, "k3") && (strings.HasSuffix(name, "_gates") || strings.Contains(name, "legacy")) {
				continue // functions and formulas of Keras 2
			}
			if !program.keras3 && strings.HasPrefix(name, "k3") && strings.HasSuffix(name, "_gates") {
				continue // hard_sigmoid of Keras 3
			}
			t.Run(program.reader+"/"+name, func(t *testing.T) {
				m, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				ours := filepath.Join(t.TempDir(), "ours.h5")
				if err := Save(m, ours); err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(t.TempDir(), "out.npz")
				if log, err := exec.Command(python, "../oracle/check_legacy_file.py", ours, strings.TrimSuffix(path, ".h5")+".npz", out).CombinedOutput(); err != nil {
					t.Fatalf("%s does not load the file: %v\n%s", program.reader, err, log)
				}
				got, err := npy.ReadNPZ(out)
				if err != nil {
					t.Fatal(err)
				}
				arrays, err := npy.ReadNPZ(strings.TrimSuffix(path, ".h5") + ".npz")
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; arrays[fmt.Sprintf("out/%d", i)] != nil; i++ {
					key := fmt.Sprintf("out/%d", i)
					golden.Compare(t, key, got[key].Float32(), arrays[key].Float32(), golden.Abs(1e-5))
				}
				// What Keras 2.15 takes an RMSprop for has epsilon outside of the root, so that its steps are others.
				if r, ok := m.Optimizer().(optimizers.RMSprop); ok && !r.Keras2 && r.Momentum == 0 {
					return
				}
				if got["losses"] != nil {
					golden.Compare(t, "losses", got["losses"].Float32(), arrays["losses"].Float32(), golden.Tolerance{Abs: 1e-4, Rel: 1e-4})
				} else if !program.keras3 {
					t.Error("expected tf-keras to train on")
				}
			})
		}
	}
}
