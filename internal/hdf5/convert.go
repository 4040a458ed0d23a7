package hdf5

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/wire"
)

// convert fills dst with numbers of type t, one after the other in raw.
func convert[T float32 | float64](dst []T, raw []byte, t Type) error {
	le := !t.Big
	switch {
	case t.Kind == Float && t.Size == 4 && le:
		for i := range dst {
			dst[i] = T(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
		return nil
	case t.Kind == Float && t.Size == 8 && le:
		for i := range dst {
			dst[i] = T(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
		return nil
	}
	var value func(v uint64) T
	switch {
	case t.Kind == Float && t.Size == 2:
		value = func(v uint64) T { return T(wire.Half(uint16(v))) }
	case t.Kind == Float && t.Size == 4:
		value = func(v uint64) T { return T(math.Float32frombits(uint32(v))) }
	case t.Kind == Float && t.Size == 8:
		value = func(v uint64) T { return T(math.Float64frombits(v)) }
	case t.Kind == BFloat:
		value = func(v uint64) T { return T(math.Float32frombits(uint32(v) << 16)) }
	case t.Kind == Int:
		shift := 64 - 8*t.Size
		value = func(v uint64) T { return T(int64(v<<shift) >> shift) }
	case t.Kind == Uint || t.Kind == Bool:
		value = func(v uint64) T { return T(v) }
	default:
		return fmt.Errorf("expected numbers, got %v", t)
	}
	for i := range dst {
		dst[i] = value(t.bits(raw[i*t.Size:]))
	}
	return nil
}

// convertInts is convert for integers and booleans.
func convertInts(dst []int64, raw []byte, t Type) error {
	if t.Kind != Int && t.Kind != Uint && t.Kind != Bool {
		return fmt.Errorf("expected integers, got %v", t)
	}
	shift := 64 - 8*t.Size
	for i := range dst {
		v := t.bits(raw[i*t.Size:])
		if t.Kind == Int {
			v = uint64(int64(v<<shift) >> shift)
		} else if v > math.MaxInt64 {
			return fmt.Errorf("element %d: expected at most %d, got %d", i, int64(math.MaxInt64), v)
		}
		dst[i] = int64(v)
	}
	return nil
}

// bits is the first number of raw, not yet interpreted. Size is 1, 2, 4 or 8.
func (t Type) bits(raw []byte) uint64 {
	var v uint64
	for i, b := range raw[:t.Size] {
		if t.Big {
			v = v<<8 | uint64(b)
		} else {
			v |= uint64(b) << (8 * i)
		}
	}
	return v
}

// strings fills dst with strings of type t, one after the other in raw.
func (h *globalHeap) strings(dst []string, raw []byte, t Type) error {
	switch t.Kind {
	case Fixed:
		for i := range dst {
			dst[i] = string(t.trim(raw[i*t.Size:][:t.Size]))
		}
	case Variable:
		for i := range dst {
			var err error
			if dst[i], err = h.text(raw[i*refSize:][:refSize]); err != nil {
				return fmt.Errorf("string %d: %w", i, err)
			}
		}
	default:
		return fmt.Errorf("expected strings, got %v", t)
	}
	return nil
}

// trim cuts the padding off a fixed string.
func (t Type) trim(b []byte) []byte {
	switch t.pad {
	case padNUL:
		b, _, _ = bytes.Cut(b, []byte{0})
		return b
	case padZero:
		return bytes.TrimRight(b, "\x00")
	default:
		return bytes.TrimRight(b, " ")
	}
}
