package cell

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxKeyed is how many values a group with a key has at the most. Generated kernels have fewer; a text may have thousands.
const maxKeyed = 96

// canonical numbers the group's values: inputs first, then operations, each kind in an order that does not depend on how the
// values came to be numbered in f; and writes the key. Stored counts in f's numbers before, in the group's afterwards.
func (g *Group) canonical(f *former) {
	l := newLabels(f.ops, g.Out, g.Stored)
	keyed := len(l.alive) <= maxKeyed
	if keyed {
		l.distinguish()
	}
	number := make([]int, len(f.ops)) // -1: not yet
	for i := range number {
		number[i] = -1
	}
	ready := func(v int) bool {
		op := f.ops[v]
		return (op.A < 0 || number[op.A] >= 0) && (op.B < 0 || number[op.B] >= 0) && (op.C < 0 || number[op.C] >= 0)
	}
	byColour := slices.Clone(l.alive)
	slices.SortStableFunc(byColour, func(a, b int) int { return l.colour[a] - l.colour[b] })
	for _, v := range byColour {
		if f.ops[v].Code == Load {
			number[v] = len(g.In)
			g.In = append(g.In, f.ops[v].A)
		}
	}
	n := len(g.In)
	for left := len(byColour) - n; left > 0; {
		for _, v := range byColour {
			if number[v] >= 0 || !ready(v) {
				continue
			}
			op := f.ops[v]
			for _, a := range []*int{&op.A, &op.B, &op.C} {
				if *a >= 0 {
					*a = number[*a]
				}
			}
			if op.commutes() && op.A > op.B {
				op.A, op.B = op.B, op.A
			}
			number[v] = n
			n++
			g.Ops = append(g.Ops, op)
			left--
			if keyed {
				break // the first in order among all that are ready
			}
		}
	}
	order := make([]int, len(g.Out))
	for i := range order {
		order[i] = i
	}
	over := func(i int) int { return slices.Index(g.In, g.Out[i]) }
	slices.SortStableFunc(order, func(a, b int) int {
		if d := number[g.Stored[a]] - number[g.Stored[b]]; d != 0 {
			return d
		}
		return over(a) - over(b)
	})
	outs, stored := make([]int, len(order)), make([]int, len(order))
	for k, i := range order {
		outs[k], stored[k] = g.Out[i], number[g.Stored[i]]
	}
	g.Out, g.Stored = outs, stored
	if keyed {
		g.Key = g.text()
	}
}

// Over is the input that output i overwrites, -1 for none.
func (g *Group) Over(i int) int { return slices.Index(g.In, g.Out[i]) }

// text is the group without its slots: the number of inputs, the operations, and what is stored, with @ over an input.
func (g *Group) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:", len(g.In))
	for _, op := range g.Ops {
		b.WriteByte(' ')
		b.WriteString(op.name())
		b.WriteByte('(')
		for k, a := range []int{op.A, op.B, op.C} {
			if k > 0 && (a >= 0 || op.B < 0 && op.C >= 0) {
				b.WriteByte(',')
			}
			if a >= 0 {
				b.WriteString(strconv.Itoa(a))
			}
		}
		b.WriteByte(')')
	}
	b.WriteString(" >")
	for i, v := range g.Stored {
		fmt.Fprintf(&b, " %d", v)
		if o := g.Over(i); o >= 0 {
			fmt.Fprintf(&b, "@%d", o)
		}
	}
	return b.String()
}

// name is what an operation does, with its number or function.
func (op GroupOp) name() string {
	v := strconv.FormatFloat(float64(float32(op.V)), 'g', -1, 32)
	switch op.Code {
	case Add:
		return "add"
	case Sub:
		return "sub"
	case Mul:
		return "mul"
	case Div:
		return "div"
	case Min:
		return "min"
	case Max:
		return "max"
	case Neg:
		return "neg"
	case AddConst:
		return "plus" + v
	case SubFrom:
		return "from" + v
	case Scale:
		return "times" + v
	case DivFrom:
		return "over" + v
	case Pow:
		return "pow" + v
	case PowGrad:
		return "pow" + v + "'"
	case Apply:
		return op.Func
	case ApplyGrad:
		return op.Func + "'"
	case MinGrad:
		return "min'"
	case MaxGrad:
		return "max'"
	}
	return "input"
}

