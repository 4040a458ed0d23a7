package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxDepth bounds graphs within graphs.
const maxDepth = 16

// Read is the model in data, which it keeps: raw elements of tensors are slices of it. What it takes besides is bounded by a small multiple of the
// file: every message costs at least the bytes that name it.
func Read(data []byte) (*Model, error) {
	m := &Model{}
	err := fields("model", data, func(f field) error {
		var err error
		switch f.number {
		case 1:
			m.IRVersion, err = f.int()
		case 2:
			m.Producer, err = f.string()
		case 3:
			m.ProducerVersion, err = f.string()
		case 7:
			if m.Graph != nil {
				return fmt.Errorf("onnx: model: expected one graph, got two")
			}
			var b []byte
			if b, err = f.message(); err == nil {
				m.Graph, err = readGraph(b, 0)
			}
		case 8:
			var o Opset
			err = f.fields("opset_import", func(f field) (err error) {
				switch f.number {
				case 1:
					o.Domain, err = f.string()
				case 2:
					o.Version, err = f.int()
				}
				return err
			})
			m.Opsets = append(m.Opsets, o)
		case 25:
			m.Functions++
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case m.Graph == nil:
		return nil, fmt.Errorf("onnx: model: expected a graph, got none: is it an ONNX file?")
	}
	return m, nil
}

// ReadTensor is a TensorProto that stands alone, as in the files of ONNX's own test data.
func ReadTensor(data []byte) (*Tensor, error) { return readTensor(data) }

func readGraph(data []byte, depth int) (*Graph, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("onnx: graph: expected at most %d graphs within each other, got more", maxDepth)
	}
	g := &Graph{}
	return g, fields("graph", data, func(f field) error {
		var err error
		var b []byte
		switch f.number {
		case 1:
			var n *Node
			if b, err = f.message(); err == nil {
				n, err = readNode(b, depth)
			}
			g.Nodes = append(g.Nodes, n)
		case 2:
			g.Name, err = f.string()
		case 5:
			var t *Tensor
			if b, err = f.message(); err == nil {
				t, err = readTensor(b)
			}
			g.Initializers = append(g.Initializers, t)
		case 11, 12:
			var v *Value
			if b, err = f.message(); err == nil {
				v, err = readValue(b)
			}
			if f.number == 11 {
				g.Inputs = append(g.Inputs, v)
			} else {
				g.Outputs = append(g.Outputs, v)
			}
		case 15:
			g.Sparse++
		}
		return err
	})
}

func readNode(data []byte, depth int) (*Node, error) {
	n := &Node{}
	err := fields("node", data, func(f field) error {
		var err error
		var s string
		switch f.number {
		case 1:
			s, err = f.string()
			n.Inputs = append(n.Inputs, s)
		case 2:
			s, err = f.string()
			n.Outputs = append(n.Outputs, s)
		case 3:
			n.Name, err = f.string()
		case 4:
			n.Op, err = f.string()
		case 5:
			var b []byte
			if b, err = f.message(); err == nil {
				var a *Attribute
				a, err = readAttribute(b, depth)
				n.Attributes = append(n.Attributes, a)
			}
		case 7:
			n.Domain, err = f.string()
		}
		return err
	})
	if err == nil && n.Op == "" {
		err = fmt.Errorf("onnx: node %q: expected an op_type, got none", n.Name)
	}
	return n, err
}

func readAttribute(data []byte, depth int) (*Attribute, error) {
	a := &Attribute{}
	err := fields("attribute", data, func(f field) error {
		var err error
		var b []byte
		switch f.number {
		case 1:
			a.Name, err = f.string()
		case 2:
			a.Float, err = f.float()
		case 3:
			a.Int, err = f.int()
		case 4:
			a.String, err = f.string()
		case 5:
			if b, err = f.message(); err == nil {
				a.Tensor, err = readTensor(b)
			}
		case 6:
			if b, err = f.message(); err == nil {
				a.Graph, err = readGraph(b, depth+1)
			}
		case 7:
			a.Floats, err = f.floats(a.Floats)
		case 8:
			a.Ints, err = f.ints(a.Ints)
		case 9:
			var s string
			s, err = f.string()
			a.Strings = append(a.Strings, s)
		case 20:
			var k int64
			k, err = f.int()
			a.Kind = Kind(k)
		}
		return err
	})
	switch {
	case err != nil:
	case a.Name == "":
		err = fmt.Errorf("onnx: attribute: expected a name, got none")
	case a.Kind == KindTensor && a.Tensor == nil:
		err = fmt.Errorf("onnx: attribute %q: expected a tensor, got none", a.Name)
	case a.Kind == KindGraph && a.Graph == nil:
		err = fmt.Errorf("onnx: attribute %q: expected a graph, got none", a.Name)
	}
	return a, err
}

func readTensor(data []byte) (*Tensor, error) {
	t := &Tensor{}
	return t, fields("tensor", data, func(f field) error {
		var err error
		switch f.number {
		case 1:
			t.Shape, err = f.ints(t.Shape)
		case 2:
			var k int64
			k, err = f.int()
			t.Type = Type(k)
		case 4:
			t.Floats, err = f.floats(t.Floats)
		case 5, 7, 11:
			t.Ints, err = f.ints(t.Ints)
		case 8:
			t.Name, err = f.string()
		case 9:
			t.Raw, err = f.message()
		case 10:
			t.Doubles, err = f.doubles(t.Doubles)
		case 13:
			t.External = true
		case 14:
			var k int64
			k, err = f.int()
			t.External = t.External || k != 0
		}
		return err
	})
}

func readValue(data []byte) (*Value, error) {
	v := &Value{}
	dim := func(f field) error {
		if f.number != 1 {
			return nil
		}
		d := Dim{Length: -1}
		err := f.fields("dimension", func(f field) (err error) {
			switch f.number {
			case 1:
				d.Length, err = f.int()
			case 2:
				d.Name, err = f.string()
			}
			return err
		})
		v.Shape = append(v.Shape, d)
		return err
	}
	tensorType := func(f field) error {
		switch f.number {
		case 1:
			k, err := f.int()
			v.Type = Type(k)
			return err
		case 2:
			v.Ranked = true
			return f.fields("shape", dim)
		}
		return nil
	}
	return v, fields("value", data, func(f field) (err error) {
		switch f.number {
		case 1:
			v.Name, err = f.string()
		case 2:
			err = f.fields("type", func(f field) error {
				if f.number == 1 {
					return f.fields("tensor_type", tensorType)
				}
				return nil
			})
		}
		return err
	})
}

// field is a field of a message as it stands in the file.
type field struct {
	of     string // what the message is, for errors
	number protowire.Number
	wire   protowire.Type
	bits   uint64 // of numbers
	data   []byte // of everything else
}

// fields calls read for every field of a message.
func fields(of string, data []byte, read func(field) error) error {
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("onnx: %s: expected a field, got bytes that are none: %w", of, protowire.ParseError(n))
		}
		data = data[n:]
		f := field{of: of, number: number, wire: wire}
		switch wire {
		case protowire.VarintType:
			f.bits, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			f.bits = uint64(v)
		case protowire.Fixed64Type:
			f.bits, n = protowire.ConsumeFixed64(data)
		case protowire.BytesType:
			f.data, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, wire, data)
		}
		if n < 0 {
			return fmt.Errorf("onnx: %s: field %d: %w", of, number, protowire.ParseError(n))
		}
		data = data[n:]
		if err := read(f); err != nil {
			return err
		}
	}
	return nil
}

