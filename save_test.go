package unroll

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
)

// member is a member of a `.keras` file.
func member(t testing.TB, path, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tree is an HDF5 file as path -> attributes, type, shape and bytes.
func tree(t *testing.T, data []byte) map[string]any {
	t.Helper()
	f, err := hdf5.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	var walk func(g *hdf5.Group)
	walk = func(g *hdf5.Group) {
		for _, key := range g.Keys() {
			o, err := g.Lookup(key)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range o.AttrNames() {
				a, _ := o.Attr(name)
				text, err := a.Text()
				if err != nil {
					t.Fatal(err)
				}
				all[o.Path()+"@"+name] = a.Type().String() + " " + text
			}
			if d, ok := o.(*hdf5.Dataset); ok {
				raw := make([]byte, d.Len()*d.Type().Size)
				if err := d.ReadRaw(raw); err != nil {
					t.Fatal(err)
				}
				all[d.Path()] = []any{d.Type().String(), d.Shape(), raw}
				continue
			}
			all[o.Path()] = "group"
			walk(o.(*hdf5.Group))
		}
	}
	walk(f.Root())
	return all
}

// plain is a config without what differs though nothing does: ids of shared objects, the batch's size, null keys that older
// versions of Keras do not know, and how Keras runs it.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			switch k {
			case "shared_object_id", "input_axes", "output_axes", "jit_compile":
				continue
			case "batch_shape", "input_shape", "build_input_shape":
				e = append([]any{nil}, e.([]any)[1:]...)
			}
			m[k] = plain(e)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			s[i] = plain(e)
		}
		return s
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return err
		}
		return f
	}
	return v
}

// A file of Keras that was loaded and saved again is the same file: the same config, the same groups and datasets with the same
// types, attributes and bytes.
func TestSavesAsKeras(t *testing.T) {
	for _, f := range kerasFiles(t) {
		t.Run(f.Meta.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.keras")
			if err := f.load(t).Save(path); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tree(t, member(t, f.path, "model.weights.h5")), tree(t, member(t, path, "model.weights.h5"))); d != "" {
				t.Errorf("weights (-Keras +ours):\n%s", d)
			}
			var configs [2]map[string]any
			for i, p := range []string{f.path, path} {
				c, err := keras.Decode(p, member(t, p, "config.json"))
				if err != nil {
					t.Fatal(err)
				}
				if f.X.IDs != nil { // Keras takes its own default for ids when nobody says what comes in
					layerConfig(c, 0)["dtype"] = "int32"
				}
				compile := compileConfig(c)
				// Keras keeps the name that was given, here a loss is an object always.
				loss, err := losses.Deserialize("loss", compile["loss"])
				if err != nil {
					t.Fatal(err)
				}
				compile["loss"] = loss.Class()
				if m, ok := compile["metrics"].([]any); ok && m[0] == "mae" {
					compile["metrics"] = nil
				}
				configs[i] = plain(c).(map[string]any)
			}
			if d := cmp.Diff(configs[0], configs[1]); d != "" {
				t.Errorf("config (-Keras +ours):\n%s", d)
			}
		})
	}
}

// A model that was saved and loaded is the same to the bit: weights, predictions, what its optimizer remembers, and every step
// that it goes on with.
func TestSaveAndLoad(t *testing.T) {
	for _, c := range trials() {
		t.Run(c.name, func(t *testing.T) {
			m := c.model(t)
			x, y := c.batches(m, 5)
			path := filepath.Join(t.TempDir(), c.name+".keras")
			for i := range 5 {
				if i == 0 || i == 2 { // before the first step, and after some
					if err := m.Save(path); err != nil {
						t.Fatal(err)
					}
					again, err := Load(path)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(predict(t, m, batch(t, x, 0)).Data, predict(t, again, batch(t, x, 0)).Data) {
						t.Errorf("after %d steps: predictions differ", i)
					}
					m = again
				}
				step(t, m, goldenData(t, batch(t, x, i), batch(t, y, i)))
			}
			straight := c.model(t)
			for i := range 5 {
				step(t, straight, goldenData(t, batch(t, x, i), batch(t, y, i)))
			}
			for i, w := range straight.weights {
				if m.weights[i].Path != w.Path || m.weights[i].Trainable != w.Trainable {
					t.Errorf("weight %d: expected %s (trainable %v), got %s (%v)", i, w.Path, w.Trainable, m.weights[i].Path, m.weights[i].Trainable)
				}
				golden.Compare(t, w.Path, m.weights[i].Data, w.Data, golden.Abs(0))
			}
			for i, want := range straight.state() {
				golden.Compare(t, "the optimizer's state", m.state()[i], want, golden.Abs(0))
			}
			if d := cmp.Diff(straight.compiled.config(), m.compiled.config(), cmp.Comparer(func(a, b *keras.Object) bool { return cmp.Equal(a.Encode(), b.Encode()) })); d != "" {
				t.Errorf("compile_config (-want +got):\n%s", d)
			}
		})
	}
}

func TestSaveRefuses(t *testing.T) {
	folder := t.TempDir()
	c := trials()[0]
	m := c.model(t)
	unbuilt, err := Sequential(layers.LSTM{Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	twice, err := Sequential(layers.Embedding{Name: "a", InputDim: 3, OutputDim: 2}, layers.SimpleRNN{Name: "a", Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	mixed := c.model(t)
	mixed.weights[1].Trainable = false
	if err := os.Mkdir(filepath.Join(folder, "folder.keras"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "folder.keras", "x"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, path string
		m          *Model
		want       string
	}{
		{"another kind", "m.h5", m, `expected a file name that ends in .keras, got "`},
		{"no folder", "none/m.keras", m, "none/m.keras: no such file or directory"},
		{"a folder", "folder.keras", m, "folder.keras: "},
		{"not built", "m.keras", unbuilt, "the model is not built yet"},
		{"two names", "m.keras", twice, `got "a" twice`},
		{"half trained", "m.keras", mixed, `layer "simple_rnn": expected all of its weights to be trained or none, got 2 trained and 1 not`},
	} {
		err := c.m.Save(filepath.Join(folder, c.path))
		if err == nil || !strings.HasPrefix(err.Error(), "unroll: Save: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), ".tmp") {
			t.Errorf("%s: expected an error with %s, got %v", c.what, c.want, err)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("expected nothing to be left behind, got %v", left)
	}
}

// A file that cannot be replaced is kept, and one that can holds the new model afterwards.
func TestSaveReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.keras")
	c := trials()[0]
	m := c.model(t)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m.weights[1].Trainable = false // cannot be saved
	if err := m.Save(path); err == nil {
		t.Fatal("expected an error, got none")
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, old) {
		t.Errorf("expected the old file, got another (%v)", err)
	}
	m.weights[1].Trainable = true
	m.weights[1].Data[0] = 42
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.weights[1].Data[0]; got != 42 {
		t.Errorf("expected the new weight 42, got %v", got)
	}
}
