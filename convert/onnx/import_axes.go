package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// onAxes are the nodes that move axes of what layers compute, and pick along them. ok: the operator is one of them.
func (m *importer) onAxes(n *onnx.Node) (ok bool, err error) {
	x := m.arg(n, 0)
	switch n.Op {
	case "Gather":
		if index := m.arg(n, 1); x != nil && x.array != nil && index != nil && index.view != nil {
			return true, m.embedding(n, x.array, index.view)
		}
	case "Concat":
		return true, m.concatenated(n)
	}
	if x == nil || x.view == nil {
		return false, nil
	}
	switch n.Op {
	case "Cast":
		if s := x.parts[0]; !isFloat(intOf(n, "to", 0)) && !s.ids && s.test == nil {
			return true, fmt.Errorf("expected floats to stay such, got a cast to whole numbers or truth values")
		}
		return true, m.set(n, x)
	case "Identity", "Dropout":
		return true, m.set(n, x)
	case "Shape":
		var ints []length
		for i := range x.axes {
			l, err := x.view.length(i)
			if err != nil {
				return true, err
			}
			ints = append(ints, l)
		}
		return true, m.set(n, &term{array: list(ints)})
	case "Transpose":
		return true, m.transposed(n, x.view)
	case "Squeeze", "Unsqueeze":
		return true, m.squeezed(n, x.view)
	case "Gather", "Slice":
		return true, m.picked(n, x.view)
	case "Split":
		return true, m.split(n, x.view)
	case "Reshape", "Flatten":
		return true, m.reshaped(n, x.view)
	case "Tile", "Expand":
		return true, m.repeated(n, x.view)
	case "ReverseSequence":
		return true, m.turned(n, x.view)
	}
	return false, nil
}

func (m *importer) transposed(n *onnx.Node, x *view) error {
	perm, err := m.intsOf(n, "perm", 9)
	if err != nil {
		return err
	}
	if axes, ok := normal(perm, len(x.axes)); perm != nil && (!ok || len(axes) != len(x.axes) || len(perm) != len(axes)) {
		return fmt.Errorf("expected an order of %d axes, got %v", len(x.axes), perm)
	}
	v := &view{parts: x.parts, axes: slices.Clone(x.axes)}
	if perm == nil {
		slices.Reverse(v.axes)
	}
	for i, p := range perm {
		v.axes[i] = x.axes[(int(p)+len(x.axes))%len(x.axes)]
	}
	return m.set(n, &term{view: v})
}

func (m *importer) squeezed(n *onnx.Node, x *view) error {
	axes, err := m.squeezedAxes(n, len(x.axes))
	if err != nil {
		return err
	}
	v := &view{parts: x.parts, axes: slices.Clone(x.axes)}
	if n.Op == "Unsqueeze" {
		for _, i := range axes {
			v.axes = slices.Insert(v.axes, i, axis{})
		}
		return m.set(n, &term{view: v})
	}
	if len(n.Inputs) < 2 && n.Attribute("axes") == nil {
		v.axes = slices.DeleteFunc(v.axes, axis.unit)
		return m.set(n, &term{view: v})
	}
	for _, i := range axes {
		if l, err := x.length(i); err != nil || l != one {
			return fmt.Errorf("expected axes of length 1, got axis %d of length %v", i, l)
		}
	}
	return m.set(n, without(x, axes))
}

// picked is a Gather of one index, or a Slice: directions, or the last step.
func (m *importer) picked(n *onnx.Node, x *view) error {
	if n.Op == "Gather" {
		index := m.arg(n, 1)
		if index == nil || index.array == nil || len(index.ints) != 1 || !index.ints[0].known() {
			return fmt.Errorf("expected one index that is known")
		}
		axes, ok := normal([]int64{int64(intOf(n, "axis", 0))}, len(x.axes))
		if !ok {
			return fmt.Errorf("expected one of %d axes, got %d", len(x.axes), intOf(n, "axis", 0))
		}
		at := index.ints[0].n
		to := at + 1
		if at == -1 {
			to = math.MaxInt64
		}
		v, err := m.pick(x, cut{axis: axes[0], from: at, to: to, step: 1})
		if err != nil {
			return err
		}
		if len(index.shape) == 0 {
			v.axes = slices.Delete(v.axes, axes[0], axes[0]+1)
		}
		return m.set(n, &term{view: v})
	}
	cuts, err := m.cuts(n, len(x.axes))
	if err != nil {
		return err
	}
	v := x
	for _, c := range cuts {
		if v, err = m.pick(v, c); err != nil {
			return err
		}
	}
	return m.set(n, &term{view: v})
}

