package reference

import (
	"math"

	"github.com/unroll-ml/unroll/internal/cell"
)

// Derived is what Gradient gives, by the adjoint that cell.Derive writes instead of a tape: every node of every step is worked
// out in float64, in the order of the graph, with no plan and no engine.
func (r *CellRun) Derived(dY, dStates [][][]float64) *CellGradient {
	d := &CellGradient{}
	for _, w := range r.Weights {
		d.Weights = append(d.Weights, make([]float64, len(w)))
	}
	adj := cell.Derive(r.Cell)
	for row := range r.X {
		dr := &derivedRow{of: r, adj: adj, row: row, out: d}
		dr.forward()
		dr.backward(dY[row], dStates[row])
	}
	return d
}

// derivedRow is one row on its way.
type derivedRow struct {
	of  *CellRun
	adj *cell.Adjoint
	row int
	out *CellGradient

	steps  [][][]float64 // of every step: the nodes' values
	states [][]float64   // coming into the step
	dy     []float64
	next   [][]float64 // gradients of the next states
}

func (r *derivedRow) time(step int) int {
	if r.of.Backwards {
		return len(r.of.X[r.row]) - 1 - step
	}
	return step
}

func (r *derivedRow) valid(step int) bool { return r.of.Mask == nil || r.of.Mask[r.row][r.time(step)] }

func (r *derivedRow) forward() {
	for i, s := range r.of.Cell.States {
		first := make([]float64, s.Width)
		if r.of.Init != nil {
			copy(first, r.of.Init[r.row][i])
		}
		r.states = append(r.states, first)
	}
	for step := range r.of.X[r.row] {
		v := make([][]float64, len(r.adj.Nodes))
		for i := range r.adj.Own {
			v[i] = r.eval(v, i, step)
		}
		r.steps = append(r.steps, v)
		if r.valid(step) {
			next := make([][]float64, len(r.states))
			for i, n := range r.adj.Next {
				next[i] = v[n]
			}
			r.states = next
		}
	}
}

func (r *derivedRow) backward(dy, dStates [][]float64) {
	home := cell.HomeState(r.adj.Next, r.adj.Output)
	r.next = nil
	for _, g := range dStates {
		r.next = append(r.next, append([]float64(nil), g...))
	}
	carry := make([]float64, r.adj.Nodes[r.adj.Output].Width) // of an output that later masked steps repeat
	dx := make([][]float64, len(r.steps))
	for step := len(r.steps) - 1; step >= 0; step-- {
		t := r.time(step)
		dx[t] = make([]float64, len(r.of.X[r.row][t]))
		for i, g := range dy[step] {
			carry[i] += g
		}
		if !r.valid(step) {
			continue
		}
		r.dy, carry = carry, make([]float64, len(carry))
		if home >= 0 {
			for i, g := range r.dy {
				r.next[home][i] += g
			}
		}
		v := r.steps[step]
		for i := r.adj.Own; i < len(r.adj.Nodes); i++ {
			v[i] = r.eval(v, i, step)
		}
		if r.adj.Input >= 0 {
			copy(dx[t], v[r.adj.Input])
		}
		for _, g := range r.adj.Weights {
			r.weight(v, g)
		}
		next := make([][]float64, len(r.next))
		for i, a := range r.adj.States {
			next[i] = make([]float64, r.of.Cell.States[i].Width)
			if a >= 0 {
				copy(next[i], v[a])
			}
		}
		r.next = next
	}
	r.out.X = append(r.out.X, dx)
	r.out.Init = append(r.out.Init, r.next)
}

// weight adds a step's contribution to a weight's gradient.
func (r *derivedRow) weight(v [][]float64, g cell.WeightGrad) {
	w := &r.of.Cell.Weights[g.Weight]
	to := r.out.Weights[g.Weight]
	if g.Operand < 0 {
		for i, a := range v[g.Adjoint] {
			to[g.Row*w.Out+w.Blocks[g.Block].Start+i] += a
		}
		return
	}
	start, byIn, byOut := stored(w, g.Block, g.Left)
	for i, x := range v[g.Operand] {
		for j, a := range v[g.Adjoint] {
			to[start+i*byIn+j*byOut] += x * a
		}
	}
}

