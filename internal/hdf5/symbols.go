package hdf5

import "fmt"

// Sizes of the structures of a symbol-table group (III.A.1, III.B, III.C), for addresses and lengths of 8 bytes.
const (
	treeHead  = 24
	entrySize = 40
	snodHead  = 8
)

// symbolTable lists the links of a group whose names are in a local heap and whose entries hang from a B-tree.
func (l *loader) symbolTable(body []byte) ([]target, error) {
	c := cursor{b: body}
	tree, heap := c.u64(), c.u64()
	if err := c.err("symbol table"); err != nil {
		return nil, err
	}
	names, err := l.src.localHeap(heap)
	if err != nil {
		return nil, err
	}
	var targets []target
	err = l.src.groupTree(tree, -1, func(addr uint64) error {
		more, err := l.src.symbolNode(addr, names)
		targets = append(targets, more...)
		return err
	})
	return targets, err
}

// groupTree calls leaf with the address of every symbol node below the B-tree node at addr. The level of the node must be as
// expected, if that is not negative: levels fall by one, so that no tree is endless.
func (s *source) groupTree(addr uint64, level int, leaf func(addr uint64) error) error {
	const groups = 0 // type of node
	c, level, used, err := s.treeNode(addr, groups, level)
	if err != nil {
		return err
	}
	// A node is key, child, key, child … key; keys of groups are offsets in the local heap.
	b, err := s.read("B-tree node", addr+treeHead, uint64(used)*16+8)
	if err != nil {
		return err
	}
	c = cursor{b: b}
	for range used {
		c.skip(8)
		child := c.u64()
		if level > 0 {
			err = s.groupTree(child, level-1, leaf)
		} else {
			err = leaf(child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// treeNode reads the head of a version 1 B-tree node.
func (s *source) treeNode(addr uint64, kind uint8, wantLevel int) (c cursor, level, used int, err error) {
	c, err = s.signed("TREE", addr, treeHead)
	if err != nil {
		return c, 0, 0, err
	}
	if got := c.u8(); got != kind {
		return c, 0, 0, fmt.Errorf("tree node at %#x: expected type %d, got %d", addr, kind, got)
	}
	level, used = int(c.u8()), int(c.u16())
	if wantLevel >= 0 && level != wantLevel {
		return c, 0, 0, fmt.Errorf("tree node at %#x: expected level %d, got %d", addr, wantLevel, level)
	}
	return c, level, used, nil
}

// symbolNode reads the entries of one symbol node.
func (s *source) symbolNode(addr uint64, names string) ([]target, error) {
	c, err := s.signed("SNOD", addr, snodHead)
	if err != nil {
		return nil, err
	}
	if version := c.u8(); version != 1 {
		return nil, fmt.Errorf("SNOD at %#x: expected version 1, got %d", addr, version)
	}
	c.skip(1)
	count := uint64(c.u16())
	b, err := s.read("symbol node", addr+snodHead, count*entrySize)
	if err != nil {
		return nil, err
	}
	c = cursor{b: b}
	targets := make([]target, count)
	for i := range targets {
		t := &targets[i]
		if t.name, err = nameAt(names, c.u64()); err != nil {
			return nil, err
		}
		if err := checkName(t.name); err != nil {
			return nil, err
		}
		t.addr = c.u64()
		const softLink = 2
		cached := c.u32()
		c.skip(4)
		scratch := cursor{b: c.take(16)}
		if cached == softLink {
			to, err := nameAt(names, uint64(scratch.u32()))
			if err != nil {
				return nil, err
			}
			t.refused = unsupported(fmt.Sprintf("a soft link to %.60q", to))
		}
	}
	return targets, nil
}
