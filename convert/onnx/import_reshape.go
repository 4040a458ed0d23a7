package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// target is the shape that a Reshape or Flatten gives a view.
func (m *importer) target(n *onnx.Node, x *view) ([]length, error) {
	all := make([]length, len(x.axes))
	for i := range all {
		var err error
		if all[i], err = x.length(i); err != nil {
			return nil, err
		}
	}
	if n.Op == "Flatten" {
		at := intOf(n, "axis", 1)
		if at < 0 {
			at += len(all)
		}
		if at < 0 || at > len(all) {
			return nil, fmt.Errorf("expected an axis of %d, got %d", len(all), at)
		}
		rows, err := product(all[:at])
		if err != nil {
			return nil, err
		}
		rest, err := product(all[at:])
		return []length{rows, rest}, err
	}
	shape, err := m.shapeOf(n, "shape", 1)
	if err != nil {
		return nil, err
	}
	if len(shape) > maxRank || intOf(n, "allowzero", 0) != 0 {
		return nil, fmt.Errorf("expected a shape of at most %d axes, got %s", maxRank, shown(shape))
	}
	to, open := slices.Clone(shape), -1
	for i, l := range shape {
		switch {
		case l == lengthOf(0) && i < len(all):
			to[i] = all[i]
		case l == lengthOf(-1) && open < 0:
			open, to[i] = i, one
		case l.n < 1:
			return nil, fmt.Errorf("expected lengths of at least 1 and one of -1, got %s", shown(shape))
		}
	}
	whole, err := product(all)
	if err != nil {
		return nil, err
	}
	given, err := product(to)
	if err != nil {
		return nil, err
	}
	rest, ok := whole.over(given)
	if !ok || open < 0 && rest != one {
		return nil, fmt.Errorf("expected as many values as %s has, got the shape %s", shown(all), shown(shape))
	}
	if open >= 0 {
		to[open] = rest
	}
	return to, nil
}

// reshaped is a Reshape or Flatten. Where it only takes axes together or apart again, the values stay where they are.
func (m *importer) reshaped(n *onnx.Node, x *view) error {
	target, err := m.target(n, x)
	if err != nil {
		return err
	}
	if v := regrouped(x, target); v != nil {
		if v, err = m.merged(n, v); err != nil {
			return err
		}
		return m.set(n, &term{view: v})
	}
	s, err := m.arranged(n.Name, x)
	if err != nil {
		return err
	}
	if len(target) < 2 || target[0] != batch {
		return fmt.Errorf("expected a shape that leaves the batch as it is, got %s", shown(target))
	}
	y, err := m.reshape(m.nameOf(n), s, target)
	if err != nil {
		return err
	}
	return m.set(n, of(y))
}

// regrouped is a view whose axes are taken together to lengths; nil where they do not come out.
func regrouped(x *view, lengths []length) *view {
	var atoms []axis
	for _, a := range x.axes {
		if a.stacked {
			atoms = append(atoms, a)
		}
		for _, of := range a.of {
			atoms = append(atoms, axis{of: []int{of}})
		}
	}
	long := func(a axis) length {
		l, _ := (&view{parts: x.parts, axes: []axis{a}}).length(0)
		return l
	}
	v := &view{parts: x.parts}
	ok := true
	take := func(to *axis) {
		ok = ok && (!atoms[0].stacked || len(to.of) == 0) // values of one direction beside those of the other, and not in turn
		to.of, to.stacked = append(to.of, atoms[0].of...), to.stacked || atoms[0].stacked
		atoms = atoms[1:]
	}
	for _, want := range lengths {
		var a axis
		have := one
		if want == one && len(atoms) > 0 && long(atoms[0]) == one {
			take(&a)
		}
		for have != want && len(atoms) > 0 {
			have, _ = have.times(long(atoms[0]))
			take(&a)
		}
		if have != want {
			return nil
		}
		v.axes = append(v.axes, a)
	}
	for len(atoms) > 0 && len(v.axes) > 0 && long(atoms[0]) == one {
		take(&v.axes[len(v.axes)-1])
	}
	if len(atoms) > 0 || !ok {
		return nil
	}
	return v
}

// merged is a view in which directions that were taken together with their values are beside each other.
func (m *importer) merged(n *onnx.Node, v *view) (*view, error) {
	at := slices.IndexFunc(v.axes, func(a axis) bool { return a.stacked && len(a.of) > 0 })
	if at < 0 {
		return v, nil
	}
	last := len(v.parts[0].lengths) - 1
	if !slices.Equal(v.axes[at].of, []int{last}) {
		return nil, fmt.Errorf("expected directions taken together with their values, got other axes")
	}
	s, err := m.joined(n, last, v.parts)
	if err != nil {
		return nil, err
	}
	axes := slices.Clone(v.axes)
	axes[at] = axis{of: []int{last}}
	return &view{parts: []*source{s}, axes: axes}, nil
}
