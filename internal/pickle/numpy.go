package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// Array is a NumPy array.
type Array struct {
	Shape        []int
	Dtype        string // as NumPy writes it: "<i8", "|O"
	FortranOrder bool   // the first axis varies fastest
	Raw          []byte // the elements, len(Raw) = product of Shape * size of Dtype; nil for objects
	Objects      *List  // the elements of an object array, otherwise nil

	built bool
}

// The functions and classes that a pickle may name. NumPy 2 moved numpy.core to numpy._core.
type global int

const (
	reconstruct global = iota
	frombuffer
	scalar
	ndarray
	dtypeClass
	encode
	emptyBytes
)

func (m *machine) global(module, name string) error {
	var g global
	switch strings.Replace(module, "numpy._core.", "numpy.core.", 1) + "." + name {
	case "numpy.core.multiarray._reconstruct":
		g = reconstruct
	case "numpy.core.multiarray.scalar":
		g = scalar
	case "numpy.core.numeric._frombuffer":
		g = frombuffer
	case "numpy.ndarray":
		g = ndarray
	case "numpy.dtype":
		g = dtypeClass
	case "_codecs.encode":
		g = encode
	case "__builtin__.bytes", "builtins.bytes":
		g = emptyBytes
	default:
		if m.torch {
			if v, ok := torchGlobal(module, name); ok {
				return m.pushAny(v)
			}
			return fmt.Errorf("expected plain values and tensors only, got %.80q", module+"."+name)
		}
		return fmt.Errorf("expected plain values and NumPy arrays only, got %.80q", module+"."+name)
	}
	return m.pushAny(g)
}

// dtype is a NumPy dtype: order and kind, as in "<" and "i8".
type dtype struct{ order, kind string }

// size is the bytes an element, 0 for objects.
func (d *dtype) size() (int, error) {
	switch d.kind {
	case "O", "O8", "O4":
		return 0, nil
	case "b1", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8":
		return int(d.kind[1] - '0'), nil
	}
	return 0, fmt.Errorf("expected a dtype among b1 i1 u1 i2 u2 f2 i4 u4 f4 i8 u8 f8 O, got %.40q", d.kind)
}

// call is the REDUCE opcode: f(args...).
func call(f, args any) (any, error) {
	g, ok := f.(global)
	t, isTuple := args.(Tuple)
	if !ok || !isTuple {
		return nil, fmt.Errorf("expected a function and a tuple to call it with, got %T and %T", f, args)
	}
	switch g {
	case orderedDict, rebuildTensor, rebuildParameter:
		return callTorch(g, t)
	case encode: // _codecs.encode(text, "latin1"): how protocols 0 to 2 write bytes
		if len(t) == 2 && (t[1] == "latin1" || t[1] == "latin-1") {
			if s, ok := t[0].(string); ok {
				return toLatin1(s)
			}
		}
		return nil, fmt.Errorf("_codecs.encode: expected text and \"latin1\", got %d arguments of other kinds", len(t))
	case emptyBytes: // bytes(): how protocols 0 to 2 write no bytes
		if len(t) == 0 {
			return []byte{}, nil
		}
		return nil, fmt.Errorf("bytes: expected no arguments, got %d", len(t))
	case dtypeClass: // numpy.dtype(kind, align, copy)
		if len(t) >= 1 {
			if kind, ok := t[0].(string); ok {
				return &dtype{order: "|", kind: kind}, nil
			}
		}
		return nil, fmt.Errorf("numpy.dtype: expected the name of a dtype, got %d arguments of other kinds", len(t))
	case reconstruct: // _reconstruct(numpy.ndarray, (0,), b"b"): an empty array, which BUILD fills
		if len(t) == 3 && t[0] == any(ndarray) {
			return &Array{}, nil
		}
		return nil, fmt.Errorf("_reconstruct: expected numpy.ndarray, a shape and a letter, got %d arguments of other kinds", len(t))
	case scalar: // scalar(dtype, bytes)
		if len(t) == 2 {
			if d, ok := t[0].(*dtype); ok {
				if raw, ok := t[1].([]byte); ok {
					return number(d, raw)
				}
			}
		}
		return nil, fmt.Errorf("scalar: expected a dtype and bytes, got %d arguments of other kinds", len(t))
	case frombuffer: // _frombuffer(bytes, dtype, shape, order), of protocol 5
		if len(t) == 4 {
			shape, ok1 := t[2].(Tuple)
			order, ok2 := t[3].(string)
			if ok1 && ok2 && (order == "C" || order == "F") {
				a := &Array{}
				return a, a.fill(shape, t[1], order == "F", t[0])
			}
		}
		return nil, fmt.Errorf("_frombuffer: expected bytes, a dtype, a shape and an order, got %d arguments of other kinds", len(t))
	}
	return nil, fmt.Errorf("expected a function to call, got a class")
}

