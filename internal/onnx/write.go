package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Append appends the model's bytes to dst. What Read leaves out is not there.
func (m *Model) Append(dst []byte) []byte {
	dst = appendInt(dst, 1, m.IRVersion)
	dst = appendString(dst, 2, m.Producer)
	dst = appendString(dst, 3, m.ProducerVersion)
	dst = appendBytes(dst, 7, m.Graph.append(nil))
	for _, o := range m.Opsets {
		dst = appendBytes(dst, 8, appendInt(appendString(nil, 1, o.Domain), 2, o.Version))
	}
	return dst
}

func (g *Graph) append(dst []byte) []byte {
	for _, n := range g.Nodes {
		dst = appendBytes(dst, 1, n.append(nil))
	}
	dst = appendString(dst, 2, g.Name)
	for _, t := range g.Initializers {
		dst = appendBytes(dst, 5, t.append(nil))
	}
	for _, v := range g.Inputs {
		dst = appendBytes(dst, 11, v.append(nil))
	}
	for _, v := range g.Outputs {
		dst = appendBytes(dst, 12, v.append(nil))
	}
	return dst
}

func (n *Node) append(dst []byte) []byte {
	for _, s := range n.Inputs {
		dst = appendBytes(dst, 1, []byte(s)) // also one left out
	}
	for _, s := range n.Outputs {
		dst = appendBytes(dst, 2, []byte(s))
	}
	dst = appendString(dst, 3, n.Name)
	dst = appendString(dst, 4, n.Op)
	for _, a := range n.Attributes {
		dst = appendBytes(dst, 5, a.append(nil))
	}
	return appendString(dst, 7, n.Domain)
}

func (a *Attribute) append(dst []byte) []byte {
	dst = appendString(dst, 1, a.Name)
	switch a.Kind {
	case KindFloat:
		dst = protowire.AppendTag(dst, 2, protowire.Fixed32Type)
		dst = protowire.AppendFixed32(dst, math.Float32bits(a.Float))
	case KindInt:
		dst = protowire.AppendTag(dst, 3, protowire.VarintType)
		dst = protowire.AppendVarint(dst, uint64(a.Int))
	case KindString:
		dst = appendBytes(dst, 4, []byte(a.String))
	case KindTensor:
		dst = appendBytes(dst, 5, a.Tensor.append(nil))
	case KindGraph:
		dst = appendBytes(dst, 6, a.Graph.append(nil))
	case KindFloats:
		dst = appendFloats(dst, 7, a.Floats)
	case KindInts:
		for _, v := range a.Ints {
			dst = protowire.AppendTag(dst, 8, protowire.VarintType)
			dst = protowire.AppendVarint(dst, uint64(v))
		}
	case KindStrings:
		for _, s := range a.Strings {
			dst = appendBytes(dst, 9, []byte(s))
		}
	}
	return appendInt(dst, 20, int64(a.Kind))
}

func (t *Tensor) append(dst []byte) []byte {
	dst = appendInts(dst, 1, t.Shape)
	dst = appendInt(dst, 2, int64(t.Type))
	dst = appendFloats(dst, 4, t.Floats)
	switch t.Type {
	case Int64:
		dst = appendInts(dst, 7, t.Ints)
	case uint32Type, uint64Type:
		dst = appendInts(dst, 11, t.Ints)
	default:
		dst = appendInts(dst, 5, t.Ints)
	}
	dst = appendString(dst, 8, t.Name)
	if t.Raw != nil {
		dst = appendBytes(dst, 9, t.Raw)
	}
	if len(t.Doubles) > 0 {
		var packed []byte
		for _, v := range t.Doubles {
			packed = protowire.AppendFixed64(packed, math.Float64bits(v))
		}
		dst = appendBytes(dst, 10, packed)
	}
	return dst
}

func (v *Value) append(dst []byte) []byte {
	dst = appendString(dst, 1, v.Name)
	if v.Type == 0 {
		return dst
	}
	tensor := appendInt(nil, 1, int64(v.Type))
	if v.Ranked {
		var shape []byte
		for _, d := range v.Shape {
			var dim []byte
			if d.Length >= 0 {
				dim = protowire.AppendTag(dim, 1, protowire.VarintType)
				dim = protowire.AppendVarint(dim, uint64(d.Length))
			} else {
				dim = appendString(dim, 2, d.Name)
			}
			shape = appendBytes(shape, 1, dim)
		}
		tensor = appendBytes(tensor, 2, shape)
	}
	return appendBytes(dst, 2, appendBytes(nil, 1, tensor))
}

func appendBytes(dst []byte, number protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), b)
}

// appendString leaves out an empty one.
func appendString(dst []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return appendBytes(dst, number, []byte(s))
}

// appendInt leaves out 0.
func appendInt(dst []byte, number protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), uint64(v))
}

func appendInts(dst []byte, number protowire.Number, values []int64) []byte {
	if len(values) == 0 {
		return dst
	}
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return appendBytes(dst, number, packed)
}

func appendFloats(dst []byte, number protowire.Number, values []float32) []byte {
	if len(values) == 0 {
		return dst
	}
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendFixed32(packed, math.Float32bits(v))
	}
	return appendBytes(dst, number, packed)
}
