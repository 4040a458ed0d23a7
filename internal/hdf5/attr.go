package hdf5

import "fmt"

// Attr is a small array or a scalar that belongs to a group or a dataset.
type Attr struct {
	file  *File
	name  string
	typ   Type
	shape []int
	count uint64
	data  []byte
	err   error // why the value is not read
}

// Name is the attribute's name.
func (a *Attr) Name() string { return a.name }

// Type is the type of its elements.
func (a *Attr) Type() Type { return a.typ }

// Shape is the length of every axis, nil for a scalar. The caller owns it.
func (a *Attr) Shape() []int { return append([]int(nil), a.shape...) }

// Strings is the elements of an attribute of strings, row-major; one element for a scalar. An attribute without elements
// gives none whatever its type, because NumPy makes an empty list an array of floats.
func (a *Attr) Strings() ([]string, error) {
	if a.err == nil && a.count == 0 {
		return nil, nil
	}
	dst := make([]string, a.count)
	return dst, a.wrap(func() error { return a.file.globalHeap().strings(dst, a.data, a.typ) })
}

// Text is the string of an attribute of one element.
func (a *Attr) Text() (string, error) {
	if a.err == nil && a.count != 1 {
		return "", fmt.Errorf("hdf5: attribute %s: expected one string, got shape %v", a.name, a.shape)
	}
	s, err := a.Strings()
	if err != nil {
		return "", err
	}
	return s[0], nil
}

// Float64s is the elements of an attribute of numbers, row-major, converted to float64.
func (a *Attr) Float64s() ([]float64, error) {
	dst := make([]float64, a.count)
	return dst, a.wrap(func() error { return convert(dst, a.data, a.typ) })
}

// Int64s is the elements of an attribute of integers or booleans, row-major.
func (a *Attr) Int64s() ([]int64, error) {
	dst := make([]int64, a.count)
	return dst, a.wrap(func() error { return convertInts(dst, a.data, a.typ) })
}

func (a *Attr) wrap(read func() error) error {
	err := a.err
	if err == nil {
		err = read()
	}
	if err != nil {
		return fmt.Errorf("hdf5: attribute %s: %w", a.name, err)
	}
	return nil
}

// attributes reads all attributes of an object header.
func (l *loader) attributes(msgs []message) ([]Attr, error) {
	var attrs []Attr
	add := func(body []byte) error {
		a, err := attribute(body)
		if err != nil {
			return err
		}
		a.file = l.file
		attrs = append(attrs, a)
		return nil
	}
	for _, m := range msgs {
		if m.kind != msgAttribute {
			continue
		}
		if m.flags&flagShared != 0 {
			return nil, unsupported("an attribute in another object's header")
		}
		if err := add(m.body); err != nil {
			return nil, err
		}
	}
	if m, n := only(msgs, msgAttrInfo); n > 0 {
		if err := l.denseAttrs(m.body, add); err != nil {
			return nil, err
		}
	}
	return attrs, nil
}

// attribute reads an attribute message (IV.A.2.m).
func attribute(body []byte) (Attr, error) {
	c := cursor{b: body}
	version, flags := c.u8(), c.u8()
	if version < 1 || version > 3 {
		return Attr{}, fmt.Errorf("attribute: expected version 1 to 3, got %d", version)
	}
	sizes := [3]uint64{uint64(c.u16()), uint64(c.u16()), uint64(c.u16())} // name, datatype, dataspace
	if version == 3 {
		c.skip(1) // character set of the name
	}
	var parts [3][]byte
	for i, n := range sizes {
		parts[i] = c.take(n)
		if version == 1 {
			c.skip(pad8(n) - n)
		}
	}
	if err := c.err("attribute"); err != nil {
		return Attr{}, err
	}
	name := parts[0]
	for len(name) > 0 && name[len(name)-1] == 0 {
		name = name[:len(name)-1]
	}
	if len(name) > maxName {
		return Attr{}, fmt.Errorf("attribute: expected a name of at most %d bytes, got %d", maxName, len(name))
	}
	a := Attr{name: string(name)}
	if version > 1 && flags != 0 {
		a.err = unsupported("an attribute with a named datatype")
		return a, nil
	}
	var err error
	var inner []int
	if a.typ, inner, err = elementType(parts[1]); err != nil {
		return Attr{}, fmt.Errorf("attribute %s: %w", a.name, err)
	}
	if a.shape, _, a.count, err = dataspace(parts[2]); err != nil {
		return Attr{}, fmt.Errorf("attribute %s: %w", a.name, err)
	}
	if inner != nil {
		a.shape = append(a.shape, inner...)
		ok := false
		if a.count, ok = product(a.shape); !ok || len(a.shape) > maxRank {
			return Attr{}, fmt.Errorf("attribute %s: expected at most %d axes and fewer than 2^62 elements, got shape %v", a.name, maxRank, a.shape)
		}
	}
	have := uint64(len(c.b))
	if a.count > have/uint64(a.typ.Size) {
		return Attr{}, fmt.Errorf("attribute %s: expected shape %v of %v, got %d bytes", a.name, a.shape, a.typ, have)
	}
	a.data = c.take(a.count * uint64(a.typ.Size))
	return a, nil
}