// build is the BUILD opcode, which gives an object its state.
func build(object, state any) error {
	t, _ := state.(Tuple)
	switch o := object.(type) {
	case *Dict:
		if o.ordered {
			return nil // attributes: a state_dict's versions of modules
		}
	case *dtype: // (version, byte order, subdtype, names, fields, size, alignment, flags)
		if len(t) < 5 {
			return fmt.Errorf("dtype: expected a state of at least 5 parts, got %d", len(t))
		}
		order, ok := t[1].(string)
		if !ok || len(order) != 1 || !strings.Contains("<>|=", order) {
			return fmt.Errorf("dtype: expected a byte order, got %v", t[1])
		}
		if t[2] != nil || t[3] != nil || t[4] != nil {
			return fmt.Errorf("dtype: expected a plain dtype, got a structured one")
		}
		o.order = order
		return nil
	case *Array: // (version, shape, dtype, Fortran order, elements)
		if o.built {
			return fmt.Errorf("array: expected its state once, got it twice")
		}
		if len(t) == 5 {
			shape, ok1 := t[1].(Tuple)
			fortran, ok2 := t[3].(bool)
			if ok1 && ok2 {
				return o.fill(shape, t[2], fortran, t[4])
			}
		}
		return fmt.Errorf("array: expected a state of version, shape, dtype, order and elements, got %d parts", len(t))
	}
	return fmt.Errorf("expected a NumPy array or dtype to give a state to, got %T", object)
}

func (a *Array) fill(shape Tuple, dt any, fortran bool, data any) error {
	d, ok := dt.(*dtype)
	if !ok {
		return fmt.Errorf("array: expected a dtype, got %T", dt)
	}
	size, err := d.size()
	if err != nil {
		return fmt.Errorf("array: %w", err)
	}
	// The product of the axes other than zero must fit, so that no later product of a part of them can overflow.
	dims := make([]int, len(shape))
	count, product := 1, max(size, 1)
	for i, v := range shape {
		n, ok := v.(int64)
		if !ok || n < 0 || n > 0 && product > math.MaxInt/int(n) {
			return fmt.Errorf("array: expected a shape that fits memory, got %v", shape)
		}
		dims[i] = int(n)
		count *= int(n)
		product *= max(int(n), 1)
	}
	switch data := data.(type) {
	case *List:
		if size != 0 || data.Len() != count {
			return fmt.Errorf("array: expected %d elements of dtype %s, got a list of %d", count, d.kind, data.Len())
		}
		a.Objects, a.Dtype = data, "|O"
	case []byte:
		if size == 0 || len(data) != count*size {
			return fmt.Errorf("array: expected %d elements of dtype %s, got %d bytes", count, d.kind, len(data))
		}
		a.Raw, a.Dtype = data, d.order+d.kind
	case string: // bytes of Python 2
		raw, err := toLatin1(data)
		if err != nil {
			return fmt.Errorf("array: %w", err)
		}
		return a.fill(shape, dt, fortran, raw)
	default:
		return fmt.Errorf("array: expected its elements as bytes or a list, got %T", data)
	}
	a.Shape, a.FortranOrder, a.built = dims, fortran, true
	return nil
}

// number is a NumPy scalar as a Go number or bool.
func number(d *dtype, raw []byte) (any, error) {
	size, err := d.size()
	if err != nil || size == 0 || len(raw) != size {
		return nil, fmt.Errorf("scalar: expected %d bytes of a number, got %d of dtype %.20q", size, len(raw), d.kind)
	}
	bits := element(raw, d.order == ">")
	switch d.kind {
	case "b1":
		return bits != 0, nil
	case "f4":
		return float64(math.Float32frombits(uint32(bits))), nil
	case "f8":
		return math.Float64frombits(bits), nil
	case "f2":
		return nil, fmt.Errorf("scalar: expected a float of 32 or 64 bits, got 16")
	case "u8":
		if bits > math.MaxInt64 {
			return nil, fmt.Errorf("scalar: expected an integer of 64 bits with sign, got %d", bits)
		}
	}
	return signed(bits, d.kind[0], size), nil
}

// element is the bits of a number of 1, 2, 4 or 8 bytes.
func element(raw []byte, bigEndian bool) uint64 {
	if bigEndian {
		switch len(raw) {
		case 2:
			return uint64(binary.BigEndian.Uint16(raw))
		case 4:
			return uint64(binary.BigEndian.Uint32(raw))
		case 8:
			return binary.BigEndian.Uint64(raw)
		}
	}
	switch len(raw) {
	case 2:
		return uint64(binary.LittleEndian.Uint16(raw))
	case 4:
		return uint64(binary.LittleEndian.Uint32(raw))
	case 8:
		return binary.LittleEndian.Uint64(raw)
	}
	return uint64(raw[0])
}

// signed is bits of size bytes as a number: of kind i with its sign, otherwise without.
func signed(bits uint64, kind byte, size int) int64 {
	if kind == 'i' {
		shift := 64 - 8*size
		return int64(bits<<shift) >> shift
	}
	return int64(bits)
}
