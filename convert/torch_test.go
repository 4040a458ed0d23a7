package convert

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

const torchFolder = "../testdata/torch"

// torchCase is a state_dict of oracle/torch_files.py and the same layers here.
type torchCase struct {
	file    string
	modules map[string]string
	specs   []layers.Spec
}

func torchCases() []torchCase {
	steps := layers.Input{Shape: tensor.Shape{tensor.None, 2}}
	embedding := layers.Embedding{InputDim: 12, OutputDim: 4}
	dense := layers.Dense{Units: 2}
	projected := layers.ProjectedLSTM(4, 3)
	apart := layers.Bidirectional{Layer: layers.GRU{Units: 3, ReturnSequences: true}, BackwardLayer: layers.GRU{Units: 3, ReturnSequences: true, GoBackwards: true}}
	twice := layers.Bidirectional{Layer: layers.GRU{Units: 3, ReturnSequences: true}}
	return []torchCase{
		{"lstm.safetensors", nil, []layers.Spec{embedding, layers.LSTM{Units: 3}, layers.Dense{Units: 1, Activation: activations.Sigmoid}}},
		{"gru.pt", nil, []layers.Spec{embedding, layers.GRU{Units: 3}, dense}},
		{"stack.pt", nil, []layers.Spec{steps, layers.LSTM{Units: 3, ReturnSequences: true}, layers.LSTM{Units: 3}, dense}},
		{"both_ways.safetensors", nil, []layers.Spec{steps, twice, twice, dense}},
		{"both_ways.safetensors", nil, []layers.Spec{steps, apart, apart, dense}},
		{"projected.pt", nil, []layers.Spec{steps, projected, dense}},
		{"relu.safetensors", nil, []layers.Spec{steps, layers.SimpleRNN{Units: 3, Activation: activations.ReLU}, layers.LayerNormalization{}, layers.Dense{Units: 2, NoBias: true}}},
		{"no_bias.pt", nil, []layers.Spec{steps, layers.GRU{Units: 3, NoBias: true}, dense}},
		{"around.pt", nil, []layers.Spec{steps, layers.Conv1D{Filters: 4, KernelSize: 3}, layers.BatchNormalization{}, layers.Activation{Activation: activations.ReLU}, layers.LSTM{Units: 3}, dense}},
		{"half.safetensors", nil, []layers.Spec{steps, layers.LSTM{Units: 3}, dense}},
		{"checkpoint.pth", nil, []layers.Spec{layers.Input{Shape: tensor.Shape{3}}, layers.Dense{Units: 3, Activation: activations.Tanh}, layers.Dense{Units: 3}}},
		{"equal.safetensors", map[string]string{"dense": "one", "dense_1": "second"}, []layers.Spec{layers.Input{Shape: tensor.Shape{3}}, layers.Dense{Units: 3}, layers.Dense{Units: 3}}},
	}
}

