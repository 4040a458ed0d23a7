package convert

import (
	"io"
	"os"
	"os/exec"
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

// moduleModels are models with layers that Keras lacks.
func moduleModels(t *testing.T) map[string]*unroll.Model {
	t.Helper()
	steps := layers.Input{Shape: tensor.Shape{tensor.None, 3}}
	models := map[string]*unroll.Model{}
	sequence := func(l layers.Recurrent) layers.Recurrent {
		l.ReturnSequences = true
		return l
	}
	for name, specs := range map[string][]layers.Spec{
		"named":      {steps, sequence(layers.PeepholeLSTM(4)), sequence(layers.LayerNormLSTM(3)), sequence(layers.ProjectedLSTM(4, 2)), sequence(layers.CoupledLSTM(3)), sequence(layers.MinimalGatedUnit(3)), layers.LectureLSTM(3), layers.Dense{Units: 2}},
		"both ways":  {steps, layers.Bidirectional{Layer: layers.PeepholeLSTM(4)}, layers.Dense{Units: 2}},
		"irnn":       {layers.Embedding{InputDim: 9, OutputDim: 3, MaskZero: true}, sequence(layers.IRNN(4)), layers.Recurrent{Units: 3, Cell: "output_t = activation(dot(input_t, W) + dot(state_t, U) + b)", Activation: activations.ELU, NoBias: true}},
		"two widths": {steps, sequence(layers.PeepholeLSTM(4)), layers.PeepholeLSTM(4)},
	} {
		m, err := unroll.Sequential(specs...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := m.Init(7); err != nil {
			t.Fatal(err)
		}
		for _, w := range m.Weights() { // no bias is zero
			for i := range w.Data {
				w.Data[i] += 0.05 * float32(i%5-2)
			}
		}
		m.Touch()
		models[name] = m
	}
	return models
}

// Keras loads models with layers that it lacks, with the module that is written for each, and predicts alike.
func TestKerasModules(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with Keras to ask")
	}
	for name, m := range moduleModels(t) {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			f, err := os.Create(filepath.Join(folder, "cells.py"))
			if err != nil {
				t.Fatal(err)
			}
			if err := WriteKerasModule(f, m); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, "m.keras")
			if err := m.Save(file); err != nil {
				t.Fatal(err)
			}
			var x any
			in := m.Inputs()[0]
			arrays := map[string]*npy.Array{}
			if in.IDs {
				ids := tensor.NewIDs(3, 5)
				for i := range ids.Data {
					ids.Data[i] = int32(i * 5 % 9)
				}
				x, arrays["x"] = ids, npy.From(ids.Data, ids.Shape...)
			} else {
				v := tensor.New(3, 5, 3)
				for i := range v.Data {
					v.Data[i] = float32(i%7)/3 - 1
				}
				x, arrays["x"] = v, npy.From(v.Data, v.Shape...)
			}
			if err := npy.SaveNPZ(filepath.Join(folder, "x.npz"), []string{"x"}, arrays); err != nil {
				t.Fatal(err)
			}
			script := `import sys; sys.path.insert(0, sys.argv[1])
import cells, keras, numpy as np
m = keras.models.load_model(sys.argv[1] + "/m.keras")
x = np.load(sys.argv[1] + "/x.npz")["x"]
out = m.predict(x, verbose=0)
m.save(sys.argv[1] + "/again.keras")
m = keras.models.load_model(sys.argv[1] + "/again.keras")
m.compile("sgd", "mse"); m.fit(x, np.zeros_like(out), verbose=0)
np.savez(sys.argv[1] + "/out.npz", out=out)`
			if log, err := exec.Command(python, "-c", script, folder).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			got, err := npy.ReadNPZ(filepath.Join(folder, "out.npz"))
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, "output", predictAll(t, m, []any{x})[0].Data, got["out"].Float32(), golden.Abs(1e-5))
			if again, err := unroll.Load(filepath.Join(folder, "again.keras")); err != nil {
				t.Error(err)
			} else {
				golden.Compare(t, "again", predictAll(t, again, []any{x})[0].Data, got["out"].Float32(), golden.Abs(1e-5))
			}
		})
	}
}

// A model of Keras's layers needs no module; equations are written line by line.
func TestKerasModuleText(t *testing.T) {
	m, err := unroll.Sequential(layers.Embedding{InputDim: 5, OutputDim: 2}, layers.LSTM{Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteKerasModule(io.Discard, m); err == nil || !strings.Contains(err.Error(), "expected a model with layers that Keras lacks") {
		t.Errorf("expected an error, got %v", err)
	}
	var b strings.Builder
	if err := WriteKerasModule(&b, moduleModels(t)["two widths"]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"class Cell1(Equations)", "class PeepholeLSTM(Recurrent)", "# c_t+1"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("expected %q in the module, got\n%s", want, b.String())
		}
	}
}
