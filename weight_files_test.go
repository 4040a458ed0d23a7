package unroll

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
)

// sameKept compares what two models would keep, bit by bit: weights, steps, rate and the optimizer's arrays.
func sameKept(t *testing.T, got, want *Model) {
	t.Helper()
	g, w := got.kept(), want.kept()
	if len(g) != len(w) {
		t.Fatalf("got %d groups, want %d", len(g), len(w))
	}
	for i := range w {
		if g[i].vars != w[i].vars || len(g[i].kept) != len(w[i].kept) {
			t.Fatalf("got %s with %d variables, want %s with %d", g[i].vars, len(g[i].kept), w[i].vars, len(w[i].kept))
		}
		for k, v := range w[i].kept {
			same := false
			switch data := v.data.(type) {
			case []float32:
				same = slices.EqualFunc(g[i].kept[k].data.([]float32), data, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
			case []int64:
				same = slices.Equal(g[i].kept[k].data.([]int64), data)
			}
			if !same || !g[i].kept[k].shape.Equal(v.shape) {
				t.Errorf("%s/%d: got %v %v, want %v %v", w[i].vars, k, g[i].kept[k].shape, g[i].kept[k].data, v.shape, v.data)
			}
		}
	}
}

func loaded(t *testing.T, path string) *Model {
	t.Helper()
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What NumPy wrote of a model of Keras is read: oracle/weights_npz.py. What Keras itself calls npz is not, there as here.
func TestLoadsNPZ(t *testing.T) {
	want := loaded(t, "testdata/npz/model.keras")
	if want.compiled == nil || want.compiled.iteration != 3 {
		t.Fatal("expected a compiled model after 3 steps")
	}
	for _, name := range []string{"stored", "deflated"} {
		got := loaded(t, "testdata/npz/model.keras")
		for _, w := range got.weights {
			clear(w.Data)
		}
		got.compiled.iteration, got.compiled.rate, got.compiled.slots = 0, 1, nil
		if err := got.LoadWeights("testdata/npz/" + name + ".npz"); err != nil {
			t.Fatal(err)
		}
		sameKept(t, got, want)
	}
	if _, err := Load("testdata/npz/pickled.keras"); err == nil || !strings.Contains(err.Error(), "got model.weights.npz, which are pickled objects") {
		t.Errorf("pickled.keras: got error %v", err)
	}
}

// Weights in a .npz file come back, those that training made of an Adam included; and NumPy finds each under its path.
func TestWeightsNPZ(t *testing.T) {
	want := loaded(t, "testdata/npz/model.keras")
	path := filepath.Join(t.TempDir(), "w.npz")
	if err := want.SaveWeights(path); err != nil {
		t.Fatal(err)
	}
	got := loaded(t, "testdata/npz/model.keras")
	for _, w := range got.weights {
		clear(w.Data)
	}
	got.compiled.iteration, got.compiled.rate, got.compiled.slots = 0, 1, nil
	if err := got.LoadWeights(path); err != nil {
		t.Fatal(err)
	}
	sameKept(t, got, want)

	arrays, err := npy.ReadNPZ(path)
	if err != nil {
		t.Fatal(err)
	}
	if a := arrays["layers/lstm/cell/vars/1"]; a == nil || a.Dtype != "<f4" || !slices.Equal(a.Shape, []int{2, 8}) {
		t.Errorf("layers/lstm/cell/vars/1: got %+v, want the recurrent kernel", a)
	}
	if python := os.Getenv("UNROLL_ORACLE_PYTHON"); python != "" {
		out, err := exec.Command(python, "-c", "import numpy, sys; z = numpy.load(sys.argv[1]); print(z['optimizer/vars/0'], z['layers/embedding/vars/0'].shape)", path).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "3 (5, 3)" {
			t.Errorf("NumPy: got %q: %v", out, err)
		}
	}

	other, err := Sequential(layers.Embedding{InputDim: 5, OutputDim: 4}, layers.LSTM{Units: 2}, layers.Dense{Units: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.LoadWeights(path); err == nil || !strings.Contains(err.Error(), "layers/embedding/vars/0: expected shape (5, 4), got (5, 3)") {
		t.Errorf("another model: got error %v", err)
	}
	if err := want.SaveWeights("w.h5"); err == nil || !strings.Contains(err.Error(), "expected a file name that ends in .weights.h5 or .npz") {
		t.Errorf("another extension: got error %v", err)
	}
}