func builtOf(t *testing.T, specs []layers.Spec) *unroll.Model {
	t.Helper()
	m, err := unroll.Sequential(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The same numbers as PyTorch's, with its weights; and with those that SaveTorch writes of them.
func TestTorchFiles(t *testing.T) {
	for _, c := range torchCases() {
		t.Run(c.file, func(t *testing.T) {
			file := filepath.Join(torchFolder, c.file)
			arrays, err := npy.ReadNPZ(strings.TrimSuffix(file, filepath.Ext(file)) + ".npz")
			if err != nil {
				t.Fatal(err)
			}
			a := arrays["x"]
			var x any = &tensor.Tensor{Shape: a.Shape}
			if a.Kind() == 'f' {
				x = &tensor.Tensor{Shape: a.Shape, Data: a.Float32()}
			} else {
				ids, err := a.Int32()
				if err != nil {
					t.Fatal(err)
				}
				x = &tensor.IDs{Shape: a.Shape, Data: ids}
			}
			data, err := unroll.Arrays(x, nil)
			if err != nil {
				t.Fatal(err)
			}
			check := func(m *unroll.Model) {
				t.Helper()
				out, err := m.Predict(context.Background(), data)
				if err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, "output", out.Data, arrays["out"].Float32(), golden.Abs(1e-5))
			}
			m := builtOf(t, c.specs)
			matches, err := LoadTorch(m, file, c.modules)
			if err != nil {
				t.Fatal(err)
			}
			if len(matches) == 0 {
				t.Error("expected matches, got none")
			}
			check(m)
			again := filepath.Join(t.TempDir(), "again.safetensors")
			if err := SaveTorch(m, again); err != nil {
				t.Fatal(err)
			}
			m = builtOf(t, c.specs)
			if _, err := LoadTorch(m, again, nil); err != nil {
				t.Fatal(err)
			}
			check(m)
		})
	}
}

func TestWrongTorchFiles(t *testing.T) {
	steps := layers.Input{Shape: tensor.Shape{tensor.None, 2}}
	square := []layers.Spec{layers.Input{Shape: tensor.Shape{3}}, layers.Dense{Units: 3}, layers.Dense{Units: 3}}
	for _, c := range []struct {
		torchCase
		want string
	}{
		{torchCase{"equal.safetensors", nil, square}, `layers "dense", "dense_1": expected modules whose order their names say, got "one", "second"`},
		{torchCase{"equal.safetensors", map[string]string{"dense": "three"}, square}, `expected a module "three" for layer "dense", got none`},
		{torchCase{"equal.safetensors", map[string]string{"lstm": "one"}, square}, `expected a layer "lstm" of the model for module "one"`},
		{torchCase{"equal.safetensors", map[string]string{"dense": "one", "dense_1": "one"}, square}, `expected each module for one layer, got "one" for several`},
		{torchCase{"equal.safetensors", nil, square[:2]}, `layer "dense": expected 1 modules for Linear, weight [3 3], bias [3], got 2`},
		{torchCase{"half.safetensors", nil, []layers.Spec{steps, layers.LSTM{Units: 4}, layers.Dense{Units: 2}}}, `found:
  head: bias [2], weight [2 3]
  rnn: bias_hh_l0 [12], bias_ih_l0 [12], weight_hh_l0 [12 3], weight_ih_l0 [12 2]`},
		{torchCase{"half.safetensors", nil, []layers.Spec{steps, layers.LSTM{Units: 3, RecurrentActivation: activations.HardSigmoid}, layers.Dense{Units: 2}}}, "expected recurrent_activation sigmoid"},
		{torchCase{"no_bias.pt", nil, []layers.Spec{steps, layers.GRU{Units: 3, NoResetAfter: true, NoBias: true}, layers.Dense{Units: 2}}}, "expected a GRU with reset_after"},
		{torchCase{"both_ways.safetensors", nil, []layers.Spec{steps, layers.Bidirectional{Layer: layers.GRU{Units: 3}, BackwardLayer: layers.GRU{Units: 3, NoBias: true, GoBackwards: true}}}},
			"expected a Bidirectional of two layers alike, as PyTorch's, got a GRU and a GRU that differ"},
		{torchCase{"both_ways.safetensors", nil, []layers.Spec{steps, layers.Bidirectional{Layer: layers.GRU{Units: 3}, MergeMode: "sum"}}}, "got merge_mode sum"},
		{torchCase{"no_bias.pt", nil, []layers.Spec{steps, layers.PeepholeLSTM(3), layers.Dense{Units: 2}}}, "expected a layer that PyTorch has"},
	} {
		_, err := LoadTorch(builtOf(t, c.specs), filepath.Join(torchFolder, c.file), c.modules)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: expected an error with %q, got %v", c.file, c.modules, c.want, err)
		}
	}
}

// A damaged file, or one that lies of its sizes, is an error and no crash.
func FuzzTorchFiles(f *testing.F) {
	for _, name := range []string{"gru.pt", "checkpoint.pth", "projected.pt"} {
		raw, err := os.ReadFile(filepath.Join(torchFolder, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := readTorch(strings.NewReader(string(raw)), int64(len(raw)))
		if err != nil {
			return
		}
		total := 0
		for _, a := range s.arrays {
			if len(a.data) != a.shape.Size() {
				t.Errorf("%q: expected %d values, got %d", a.path, a.shape.Size(), len(a.data))
			}
			total += len(a.data)
		}
		if total > len(raw) {
			t.Errorf("expected at most %d values, got %d", len(raw), total)
		}
	})
}
