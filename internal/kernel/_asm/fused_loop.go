package main

import (
	"fmt"
	"maps"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/unroll-ml/unroll/internal/cell"
)

// pointers is how many operands have their address in a register; strip how many bytes of every operand go through all phases before
// the next.
const (
	pointers = 7
	strip    = 512
)

// registers is how many vector registers there are beside those with constants.
func (a *asm) registers() int {
	if a.wide() {
		return 32 - heldConstants
	}
	return 16
}

// fusedLoop is a function over n values of every operand: the inputs, then the outputs.
//
// A function like tanh is a chain of some twenty operations. Where one waits for another, a loop over both at once would leave the
// machine idle, since it sees only a few blocks ahead. So the operations are cut into phases without such a wait, and a strip of values
// that stays in the first-level cache goes through one phase after the other.
func (a *asm) fusedLoop(name string, g *cell.Group) {
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(name + " is " + g.Key + ", for n > 0 values of every operand.")
	a.SignatureExpr("func(operands **float32, n int)")
	f := &fusion{block: &block{asm: a}, group: g}
	f.operands = a.param("operands")
	for i := range min(pointers, len(g.In)+len(g.Out)) {
		p := a.GP64()
		a.MOVQ(Mem{Base: f.operands, Disp: 8 * i}, p)
		f.at = append(f.at, p)
	}
	phases := phasesOf(g)
	n, limit, start, end := a.param("n"), a.GP64(), a.GP64(), a.GP64()
	f.index = a.GP64()
	a.MOVQ(n, limit)
	a.ANDQ(I8(-a.lanes), limit)
	a.SHLQ(U8(2), limit)
	a.XORQ(start, start)
	a.Label("strip")
	a.CMPQ(start, limit)
	a.JGE(LabelRef("tail"))
	a.MOVQ(limit, end)
	if len(phases) > 1 {
		a.LEAQ(Mem{Base: start, Disp: strip}, end)
		a.CMPQ(end, limit)
		a.CMOVQGT(limit, end)
	}
	f.begin(phases)
	if f.crosses() {
		f.crossing = a.GP64()
		a.LEAQ(f.AllocLocal(0), f.crossing)
		a.SUBQ(start, f.crossing)
	}
	for i := range phases {
		label := fmt.Sprintf("phase%d", i)
		a.MOVQ(start, f.index)
		a.Label(label)
		f.write(i)
		a.ADDQ(U8(a.bytes()), f.index)
		a.CMPQ(f.index, end)
		a.JLT(LabelRef(label))
	}
	a.MOVQ(end, start)
	a.JMP(LabelRef("strip"))
	// The tail runs the same instructions on a masked block, so that a value does not depend on its place.
	a.Label("tail")
	a.ANDQ(U8(a.lanes-1), n)
	a.JEQ(LabelRef("end"))
	if a.wide() {
		f.some = a.firstLanes(n)
	} else {
		a.NEGQ(n)
		table := a.GP64()
		a.LEAQ(a.maskTable(), table)
		f.mask = a.YMM()
		a.VMOVUPS(Mem{Base: table, Index: n, Scale: 4, Disp: a.bytes()}, f.mask)
	}
	a.MOVQ(start, f.index)
	f.begin([][]int{slices.Concat(phases...)})
	f.write(0)
	a.Label("end")
	a.VZEROUPPER()
	a.RET()
}

// phasesOf cuts the operations of a group so that no function waits for one of its own phase, and orders each phase.
func phasesOf(g *cell.Group) [][]int {
	level := make([]int, len(g.In)+len(g.Ops)) // how many functions stand in series
	var phases [][]int
	for i, op := range g.Ops {
		l := 0
		for _, o := range op.Operands() {
			l = max(l, level[o])
		}
		if op.Code == cell.Apply {
			l++
		}
		level[len(g.In)+i] = l
		for len(phases) < max(1, l) {
			phases = append(phases, nil)
		}
		phases[max(1, l)-1] = append(phases[max(1, l)-1], i)
	}
	if phases == nil {
		return [][]int{nil}
	}
	known := make([]bool, len(g.In)+len(g.Ops))
	for i, p := range phases {
		phases[i] = schedule(g, p, known)
	}
	return phases
}

