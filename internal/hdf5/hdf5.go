// Package hdf5 reads and writes the part of the HDF5 file format in which Keras and h5py keep weights: groups, datasets of
// numbers and strings, and attributes.
//
// Open reads the whole tree of names at once and refuses a file that contradicts itself; numbers stay in the file until a
// dataset is read, and then go straight to the caller's slice. Written are superblock version 0, object headers version 1,
// symbol-table groups and contiguous data, as h5py writes by default. Read are, besides, superblocks 2 and 3, object headers
// version 2, groups of link messages and of dense links, compact data, chunks with deflate, shuffle and fletcher32 under every
// index, and elements that are arrays.
// What the package knows of but does not read (soft and external links, external storage, virtual datasets, compound types
// and the like) keeps its name in the tree; asking for it is an error that says what it is.
//
// Source: HDF5 File Format Specification, version 3.0; section numbers in this package are its own.
package hdf5

import (
	"fmt"
	"io"
)

// Limits on what a file may declare. Nothing that Keras writes comes near them.
const (
	maxDepth = 128  // groups above an object
	maxName  = 4096 // bytes of a link's or an attribute's name
	maxRank  = 32   // axes; the format's own limit

	// Values that a file promises without holding them (fill values, deflated chunks) are bounded by a multiple of its
	// size, since whoever reads the file allocates what Shape says.
	maxInflate  = 64
	freeInflate = 1 << 16 // bytes granted to any file
)

// File is an open file. It and everything reached from it may be read by several goroutines at once, if the io.ReaderAt may.
type File struct {
	src  source
	root *Group
}

// Root is the group that all others are in.
func (f *File) Root() *Group { return f.root }

// Open reads the tree of a file of size bytes. The reader must stay valid as long as datasets and attributes are read.
//
// What Open allocates is bounded by a small multiple of size, and so is the sum over all datasets of the elements that
// their shapes declare: a caller may allocate by Shape.
func Open(r io.ReaderAt, size int64) (*File, error) {
	return open(r, size, true)
}

// open is Open; without verify it does not compare checksums, so that a fuzzer gets behind them.
func open(r io.ReaderAt, size int64, verify bool) (*File, error) {
	f := &File{src: source{r: r, size: size, verify: verify}}
	root, err := f.src.superblock()
	if err != nil {
		return nil, fmt.Errorf("hdf5: Open: %w", err)
	}
	l := &loader{file: f, src: f.src, objects: map[uint64]Object{}}
	// Each structure is read once, so that metadata of an honest file is less than the file. Twice leaves room for datasets
	// with several names.
	l.src.budget = 2 * f.src.size
	obj, err := l.object(root, nil, "")
	if err != nil {
		return nil, fmt.Errorf("hdf5: Open: %w", err)
	}
	group, ok := obj.(*Group)
	if !ok {
		return nil, fmt.Errorf("hdf5: Open: root: expected a group, got a dataset")
	}
	f.root = group
	return f, nil
}

// Object is a *Group or a *Dataset.
type Object interface {
	Path() string
	AttrNames() []string
	Attr(name string) (*Attr, bool)
}

// node is what groups and datasets have in common.
type node struct {
	file   *File
	parent *Group
	name   string
	attrs  []Attr
}

// Path is the absolute name, "/" for the root.
func (n *node) Path() string {
	switch {
	case n.parent == nil:
		return "/"
	case n.parent.parent == nil:
		return "/" + n.name
	default:
		return n.parent.Path() + "/" + n.name
	}
}

// Name is the last part of the path, "" for the root.
func (n *node) Name() string { return n.name }

// AttrNames lists the attributes, in stored order.
func (n *node) AttrNames() []string {
	names := make([]string, len(n.attrs))
	for i := range n.attrs {
		names[i] = n.attrs[i].name
	}
	return names
}

// Attr is the attribute of this name.
func (n *node) Attr(name string) (*Attr, bool) {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			return &n.attrs[i], true
		}
	}
	return nil, false
}

// unsupported is an error that says what the package does not read. It is kept until that object is asked for.
type unsupported string

func (u unsupported) Error() string { return "not supported: " + string(u) }
