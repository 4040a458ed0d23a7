package hdf5

import (
	"bytes"
	"fmt"
)

// Kind says what an element is.
type Kind uint8

// The kinds that are read.
const (
	Other    Kind = iota // known to the format, not read: compound, reference, time, bit field, unusual numbers
	Float                // IEEE 754, Size 2, 4 or 8
	BFloat               // the upper half of a float32, Size 2
	Int                  // two's complement, Size 1, 2, 4 or 8
	Uint                 // Size 1, 2, 4 or 8
	Bool                 // an enumeration FALSE 0, TRUE 1 of one byte, as h5py has it
	Fixed                // a string of Size bytes
	Variable             // a string of any length, in a global heap
	Opaque               // Size bytes
)

// Type is the type of the elements of a dataset or an attribute. Types may be compared with ==.
type Type struct {
	Kind  Kind
	Size  int  // bytes of an element; 16 for Variable
	Big   bool // most significant byte first
	ASCII bool // of strings: the character set is ASCII, otherwise UTF-8

	pad   uint8  // of Fixed: padNUL, padZero or padSpace
	other string // of Other: what it is
}

// How a fixed string ends inside its bytes (IV.A.2.d, class 3).
const (
	padNUL   = 0 // at the first zero byte
	padZero  = 1 // at the zero bytes that reach to the end
	padSpace = 2 // at the spaces that reach to the end
)

// String is the name that NumPy gives the type where it has one: float32, uint8, bool, S3, str, bytes, V2.
func (t Type) String() string {
	order := ""
	if t.Big {
		order = "big-endian "
	}
	switch t.Kind {
	case Float:
		return fmt.Sprintf("%sfloat%d", order, 8*t.Size)
	case BFloat:
		return order + "bfloat16"
	case Int:
		return fmt.Sprintf("%sint%d", order, 8*t.Size)
	case Uint:
		return fmt.Sprintf("%suint%d", order, 8*t.Size)
	case Bool:
		return "bool"
	case Fixed:
		return fmt.Sprintf("S%d", t.Size)
	case Variable:
		if t.ASCII {
			return "bytes"
		}
		return "str"
	case Opaque:
		return fmt.Sprintf("V%d", t.Size)
	default:
		return t.other
	}
}

// Classes of datatype messages (IV.A.2.d).
const (
	classFixed  = 0
	classFloat  = 1
	classString = 3
	classOpaque = 5
	classEnum   = 8
	classVar    = 9
	classArray  = 10
)

var classNames = [...]string{2: "time", 4: "bit field", 6: "compound", 7: "reference", 11: "complex"}

// elementType reads a datatype message whose elements may be arrays, in which case inner is their shape and the type that of
// what is in them: a dataset of shape [N] with arrays of shape [3] is one of shape [N 3], as h5py has it.
func elementType(body []byte) (t Type, inner []int, err error) {
	c := &cursor{b: body}
	size := 0
	for first := true; len(c.b) >= 8 && c.b[0]&15 == classArray; first = false {
		version := c.u8() >> 4
		c.skip(3)
		if n := int(c.u32()); first {
			size = n
		}
		rank := int(c.u8())
		if version < 3 {
			c.skip(3)
		}
		if rank == 0 || len(inner)+rank > maxRank {
			return Type{}, nil, fmt.Errorf("datatype: array: expected 1 to %d axes, got %d", maxRank, len(inner)+rank)
		}
		for range rank {
			inner = append(inner, int(c.u32()))
		}
		if version < 3 {
			c.skip(4 * uint64(rank)) // a permutation that was never used
		}
	}
	if t, err = datatype(c); err != nil || inner == nil {
		return t, nil, err
	}
	whole, ok := product(inner)
	if !ok || whole == 0 || uint64(size)/whole != uint64(t.Size) || uint64(size)%whole != 0 {
		return Type{}, nil, fmt.Errorf("datatype: array of %d bytes: expected shape %v of %v to have as many", size, inner, t)
	}
	if t.Kind == Other {
		return Type{Size: size, other: "array of " + t.other}, nil, nil
	}
	return t, inner, nil
}

// datatype reads a datatype message. It leaves c behind the message only as far as a base type needs it.
func datatype(c *cursor) (Type, error) {
	head := c.u8()
	class, version := head&15, head>>4
	flags := uint32(c.uint(3))
	size := c.u32()
	if err := c.err("datatype"); err != nil {
		return Type{}, err
	}
	if version < 1 || version > 5 {
		return Type{}, fmt.Errorf("datatype: expected version 1 to 5, got %d", version)
	}
	if size == 0 || size > 1<<30 {
		return Type{}, fmt.Errorf("datatype: expected a size of 1 byte to 1 GiB, got %d", size)
	}
	t := Type{Size: int(size)}
	var err error
	switch class {
	case classFixed:
		t.integer(c, flags)
	case classFloat:
		t.float(c, flags)
	case classString:
		t.Kind, t.pad, t.ASCII = Fixed, uint8(flags&15), flags>>4&15 == 0
		if t.pad > padSpace {
			return Type{}, fmt.Errorf("datatype: string: expected padding 0, 1 or 2, got %d", t.pad)
		}
	case classOpaque:
		t.Kind = Opaque
	case classEnum:
		err = t.enum(c, version, int(flags&0xffff))
	case classVar:
		err = t.variable(flags)
	default:
		t.other = fmt.Sprintf("datatype of class %d", class)
		if int(class) < len(classNames) && classNames[class] != "" {
			t.other = classNames[class] + " datatype"
		}
	}
	if err != nil {
		return Type{}, err
	}
	return t, c.err("datatype")
}

