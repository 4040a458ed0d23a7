package unroll

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// graphFile is a functional model that Keras saved, and what Keras makes of it. oracle/graphs.py writes them.
type graphFile struct {
	path   string
	arrays map[string]*npy.Array
	meta   graphMeta
}

type graphMeta struct {
	Logs    []string
	Summary string
	Tol     map[string]float64 // wider tolerances, where rounding decides
}

func graphFiles(t *testing.T) []graphFile {
	t.Helper()
	return graphsIn(t, "testdata/graphs")
}

// graphsIn are those of a folder.
func graphsIn(t *testing.T, folder string) []graphFile {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.npz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("expected graphs in %s, got %v, %v", folder, paths, err)
	}
	var all []graphFile
	for _, p := range paths {
		f := graphFile{path: strings.TrimSuffix(p, ".npz") + ".keras"}
		if f.arrays, err = npy.ReadNPZ(p); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(f.arrays["meta"].Bytes(), &f.meta); err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// numbered are the arrays prefix0, prefix1 …; of a stack of them that of one step, unless it is negative.
func numbered(t *testing.T, arrays map[string]*npy.Array, prefix string, step int) (all []any) {
	t.Helper()
	for i := 0; ; i++ {
		a := arrays[fmt.Sprintf("%s%d", prefix, i)]
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

// graphStep is the data of a training step.
func graphStep(t *testing.T, arrays map[string]*npy.Array, step int) Data {
	t.Helper()
	d, err := Arrays(numbered(t, arrays, "xs", step), numbered(t, arrays, "ys", step))
	if err != nil {
		t.Fatal(err)
	}
	ws := numbered(t, arrays, "ws", step)
	if ws == nil {
		return d
	}
	var weights []*tensor.Tensor
	for _, w := range ws {
		weights = append(weights, w.(*tensor.Tensor))
	}
	if d, err = SampleWeights(d, weights...); err != nil {
		t.Fatal(err)
	}
	return d
}

// compareGraph predicts, trains and evaluates as arrays say.
func compareGraph(t *testing.T, m *Model, arrays map[string]*npy.Array, meta *graphMeta) {
	t.Helper()
	d, err := Arrays(numbered(t, arrays, "x", -1), nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.PredictAll(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		golden.Compare(t, fmt.Sprintf("output %d", i), o.Data, arrays[fmt.Sprintf("out%d", i)].Float32(), golden.Abs(1e-5))
	}
	losses := arrays["losses"]
	if losses == nil {
		return
	}
	var got []float32
	for i := range losses.Shape[0] {
		got = append(got, step(t, m, graphStep(t, arrays, i)))
	}
	golden.Compare(t, "losses", got, losses.Float32(), golden.Tolerance{Abs: max(1e-4, meta.Tol["losses"]), Rel: 1e-5})
	for i, w := range m.weights {
		key := fmt.Sprintf("after/%d", i)
		golden.Compare(t, "after, "+w.Path, w.Data, arrays[key].Float32(), golden.Abs(max(1e-3, meta.Tol[key])))
	}
	if out, err = m.PredictAll(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if key := fmt.Sprintf("end%d", i); arrays[key] != nil {
			golden.Compare(t, "output in the end "+key, o.Data, arrays[key].Float32(), golden.Abs(max(1e-4, meta.Tol[key])))
		}
	}
	told, err := m.Evaluate(context.Background(), graphStep(t, arrays, 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != len(meta.Logs) {
		t.Errorf("expected the logs %v, got %v", meta.Logs, told)
	}
	for i, key := range meta.Logs {
		v, ok := told.Get(key)
		if !ok {
			t.Errorf("no %s among %v", key, told)
			continue
		}
		golden.Compare(t, key, []float32{float32(v)}, arrays["logs"].Float32()[i:i+1], golden.Tolerance{Abs: max(1e-3, meta.Tol["logs"]), Rel: 1e-5}) // told of weights that may be off by as much
	}
}

// Functional models of Keras predict here what they predict there, and go on training alike: several inputs and outputs, shared and nested layers, states handed from
// layer to layer, sample weights, loss weights.
func TestKerasGraphs(t *testing.T) {
	for _, f := range graphFiles(t) {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			m, err := Load(f.path)
			if err != nil {
				t.Fatal(err)
			}
			compareGraph(t, m, f.arrays, &f.meta)
			checkOrder(t, f.path)
		})
	}
}

// checkOrder: the layers stand in the order in which Keras has them, which is that of the file, also where no file says it.
func checkOrder(t *testing.T, path string) {
	t.Helper()
	config, err := keras.Decode(path, member(t, path, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := keras.ParseObject(path, config)
	if err != nil {
		t.Fatal(err)
	}
	room := 1 << 30
	r := keras.Read("config", o.Config)
	in, out, order, err := symbolsOf("config", r, r.Objects("layers"), &room)
	if err != nil {
		t.Fatal(err)
	}
	m, err := functional(in, out, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := func(parts []*part) (all []string) {
		for _, p := range parts {
			all = append(all, p.name)
		}
		return all
	}
	if got, want := names(m.listed), names(order); !slices.Equal(got, want) {
		t.Errorf("expected the layers in Keras's order %v, got %v", want, got)
	}
}

// The table is Keras's, but for the operations by which Keras writes masks out, which are no layers here.
func TestGraphSummary(t *testing.T) {
	for _, f := range graphFiles(t) {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			if strings.Contains(f.meta.Summary, "NotEqual") {
				t.Skip("Keras lists the operations that make its masks")
			}
			m, err := Load(f.path, Uncompiled())
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := m.Summary(&b, Keras3); err != nil {
				t.Fatal(err)
			}
			want := strings.Split(f.meta.Summary, "\n")
			i := slices.IndexFunc(want, func(line string) bool { return strings.HasPrefix(line, " Total params") })
			got := strings.Split(b.String(), "\n")
			if i < 0 || len(got) < i || strings.Join(got[:i], "\n") != strings.Join(want[:i], "\n") {
				t.Errorf("expected\n%s\ngot\n%s", f.meta.Summary, b.String())
			}
		})
	}
}

// What Save makes of a graph is the model again, bit for bit, here; and where a Python with Keras is at hand (oracle/README.md), there.
func TestSavedGraphs(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	for _, f := range graphFiles(t) {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			m, err := Load(f.path)
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			file, in, out := filepath.Join(folder, "m.keras"), filepath.Join(folder, "in.npz"), filepath.Join(folder, "out.npz")
			if err := m.Save(file); err != nil {
				t.Fatal(err)
			}
			again, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			compareGraph(t, again, f.arrays, &f.meta)
			if python == "" {
				return
			}
			var names []string
			arrays := map[string]*npy.Array{}
			for k, a := range f.arrays {
				if strings.TrimRight(k, "0123456789") != k && k[0] != 'o' && !strings.Contains(k, "/") {
					names, arrays[k] = append(names, k), a
				}
			}
			if err := npy.SaveNPZ(in, names, arrays); err != nil {
				t.Fatal(err)
			}
			c := exec.Command(python, "oracle/graphs.py", "check", file, in, out)
			if log, err := c.CombinedOutput(); err != nil {
				t.Fatalf("Keras does not load the file: %v\n%s", err, log)
			}
			got, err := npy.ReadNPZ(out)
			if err != nil {
				t.Fatal(err)
			}
			m, err = Load(f.path)
			if err != nil {
				t.Fatal(err)
			}
			for k, a := range got {
				if k != "meta" {
					f.arrays[k] = a
				}
			}
			compareGraph(t, m, f.arrays, &f.meta)
		})
	}
}
