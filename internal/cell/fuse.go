package cell

import "slices"

// Group is a number of pointwise instructions on slots of one width, as one loop over rows × width values computes them: every
// input is loaded, every output stored, and a value that is read inside alone has no place in memory.
type Group struct {
	Instrs []Instr // what the group stands for, in an order in which they may run one by one
	Ops    []GroupOp
	In     []int // slots read: the values 0 to len(In)-1
	Out    []int // slots written
	Stored []int // of every slot of Out: its value
	// Key is the same for groups that differ in slots alone, whatever the order of their instructions and of the operands of sums
	// and products. It is empty where the group is too large to have one.
	Key string
}

// GroupOp computes the next value: behind the inputs, those of Ops are numbered in order. Code is that of the instruction without
// its destination; A, B and C are values, -1 where unused. A MulAdd is a Mul and an Add, a MulSub likewise; a Copy is no operation.
type GroupOp struct {
	Code    Code
	A, B, C int
	V       float64
	Func    string
}

// Part is an instruction of a schedule, or a group of them.
type Part struct {
	Instr
	Group *Group // nil: Instr
}

// Schedule is the lists of a plan with what is pointwise gathered in groups. Stages are one list.
type Schedule struct {
	Once, Hoist, Steps                         []Part
	BackSteps, BackAfter, BackHoist, BackInput []Part
}

// Schedule gathers pointwise instructions into groups, as large as the dependences between instructions allow: whatever is
// known runs first, products before the rest, so that the groups do not depend on the order of independent equations.
func (p *Plan) Schedule() Schedule {
	steps, back := join(p.Steps), join(p.BackSteps)
	lists := [][]Instr{p.Once, p.Hoist, steps, back, p.BackAfter, p.BackHoist, p.BackInput}
	readers := make([]int, len(p.Slots)) // of every slot: a bit for every list that reads it
	for i, list := range lists {
		for _, in := range list {
			for _, s := range in.reads() {
				readers[s] |= 1 << i
			}
		}
	}
	for _, g := range append(append([]GradOf(nil), p.Grads...), p.HoistGrads...) {
		for _, s := range []int{g.A, g.B} {
			if s >= 0 {
				readers[s] |= 1 << len(lists)
			}
		}
	}
	parts := func(i int) []Part {
		live := make([]bool, len(p.Slots)) // behind the list
		for s, slot := range p.Slots {
			switch slot.Kind {
			case NextSlot, OutputSlot, AdjStateSlot, AdjInputSlot:
				live[s] = true
			case BlockSlot:
				live[s] = i == 1 && readers[s]&^(1<<i) != 0 // what steps make of it is gone with the step
			default:
				live[s] = readers[s]&^(1<<i) != 0
			}
		}
		return p.gather(lists[i], live)
	}
	return Schedule{parts(0), parts(1), parts(2), parts(3), parts(4), parts(5), parts(6)}
}

func join(stages []Stage) []Instr {
	var all []Instr
	for _, s := range stages {
		all = append(all, s.Instrs...)
	}
	return all
}

// reads are the slots that an instruction reads.
func (in Instr) reads() []int {
	var r []int
	for _, s := range []int{in.A, in.B, in.C} {
		if s >= 0 {
			r = append(r, s)
		}
	}
	switch in.Code {
	case MatMulAcc, MulAdd, MulSub:
		r = append(r, in.D)
	case Fill, Load:
		return nil
	}
	return r
}

// pointwise reports whether an instruction computes every value from the values at the same place alone.
func (c Code) pointwise() bool {
	switch c {
	case MatMul, MatMulAcc, MatMulFrom, Fill, Load, Softmax, SoftmaxGrad, Normalize, NormalizeGrad:
		return false
	}
	return true
}

// gather orders a list. live says which slots are read after it; it is overwritten.
func (p *Plan) gather(list []Instr, live []bool) []Part {
	waits, next := dependences(list, len(p.Slots))
	done := make([]bool, len(list))
	take := func(i int) {
		done[i] = true
		for _, j := range next[i] {
			waits[j]--
		}
	}
	var parts []Part
	for left := len(list); left > 0; {
		for i, in := range list {
			if !done[i] && waits[i] == 0 && !in.Code.pointwise() {
				take(i)
				left--
				parts = append(parts, Part{Instr: in})
			}
		}
		var groups []*Group // of every width one: no pointwise instruction of one width waits for one of another
		for i, in := range list {
			if done[i] || waits[i] > 0 || !in.Code.pointwise() {
				continue
			}
			take(i)
			left--
			w := p.Slots[in.D].Width
			k := slices.IndexFunc(groups, func(g *Group) bool { return p.Slots[g.Instrs[0].D].Width == w })
			if k < 0 {
				k, groups = len(groups), append(groups, &Group{})
			}
			groups[k].Instrs = append(groups[k].Instrs, in)
		}
		for _, g := range groups {
			parts = append(parts, Part{Group: g})
		}
	}
	p.sink(parts)
	parts = slices.DeleteFunc(parts, func(q Part) bool { return q.Group != nil && len(q.Group.Instrs) == 0 })
	for i, q := range parts {
		if q.Group != nil && len(q.Group.Instrs) == 1 {
			parts[i] = Part{Instr: q.Group.Instrs[0]}
		}
	}
	for i := len(parts) - 1; i >= 0; i-- {
		if g := parts[i].Group; g != nil {
			g.form(live)
			continue
		}
		live[parts[i].D] = false
		for _, s := range parts[i].reads() {
			live[s] = true
		}
	}
	return parts
}

