package unroll

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/schedules"
	"github.com/unroll-ml/unroll/tensor"
)

// member is a member of a `.keras` file.
func member(t *testing.T, path, name string) []byte {
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

// trial is a model of ours with data for it.
type trial struct {
	name   string
	specs  []layers.Spec
	input  tensor.Shape // for models that begin with floats
	opt    optimizers.Optimizer
	loss   losses.Loss
	metric metrics.Metric
	frozen string // a layer whose weights are not trained
	ours   bool   // Keras does not know it
	random bool   // training draws dropout
}

func trials() []trial {
	floats := tensor.Shape{tensor.None, tensor.None, 4}
	embedding := layers.Embedding{InputDim: 30, OutputDim: 5}
	masked := layers.Embedding{InputDim: 30, OutputDim: 5, MaskZero: true}
	sigmoid := layers.Dense{Units: 1, Activation: activations.Sigmoid}
	binary, acc := losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}
	return []trial{
		{name: "lecture", specs: []layers.Spec{embedding, layers.SimpleRNN{Units: 6}, sigmoid}, opt: optimizers.RMSprop{}, loss: binary, metric: acc},
		{name: "stack", specs: []layers.Spec{masked, layers.LSTM{Units: 4, ReturnSequences: true, NoUnitForgetBias: true}, layers.GRU{Units: 3, ReturnSequences: true},
			layers.LSTM{Name: "last", Units: 4, GoBackwards: true, RecurrentActivation: activations.HardSigmoid}, sigmoid},
			opt: optimizers.Adam{LearningRate: tensor.F(0.01), AMSGrad: true}, loss: binary, metric: metrics.BinaryAccuracy{}},
		{name: "both_ways", specs: []layers.Spec{layers.Input{Name: "x", Shape: floats[1:]},
			layers.Bidirectional{Layer: layers.GRU{Units: 3, NoResetAfter: true, ReturnSequences: true}, MergeMode: "sum"},
			layers.Bidirectional{Name: "two", Layer: layers.SimpleRNN{Name: "inner", Units: 2, NoBias: true}}, layers.Dense{Units: 3, Activation: activations.Softmax}},
			opt: optimizers.RMSprop{Momentum: 0.5, Centered: true}, loss: losses.SparseCategoricalCrossentropy{}, metric: metrics.SparseCategoricalAccuracy{}},
		{name: "schedule", specs: []layers.Spec{layers.LSTM{Units: 3, NoBias: true}, layers.Dense{Units: 2, NoBias: true}}, input: floats,
			opt: optimizers.SGD{Schedule: schedules.ExponentialDecay{Initial: 0.05, Steps: 2, Rate: 0.5}, Momentum: 0.9}, loss: losses.MeanSquaredError{}},
		{name: "frozen", specs: []layers.Spec{embedding, layers.Bidirectional{Layer: layers.LSTM{Units: 2}}, sigmoid},
			opt: optimizers.AdamW{}, loss: losses.BinaryCrossentropy{LabelSmoothing: 0.1}, metric: acc, frozen: "bidirectional"},
		{name: "dropout", specs: []layers.Spec{embedding, layers.Dropout{Rate: 0.25}, layers.SimpleRNN{Units: 3}, layers.Dropout{Rate: 0.5}, sigmoid},
			opt: optimizers.SGD{}, loss: binary, random: true},
		{name: "equations", specs: []layers.Spec{embedding, layers.Bidirectional{Layer: layers.LectureLSTM(3)}, sigmoid},
			opt: optimizers.RMSprop{}, loss: binary, metric: acc, ours: true},
		{name: "stacked_equations", specs: []layers.Spec{layers.Recurrent{Units: 3, Cell: "output_t = tanh(dot(W, input_t) + dot(U, state_t) + b)", ReturnSequences: true},
			layers.LectureLSTM(3), layers.Dense{Units: 2}}, input: floats, opt: optimizers.Adam{}, loss: losses.MeanSquaredError{}, ours: true},
	}
}

// model is the trial's, with weights of which none is zero.
func (c *trial) model(t *testing.T) *Model {
	t.Helper()
	m, err := Sequential(c.specs...)
	if err != nil {
		t.Fatal(err)
	}
	if c.input != nil {
		if err := m.Build(c.input); err != nil {
			t.Fatal(err)
		}
	}
	s := random.New(7, random.Data)
	for _, w := range m.weights {
		for i := range w.Data {
			w.Data[i] += 0.1 * float32(s.Normal())
		}
		if c.frozen != "" && strings.HasPrefix(w.Path, c.frozen+"/") {
			w.Trainable = false
		}
	}
	m.Touch()
	var ms []metrics.Metric
	if c.metric != nil {
		ms = append(ms, c.metric)
	}
	if err := m.Compile(c.opt, c.loss, ms...); err != nil {
		t.Fatal(err)
	}
	return m
}

// batches are n batches of 4 rows and 6 steps, as arrays with the batch's number first.
func (c *trial) batches(m *Model, n int) (x, y *npy.Array) {
	s := random.New(11, random.Data)
	shape := []int{n, 4, 6}
	if m.input.IDs {
		ids := make([]int32, n*4*6)
		for i := range ids {
			ids[i] = int32(s.IntN(30))
		}
		x = npy.From(ids, shape...)
	} else {
		shape = append(shape, m.input.Shape[2])
		v := make([]float32, n*4*6*m.input.Shape[2])
		for i := range v {
			v[i] = float32(s.Normal())
		}
		x = npy.From(v, shape...)
	}
	width := m.Output()[1]
	if _, sparse := c.loss.(losses.SparseCategoricalCrossentropy); sparse {
		classes := make([]int32, n*4)
		for i := range classes {
			classes[i] = int32(s.IntN(width))
		}
		return x, npy.From(classes, n, 4)
	}
	v := make([]float32, n*4*width)
	for i := range v {
		v[i] = float32(s.IntN(2))
	}
	return x, npy.From(v, n, 4, width)
}

// batch is batch i of such an array.
func batch(t *testing.T, a *npy.Array, i int) golden.Batch {
	t.Helper()
	shape := tensor.Shape(a.Shape[1:])
	n := shape.Size()
	if a.Kind() == 'f' {
		return golden.Batch{Floats: &tensor.Tensor{Shape: shape, Data: a.Float32()[i*n : (i+1)*n]}}
	}
	ids, err := a.Int32()
	if err != nil {
		t.Fatal(err)
	}
	return golden.Batch{IDs: &tensor.IDs{Shape: shape, Data: ids[i*n : (i+1)*n]}}
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
				step(t, m, batchData(t, batch(t, x, i), batch(t, y, i)))
			}
			straight := c.model(t)
			for i := range 5 {
				step(t, straight, batchData(t, batch(t, x, i), batch(t, y, i)))
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
				step(t, m, batchData(t, batch(t, xs, i), batch(t, ys, i)))
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
			if log, err := exec.CommandContext(context.Background(), python, "oracle/check_keras_file.py", file, in, out).CombinedOutput(); err != nil {
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
				loss := step(t, m, batchData(t, batch(t, xs, before+i), batch(t, ys, before+i)))
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