// fusion writes a group, a block of values of a phase at a time. A value has a register from when it is computed or loaded until its
// last use in the phase, or until its register is needed for a value used earlier. Its home, if it has one, is where it can be loaded
// again: an input, an output that it was stored to, or a strip on the stack.
type fusion struct {
	*block
	group    *cell.Group
	operands reg.GPVirtual   // their addresses
	at       []reg.GPVirtual // those of the first
	index    reg.GPVirtual   // of the block, in bytes
	crossing reg.GPVirtual   // the stack, less where the strip begins

	phases [][]int
	home   map[int]place
	phase  int
	step   int // of the phase
	held   map[int]reg.VecVirtual
	stored []bool // of every output
}

// place is an operand, or on the stack.
type place struct {
	operand int // -1: stack
	stack   Mem
}

func (f *fusion) begin(phases [][]int) {
	f.phases, f.home, f.stored = phases, map[int]place{}, make([]bool, len(f.group.Out))
	for i := range f.group.In {
		f.home[i] = place{operand: i}
	}
}

// write writes a phase for the block at index.
func (f *fusion) write(phase int) {
	f.phase, f.step, f.held = phase, -1, map[int]reg.VecVirtual{}
	f.storeReady()
	for order := f.phases[phase]; len(order) > 0; {
		n := min(company, leading(f.group, order))
		if n > 0 {
			f.functions(order[:n])
		} else {
			n = 1
			f.step++
			f.operation(f.group.Ops[order[0]], len(f.group.In)+order[0])
		}
		f.storeReady()
		for _, i := range order[:n] {
			f.cross(len(f.group.In) + i)
		}
		f.forget()
		order = order[n:]
	}
	if phase == len(f.phases)-1 && slices.Contains(f.stored, false) {
		panic("fused: an output is not stored: " + f.group.Key)
	}
}

// company is how many functions of one value are written together: what the registers hold.
const company = 2

// leading is how many functions of one value stand at the begin of a list of operations.
func leading(g *cell.Group, order []int) int {
	for n, i := range order {
		if g.Ops[i].Code != cell.Apply {
			return n
		}
	}
	return len(order)
}

// never is later than any use.
const never = math.MaxInt

// nextUse says how many operations lie before the next one that reads value v; never where there is none.
func (f *fusion) nextUse(v int) int {
	n := 0
	for p := f.phase; p < len(f.phases); p++ {
		for s, i := range f.phases[p] {
			if p == f.phase && s <= f.step {
				continue
			}
			n++
			if slices.Contains(f.group.Ops[i].Operands(), v) {
				return n
			}
		}
	}
	for i, s := range f.group.Stored {
		if s == v && !f.stored[i] {
			return n + 1
		}
	}
	return never
}

// storeReady stores the outputs whose values are there, except over an input that is still to be read.
func (f *fusion) storeReady() {
	for i, v := range f.group.Stored {
		if f.stored[i] {
			continue
		}
		_, atHome := f.home[v]
		if o := f.group.Over(i); o >= 0 && o != v && f.nextUse(o) != never || f.held[v] == nil && !atHome {
			continue
		}
		operand := len(f.group.In) + i
		f.move(f.value(v, nil), place{operand: operand})
		f.stored[i] = true
		if v >= len(f.group.In) {
			f.home[v] = place{operand: operand}
		}
	}
}

// memory is the address of an operand, or a place on the stack.
func (f *fusion) memory(p place) Mem {
	if p.operand < 0 {
		return p.stack
	}
	var base reg.GPVirtual
	if p.operand < len(f.at) {
		base = f.at[p.operand]
	} else {
		base = f.GP64()
		f.MOVQ(Mem{Base: f.operands, Disp: 8 * p.operand}, base)
	}
	return Mem{Base: base, Index: f.index, Scale: 1}
}

