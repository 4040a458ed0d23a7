package cell

import "math"

// graph is a resolved cell with every value written once: the same operation on the same arguments is one node.
// Derive appends the adjoint's nodes behind the cell's own.
type graph struct {
	nodes []Node
	index map[nodeKey]int
}

type nodeKey struct {
	op                 Op
	a, b, c            int
	index              int
	value              float64
	fn                 string
	weight, row, block int
	left               bool
	width              int
}

func newGraph() *graph { return &graph{index: map[nodeKey]int{}} }

// add is the node n, made now or found.
func (g *graph) add(n Node) int {
	k := nodeKey{n.Op, -1, -1, -1, n.Index, n.Value, n.Func, n.Weight, n.Row, n.Block, n.Left, n.Width}
	for i, a := range n.Args {
		*[]*int{&k.a, &k.b, &k.c}[i] = a
	}
	if i, ok := g.index[k]; ok {
		return i
	}
	g.nodes = append(g.nodes, n)
	g.index[k] = len(g.nodes) - 1
	return len(g.nodes) - 1
}

func (g *graph) constant(v float64) int { return g.add(Node{Op: OpConst, Value: v}) }

func (g *graph) isConst(i int) bool { return g.nodes[i].Op == OpConst && g.nodes[i].Width == 0 }

func (g *graph) isValue(i int, v float64) bool { return g.isConst(i) && g.nodes[i].Value == v }

// binary is an elementwise operation of two arguments. Numbers are folded, and the neutral ones dropped, so that the plan has
// no operation that does nothing; x*0 stays, since it keeps NaN.
func (g *graph) binary(op Op, a, b int) int {
	if g.isConst(a) && g.isConst(b) {
		if v, ok := fold(op, g.nodes[a].Value, g.nodes[b].Value); ok {
			return g.constant(v)
		}
	}
	switch op {
	case OpAdd:
		if g.isValue(a, 0) {
			return b
		}
		if g.isValue(b, 0) {
			return a
		}
	case OpSub:
		if g.isValue(b, 0) {
			return a
		}
		if g.isValue(a, 0) {
			return g.neg(b)
		}
	case OpMul:
		if g.isValue(a, 1) {
			return b
		}
		if g.isValue(b, 1) {
			return a
		}
	case OpDiv:
		if g.isConst(b) {
			return g.binary(OpMul, a, g.constant(1/g.nodes[b].Value))
		}
	}
	w := g.width(a, b)
	if !g.isConst(a) {
		a = g.filled(a, w)
	}
	if !g.isConst(b) {
		b = g.filled(b, w)
	}
	return g.add(Node{Op: op, Args: []int{a, b}, Width: w})
}

func (g *graph) neg(a int) int {
	if n := g.nodes[a]; n.Op == OpNeg {
		return n.Args[0]
	} else if g.isConst(a) {
		return g.constant(-n.Value)
	}
	return g.add(Node{Op: OpNeg, Args: []int{a}, Width: g.nodes[a].Width})
}

// width of an elementwise operation: numbers fit any.
func (g *graph) width(args ...int) int {
	w := 0
	for _, a := range args {
		w = max(w, g.nodes[a].Width)
	}
	return w
}

func fold(op Op, a, b float64) (float64, bool) {
	switch op {
	case OpAdd:
		return a + b, true
	case OpSub:
		return a - b, true
	case OpMul:
		return a * b, true
	case OpDiv:
		return a / b, true
	case OpMin:
		return math.Min(a, b), true
	case OpMax:
		return math.Max(a, b), true
	}
	return 0, false
}

// lowered is a cell whose nodes are in a graph: what Derive and Plan work on.
type lowered struct {
	*graph
	cell   *Cell
	next   []int // the node of every next state
	output int
}

// lower writes a resolved cell into a graph: layer_norm becomes a normalization, a product and a sum; a number that stands
// where a vector must (a function's argument, a whole value) becomes a vector filled with it.
func lower(c *Cell) *lowered {
	l := lowerer{lowered: &lowered{graph: newGraph(), cell: c}}
	l.run()
	return l.lowered
}

// lowerer writes a cell into a graph, with dropout's masks where there are any.
type lowerer struct {
	*lowered
	at []int // of every node of the text

	drop    Dropout
	plain   []bool // nodes that are read outside of products' arguments, or that no mask changes there; nil: all
	touched []bool // nodes that a mask changes in the argument of a product; nil: none
	inside  map[place]int
	masks   []DropMask
}

func (l *lowerer) run() {
	c := l.cell
	l.at = make([]int, len(c.Nodes))
	for i, n := range c.Nodes {
		if l.plain != nil && !l.plain[i] {
			continue
		}
		args := make([]int, len(n.Args))
		for k, a := range n.Args {
			if args[k] = l.at[a]; n.Op == OpDot && l.touched != nil {
				args[k] = l.dropped(l.argument(a, n))
			}
		}
		l.at[i] = l.value(n, args)
	}
	for _, s := range c.States {
		l.next = append(l.next, l.filled(l.at[s.Next], s.Width))
	}
	l.output = l.filled(l.at[c.Output], c.Nodes[c.Output].Width)
}

// value is a node of the text with these arguments.
func (l *lowerer) value(n Node, args []int) int {
	v := l.operation(n, args)
	if !l.isConst(v) { // at once: later, a chain of names would be filled anew for every reader
		v = l.filled(v, n.Width)
	}
	return v
}

func (l *lowerer) operation(n Node, args []int) int {
	switch n.Op {
	case OpConst:
		return l.constant(n.Value)
	case OpAdd, OpSub, OpMul, OpDiv, OpMin, OpMax:
		if n.Op == OpMin || n.Op == OpMax {
			w := l.width(args...)
			args[0], args[1] = l.filled(args[0], w), l.filled(args[1], w)
		}
		return l.binary(n.Op, args[0], args[1])
	case OpNeg:
		return l.neg(args[0])
	case OpPow:
		if l.isConst(args[0]) {
			return l.constant(math.Pow(l.nodes[args[0]].Value, n.Value))
		}
		return l.add(Node{Op: OpPow, Args: args, Value: n.Value, Width: l.width(args...)})
	case OpDot:
		args[0] = l.filled(args[0], l.cell.Weights[n.Weight].contracted(n.Left))
		return l.add(Node{Op: OpDot, Args: args, Weight: n.Weight, Block: n.Block, Left: n.Left, Width: n.Width})
	case OpSoftmax:
		return l.add(Node{Op: OpSoftmax, Args: []int{l.filled(args[0], n.Width)}, Width: n.Width})
	case OpLayerNorm:
		x := l.add(Node{Op: OpNormalize, Args: []int{l.filled(args[0], n.Width)}, Width: n.Width})
		return l.binary(OpAdd, l.binary(OpMul, x, args[1]), args[2])
	}
	for k, a := range args {
		args[k] = l.filled(a, n.Width)
	}
	n.Args, n.Name, n.Line, n.Col = args, "", 0, 0
	return l.add(n)
}

// contracted is the width of what a matrix is multiplied with, from the right or from the left.
func (w *Weight) contracted(left bool) int {
	if left == w.OutIn {
		return w.In
	}
	return w.Out
}

// filled is node i as a value of the given width: expressions of numbers alone have none of their own.
func (g *graph) filled(i, width int) int {
	n := g.nodes[i]
	if n.Width != 0 || width == 0 {
		return i
	}
	n.Args = append([]int(nil), n.Args...)
	for k, a := range n.Args {
		n.Args[k] = g.filled(a, width)
	}
	n.Width = width
	return g.add(n)
}
