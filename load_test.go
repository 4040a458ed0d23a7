package unroll

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// kerasFile is a model that Keras 3.15.1 trained for two steps and saved, and what Keras makes of the file.
// oracle/keras_files.py writes them.
type kerasFile struct {
	path string
	*golden.Case
	arrays map[string]*npy.Array
}

func kerasFiles(t *testing.T) []kerasFile {
	t.Helper()
	paths, err := golden.Files("testdata/keras")
	if err != nil {
		t.Fatal(err)
	}
	var files []kerasFile
	for _, p := range paths {
		c, err := golden.Load(p)
		if err != nil {
			t.Fatal(err)
		}
		arrays, err := npy.ReadNPZ(p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, kerasFile{strings.TrimSuffix(p, ".npz") + ".keras", c, arrays})
	}
	return files
}

// archive is a `.keras` file of these two members.
func archive(t *testing.T, config, weights []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range map[string][]byte{"config.json": config, "model.weights.h5": weights} {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// edited is a `.keras` file with its config changed.
func edited(t *testing.T, path string, edit func(config map[string]any)) []byte {
	t.Helper()
	config, err := keras.Decode(path, member(t, path, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	edit(config)
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return archive(t, data, member(t, path, "model.weights.h5"))
}

func (f *kerasFile) load(t *testing.T) *Model {
	t.Helper()
	m, err := Load(f.path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func predict(t *testing.T, m *Model, x golden.Batch) *tensor.Tensor {
	t.Helper()
	out, err := m.Predict(context.Background(), goldenData(t, x, golden.Batch{}))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// step trains on one batch and returns its loss.
func step(t *testing.T, m *Model, d Data) float32 {
	t.Helper()
	if err := m.ready(d); err != nil {
		t.Fatal(err)
	}
	s := m.newSession(m.compiled, true)
	defer s.close()
	total := newSums(m.compiled)
	loss, err := s.train(d, s.some(0, d.Len()), 0, 0, &total)
	if err != nil {
		t.Fatal(err)
	}
	return float32(loss)
}

// state are the optimizer's variables in Keras's order, the counter and the rate first.
func (m *Model) state() [][]float32 {
	c := m.compiled
	all := [][]float32{{float32(c.iteration)}, {float32(c.rate)}}
	for _, v := range c.optimizerState(m) {
		all = append(all, v.values)
	}
	return all
}

// What Keras wrote has the same weights and the same optimizer state here, predicts the same, and goes on training with the
// same numbers.
func TestLoadsFilesOfKeras(t *testing.T) {
	for _, f := range kerasFiles(t) {
		t.Run(f.Meta.Name, func(t *testing.T) {
			m := f.load(t)
			if len(m.weights) != len(f.Weights) {
				t.Fatalf("expected %d weights, got %d", len(f.Weights), len(m.weights))
			}
			for i, w := range f.Weights {
				// Keras leaves out what is around a part that it built for itself.
				if got := m.weights[i].Path; got != w.Path && !strings.HasSuffix(got, "/"+w.Path) {
					t.Errorf("weight %d: expected the name %s, got %s", i, w.Path, got)
				}
				golden.Compare(t, w.Path, m.weights[i].Data, w.Value.Data, golden.Abs(0))
			}
			f.compareState(t, m, "opt", func(int) golden.Tolerance { return golden.Abs(0) })
			golden.Compare(t, "prediction", predict(t, m, f.X).Data, f.Out.Data, f.Meta.OutTolerance())
			if !f.Meta.Train { // training draws dropout
				return
			}
			if len(f.Steps) != 3 {
				t.Fatalf("expected 3 steps in the golden, got %d", len(f.Steps))
			}
			for i, s := range f.Steps {
				loss := step(t, m, goldenData(t, s.X, s.Y))
				golden.Compare(t, fmt.Sprintf("loss of step %d", i+1), []float32{loss}, []float32{s.Loss}, f.Meta.LossTolerance())
			}
			for i, w := range f.Weights {
				golden.Compare(t, w.Path+" after", m.weights[i].Data, w.After.Data, f.Meta.AfterTolerance(i))
			}
			// Slots are squares and means of gradients: relative to the largest, as gradients are.
			f.compareState(t, m, "opt_after", func(int) golden.Tolerance { return golden.Tolerance{Abs: 1e-9, Rel: 1e-3} })
		})
	}
}

func (f *kerasFile) compareState(t *testing.T, m *Model, prefix string, tol func(int) golden.Tolerance) {
	t.Helper()
	state := m.state()
	if f.arrays[fmt.Sprintf("%s/%d", prefix, len(state))] != nil {
		t.Errorf("%s: Keras has more than %d variables", prefix, len(state))
	}
	for i, got := range state {
		name := fmt.Sprintf("%s/%d", prefix, i)
		want := f.arrays[name]
		if want == nil {
			t.Fatalf("%s: none in the golden", name)
		}
		golden.Compare(t, name, got, want.Float32(), tol(i))
	}
}

// The sizes of a file's config are not believed before its weights have been seen to be there.
func TestLoadIsBounded(t *testing.T) {
	for name, edit := range map[string]func(layer map[string]any){
		"a table": func(l map[string]any) { l["input_dim"] = 1 << 28 },
		"a width": func(l map[string]any) { l["output_dim"] = 1 << 28 },
		"both":    func(l map[string]any) { l["input_dim"], l["output_dim"] = 1<<28, 1<<28 },
		"a digit": func(l map[string]any) { l["input_dim"] = 1e6 },
	} {
		data := edited(t, "testdata/keras/lecture_simple_rnn.keras", func(c map[string]any) { edit(layerConfig(c, 1)) })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := load(bytes.NewReader(data), int64(len(data)), loadOptions{})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "fit in the file") {
			t.Errorf("%s: expected an error about the size, got %v", name, err)
		}
		// JSON takes some dozens of bytes for each of its own.
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(32*len(data)); got > most {
			t.Errorf("%s: expected at most %d bytes to be allocated for a file of %d, got %d", name, most, len(data), got)
		}
	}
}

func layerConfig(config map[string]any, n int) map[string]any {
	return layerObject(config, n)["config"].(map[string]any)
}

func layerObject(config map[string]any, n int) map[string]any {
	return config["config"].(map[string]any)["layers"].([]any)[n].(map[string]any)
}

func compileConfig(config map[string]any) map[string]any {
	return config["compile_config"].(map[string]any)
}

// Layers of lecture_simple_rnn.keras: 0 input, 1 embedding, 2 simple_rnn, 3 dense.
func TestLoadRefuses(t *testing.T) {
	policy := map[string]any{"module": "keras", "class_name": "DTypePolicy", "config": map[string]any{"name": "mixed_float16"}}
	for name, c := range map[string]struct {
		edit func(c map[string]any)
		want string
	}{
		"a Lambda": {func(c map[string]any) { layerObject(c, 2)["class_name"] = "Lambda" },
			"config.json.config.layers[2]: a Lambda layer is Python code, which is not run here"},
		"an unknown class": {func(c map[string]any) { layerObject(c, 2)["class_name"] = "ConvLSTM2D" }, `layers[2]: expected a layer that is offered here`},
		"a user's class":   {func(c map[string]any) { layerObject(c, 2)["registered_name"] = "mine>SimpleRNN" }, `got "mine>SimpleRNN"`},
		"a user's model":   {func(c map[string]any) { c["registered_name"] = "A>Sequential" }, `config.json: expected a Sequential or a Functional model, got "A>Sequential"`},
		"no graph":         {func(c map[string]any) { c["class_name"] = "Functional" }, `config.json.config: unknown key "build_input_shape"`},
		"dropout":          {func(c map[string]any) { layerConfig(c, 2)["dropout"] = 1.5 }, "layers[2].config.dropout: expected a number from 0 to 1, got 1.5"},
		"a state":          {func(c map[string]any) { layerConfig(c, 2)["stateful"] = "yes" }, "layers[2].config.stateful: expected true or false"},
		"zeros for masks":  {func(c map[string]any) { layerConfig(c, 2)["zero_output_for_mask"] = 1 }, "layers[2].config.zero_output_for_mask: expected true or false, got 1"},
		"a regularizer":    {func(c map[string]any) { layerConfig(c, 3)["kernel_regularizer"] = map[string]any{"class_name": "L3"} }, "layers[3].config.kernel_regularizer: regularizers: expected the name of a regularizer"},
		"a constraint":     {func(c map[string]any) { layerConfig(c, 1)["embeddings_constraint"] = "Positive" }, `layers[1].config.embeddings_constraint: constraints: expected the name of a constraint`},
		"a policy":         {func(c map[string]any) { layerConfig(c, 3)["dtype"] = policy }, `layers[3].config.dtype: expected float32 (nothing else is supported), got "mixed_float16"`},
		"a dtype":          {func(c map[string]any) { layerConfig(c, 3)["dtype"] = "bfloat16" }, `layers[3].config.dtype: expected float32`},
		"an input's dtype": {func(c map[string]any) { layerConfig(c, 0)["dtype"] = "complex64" }, `layers[0].config.dtype: expected`},
		"sparse input":     {func(c map[string]any) { layerConfig(c, 0)["sparse"] = true }, "layers[0].config.sparse: expected false"},
		"no width":         {func(c map[string]any) { layerConfig(c, 2)["units"] = 0 }, "layers[2].config.units: expected an integer from 1 to"},
		"a negative width": {func(c map[string]any) { layerConfig(c, 1)["input_dim"] = -4 }, "layers[1].config.input_dim: expected an integer from 1 to"},
		"a fraction":       {func(c map[string]any) { layerConfig(c, 2)["units"] = 1.5 }, "layers[2].config.units: expected an integer, got 1.5"},
		"an activation":    {func(c map[string]any) { layerConfig(c, 3)["activation"] = "sigmoidal" }, "layers[3].config.activation"},
		"an initializer":   {func(c map[string]any) { layerConfig(c, 3)["kernel_initializer"] = "glorious" }, "layers[3].config.kernel_initializer"},
		"an unknown key":   {func(c map[string]any) { layerConfig(c, 3)["lora"] = 4 }, `layers[3].config: unknown key "lora"`},
		"a low rank":       {func(c map[string]any) { layerConfig(c, 3)["lora_rank"] = 4 }, `layers[3].config.lora_rank: expected null (nothing else is supported), got 4`},
		"a factor below 0": {func(c map[string]any) {
			layerConfig(c, 3)["kernel_regularizer"] = map[string]any{"class_name": "L2", "config": map[string]any{"l2": -1}}
		}, "Dense: kernel_regularizer: regularizers: L2: l2 must be a finite number from 0, got -1"},
		"two names":       {func(c map[string]any) { layerConfig(c, 3)["name"] = "simple_rnn" }, `expected a name of its own for every layer, got "simple_rnn" twice`},
		"a slash":         {func(c map[string]any) { layerConfig(c, 3)["name"] = "a/b" }, `without slashes, got "a/b"`},
		"other weights":   {func(c map[string]any) { layerConfig(c, 3)["units"] = 2 }, "/layers/dense/vars/0: expected shape (8, 2), got (8, 1)"},
		"too few weights": {func(c map[string]any) { layerConfig(c, 3)["use_bias"] = false }, "layers/dense/vars: expected 1 weights, got 2"},
		"another layer": {func(c map[string]any) {
			layerObject(c, 3)["class_name"] = "Dropout"
			layerObject(c, 3)["config"] = map[string]any{"rate": 2, "name": "d"}
		},
			"layers[3].config.rate: expected a number from 0 to 1, got 2"},
		"no layers": {func(c map[string]any) {
			inner := c["config"].(map[string]any)
			inner["layers"] = inner["layers"].([]any)[:1]
		}, "expected at least one layer besides the input"},
		"a model without shape": {func(c map[string]any) {
			inner := c["config"].(map[string]any)
			inner["layers"], inner["build_input_shape"] = inner["layers"].([]any)[1:], nil
		}, "expected a built model"},
		"an optimizer": {func(c map[string]any) { compileConfig(c)["optimizer"].(map[string]any)["class_name"] = "Muan" }, `got "Muan"`},
		"another optimizer": {func(c map[string]any) {
			compileConfig(c)["optimizer"] = map[string]any{"class_name": "Adam", "config": map[string]any{}}
		}, "/optimizer/vars: expected 14 variables of Adam, got 8"},
		"a clip": {func(c map[string]any) {
			compileConfig(c)["optimizer"].(map[string]any)["config"].(map[string]any)["loss_scale_factor"] = 2.0
		}, "compile_config.optimizer.config.loss_scale_factor"},
		"no optimizer":     {func(c map[string]any) { delete(compileConfig(c), "optimizer") }, "config.json.compile_config: expected an optimizer, got none"},
		"a loss":           {func(c map[string]any) { compileConfig(c)["loss"] = "triplet" }, `config.json.compile_config.loss: losses: expected the name of a loss`},
		"a metric":         {func(c map[string]any) { compileConfig(c)["metrics"] = []any{"acc", "area"} }, "config.json.compile_config.metrics[1]: metrics: expected the name of a metric"},
		"loss weights":     {func(c map[string]any) { compileConfig(c)["loss_weights"] = []any{2.0, 1.0} }, "config.json.compile_config.loss_weights: expected an entry for every output of the model, 1"},
		"weighted metrics": {func(c map[string]any) { compileConfig(c)["weighted_metrics"] = "acc" }, "config.json.compile_config.weighted_metrics: expected a list of metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			data := edited(t, "testdata/keras/lecture_simple_rnn.keras", c.edit)
			_, err := load(bytes.NewReader(data), int64(len(data)), loadOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("expected an error with %s, got %v", c.want, err)
			}
			if strings.Contains(err.Error(), "compile") || strings.Contains(err.Error(), "optimizer") {
				if _, err := load(bytes.NewReader(data), int64(len(data)), loadOptions{uncompiled: true}); err != nil {
					t.Errorf("uncompiled: expected no error, got %v", err)
				}
			}
		})
	}
}

// Harmless differences between writers are not errors.
func TestLoadAccepts(t *testing.T) {
	for name, edit := range map[string]func(c map[string]any){
		"a dtype by name":    func(c map[string]any) { layerConfig(c, 3)["dtype"] = "float32" },
		"ids as int64":       func(c map[string]any) { layerConfig(c, 0)["dtype"] = "int64" },
		"unrolled":           func(c map[string]any) { layerConfig(c, 2)["unroll"] = true },
		"a bare initializer": func(c map[string]any) { layerConfig(c, 3)["kernel_initializer"] = "he_normal" },
		"no compile_config":  func(c map[string]any) { delete(c, "compile_config") },
		"an empty one":       func(c map[string]any) { c["compile_config"] = map[string]any{} },
		"XLA":                func(c map[string]any) { compileConfig(c)["jit_compile"] = true },
		"a function in words": func(c map[string]any) {
			layerConfig(c, 3)["activation"] = map[string]any{"module": "builtins", "class_name": "function", "config": "sigmoid", "registered_name": "function"}
		},
		"no Input": func(c map[string]any) {
			inner := c["config"].(map[string]any)
			inner["layers"] = inner["layers"].([]any)[1:]
		},
	} {
		data := edited(t, "testdata/keras/lecture_simple_rnn.keras", edit)
		if _, err := load(bytes.NewReader(data), int64(len(data)), loadOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is cut off or changed in a file, loading ends with an error or with a model.
func TestLoadOfDamagedFiles(t *testing.T) {
	whole, err := os.ReadFile("testdata/keras/lstm.keras")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 97 {
		if _, err := load(bytes.NewReader(whole[:n]), int64(n), loadOptions{}); err == nil {
			t.Errorf("cut after %d of %d bytes: expected an error, got none", n, len(whole))
		}
	}
	wrong := 0
	for at := 11; at < len(whole); at += 61 {
		data := bytes.Clone(whole)
		data[at] ^= 0x55
		if _, err := load(bytes.NewReader(data), int64(len(data)), loadOptions{}); err != nil {
			wrong++
		}
	}
	// Every byte of config.json and of the weights is under a checksum of the archive; what is left is its own headers.
	if all := (len(whole) - 11 + 60) / 61; wrong < all*9/10 {
		t.Errorf("of %d damaged files only %d were refused", all, wrong)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "expected a file") {
		t.Errorf("a folder: got error %v", err)
	}
	if _, err := Load("testdata/keras/none.keras"); err == nil || strings.Count(err.Error(), "none.keras") != 1 {
		t.Errorf("no file: got error %v", err)
	}
}

// FuzzLoad changes the config of a small file; the weights stay. Most inputs fail, so that minimizing them is a waste: run it with
// -fuzzminimizetime=1x.
func FuzzLoad(f *testing.F) {
	const path = "testdata/keras/bidirectional.keras"
	config, weights := member(f, path, "config.json"), member(f, path, "model.weights.h5")
	f.Add(config)
	f.Add(bytes.ReplaceAll(config, []byte(`"LSTM"`), []byte(`"Recurrent"`)))
	f.Add(bytes.ReplaceAll(config, []byte(`"units": 4`), []byte(`"units": 268435456`)))
	f.Fuzz(func(t *testing.T, config []byte) {
		data := archive(t, config, weights)
		m, err := load(bytes.NewReader(data), int64(len(data)), loadOptions{})
		if err != nil {
			return
		}
		// A model that was loaded can be saved and loaded again.
		var again bytes.Buffer
		if err := m.write(&again); err != nil {
			t.Fatalf("saving: %v", err)
		}
		if _, err := load(bytes.NewReader(again.Bytes()), int64(again.Len()), loadOptions{}); err != nil {
			t.Fatalf("loading again: %v", err)
		}
	})
}

// A weight may be anything that a float32 can be: what training made of it is kept.
func TestLoadKeepsNaN(t *testing.T) {
	m, err := Sequential(layers.Embedding{InputDim: 3, OutputDim: 2}, layers.SimpleRNN{Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	m.weights[0].Data[1] = float32(math.NaN())
	m.weights[1].Data[0] = float32(math.Inf(-1))
	var b bytes.Buffer
	if err := m.write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := load(bytes.NewReader(b.Bytes()), int64(b.Len()), loadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if v := got.weights[0].Data[1]; v == v {
		t.Errorf("expected NaN, got %v", v)
	}
	if v := got.weights[1].Data[0]; !math.IsInf(float64(v), -1) {
		t.Errorf("expected -Inf, got %v", v)
	}
}
