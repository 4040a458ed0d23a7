package onnx_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/convert/onnx"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/layertest"
	"github.com/unroll-ml/unroll/internal/npy"
	format "github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

const script = "../../oracle/onnx_check.py"

// written is the model as a file.
func written(t *testing.T, m *unroll.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := onnx.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// valueOf is an array as a layer's value.
func valueOf(t *testing.T, a *npy.Array) layers.Value {
	t.Helper()
	v := layers.Value{Shape: tensor.Shape(a.Shape)}
	if a.Kind() == 'f' {
		v.Data = a.Float32()
		return v
	}
	var err error
	if v.IDs, err = a.Int32(); err != nil {
		t.Fatal(err)
	}
	return v
}

// Models that Keras saved, written to ONNX, give in onnxruntime what they give in Keras.
func TestKerasModelsInOnnxruntime(t *testing.T) {
	r := layertest.NewRuntime(t)
	var numbers []int
	var want [][]*npy.Array
	var names []string
	for _, folder := range []string{"../../testdata/keras", "../../testdata/graphs"} {
		paths, err := filepath.Glob(folder + "/*.keras")
		if err != nil || len(paths) == 0 {
			t.Fatalf("expected models in %s, got %v, %v", folder, paths, err)
		}
		for _, p := range paths {
			m, err := unroll.Load(p)
			if err != nil {
				t.Fatal(err)
			}
			arrays, err := npy.ReadNPZ(strings.TrimSuffix(p, ".keras") + ".npz")
			if err != nil {
				t.Fatal(err)
			}
			var in []layers.Value
			var out []*npy.Array
			if x := arrays["x"]; x != nil {
				in, out = append(in, valueOf(t, x)), append(out, arrays["out"])
			}
			for i := 0; arrays[fmt.Sprintf("x%d", i)] != nil; i++ {
				in = append(in, valueOf(t, arrays[fmt.Sprintf("x%d", i)]))
			}
			for i := 0; arrays[fmt.Sprintf("out%d", i)] != nil; i++ {
				out = append(out, arrays[fmt.Sprintf("out%d", i)])
			}
			names, want, numbers = append(names, p), append(want, out), append(numbers, r.Add(t, written(t, m), in))
		}
	}
	failed := r.Run(t, script)
	for i, name := range names {
		if why, ok := failed[numbers[i]]; ok {
			t.Errorf("%s: %s", name, why)
			continue
		}
		got := r.Outputs(t, numbers[i])
		if len(got) != len(want[i]) || len(got) == 0 {
			t.Fatalf("%s: expected %d outputs, got %d", name, len(want[i]), len(got))
		}
		for k, o := range got {
			golden.Compare(t, fmt.Sprintf("%s: output %d", name, k), o.Float32(), want[i][k].Float32(), golden.Abs(1e-5))
		}
	}
}

// one is a model of one layer over (N, T, C) or vectors, its weights moved from zero.
func one(t *testing.T, s layers.Spec, shape ...int) *unroll.Model {
	t.Helper()
	m, err := unroll.Sequential(layers.Input{Name: "x", Shape: shape}, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Weights() {
		for i := range w.Data {
			w.Data[i] += 0.05 * float32(i%7-3)
		}
	}
	m.Touch()
	return m
}

// spread are n numbers on both sides of every corner of an activation.
func spread(shape ...int) layers.Value {
	v := layers.Value{Shape: shape, Data: make([]float32, tensor.Shape(shape).Size())}
	for i := range v.Data {
		v.Data[i] = float32((i*37)%101-50) * 0.13
	}
	return v
}

// agree has onnxruntime compute what the models compute for the same values.
func agree(t *testing.T, models map[string]*unroll.Model, x layers.Value) {
	t.Helper()
	r := layertest.NewRuntime(t)
	numbers := map[string]int{}
	for name, m := range models {
		numbers[name] = r.Add(t, written(t, m), []layers.Value{x})
	}
	failed := r.Run(t, script)
	for name, m := range models {
		if why, ok := failed[numbers[name]]; ok {
			t.Errorf("%s: %s", name, why)
			continue
		}
		d, err := unroll.Arrays(&tensor.Tensor{Shape: x.Shape, Data: x.Data}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := m.Predict(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name, r.Outputs(t, numbers[name])[0].Float32(), want.Data, golden.Tolerance{Abs: 1e-5, Rel: 1e-6})
	}
}

// Every activation, by itself.
func TestActivationsInOnnxruntime(t *testing.T) {
	models := map[string]*unroll.Model{}
	for _, a := range allActivations() {
		models[string(a)] = one(t, layers.Activation{Activation: a}, 20)
	}
	agree(t, models, spread(11, 20))
}

func allActivations() []activations.Activation {
	all := []activations.Activation{activations.Softmax, activations.LogSoftmax, activations.Sparsemax}
	for _, name := range cell.Funcs() {
		if a, err := activations.ByName(name); err == nil {
			all = append(all, a)
		}
	}
	return append(all, activations.Exponential)
}

// Every activation that a cell takes, in RNN, LSTM and GRU or in a Scan, and every function of the language in equations.
func TestActivationsOfCellsInOnnxruntime(t *testing.T) {
	models := map[string]*unroll.Model{}
	for _, a := range allActivations() {
		if a == activations.LogSoftmax || a == activations.Sparsemax {
			continue // work on rows that the language does not know
		}
		if a != activations.Exponential { // which grows beyond every number in a state
			models["simple_rnn "+string(a)] = one(t, layers.SimpleRNN{Units: 3, Activation: a}, tensor.None, 4)
		}
		models["lstm "+string(a)] = one(t, layers.LSTM{Units: 3, Activation: a, RecurrentActivation: activations.HardSigmoid, ReturnSequences: true}, tensor.None, 4)
		models["gru "+string(a)] = one(t, layers.Bidirectional{Layer: layers.GRU{Units: 3, RecurrentActivation: a, ReturnSequences: true}}, tensor.None, 4)
	}
	for _, f := range cell.Funcs() {
		text := fmt.Sprintf("output_t = tanh(%s(abs(dot(input_t, W)) + 0.5 * dot(state_t, U)^2 + 0.1))", f)
		models["function "+f] = one(t, layers.Recurrent{Units: 3, Cell: text}, tensor.None, 4)
	}
	x := spread(3, 6, 4)
	for i := range x.Data {
		x.Data[i] *= 0.1
	}
	agree(t, models, x)
}

// Equations in the forms that are written differently: matrices on the left, blocks, rows of vectors, row functions, numbers alone, states that no output is.
func TestEquationsInOnnxruntime(t *testing.T) {
	models := map[string]*unroll.Model{}
	for name, text := range map[string]string{
		"left":         "output_t = tanh((W %*% input_t) + (U %*% state_t) + b)",
		"left blocks":  "a_t = sigmoid((W.a %*% input_t) + (U.a %*% state_t) + b.a)\noutput_t = a_t * tanh((W.o %*% input_t) + (U.o %*% state_t) + b.o)",
		"both sides":   "a_t = tanh(dot(state_t, U))\noutput_t = tanh(dot(U, a_t) + dot(input_t, W))",
		"rows":         "output_t = softmax(dot(input_t, W) + v[0] + v[1] * state_t) - min(state_t, 0.25) / (2 + max(state_t, -0.5))",
		"norm":         "output_t = tanh(layer_norm(dot(input_t, W) + dot(state_t, U), gain, bias)) * 0.5",
		"norm by hand": "output_t = layer_norm(dot(input_t, W), 2 * gain, state_t - b)",
		"constant":     "a_t+1 = 0.5\noutput_t = a_t + 0 * dot(input_t, W)",
		"number":       "output_t = 0.25",
		"vector":       "output_t = tanh(v)",
		"powers":       "output_t = tanh((dot(input_t, W)^2 + 1)^-0.5 - -state_t^3)",
		"apart":        "output_t = dot(a_t, V) * tanh(dot(input_t, W) + b_t)\na_t+1 = tanh(dot(a_t, U) + 0.5 * b_t)\nb_t+1 = 0.9 * b_t + output_t * a_t",
		"no state":     "output_t = relu(dot(input_t, W) + b)",
	} {
		for _, sequences := range []bool{false, true} {
			models[fmt.Sprintf("%s, sequences %v", name, sequences)] = one(t, layers.Recurrent{Units: 3, Cell: text, ReturnSequences: sequences, GoBackwards: sequences}, tensor.None, 4)
		}
	}
	x := spread(3, 6, 4)
	for i := range x.Data {
		x.Data[i] *= 0.2
	}
	agree(t, models, x)
}

// Windows and their padding, for lengths that meet strides and lengths that do not.
func TestWindowsInOnnxruntime(t *testing.T) {
	for _, steps := range []int{7, 8, 9} {
		models := map[string]*unroll.Model{}
		for _, padding := range []string{"valid", "same", "causal"} {
			for _, size := range []int{2, 3} {
				for _, stride := range []int{1, 2, 4} {
					name := fmt.Sprintf("%s %d %d", padding, size, stride)
					models["conv "+name] = one(t, layers.Conv1D{Filters: 2, KernelSize: size, Strides: stride, Padding: padding}, tensor.None, 4)
					if padding != "causal" {
						models["max "+name] = one(t, layers.MaxPooling1D{PoolSize: size, Strides: stride, Padding: padding}, tensor.None, 4)
						models["average "+name] = one(t, layers.AveragePooling1D{PoolSize: size, Strides: stride, Padding: padding}, tensor.None, 4)
					}
				}
				models[fmt.Sprintf("dilated %s %d", padding, size)] = one(t, layers.Conv1D{Filters: 2, KernelSize: size, DilationRate: 2, Padding: padding, Activation: activations.Sparsemax}, tensor.None, 4)
			}
		}
		agree(t, models, spread(3, steps, 4))
	}
}

// A cell of Keras's is one operator, whichever Spec has its equations, and both directions are one; another cell is a Scan.
func TestOperators(t *testing.T) {
	for _, c := range []struct {
		name string
		spec layers.Spec
		want string
	}{
		{"RNN", layers.SimpleRNN{Units: 2}, "RNN forward"},
		{"LSTM", layers.LSTM{Units: 2, GoBackwards: true, NoUnitForgetBias: true}, "LSTM reverse"},
		{"GRU", layers.Bidirectional{Layer: layers.GRU{Units: 2, NoResetAfter: true}}, "GRU bidirectional"},
		{"stack", layers.RNN{Cells: []layers.Spec{layers.LSTM{Units: 2}, layers.GRU{Units: 3}}}, "LSTM forward, GRU forward"},
		{"pasted", layers.Recurrent{Units: 2, Cell: "# mine\n" + "output_t = activation(dot(input_t, kernel) + dot(state_t, recurrent_kernel) + bias)"}, "RNN forward"},
		{"peephole", layers.PeepholeLSTM(2), "Scan"},
		{"silu", layers.LSTM{Units: 2, Activation: activations.SiLU}, "Scan"},
	} {
		m, err := format.Read(written(t, one(t, c.spec, tensor.None, 3)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range m.Graph.Nodes {
			switch n.Op {
			case "RNN", "LSTM", "GRU":
				got = append(got, n.Op+" "+n.Attribute("direction").String)
			case "Scan":
				got = append(got, n.Op)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: expected %s, got %v", c.name, c.want, got)
		}
	}
}

func TestWriteONNXFile(t *testing.T) {
	m := one(t, layers.Dense{Units: 2}, 3)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := onnx.WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, written(t, m)) {
		t.Errorf("the file differs from what Write writes (%v)", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("expected one file, got %v", left)
	}
	if err := onnx.WriteFile("m.keras", m); err == nil || err.Error() != `onnx: expected a file name that ends in .onnx, got "m.keras"` {
		t.Errorf("got error %v", err)
	}
	open, err := unroll.Sequential(layers.Dense{Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(&bytes.Buffer{}, open); err == nil || !strings.HasPrefix(err.Error(), "onnx: the model is not built yet") {
		t.Errorf("got error %v", err)
	}
	if err := onnx.Write(&bytes.Buffer{}, one(t, layers.LSTM{Units: 2, Stateful: true}, tensor.None, 3)); err == nil ||
		!strings.HasPrefix(err.Error(), `onnx: layer "lstm": stateful is not written to ONNX`) {
		t.Errorf("got error %v", err)
	}
}
