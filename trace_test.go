package unroll

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// linear is a model that can be computed in the head: h_t = x_t + u h_{t-1}, a number; what it returns is its last h.
func linear(t *testing.T, u float32, recurrent layers.Spec) *Model {
	t.Helper()
	m, err := Sequential(layers.Input{Shape: tensor.Shape{tensor.None, 1}}, layers.Masking{}, recurrent)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Weights() {
		w.Data[0] = 1
		if w.Name == "recurrent_kernel" {
			w.Data[0] = u
		}
	}
	m.Touch()
	if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(1)}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// numbers are rows of sequences of single numbers, each with the target 0.
func numbers(t *testing.T, rows ...[]float32) Data {
	t.Helper()
	x, y := tensor.New(len(rows), len(rows[0]), 1), tensor.New(len(rows), 1)
	for i, r := range rows {
		copy(x.Data[i*len(r):], r)
	}
	d, err := Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The loss of a row is h_T², so that its gradient by h_t is 2 h_T u^(T-t); masked steps are no steps.
func TestTraceGradients(t *testing.T) {
	const u = 0.5
	one := layers.SimpleRNN{Units: 1, Activation: activations.Linear, NoBias: true}
	back := one
	back.GoBackwards = true
	x := [][]float32{{1, 2, 3, 4}, {0, 0, 5, 1}}
	last := func(x []float32) (h float64) {
		for _, v := range x {
			h = u*h + float64(v)
		}
		return h
	}
	turned := func(x []float32) []float32 { y := slices.Clone(x); slices.Reverse(y); return y }
	for _, c := range []struct {
		name    string
		spec    layers.Spec
		outputs func(x []float32) []float64 // the last h of every walk
		walks   []bool                      // which go backwards
	}{
		{"forwards", one, func(x []float32) []float64 { return []float64{last(x)} }, []bool{false}},
		{"backwards", back, func(x []float32) []float64 { return []float64{last(turned(x))} }, []bool{true}},
		{"both", layers.Bidirectional{Layer: one, MergeMode: "sum"}, func(x []float32) []float64 {
			both := last(x) + last(turned(x))
			return []float64{both, both}
		}, []bool{false, true}},
	} {
		m := linear(t, u, c.spec)
		before := m.Weights()[0].Data[0]
		traces, err := m.TraceGradients(numbers(t, x...), []int{0, 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(traces) != len(c.walks) {
			t.Fatalf("%s: %d traces", c.name, len(traces))
		}
		for k, trace := range traces {
			if trace.Backwards != c.walks[k] {
				t.Errorf("%s: walk %d goes backwards: %v", c.name, k, trace.Backwards)
			}
			for r, steps := range []int{4, 2} {
				if len(trace.Norms[r]) != steps {
					t.Errorf("%s: row %d has %d steps, want %d", c.name, r, len(trace.Norms[r]), steps)
					continue
				}
				valid := x[r][4-steps:]
				for d, got := range trace.Norms[r] {
					if want := 2 * c.outputs(valid)[k] * math.Pow(u, float64(d)); !(math.Abs(got-want) <= 1e-5*want) {
						t.Errorf("%s: row %d, %d steps back: %v, want %v", c.name, r, d, got, want)
					}
				}
			}
		}
		if m.Weights()[0].Data[0] != before {
			t.Errorf("%s: weights changed", c.name)
		}
	}
	if _, err := linear(t, u, one).TraceGradients(numbers(t, x...), nil); err == nil {
		t.Error("no rows: no error")
	}
}

// Of a stack of cells every one has a trace, also where it walks backwards: cells behind the first stand in processing order, and the picture is that of the
// same cells forwards over turned rows.
func TestTraceGradientsOfCells(t *testing.T) {
	x := [][]float32{{0.3, -0.2, 0.5, 0.1}, {0, 0, 0.4, -0.6}}
	turned := [][]float32{{0.1, 0.5, -0.2, 0.3}, {-0.6, 0.4, 0, 0}}
	trace := func(x [][]float32, backwards bool) []GradientTrace {
		m := linear(t, 0.7, layers.RNN{Cells: []layers.Spec{layers.SimpleRNN{Units: 1}, layers.LSTM{Units: 1}}, GoBackwards: backwards})
		traces, err := m.TraceGradients(numbers(t, x...), []int{0, 1})
		if err != nil || len(traces) != 2 || traces[0].Cell != 0 || traces[1].Cell != 1 {
			t.Fatalf("got %+v, %v", traces, err)
		}
		return traces
	}
	back, forth := trace(x, true), trace(turned, false)
	for k := range back {
		for r, steps := range []int{4, 2} {
			if !slices.Equal(back[k].Norms[r], forth[k].Norms[r]) || len(back[k].Norms[r]) != steps {
				t.Errorf("cell %d, row %d: backwards %v, forwards over the turned row %v", k, r, back[k].Norms[r], forth[k].Norms[r])
			}
		}
	}
}

// Nothing that looks on changes what is trained after it.
func TestTracingChangesNothing(t *testing.T) {
	data := padded(t, 40, 9)
	train := func(m *Model, look bool) []float32 {
		if look {
			if _, err := m.TraceGradients(data, []int{0, 3, 5}); err != nil {
				t.Fatal(err)
			}
		}
		options := []FitOption{BatchSize(16)}
		if look {
			options = append(options, GradientNorm())
		}
		if _, err := m.Fit(t.Context(), data, options...); err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, w := range m.Weights() {
			all = append(all, w.Data...)
		}
		return all
	}
	for name, model := range map[string]func(testing.TB) *Model{"around": around, "stack": stack, "front": fronted, "both ways": bothWays(false)} {
		if a, b := train(model(t), false), train(model(t), true); !slices.Equal(a, b) {
			t.Errorf("%s: weights differ", name)
		}
	}
}

// With SGD of rate 1 the weights move by the gradient: its norm is their distance; in models with a front, by words or not, as in others.
func TestGradientNorm(t *testing.T) {
	for name, m := range map[string]*Model{"front": fronted(t), "stack": stack(t), "both ways": bothWays(true)(t)} {
		if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(1)}, losses.SparseCategoricalCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		var before [][]float32
		for _, w := range m.Weights() {
			before = append(before, slices.Clone(w.Data))
		}
		h, err := m.Fit(t.Context(), padded(t, 40, 9), BatchSize(40), GradientNorm())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, w := range m.Weights() {
			for k, v := range w.Data {
				d := float64(v) - float64(before[i][k])
				sum += d * d
			}
		}
		// Weights are rounded to 6e-8 of themselves, some thousand of them.
		if got, want := h.Values("gradient_norm")[0], math.Sqrt(sum); !(math.Abs(got-want) <= 1e-4*want) {
			t.Errorf("%s: gradient_norm %v, the weights moved by %v", name, got, want)
		}
		if keys := h.Keys(); keys[len(keys)-1] != "gradient_norm" {
			t.Errorf("%s: keys %v", name, keys)
		}
	}
}

// Where numbers stop being finite is said with layer, step and rows, before an update has spread it everywhere.
func TestBroken(t *testing.T) {
	rnn := layers.SimpleRNN{Name: "rnn", Units: 1, Activation: activations.Linear, NoBias: true}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	fit := func(m *Model, d Data) *Broken {
		var found *Broken
		if _, err := m.Fit(t.Context(), d, BatchSize(8), Epochs(2), Callbacks(spy{found: &found})); err != nil {
			t.Fatal(err)
		}
		return found
	}
	same := func(what string, got *Broken, want Broken, text string) {
		t.Helper()
		if got == nil || *got != want || got.String() != text {
			t.Errorf("%s: got %+v (%v), want %+v (%s)", what, got, got, want, text)
		}
	}
	// 1e10 to the fourth is beyond float32.
	same("overflow", fit(linear(t, 1e10, rnn), numbers(t, []float32{1, 1, 1, 1, 1, 1}, []float32{1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9}, []float32{0, 0, 0, 0, 0, 1})),
		Broken{Layer: "rnn", Step: 4, Steps: 6, Rows: 1}, "layer rnn is the first whose output is not finite: from step 5 of 6 on, in one row")
	same("input", fit(linear(t, 1, rnn), numbers(t, []float32{1, nan}, []float32{1, 1}, []float32{inf, 1})), Broken{Input: true, Step: -1, Rows: 2}, "the input is not finite, in 2 rows")
	// The output is 1e19 and its square finite; the gradient by u, twice the output times 1e21, is not, and the next batch begins with it.
	same("gradient", fit(linear(t, 0.01, rnn), numbers(t, []float32{1e21, 1})), Broken{Layer: "rnn", Weight: "recurrent_kernel", Step: -1},
		"weight recurrent_kernel of layer rnn is not finite: its gradient in the batch before was not")
	// Predictions whose square is beyond float32.
	same("loss", fit(linear(t, 1, rnn), numbers(t, []float32{0, 1e30})), Broken{Step: -1}, "all layers' outputs are finite, and the loss is not: look at the targets")
	if b := fit(linear(t, 0.5, rnn), numbers(t, []float32{0.1, 0.1})); b != nil {
		t.Errorf("nothing wrong: got %v", b)
	}
	// With a front the embedding is updated early, and is not to blame.
	front := fronted(t)
	for _, w := range front.Weights() {
		if strings.HasSuffix(w.Path, "dense/kernel") {
			w.Data[0] = inf
		}
	}
	front.Touch()
	if b := fit(front, padded(t, 40, 9)); b == nil || b.Layer != "dense" || b.Weight != "kernel" {
		t.Errorf("an infinite weight: got %v", b)
	}
}

// spy keeps the first Broken.
type spy struct {
	NoCallback
	found **Broken
}

func (s spy) BatchEnd(t *Training, _ Logs) error {
	if *s.found == nil {
		*s.found = t.Broken
	}
	return nil
}