// pick is a view cut along one axis, which stays.
func (m *importer) pick(x *view, c cut) (*view, error) {
	l, err := x.length(c.axis)
	if err != nil {
		return nil, err
	}
	all := c.from == 0 && (c.to >= math.MaxInt32 || l.known() && c.to >= l.n)
	v := &view{parts: x.parts, axes: slices.Clone(x.axes)}
	a := x.axes[c.axis]
	switch {
	case c.step == 1 && all, l == one && c.step == 1 && (c.from == 0 || c.from == -1):
		return v, nil
	case c.step == -1 && a.is(1) && c.from == -1 && c.to <= math.MinInt32+1:
		return turnedView(v)
	case c.step != 1:
	case a.stacked:
		from, to := c.within(len(x.parts))
		if to-from == 1 {
			v.axes[c.axis] = axis{direction: true}
		}
		if to > from {
			v.parts = x.parts[from:to]
			return v, nil
		}
	case a.is(1) && len(x.parts) == 1:
		s := x.parts[0].last
		if c.from == 0 && c.to == 1 {
			s = x.parts[0].first
		} else if !(c.from == -1 && c.to >= math.MaxInt32 || l.known() && c.from == l.n-1 && c.to == l.n) {
			break
		}
		if s != nil {
			return v.ended(s, c.axis), nil
		}
	}
	return nil, fmt.Errorf("expected the last step of a layer that walks forwards, or a direction, got %d to %d of axis %d", c.from, c.to, c.axis)
}

// ended is a view of a source that has no steps any more, which were the axis at.
func (v *view) ended(s *source, at int) *view {
	e := &view{parts: []*source{s}, axes: slices.Clone(v.axes)}
	for i, a := range e.axes {
		e.axes[i] = axis{of: slices.Clone(a.of), direction: a.direction}
		for k, of := range a.of {
			if of > 1 {
				e.axes[i].of[k] = of - 1
			}
		}
	}
	e.axes[at] = axis{direction: true}
	return e
}

// split is a Split into directions.
func (m *importer) split(n *onnx.Node, x *view) error {
	axes, ok := normal([]int64{int64(intOf(n, "axis", 0))}, len(x.axes))
	if !ok || !x.axes[axes[0]].stacked {
		return fmt.Errorf("expected a split of directions, got one of another axis")
	}
	widths, err := m.splitWidths(n, len(x.parts))
	if err != nil {
		return err
	}
	from := 0
	for i, w := range widths {
		v, err := m.pick(x, cut{axis: axes[0], from: int64(from), to: int64(from + w), step: 1})
		if err != nil {
			return err
		}
		m.put(n.Outputs[i], v.term())
		from += w
	}
	return nil
}

// turned is a ReverseSequence of all steps.
func (m *importer) turned(n *onnx.Node, x *view) error {
	steps, rows := intOf(n, "time_axis", 0), intOf(n, "batch_axis", 1)
	if steps < 0 || rows < 0 || max(steps, rows) >= len(x.axes) || !x.axes[steps].is(1) || !x.axes[rows].is(0) {
		return fmt.Errorf("expected the steps turned around for every row, got axes %d and %d of axes in the order %s", steps, rows, x.order())
	}
	l, err := x.length(steps)
	if err != nil {
		return err
	}
	lengths := m.arg(n, 1)
	if lengths == nil || lengths.array == nil || !lengths.filled || lengths.long != l {
		return fmt.Errorf("expected all %v steps turned around in every row, got other lengths", l)
	}
	v, err := turnedView(x)
	if err != nil {
		return err
	}
	return m.set(n, &term{view: v})
}

func turnedView(x *view) (*view, error) {
	s, err := x.single()
	if err != nil {
		return nil, err
	}
	return &view{parts: []*source{s.turn()}, axes: x.axes}, nil
}

func (m *importer) embedding(n *onnx.Node, table *array, ids *view) error {
	if len(table.shape) != 2 || table.floats == nil || intOf(n, "axis", 0) != 0 {
		return fmt.Errorf("expected a table (V, D) of floats along axis 0, got shape %v", table.shape)
	}
	in, err := ids.single()
	if err != nil {
		return err
	}
	name := m.nameOf(n)
	// In the first pass it comes with its mask, in the second where something walks under it.
	want := m.want(n)
	spec := layers.Embedding{Name: name, InputDim: table.shape[0], OutputDim: table.shape[1], MaskZero: want.masked}
	s, err := m.layer(name, spec, [][]float32{table.floats}, in.lengths, in)
	if err != nil {
		return err
	}
	if m.learn || want.masked {
		symbol, _ := in.get()
		s.hidden = &hidden{mask: mask{of: symbol, ids: true}, from: want}
	}
	return m.set(n, &term{view: &view{parts: []*source{s}, axes: append(slices.Clone(ids.axes), axis{of: []int{len(in.lengths)}})}})
}

