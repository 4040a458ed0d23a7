package hdf5

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// fractalHeap holds objects of any size in blocks that double in size (III.G). Its blocks are cut out of one space of
// offsets; an object's ID is an offset and a length.
type fractalHeap struct {
	src         *source
	offsetBytes int // of an offset
	lengthBytes int // of a length
	checksums   bool

	width     uint64 // blocks a row
	start     uint64 // bytes of a block in the first two rows; doubles from row to row
	maxDirect uint64 // bytes of the largest block that holds objects; larger ones hold blocks

	blocks []heapBlock // by offset

	hugeTree uint64           // of objects that are larger than any block
	huge     map[uint64]block // by ID; nil before it is read
}

type heapBlock struct {
	offset uint64
	data   []byte
}

// fractalHeap reads the heap at addr with all its blocks. Objects have IDs of idSize bytes.
func (s *source) fractalHeap(addr uint64, idSize int) (*fractalHeap, error) {
	c, err := s.checksummed("FRHP", addr, 146)
	if err != nil {
		return nil, err
	}
	version, ids, filters, flags := c.u8(), c.u16(), c.u16(), c.u8()
	maxObject := uint64(c.u32())
	c.skip(8) // the next ID of a huge object
	h := &fractalHeap{src: s, checksums: flags&2 != 0, hugeTree: c.u64()}
	c.skip(10 * 8) // free space, statistics
	h.width, h.start, h.maxDirect = uint64(c.u16()), c.u64(), c.u64()
	maxBits := int(c.u16())
	c.skip(2) // rows to start with
	root, rows := c.u64(), int(c.u16())
	switch {
	case version != 0 || int(ids) != idSize:
		return nil, fmt.Errorf("FRHP at %#x: expected version 0 and IDs of %d bytes, got version %d and %d", addr, idSize, version, ids)
	case filters != 0:
		return nil, unsupported("a fractal heap with filters")
	case !power(h.width) || !power(h.start) || !power(h.maxDirect) || h.start > h.maxDirect || h.maxDirect > 1<<32 ||
		maxBits > 64 || rows > 64:
		return nil, fmt.Errorf("FRHP at %#x: expected sizes that are powers of two, got width %d, blocks of %d to %d bytes, %d bits, %d rows",
			addr, h.width, h.start, h.maxDirect, maxBits, rows)
	}
	h.offsetBytes = (maxBits + 7) / 8
	h.lengthBytes = min((bits.Len64(h.maxDirect)+6)/8, bytesFor(maxObject))
	if 1+h.offsetBytes+h.lengthBytes > idSize {
		return nil, fmt.Errorf("FRHP at %#x: expected IDs of %d bytes, got offsets of %d and lengths of %d", addr, idSize, h.offsetBytes, h.lengthBytes)
	}
	switch {
	case root == undefined:
	case rows == 0:
		err = h.direct(root, 0, h.start)
	default:
		err = h.indirect(root, 0, rows)
	}
	return h, err
}

func power(n uint64) bool { return bits.OnesCount64(n) == 1 }

// direct reads a block that holds objects.
func (h *fractalHeap) direct(addr, offset, size uint64) error {
	b, err := h.src.read("FHDB", addr, size)
	if err != nil {
		return err
	}
	head := 13 + h.offsetBytes // signature, version, address of the heap, offset
	if h.checksums {
		head += 4
	}
	if len(b) < head || string(b[:4]) != "FHDB" {
		return fmt.Errorf("expected FHDB at %#x, got %q", addr, b[:min(len(b), 4)])
	}
	if h.checksums && h.src.verify {
		// The checksum is that of the block with zeros in its place.
		field := b[head-4 : head]
		want := binary.LittleEndian.Uint32(field)
		clear(field)
		if got := lookup3(b); got != want {
			return fmt.Errorf("FHDB at %#x: checksum: expected %#08x, got %#08x", addr, want, got)
		}
	}
	h.blocks = append(h.blocks, heapBlock{offset, b})
	return nil
}

// indirect reads a block that holds blocks, in so many rows.
func (h *fractalHeap) indirect(addr, offset uint64, rows int) error {
	front := uint64(9 + h.offsetBytes) // version, address of the heap, offset
	c, err := h.src.checksummed("FHIB", addr, 8+front+uint64(rows)*h.width*8)
	if err != nil {
		return err
	}
	c.skip(front)
	for row := range rows {
		size := h.start << max(row-1, 0)
		for range h.width {
			child := c.u64()
			switch {
			case child == undefined:
			case size <= h.maxDirect:
				err = h.direct(child, offset, size)
			default:
				// As many rows as fill the size: each block is as large as all before it together, from the second row on.
				err = h.indirect(child, offset, bits.Len64(size)-bits.Len64(h.start*h.width)+1)
			}
			if err != nil {
				return err
			}
			offset += size
		}
	}
	return nil
}

// object is the bytes of the object with this ID.
func (h *fractalHeap) object(id []byte) ([]byte, error) {
	c := cursor{b: id}
	// Bits 6 and 7 are the version, 4 and 5 the type: 0 in a block, 1 huge, 2 inside the ID, where links and attributes have no room.
	switch head := c.u8(); head >> 4 {
	case 0:
	case 1:
		return h.hugeObject(c.uint(len(id) - 1))
	default:
		return nil, unsupported(fmt.Sprintf("an object of type %d in a fractal heap", head>>4&3))
	}
	offset, length := c.uint(h.offsetBytes), c.uint(h.lengthBytes)
	i, exact := slices.BinarySearchFunc(h.blocks, offset, func(b heapBlock, offset uint64) int {
		switch {
		case b.offset < offset:
			return -1
		case b.offset > offset:
			return 1
		}
		return 0
	})
	if !exact {
		i--
	}
	if i >= 0 {
		b := h.blocks[i]
		if at := offset - b.offset; at <= uint64(len(b.data)) && length <= uint64(len(b.data))-at {
			if h.src.budget -= int64(length); h.src.budget < 0 {
				return nil, fmt.Errorf("fractal heap: objects overlap: together they are larger than the file")
			}
			return b.data[at:][:length], nil
		}
	}
	return nil, fmt.Errorf("fractal heap: expected an object of %d bytes at offset %d, got none", length, offset)
}

// hugeObject is the bytes of an object that has a place of its own in the file, which a version 2 B-tree knows by ID. (IDs of links and
// attributes are too short to say the place themselves.)
func (h *fractalHeap) hugeObject(id uint64) ([]byte, error) {
	const hugeByID = 1 // records: address (8), length (8), ID (8)
	if h.huge == nil {
		h.huge = map[uint64]block{}
		if h.hugeTree != undefined {
			err := h.src.records(h.hugeTree, hugeByID, 24, 24, func(record []byte) error {
				c := cursor{b: record}
				b := block{c.u64(), c.u64()}
				h.huge[c.u64()] = b
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	b, ok := h.huge[id]
	if !ok {
		return nil, fmt.Errorf("fractal heap: expected a huge object %d, got none", id)
	}
	return h.src.read("huge object of a fractal heap", b.addr, b.size)
}