func (f field) expect(wire protowire.Type, what string) error {
	if f.wire != wire {
		return fmt.Errorf("onnx: %s: field %d: expected %s, got wire type %d", f.of, f.number, what, f.wire)
	}
	return nil
}

func (f field) message() ([]byte, error) { return f.data, f.expect(protowire.BytesType, "bytes") }

func (f field) string() (string, error) {
	return string(f.data), f.expect(protowire.BytesType, "a string")
}

func (f field) int() (int64, error) {
	return int64(f.bits), f.expect(protowire.VarintType, "an integer")
}

func (f field) float() (float32, error) {
	return math.Float32frombits(uint32(f.bits)), f.expect(protowire.Fixed32Type, "a float")
}

func (f field) fields(of string, read func(field) error) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	return fields(of, b, read)
}

// ints appends one integer, or a packed list of them.
func (f field) ints(to []int64) ([]int64, error) {
	if f.wire != protowire.BytesType {
		v, err := f.int()
		return append(to, v), err
	}
	for data := f.data; len(data) > 0; {
		v, n := protowire.ConsumeVarint(data)
		if n < 0 {
			return nil, fmt.Errorf("onnx: %s: field %d: %w", f.of, f.number, protowire.ParseError(n))
		}
		to, data = append(to, int64(v)), data[n:]
	}
	return to, nil
}

// floats appends one float, or a packed list of them.
func (f field) floats(to []float32) ([]float32, error) {
	if f.wire != protowire.BytesType {
		v, err := f.float()
		return append(to, v), err
	}
	if len(f.data)%4 != 0 {
		return nil, fmt.Errorf("onnx: %s: field %d: expected floats of 4 bytes, got %d bytes", f.of, f.number, len(f.data))
	}
	for i := 0; i < len(f.data); i += 4 {
		to = append(to, math.Float32frombits(binary.LittleEndian.Uint32(f.data[i:])))
	}
	return to, nil
}

// doubles appends one double, or a packed list of them.
func (f field) doubles(to []float64) ([]float64, error) {
	if f.wire != protowire.BytesType {
		return append(to, math.Float64frombits(f.bits)), f.expect(protowire.Fixed64Type, "a double")
	}
	if len(f.data)%8 != 0 {
		return nil, fmt.Errorf("onnx: %s: field %d: expected doubles of 8 bytes, got %d bytes", f.of, f.number, len(f.data))
	}
	for i := 0; i < len(f.data); i += 8 {
		to = append(to, math.Float64frombits(binary.LittleEndian.Uint64(f.data[i:])))
	}
	return to, nil
}