// move stores a register.
func (f *fusion) move(y reg.VecVirtual, to place) {
	switch m := f.memory(to); {
	case to.operand >= 0 && f.mask != nil:
		f.VMASKMOVPS(y, f.mask, m)
	case to.operand >= 0 && f.some != nil:
		f.VMOVUPS(y, f.some, m)
	default:
		f.VMOVUPS(y, m)
	}
}

// value is the register of value v; those in keep stay where they are.
func (f *fusion) value(v int, keep []int) reg.VecVirtual {
	if y := f.held[v]; y != nil {
		return y
	}
	home, ok := f.home[v]
	if !ok {
		panic("fused: a value is gone: " + f.group.Key)
	}
	f.room(1, keep)
	y := f.vec()
	switch m := f.memory(home); {
	case home.operand >= 0 && f.mask != nil:
		f.VMASKMOVPS(m, f.mask, y)
	case home.operand >= 0 && f.some != nil:
		f.VMOVUPS_Z(m, f.some, y)
	default:
		f.VMOVUPS(m, y)
	}
	f.held[v] = y
	return y
}

// room frees registers until n are left beside those that hold values: the value used last of those that can be loaded again.
func (f *fusion) room(n int, keep []int) {
	free := f.registers() - n
	if f.mask != nil {
		free--
	}
	for len(f.held) > free {
		last, at := -1, -1
		for v := range len(f.group.In) + len(f.group.Ops) {
			_, ok := f.home[v]
			if f.held[v] != nil && ok && !slices.Contains(keep, v) && f.nextUse(v) > at {
				last, at = v, f.nextUse(v)
			}
		}
		if last < 0 {
			panic("fused: too few registers: " + f.group.Key)
		}
		delete(f.held, last)
	}
}

// crosses reports whether a value that no output holds may have to go from one phase to the next.
func (f *fusion) crosses() bool {
	for p, ops := range f.phases[:len(f.phases)-1] {
		for _, i := range ops {
			v, held := len(f.group.In)+i, false
			for o, s := range f.group.Stored {
				held = held || s == v && f.group.Over(o) < 0
			}
			if !held && f.readAfter(v, p) {
				return true
			}
		}
	}
	return false
}

// readAfter reports whether a phase after p reads value v, or may store it over an input.
func (f *fusion) readAfter(v, p int) bool {
	for _, ops := range f.phases[p+1:] {
		for _, i := range ops {
			if slices.Contains(f.group.Ops[i].Operands(), v) {
				return true
			}
		}
	}
	return p < len(f.phases)-1 && slices.Contains(f.group.Stored, v)
}

// cross gives value v a home where a later phase needs it.
func (f *fusion) cross(v int) {
	if _, ok := f.home[v]; ok || !f.readAfter(v, f.phase) {
		return
	}
	m := f.AllocLocal(strip)
	f.home[v] = place{-1, Mem{Base: f.crossing, Index: f.index, Scale: 1, Disp: m.Disp}}
	f.move(f.held[v], f.home[v])
}

// forget drops what nobody reads any more.
func (f *fusion) forget() {
	for v := range f.held {
		if f.nextUse(v) == never {
			delete(f.held, v)
		}
	}
}

// The registers that a function needs beside the one of its value.
const (
	scratchTanh    = 4
	scratchSigmoid = 3
)

