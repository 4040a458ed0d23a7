package reference

import (
	"math"

	"github.com/unroll-ml/unroll/internal/cell"
)

// CellRun is a resolved cell with all that it takes to run it over sequences. Rows are independent of each other.
type CellRun struct {
	Cell      *cell.Cell
	Weights   [][]float64   // in the order of Cell.Weights, in stored form, row-major
	X         [][][]float64 // rows, steps, inputs
	Mask      [][]bool      // rows, steps: the step is valid; nil: every step is
	Init      [][][]float64 // rows, states, width: the states before the first step; nil: zero
	Backwards bool          // the last step comes first; outputs stand in the order of processing, as in Keras

	// Dropout: what input_t and state_t are multiplied with in the argument of the product with this block of this weight,
	// by row; nil: nothing.
	DropInput, DropState func(row, weight, block int) []float64
}

// CellOutput is what a run gives.
type CellOutput struct {
	Y      [][][]float64 // rows, steps in the order of processing, width of output_t
	States [][][]float64 // rows, states, width: after the last step
}

// CellGradient is the gradient of sum(Y * dY) + sum(States * dStates).
type CellGradient struct {
	X       [][][]float64 // as CellRun.X
	Weights [][]float64   // as CellRun.Weights
	Init    [][][]float64 // rows, states, width
}

// Forward runs the cell.
func (r *CellRun) Forward() *CellOutput {
	out := &CellOutput{}
	for row := range r.X {
		run := r.row(row, nil)
		out.Y = append(out.Y, values(run.y))
		out.States = append(out.States, values(run.last))
	}
	return out
}

// Gradient runs the cell, and back. dY is as Y, dStates as States; either may be nil, which is zero.
func (r *CellRun) Gradient(dY, dStates [][][]float64) *CellGradient {
	d := &CellGradient{}
	for _, w := range r.Weights {
		d.Weights = append(d.Weights, make([]float64, len(w)))
	}
	for row := range r.X {
		run := r.row(row, nil)
		if dY != nil {
			seed(run.y, dY[row])
		}
		if dStates != nil {
			seed(run.last, dStates[row])
		}
		run.tape.run()
		d.X = append(d.X, gradients(run.x))
		d.Init = append(d.Init, gradients(run.first))
		for i, w := range run.weights {
			for k, g := range w.g {
				d.Weights[i][k] += g
			}
		}
	}
	return d
}

func values(vs []*vec) [][]float64 {
	var s [][]float64
	for _, v := range vs {
		s = append(s, v.v)
	}
	return s
}

func gradients(vs []*vec) [][]float64 {
	var s [][]float64
	for _, v := range vs {
		s = append(s, v.g)
	}
	return s
}

func seed(vs []*vec, g [][]float64) {
	for t, v := range vs {
		for i := range v.g {
			v.g[i] += g[t][i]
		}
	}
}

// rowRun is one row on its tape.
type rowRun struct {
	tape
	of      *CellRun
	row     int
	x       []*vec // by step of the text's order
	y       []*vec // by step of processing
	weights []*vec
	first   []*vec // states before the first step
	last    []*vec // and after the last

	input  *vec
	states []*vec
	memo   map[evaluation]*vec
	watch  func(n *cell.Node, args []*vec, y *vec) // sees every operation; may be nil
}

// evaluation of a node within the argument of a product, or outside of all (weight -1): dropout tells them apart.
type evaluation struct{ node, weight, block int }

func (r *CellRun) row(row int, watch func(n *cell.Node, args []*vec, y *vec)) *rowRun {
	c := r.Cell
	run := &rowRun{of: r, row: row, watch: watch}
	for _, w := range r.Weights {
		run.weights = append(run.weights, &vec{w, make([]float64, len(w))})
	}
	for _, x := range r.X[row] {
		run.x = append(run.x, &vec{x, make([]float64, len(x))})
	}
	for i, s := range c.States {
		v := newVec(s.Width)
		if r.Init != nil {
			copy(v.v, r.Init[row][i])
		}
		run.first = append(run.first, v)
	}
	run.last = run.first
	y := newVec(c.Nodes[c.Output].Width) // before any valid step
	for k := range run.x {
		t := k
		if r.Backwards {
			t = len(run.x) - 1 - k
		}
		if r.Mask == nil || r.Mask[row][t] {
			run.input, run.states, run.memo = run.x[t], run.last, map[evaluation]*vec{}
			var next []*vec
			for i, s := range c.States {
				next = append(next, run.wide(run.eval(s.Next, -1, 0), c.States[i].Width))
			}
			y = run.wide(run.eval(c.Output, -1, 0), c.Nodes[c.Output].Width)
			run.last = next
		}
		run.y = append(run.y, y)
	}
	return run
}