// Name is what an instruction does, in a word, with its number or function.
func (in Instr) Name() string {
	switch in.Code {
	case MatMul, MatMulAcc, MatMulFrom:
		return "product"
	case Copy:
		return "copy"
	case Fill:
		return "fill"
	case Load:
		return "load"
	case MulAdd:
		return "mul-add"
	case MulSub:
		return "mul-sub"
	case Softmax:
		return "softmax"
	case SoftmaxGrad:
		return "softmax'"
	case Normalize:
		return "layer_norm"
	case NormalizeGrad:
		return "layer_norm'"
	}
	return GroupOp{Code: in.Code, V: in.V, Func: in.Func}.name()
}

// labels gives every value of a group a colour that depends on its place in the graph alone: first what it does, then, as long as that
// tells more of them apart, the colours around it.
type labels struct {
	ops    []GroupOp
	alive  []int // what is stored needs it
	uses   [][]reading
	over   []int // of every input: one more than the value stored over it, 0 for none; of that value: minus one more than the input
	stored []int // of every value: how many slots take it
	colour []int
	count  int // of colours
}

type reading struct{ by, operand int }

func newLabels(ops []GroupOp, outs, stored []int) *labels {
	n := len(ops)
	l := &labels{ops: ops, uses: make([][]reading, n), over: make([]int, n), stored: make([]int, n), colour: make([]int, n)}
	seen := make([]bool, n)
	for _, v := range stored {
		seen[v] = true
		l.stored[v]++
	}
	for v := n - 1; v >= 0; v-- { // operands stand before their uses
		if !seen[v] {
			continue
		}
		l.alive = append(l.alive, v)
		op := ops[v]
		if op.Code == Load {
			for i, s := range outs {
				if s == op.A {
					l.over[v], l.over[stored[i]] = 1+stored[i], -1-v
				}
			}
			continue
		}
		for k, a := range []int{op.A, op.B, op.C} {
			if a < 0 {
				continue
			}
			seen[a] = true
			if op.commutes() {
				k = 0
			}
			l.uses[a] = append(l.uses[a], reading{v, k})
		}
	}
	slices.Reverse(l.alive)
	return l
}

// distinguish refines the colours until every value has its own. Where values are left alike, one of them is set apart: they are nearly
// always alike in truth, and then it does not matter which; where not, two equal groups may get two keys.
func (l *labels) distinguish() {
	first := make([]string, len(l.ops))
	for _, v := range l.alive {
		op := l.ops[v]
		first[v] = fmt.Sprint(op.name(), l.stored[v], op.Code == Load)
	}
	l.paint(first)
	for {
		for before := 0; before != l.count; {
			before = l.count
			l.paint(l.surroundings())
		}
		if l.count == len(l.alive) {
			return
		}
		members := make([]int, l.count)
		for _, v := range l.alive {
			members[l.colour[v]]++
		}
		alike := slices.IndexFunc(members, func(m int) bool { return m > 1 })
		for _, v := range l.alive {
			switch {
			case l.colour[v] == alike && members[alike] > 0:
				members[alike] = 0 // this one keeps the colour
			case l.colour[v] >= alike:
				l.colour[v]++
			}
		}
		l.count++
	}
}

// paint numbers the colours in the order of their descriptions.
func (l *labels) paint(description []string) {
	all := make([]string, 0, len(l.alive))
	for _, v := range l.alive {
		all = append(all, description[v])
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, v := range l.alive {
		l.colour[v], _ = slices.BinarySearch(all, description[v])
	}
	l.count = len(all)
}

// surroundings describes every value by its own colour and those of its operands, its uses, and what is stored over it or it over.
func (l *labels) surroundings() []string {
	out := make([]string, len(l.ops))
	var b []byte
	put := func(c int) { b = append(b, byte(c), ' ') } // maxKeyed fits a byte
	for _, v := range l.alive {
		op := l.ops[v]
		b = b[:0]
		put(l.colour[v])
		if op.Code != Load {
			var args []int
			for _, a := range []int{op.A, op.B, op.C} {
				if a >= 0 {
					args = append(args, l.colour[a])
				} else {
					args = append(args, 255)
				}
			}
			if op.commutes() {
				slices.Sort(args)
			}
			for _, a := range args {
				put(a)
			}
		}
		var uses []int
		for _, u := range l.uses[v] {
			uses = append(uses, 4*l.colour[u.by]+u.operand)
		}
		slices.Sort(uses)
		for _, u := range uses {
			put(u / 4)
			put(u % 4)
		}
		switch o := l.over[v]; {
		case o > 0:
			put(254)
			put(l.colour[o-1])
		case o < 0:
			put(253)
			put(l.colour[-o-1])
		}
		out[v] = string(b)
	}
	return out
}