// functions computes functions of one value together.
func (f *fusion) functions(ops []int) {
	var operands []int
	for _, i := range ops {
		operands = append(operands, f.group.Ops[i].A)
	}
	var streams []func()
	need := 0
	for _, i := range ops {
		f.value(f.group.Ops[i].A, operands)
		if f.group.Ops[i].Func == "tanh" {
			need += scratchTanh
		} else {
			need += scratchSigmoid
		}
	}
	results := map[int]reg.VecVirtual{}
	for _, i := range ops {
		f.step++
		op := f.group.Ops[i]
		need++ // of the result, which is not held yet
		d := f.held[op.A]
		if f.nextUse(op.A) == never {
			delete(f.held, op.A)
		} else {
			f.room(need, operands)
			d = f.vec()
			f.VMOVAPS(f.held[op.A], d)
		}
		results[len(f.group.In)+i] = d
		switch op.Func {
		case "tanh":
			streams = append(streams, func() { f.tanh(d, f.copies(tanhMax)) })
		case "sigmoid":
			streams = append(streams, func() { f.sigmoid(d, f.copies(sigmoidMin), f.copies(sigmoidMax)) })
		default:
			panic("fused: no formula for " + op.Func)
		}
	}
	f.room(need, operands)
	f.together(streams...)
	maps.Copy(f.held, results)
}

// operation computes value v, which is no function of one value. Every formula is the one of the kernel that runs the operation alone, and rounds as often.
func (f *fusion) operation(op cell.GroupOp, v int) {
	operands := op.Operands()
	var y []reg.VecVirtual
	for _, o := range operands {
		y = append(y, f.value(o, operands))
	}
	f.room(2, operands)
	d := f.vec()
	c := float32(op.V)
	switch op.Code {
	case cell.Add:
		f.VADDPS(y[1], y[0], d)
	case cell.Sub:
		f.VSUBPS(y[1], y[0], d)
	case cell.Mul:
		f.VMULPS(y[1], y[0], d)
	case cell.Div:
		f.VDIVPS(y[1], y[0], d)
	case cell.Neg:
		f.VXORPS(f.constantBits(signBit), y[0], d)
	case cell.AddConst:
		f.VADDPS(f.constant(c), y[0], d)
	case cell.Scale:
		f.VMULPS(f.constant(c), y[0], d)
	case cell.SubFrom:
		f.VSUBPS(y[0], f.copies(c), d)
	case cell.DivFrom:
		f.VDIVPS(y[0], f.copies(c), d)
	case cell.ApplyGrad:
		switch op.Func {
		case "tanh":
			f.VMULPS(y[1], y[1], d)
			f.VSUBPS(d, f.copies(1), d)
		case "sigmoid":
			f.VSUBPS(y[1], f.copies(1), d)
			f.VMULPS(d, y[1], d)
		default:
			panic("fused: no formula for the slope of " + op.Func)
		}
		f.VMULPS(d, y[0], d)
	default:
		panic(fmt.Sprintf("fused: no formula for operation %d of %s", op.Code, f.group.Key))
	}
	f.held[v] = d
}

// schedule orders the operations of a phase so that few values are alive at once: next comes what ends the most values and begins the
// fewest; but a function of one value follows another where it can, to be written together. known are the operations already done.
func schedule(g *cell.Group, phase []int, known []bool) []int {
	n := len(g.In)
	left := make([]int, n+len(g.Ops)) // uses of every value in the phase that are still to come
	for _, i := range phase {
		for _, o := range g.Ops[i].Operands() {
			left[o]++
		}
	}
	loaded := make([]bool, n+len(g.Ops))
	var order []int
	together := 0 // functions of one value at the end of order
	for len(order) < len(phase) {
		best, score := -1, math.MaxInt
		for _, i := range phase {
			s, ready := 1, !known[n+i]
			for _, o := range slices.Compact(slices.Sorted(slices.Values(g.Ops[i].Operands()))) {
				ready = ready && (o < n || known[o])
				if !loaded[o] {
					s++
				}
				if left[o] == 1 {
					s--
				}
			}
			if together > 0 && g.Ops[i].Code == cell.Apply {
				s -= len(phase)
			}
			if ready && s < score {
				best, score = i, s
			}
		}
		for _, o := range g.Ops[best].Operands() {
			loaded[o] = true
			left[o]--
		}
		known[n+best], loaded[n+best] = true, true
		order = append(order, best)
		if together++; g.Ops[best].Code != cell.Apply {
			together = 0
		}
	}
	return order
}
