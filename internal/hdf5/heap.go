package hdf5

import (
	"fmt"
	"strings"
)

// localHeap reads the names of a symbol-table group (III.D): one text in which names begin at given offsets and end at a
// zero byte.
func (s *source) localHeap(addr uint64) (string, error) {
	c, err := s.signed("HEAP", addr, 32)
	if err != nil {
		return "", err
	}
	if version := c.u8(); version != 0 {
		return "", fmt.Errorf("HEAP at %#x: expected version 0, got %d", addr, version)
	}
	c.skip(3)
	size := c.u64()
	c.skip(8) // free list
	b, err := s.read("data of a local heap", c.u64(), size)
	return string(b), err
}

// nameAt is the name at an offset of a local heap.
func nameAt(heap string, offset uint64) (string, error) {
	if offset >= uint64(len(heap)) {
		return "", fmt.Errorf("link name: expected an offset below %d, got %d", len(heap), offset)
	}
	name := heap[offset:]
	end := strings.IndexByte(name[:min(len(name), maxName+1)], 0)
	if end <= 0 {
		return "", fmt.Errorf("link name at %d: expected 1 to %d bytes and a zero", offset, maxName)
	}
	return name[:end], nil
}

// refSize is the size of a variable-length element: length (4 bytes), address of a collection (8), index in it (4).
const refSize = 16

// globalHeap gives the objects of global heap collections (III.E), reading each collection once.
type globalHeap struct {
	src         source
	collections map[uint64]map[uint16]string
}

func (f *File) globalHeap() *globalHeap {
	h := &globalHeap{src: f.src, collections: map[uint64]map[uint16]string{}}
	h.src.budget = 2 * f.src.size
	return h
}

// text is the string that an element of refSize bytes refers to. Elements with the same reference share memory.
func (h *globalHeap) text(element []byte) (string, error) {
	c := cursor{b: element}
	length, addr, index := uint64(c.u32()), c.u64(), c.u32()
	if length == 0 {
		return "", nil
	}
	objects, ok := h.collections[addr]
	if !ok {
		var err error
		if objects, err = h.collection(addr); err != nil {
			return "", err
		}
		h.collections[addr] = objects
	}
	text, ok := objects[uint16(index)]
	if !ok || index == 0 || index > 0xffff {
		return "", fmt.Errorf("global heap at %#x: expected object %d, got none", addr, index)
	}
	if length > uint64(len(text)) {
		return "", fmt.Errorf("global heap at %#x: object %d: expected %d bytes, got %d", addr, index, length, len(text))
	}
	text = text[:length]
	// A writer in C may count the zero byte that ends its string.
	return strings.TrimRight(text, "\x00"), nil
}

func (h *globalHeap) collection(addr uint64) (map[uint16]string, error) {
	c, err := h.src.signed("GCOL", addr, 16)
	if err != nil {
		return nil, err
	}
	if version := c.u8(); version != 1 {
		return nil, fmt.Errorf("global heap at %#x: expected version 1, got %d", addr, version)
	}
	c.skip(3)
	size := c.u64()
	if size < 16 {
		return nil, fmt.Errorf("global heap at %#x: expected at least 16 bytes, got %d", addr, size)
	}
	b, err := h.src.read("global heap", addr+16, size-16)
	if err != nil {
		return nil, err
	}
	objects := map[uint16]string{}
	c = cursor{b: b}
	for len(c.b) >= 16 {
		index := c.u16()
		c.skip(6) // references
		n := c.u64()
		if index == 0 {
			break // what is left is free
		}
		if n > uint64(len(c.b)) {
			return nil, fmt.Errorf("global heap at %#x: object %d: expected at most %d bytes, got %d", addr, index, len(c.b), n)
		}
		objects[index] = string(c.take(n))
		c.take(min(pad8(n)-n, uint64(len(c.b))))
	}
	return objects, nil
}
