package layers_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/convert/onnx"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/layertest"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// conform runs the suite, and has onnxruntime compute what is written of the layers.
func conform(t *testing.T, cases ...layertest.Case) {
	layertest.Run(t, cases...)
	if os.Getenv("UNROLL_ORACLE_PYTHON") != "" {
		t.Run("ONNX", func(t *testing.T) { exportCases(t, cases) })
	}
}

// hidden is what Masking takes for a masked step; hides are the steps that it finds.
const hidden = -7

// exportCases: each layer by itself, and where it takes masks behind a Masking too, is written to ONNX and agrees, or is refused by name.
func exportCases(t *testing.T, cases []layertest.Case) {
	r := layertest.NewRuntime(t)
	type trial struct {
		name   string
		number int
		want   []*tensor.Tensor
	}
	var trials []trial
	for _, c := range cases {
		name := c.Name
		if name == "" {
			name = c.Spec.Class()
		}
		for _, masked := range []bool{false, true} {
			if masked && (c.Mask == layertest.Refuses || c.IDs > 0 || len(c.In) != 3) {
				continue
			}
			t.Run(fmt.Sprintf("%s masked %v", name, masked), func(t *testing.T) {
				in := c.Values()
				m := caseModel(t, &c, in, masked)
				var data []any
				for _, v := range in {
					if v.IDs != nil {
						data = append(data, &tensor.IDs{Shape: v.Shape, Data: v.IDs})
					} else {
						data = append(data, &tensor.Tensor{Shape: v.Shape, Data: v.Data})
					}
				}
				d, err := unroll.Arrays(data, nil)
				if err != nil {
					t.Fatal(err)
				}
				want, err := m.PredictAll(context.Background(), d)
				if err != nil {
					t.Fatal(err)
				}
				var file bytes.Buffer
				err = onnx.Write(&file, m)
				if strings.Contains(name, "stateful") {
					if err == nil || !strings.Contains(err.Error(), "stateful is not written to ONNX") {
						t.Errorf("expected a refusal that says stateful, got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				trials = append(trials, trial{fmt.Sprintf("%s, masked %v", name, masked), r.Add(t, file.Bytes(), in), want})
			})
		}
	}
	failed := r.Run(t, "../oracle/onnx_check.py")
	for _, c := range trials {
		if why, ok := failed[c.number]; ok {
			t.Errorf("%s: onnxruntime does not run it: %s", c.name, why)
			continue
		}
		out := r.Outputs(t, c.number)
		if len(out) != len(c.want) {
			t.Errorf("%s: expected %d outputs, got %d", c.name, len(c.want), len(out))
			continue
		}
		for i, o := range out {
			if !tensor.Shape(o.Shape).Equal(c.want[i].Shape) {
				t.Errorf("%s: output %d: expected shape %v, got %v", c.name, i, c.want[i].Shape, o.Shape)
				continue
			}
			golden.Compare(t, fmt.Sprintf("%s: output %d", c.name, i), o.Float32(), c.want[i].Data, golden.Abs(1e-5))
		}
	}
}

// caseModel is the layer of a case as a model; masked: every input with steps goes through a Masking, and some steps of in are hidden.
func caseModel(t *testing.T, c *layertest.Case, in []layers.Value, masked bool) *unroll.Model {
	t.Helper()
	var symbols, to []unroll.Symbol
	sigs := append([]layertest.Input{{In: c.In, Batch: c.Batch, IDs: c.IDs}}, c.More...)
	for i, s := range sigs {
		x := unroll.Input(layers.Input{Name: fmt.Sprintf("in%d", i), Shape: s.In[1:], IDs: s.IDs > 0})
		symbols = append(symbols, x)
		if masked && len(s.In) == 3 {
			hide(in[i], i, !strings.Contains(c.Spec.Class(), "GlobalAverage")) // whose mean of no step is no number
			x = unroll.Apply(layers.Masking{MaskValue: hidden}, x)
		}
		to = append(to, x)
	}
	y := unroll.Apply(c.Spec, to...)
	if masked && len(to) > 1 && layers.IsRecurrent(c.Spec) {
		y = unroll.ApplyMasked(c.Spec, to...)
	}
	if err := y.Err(); err != nil {
		t.Fatal(err)
	}
	var out []unroll.Symbol
	for i := range y.Results() {
		out = append(out, y.At(i))
	}
	m, err := unroll.Functional(symbols, out)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range m.Weights() {
		draw := random.New(5, random.Init, uint64(i))
		for k := range w.Data {
			w.Data[k] += 0.1 * float32(draw.Normal())
			if strings.Contains(w.Name, "variance") {
				w.Data[k] = max(w.Data[k], 0.3)
			}
		}
	}
	m.Touch()
	return m
}

// hide hides steps: in between and at the end of row 0, all but one of row 1, and in the last row all, or the first two. Those of a later input differ.
func hide(v layers.Value, number int, all bool) {
	n, t, w := v.Shape[0], v.Shape[1], v.Shape[2]
	for r := range n {
		for s := range t {
			var gone bool
			switch r {
			case 0:
				gone = s == 1+number || s == t-1
			case 1:
				gone = s != 2-min(number, 1)
			case n - 1:
				gone = all || s < 2
			}
			if gone {
				for k := range w {
					v.Data[(r*t+s)*w+k] = hidden
				}
			}
		}
	}
}
