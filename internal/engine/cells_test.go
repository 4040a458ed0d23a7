package engine

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/npy"
)

// The references were computed by hand-written float64 code that knows nothing of the language: outputs, and every gradient of
// sum(y * r). 1e-5 of the largest magnitude is float32 rounding over six steps.
func TestReferenceCells(t *testing.T) {
	for texts, references := range map[string]string{"../cell/testdata/": "../cell/testdata/", "../../layers/cells/": "../../testdata/cells/"} {
		files, err := filepath.Glob(references + "*.npz")
		if err != nil || len(files) < 6 {
			t.Fatalf("expected six references in %s, got %d (%v)", references, len(files), err)
		}
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".npz")
			t.Run(name, func(t *testing.T) {
				ref, err := npy.ReadNPZ(f)
				if err != nil {
					t.Fatal(err)
				}
				checkReference(t, fileText(t, texts+name+".cell"), ref)
			})
		}
	}
}

func checkReference(t *testing.T, text string, ref map[string]*npy.Array) {
	x, r := ref["x"], ref["r"]
	rows, steps, inputs := x.Shape[0], x.Shape[1], x.Shape[2]
	o := cell.Options{Units: int(ref["units"].Float64()[0]), Input: inputs, Sizes: map[string]int{}}
	for name, a := range ref {
		if s, ok := strings.CutPrefix(name, "size:"); ok {
			o.Sizes[s] = int(a.Float64()[0])
		}
	}
	parsed, err := cell.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := parsed.Resolve(o)
	if err != nil {
		t.Fatal(err)
	}
	c := New(cell.NewPlan(resolved))
	var weights, grads [][]float32
	for i := range resolved.Weights {
		w := ref["param:"+resolved.Weights[i].Name]
		if w == nil {
			t.Fatalf("no weight %q in the reference", resolved.Weights[i].Name)
		}
		weights = append(weights, w.Float32())
		grads = append(grads, make([]float32, len(w.Float32())))
	}
	c.Bind(weights, true)
	var run Run
	for range 2 { // the second time on used memory
		for _, g := range grads {
			clear(g)
		}
		run.Forward(c, Shape{T: steps, N: rows, Training: true, Sequences: true}, Input{X: timeMajor(x)})
		near(t, "y", run.Sequence(), timeMajor(ref["y"]))
		near(t, "y_last", run.Last(), ref["y_last"].Float32())
		dx := make([]float32, rows*steps*inputs)
		run.Backward(Gradient{Sequence: timeMajor(r), X: dx, Weights: grads})
		near(t, "grad:x", dx, timeMajor(ref["grad:x"]))
		for i := range grads {
			name := resolved.Weights[i].Name
			near(t, "grad:"+name, grads[i], ref["grad:"+name].Float32())
		}
	}
	// Without keeping anything for the way back the output is the same, to the bit.
	want := append([]float32(nil), run.Sequence()...)
	run.Forward(c, Shape{T: steps, N: rows, Sequences: true}, Input{X: timeMajor(x)})
	same(t, "sequence without training", run.Sequence(), want)
	run.Forward(c, Shape{T: steps, N: rows}, Input{X: timeMajor(x)})
	same(t, "last without training", run.Last(), want[len(want)-len(run.Last()):])
}

func timeMajor(a *npy.Array) []float32 {
	n, t, w := a.Shape[0], a.Shape[1], a.Shape[2]
	src, dst := a.Float32(), make([]float32, n*t*w)
	for i := range n {
		for s := range t {
			copy(dst[(s*n+i)*w:(s*n+i+1)*w], src[(i*t+s)*w:])
		}
	}
	return dst
}

func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	largest := 1.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range want {
		if err := math.Abs(float64(got[i]) - float64(want[i])); !(err <= 1e-5*largest) {
			t.Fatalf("%s[%d] = %g, want %g", what, i, got[i], want[i])
		}
	}
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s[%d] = %g, want %g to the bit", what, i, got[i], want[i])
		}
	}
}
