package hdf5

import "fmt"

// ReadFloat32 fills dst, whose length must be Len, with the elements converted to float32; booleans are 0 and 1.
// Strings and opaque elements are an error.
func (d *Dataset) ReadFloat32(dst []float32) error {
	return read(d, dst, convert[float32])
}

// ReadFloat64 is ReadFloat32 for float64.
func (d *Dataset) ReadFloat64(dst []float64) error {
	return read(d, dst, convert[float64])
}

// ReadInt64 fills dst, whose length must be Len, with integers or booleans. Floats are an error, and so is a value of uint64
// that int64 cannot hold.
func (d *Dataset) ReadInt64(dst []int64) error {
	return read(d, dst, convertInts)
}

// ReadStrings fills dst, whose length must be Len, with strings of fixed or variable length, without their padding.
func (d *Dataset) ReadStrings(dst []string) error {
	h := d.file.globalHeap()
	return read(d, dst, h.strings)
}

// ReadRaw fills dst, whose length must be Len times the size of the type, with the elements as they are in the file. It reads
// every type but Variable and Other.
func (d *Dataset) ReadRaw(dst []byte) error {
	if d.typ.Kind == Variable || d.typ.Kind == Other {
		return fmt.Errorf("hdf5: %s: expected elements with bytes of their own, got %v", d.Path(), d.typ)
	}
	if want := int(d.count) * d.typ.Size; len(dst) != want {
		return fmt.Errorf("hdf5: %s: expected a destination of %d bytes, got %d", d.Path(), want, len(dst))
	}
	err := d.stream(func(at int, raw []byte) error {
		copy(dst[at*d.typ.Size:], raw)
		return nil
	})
	if err != nil {
		return fmt.Errorf("hdf5: %s: %w", d.Path(), err)
	}
	return nil
}

func read[T any](d *Dataset, dst []T, convert func(dst []T, raw []byte, t Type) error) error {
	if uint64(len(dst)) != d.count {
		return fmt.Errorf("hdf5: %s: expected a destination of %d elements for shape %v, got %d", d.Path(), d.count, d.shape, len(dst))
	}
	err := d.stream(func(at int, raw []byte) error {
		return convert(dst[at:][:len(raw)/d.typ.Size], raw, d.typ)
	})
	if err != nil {
		return fmt.Errorf("hdf5: %s: %w", d.Path(), err)
	}
	return nil
}

// blockSize is how much is read at a time: enough that calls cost nothing, little enough to stay in a cache.
const blockSize = 1 << 18

// stream calls use with all elements as stored, in pieces of whole elements, of which at is the first. What chunks leave out
// comes first as fill values; otherwise every element comes once. A piece is valid during the call.
func (d *Dataset) stream(use func(at int, raw []byte) error) error {
	if d.count == 0 {
		return nil
	}
	switch {
	case d.class == compact:
		return use(0, d.data)
	case d.class == chunked:
		return d.chunks(use)
	case d.addr == undefined:
		return d.fillAll(use)
	}
	total := d.count * uint64(d.typ.Size)
	block := d.block()
	for at := uint64(0); at < total; at += uint64(len(block)) {
		block = block[:min(uint64(len(block)), total-at)]
		if err := d.file.src.readAt("dataset", block, d.addr+at); err != nil {
			return err
		}
		if err := use(int(at)/d.typ.Size, block); err != nil {
			return err
		}
	}
	return nil
}

// block is room for a piece of whole elements of the dataspace.
func (d *Dataset) block() []byte {
	return make([]byte, min(int(d.count)*d.typ.Size, max(d.unit, blockSize/d.unit*d.unit)))
}

// fillAll is stream for a dataset of fill values alone.
func (d *Dataset) fillAll(use func(at int, raw []byte) error) error {
	block := d.block()
	if d.fill != nil {
		for at := 0; at < len(block); at += len(d.fill) {
			copy(block[at:], d.fill)
		}
	}
	total := int(d.count) * d.typ.Size
	for at := 0; at < total; at += len(block) {
		block = block[:min(len(block), total-at)]
		if err := use(at/d.typ.Size, block); err != nil {
			return err
		}
	}
	return nil
}
