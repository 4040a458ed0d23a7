package layers_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Keras 3.15.1 computed these for layers of several inputs or outputs: outputs, masks, and every gradient.
func TestGoldens(t *testing.T) {
	const dir = "../testdata/layers"
	files, err := golden.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name, err := filepath.Rel(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(name, ".npz"), func(t *testing.T) {
			g, err := golden.LoadLayer(f)
			if err != nil {
				t.Fatal(err)
			}
			l, in := goldenLayer(t, g)
			checkForward(t, g, l, in)
			checkBackward(t, g, l, in)
		})
	}
}

// goldenLayer is the layer of a golden with its weights, and its inputs. On the way its config goes back as it came.
func goldenLayer(t *testing.T, g *golden.Layer) (layers.Layer, []layers.Value) {
	t.Helper()
	want, err := keras.Decode("layer", g.Meta.Layer)
	if err != nil {
		t.Fatal(err)
	}
	o, err := keras.ParseObject("layer", want)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := layers.FromConfig("layer", o)
	if err != nil {
		t.Fatal(err)
	}
	if called, ok := spec.(layers.Called); ok {
		if spec, err = called.WithCallArguments(g.Meta.Call); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(g.Meta.Call, spec.(layers.Called).CallArguments()); d != "" {
			t.Errorf("arguments of the call (-Keras +ours):\n%s", d)
		}
	} else if len(g.Meta.Call) > 0 {
		t.Fatalf("expected a layer with arguments of its call, %v, got %T", g.Meta.Call, spec)
	}
	if several, ok := spec.(layers.Several); g.Meta.States != nil {
		checkNesting(t, spec, g.Meta.States)
	} else if !ok || (several.InputNames() != nil) != g.Meta.Apart {
		t.Errorf("expected several inputs that are arguments of their own %v, got %T", g.Meta.Apart, spec)
	}
	name := want["config"].(map[string]any)["name"].(string)
	var in []layers.Signature
	var values []layers.Value
	for i, s := range g.Meta.Inputs {
		in = append(in, layers.Signature{Shape: s.Axes(), Masked: s.Masked})
		values = append(values, layers.Value{Shape: g.X[i].Shape, Data: g.X[i].Data, Mask: g.Masks[i]})
	}
	text, err := keras.Encode(layers.Serialize(spec, name, in[0], true, in[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	got, err := keras.Decode("layer", text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(told(want), told(got)); d != "" {
		t.Errorf("config (-Keras +ours):\n%s", d)
	}
	l, err := spec.Build(&layers.Builder{Name: name}, in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Output(in)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range g.Meta.Outputs {
		if !out[i].Shape.Equal(s.Axes()) || out[i].Masked != s.Masked || len(out) != len(g.Meta.Outputs) {
			t.Errorf("output %d: expected shape %v, masked %v, got %+v", i, s.Axes(), s.Masked, out)
		}
	}
	if len(l.Weights()) != len(g.Weights) {
		t.Fatalf("expected %d weights, got %d", len(g.Weights), len(l.Weights()))
	}
	for i, w := range l.Weights() {
		w.Index = i
		if m := g.Meta.Weights[i]; w.Path != m.Path || !slices.Equal(w.Shape, m.Shape) {
			t.Fatalf("weight %d: expected %s %v, got %s %v", i, m.Path, m.Shape, w.Path, w.Shape)
		}
		copy(w.Data, g.Weights[i].Data)
	}
	if l.Layout() == layers.TimeMajor {
		l = rowsOutermost{l}
	}
	return l, values
}

// told is a config without keys that Keras 3.15 writes as null and earlier versions of Keras 3 refuse. Numbers are numbers.
func told(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			if k != "input_axes" && k != "output_axes" {
				m[k] = told(e)
			}
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = told(e)
		}
		return l
	case interface{ Float64() (float64, error) }:
		f, err := v.Float64()
		if err != nil {
			return err
		}
		return f
	}
	return v
}

// call is a call of the layer, which takes its inputs rows outermost.
func call(t *testing.T, g *golden.Layer, l layers.Layer, in []layers.Value, training bool) *layers.Call {
	t.Helper()
	if l.Layout() == layers.TimeMajor {
		t.Fatal("expected a layer that takes several inputs rows outermost")
	}
	c := &layers.Call{Pass: &layers.Pass{Training: training, Batch: in[0].Shape[0], Grads: new(layers.Grads)}, In: in,
		Out: make([]layers.Value, len(g.Out)), DIn: make([][]float32, len(in)), DOut: make([][]float32, len(g.Out))}
	for _, w := range l.Weights() {
		c.Grads.Dense = append(c.Grads.Dense, make([]float32, len(w.Data)))
	}
	l.Prepare(training)
	if g.Before != nil {
		goThrough(t, g, l)
	}
	l.Forward(c)
	return c
}

func checkForward(t *testing.T, g *golden.Layer, l layers.Layer, in []layers.Value) {
	t.Helper()
	c := call(t, g, l, in, false)
	for i, want := range g.Out {
		got := c.Out[i]
		if !got.Shape.Equal(want.Shape) || got.TimeMajor {
			t.Fatalf("output %d: expected a plain value of shape %v, got %+v", i, want.Shape, got)
		}
		golden.Compare(t, "output", got.Data, want.Data, g.Meta.OutTolerance())
		mask := got.Mask
		if mask == nil && g.OutMasks[i] != nil { // all steps are valid
			mask = slices.Repeat([]bool{true}, len(g.OutMasks[i]))
		}
		if !slices.Equal(mask, g.OutMasks[i]) {
			t.Errorf("output %d: expected the mask %v, got %v", i, g.OutMasks[i], got.Mask)
		}
	}
}

func checkBackward(t *testing.T, g *golden.Layer, l layers.Layer, in []layers.Value) {
	t.Helper()
	if n, ok := l.(interface{ NoiseBy(layers.NoiseSource) }); ok && g.Drop != nil {
		n.NoiseBy(func(_ *layers.Call, v *layers.Value, dst []float32) {
			if !v.Shape.Equal(g.Drop.Shape) {
				t.Fatalf("expected draws of shape %v, got %v", g.Drop.Shape, v.Shape)
			}
			copy(dst, g.Drop.Data)
		})
	} else if g.Drop != nil {
		t.Fatal("expected a layer that drops")
	}
	c := call(t, g, l, in, true)
	for i, want := range g.Training {
		golden.Compare(t, "output in training", c.Out[i].Data, want.Data, g.Meta.OutTolerance())
		c.DOut[i] = g.DOut[i].Data
	}
	for i := range in {
		c.DIn[i] = make([]float32, len(in[i].Data))
	}
	l.Backward(c)
	for i, want := range g.GradX {
		golden.Compare(t, "gradient of an input", c.DIn[i], want.Data, g.Meta.GradXTolerance(i))
	}
	for i, w := range l.Weights() {
		golden.Compare(t, "gradient of "+w.Path, c.Grads.Of(w), g.Gradients[i].Data, g.Meta.GradientTolerance(i))
	}
	if g.Drop != nil {
		return // who gives the draws may allocate
	}
	if turned, ok := l.(rowsOutermost); ok { // the turning allocates, the layer does not
		l, c = turned.Layer, c.Keep.(*layers.Call)
	}
	checkAllocations(t, l, c)
}

// checkAllocations asks for passes, of batches with a row less and all rows in turn, that allocate nothing.
func checkAllocations(t *testing.T, l layers.Layer, c *layers.Call) {
	t.Helper()
	all, less := *c, *c
	less.In, less.DIn, less.DOut = nil, nil, nil
	cut := func(d []float32, rows int) []float32 { return d[:len(d)/rows*(rows-1)] }
	for i, v := range c.In {
		n := v.Shape[0]
		v.Shape = append(tensor.Shape{n - 1}, v.Shape[1:]...)
		v.Data = cut(v.Data, n)
		if v.Mask != nil {
			v.Mask = v.Mask[:len(v.Mask)/n*(n-1)]
		}
		less.In, less.DIn = append(less.In, v), append(less.DIn, cut(c.DIn[i], n))
	}
	for _, d := range c.DOut {
		less.DOut = append(less.DOut, cut(d, c.In[0].Shape[0]))
	}
	if n := testing.AllocsPerRun(2, func() {
		for _, batch := range [2]*layers.Call{&less, &all} {
			c.In, c.DIn, c.DOut = batch.In, batch.DIn, batch.DOut
			l.Prepare(true)
			l.Forward(c)
			l.Backward(c)
		}
	}); n != 0 {
		t.Errorf("expected later passes in one Call to allocate nothing, got %v allocations", n)
	}
}