// sink moves instructions to the later group that first reads what they make, where nothing but registers is saved by making it
// earlier: it is not stored in between, and a sum of two products has one form, whichever of them could begin first.
func (p *Plan) sink(parts []Part) {
	for i := len(parts) - 1; i >= 0; i-- {
		g := parts[i].Group
		for k := 0; g != nil && k < len(g.Instrs); k++ {
			at := len(g.Instrs) - 1 - k
			if j := p.sinkTo(parts, i, at); j >= 0 {
				to := parts[j].Group
				to.Instrs = slices.Insert(to.Instrs, 0, g.Instrs[at])
				g.Instrs = slices.Delete(g.Instrs, at, at+1)
				k--
			}
		}
	}
}

// sinkTo is the part to which instruction at of the group of part i sinks; -1 where it stays.
func (p *Plan) sinkTo(parts []Part, i, at int) int {
	list := parts[i].Group.Instrs
	in := list[at]
	if in.Code == Apply || in.Code == Copy {
		return -1
	}
	reads := in.reads()
	for k, other := range list {
		switch writes := slices.Contains(reads, other.D); {
		case k < at && writes && other.D != in.D && p.Slots[other.D].Kind == TempSlot:
			return -1 // its operand would have to be stored instead
		case k > at && (writes || other.D == in.D || slices.Contains(other.reads(), in.D)):
			return -1
		}
	}
	for j := i + 1; j < min(len(parts), i+maxKeyed); j++ {
		g := parts[j].Group
		if g == nil {
			if d := parts[j].D; d == in.D || slices.Contains(reads, d) || slices.Contains(parts[j].reads(), in.D) {
				return -1
			}
			continue
		}
		writes := false
		for _, other := range g.Instrs {
			switch {
			case slices.Contains(other.reads(), in.D):
				if p.Slots[g.Instrs[0].D].Width != p.Slots[in.D].Width || writes {
					return -1
				}
				return j
			case other.D == in.D:
				return -1
			}
			writes = writes || slices.Contains(reads, other.D)
		}
		if writes {
			return -1
		}
	}
	return -1
}

// dependences counts of every instruction how many earlier ones it must follow, and lists those that must follow it: a reader
// its writer, a writer the readers and writers before it.
func dependences(list []Instr, slots int) (waits []int, next [][]int) {
	waits, next = make([]int, len(list)), make([][]int, len(list))
	wrote, read := make([]int, slots), make([][]int, slots) // of every slot: the last writer and one more, and who read it since
	follow := func(i, j int) {
		if i != j {
			next[i] = append(next[i], j)
			waits[j]++
		}
	}
	for j, in := range list {
		for _, s := range in.reads() {
			if wrote[s] > 0 {
				follow(wrote[s]-1, j)
			}
			read[s] = append(read[s], j)
		}
		if wrote[in.D] > 0 {
			follow(wrote[in.D]-1, j)
		}
		for _, i := range read[in.D] {
			follow(i, j)
		}
		wrote[in.D], read[in.D] = j+1, read[in.D][:0]
	}
	return waits, next
}

// form finds the group's values from its instructions. live says which slots are read behind the group, and is set to those that are
// read behind what stands before it.
func (g *Group) form(live []bool) {
	f := former{index: map[formKey]int{}, now: map[int]int{}, wrote: map[int]bool{}}
	var written []int
	for _, in := range g.Instrs {
		if !f.wrote[in.D] {
			f.wrote[in.D] = true
			written = append(written, in.D)
		}
		f.run(in)
	}
	var outs, values []int
	for _, s := range written {
		if live[s] {
			outs, values = append(outs, s), append(values, f.now[s])
		}
	}
	g.Out, g.Stored = outs, values
	g.canonical(&f)
	for _, s := range written {
		live[s] = false
	}
	for _, s := range g.In {
		live[s] = true
	}
}

// former evaluates instructions over symbols: inputs and operations are numbered together, in order of appearance.
type former struct {
	ops   []GroupOp // of an input: Code Load, and A its slot
	index map[formKey]int
	now   map[int]int // value that a slot holds
	wrote map[int]bool
}

type formKey GroupOp

func (f *former) run(in Instr) {
	read := func(s int) int {
		if s < 0 {
			return -1
		}
		if v, ok := f.now[s]; ok {
			return v
		}
		f.now[s] = f.add(GroupOp{Code: Load, A: s, B: -1, C: -1})
		return f.now[s]
	}
	op := GroupOp{Code: in.Code, V: in.V, Func: in.Func}
	switch in.Code {
	case Copy:
		f.now[in.D] = read(in.A)
		return
	case MulAdd, MulSub:
		op.Code, op.V, op.Func = Mul, 0, ""
		op.A, op.B, op.C = read(in.A), read(in.B), -1
		op = GroupOp{Code: Add, A: read(in.D), B: f.add(op), C: -1}
		if in.Code == MulSub {
			op.Code = Sub
		}
	default:
		op.A, op.B, op.C = read(in.A), read(in.B), read(in.C)
	}
	f.now[in.D] = f.add(op)
}

// add is the number of an operation's value, which is computed once.
func (f *former) add(op GroupOp) int {
	if op.commutes() && op.A > op.B {
		op.A, op.B = op.B, op.A
	}
	if v, ok := f.index[formKey(op)]; ok {
		return v
	}
	f.ops = append(f.ops, op)
	f.index[formKey(op)] = len(f.ops) - 1
	return len(f.ops) - 1
}

func (op GroupOp) commutes() bool { return op.Code == Add || op.Code == Mul }

// Operands are the values that an operation reads.
func (op GroupOp) Operands() []int {
	var v []int
	for _, o := range []int{op.A, op.B, op.C} {
		if o >= 0 {
			v = append(v, o)
		}
	}
	return v
}
