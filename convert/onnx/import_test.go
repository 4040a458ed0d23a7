package onnx_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/convert/onnx"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/npy"
	format "github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// files are those of testdata/onnx that begin so, by their names. oracle/onnx_files.py writes them.
func files(t *testing.T, prefix string) map[string]map[string]*npy.Array {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/onnx/" + prefix + "*.npz")
	if err != nil || len(paths) == 0 {
		t.Fatalf("expected files %s*, got %v, %v", prefix, paths, err)
	}
	all := map[string]map[string]*npy.Array{}
	for _, p := range paths {
		if all[strings.TrimSuffix(p, ".npz")], err = npy.ReadNPZ(p); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func readONNX(data []byte) (*unroll.Model, error) {
	return onnx.Read(bytes.NewReader(data), int64(len(data)))
}

// swapped is (a, b, …) as (b, a, …).
func swapped(x []float32, shape []int) ([]float32, []int) {
	a, b, w := shape[0], shape[1], tensor.Shape(shape[2:]).Size()
	y := make([]float32, len(x))
	for i := range a {
		for j := range b {
			copy(y[(j*a+i)*w:(j*a+i+1)*w], x[(i*b+j)*w:])
		}
	}
	return y, append([]int{b, a}, shape[2:]...)
}

// predict is what the model makes of these inputs.
func predictAll(t *testing.T, m *unroll.Model, in []layers.Value) []*tensor.Tensor {
	t.Helper()
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
	out, err := m.PredictAll(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// arrays prefix0, prefix1 …
func numbered(arrays map[string]*npy.Array, prefix string) (all []*npy.Array) {
	for i := 0; arrays[fmt.Sprintf("%s%d", prefix, i)] != nil; i++ {
		all = append(all, arrays[fmt.Sprintf("%s%d", prefix, i)])
	}
	return all
}

// Modules of PyTorch, as it exports them, predict here what they predict there.
func TestTorchModels(t *testing.T) {
	for name, arrays := range files(t, "torch_") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			m, err := readONNX(data)
			if err != nil {
				t.Fatal(err)
			}
			stepsFirst := strings.HasSuffix(name, "time_major")
			var in []layers.Value
			for i, a := range numbered(arrays, "in") {
				v := valueOf(t, a)
				switch {
				case stepsFirst:
					v.Data, v.Shape = swapped(v.Data, v.Shape)
				case i > 0: // (1, N, H), a state
					v.Shape = v.Shape[1:]
				}
				in = append(in, v)
			}
			out := predictAll(t, m, in)
			want := numbered(arrays, "out")
			if len(out) != len(want) {
				t.Fatalf("expected %d outputs, got %d", len(want), len(out))
			}
			for i, w := range want {
				values, shape := w.Float32(), w.Shape
				switch {
				case stepsFirst:
					values, shape = swapped(values, shape)
				case i > 0:
					shape = shape[1:]
				}
				if !out[i].Shape.Equal(shape) {
					t.Fatalf("output %d: expected shape %v, got %v", i, shape, out[i].Shape)
				}
				golden.Compare(t, fmt.Sprintf("output %d", i), out[i].Data, values, golden.Abs(1e-5))
			}
			compareAgain(t, m, in, out)
		})
	}
}

// compareAgain writes the model and reads it again, where all of it is read: it predicts the same.
func compareAgain(t *testing.T, m *unroll.Model, in []layers.Value, out []*tensor.Tensor) {
	t.Helper()
	again, err := readONNX(written(t, m))
	if err != nil {
		t.Logf("what is written of it is not all read again: %v", err)
		return
	}
	for i, o := range predictAll(t, again, in) {
		golden.Compare(t, fmt.Sprintf("output %d, written and read again", i), o.Data, out[i].Data, golden.Abs(1e-6))
	}
}

// The recurrent cases of ONNX's own test data: a node whose weights, inputs there, are numbers here.
func TestRecurrentNodes(t *testing.T) {
	for name, arrays := range files(t, "node_") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			f, err := format.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			g, n := f.Graph, f.Graph.Nodes[0]
			in := numbered(arrays, "in")
			for i, v := range g.Inputs[1:] {
				a := in[1+i]
				var shape []int64
				for _, d := range a.Shape {
					shape = append(shape, int64(d))
				}
				if a.Kind() == 'f' {
					g.Initializers = append(g.Initializers, format.FloatTensor(v.Name, shape, a.Float32()))
				} else {
					ids, err := a.Int32()
					if err != nil {
						t.Fatal(err)
					}
					whole := make([]int64, len(ids))
					for i, v := range ids {
						whole[i] = int64(v)
					}
					g.Initializers = append(g.Initializers, format.IntTensor(v.Name, shape, whole))
				}
			}
			g.Inputs = g.Inputs[:1]
			m, err := readONNX(f.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			layout := n.Attribute("layout") != nil && n.Attribute("layout").Int == 1
			x := layers.Value{Data: in[0].Float32(), Shape: in[0].Shape}
			if !layout {
				x.Data, x.Shape = swapped(x.Data, x.Shape)
			}
			var want [][]float32
			for i, a := range numbered(arrays, "out") {
				name, values, shape := g.Outputs[i].Name, a.Float32(), a.Shape
				sequence := len(shape) == 4
				if sequence && !layout { // (T, D, N, H), of which D is taken to the front
					values, shape = swapped(values, shape)
				}
				if layout && (shape[1] != 1 && !sequence || sequence && shape[2] != 1) {
					t.Fatalf("%s: expected one direction with layout 1, got %v", name, shape)
				}
				if layout {
					want = append(want, values)
					continue
				}
				w := tensor.Shape(shape[1:]).Size()
				for d := range shape[0] {
					part := values[d*w : (d+1)*w]
					if sequence {
						part, _ = swapped(part, shape[1:])
					}
					want = append(want, part)
				}
			}
			out := predictAll(t, m, []layers.Value{x})
			if len(out) != len(want) {
				t.Fatalf("expected %d outputs, got %d", len(want), len(out))
			}
			for i, o := range out {
				golden.Compare(t, fmt.Sprintf("output %d", i), o.Data, want[i], golden.Abs(1e-5))
			}
		})
	}
}

