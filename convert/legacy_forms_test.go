package convert

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// writeTree writes a file of the tree that fill makes.
func writeTree(t *testing.T, fill func(root *hdf5.GroupBuilder)) string {
	t.Helper()
	root := hdf5.NewGroup()
	fill(root)
	path := filepath.Join(t.TempDir(), "file.h5")
	if err := durable.Write(path, func(w io.Writer) error { return hdf5.Write(w, root) }); err != nil {
		t.Fatal(err)
	}
	return path
}

// Keras 1 had three arrays a gate: of an LSTM in the order i, c, f, o, of a GRU z, r, h. Here the gates of a fused weight are taken apart into such.
func TestWeightsOfKeras1(t *testing.T) {
	for name, c := range map[string]struct {
		spec  layers.Spec
		gates []int // of the fused weight, in Keras 1's order
	}{
		"lstm": {layers.LSTM{Units: 3}, []int{0, 2, 1, 3}},
		"gru":  {layers.GRU{Units: 3, NoResetAfter: true}, []int{0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			build := func(seed uint64) *unroll.Model {
				m := builtOf(t, []layers.Spec{layers.Input{Shape: tensor.Shape{4, 2}}, layers.Bidirectional{Layer: c.spec}, layers.Dense{Units: 1}})
				if err := m.Init(seed); err != nil {
					t.Fatal(err)
				}
				return m
			}
			from, to := build(1), build(2)
			for _, w := range from.Weights() {
				for i := range w.Data {
					w.Data[i] += float32(i%7) / 8
				}
			}
			path := writeTree(t, func(root *hdf5.GroupBuilder) {
				var all []string
				for _, l := range from.Layers() {
					if len(l.Weights) == 0 {
						continue
					}
					all = append(all, l.Name)
					var arrays []string
					g := root.Group(l.Name)
					add := func(shape tensor.Shape, data []float32) {
						arrays = append(arrays, fmt.Sprintf("array_%d", len(arrays)))
						g.Dataset(arrays[len(arrays)-1], shape, data)
					}
					if l.Spec.Class() == "Dense" {
						for _, w := range l.Weights {
							add(w.Shape, w.Data)
						}
					} else {
						for half := range 2 {
							for _, gate := range c.gates {
								for _, w := range l.Weights[3*half : 3*half+3] {
									width := w.Shape[len(w.Shape)-1]
									var part []float32
									for r := 0; r < len(w.Data); r += width {
										part = append(part, w.Data[r+3*gate:r+3*gate+3]...)
									}
									shape := w.Shape.Clone()
									shape[len(shape)-1] = 3
									add(shape, part)
								}
							}
						}
					}
					g.SetAttr("weight_names", hdf5.FixedStrings(arrays))
				}
				root.SetAttr("layer_names", hdf5.FixedStrings(all))
			})
			if err := LoadWeights(to, path, false); err != nil {
				t.Fatal(err)
			}
			for i, w := range from.Weights() {
				golden.Compare(t, w.Path, to.Weights()[i].Data, w.Data, golden.Abs(0))
			}
		})
	}
}

