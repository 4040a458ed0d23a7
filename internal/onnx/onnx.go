// Package onnx is the syntax of ONNX files: a model is a graph of nodes, each an operator between named values. It knows the fields of the messages
// and no operator. Source: onnx/onnx.proto of ONNX 1.16, read and written with the wire format of protocol buffers alone: generated types would
// clash with those of a program that has its own.
package onnx

// Model is a ModelProto.
type Model struct {
	IRVersion                 int64
	Opsets                    []Opset
	Producer, ProducerVersion string
	Graph                     *Graph
	// Functions is how many functions of its own the model defines, whose bodies are not read.
	Functions int
}

// Opset says which version of a domain's operators is meant; the domain "" is ONNX's own.
type Opset struct {
	Domain  string
	Version int64
}

// Version is that of ONNX's own operators; 0 where none is given.
func (m *Model) Version() int64 {
	for _, o := range m.Opsets {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			return o.Version
		}
	}
	return 0
}

// Graph is a GraphProto. Nodes stand in an order in which they can run.
type Graph struct {
	Name            string
	Nodes           []*Node
	Initializers    []*Tensor
	Inputs, Outputs []*Value
	// Sparse is how many initializers are sparse, which are not read.
	Sparse int
}

// Node is a NodeProto. An input or output named "" is left out.
type Node struct {
	Name, Op, Domain string
	Inputs, Outputs  []string
	Attributes       []*Attribute
}

// Attribute of the node by name; nil where it has none.
func (n *Node) Attribute(name string) *Attribute {
	for _, a := range n.Attributes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Kind is an attribute's type.
type Kind int32

// The kinds of attributes that are read and written; one of another kind keeps its number and has no value.
const (
	KindFloat   Kind = 1
	KindInt     Kind = 2
	KindString  Kind = 3
	KindTensor  Kind = 4
	KindGraph   Kind = 5
	KindFloats  Kind = 6
	KindInts    Kind = 7
	KindStrings Kind = 8
)

// Attribute is an AttributeProto; its kind says which field counts.
type Attribute struct {
	Name    string
	Kind    Kind
	Float   float32
	Int     int64
	String  string
	Tensor  *Tensor
	Graph   *Graph
	Floats  []float32
	Ints    []int64
	Strings []string
}

// Value is a ValueInfoProto: the name of a value and, as far as is known, its type. Type is 0 for what is no tensor.
type Value struct {
	Name  string
	Type  Type
	Shape []Dim
	// Ranked: Shape is known, perhaps as that of a scalar.
	Ranked bool
}

// Dim is an axis: a length, or where it is open a name, perhaps "", and Length -1.
type Dim struct {
	Length int64
	Name   string
}
