package hdf5

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

// Ranks of the trees of a group, the library's defaults: a symbol node has up to 2·leafRank entries, a B-tree node up to
// 2·treeRank children. Both have their full size in the file however many they have.
const (
	leafRank = 4
	treeRank = 16

	snodSize       = snodHead + 2*leafRank*entrySize
	treeSize       = treeHead + 2*treeRank*16 + 8
	superblockSize = 96
	collectionSize = 4096 // the least that the library accepts
)

// Write writes the tree below root in one pass: superblock, numbers, strings, and then what describes them. Root must come
// from NewGroup. The same tree always gives the same bytes.
func Write(w io.Writer, root *GroupBuilder) error {
	if root.root != root {
		return fmt.Errorf("hdf5: Write: expected a root, got the group %s", root.path)
	}
	if root.err != nil {
		return fmt.Errorf("hdf5: Write: %w", root.err)
	}
	f := &writer{placed: map[*array]uint64{}, refs: map[*array][]byte{}, end: superblockSize}
	f.placeNumbers(root)
	f.base = f.end
	f.placeTexts(root)
	top, err := f.group(root, 0)
	if err != nil {
		return fmt.Errorf("hdf5: Write: %w", err)
	}
	if err := f.emit(w, top); err != nil {
		return fmt.Errorf("hdf5: Write: %w", err)
	}
	return nil
}

// writer lays out a file.
type writer struct {
	numbers []*array // in the order in which they are in the file
	placed  map[*array]uint64
	end     uint64 // of the numbers

	base uint64 // where meta begins
	meta []byte // everything behind the numbers

	refs map[*array][]byte // elements of arrays of strings: where each string is
}

// put appends a structure, whose length is a multiple of 8, and gives its address.
func (f *writer) put(b []byte) uint64 {
	addr := f.base + uint64(len(f.meta))
	f.meta = append(f.meta, b...)
	return addr
}

// walk calls use for g and all below it, in the order of names.
func (g *GroupBuilder) walk(use func(o *object)) {
	use(&g.object)
	for _, name := range g.sorted() {
		if o := g.children[name]; o.group != nil {
			o.group.walk(use)
		} else {
			use(o)
		}
	}
}

func (f *writer) placeNumbers(root *GroupBuilder) {
	root.walk(func(o *object) {
		a := &o.value
		if o.group != nil || a.typ.Kind == Variable || a.count == 0 {
			return
		}
		f.numbers = append(f.numbers, a)
		f.placed[a] = f.end
		f.end += pad8(a.size())
	})
}

// placeTexts puts all strings into global heap collections (III.E), several to a collection.
func (f *writer) placeTexts(root *GroupBuilder) {
	var objects []byte // of the collection that is being filled
	count := uint16(0)
	flush := func() {
		if count == 0 {
			return
		}
		size := max(collectionSize, 16+len(objects))
		b := append(make([]byte, 0, size), "GCOL\x01\x00\x00\x00"...)
		b = le.AppendUint64(b, uint64(size))
		b = append(b, objects...)
		// What is left is object 0, if its head has room.
		if free := size - len(b); free >= 16 {
			b = le.AppendUint64(b, 0)
			b = le.AppendUint64(b, uint64(free))
		}
		f.put(b[:size])
		objects, count = objects[:0], 0
	}
	place := func(a *array) {
		var refs []byte
		for _, s := range a.texts {
			if n := 32 + len(objects) + pad8(len(s)); n > collectionSize {
				flush()
			}
			count++
			objects = le.AppendUint16(objects, count)
			objects = append(objects, 0, 0, 0, 0, 0, 0)
			objects = le.AppendUint64(objects, uint64(len(s)))
			objects = padded(append(objects, s...))
			refs = le.AppendUint32(refs, uint32(len(s)))
			refs = le.AppendUint64(refs, f.base+uint64(len(f.meta)))
			refs = le.AppendUint32(refs, uint32(count))
		}
		f.refs[a] = refs
	}
	root.walk(func(o *object) {
		if o.value.texts != nil {
			place(&o.value)
		}
		for i := range o.attrs {
			if a := &o.attrs[i].value; a.texts != nil {
				place(a)
			}
		}
	})
	flush()
}

