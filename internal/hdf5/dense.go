package hdf5

import "fmt"

// Records of version 2 B-trees that index a fractal heap by name (III.A.2): where the heap's ID of an object is in them.
const (
	linksByName = 5 // hash (4), ID (7)
	attrsByName = 8 // ID (8), flags (1), order of creation (4), hash (4)
)

// denseLinks calls add with the link messages that a link info message leads to (IV.A.2.c), if there are any.
func (l *loader) denseLinks(body []byte, add func(body []byte) error) error {
	c := cursor{b: body}
	version, flags := c.u8(), c.u8()
	if version != 0 {
		return fmt.Errorf("link info: expected version 0, got %d", version)
	}
	if flags&1 != 0 {
		c.skip(8) // the highest order of creation
	}
	heap, tree := c.u64(), c.u64()
	if err := c.err("link info"); err != nil {
		return err
	}
	return l.dense(heap, tree, linksByName, 11, 4, 7, add)
}

// denseAttrs is denseLinks for an attribute info message (IV.A.2.v).
func (l *loader) denseAttrs(body []byte, add func(body []byte) error) error {
	c := cursor{b: body}
	version, flags := c.u8(), c.u8()
	if version != 0 {
		return fmt.Errorf("attribute info: expected version 0, got %d", version)
	}
	if flags&1 != 0 {
		c.skip(2) // the highest order of creation
	}
	heap, tree := c.u64(), c.u64()
	if err := c.err("attribute info"); err != nil {
		return err
	}
	return l.dense(heap, tree, attrsByName, 17, 0, 8, add)
}

// dense calls add with every object of a fractal heap that a B-tree of records of recordSize bytes lists; the ID of an
// object is idSize bytes at idAt.
func (l *loader) dense(heap, tree uint64, kind uint8, recordSize, idAt, idSize int, add func(body []byte) error) error {
	if heap == undefined || tree == undefined {
		return nil
	}
	h, err := l.src.fractalHeap(heap, idSize)
	if err != nil {
		return err
	}
	return l.src.records(tree, kind, recordSize, recordSize, func(record []byte) error {
		object, err := h.object(record[idAt:][:idSize])
		if err != nil {
			return err
		}
		return add(object)
	})
}

// tree2 is a version 2 B-tree. By the depth below a node, child and all are the bytes of the counts in a pointer to it: of its
// records, and of all records below it.
type tree2 struct {
	src        *source
	kind       uint8
	nodeSize   uint64
	recordSize uint64
	counts     []tree2Counts
	use        func(record []byte) error
}

type tree2Counts struct{ child, all int }

// records calls use with every record of the version 2 B-tree at addr, in order. They all have one size from least to most.
func (s *source) records(addr uint64, kind uint8, least, most int, use func(record []byte) error) error {
	c, err := s.checksummed("BTHD", addr, 38)
	if err != nil {
		return err
	}
	t := tree2{src: s, kind: kind, use: use}
	version, got := c.u8(), c.u8()
	t.nodeSize, t.recordSize = uint64(c.u32()), uint64(c.u16())
	depth := int(c.u16())
	c.skip(2) // percentages
	root, count := c.u64(), uint64(c.u16())
	switch {
	case version != 0 || got != kind:
		return fmt.Errorf("BTHD at %#x: expected version 0, type %d, got %d, %d", addr, kind, version, got)
	case t.recordSize < uint64(least) || t.recordSize > uint64(most):
		return fmt.Errorf("BTHD at %#x: expected records of %d to %d bytes, got %d", addr, least, most, t.recordSize)
	case depth > 16 || t.nodeSize < 64 || t.nodeSize > 1<<24:
		return fmt.Errorf("BTHD at %#x: expected at most 16 levels of nodes of 64 bytes to 16 MiB, got %d of %d", addr, depth, t.nodeSize)
	case root == undefined:
		return nil
	}
	// A pointer holds counts in as many bytes as the largest possible count needs.
	const frame = 10 // signature, version, type, checksum
	records := (t.nodeSize - frame) / t.recordSize
	total := records
	t.counts = append(t.counts, tree2Counts{child: bytesFor(records)})
	for d := 1; d < depth; d++ {
		pointer := uint64(8 + t.counts[0].child + t.counts[d-1].all)
		if t.nodeSize < frame+pointer {
			return fmt.Errorf("BTHD at %#x: expected nodes larger than %d bytes", addr, t.nodeSize)
		}
		records = (t.nodeSize - frame - pointer) / (t.recordSize + pointer)
		total = min((records+1)*total+records, 1<<56)
		t.counts = append(t.counts, tree2Counts{child: t.counts[0].child, all: bytesFor(total)})
	}
	return t.node(root, count, depth)
}

// bytesFor is how many bytes hold n.
func bytesFor(n uint64) int {
	b := 1
	for n >>= 8; n > 0; n >>= 8 {
		b++
	}
	return b
}

// node gives the records of a node with count records and depth levels below it.
func (t *tree2) node(addr, count uint64, depth int) error {
	signature := "BTLF"
	if depth > 0 {
		signature = "BTIN"
	}
	n := 10 + count*t.recordSize
	var pointer tree2Counts
	if depth > 0 {
		pointer = t.counts[depth-1]
		n += (count + 1) * uint64(8+pointer.child+pointer.all)
	}
	if n > t.nodeSize {
		return fmt.Errorf("%s at %#x: expected at most %d bytes, got %d records", signature, addr, t.nodeSize, count)
	}
	c, err := t.src.checksummed(signature, addr, n)
	if err != nil {
		return err
	}
	if version, kind := c.u8(), c.u8(); version != 0 || kind != t.kind {
		return fmt.Errorf("%s at %#x: expected version 0, type %d, got %d, %d", signature, addr, t.kind, version, kind)
	}
	records := cursor{b: c.take(count * t.recordSize)}
	for i := range count + 1 {
		if depth > 0 {
			child, n := c.u64(), c.uint(pointer.child)
			c.skip(uint64(pointer.all))
			if err := t.node(child, n, depth-1); err != nil {
				return err
			}
		}
		if i < count {
			if err := t.use(records.take(t.recordSize)); err != nil {
				return err
			}
		}
	}
	return c.err(signature)
}
