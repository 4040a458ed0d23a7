package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

const root = "../../testdata/golden"

// TestFiles reads every golden and asks what a test over them relies on.
func TestFiles(t *testing.T) {
	paths, err := Files(root)
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]int{}
	for _, path := range paths {
		c, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		name, err := filepath.Rel(root, strings.TrimSuffix(path, ".npz"))
		if err != nil || c.Meta.Name != filepath.ToSlash(name) {
			t.Errorf("%s: expected that name inside, got %q", path, c.Meta.Name)
		}
		groups[filepath.Dir(name)]++
		if c.Meta.Versions["keras"] != "3.15.1" || c.Meta.Script == "" || !json.Valid(c.Meta.Model) || !json.Valid(c.Meta.Compile.Optimizer) {
			t.Errorf("%s: expected Keras 3.15.1, a script, a model and an optimizer, got %+v", path, c.Meta)
		}
		if c.Meta.Train != c.HasGradients || c.Meta.Train != (len(c.Steps) == 10) {
			t.Errorf("%s: expected gradients and ten steps exactly when it trains, got %v, %v, %d", path, c.Meta.Train, c.HasGradients, len(c.Steps))
		}
		checkTolerances(t, path, &c.Meta)
		checkFinite(t, path, c)
	}
	for _, group := range []string{"activation", "batch_normalization", "bidirectional", "constraint", "conv1d", "dense", "dropout", "embedding", "global_pooling", "gru", "gru_reset_before", "layer_normalization", "lecture", "loss", "lstm", "mask", "masking", "noise", "normalization", "optimizer", "pooling", "regularizer", "rescaling", "reshaping", "simple_rnn", "stack", "time_distributed"} {
		if groups[group] == 0 {
			t.Errorf("expected goldens of %s, got none", group)
		}
	}
}

// TestKerasFiles asks the same of the files beside the .keras files.
func TestKerasFiles(t *testing.T) {
	paths, err := Files("../../testdata/keras")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		c, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".npz") + ".keras"); err != nil {
			t.Errorf("%s: expected a .keras file beside it, got %v", path, err)
		}
		if c.Meta.Train != (len(c.Steps) == 3) || c.Meta.Train != (c.Shipped != nil) || c.HasGradients || len(c.Weights) == 0 {
			t.Errorf("%s: expected weights, no gradients, and three steps exactly when it trains, got %d, %v, %v, %d", path, len(c.Weights), c.HasGradients, c.Meta.Train, len(c.Steps))
		}
		checkTolerances(t, path, &c.Meta)
		checkFinite(t, path, c)
	}
}

// checkTolerances holds the files to tolerances that mean something: a file with a wide one would let anything pass.
func checkTolerances(t *testing.T, path string, m *Meta) {
	t.Helper()
	within := func(what string, got, limit float64) {
		if !(got > 0 && got <= limit) {
			t.Errorf("%s: %s: expected a tolerance in (0, %v], got %v", path, what, limit, got)
		}
	}
	within("out", m.OutTolerance().Abs, 1e-4)
	within("losses", m.LossTolerance().Abs, 2e-4)
	within("gx", m.GradXTolerance().Rel, 2e-3)
	for n := range m.Weights {
		within(fmt.Sprintf("g/%d", n), m.GradientTolerance(n).Rel, 2e-3)
		within(fmt.Sprintf("after/%d", n), m.AfterTolerance(n).Abs, 2e-3)
	}
}

func checkFinite(t *testing.T, path string, c *Case) {
	t.Helper()
	check := func(what string, x *tensor.Tensor) {
		if x == nil {
			return
		}
		for i, v := range x.Data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Errorf("%s: %s: expected finite numbers, got %v at index %d", path, what, v, i)
				return
			}
		}
	}
	check("x", c.X.Floats)
	check("out", c.Out)
	check("gx", c.GradX)
	for _, m := range c.Masks {
		check("a mask", m.Values)
	}
	for _, w := range c.Weights {
		check(w.Path, w.Value)
		check(w.Path+" gradient", w.Gradient)
		check(w.Path+" after", w.After)
	}
}