// entry is a line of a symbol node.
type entry struct {
	name       uint64 // offset in the local heap
	header     uint64
	tree, heap uint64 // of a group
}

// stored is the addresses of a group's parts.
type stored struct{ header, tree, heap uint64 }

// group puts a group and all below it.
func (f *writer) group(g *GroupBuilder, depth int) (stored, error) {
	if depth > maxDepth {
		return stored{}, fmt.Errorf("%s: expected groups at most %d deep", g.path, maxDepth)
	}
	names := make([]byte, 8) // the empty name, which the first key of a tree refers to
	var entries []entry
	for _, name := range g.sorted() {
		e := entry{name: uint64(len(names))}
		names = padded(append(append(names, name...), 0))
		var err error
		if o := g.children[name]; o.group != nil {
			var s stored
			s, err = f.group(o.group, depth+1)
			e.header, e.tree, e.heap = s.header, s.tree, s.heap
		} else {
			e.header, err = f.dataset(o)
		}
		if err != nil {
			return stored{}, err
		}
		entries = append(entries, e)
	}
	s := stored{heap: f.localHeap(names), tree: f.tree(entries)}
	var h headerBuilder
	h.message(msgSymbolTable, 0, le.AppendUint64(le.AppendUint64(nil, s.tree), s.heap))
	if err := f.attributes(&h, &g.object); err != nil {
		return stored{}, err
	}
	s.header = f.put(h.bytes())
	return s, nil
}

func (f *writer) localHeap(names []byte) uint64 {
	const noFree = 1 // the free list is empty
	b := append(make([]byte, 0, 32+len(names)), "HEAP\x00\x00\x00\x00"...)
	b = le.AppendUint64(b, uint64(len(names)))
	b = le.AppendUint64(b, noFree)
	b = le.AppendUint64(b, f.base+uint64(len(f.meta))+32)
	return f.put(append(b, names...))
}

// tree puts the symbol nodes of a group and the B-tree above them (III.A.1, III.B).
func (f *writer) tree(entries []entry) uint64 {
	// A part of the tree is known by its address and its last name, which is the key behind it.
	type part struct{ addr, last uint64 }
	var parts []part
	for chunk := range slices.Chunk(entries, 2*leafRank) {
		b := append(make([]byte, 0, snodSize), 'S', 'N', 'O', 'D', 1, 0)
		b = le.AppendUint16(b, uint16(len(chunk)))
		for _, e := range chunk {
			b = e.append(b)
		}
		parts = append(parts, part{f.put(b[:snodSize]), chunk[len(chunk)-1].name})
	}
	for level := byte(0); ; level++ {
		var nodes []part
		first := f.base + uint64(len(f.meta))
		count := max(1, (len(parts)+2*treeRank-1)/(2*treeRank))
		for i := range count {
			children := parts[i*2*treeRank : min(len(parts), (i+1)*2*treeRank)]
			left, right, key := undefined, undefined, uint64(0)
			if i > 0 {
				left, key = first+uint64(i-1)*treeSize, nodes[i-1].last
			}
			if i < count-1 {
				right = first + uint64(i+1)*treeSize
			}
			b := append(make([]byte, 0, treeSize), 'T', 'R', 'E', 'E', 0, level)
			b = le.AppendUint16(b, uint16(len(children)))
			b = le.AppendUint64(b, left)
			b = le.AppendUint64(b, right)
			b = le.AppendUint64(b, key)
			for _, p := range children {
				b = le.AppendUint64(b, p.addr)
				b = le.AppendUint64(b, p.last)
				key = p.last
			}
			nodes = append(nodes, part{f.put(b[:treeSize]), key})
		}
		if parts = nodes; len(parts) == 1 {
			return parts[0].addr
		}
	}
}

// append appends a symbol table entry (III.C).
func (e *entry) append(b []byte) []byte {
	b = le.AppendUint64(b, e.name)
	b = le.AppendUint64(b, e.header)
	cached := uint32(0)
	if e.tree != 0 {
		cached = 1 // the addresses that follow
	}
	b = le.AppendUint32(b, cached)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, e.tree)
	return le.AppendUint64(b, e.heap)
}