func (m *importer) concatenated(n *onnx.Node) error {
	at := intOf(n, "axis", 0)
	var all []*view
	for i := range n.Inputs {
		t := m.arg(n, i)
		if t == nil || t.view == nil {
			return fmt.Errorf("expected what layers compute, got other values among them")
		}
		v := t.view
		if len(v.axes) > 1 && v.axes[0].is(0) && slices.ContainsFunc(v.axes, func(a axis) bool { return len(a.of) > 1 }) {
			s, err := m.arranged(n.Name, v)
			if err != nil {
				return err
			}
			v = of(s).view
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return fmt.Errorf("expected values, got none")
	}
	first := all[0]
	if at < 0 {
		at += len(first.axes)
	}
	if at < 0 || at >= len(first.axes) {
		return fmt.Errorf("expected one of %d axes, got %d", len(first.axes), at)
	}
	stacks := first.axes[at].unit() || first.axes[at].stacked
	stack := &view{axes: slices.Clone(first.axes)}
	var in []*source
	for _, v := range all {
		same := len(v.axes) == len(first.axes)
		for i := 0; same && i < len(v.axes); i++ {
			same = slices.Equal(v.axes[i].of, first.axes[i].of) && (v.axes[i].stacked == first.axes[i].stacked || i == at)
		}
		if !same {
			return fmt.Errorf("expected values with their axes in one order, got %s and %s", first.order(), v.order())
		}
		if stacks {
			stack.parts = append(stack.parts, v.parts...)
			continue
		}
		s, err := v.single()
		if err != nil {
			return err
		}
		in = append(in, s)
	}
	if stacks {
		if mask := besideEachOther(stack.parts); mask != nil && len(stack.parts) > 1 {
			return m.set(n, first.with(mask))
		}
		stack.axes[at] = axis{stacked: true}
		return m.set(n, &term{view: stack})
	}
	if len(first.axes[at].of) != 1 || first.axes[at].is(0) {
		return fmt.Errorf("expected an axis of the values, got axis %d of axes in the order %s", at, first.order())
	}
	s, err := m.joined(n, first.axes[at].of[0], in)
	if err != nil {
		return err
	}
	return m.set(n, first.with(s))
}

// joined are sources beside each other along an axis.
func (m *importer) joined(n *onnx.Node, axis int, in []*source) (*source, error) {
	if axis == len(in[0].lengths)-1 {
		for i := 0; i+1 < len(in); i++ {
			if both := m.bothWays(n, in[i], in[i+1]); both != nil {
				in = slices.Replace(slices.Clone(in), i, i+2, both)
			}
		}
		if len(in) == 1 {
			return in[0], nil
		}
	}
	like := slices.Clone(in[0].lengths)
	if !like[axis].known() {
		like = like[:axis] // those behind are known
	}
	name := m.nameOf(n)
	return m.layer(name, layers.Concatenate{Name: name, Axis: tensor.F(float64(axis))}, nil, like, in...)
}

// repeated is a Tile or Expand of rows to steps.
func (m *importer) repeated(n *onnx.Node, x *view) error {
	times, err := m.shapeOf(n, "repeats", 1)
	if err != nil {
		return err
	}
	s, err := x.single()
	if err != nil {
		return err
	}
	rows := len(times) == 3 && len(x.axes) == 3 && x.axes[0].is(0) && x.axes[1].unit() && x.axes[2].is(1)
	if rows && n.Op == "Expand" {
		for _, i := range []int{0, 2} {
			if l, err := x.length(i); err == nil && times[i] == l {
				times[i] = one
			}
		}
	}
	if !rows || times[0] != one || times[2] != one || !times[1].known() || times[1].n < 1 || times[1].n > math.MaxInt32 {
		return fmt.Errorf("expected rows (N, 1, C) repeated along their steps, got axes in the order %s repeated %v times", x.order(), times)
	}
	name := m.nameOf(n)
	y, err := m.layer(name, layers.RepeatVector{Name: name, N: int(times[1].n)}, nil, nil, s)
	if err != nil {
		return err
	}
	return m.set(n, of(y))
}
