package hdf5

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// FixedStrings is an array of ASCII strings of one length, that of the longest; shorter ones are padded with zeros.
type FixedStrings []string

// Raw is elements as they are to be in the file. Type is any but Variable and Other.
type Raw struct {
	Type Type
	Data []byte
}

// array is a value to be written: elements with bytes of their own, which write gives, or else texts for the global heap.
type array struct {
	typ   Type
	shape []int
	count int
	write func(w io.Writer) error
	texts []string
}

// size is the bytes of all elements.
func (a *array) size() uint64 { return uint64(a.count) * uint64(a.typ.Size) }

// newArray checks a dataset's value.
func newArray(shape []int, data any) (array, error) {
	a, err := elements(data)
	if err != nil {
		return array{}, err
	}
	for i, d := range shape {
		if d < 0 {
			return array{}, fmt.Errorf("axis %d: expected a length of at least 0, got %d", i, d)
		}
	}
	if n, ok := product(shape); len(shape) > maxRank || !ok || n != uint64(a.count) {
		return array{}, fmt.Errorf("expected as many elements as shape %v has, got %d", shape, a.count)
	}
	a.shape = slices.Clone(shape)
	return a, nil
}

// newAttr checks an attribute's value: a slice is an array of one axis, any other value a scalar.
func newAttr(value any) (array, error) {
	var scalar any
	switch v := value.(type) {
	case string:
		scalar = []string{v}
	case []byte:
		scalar = [][]byte{v}
	case bool:
		scalar = []bool{v}
	case int:
		scalar = []int64{int64(v)}
	case int8:
		scalar = []int8{v}
	case int16:
		scalar = []int16{v}
	case int32:
		scalar = []int32{v}
	case int64:
		scalar = []int64{v}
	case uint8:
		scalar = []uint8{v}
	case uint16:
		scalar = []uint16{v}
	case uint32:
		scalar = []uint32{v}
	case uint64:
		scalar = []uint64{v}
	case float32:
		scalar = []float32{v}
	case float64:
		scalar = []float64{v}
	case FixedStrings:
		if len(v) == 0 {
			value = []float64{}
		}
	}
	if scalar != nil {
		return newArray(nil, scalar)
	}
	a, err := elements(value)
	a.shape = []int{a.count}
	return a, err
}

// elements is an array that has no shape yet.
func elements(data any) (array, error) {
	switch v := data.(type) {
	case []float32:
		return numbers(Float, v), nil
	case []float64:
		return numbers(Float, v), nil
	case []int8:
		return numbers(Int, v), nil
	case []int16:
		return numbers(Int, v), nil
	case []int32:
		return numbers(Int, v), nil
	case []int64:
		return numbers(Int, v), nil
	case []uint8:
		return numbers(Uint, v), nil
	case []uint16:
		return numbers(Uint, v), nil
	case []uint32:
		return numbers(Uint, v), nil
	case []uint64:
		return numbers(Uint, v), nil
	case []bool:
		return numbers(Bool, v), nil
	case []string:
		return texts(v, false)
	case [][]byte:
		s := make([]string, len(v))
		for i, b := range v {
			s[i] = string(b)
		}
		return texts(s, true)
	case FixedStrings:
		return v.raw().elements()
	case Raw:
		return v.elements()
	}
	return array{}, fmt.Errorf("expected numbers, booleans or strings, got %T", data)
}

// numbers is an array of little-endian numbers. They are encoded while they are written, in pieces.
func numbers[T any](kind Kind, v []T) array {
	var zero T
	write := func(w io.Writer) error {
		var block []byte
		for part := range slices.Chunk(v, 1<<14) {
			var err error
			if block, err = binary.Append(block[:0], binary.LittleEndian, part); err != nil {
				return err
			}
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}
	return array{typ: Type{Kind: kind, Size: binary.Size(zero)}, count: len(v), write: write}
}

func texts(v []string, ascii bool) (array, error) {
	for i, s := range v {
		if strings.IndexByte(s, 0) >= 0 || len(s) >= 1<<31 {
			return array{}, fmt.Errorf("string %d: expected less than 2 GiB without a zero byte, which would end it, got %d bytes: %.60q", i, len(s), s)
		}
	}
	return array{typ: Type{Kind: Variable, Size: refSize, ASCII: ascii}, count: len(v), texts: v}, nil
}

func (v FixedStrings) raw() Raw {
	size := 1
	for _, s := range v {
		size = max(size, len(s))
	}
	data := make([]byte, size*len(v))
	for i, s := range v {
		copy(data[i*size:], s)
	}
	return Raw{Type{Kind: Fixed, Size: size, ASCII: true, pad: padZero}, data}
}

func (v Raw) elements() (array, error) {
	t := v.Type
	ok := false
	switch t.Kind {
	case Float:
		ok = t.Size == 2 || t.Size == 4 || t.Size == 8
	case BFloat:
		ok = t.Size == 2
	case Int, Uint:
		ok = t.Size == 1 || t.Size == 2 || t.Size == 4 || t.Size == 8
	case Bool:
		ok = t.Size == 1
	case Fixed, Opaque:
		ok = t.Size > 0
	}
	if !ok || len(v.Data)%t.Size != 0 {
		return array{}, fmt.Errorf("expected whole elements of a type with bytes of its own, got %d bytes of %v, %d bytes each", len(v.Data), t, t.Size)
	}
	write := func(w io.Writer) error {
		_, err := w.Write(v.Data)
		return err
	}
	return array{typ: t, count: len(v.Data) / t.Size, write: write}, nil
}
