package cell

// need is the slot of node i's value; the instructions that make it are written at the first call.
func (p *planner) need(i int) int {
	if p.slot[i] < 0 {
		p.slot[i] = p.make(i)
	}
	return p.slot[i]
}

func (p *planner) make(i int) int {
	n := p.nodes[i]
	switch n.Op {
	case OpInput:
		return p.newSlot(Slot{Kind: InputSlot, Width: n.Width})
	case OpState:
		return p.newSlot(Slot{Kind: StateSlot, Width: n.Width, Index: n.Index})
	case OpMask:
		return p.newSlot(Slot{Kind: MaskSlot, Width: n.Width, Index: n.Index})
	case OpAdjOutput:
		return p.newSlot(Slot{Kind: AdjOutputSlot, Width: n.Width})
	case OpAdjNext:
		s := p.newSlot(Slot{Kind: AdjNextSlot, Width: n.Width, Index: n.Index})
		if !p.kept[i] {
			return s
		}
		d := p.newSlot(Slot{Kind: KeptSlot, Width: n.Width})
		p.put(i, step, Instr{Code: Copy, D: d, A: s, B: -1, C: -1})
		return d
	case OpVector:
		w := &p.cell.Weights[n.Weight]
		in := Instr{Code: Load, Weight: n.Weight, Start: n.Row*w.Out + w.Blocks[n.Block].Start}
		return p.write(i, in)
	case OpConst:
		return p.write(i, Instr{Code: Fill, V: n.Value})
	case OpAdd, OpSub, OpNeg, OpDot, OpDotT:
		s, _ := p.sum(i, p.class[i], p.terms(i, false, nil), p.dest)
		return s
	case OpMul, OpDiv, OpMin, OpMax:
		return p.binaryInstr(i)
	case OpPow:
		return p.write(i, Instr{Code: Pow, V: n.Value}, n.Args...)
	case OpPowGrad:
		return p.write(i, Instr{Code: PowGrad, V: n.Value}, n.Args...)
	}
	code, ok := map[Op]Code{
		OpFunc: Apply, OpFuncGrad: ApplyGrad, OpMinGrad: MinGrad, OpMaxGrad: MaxGrad,
		OpSoftmax: Softmax, OpSoftmaxGrad: SoftmaxGrad, OpNormalize: Normalize, OpNormalizeGrad: NormalizeGrad,
	}[n.Op]
	if !ok {
		panic("cell: plan: unknown operation")
	}
	return p.write(i, Instr{Code: code, Func: n.Func}, n.Args...)
}

// write emits in with the slots of args as its operands and a new place for node i as its destination.
func (p *planner) write(i int, in Instr, args ...int) int {
	in.A, in.B, in.C = -1, -1, -1
	for k, a := range args {
		if a >= 0 {
			*[]*int{&in.A, &in.B, &in.C}[k] = p.need(a)
		}
	}
	in.D = p.dest(i, p.class[i])
	p.put(i, p.class[i], in)
	return in.D
}

func (p *planner) binaryInstr(i int) int {
	n := p.nodes[i]
	a, b := n.Args[0], n.Args[1]
	switch {
	case n.Op == OpMul && p.isConst(a):
		return p.write(i, Instr{Code: Scale, V: p.nodes[a].Value}, b)
	case n.Op == OpMul && p.isConst(b):
		return p.write(i, Instr{Code: Scale, V: p.nodes[b].Value}, a)
	case n.Op == OpDiv && p.isConst(a):
		return p.write(i, Instr{Code: DivFrom, V: p.nodes[a].Value}, b)
	}
	code := map[Op]Code{OpMul: Mul, OpDiv: Div, OpMin: Min, OpMax: Max}[n.Op]
	return p.write(i, Instr{Code: code}, a, b)
}

// term is one term of a sum.
type term struct {
	node int
	neg  bool
}

// terms takes the sum at node i apart, into terms that are no sums or that others read too.
func (p *planner) terms(i int, neg bool, to []term) []term {
	n := p.nodes[i]
	part := func(a int, neg bool) {
		switch p.nodes[a].Op {
		case OpAdd, OpSub, OpNeg:
			if p.inner(a, i) {
				to = p.terms(a, neg, to)
				return
			}
		}
		to = append(to, term{a, neg})
	}
	switch n.Op {
	case OpAdd:
		part(n.Args[0], neg)
		part(n.Args[1], neg)
	case OpSub:
		part(n.Args[0], neg)
		part(n.Args[1], !neg)
	case OpNeg:
		part(n.Args[0], !neg)
	default:
		to = append(to, term{i, neg})
	}
	return to
}

// inner reports whether node a is read by one node alone, of node i's own list, and so needs no slot of its own there.
func (p *planner) inner(a, i int) bool {
	return p.slot[a] < 0 && p.uses[a] <= 1 && !p.kept[a] && !p.named[a] && p.phase[a] == p.phase[i]
}

// addend is a term that is no product of a matrix: a slot, or the product of two.
type addend struct {
	a, b int // b is -1 for a slot alone
	neg  bool
}