// eval is the value of node i at a step; v are the values of the nodes before it.
func (r *derivedRow) eval(v [][]float64, i, step int) []float64 {
	n := r.adj.Nodes[i]
	y := make([]float64, max(1, n.Width))
	arg := func(k int) []float64 { return v[n.Args[k]] }
	at := func(k, j int) float64 {
		if a := arg(k); len(a) > 1 {
			return a[j]
		} else {
			return a[0] // a number fits any width
		}
	}
	switch n.Op {
	case cell.OpInput:
		return r.of.X[r.row][r.time(step)]
	case cell.OpState:
		return r.states[n.Index]
	case cell.OpAdjOutput:
		return r.dy
	case cell.OpAdjNext:
		return r.next[n.Index]
	case cell.OpVector:
		w := &r.of.Cell.Weights[n.Weight]
		copy(y, r.of.Weights[n.Weight][n.Row*w.Out+w.Blocks[n.Block].Start:])
		return y
	case cell.OpDot, cell.OpDotT:
		start, byIn, byOut := stored(&r.of.Cell.Weights[n.Weight], n.Block, n.Left)
		if n.Op == cell.OpDotT {
			byIn, byOut = byOut, byIn
		}
		for k, x := range arg(0) {
			for j := range y {
				y[j] += x * r.of.Weights[n.Weight][start+k*byIn+j*byOut]
			}
		}
		return y
	case cell.OpSoftmax:
		sum := 0.0
		for j := range y {
			y[j] = math.Exp(at(0, j))
			sum += y[j]
		}
		for j := range y {
			y[j] /= sum
		}
		return y
	case cell.OpSoftmaxGrad:
		inner := 0.0
		for j := range y {
			inner += at(0, j) * at(1, j)
		}
		for j := range y {
			y[j] = at(1, j) * (at(0, j) - inner)
		}
		return y
	case cell.OpNormalize:
		mean, scale := normalization(arg(0))
		for j := range y {
			y[j] = (at(0, j) - mean) * scale
		}
		return y
	case cell.OpNormalizeGrad:
		mean, scale := normalization(arg(1))
		sum, sumX := 0.0, 0.0
		for j := range y {
			sum += at(0, j) / float64(len(y))
			sumX += at(0, j) * (at(1, j) - mean) * scale / float64(len(y))
		}
		for j := range y {
			y[j] = scale * (at(0, j) - sum - (at(1, j)-mean)*scale*sumX)
		}
		return y
	}
	for j := range y {
		y[j] = r.elementwise(n, j, at, v)
	}
	return y
}

func normalization(x []float64) (mean, scale float64) {
	v := 0.0
	for _, a := range x {
		mean += a / float64(len(x))
	}
	for _, a := range x {
		v += (a - mean) * (a - mean) / float64(len(x))
	}
	return mean, 1 / math.Sqrt(v+1e-3)
}

func (r *derivedRow) elementwise(n cell.Node, j int, at func(k, j int) float64, v [][]float64) float64 {
	switch n.Op {
	case cell.OpConst:
		return n.Value
	case cell.OpNeg:
		return -at(0, j)
	case cell.OpPow:
		return math.Pow(at(0, j), n.Value)
	case cell.OpPowGrad:
		return at(0, j) * n.Value * math.Pow(at(1, j), n.Value-1)
	case cell.OpFunc:
		return elementwise(n.Func).f(at(0, j))
	case cell.OpFuncGrad:
		x := n.Args[1]
		if x < 0 && n.Args[2] >= 0 {
			x = r.adj.Nodes[n.Args[2]].Args[0]
		}
		return at(0, j) * elementwise(n.Func).slope(v[x][min(j, len(v[x])-1)])
	case cell.OpMinGrad, cell.OpMaxGrad:
		op := cell.OpMin
		if n.Op == cell.OpMaxGrad {
			op = cell.OpMax
		}
		_, slopes := arithmetic(op)
		s, _ := slopes(at(1, j), at(2, j))
		return at(0, j) * s
	}
	f, _ := arithmetic(n.Op)
	return f(at(0, j), at(1, j))
}
