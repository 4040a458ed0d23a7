package hdf5

import (
	"bytes"
	"fmt"
)

// Dataset is an array in the file, row-major.
type Dataset struct {
	node
	typ   Type
	shape []int
	count uint64 // elements

	space []int // the dataspace: shape without the axes of elements that are arrays
	most  []int // what space may grow to, -1 without a bound
	unit  int   // bytes of an element of space
	layout
	fill    []byte // one element of space, nil for zeros
	filters []filter
}

// layout is where the elements are.
type layout struct {
	class uint8
	addr  uint64 // of contiguous data or of the index of chunks, undefined when never written
	data  []byte // of compact data

	chunk    []int // shape of a chunk, in elements of space
	index    uint8 // how chunks are found
	single   uint64
	mask     uint32 // filters that a single chunk skips
	rawEdges bool   // chunks that are not whole inside space skip all filters
}

// Layout classes (IV.A.2.i).
const (
	compact    = 0
	contiguous = 1
	chunked    = 2
	virtual    = 3
)

// Shape is the length of every axis, outermost first; nil for a scalar. The caller owns it.
func (d *Dataset) Shape() []int { return append([]int(nil), d.shape...) }

// Len is the number of elements, 1 for a scalar.
func (d *Dataset) Len() int { return int(d.count) }

// Type is the type of the elements.
func (d *Dataset) Type() Type { return d.typ }

// dataset fills d from its header.
func (l *loader) dataset(d *Dataset, msgs []message) error {
	var found [4]message
	for i, kind := range [4]uint16{msgDatatype, msgDataspace, msgLayout, msgFill} {
		m, n := only(msgs, kind)
		if n > 1 || n == 0 && kind != msgFill {
			return fmt.Errorf("dataset: expected one message of type %d, got %d", kind, n)
		}
		if m.flags&flagShared != 0 {
			return unsupported("a dataset with a named datatype or a shared message")
		}
		found[i] = m
	}
	if _, n := only(msgs, msgExternal); n > 0 {
		return unsupported("a dataset in external files")
	}
	var err error
	var inner []int
	if d.typ, inner, err = elementType(found[0].body); err != nil {
		return err
	}
	if d.space, d.most, d.count, err = dataspace(found[1].body); err != nil {
		return err
	}
	d.shape, d.unit = d.space, d.typ.Size
	if inner != nil {
		d.shape = append(append([]int(nil), d.space...), inner...)
		each, _ := product(inner) // times the size it is that of the datatype
		d.unit *= int(each)
		ok := false
		if d.count, ok = product(d.shape); !ok || len(d.shape) > maxRank {
			return fmt.Errorf("dataset: expected at most %d axes and fewer than 2^62 elements, got shape %v", maxRank, d.shape)
		}
	}
	if m, n := only(msgs, msgFilters); n > 0 {
		if d.filters, err = filterPipeline(m.body); err != nil {
			return err
		}
	}
	if d.fill, err = fillValue(found[3].body, d.unit); err != nil {
		return err
	}
	size := uint64(d.typ.Size)
	if d.count > uint64(l.src.size)*maxInflate/size+freeInflate {
		return fmt.Errorf("dataset: expected at most %d times the file's %d bytes, got shape %v of %v",
			maxInflate, l.src.size, d.shape, d.typ)
	}
	if err := d.place(found[2].body, d.count*size); err != nil {
		return err
	}
	return l.account(d, d.count*size)
}

// account adds n bytes of elements to what the file has declared so far, and checks that contiguous data are in the file.
func (l *loader) account(d *Dataset, n uint64) error {
	if d.class == contiguous && d.addr != undefined {
		if err := l.src.within("dataset", d.addr, n); err != nil {
			return err
		}
	}
	if d.class == compact || d.class == contiguous && d.addr != undefined {
		if l.held += n; l.held > uint64(l.src.size) {
			return fmt.Errorf("dataset: datasets overlap: together they are larger than the file's %d bytes", l.src.size)
		}
		return nil
	}
	if l.unheld += n; l.unheld > freeInflate+maxInflate*uint64(l.src.size) {
		return fmt.Errorf("dataset: expected at most %d times the file's %d bytes in chunks and fill values, got shape %v",
			maxInflate, l.src.size, d.shape)
	}
	return nil
}

// place reads the layout message; n is the size of all elements.
func (d *Dataset) place(body []byte, n uint64) error {
	c := cursor{b: body}
	version := c.u8()
	if version < 3 || version > 5 {
		return unsupported(fmt.Sprintf("data layout version %d", version))
	}
	d.class = c.u8()
	switch d.class {
	case compact:
		if have := uint64(c.u16()); have < n {
			return fmt.Errorf("compact data: expected %d bytes, got %d", n, have)
		}
		d.data = c.take(n)
	case contiguous:
		d.addr = c.u64()
		if have := c.u64(); d.addr != undefined && have < n {
			return fmt.Errorf("contiguous data: expected %d bytes, got %d", n, have)
		}
	case chunked:
		if err := d.placeChunks(&c, version); err != nil {
			return err
		}
	case virtual:
		return unsupported("a virtual dataset")
	default:
		return fmt.Errorf("data layout: expected class 0 to 3, got %d", d.class)
	}
	if d.class != chunked && len(d.filters) > 0 {
		return fmt.Errorf("data layout: expected chunks, since there are filters, got class %d", d.class)
	}
	return c.err("data layout")
}

// fillValue reads a fill value message (IV.A.2.f): an element of size bytes, or nil when it is zero.
func fillValue(body []byte, size int) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	c := cursor{b: body}
	defined := true
	switch version := c.u8(); version {
	case 1, 2:
		c.skip(2)
		defined = c.u8() != 0 || version == 1
	case 3:
		defined = c.u8()&0x20 != 0
	default:
		return nil, fmt.Errorf("fill value: expected version 1 to 3, got %d", version)
	}
	if !defined {
		return nil, nil
	}
	n := c.u32()
	value := c.take(uint64(n))
	if err := c.err("fill value"); err != nil {
		return nil, err
	}
	if len(bytes.Trim(value, "\x00")) == 0 {
		return nil, nil
	}
	if len(value) != size {
		return nil, fmt.Errorf("fill value: expected %d bytes, got %d", size, len(value))
	}
	return value, nil
}