// sum writes the sum of the terms, of class c, for node i, and returns its slot and whether nobody else reads that slot.
//
// What changes less often than the sum is added up first, where it changes; the products then go on from there, each
// added onto the slot: one sum in one order, as if the products were one product of concatenated operands. What is left is
// added last. own is where the sum may be computed.
func (p *planner) sum(i int, c class, terms []term, own func(int, class) int) (slot int, private bool) {
	var lower, products, rest []term
	number := 0.0
	for _, t := range terms {
		n := p.nodes[t.node]
		switch {
		case p.isConst(t.node) && t.neg:
			number -= n.Value
		case p.isConst(t.node):
			number += n.Value
		case p.class[t.node] < c:
			lower = append(lower, t)
		case (n.Op == OpDot || n.Op == OpDotT) && !t.neg && (t.node == i || p.inner(t.node, i)):
			products = append(products, t)
		default:
			rest = append(rest, t)
		}
	}
	d := -1      // the destination, once it holds a part of the sum
	before := -1 // the sum of the lower terms, while it stands elsewhere
	if len(lower) > 0 {
		before, private = p.lowerSum(i, lower, len(products) > 0)
		if len(products) > 0 && p.plan.Slots[before].Kind != OnceSlot {
			if d = before; !private || p.home[i] >= 0 {
				d = own(i, c)
				p.put(i, c, Instr{Code: Copy, D: d, A: before, B: -1, C: -1})
			}
			before = -1
		}
	}
	for _, t := range products {
		in := Instr{Code: MatMulAcc, D: d, A: p.need(p.nodes[t.node].Args[0]), B: -1, C: -1, Pack: p.packed(t.node)}
		if d < 0 {
			d = own(i, c)
			in.Code, in.D = MatMul, d
			if before >= 0 {
				in.Code, in.C, before = MatMulFrom, before, -1
			}
		}
		p.put(i, c, in)
	}
	var parts []addend
	if before >= 0 {
		parts = append(parts, addend{before, -1, false})
	}
	for _, t := range rest {
		n := p.nodes[t.node]
		if n.Op == OpMul && p.inner(t.node, i) && !p.isConst(n.Args[0]) && !p.isConst(n.Args[1]) {
			parts = append(parts, addend{p.need(n.Args[0]), p.need(n.Args[1]), t.neg})
		} else {
			parts = append(parts, addend{p.need(t.node), -1, t.neg})
		}
	}
	if d < 0 && len(parts) == 1 && number == 0 && parts[0].b < 0 && !parts[0].neg && p.home[i] < 0 {
		return parts[0].a, false // the sum is that one term
	}
	if d < 0 {
		d = own(i, c)
		parts = p.begin(i, c, d, parts)
	}
	for _, a := range parts {
		in := Instr{Code: Add, D: d, A: d, B: a.a, C: -1}
		switch {
		case a.b >= 0 && a.neg:
			in.Code, in.A, in.B = MulSub, a.a, a.b
		case a.b >= 0:
			in.Code, in.A, in.B = MulAdd, a.a, a.b
		case a.neg:
			in.Code = Sub
		}
		p.put(i, c, in)
	}
	if number != 0 {
		p.put(i, c, Instr{Code: AddConst, D: d, A: d, B: -1, C: -1, V: number})
	}
	return d, true
}

// lowerSum is the slot of the sum of the terms of node i's sum that change less often than it. When the products go on from
// there, the slot will hold node i's own value, and lives as long.
func (p *planner) lowerSum(i int, lower []term, continued bool) (slot int, private bool) {
	if t := lower[0]; len(lower) == 1 && !t.neg && !p.inner(t.node, i) {
		return p.need(t.node), false
	}
	c := once
	for _, t := range lower {
		c = max(c, p.class[t.node])
	}
	return p.sum(i, c, lower, func(i int, c class) int {
		s := Slot{Kind: BlockSlot, Width: p.nodes[i].Width}
		switch {
		case c == once:
			s.Kind = OnceSlot
		case continued && p.kept[i] && p.home[i] < 0:
			s.Kind, s.Hoisted = KeptSlot, true
		}
		return p.newSlot(s)
	})
}

// begin writes the first instruction of a sum without products, to d, and returns the parts that are left: a positive product
// of two slots if there is one, else two slots at once, else a single one.
func (p *planner) begin(i int, c class, d int, parts []addend) []addend {
	without := func(k int) []addend {
		return append(append([]addend(nil), parts[:k]...), parts[k+1:]...)
	}
	for k, a := range parts {
		if a.b >= 0 && !a.neg {
			p.put(i, c, Instr{Code: Mul, D: d, A: a.a, B: a.b, C: -1})
			return without(k)
		}
	}
	for k, a := range parts {
		if a.neg {
			continue
		}
		parts = without(k)
		for k, b := range parts {
			if b.b < 0 {
				code := Add
				if b.neg {
					code = Sub
				}
				p.put(i, c, Instr{Code: code, D: d, A: a.a, B: b.a, C: -1})
				return without(k)
			}
		}
		p.put(i, c, Instr{Code: Copy, D: d, A: a.a, B: -1, C: -1})
		return parts
	}
	a := parts[0]
	if a.b >= 0 {
		p.put(i, c, Instr{Code: Mul, D: d, A: a.a, B: a.b, C: -1})
		p.put(i, c, Instr{Code: Neg, D: d, A: d, B: -1, C: -1})
	} else {
		p.put(i, c, Instr{Code: Neg, D: d, A: a.a, B: -1, C: -1})
	}
	return parts[1:]
}
