package cell

import "fmt"

// Dropout says which values a plan multiplies with masks. input_t and state_t are, wherever they stand in the argument of a product,
// through names or not, once, at the nearest product; nowhere else.
type Dropout struct {
	Input, State bool
	// Each: every block of a matrix, and every matrix without blocks, has masks of its own. Otherwise there is one of the input and
	// one of the state.
	Each bool
}

// DropMask is what a value is multiplied with: a number for each of its values in every row, the same at all steps.
type DropMask struct {
	State bool // of state_t; otherwise of input_t
	// Weight and Block are the products that it belongs to; -1 and 0 for all of them.
	Weight, Block int
	Width         int
}

// maxDropped bounds the parts of a text that are there once more for every mask: many more than in any cell that one would write, few
// enough that a text made to exhaust the memory is refused.
const maxDropped = 1 << 16

// NewDropoutPlan plans a resolved cell for steps of training in which values are dropped. Its weights are those of NewPlan.
func NewDropoutPlan(c *Cell, d Dropout) (*Plan, error) {
	l := lowerer{lowered: &lowered{graph: newGraph(), cell: c}, drop: d, inside: map[place]int{}}
	l.find()
	if n := l.count(); n > maxDropped {
		return nil, fmt.Errorf("cell: dropout: expected at most %d values in the arguments of products, for each of their masks, got %d", maxDropped, n)
	}
	l.run()
	p := newPlan(l.lowered)
	p.Masks = l.masks
	return p, nil
}

// place is a node of the text where it stands in the argument of a product with a block of a weight. Without Dropout.Each all
// products are one: weight -1.
type place struct{ node, weight, block int }

// find marks the nodes that a mask changes in the argument of a product, and those that are read elsewhere.
func (l *lowerer) find() {
	c := l.cell
	l.touched = make([]bool, len(c.Nodes))
	for i, n := range c.Nodes {
		switch n.Op {
		case OpInput:
			l.touched[i] = l.drop.Input
		case OpState:
			l.touched[i] = l.drop.State && c.States[n.Index].Name == "state"
		case OpDot: // has masks of its own, whatever product it stands in
		default:
			for _, a := range n.Args {
				l.touched[i] = l.touched[i] || l.touched[a]
			}
		}
	}
	l.plain = make([]bool, len(c.Nodes))
	for _, s := range c.States {
		l.plain[s.Next] = true
	}
	l.plain[c.Output] = true
	argument := make([]bool, len(c.Nodes)) // in that of a live product, and touched
	for i := len(c.Nodes) - 1; i >= 0; i-- {
		n := c.Nodes[i]
		for _, a := range n.Args {
			inside := l.touched[a] && (argument[i] || n.Op == OpDot && l.plain[i])
			argument[a] = argument[a] || inside
			l.plain[a] = l.plain[a] || l.plain[i] && n.Op != OpDot || !l.touched[a] && (argument[i] || l.plain[i])
		}
	}
}

// count is how many values the masks make at the most.
func (l *lowerer) count() int {
	touched, products := 0, map[place]bool{}
	for i, n := range l.cell.Nodes {
		if l.touched[i] {
			touched++
		}
		if n.Op == OpDot {
			products[l.argument(0, n)] = true
		}
	}
	return touched * len(products)
}

// argument is the place of a node in the argument of product n.
func (l *lowerer) argument(node int, n Node) place {
	if l.drop.Each {
		return place{node, n.Weight, n.Block}
	}
	return place{node, -1, 0}
}

// dropped is the value of a node of the text at a place in the argument of a product.
func (l *lowerer) dropped(p place) int {
	if !l.touched[p.node] {
		return l.at[p.node]
	}
	if v, ok := l.inside[p]; ok {
		return v
	}
	n := l.cell.Nodes[p.node]
	var v int
	if n.Op == OpInput || n.Op == OpState {
		n.Name, n.Line, n.Col = "", 0, 0
		v = l.binary(OpMul, l.add(n), l.mask(DropMask{n.Op == OpState, p.weight, p.block, n.Width}))
	} else {
		args := make([]int, len(n.Args))
		for k, a := range n.Args {
			args[k] = l.dropped(place{a, p.weight, p.block})
		}
		v = l.value(n, args)
	}
	l.inside[p] = v
	return v
}

// mask is the node of a mask, which gets the next number if it is new.
func (l *lowerer) mask(m DropMask) int {
	k := 0
	for k < len(l.masks) && l.masks[k] != m {
		k++
	}
	if k == len(l.masks) {
		l.masks = append(l.masks, m)
	}
	return l.add(Node{Op: OpMask, Index: k, Width: m.Width})
}
