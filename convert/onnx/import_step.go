package onnx

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// stepOf is a Gather of the step that the counter says, of a sequence or of a mask.
func (r *stepReader) stepOf(n *onnx.Node, x *view, at *term) (*expr, error) {
	if at == nil || at.expr == nil || at.expr.op != counter || at.expr.value != 0 || intOf(n, "axis", 0) != 0 {
		return nil, fmt.Errorf("expected the step that the loop's counter says, along the first axis, got another")
	}
	s, err := x.single()
	if err != nil {
		return nil, err
	}
	mask := s.test != nil || s.back != nil && s.back.test != nil
	to, op, order := &r.x, input, []int{1, 0, 2}
	if mask {
		to, op, order = &r.mask, counts, []int{1, 0}
	}
	if mask && len(x.axes) == 3 && (x.axes[2].unit() || x.axes[2].is(2) && s.lengths[2] == one) {
		x = &view{parts: x.parts, axes: x.axes[:2]}
	}
	if !x.are(order...) || len(s.lengths) < 2 || !mask && len(s.lengths) != 3 {
		return nil, fmt.Errorf("expected the steps of a sequence (T, N, C) or of a mask (T, N), got axes in the order %s", x.order())
	}
	if *to != nil && *to != s {
		return nil, fmt.Errorf("expected one sequence, and one mask, that the loop goes over, got several")
	}
	*to = s
	e := expr{op: op}
	if !mask {
		if e.width = s.width(); e.width < 1 {
			return nil, fmt.Errorf("expected steps of known width, got shape %s", shown(s.lengths))
		}
	}
	return r.make(e)
}

// later is a counter plus a known number.
func (r *stepReader) later(x, y *term) (*expr, error) {
	if x.expr == nil || x.expr.op != counter {
		x, y = y, x
	}
	if y == nil || y.array == nil {
		return nil, fmt.Errorf("expected the counter plus 1, got another sum")
	}
	by, ok := y.array.scalar()
	if !ok || !by.known() || max(by.n, -by.n) > math.MaxInt32 {
		return nil, fmt.Errorf("expected the counter plus 1, got another sum")
	}
	e := *x.expr
	e.value += float64(by.n)
	return r.make(e)
}

// compared is whether a counter is below a length.
func (r *stepReader) compared(x, y *term) (*expr, error) {
	if x.expr == nil || x.expr.op != counter || y == nil || y.array == nil {
		return nil, fmt.Errorf("expected the counter compared with the number of steps, got another comparison")
	}
	long, ok := y.array.scalar()
	if !ok {
		return nil, fmt.Errorf("expected the counter compared with the number of steps, got another comparison")
	}
	return r.make(expr{op: below, a: x.expr, long: long})
}

// chosen is a Where by the mask.
func (r *stepReader) chosen(mask, yes, no *term) (*expr, error) {
	if mask.expr == nil || !mask.expr.isMask() {
		return nil, fmt.Errorf("expected a mask to choose by, got another condition")
	}
	width := 0
	for _, t := range []*term{yes, no} {
		width = max(width, t.width())
	}
	b, err := r.of(yes, width)
	if err != nil {
		return nil, err
	}
	c, err := r.of(no, width)
	if err != nil {
		return nil, err
	}
	if b.width != width && b.op != number || c.width != width && c.op != number || width == 0 {
		return nil, fmt.Errorf("expected values of one width to choose from, got %d and %d", b.width, c.width)
	}
	a := mask.expr
	if a.op == not {
		a, b, c = a.a, c, b
	}
	return r.make(expr{op: where, a: a, b: b, c: c, width: width})
}

