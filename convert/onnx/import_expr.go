package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// expr is an expression of one step of a loop. Expressions that are equal are one.
type expr struct {
	op      operation
	a, b, c *expr
	width   int     // of its rows; 0: a number, or a mask
	value   float64 // number, power
	name    string  // function
	state   int     // which carried value
	part    part    // vector, product
	long    length  // below: what the counter is compared with
}

type operation int

// The operations of a step.
const (
	input    operation = iota // the step of the sequence
	counts                    // whether the step counts
	counter                   // which step it is, from 0, plus value
	going                     // the condition of the step before
	state                     // a carried value
	number                    //
	vector                    // known numbers, the same for every row
	matrix                    // a times a known matrix
	add                       //
	sub                       //
	mul                       //
	div                       //
	minimum                   //
	maximum                   //
	minus                     // -a
	power                     // a to the power value
	function                  // name of a
	beside                    // a and b beside each other
	where                     // b where a counts, otherwise c
	not                       // where a does not count
	below                     // the counter a is below long
)

// part is some rows and columns of a known matrix, or places of a vector.
type part struct {
	of                   *array
	top, rows, from, all int // the first row, how many; the first column, of how many
}

const (
	maxExprs = 1 << 14 // of a loop
	maxDepth = 1 << 10 // of one expression
)

// stepReader reads the body of a loop.
type stepReader struct {
	m     *importer
	known map[expr]*expr
	depth map[*expr]int
	cuts  map[columnsOf]*expr
	x     *source // the sequence that the loop goes over
	mask  *source // which of its steps count
}

type columnsOf struct {
	e        *expr
	from, to int
}

// make is the expression e, made now or found.
func (r *stepReader) make(e expr) (*expr, error) {
	if found := r.known[e]; found != nil {
		return found, nil
	}
	depth := 1 + max(r.depth[e.a], r.depth[e.b], r.depth[e.c])
	if len(r.known) >= maxExprs || depth > maxDepth {
		return nil, fmt.Errorf("expected a step of at most %d operations, %d within each other, got more", maxExprs, maxDepth)
	}
	r.known[e] = &e
	r.depth[&e] = depth
	return &e, nil
}

// isNumber reports whether it is the number v.
func (e *expr) isNumber(v float64) bool { return e.op == number && e.value == v }

// isMask reports whether it says which steps count, or do not.
func (e *expr) isMask() bool { return e.op == counts || e.op == not }

// of is a term as an operand beside values of this width.
func (r *stepReader) of(t *term, width int) (*expr, error) {
	switch {
	case t == nil:
		return nil, fmt.Errorf("expected a value of the step, or known numbers, got none")
	case t.expr != nil:
		return t.expr, nil
	case t.array == nil:
		return nil, fmt.Errorf("expected a value of the step, or known numbers, got a value that stands outside of the loop")
	case t.filled && !t.whole:
		return r.make(expr{op: number, value: float64(t.value)})
	case len(t.floats) > 0 && len(t.shape) > 0 && t.shape[len(t.shape)-1] == width && len(t.floats) == width:
		return r.make(expr{op: vector, width: width, part: part{of: t.array, rows: 1, all: width}})
	}
	if n := t.numbers(); len(n) == 1 {
		return r.make(expr{op: number, value: float64(n[0])})
	}
	return nil, fmt.Errorf("expected %d numbers or one, got numbers of shape %v", width, t.shape)
}

// width of a term as an operand: of values, or of a vector of known numbers; 0 where it fits any.
func (t *term) width() int {
	switch {
	case t == nil:
	case t.expr != nil:
		return t.expr.width
	case t.array != nil && !t.filled && len(t.shape) > 0 && len(t.floats) == t.shape[len(t.shape)-1]:
		return len(t.floats)
	}
	return 0
}

