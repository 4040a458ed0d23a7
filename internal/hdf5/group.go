package hdf5

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Group is a set of named objects.
type Group struct {
	node
	links []link // by name
}

// link is a name in a group; err says why there is no object behind it.
type link struct {
	name string
	obj  Object
	err  error
}

// Keys lists the names in the group, sorted by bytes. It includes names of what the package does not read.
func (g *Group) Keys() []string {
	keys := make([]string, len(g.links))
	for i := range g.links {
		keys[i] = g.links[i].name
	}
	return keys
}

// Has reports whether the path, relative to g, names something.
func (g *Group) Has(path string) bool {
	_, err := g.find(path)
	return !errors.Is(err, ErrNotFound)
}

// ErrNotFound is wrapped by the error about a name that is not in the file.
var ErrNotFound = errors.New("no such name")

// Lookup is the object at a path relative to g, with slashes between names; "" is g itself. A leading slash means nothing.
func (g *Group) Lookup(path string) (Object, error) {
	obj, err := g.find(path)
	if err != nil {
		return nil, fmt.Errorf("hdf5: %s: %w", path, err)
	}
	return obj, nil
}

// Group is Lookup for a group.
func (g *Group) Group(path string) (*Group, error) {
	obj, err := g.Lookup(path)
	if err != nil {
		return nil, err
	}
	child, ok := obj.(*Group)
	if !ok {
		return nil, fmt.Errorf("hdf5: %s: expected a group, got a dataset", obj.Path())
	}
	return child, nil
}

// Dataset is Lookup for a dataset.
func (g *Group) Dataset(path string) (*Dataset, error) {
	obj, err := g.Lookup(path)
	if err != nil {
		return nil, err
	}
	d, ok := obj.(*Dataset)
	if !ok {
		return nil, fmt.Errorf("hdf5: %s: expected a dataset, got a group", obj.Path())
	}
	return d, nil
}

func (g *Group) find(path string) (Object, error) {
	obj := Object(g)
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		g, ok := obj.(*Group)
		if !ok {
			return nil, fmt.Errorf("expected a group at %s, got a dataset", obj.Path())
		}
		i, ok := slices.BinarySearchFunc(g.links, name, func(l link, name string) int { return strings.Compare(l.name, name) })
		if !ok {
			return nil, fmt.Errorf("%w: %s has no %q", ErrNotFound, g.Path(), name)
		}
		if err := g.links[i].err; err != nil {
			return nil, err
		}
		obj = g.links[i].obj
	}
	return obj, nil
}

// target is where a link leads: the address of an object header, or what kind of link is not followed.
type target struct {
	name    string
	addr    uint64
	refused unsupported
}

// loader builds the tree.
type loader struct {
	file    *File
	src     source
	objects map[uint64]Object // by address of the header
	depth   int

	held   uint64 // bytes of elements that datasets have in the file
	unheld uint64 // bytes of elements that the file only promises
}

// object reads what the header at addr describes, and for a group all below it.
func (l *loader) object(addr uint64, parent *Group, name string) (Object, error) {
	if obj, ok := l.objects[addr]; ok {
		if d, ok := obj.(*Dataset); ok {
			return d, nil
		}
		// A second way to a group may be a way around in a circle.
		return nil, unsupported("a second hard link to a group")
	}
	msgs, err := l.src.header(addr)
	if err != nil {
		return nil, err
	}
	n := node{file: l.file, parent: parent, name: name}
	if n.attrs, err = l.attributes(msgs); err != nil {
		return nil, err
	}
	_, symbols := only(msgs, msgSymbolTable)
	_, info := only(msgs, msgLinkInfo)
	_, layouts := only(msgs, msgLayout)
	_, types := only(msgs, msgDatatype)
	switch {
	case symbols+info > 0:
		g := &Group{node: n}
		l.objects[addr] = g
		return g, l.children(g, msgs)
	case layouts > 0:
		d := &Dataset{node: n}
		l.objects[addr] = d
		return d, l.dataset(d, msgs)
	case types > 0:
		return nil, unsupported("a named datatype")
	default:
		return nil, fmt.Errorf("object header at %#x: expected a group or a dataset, got neither", addr)
	}
}

// children fills g with its links, by name, and what they lead to.
func (l *loader) children(g *Group, msgs []message) error {
	targets, err := l.targets(msgs)
	if err != nil {
		return err
	}
	if l.depth++; l.depth > maxDepth {
		return fmt.Errorf("expected groups at most %d deep", maxDepth)
	}
	defer func() { l.depth-- }()
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.name, b.name) })
	g.links = make([]link, len(targets))
	for i, t := range targets {
		if i > 0 && t.name == targets[i-1].name {
			return fmt.Errorf("expected each name once, got %q twice", t.name)
		}
		g.links[i].name = t.name
		if t.refused != "" {
			g.links[i].err = t.refused
			continue
		}
		obj, err := l.object(t.addr, g, t.name)
		var refused unsupported
		switch {
		case errors.As(err, &refused):
			g.links[i].err = err
		case err != nil:
			return fmt.Errorf("%s: %w", t.name, err)
		default:
			g.links[i].obj = obj
		}
	}
	return nil
}

// targets lists the links of a group, in any order.
func (l *loader) targets(msgs []message) ([]target, error) {
	if m, n := only(msgs, msgSymbolTable); n > 0 {
		return l.symbolTable(m.body)
	}
	var targets []target
	for _, m := range msgs {
		if m.kind != msgLink {
			continue
		}
		t, err := linkMessage(m.body)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	info, _ := only(msgs, msgLinkInfo)
	err := l.denseLinks(info.body, func(body []byte) error {
		t, err := linkMessage(body)
		targets = append(targets, t)
		return err
	})
	return targets, err
}

// linkMessage reads a link message (IV.A.2.g).
func linkMessage(body []byte) (target, error) {
	c := cursor{b: body}
	if version := c.u8(); version != 1 {
		return target{}, fmt.Errorf("link: expected version 1, got %d", version)
	}
	flags := c.u8()
	kind := uint8(0)
	if flags&0x08 != 0 {
		kind = c.u8()
	}
	if flags&0x04 != 0 {
		c.skip(8) // order of creation
	}
	if flags&0x10 != 0 {
		c.skip(1) // character set
	}
	n := c.uint(1 << (flags & 3))
	name := string(c.take(n))
	t := target{name: name}
	switch kind {
	case 0:
		t.addr = c.u64()
	case 1:
		t.refused = unsupported(fmt.Sprintf("a soft link to %.60q", c.take(uint64(c.u16()))))
	case 64:
		t.refused = unsupported("an external link")
	default:
		t.refused = unsupported(fmt.Sprintf("a link of type %d", kind))
	}
	if err := c.err("link"); err != nil {
		return target{}, err
	}
	return t, checkName(name)
}

// checkName checks one part of a path.
func checkName(name string) error {
	if name == "" || name == "." || len(name) > maxName || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("name: expected 1 to %d bytes without slash and zero, got %.60q", maxName, name)
	}
	return nil
}