// wide is a, a number repeated n times.
func (r *rowRun) wide(a *vec, n int) *vec {
	if len(a.v) == n {
		return a
	}
	return r.unary(n, a, func(x float64) float64 { return x }, func(float64) float64 { return 1 })
}

// eval is the value of a node where it stands in the argument of a product with (weight, block).
func (r *rowRun) eval(node, weight, block int) *vec {
	key := evaluation{node, weight, block}
	if r.of.DropInput == nil && r.of.DropState == nil {
		key = evaluation{node, -1, 0}
	}
	if v, ok := r.memo[key]; ok {
		return v
	}
	n := &r.of.Cell.Nodes[node]
	if n.Op == cell.OpDot { // the nearest product
		weight, block = n.Weight, n.Block
	}
	var args []*vec
	for _, a := range n.Args {
		args = append(args, r.eval(a, weight, block))
	}
	y := r.operation(n, args, weight, block)
	if r.watch != nil {
		r.watch(n, args, y)
	}
	r.memo[key] = y
	return y
}

func (r *rowRun) operation(n *cell.Node, args []*vec, weight, block int) *vec {
	width := max(n.Width, 1)
	switch n.Op {
	case cell.OpInput:
		return r.dropped(r.input, r.of.DropInput, weight, block)
	case cell.OpState:
		s := r.states[n.Index]
		if r.of.Cell.States[n.Index].Name == "state" {
			s = r.dropped(s, r.of.DropState, weight, block)
		}
		return s
	case cell.OpVector:
		w := &r.of.Cell.Weights[n.Weight]
		return r.slice(n.Width, r.weights[n.Weight], n.Row*w.Out+w.Blocks[n.Block].Start)
	case cell.OpConst:
		y := newVec(width)
		for i := range y.v {
			y.v[i] = n.Value
		}
		return y
	case cell.OpDot:
		start, byIn, byOut := stored(&r.of.Cell.Weights[n.Weight], n.Block, n.Left)
		return r.product(width, args[0], r.weights[n.Weight], start, byIn, byOut)
	case cell.OpNeg:
		return r.unary(width, args[0], func(x float64) float64 { return -x }, func(float64) float64 { return -1 })
	case cell.OpPow:
		return r.unary(width, args[0], func(x float64) float64 { return math.Pow(x, n.Value) }, func(x float64) float64 {
			return n.Value * math.Pow(x, n.Value-1)
		})
	case cell.OpFunc:
		f := elementwise(n.Func)
		return r.unary(width, args[0], f.f, f.slope)
	case cell.OpSoftmax:
		return r.softmax(args[0])
	case cell.OpLayerNorm:
		return r.layerNorm(args[0], args[1], args[2])
	}
	f, slopes := arithmetic(n.Op)
	return r.binary(width, args[0], args[1], f, slopes)
}

// dropped is a multiplied with the mask of a product.
func (r *rowRun) dropped(a *vec, mask func(row, weight, block int) []float64, weight, block int) *vec {
	if mask == nil || weight < 0 {
		return a
	}
	m := mask(r.row, weight, block)
	f, slopes := arithmetic(cell.OpMul)
	return r.binary(len(a.v), a, &vec{m, make([]float64, len(m))}, f, slopes)
}

// stored says where a product finds the elements of its matrix: dot(x, P) meets the first stored axis, dot(P, x) the second.
func stored(w *cell.Weight, block int, left bool) (start, byIn, byOut int) {
	columns := w.Shape()[1]
	first := w.Blocks[block].Start // of the out axis; 0 where a matrix stands on its other side
	if left {
		return first * columns, 1, columns
	}
	return first, columns, 1
}

// arithmetic is an operation on two numbers and its slopes. On a tie min and max give each side half.
func arithmetic(op cell.Op) (f func(a, b float64) float64, slopes func(a, b float64) (float64, float64)) {
	switch op {
	case cell.OpAdd:
		return func(a, b float64) float64 { return a + b }, func(a, b float64) (float64, float64) { return 1, 1 }
	case cell.OpSub:
		return func(a, b float64) float64 { return a - b }, func(a, b float64) (float64, float64) { return 1, -1 }
	case cell.OpMul:
		return func(a, b float64) float64 { return a * b }, func(a, b float64) (float64, float64) { return b, a }
	case cell.OpDiv:
		return func(a, b float64) float64 { return a / b }, func(a, b float64) (float64, float64) { return 1 / b, -a / (b * b) }
	case cell.OpMin:
		return math.Min, func(a, b float64) (float64, float64) {
			return where(a < b, 1, where(a == b, 0.5, 0)), where(b < a, 1, where(a == b, 0.5, 0))
		}
	case cell.OpMax:
		return math.Max, func(a, b float64) (float64, float64) {
			return where(a > b, 1, where(a == b, 0.5, 0)), where(b > a, 1, where(a == b, 0.5, 0))
		}
	}
	panic("reference: unknown operation of two numbers")
}