// binary is an operation place by place.
func (r *stepReader) binary(op operation, x, y *term) (*expr, error) {
	width := 0
	for _, t := range []*term{x, y} {
		width = max(width, t.width())
	}
	a, err := r.of(x, width)
	if err != nil {
		return nil, err
	}
	b, err := r.of(y, width)
	if err != nil {
		return nil, err
	}
	for _, e := range []*expr{a, b} {
		if e.op == counter || e.op == going || e.op == below {
			return nil, fmt.Errorf("expected values of the step, got its counter")
		}
	}
	if a.width != b.width && a.width > 0 && b.width > 0 {
		return nil, fmt.Errorf("expected values of one width, got %d and %d", a.width, b.width)
	}
	switch {
	case op == mul && (a.isNumber(0) && b.isMask() || b.isNumber(0) && a.isMask()):
		return r.make(expr{op: number})
	case op == add && a.isNumber(0):
		return b, nil
	case op == add && b.isNumber(0):
		return a, nil
	}
	e, err := r.make(expr{op: op, a: a, b: b, width: max(a.width, b.width)})
	if err != nil || op != maximum && op != minimum {
		return e, err
	}
	if of, lo, hi := e.bounded(); lo <= hi && of != e && of.width > 0 {
		return r.clamped(of, lo, hi)
	}
	return e, nil
}

// times is a value times a known matrix.
func (r *stepReader) times(e *expr, w *array) (*expr, error) {
	if w == nil || len(w.shape) != 2 || w.floats == nil || w.shape[1] < 1 || e.width < 1 || e.width != w.shape[0] {
		return nil, fmt.Errorf("expected a value times a known matrix of as many rows, got a width of %d", e.width)
	}
	return r.timesRows(e, part{of: w, rows: w.shape[0], all: w.shape[1]})
}

func (r *stepReader) timesRows(e *expr, p part) (*expr, error) {
	if e.op != beside {
		return r.make(expr{op: matrix, a: e, part: p, width: p.all})
	}
	a, err := r.timesRows(e.a, part{of: p.of, top: p.top, rows: e.a.width, all: p.all})
	if err != nil {
		return nil, err
	}
	b, err := r.timesRows(e.b, part{of: p.of, top: p.top + e.a.width, rows: e.b.width, all: p.all})
	if err != nil {
		return nil, err
	}
	return r.make(expr{op: add, a: a, b: b, width: p.all})
}

// columns are some columns of a value: those of the matrices and vectors that it is made of.
func (r *stepReader) columns(e *expr, from, to int) (*expr, error) {
	if e.width == 0 || from == 0 && to == e.width {
		return e, nil
	}
	if to <= from {
		return nil, fmt.Errorf("expected at least one column, got %d to %d", from, to)
	}
	key := columnsOf{e, from, to}
	if found := r.cuts[key]; found != nil {
		return found, nil
	}
	cut, err := r.cut(e, from, to)
	if err == nil {
		r.cuts[key] = cut
	}
	return cut, err
}

func (r *stepReader) cut(e *expr, from, to int) (*expr, error) {
	c := *e
	c.width = to - from
	switch e.op {
	case vector, matrix:
		c.part.from += from
		return r.make(c)
	case beside:
		n := e.a.width
		switch {
		case to <= n:
			return r.columns(e.a, from, to)
		case from >= n:
			return r.columns(e.b, from-n, to-n)
		}
		a, err := r.columns(e.a, from, n)
		if err != nil {
			return nil, err
		}
		b, err := r.columns(e.b, 0, to-n)
		if err != nil {
			return nil, err
		}
		c.a, c.b = a, b
		return r.make(c)
	case add, sub, mul, div, minimum, maximum, minus, power, function, where:
		if e.op == function && e.name == "softmax" {
			break
		}
		for _, arg := range []**expr{&c.a, &c.b, &c.c} {
			if *arg == nil {
				continue
			}
			var err error
			if *arg, err = r.columns(*arg, from, to); err != nil {
				return nil, err
			}
		}
		return r.make(c)
	}
	return nil, fmt.Errorf("expected columns of a product with a known matrix, got columns of a state or of the input itself")
}

// numbers of a part: its rows, one after the other, width columns of each.
func (p part) numbers(width int) []float32 {
	list := make([]float32, 0, p.rows*width)
	for i := p.top; i < p.top+p.rows; i++ {
		at := i*p.stride() + p.from
		list = append(list, p.of.floats[at:at+width]...)
	}
	return list
}