func small() map[string]*npy.Array {
	meta := `{"name":"a/b","train":true,"weights":[{"path":"k","shape":[2],"trainable":true},{"path":"f","shape":[1],"trainable":false}],
		"tolerances":{"out":1e-5,"grads":1e-4,"losses":1e-4,"after":1e-3},"tol":{"out":1e-7,"grads":{"g/0":0.5},"after":{"1":0.25}}}`
	return map[string]*npy.Array{
		"meta":            npy.From([]byte(meta)),
		"x":               npy.From([]int32{1, 2, 3, 4}, 2, 2),
		"y":               npy.From([]float32{0, 1}, 2, 1),
		"out":             npy.From([]float32{0.5, 0.25}, 2, 1),
		"loss":            npy.From([]float32{3}),
		"w/0":             npy.From([]float32{1, 2}),
		"w/1":             npy.From([]float32{9}),
		"g/0":             npy.From([]float32{5, 6}),
		"xs":              npy.From([]int32{1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2),
		"ys":              npy.From([]float32{1, 2, 3, 4}, 2, 2, 1),
		"losses":          npy.From([]float32{8, 7}),
		"after/0":         npy.From([]float32{3, 4}),
		"after/1":         npy.From([]float32{9}),
		"shipped/losses":  npy.From([]float32{8, 6}),
		"shipped/after/0": npy.From([]float32{2, 2}),
		"shipped/after/1": npy.From([]float32{9}),
	}
}

func TestFromArrays(t *testing.T) {
	c, err := fromArrays(small())
	if err != nil {
		t.Fatal(err)
	}
	if c.Loss != 3 || !c.HasGradients || c.GradX != nil || len(c.Weights) != 2 || c.Weights[1].Gradient != nil {
		t.Errorf("expected a loss of 3, gradients, none for x and the second weight, got %+v", c)
	}
	if diff := cmp.Diff(c.Weights[0].Gradient, &tensor.Tensor{Shape: tensor.Shape{2}, Data: []float32{5, 6}}); diff != "" {
		t.Errorf("gradient: %s", diff)
	}
	second := Step{
		X:    Batch{IDs: &tensor.IDs{Shape: tensor.Shape{2, 2}, Data: []int32{5, 6, 7, 8}}},
		Y:    Batch{Floats: &tensor.Tensor{Shape: tensor.Shape{2, 1}, Data: []float32{3, 4}}},
		Loss: 7,
	}
	if len(c.Steps) != 2 {
		t.Fatalf("expected 2 steps, got %d", len(c.Steps))
	}
	if diff := cmp.Diff(c.Steps[1], second); diff != "" {
		t.Errorf("second step: %s", diff)
	}
	if c.Shipped == nil || c.Shipped.Losses[1] != 6 || c.Shipped.After[0].Data[1] != 2 {
		t.Errorf("expected the shipped run, got %+v", c.Shipped)
	}
	if got := c.Meta.OutTolerance(); got != Abs(1e-5) {
		t.Errorf("out: expected the contract's tolerance, got %v", got)
	}
	if got := c.Meta.GradientTolerance(0).Rel; got != 0.5 {
		t.Errorf("gradient 0: expected the recorded tolerance, the larger, got %v", got)
	}
	if got := c.Meta.AfterTolerance(0); got != Abs(1e-3) {
		t.Errorf("after 0: expected the contract's tolerance, got %v", got)
	}
	if got := c.Meta.AfterTolerance(1); got != Abs(0.25) {
		t.Errorf("after 1: expected the recorded tolerance, got %v", got)
	}
}

func TestFromArraysWithout(t *testing.T) {
	for name := range small() {
		if name == "loss" || name == "shipped/losses" { // these say whether their part is there
			continue
		}
		arrays := small()
		delete(arrays, name)
		want := fmt.Sprintf("expected an array %q", name)
		if _, err := fromArrays(arrays); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: expected an error with %q, got %v", name, want, err)
		}
	}
}

func TestFromArraysWrong(t *testing.T) {
	for _, c := range []struct {
		name  string
		array *npy.Array
		says  string
	}{
		{"meta", npy.From([]byte("{")), "meta: "},
		{"w/0", npy.From([]float32{1, 2, 3}), "w/0: expected shape (2,), got (3,)"},
		{"after/1", npy.From([]float64{1}), "after/1: expected dtype <f4, got <f8"},
		{"x", npy.From([]float32{1, 2}, 2, 1), `expected an array "gx"`},
		{"x", npy.From([]int64{1}), "x: expected dtype <f4, got <i8"},
		{"losses", npy.From([]float32{1}), "got 2, 2 and 1"},
	} {
		arrays := maps.Clone(small())
		arrays[c.name] = c.array
		if _, err := fromArrays(arrays); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: expected an error with %q, got %v", c.name, c.says, err)
		}
	}
}

func TestFilesOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Files(dir); err == nil || !strings.Contains(err.Error(), "got none") {
		t.Errorf("expected an error for an empty folder, got %v", err)
	}
	if _, err := Files(filepath.Join(dir, "absent")); err == nil {
		t.Error("expected an error for a folder that is not there, got none")
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.npz"), []byte("no zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(filepath.Join(dir, "bad.npz")); err == nil || !strings.Contains(err.Error(), "golden: ") {
		t.Errorf("expected an error for a file that is no zip, got %v", err)
	}
}
