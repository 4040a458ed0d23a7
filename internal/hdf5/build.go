package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// GroupBuilder is a group of a file to be written. It keeps what it is given by reference: values must not change before
// Write is done. A mistake, such as a value of a type that is not written, is kept and returned by Write.
type GroupBuilder struct {
	object
	children map[string]*object
	root     *GroupBuilder
	err      error // of the root: the first mistake
}

// object is a group or a dataset to be written.
type object struct {
	path  string
	group *GroupBuilder // of a group
	value array         // of a dataset
	attrs []namedArray
}

type namedArray struct {
	name  string
	value array
}

// NewGroup is the root of a new tree.
func NewGroup() *GroupBuilder {
	g := &GroupBuilder{object: object{path: "/"}, children: map[string]*object{}}
	g.group, g.root = g, g
	return g
}

// Group is the group at a path below g; it and those between are made when they are not there yet.
func (g *GroupBuilder) Group(path string) *GroupBuilder {
	for name := range strings.SplitSeq(path, "/") {
		o, there := g.children[name]
		if there && o.group == nil {
			g.fail(fmt.Errorf("%s: expected a group, got a dataset", o.path))
			// The mistake is noted; what is built below goes nowhere.
			return &GroupBuilder{object: object{path: o.path}, children: map[string]*object{}, root: g.root}
		}
		if !there {
			child := &GroupBuilder{children: map[string]*object{}, root: g.root}
			child.group = child
			o = &child.object
			g.add(name, o)
		}
		g = o.group
	}
	return g
}

// Dataset adds an array at a path below g; groups between are made when they are not there yet. Shape is nil for a scalar;
// data are as many elements as the shape has, row-major:
//
//	[]float32, []float64, []int8 … []int64, []uint8 … []uint64, []bool   as they are
//	[]string      UTF-8 of variable length, as h5py writes str
//	[][]byte      ASCII of variable length, as h5py writes bytes
//	FixedStrings  ASCII of one length, as h5py writes NumPy's S arrays
//	Raw           bytes of any type
func (g *GroupBuilder) Dataset(path string, shape []int, data any) *DatasetBuilder {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		g, path = g.Group(path[:i]), path[i+1:]
	}
	d := &DatasetBuilder{root: g.root}
	if old, there := g.children[path]; there {
		g.fail(fmt.Errorf("%s: expected each name once, got it twice", old.path))
		return d
	}
	g.add(path, &d.object)
	var err error
	if d.value, err = newArray(shape, data); err != nil {
		g.fail(fmt.Errorf("%s: %w", d.path, err))
	}
	return d
}

// SetAttr sets an attribute. The value is one of the slices that Dataset takes, for an array of one axis, or one element of
// them, for a scalar. A slice of bytes is one string, as Python's bytes are; [][]byte and []string are arrays of strings. An
// empty FixedStrings is an empty array of float64, which is what NumPy makes of an empty list.
func (g *GroupBuilder) SetAttr(name string, value any) { g.setAttr(g.root, name, value) }

// DatasetBuilder is a dataset to be written.
type DatasetBuilder struct {
	object
	root *GroupBuilder
}

// SetAttr is GroupBuilder.SetAttr.
func (d *DatasetBuilder) SetAttr(name string, value any) { d.setAttr(d.root, name, value) }

func (g *GroupBuilder) fail(err error) {
	if g.root.err == nil {
		g.root.err = err
	}
}

func (g *GroupBuilder) add(name string, o *object) {
	o.path = strings.TrimSuffix(g.path, "/") + "/" + name
	if err := checkName(name); err != nil {
		g.fail(fmt.Errorf("%s: %w", o.path, err))
	}
	g.children[name] = o
}

func (o *object) setAttr(root *GroupBuilder, name string, value any) {
	v, err := newAttr(value)
	if err == nil && (name == "" || len(name) > maxName || strings.ContainsRune(name, 0)) {
		err = fmt.Errorf("expected a name of 1 to %d bytes without zero, got %.60q", maxName, name)
	}
	if err != nil {
		root.fail(fmt.Errorf("%s: attribute %s: %w", o.path, name, err))
		return
	}
	if i := slices.IndexFunc(o.attrs, func(a namedArray) bool { return a.name == name }); i >= 0 {
		o.attrs[i].value = v
		return
	}
	o.attrs = append(o.attrs, namedArray{name, v})
}

// sorted is the names of the children, by bytes.
func (g *GroupBuilder) sorted() []string {
	names := make([]string, 0, len(g.children))
	for name := range g.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
