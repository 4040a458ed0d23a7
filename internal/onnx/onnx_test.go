package onnx

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample has every field that is written.
func sample() *Model {
	inner := &Graph{Name: "body", Nodes: []*Node{{Op: "Identity", Inputs: []string{"a"}, Outputs: []string{"b"}}}, Outputs: []*Value{{Name: "b", Type: Float}}}
	return &Model{
		IRVersion: 8, Producer: "p", ProducerVersion: "1", Opsets: []Opset{{"", 18}, {"x", 2}},
		Graph: &Graph{
			Name: "g",
			Nodes: []*Node{{Name: "n", Op: "Scan", Domain: "x", Inputs: []string{"a", "", "b"}, Outputs: []string{"", "y"}, Attributes: []*Attribute{
				{Name: "f", Kind: KindFloat, Float: -0.5}, {Name: "zero", Kind: KindInt}, {Name: "i", Kind: KindInt, Int: -3}, {Name: "s", Kind: KindString, String: "hi"},
				{Name: "t", Kind: KindTensor, Tensor: IntTensor("", []int64{2}, []int64{-1, 1 << 40})}, {Name: "g", Kind: KindGraph, Graph: inner},
				{Name: "fs", Kind: KindFloats, Floats: []float32{1, 2}}, {Name: "is", Kind: KindInts, Ints: []int64{0, -1}}, {Name: "ss", Kind: KindStrings, Strings: []string{"a", ""}},
			}}},
			Initializers: []*Tensor{FloatTensor("w", []int64{1, 2}, []float32{0.25, float32(math.Inf(1))}), {Name: "d", Type: Double, Shape: []int64{1}, Doubles: []float64{0.5}},
				{Name: "f", Type: Float, Shape: []int64{1}, Floats: []float32{3}}, {Name: "i", Type: Int32, Shape: []int64{1}, Ints: []int64{-4}},
				{Name: "u", Type: uint64Type, Shape: []int64{1}, Ints: []int64{1 << 40}}},
			Inputs:  []*Value{{Name: "a", Type: Int32, Ranked: true, Shape: []Dim{{Length: -1, Name: "N"}, {Length: -1}, {Length: 0}, {Length: 3}}}},
			Outputs: []*Value{{Name: "y", Type: Float, Ranked: true}},
		},
	}
}

func TestWrittenIsRead(t *testing.T) {
	data := sample().Append(nil)
	m, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), m); d != "" {
		t.Errorf("what was read differs from what was written (-want +got):\n%s", d)
	}
	if m.Version() != 18 || m.Graph.Nodes[0].Attribute("i").Int != -3 || m.Graph.Nodes[0].Attribute("none") != nil {
		t.Errorf("got version %d, attribute %+v", m.Version(), m.Graph.Nodes[0].Attribute("i"))
	}
}

