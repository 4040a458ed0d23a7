package pickle

import (
	"fmt"
	"io"
)

// ReadSequences reads an object array of one axis whose elements are sequences of integers: lists, tuples or arrays of one
// axis, as in imdb.npz. Each begins with lead zeros that the pickle does not have: room for the caller's marks. A list that
// is in the array twice is the same memory twice.
func ReadSequences(r io.Reader, lead int) ([][]int32, error) {
	v, err := Read(r, lead)
	if err != nil {
		return nil, err
	}
	a, ok := v.(*Array)
	if !ok || a.Objects == nil || len(a.Shape) != 1 {
		return nil, fmt.Errorf("pickle: expected an object array of one axis, got %s", describe(v))
	}
	seqs := make([][]int32, a.Objects.Len())
	for i := range seqs {
		if seqs[i], err = sequence(a.Objects.At(i), lead); err != nil {
			return nil, fmt.Errorf("pickle: element %d: %w", i, err)
		}
	}
	return seqs, nil
}

func sequence(v any, lead int) ([]int32, error) {
	switch v := v.(type) {
	case *List:
		if ints, ok := v.Ints(); ok {
			return ints, nil
		}
		for i := range v.Len() {
			if n, ok := v.At(i).(int64); !ok || n != int64(int32(n)) {
				return nil, fmt.Errorf("expected integers of 32 bits, got %s at place %d", describe(v.At(i)), i)
			}
		}
	case Tuple:
		return collect(len(v), lead, func(i int) (int64, error) {
			if n, ok := v[i].(int64); ok {
				return n, nil
			}
			return 0, fmt.Errorf("expected integers of 32 bits, got %s at place %d", describe(v[i]), i)
		})
	case *Array:
		if len(v.Shape) != 1 || v.Raw == nil {
			break
		}
		order, kind := v.Dtype[0], v.Dtype[1]
		if kind != 'i' && kind != 'u' {
			break
		}
		size := int(v.Dtype[2] - '0')
		return collect(v.Shape[0], lead, func(i int) (int64, error) {
			bits := element(v.Raw[i*size:(i+1)*size], order == '>')
			if kind == 'u' && bits > 1<<62 {
				bits = 1 << 62 // does not fit 32 bits either
			}
			return signed(bits, kind, size), nil
		})
	}
	return nil, fmt.Errorf("expected a sequence of integers, got %s", describe(v))
}

func collect(n, lead int, at func(int) (int64, error)) ([]int32, error) {
	seq := make([]int32, lead+n)
	for i := range n {
		v, err := at(i)
		if err != nil {
			return nil, err
		}
		if v != int64(int32(v)) {
			return nil, fmt.Errorf("expected integers of 32 bits, got %d at place %d", v, i)
		}
		seq[lead+i] = int32(v)
	}
	return seq, nil
}

// describe names a value for an error.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return fmt.Sprint(v)
	case float64:
		return fmt.Sprintf("the float %g", v)
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case []byte:
		return "bytes"
	case *List:
		return fmt.Sprintf("a list of %d", v.Len())
	case Tuple:
		return fmt.Sprintf("a tuple of %d", len(v))
	case *Dict:
		return fmt.Sprintf("a dict of %d", len(v.Keys))
	case *Array:
		return fmt.Sprintf("an array of shape %v of dtype %s", v.Shape, v.Dtype)
	}
	return "a class or a dtype"
}