// dataset puts the header of a dataset, and the references of strings.
func (f *writer) dataset(o *object) (uint64, error) {
	a := &o.value
	addr, ok := f.placed[a]
	switch {
	case a.count == 0:
		addr = undefined
	case !ok:
		addr = f.put(f.refs[a])
	}
	layout := le.AppendUint64([]byte{3, contiguous}, addr)
	var h headerBuilder
	h.message(msgDataspace, 0, appendDataspace(nil, a.shape))
	h.message(msgDatatype, constant, appendDatatype(nil, a.typ))
	// Version 2; space is given late, filled when a fill value is set, and it is the default.
	h.message(msgFill, constant, []byte{2, 2, 2, 1, 0, 0, 0, 0})
	h.message(msgLayout, 0, le.AppendUint64(layout, a.size()))
	if err := f.attributes(&h, o); err != nil {
		return 0, err
	}
	return f.put(h.bytes()), nil
}

// attributes adds an object's attributes to its header, version 1 of the message.
func (f *writer) attributes(h *headerBuilder, o *object) error {
	if len(o.attrs) > 1<<15 {
		return fmt.Errorf("%s: expected at most %d attributes, got %d", o.path, 1<<15, len(o.attrs))
	}
	for i := range o.attrs {
		name, a := o.attrs[i].name, &o.attrs[i].value
		typ, space := appendDatatype(nil, a.typ), appendDataspace(nil, a.shape)
		size := 8 + pad8(len(name)+1) + pad8(len(typ)) + len(space) + pad8(int(a.size()))
		if size > maxMessage {
			return fmt.Errorf("%s: attribute %s: expected at most %d bytes, got %d", o.path, name, maxMessage, size)
		}
		b := le.AppendUint16([]byte{1, 0}, uint16(len(name)+1))
		b = le.AppendUint16(b, uint16(len(typ)))
		b = le.AppendUint16(b, uint16(len(space)))
		b = padded(append(append(b, name...), 0))
		b = padded(append(b, typ...))
		b = append(b, space...)
		if a.write == nil {
			b = append(b, f.refs[a]...)
		} else {
			s := sink{b}
			if err := a.write(&s); err != nil {
				return err
			}
			b = s.b
		}
		h.message(msgAttribute, 0, b)
	}
	return nil
}

// sink is an io.Writer that appends.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// maxMessage is the size of the largest message: a multiple of 8 in 16 bits.
const maxMessage = 1<<16 - 8

// constant is the flag of a message that never changes.
const constant = 0x01

// headerBuilder is an object header, version 1, in one block.
type headerBuilder struct {
	count uint16
	body  []byte
}

func (h *headerBuilder) message(kind uint16, flags uint8, body []byte) {
	h.count++
	h.body = le.AppendUint16(h.body, kind)
	h.body = le.AppendUint16(h.body, uint16(pad8(len(body))))
	h.body = append(h.body, flags, 0, 0, 0)
	h.body = padded(append(h.body, body...))
}

func (h *headerBuilder) bytes() []byte {
	b := le.AppendUint16([]byte{1, 0}, h.count)
	b = le.AppendUint32(b, 1) // one link leads here
	b = le.AppendUint32(b, uint32(len(h.body)))
	return append(append(b, 0, 0, 0, 0), h.body...)
}

// emit writes the file.
func (f *writer) emit(w io.Writer, top stored) error {
	b := append([]byte(signature), 0, 0, 0, 0, 0, 8, 8, 0)
	b = le.AppendUint16(b, leafRank)
	b = le.AppendUint16(b, treeRank)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, 0) // base
	b = le.AppendUint64(b, undefined)
	b = le.AppendUint64(b, f.base+uint64(len(f.meta)))
	b = le.AppendUint64(b, undefined)
	root := entry{header: top.header, tree: top.tree, heap: top.heap}
	out := bufio.NewWriterSize(w, 1<<16)
	if _, err := out.Write(root.append(b)); err != nil {
		return err
	}
	for _, a := range f.numbers {
		if err := a.write(out); err != nil {
			return err
		}
		if _, err := out.Write(make([]byte, pad8(a.size())-a.size())); err != nil {
			return err
		}
	}
	if _, err := out.Write(f.meta); err != nil {
		return err
	}
	return out.Flush()
}