// What no layer computes is refused by the operator's name.
func TestReadONNXRefuses(t *testing.T) {
	value := func(name string, axes ...int64) *format.Value {
		v := &format.Value{Name: name, Type: format.Float, Ranked: true, Shape: []format.Dim{{Length: -1, Name: "N"}}}
		for _, a := range axes {
			v.Shape = append(v.Shape, format.Dim{Length: a})
		}
		return v
	}
	model := func(nodes ...*format.Node) []byte {
		return (&format.Model{IRVersion: 8, Opsets: []format.Opset{{Version: 18}}, Graph: &format.Graph{Nodes: nodes, Inputs: []*format.Value{value("x", 4, 3), value("wide", 4, 1<<30)}, Outputs: []*format.Value{value("y")},
			Initializers: []*format.Tensor{format.FloatTensor("w", []int64{3, 2}, make([]float32, 6)), format.FloatTensor("three", []int64{3}, make([]float32, 3)), format.FloatTensor("cube", []int64{1, 1, 1}, make([]float32, 1))}}}).Append(nil)
	}
	op := func(op string, in ...string) *format.Node {
		return &format.Node{Name: "n", Op: op, Inputs: in, Outputs: []string{"y"}}
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{[]byte("none"), "onnx: onnx: model"},
		{model(op("Erf", "x")), `onnx: node "n" (Erf): no layer computes the operator Erf`},
		{model(op("If", "x")), `onnx: node "n" (If): no layer computes the operator If`},
		{model(op("Relu", "z")), `onnx: node "n" (Relu): expected an input that is known before, got "z"`},
		{model(op("MatMul", "wide", "w")), `onnx: node "n" (MatMul): expected a value of width 3, got shape (N, 4, 1073741824)`},
		{model(op("LayerNormalization", "wide", "three")), `onnx: node "n" (LayerNormalization): expected a value of width 3`},
		{model(op("Conv", "wide", "cube")), `onnx: node "n" (Conv): expected a value of width 1, got shape`},
		{model(op("MatMul", "x", "x")), `onnx: node "n" (MatMul): expected what layers compute times a known matrix`},
		{model(op("LSTM", "x", "cube", "cube")), `onnx: node "n" (LSTM): expected R of shape (1, 4·H, H)`},
		{model(&format.Node{Name: "n", Op: "Relu", Domain: "com.microsoft", Inputs: []string{"x"}, Outputs: []string{"y"}}), `onnx: node "n" (Relu): expected operators of ONNX, got one of the domain "com.microsoft"`},
		{model(op("Identity", "w")), `onnx: expected an output "y" that layers compute`},
		{model(&format.Node{Name: "n", Op: "LeakyRelu", Inputs: []string{"x"}, Outputs: []string{"y"}}), `onnx: node "n" (LeakyRelu): expected the arguments of an activation`},
	} {
		if _, err := readONNX(c.data); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("expected an error that begins with %q, got %v", c.want, err)
		}
	}
	if _, err := onnx.Read(bytes.NewReader(nil), 1<<40); err == nil || !strings.HasPrefix(err.Error(), "onnx: expected a file of at most") {
		t.Errorf("got error %v", err)
	}
}

// FuzzReadONNX: whatever a file says, it is a model or an error.
func FuzzReadONNX(f *testing.F) {
	paths, _ := filepath.Glob("../../testdata/onnx/*.onnx")
	for _, p := range paths {
		if data, err := os.ReadFile(p); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 1<<16 {
			readONNX(data)
		}
	})
}