// Names of more than 64,512 bytes stand in several attributes, in files of Keras and in ours.
func TestManyNames(t *testing.T) {
	specs := []layers.Spec{layers.Input{Shape: tensor.Shape{2}}}
	for i := range 40 {
		specs = append(specs, layers.Dense{Name: fmt.Sprintf("dense_%d_%s", i, strings.Repeat("x", 1700)), Units: 2})
	}
	m := builtOf(t, specs)
	path := filepath.Join(t.TempDir(), "many.h5")
	if err := Save(m, path); err != nil {
		t.Fatal(err)
	}
	err := withHDF5(path, func(root *hdf5.Group, _ int64) error {
		g, err := root.Group("model_weights")
		if err != nil {
			return err
		}
		if _, whole := g.Attr("layer_names"); whole {
			t.Error("expected layer_names0, layer_names1, got one attribute")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range m.Weights() {
		golden.Compare(t, fmt.Sprint("weight ", i), again.Weights()[i].Data, w.Data, golden.Abs(0))
	}
}

func TestWeightsByName(t *testing.T) {
	from := builtOf(t, []layers.Spec{layers.Input{Shape: tensor.Shape{2}}, layers.Dense{Name: "a", Units: 3}, layers.Dense{Name: "b", Units: 2}})
	path := filepath.Join(t.TempDir(), "from.h5")
	if err := Save(from, path); err != nil {
		t.Fatal(err)
	}
	to := builtOf(t, []layers.Spec{layers.Input{Shape: tensor.Shape{3}}, layers.Dense{Name: "b", Units: 2}, layers.Dense{Name: "c", Units: 4}})
	if err := to.Init(5); err != nil {
		t.Fatal(err)
	}
	kept := slices.Clone(to.Weights()[2].Data)
	if err := LoadWeights(to, path, true); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "b", to.Weights()[0].Data, from.Weights()[2].Data, golden.Abs(0))
	golden.Compare(t, "c", to.Weights()[2].Data, kept, golden.Abs(0))
	other := builtOf(t, []layers.Spec{layers.Input{Shape: tensor.Shape{3}}, layers.Dense{Name: "c", Units: 2}})
	for _, names := range []bool{true, false} {
		if err := LoadWeights(other, path, names); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("by name %v: expected an error, got %v", names, err)
		}
	}
}

// What matters and is not understood is an error with its place in the file.
func TestWrongLegacyFiles(t *testing.T) {
	dense := `{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [null, 3]%s}}`
	for name, c := range map[string]struct{ version, config, want string }{
		"json":       {"2.15.0", `{`, "model_config: expected JSON"},
		"class":      {"2.15.0", `{"class_name": "Subclassed", "config": {}}`, "model_config.class_name: expected Sequential, Functional or Model"},
		"version":    {"two", `{}`, "keras_version: expected a version"},
		"layers":     {"2.15.0", `{"class_name": "Sequential", "config": {}}`, "model_config.config.layers: expected a list"},
		"layer":      {"2.15.0", `{"class_name": "Sequential", "config": [3]}`, "model_config.config.layers[0]: expected a layer"},
		"key":        {"2.2.4", `{"class_name": "Sequential", "config": [` + fmt.Sprintf(dense, `, "sharpness": 3`) + `]}`, `layers[1].config: unknown key "sharpness"`},
		"unknown":    {"2.15.0", `{"class_name": "Sequential", "config": [` + fmt.Sprintf(dense, "") + `, {"class_name": "Dens", "config": {}}]}`, `layers[2]: expected a layer that is offered here`},
		"lambda":     {"2.15.0", `{"class_name": "Sequential", "config": [` + fmt.Sprintf(dense, "") + `, {"class_name": "Lambda", "config": {}}]}`, `a Lambda layer is Python code`},
		"time_major": {"2.15.0", `{"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": {"units": 2, "time_major": true}}]}`, `layers[0].config.time_major: expected false`},
		"size":       {"2.15.0", `{"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": "d", "units": 200000, "batch_input_shape": [null, 100000]}}]}`, "weights that fit in the file"},
		"loop": {"2.15.0", `{"class_name": "Functional", "config": {"layers": [{"class_name": "Dense", "name": "d", "config": {"units": 2}, "inbound_nodes": [[["d", 0, 0, {}]]]}], "input_layers": [], "output_layers": [["d", 0, 0]]}}`,
			"expected layers that stand on the inputs"},
		"node": {"2.15.0", `{"class_name": "Functional", "config": {"layers": [{"class_name": "Dense", "name": "d", "config": {"units": 2}, "inbound_nodes": [[["d", "x"]]]}]}}`,
			"layers[0].inbound_nodes[0][0]: expected [layer, application, result, arguments]"},
	} {
		path := writeTree(t, func(root *hdf5.GroupBuilder) {
			root.SetAttr("keras_version", []byte(c.version))
			root.SetAttr("model_config", []byte(c.config))
			root.Group("model_weights").SetAttr("layer_names", hdf5.FixedStrings{})
		})
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, c.want, err)
		}
	}
	for name, path := range map[string]string{"weights alone": filepath.Join(legacyFolder, "tf215_cudnn_lstm_weights.h5"), "no file": filepath.Join(t.TempDir(), "none.h5"), "a folder": t.TempDir()} {
		if _, err := Load(path); err == nil {
			t.Errorf("%s: expected an error, got none", name)
		}
	}
}

// Nothing that a config may say crashes the reader.
func FuzzLegacyConfig(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(legacyFolder, "*.h5"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		err := withHDF5(path, func(root *hdf5.Group, _ int64) error {
			config, ok, err := text(root, "model_config")
			if ok {
				f.Add(versionOf(root), config)
			}
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, version, config string) {
		e, err := eraOf(version)
		if err != nil {
			return
		}
		raw, err := keras.Decode("model_config", []byte(config))
		if err != nil {
			return
		}
		normal, err := e.model("model_config", raw)
		if err != nil {
			return
		}
		encoded, err := keras.Encode(normal)
		if err != nil {
			return
		}
		m, err := unroll.FromJSON(encoded, unroll.Blank(1<<12))
		if err != nil {
			return
		}
		if _, err := legacyTree(m); err != nil && !strings.Contains(err.Error(), "expected") {
			t.Errorf("expected an error that says what was expected, got %v", err)
		}
	})
}

// A file that cannot be written leaves nothing behind.
func TestNothingIsHalfWritten(t *testing.T) {
	m := builtOf(t, []layers.Spec{layers.Input{Shape: tensor.Shape{2}}, layers.Dense{Units: 2}})
	folder := t.TempDir()
	for _, save := range []func(string) error{
		func(path string) error { return Save(m, path+".h5") },
		func(path string) error { return SaveTorch(m, path+".safetensors") },
	} {
		if err := save(filepath.Join(folder, "missing", "m")); err == nil {
			t.Error("expected an error, got none")
		}
	}
	if err := Save(m, filepath.Join(folder, "m.weights.h5")); err == nil {
		t.Error("m.weights.h5: expected an error, got none")
	}
	odd := builtOf(t, []layers.Spec{layers.Input{Shape: tensor.Shape{4, 2}}, layers.PeepholeLSTM(2)})
	if err := SaveTorch(odd, filepath.Join(folder, "odd.safetensors")); err == nil {
		t.Error("expected an error for a layer that PyTorch lacks, got none")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("expected an empty folder, got %v, %v", left, err)
	}
}