// clamped is a value held between bounds: an activation, or what it is.
func (r *stepReader) clamped(e *expr, lo, hi float64) (*expr, error) {
	of, scale, offset := e, 1.0, 0.0
	if e.op == add && e.b.op == number && e.a.op == mul {
		if offset = e.b.value; e.a.a.op == number {
			of, scale = e.a.b, e.a.a.value
		} else if e.a.b.op == number {
			of, scale = e.a.a, e.a.b.value
		}
	}
	for _, f := range []struct {
		of            *expr
		scale, offset float64
	}{{e, 1, 0}, {of, scale, offset}} {
		if a := between(lo, hi, f.scale, f.offset); a != "" && f.of.width == e.width {
			return r.make(expr{op: function, name: a.Name(), a: f.of, width: e.width})
		}
	}
	for _, bound := range []struct {
		op operation
		v  float64
	}{{maximum, lo}, {minimum, hi}} {
		if math.IsInf(bound.v, 0) {
			continue
		}
		v, err := r.make(expr{op: number, value: bound.v})
		if err != nil {
			return nil, err
		}
		if e, err = r.make(expr{op: bound.op, a: e, b: v, width: e.width}); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// bounded is a value with its bounds, which it has by the operations maximum and minimum.
func (e *expr) bounded() (of *expr, lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	for of = e; of.op == maximum || of.op == minimum; {
		v, x := of.b, of.a
		if v.op != number {
			v, x = x, v
		}
		if v.op != number {
			break
		}
		if of.op == maximum {
			lo = max(lo, v.value)
		} else {
			hi = min(hi, v.value)
		}
		of = x
	}
	return of, lo, hi
}

func (r *stepReader) gemm(n *onnx.Node, e *expr) (*expr, error) {
	w := r.m.arg(n, 1)
	if w == nil || w.array == nil || floatOf(n, "alpha", 1) != 1 || floatOf(n, "beta", 1) != 1 || intOf(n, "transA", 0) != 0 || intOf(n, "transB", 0) != 0 {
		return nil, fmt.Errorf("expected a known matrix, and neither alpha, beta, transA nor transB")
	}
	p, err := r.times(e, w.array)
	if err != nil || r.m.arg(n, 2) == nil {
		return p, err
	}
	return r.binary(add, &term{expr: p}, r.m.arg(n, 2))
}

// slice are columns, along the last axis of two.
func (r *stepReader) slice(n *onnx.Node, e *expr) (*expr, error) {
	cuts, err := r.m.cuts(n, 2)
	if err != nil {
		return nil, err
	}
	for _, c := range cuts {
		switch {
		case c.step != 1, c.axis == 0 && (c.from != 0 || c.to < math.MaxInt32):
			return nil, fmt.Errorf("expected columns of all rows, got %d to %d of axis %d", c.from, c.to, c.axis)
		case c.axis == 1:
			from, to := c.within(e.width)
			if e, err = r.columns(e, from, to); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

func (r *stepReader) split(n *onnx.Node) error {
	x := r.m.arg(n, 0)
	if at := intOf(n, "axis", 0); x == nil || x.expr == nil || x.expr.width < 1 || at != 1 && at != -1 {
		return fmt.Errorf("expected a split of columns, got one along axis %d", at)
	}
	widths, err := r.m.splitWidths(n, x.expr.width)
	if err != nil {
		return err
	}
	from := 0
	for i, w := range widths {
		if w > 0 { // an empty part, as is written where a split takes a whole value, is read by nobody
			e, err := r.columns(x.expr, from, from+w)
			if err != nil {
				return err
			}
			r.m.put(n.Outputs[i], &term{expr: e})
		}
		from += w
	}
	return nil
}

func (r *stepReader) concat(n *onnx.Node) (*expr, error) {
	if at := intOf(n, "axis", 0); at != 1 && at != -1 {
		return nil, fmt.Errorf("expected values beside each other, got axis %d", at)
	}
	var all *expr
	for i := range n.Inputs {
		t := r.m.arg(n, i)
		if t == nil || t.expr == nil || t.expr.width < 1 {
			return nil, fmt.Errorf("expected values of the step beside each other, got others")
		}
		if all == nil {
			all = t.expr
			continue
		}
		if all.width+t.expr.width > math.MaxInt32 {
			return nil, fmt.Errorf("expected at most %d values beside each other, got more", math.MaxInt32)
		}
		var err error
		if all, err = r.make(expr{op: beside, a: all, b: t.expr, width: all.width + t.expr.width}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rows is a Reshape that leaves rows as they are.
func (r *stepReader) rows(n *onnx.Node, e *expr) (*expr, error) {
	if n.Op == "Reshape" {
		shape, err := r.m.shapeOf(n, "shape", 1)
		if err != nil {
			return nil, err
		}
		rows := len(shape) == 2 && (shape[0] == batch || shape[0] == lengthOf(-1) || shape[0] == lengthOf(0))
		if rows && (shape[1] == lengthOf(int64(e.width)) || shape[1] == lengthOf(-1) && shape[0] != shape[1]) {
			return e, nil
		}
	}
	return nil, fmt.Errorf("expected rows (N, %d) as they are, got them in another shape", e.width)
}