// stride is how many columns the array has.
func (p part) stride() int { return p.of.shape[len(p.of.shape)-1] }

// step evaluates a node of the body.
func (r *stepReader) step(n *onnx.Node) error {
	m := r.m
	if err := m.check(n); err != nil {
		return err
	}
	inside := slices.ContainsFunc(n.Inputs, func(name string) bool {
		t := m.value(name)
		return t != nil && t.expr != nil
	})
	if !inside {
		if ok, err := m.onArrays(n); ok {
			return err
		}
		switch n.Op {
		case "Identity", "Cast", "Shape", "Transpose", "Squeeze", "Unsqueeze":
			if ok, err := m.onAxes(n); ok {
				return err
			}
		}
	}
	if n.Op == "Split" {
		return r.split(n)
	}
	e, err := r.operation(n)
	if err != nil {
		return err
	}
	return m.set(n, &term{expr: e})
}

// operation is what a node of the body computes with values of the step.
func (r *stepReader) operation(n *onnx.Node) (*expr, error) {
	m := r.m
	x, y := m.arg(n, 0), m.arg(n, 1)
	if x == nil {
		return nil, fmt.Errorf("expected a value, got none")
	}
	binary := map[string]operation{"Add": add, "Sub": sub, "Mul": mul, "Div": div, "Min": minimum, "Max": maximum}
	op, isBinary := binary[n.Op]
	switch {
	case n.Op == "Gather" && x.view != nil:
		return r.stepOf(n, x.view, y)
	case n.Op == "Add" && (x.expr != nil && x.expr.op == counter || y != nil && y.expr != nil && y.expr.op == counter):
		return r.later(x, y)
	case n.Op == "Less":
		return r.compared(x, y)
	case isBinary && len(n.Inputs) == 2:
		return r.binary(op, x, y)
	case n.Op == "Where":
		return r.chosen(x, y, m.arg(n, 2))
	}
	e, err := r.of(x, x.width())
	if err != nil {
		return nil, err
	}
	if n.Op == "Identity" || n.Op == "Cast" || n.Op == "Dropout" {
		return e, nil
	}
	if e.isMask() {
		switch n.Op {
		case "Not":
			if e.op == not {
				return e.a, nil
			}
			return r.make(expr{op: not, a: e})
		case "Unsqueeze", "Squeeze", "Reshape", "Expand", "Tile":
			return e, nil // beside values it holds for all of a row
		}
		return nil, fmt.Errorf("expected a mask to choose between values, got another use of it")
	}
	if e.width == 0 {
		return nil, fmt.Errorf("expected values of the step, got its counter")
	}
	switch n.Op {
	case "MatMul":
		if y == nil {
			return nil, fmt.Errorf("expected a known matrix, got none")
		}
		return r.times(e, y.array)
	case "Gemm":
		return r.gemm(n, e)
	case "Slice":
		return r.slice(n, e)
	case "Concat":
		return r.concat(n)
	case "Neg":
		return r.make(expr{op: minus, a: e, width: e.width})
	case "Sqrt", "Abs", "Log":
		return r.make(expr{op: function, name: map[string]string{"Sqrt": "sqrt", "Abs": "abs", "Log": "log"}[n.Op], a: e, width: e.width})
	case "Reciprocal":
		return r.make(expr{op: power, value: -1, a: e, width: e.width})
	case "Pow":
		p, err := r.of(y, 0)
		if err != nil || p.op != number {
			return nil, fmt.Errorf("expected a known power, got another")
		}
		return r.make(expr{op: power, value: p.value, a: e, width: e.width})
	case "Clip":
		if lo, hi := m.bounds(n); lo <= hi {
			return r.clamped(e, lo, hi)
		}
	case "Reshape", "Squeeze", "Unsqueeze":
		return r.rows(n, e)
	}
	a, ok, err := activationOf(m, n)
	if err == nil && !ok || a == "log_softmax" {
		err = fmt.Errorf("no cell computes the operator %s", n.Op)
	}
	if err != nil {
		return nil, err
	}
	return r.make(expr{op: function, name: a.Name(), a: e, width: e.width})
}