func (t *Type) integer(c *cursor, flags uint32) {
	offset, precision := int(c.u16()), int(c.u16())
	t.Big = flags&1 != 0
	t.Kind = Uint
	if flags&8 != 0 {
		t.Kind = Int
	}
	if offset != 0 || precision != 8*t.Size || t.Size > 8 || t.Size&(t.Size-1) != 0 {
		*t = Type{Size: t.Size, other: fmt.Sprintf("integer of %d bits at bit %d of %d bytes", precision, offset, t.Size)}
	}
	if t.Size == 1 {
		t.Big = false
	}
}

// floats are the layouts of bits that are read: where sign, exponent and mantissa begin, how long the latter two are.
var floats = [...]struct {
	kind                                   Kind
	size                                   int
	sign, exp, expSize, mantissa, mantSize uint8
	bias                                   uint32
}{
	{Float, 2, 15, 10, 5, 0, 10, 15},
	{Float, 4, 31, 23, 8, 0, 23, 127},
	{Float, 8, 63, 52, 11, 0, 52, 1023},
	{BFloat, 2, 15, 7, 8, 0, 7, 127},
}

func (t *Type) float(c *cursor, flags uint32) {
	offset, precision := int(c.u16()), int(c.u16())
	exp, expSize, mantissa, mantSize, bias := c.u8(), c.u8(), c.u8(), c.u8(), c.u32()
	const order, normalization = 0x41, 0x30 // bits 0 and 6; bits 4 and 5, where 2 is an implied leading 1
	for _, f := range floats {
		if t.Size == f.size && offset == 0 && precision == 8*f.size && flags>>8&0xff == uint32(f.sign) &&
			exp == f.exp && expSize == f.expSize && mantissa == f.mantissa && mantSize == f.mantSize && bias == f.bias &&
			flags&normalization == 0x20 && flags&order <= 1 {
			t.Kind, t.Big = f.kind, flags&1 != 0
			return
		}
	}
	t.other = fmt.Sprintf("float of %d bytes with %d bits of exponent and %d of mantissa", t.Size, expSize, mantSize)
}

// enum reads an enumeration: h5py's bool, or else the integers under it.
func (t *Type) enum(c *cursor, version uint8, members int) error {
	base, err := datatype(c)
	if err != nil {
		return err
	}
	if base.Kind != Int && base.Kind != Uint || base.Size != t.Size {
		return fmt.Errorf("datatype: enumeration of %d bytes: expected integers of that size, got %v", t.Size, base)
	}
	*t = base
	if members != 2 || base.Size != 1 {
		return nil
	}
	names := [2]string{}
	for i := range names {
		end := bytes.IndexByte(c.b, 0)
		if end < 0 {
			return fmt.Errorf("datatype: enumeration: expected names that end in a zero byte, got %q", c.b)
		}
		if version < 3 {
			names[i] = string(c.take(uint64(pad8(end + 1)))[:end])
		} else {
			names[i] = string(c.take(uint64(end + 1))[:end])
		}
	}
	if values := c.take(2); names == [2]string{"FALSE", "TRUE"} && len(values) == 2 && values[0] == 0 && values[1] == 1 {
		*t = Type{Kind: Bool, Size: 1}
	}
	return nil
}

func (t *Type) variable(flags uint32) error {
	const isString = 1
	if flags&15 != isString {
		t.other = "variable-length sequence datatype"
		return nil
	}
	if t.Size != refSize {
		return fmt.Errorf("datatype: variable-length string: expected %d bytes, got %d", refSize, t.Size)
	}
	t.Kind, t.ASCII = Variable, flags>>8&15 == 0
	return nil
}

// dataspace reads a dataspace message (IV.A.2.b): the shape, nil for a scalar, [0] for the empty space, and to what it may grow,
// where -1 has no bound. Count is the number of elements.
func dataspace(body []byte) (shape, most []int, count uint64, err error) {
	c := cursor{b: body}
	version, rank, flags := c.u8(), int(c.u8()), c.u8()
	const null = 2
	switch version {
	case 1:
		c.skip(5)
	case 2:
		if c.u8() == null {
			return []int{0}, []int{0}, 0, c.err("dataspace")
		}
	default:
		return nil, nil, 0, fmt.Errorf("dataspace: expected version 1 or 2, got %d", version)
	}
	if rank > maxRank {
		return nil, nil, 0, fmt.Errorf("dataspace: expected at most %d axes, got %d", maxRank, rank)
	}
	if rank > 0 {
		shape = make([]int, rank)
	}
	for i := range shape {
		d := c.u64()
		if d > 1<<62 {
			return nil, nil, 0, fmt.Errorf("dataspace: axis %d: expected a length below 2^62, got %d", i, d)
		}
		shape[i] = int(d)
	}
	most = shape
	if flags&1 != 0 && rank > 0 {
		most = make([]int, rank)
		for i := range most {
			d := c.u64()
			if d != undefined && d > 1<<62 {
				return nil, nil, 0, fmt.Errorf("dataspace: axis %d: expected that it may grow to less than 2^62, got %d", i, d)
			}
			most[i] = int(d)
		}
	}
	if err := c.err("dataspace"); err != nil {
		return nil, nil, 0, err
	}
	count, ok := product(shape)
	if !ok {
		return nil, nil, 0, fmt.Errorf("dataspace: expected fewer than 2^62 elements, got shape %v", shape)
	}
	return shape, most, count, nil
}

// product is the number of elements of a shape; ok is false from 2^62 on.
func product(shape []int) (n uint64, ok bool) {
	n, ok = 1, true
	for _, d := range shape {
		if d == 0 {
			return 0, true
		}
		if n > (1<<62)/uint64(d) {
			ok = false
			continue
		}
		n *= uint64(d)
	}
	return n, ok
}
