package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// cut is one axis of a Slice.
type cut struct {
	axis     int
	from, to int64 // as they are given
	step     int64
}

// within are the bounds on an axis of this length, for a step of 1.
func (c cut) within(n int) (from, to int) {
	clamp := func(i int64) int {
		if i < 0 {
			i += int64(n)
		}
		return int(max(0, min(i, int64(n))))
	}
	from, to = clamp(c.from), clamp(c.to)
	return from, max(from, to)
}

// cuts are what a Slice does on each axis of a value of this rank.
func (m *importer) cuts(n *onnx.Node, rank int) ([]cut, error) {
	var all [4][]int64
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		var err error
		if all[i], err = m.intsOf(n, name, 1+i); err != nil {
			return nil, err
		}
	}
	starts, ends, axes, steps := all[0], all[1], all[2], all[3]
	if len(ends) != len(starts) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) || len(starts) > rank {
		return nil, fmt.Errorf("expected starts and ends of at most %d axes, got starts %v, ends %v, axes %v, steps %v", rank, starts, ends, axes, steps)
	}
	cuts := make([]cut, len(starts))
	for i := range starts {
		c := cut{axis: i, from: starts[i], to: ends[i], step: 1}
		if axes != nil {
			c.axis = int(axes[i])
		}
		if c.axis < 0 {
			c.axis += rank
		}
		if c.axis < 0 || c.axis >= rank {
			return nil, fmt.Errorf("expected some of %d axes, got %v", rank, axes)
		}
		if steps != nil {
			c.step = steps[i]
		}
		cuts[i] = c
	}
	return cuts, nil
}

// slicedArray is a Slice of numbers.
func (m *importer) slicedArray(n *onnx.Node, x *array) error {
	cuts, err := m.cuts(n, len(x.shape))
	if err != nil {
		return err
	}
	for _, c := range cuts {
		if c.step != 1 {
			return fmt.Errorf("expected steps of 1, got %d", c.step)
		}
		from, to := c.within(x.shape[c.axis])
		if x, err = m.part(x, c.axis, from, to); err != nil {
			return err
		}
	}
	return m.set(n, &term{array: x})
}

// part is from one place of an axis to another.
func (m *importer) part(x *array, axis, from, to int) (*array, error) {
	if from == 0 && to == x.shape[axis] {
		return x, nil
	}
	inner := 1
	for _, d := range x.shape[axis+1:] {
		inner *= d
	}
	a := &array{shape: slices.Clone(x.shape), whole: x.whole}
	a.shape[axis] = to - from
	if whole := inner * x.shape[axis]; whole > 0 {
		if err := m.spend((len(x.floats) + len(x.ints)) / whole * inner * (to - from)); err != nil {
			return nil, err
		}
		a.floats, a.ints = columns(x.floats, whole, inner*from, inner*to), columns(x.ints, whole, inner*from, inner*to)
	}
	return a, nil
}

// columns are some columns of a matrix of so many.
func columns[T any](x []T, width, from, to int) (part []T) {
	for i := 0; i+width <= len(x); i += width {
		part = append(part, x[i+from:i+to]...)
	}
	return part
}

// splitWidths are the lengths of a Split's parts of an axis of length n.
func (m *importer) splitWidths(n *onnx.Node, length int) ([]int, error) {
	given, err := m.intsOf(n, "split", 1)
	if err != nil {
		return nil, err
	}
	parts := len(n.Outputs)
	widths := make([]int, parts)
	left := length
	for i := range parts {
		if given == nil {
			widths[i] = (length + parts - 1) / parts
			widths[i] = min(widths[i], left)
		} else if len(given) != parts || given[i] < 0 || given[i] > int64(left) {
			return nil, fmt.Errorf("expected %d parts of %d, got %v", parts, length, given)
		} else {
			widths[i] = int(given[i])
		}
		left -= widths[i]
	}
	if left != 0 {
		return nil, fmt.Errorf("expected %d parts of %d, got %v", parts, length, given)
	}
	return widths, nil
}

func (m *importer) splitArray(n *onnx.Node, x *array) error {
	axis := intOf(n, "axis", 0)
	if axis < 0 {
		axis += len(x.shape)
	}
	if axis < 0 || axis >= len(x.shape) {
		return fmt.Errorf("expected one of %d axes, got %d", len(x.shape), axis)
	}
	widths, err := m.splitWidths(n, x.shape[axis])
	if err != nil {
		return err
	}
	from := 0
	for i, w := range widths {
		part, err := m.part(x, axis, from, from+w)
		if err != nil {
			return err
		}
		m.put(n.Outputs[i], &term{array: part})
		from += w
	}
	return nil
}
