package hdf5

import "encoding/binary"

// le appends little-endian fields.
var le = binary.LittleEndian

// padded appends zeros until b, which begins at a multiple of 8, ends at one.
func padded(b []byte) []byte {
	return append(b, make([]byte, pad8(len(b))-len(b))...)
}

// appendDatatype appends a datatype message, version 1, as the library of HDF5 writes it.
func appendDatatype(b []byte, t Type) []byte {
	order := byte(0)
	if t.Big {
		order = 1
	}
	head := func(class, flags0, flags1 byte, size int) {
		b = append(b, 1<<4|class, flags0, flags1, 0)
		b = le.AppendUint32(b, uint32(size))
	}
	integer := func(flags byte, size int) {
		head(classFixed, flags, 0, size)
		b = le.AppendUint16(b, 0)
		b = le.AppendUint16(b, uint16(8*size))
	}
	const signed = 8
	switch t.Kind {
	case Int:
		integer(order|signed, t.Size)
	case Uint:
		integer(order, t.Size)
	case Bool:
		head(classEnum, 2, 0, 1) // two members
		integer(signed, 1)
		b = append(b, "FALSE\x00\x00\x00TRUE\x00\x00\x00\x00\x00\x01"...)
	case Float, BFloat:
		for _, f := range floats {
			if f.kind == t.Kind && f.size == t.Size {
				const impliedOne = 0x20
				head(classFloat, order|impliedOne, f.sign, t.Size)
				b = le.AppendUint16(b, 0)
				b = le.AppendUint16(b, uint16(8*t.Size))
				b = append(b, f.exp, f.expSize, f.mantissa, f.mantSize)
				b = le.AppendUint32(b, f.bias)
			}
		}
	case Fixed:
		head(classString, t.pad|charset(t)<<4, 0, t.Size)
	case Opaque:
		head(classOpaque, 0, 0, t.Size) // without a tag
	case Variable:
		const isString = 1
		head(classVar, isString, charset(t), refSize)
		integer(0, 1)
	}
	return b
}

func charset(t Type) byte {
	if t.ASCII {
		return 0
	}
	return 1
}

// appendDataspace appends a dataspace message, version 1. The library says of every array that it may not grow.
func appendDataspace(b []byte, shape []int) []byte {
	hasMax := byte(0)
	if len(shape) > 0 {
		hasMax = 1
	}
	b = append(b, 1, byte(len(shape)), hasMax, 0, 0, 0, 0, 0)
	for range 1 + hasMax {
		for _, d := range shape {
			b = le.AppendUint64(b, uint64(d))
		}
	}
	return b
}
