package cell

// Adjoint is the derivative of a cell, as more nodes behind the cell's own: what a step back through time computes from the
// gradients that come for its output and its next states.
type Adjoint struct {
	Nodes  []Node // the lowered cell's nodes, then the adjoint's
	Own    int    // how many of them are the cell's
	Next   []int  // the node of every next state
	Output int    // the node of output_t

	States  []int // the gradient of every incoming state; -1: always zero
	Input   int   // the gradient of input_t; -1: always zero
	Weights []WeightGrad
}

// WeightGrad is one contribution to the gradient of a weight, summed over all rows and steps.
type WeightGrad struct {
	Weight, Row, Block int
	// Operand is the other side of the product, and the contribution Operand^T Adjoint; -1 for a vector: the sum of Adjoint.
	Operand int
	Left    bool // as the product's
	Adjoint int
}

// Derive gives the adjoint of a resolved cell.
func Derive(c *Cell) *Adjoint { return derive(lower(c)) }

// derive appends the adjoint to l's graph.
//
// Where the output is itself a next state (as in every cell of Keras) there is one gradient for both: the engine adds what
// comes for the output to what comes for that state.
func derive(l *lowered) *Adjoint {
	d := &deriver{lowered: l, terms: make([][]int, len(l.nodes))}
	adj := &Adjoint{Own: len(l.nodes), Next: l.next, Output: l.output, Input: -1}
	if HomeState(l.next, l.output) < 0 {
		d.give(l.output, d.add(Node{Op: OpAdjOutput, Width: l.nodes[l.output].Width}))
	}
	for i, n := range l.next {
		d.give(n, d.add(Node{Op: OpAdjNext, Index: i, Width: l.nodes[n].Width}))
	}
	for range l.cell.States {
		adj.States = append(adj.States, -1)
	}
	for i := adj.Own - 1; i >= 0; i-- {
		if len(d.terms[i]) == 0 {
			continue
		}
		a := d.terms[i][0]
		for _, t := range d.terms[i][1:] {
			a = d.binary(OpAdd, a, t)
		}
		switch n := l.nodes[i]; n.Op {
		case OpInput:
			adj.Input = a
		case OpState:
			adj.States[n.Index] = a
		case OpVector:
			adj.Weights = append(adj.Weights, WeightGrad{Weight: n.Weight, Row: n.Row, Block: n.Block, Operand: -1, Adjoint: a})
		case OpDot:
			adj.Weights = append(adj.Weights, WeightGrad{Weight: n.Weight, Block: n.Block, Operand: n.Args[0], Left: n.Left, Adjoint: a})
			d.back(n, a)
		default:
			d.back(n, a)
		}
	}
	adj.Nodes = l.nodes
	return adj
}

// HomeState is the first state whose next value is the node; -1 where there is none.
func HomeState(next []int, node int) int {
	for i, n := range next {
		if n == node {
			return i
		}
	}
	return -1
}

type deriver struct {
	*lowered
	terms [][]int // of every node of the cell: the parts of its gradient
}

func (d *deriver) give(to, part int) { d.terms[to] = append(d.terms[to], part) }

// back hands the gradient a of node n to n's arguments.
func (d *deriver) back(n Node, a int) {
	arg := func(k int) int { return n.Args[k] }
	self := d.add(n)
	w := n.Width
	to := func(k, part int) {
		if !d.isConst(arg(k)) && d.nodes[arg(k)].Op != OpMask {
			d.give(arg(k), part)
		}
	}
	switch n.Op {
	case OpAdd:
		to(0, a)
		to(1, a)
	case OpSub:
		to(0, a)
		to(1, d.neg(a))
	case OpMul:
		to(0, d.binary(OpMul, a, arg(1)))
		to(1, d.binary(OpMul, a, arg(0)))
	case OpDiv:
		q := d.binary(OpDiv, a, arg(1)) // d(x/y) = dx/y - (x/y) dy/y
		to(0, q)
		to(1, d.neg(d.binary(OpMul, q, self)))
	case OpMin, OpMax:
		op := OpMinGrad
		if n.Op == OpMax {
			op = OpMaxGrad
		}
		to(0, d.add(Node{Op: op, Args: []int{a, arg(0), arg(1)}, Width: w}))
		to(1, d.add(Node{Op: op, Args: []int{a, arg(1), arg(0)}, Width: w}))
	case OpNeg:
		to(0, d.neg(a))
	case OpPow:
		to(0, d.add(Node{Op: OpPowGrad, Args: []int{a, arg(0)}, Value: n.Value, Width: w}))
	case OpFunc:
		x, y := -1, -1
		f := LookupFunc(n.Func)
		if f.NeedsX {
			x = arg(0)
		}
		if f.NeedsY {
			y = self
		}
		to(0, d.add(Node{Op: OpFuncGrad, Func: n.Func, Args: []int{a, x, y}, Width: w}))
	case OpSoftmax:
		to(0, d.add(Node{Op: OpSoftmaxGrad, Args: []int{a, self}, Width: w}))
	case OpNormalize:
		to(0, d.add(Node{Op: OpNormalizeGrad, Args: []int{a, arg(0)}, Width: w}))
	case OpDot:
		to(0, d.add(Node{Op: OpDotT, Args: []int{a}, Weight: n.Weight, Block: n.Block, Left: n.Left, Width: d.nodes[arg(0)].Width}))
	}
}