// Files that the package onnx wrote, with its own generated code: all fields come back, and what is written again reads alike.
func TestFilesOfONNX(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/onnx/*.onnx")
	if err != nil || len(paths) == 0 {
		t.Fatalf("expected files in testdata/onnx, got %v, %v", paths, err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(data)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		again, err := Read(m.Append(nil))
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Errorf("%s: the second way differs:\n%s", p, d)
		}
		for _, w := range m.Graph.Initializers {
			if _, err := w.Float32s(); err != nil {
				if _, err := w.Int64s(); err != nil {
					t.Errorf("%s: %v", p, err)
				}
			}
		}
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		t    Tensor
		want []float32
		ints []int64
		err  string
	}{
		{t: *FloatTensor("a", []int64{2}, []float32{1, -2}), want: []float32{1, -2}},
		{t: Tensor{Type: Float, Shape: []int64{2}, Floats: []float32{1, -2}}, want: []float32{1, -2}},
		{t: Tensor{Type: Double, Shape: nil, Doubles: []float64{0.5}}, want: []float32{0.5}},
		{t: Tensor{Type: Float16, Shape: []int64{5}, Raw: []byte{0, 0x3c, 0, 0xc0, 1, 0, 0, 0x7c, 0xff, 0x7b}}, want: []float32{1, -2, 1.0 / (1 << 24), float32(math.Inf(1)), 65504}},
		{t: *IntTensor("a", []int64{1, 2}, []int64{-1, 1 << 40}), ints: []int64{-1, 1 << 40}},
		{t: Tensor{Type: Int32, Shape: []int64{1}, Raw: []byte{0xfe, 0xff, 0xff, 0xff}}, ints: []int64{-2}},
		{t: Tensor{Type: Bool, Shape: []int64{2}, Raw: []byte{0, 1}}, ints: []int64{0, 1}},
		{t: Tensor{Type: 3, Shape: []int64{2}, Raw: []byte{0xfe, 1}}, ints: []int64{-2, 1}},
		{t: Tensor{Type: uint64Type, Shape: []int64{1}, Ints: []int64{1 << 40}}, ints: []int64{1 << 40}},
		{t: Tensor{Type: bfloat16, Shape: []int64{2}, Ints: []int64{0xc020, 0x3f80}}, want: []float32{-2.5, 1}},
		{t: Tensor{Name: "w", Type: Float, Shape: []int64{1 << 40, 1 << 40}}, err: `onnx: tensor "w": expected a shape`},
		{t: Tensor{Name: "w", Type: Float, Shape: []int64{1 << 40}, Raw: make([]byte, 8)}, err: `onnx: tensor "w": expected 1099511627776 elements`},
		{t: Tensor{Name: "w", Type: Float, Shape: []int64{2}, Raw: make([]byte, 9)}, err: `onnx: tensor "w": expected 2 elements`},
		{t: Tensor{Name: "w", Type: Float, Shape: []int64{-2, -3}}, err: `onnx: tensor "w": expected a shape`},
		{t: Tensor{Name: "w", Type: 8, Shape: []int64{2}}, err: `onnx: tensor "w": expected elements that are numbers`},
		{t: Tensor{Name: "w", Type: Float, External: true}, err: `onnx: tensor "w": its values stand in another file`},
	} {
		got, err := c.t.Float32s()
		ints, intErr := c.t.Int64s()
		switch {
		case c.err != "":
			if err == nil || intErr == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%+v: expected an error %s, got %v, %v", c.t, c.err, err, intErr)
			}
		case !cmp.Equal(got, c.want) || !cmp.Equal(ints, c.ints):
			t.Errorf("%+v: got %v (%v), %v (%v)", c.t, got, err, ints, intErr)
		}
	}
}

// attribute is a model with an attribute of a kind below 8, and no value.
func attribute(kind byte) []byte {
	wrap := func(number byte, b []byte) []byte { return append([]byte{number<<3 | 2, byte(len(b))}, b...) }
	a := append(wrap(1, []byte("a")), 0xa0, 1, kind)
	return wrap(7, wrap(1, append(wrap(4, []byte("op")), wrap(5, a)...)))
}

func TestRefused(t *testing.T) {
	deep := &Graph{Nodes: []*Node{{Op: "x"}}}
	for range maxDepth + 1 {
		deep = &Graph{Nodes: []*Node{{Op: "If", Attributes: []*Attribute{{Name: "then", Kind: KindGraph, Graph: deep}}}}}
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "onnx: model: expected a graph, got none"},
		{[]byte("not a model at all"), "onnx: model"},
		{(&Model{Graph: deep}).Append(nil), "onnx: graph: expected at most 16 graphs within each other"},
		{(&Model{Graph: &Graph{Nodes: []*Node{{Name: "a"}}}}).Append(nil), `onnx: node "a": expected an op_type`},
		{attribute(4), `onnx: attribute "a": expected a tensor, got none`},
		{attribute(5), `onnx: attribute "a": expected a graph, got none`},
		{sample().Append(nil)[:100], "onnx: "},
	} {
		if _, err := Read(c.data); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("expected an error that begins with %q, got %v", c.want, err)
		}
	}
}

// FuzzRead reads whatever the bytes say, bounds the memory that takes, and what can be read can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add(sample().Append(nil))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x3a, 0}, 3))
	paths, _ := filepath.Glob("../../testdata/onnx/*.onnx")
	for _, p := range paths {
		if data, err := os.ReadFile(p); err == nil && len(data) < 1<<14 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return // larger files take longer, not other ways
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Read(data)
		if err == nil {
			for _, w := range m.Graph.Initializers {
				w.Float32s()
				w.Int64s()
			}
		}
		runtime.ReadMemStats(&after)
		// The largest structure a byte of the file can ask for, with what lists leave behind as they grow.
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20+uint64(len(data))*400 {
			t.Errorf("%d bytes took %d", len(data), took)
		}
		if err != nil {
			return
		}
		if _, err := Read(m.Append(nil)); err != nil {
			t.Errorf("what was written again is refused: %v", err)
		}
	})
}
