package reference

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/npy"
)

// The references, computed in float64 by code that knows nothing of the language and stored as float32: outputs and every gradient
// agree. Those of the language have their texts beside them; oracle/cells.py makes those of the cells of layers.
func TestReferences(t *testing.T) {
	for texts, references := range map[string]string{"../cell/testdata/": "../cell/testdata/", "../../layers/cells/": "../../testdata/cells/"} {
		paths, err := filepath.Glob(references + "*.npz")
		if err != nil || len(paths) < 6 {
			t.Fatalf("expected six references in %s, found %d, %v", references, len(paths), err)
		}
		for _, path := range paths {
			checkReference(t, texts, path)
		}
	}
}

func checkReference(t *testing.T, texts, path string) {
	name := strings.TrimSuffix(filepath.Base(path), ".npz")
	t.Run(name, func(t *testing.T) {
		text, err := os.ReadFile(texts + name + ".cell")
		if err != nil {
			t.Fatal(err)
		}
		arrays, err := npy.ReadNPZ(path)
		if err != nil {
			t.Fatal(err)
		}
		shape := arrays["x"].Shape
		o := cell.Options{Units: int(arrays["units"].Int64()[0]), Input: shape[2], Sizes: map[string]int{}}
		params := 0
		for key, a := range arrays {
			if size, ok := strings.CutPrefix(key, "size:"); ok {
				o.Sizes[size] = int(a.Int64()[0])
			}
			if strings.HasPrefix(key, "param:") {
				params++
			}
		}
		c, err := cell.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if c, err = c.Resolve(o); err != nil {
			t.Fatal(err)
		}
		if len(c.Weights) != params {
			t.Fatalf("%d weights, the reference has %d", len(c.Weights), params)
		}
		r := CellRun{Cell: c, X: cube(arrays["x"])}
		for i := range c.Weights {
			w := &c.Weights[i]
			a := arrays["param:"+w.Name]
			if a == nil || !slices.Equal(a.Shape, w.Shape()) {
				t.Fatalf("%s of shape %v is not in the reference, or of another shape", w.Name, w.Shape())
			}
			r.Weights = append(r.Weights, a.Float64())
		}
		out := r.Forward()
		g := r.Gradient(cube(arrays["r"]), nil)
		largest := math.Max(compare(t, "y", flat(out.Y), arrays["y"].Float64()), compare(t, "grad:x", flat(g.X), arrays["grad:x"].Float64()))
		var last [][]float64
		for _, y := range out.Y {
			last = append(last, y[len(y)-1])
		}
		largest = math.Max(largest, compare(t, "y_last", flat([][][]float64{last}), arrays["y_last"].Float64()))
		for i, w := range c.Weights {
			key := "grad:" + w.Name
			largest = math.Max(largest, compare(t, key, g.Weights[i], arrays[key].Float64()))
		}
		t.Logf("largest error %.2g", largest)
	})
}

// compare gives the largest error, relative to 1 + |want|. 1e-6: the references are float32.
func compare(t *testing.T, what string, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	largest := 0.0
	for i := range want {
		err := math.Abs(got[i]-want[i]) / (1 + math.Abs(want[i]))
		if !(err <= 1e-6) {
			t.Fatalf("%s[%d] = %g, want %g", what, i, got[i], want[i])
		}
		largest = math.Max(largest, err)
	}
	return largest
}

// cube is a three-dimensional array as nested slices.
func cube(a *npy.Array) [][][]float64 {
	v, s := a.Float64(), a.Shape
	c := make([][][]float64, s[0])
	for i := range c {
		c[i] = make([][]float64, s[1])
		for k := range c[i] {
			c[i][k], v = v[:s[2]], v[s[2]:]
		}
	}
	return c
}

func flat(c [][][]float64) []float64 {
	var v []float64
	for _, rows := range c {
		for _, row := range rows {
			v = append(v, row...)
		}
	}
	return v
}
