package onnx

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// exporter is what a file's graphs share: names, and numbers, which stand in the outermost graph and are seen from all.
type exporter struct {
	graph     *onnx.Graph
	taken     map[string]bool
	constants map[string]string // by their contents
	arrays    map[*layers.Weight]string
	compact   map[string]compacted // by mask
}

// unique is the name, with a number where it is taken.
func (e *exporter) unique(name string) string {
	full := name
	for i := 1; e.taken[full]; i++ {
		full = fmt.Sprintf("%s_%d", name, i)
	}
	e.taken[full] = true
	return full
}

// builder appends nodes to a graph. Every method that returns a string returns the name of a value.
type builder struct {
	*exporter
	graph *onnx.Graph
	path  string // of the layer, with a slash behind it
}

// in is the builder for a part: its names go on with name.
func (b *builder) in(name string) *builder {
	return &builder{exporter: b.exporter, graph: b.graph, path: b.path + name + "/"}
}

// op is the result of an operator.
func (b *builder) op(op string, in ...string) string { return b.with(op, nil, in...) }

// with is the result of an operator with attributes.
func (b *builder) with(op string, attributes []*onnx.Attribute, in ...string) string {
	return b.several(op, 1, attributes, in...)[0]
}

// several are the first n results.
func (b *builder) several(op string, n int, attributes []*onnx.Attribute, in ...string) []string {
	node := &onnx.Node{Name: b.unique(b.path + op), Op: op, Inputs: in, Attributes: attributes}
	for i := range n {
		name := node.Name + ":" + fmt.Sprint(i)
		b.taken[name] = true
		node.Outputs = append(node.Outputs, name)
	}
	b.graph.Nodes = append(b.graph.Nodes, node)
	return node.Outputs
}

// attrs are attributes: pairs of a name and an int, []int, float64, string, []string, []float32 or *onnx.Graph.
func attrs(pairs ...any) (all []*onnx.Attribute) {
	for i := 0; i < len(pairs); i += 2 {
		a := &onnx.Attribute{Name: pairs[i].(string)}
		switch v := pairs[i+1].(type) {
		case int:
			a.Kind, a.Int = onnx.KindInt, int64(v)
		case []int:
			a.Kind = onnx.KindInts
			for _, n := range v {
				a.Ints = append(a.Ints, int64(n))
			}
		case float64:
			a.Kind, a.Float = onnx.KindFloat, float32(v)
		case []float32:
			a.Kind, a.Floats = onnx.KindFloats, v
		case string:
			a.Kind, a.String = onnx.KindString, v
		case []string:
			a.Kind, a.Strings = onnx.KindStrings, v
		case *onnx.Graph:
			a.Kind, a.Graph = onnx.KindGraph, v
		default:
			panic(fmt.Sprintf("onnx: an attribute of type %T", v))
		}
		all = append(all, a)
	}
	return all
}

// constant is an initializer; one of the same contents is there once.
func (b *builder) constant(key string, t func(name string) *onnx.Tensor) string {
	if name, ok := b.constants[key]; ok {
		return name
	}
	name := b.unique(key)
	b.constants[key] = name
	b.exporter.graph.Initializers = append(b.exporter.graph.Initializers, t(name))
	return name
}

// scalar is a number.
func (b *builder) scalar(v float64) string {
	return b.constant(fmt.Sprintf("number %v", float32(v)), func(name string) *onnx.Tensor { return onnx.FloatTensor(name, nil, []float32{float32(v)}) })
}

// ints is a list of whole numbers.
func (b *builder) ints(values ...int) string {
	wide := make([]int64, len(values))
	for i, v := range values {
		wide[i] = int64(v)
	}
	return b.constant(fmt.Sprintf("integers %v", values), func(name string) *onnx.Tensor { return onnx.IntTensor(name, []int64{int64(len(wide))}, wide) })
}

// whole is a whole number.
func (b *builder) whole(v int) string {
	return b.constant(fmt.Sprintf("integer %d", v), func(name string) *onnx.Tensor { return onnx.IntTensor(name, nil, []int64{int64(v)}) })
}

// floats is an array under a name of its own.
func (b *builder) floats(name string, shape tensor.Shape, values []float32) string {
	name = b.unique(b.path + name)
	wide := make([]int64, len(shape))
	for i, n := range shape {
		wide[i] = int64(n)
	}
	b.exporter.graph.Initializers = append(b.exporter.graph.Initializers, onnx.FloatTensor(name, wide, values))
	return name
}

// weight is a layer's array, as it is. One that several applications share is there once.
func (b *builder) weight(w *layers.Weight) string {
	name, ok := b.arrays[w]
	if !ok {
		name = b.floats(w.Name, w.Shape, w.Data)
		b.arrays[w] = name
	}
	return name
}

// dim is the length of an axis, a list of one.
func (b *builder) dim(x string, axis int) string {
	return b.with("Shape", attrs("start", axis, "end", axis+1), x)
}

// zeros is (N, width) zeros for as many rows as x has.
func (b *builder) zeros(x string, width int) string {
	return b.op("ConstantOfShape", b.with("Concat", attrs("axis", 0), b.dim(x, 0), b.ints(width)))
}

func (b *builder) transpose(x string, perm ...int) string {
	return b.with("Transpose", attrs("perm", perm), x)
}

func (b *builder) unsqueeze(x string, axes ...int) string {
	return b.op("Unsqueeze", x, b.ints(axes...))
}

func (b *builder) squeeze(x string, axes ...int) string { return b.op("Squeeze", x, b.ints(axes...)) }

// reshape takes 0 for an axis that stays and -1 for one that follows.
func (b *builder) reshape(x string, shape ...int) string { return b.op("Reshape", x, b.ints(shape...)) }

// flip turns the steps of (N, T, …) around.
func (b *builder) flip(x string) string {
	const first = -1 << 62 // before every step
	return b.op("Slice", x, b.ints(-1), b.ints(first), b.ints(1), b.ints(-1))
}

func (b *builder) castInt(x string) string {
	return b.with("Cast", attrs("to", int(onnx.Int64)), x)
}

func (b *builder) castFloat(x string) string {
	return b.with("Cast", attrs("to", int(onnx.Float)), x)
}

func (b *builder) castBool(x string) string {
	return b.with("Cast", attrs("to", int(onnx.Bool)), x)
}

// reduce is ReduceSum, ReduceMax or ReduceMean over axes; keep: they stay, with length 1.
func (b *builder) reduce(op string, keep bool, x string, axes ...int) string {
	k := 0
	if keep {
		k = 1
	}
	return b.with(op, attrs("keepdims", k), x, b.ints(axes...))
}

// count is 0, 1, 2 … to before n, a list of one.
func (b *builder) count(n string) string {
	return b.op("Range", b.whole(0), b.squeeze(n, 0), b.whole(1))
}
