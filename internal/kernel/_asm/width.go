package main

import (
	"fmt"
	"slices"

	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// Both instruction sets are written by the same code. With AVX2 a register has 8 lanes and a mask is such a register, ones in the lanes
// that are set; with AVX-512 it has 16, and a mask is a register of another kind.

// wide says that AVX-512 is being written.
func (a *asm) wide() bool { return a.lanes == 16 }

// bytes is the size of a register.
func (a *asm) bytes() int { return 4 * a.lanes }

// named is the name of a function of this instruction set.
func (a *asm) named(base string) string {
	if a.wide() {
		return base + "AVX512"
	}
	return base + "AVX2"
}

// vec is a new vector register.
func (a *asm) vec() reg.VecVirtual {
	if a.wide() {
		return a.ZMM()
	}
	return a.YMM()
}

// fill sets all lanes of y to v.
func (a *asm) fill(v float32, y reg.VecVirtual) {
	if a.wide() {
		a.VBROADCASTSS(a.constant(v), y)
		return
	}
	a.VMOVUPS(a.constant(v), y)
}

// checkRegisters refuses AVX2 code that uses the vector registers of AVX-512: the compiler hands them out when the others are taken,
// and the assembler encodes them.
func (a *asm) checkRegisters(f *ir.File) error {
	if a.wide() {
		return nil
	}
	for _, fn := range f.Functions() {
		for _, i := range fn.Instructions() {
			for _, r := range i.Registers() {
				if p := reg.ToPhysical(r); p != nil && r.Kind() == reg.KindVector && p.PhysicalIndex() > 15 {
					return fmt.Errorf("%s: too few registers: %s uses %s", fn.Name, i.Opcode, p.Asm())
				}
			}
		}
	}
	return nil
}

// firstLanes is a mask of the first n lanes, 0 <= n <= 16, for AVX-512. n stays.
func (a *asm) firstLanes(n reg.GPVirtual) reg.OpmaskVirtual {
	ones, k := a.GP64(), a.K()
	a.MOVQ(I32(-1), ones)
	a.BZHIQ(n, ones, ones)
	a.KMOVW(ones.As32(), k)
	return k
}

// heldConstants is how many registers of AVX-512 a function may fill with constants. The rest is plenty for what it computes.
const heldConstants = 18

// holdConstants loads the constants that the functions of AVX-512 use after their first label into registers before it. What finds no
// register is read from memory where it is used, one word for all lanes.
func (a *asm) holdConstants(f *ir.File) error {
	for _, fn := range f.Functions() {
		held := map[string]reg.VecVirtual{}
		var loads []ir.Node
		begin := slices.IndexFunc(fn.Nodes, func(n ir.Node) bool { _, label := n.(ir.Label); return label })
		for _, n := range fn.Nodes[max(begin, 0):] {
			i, ok := n.(*ir.Instruction)
			if !ok {
				continue
			}
			at := slices.IndexFunc(i.Operands, a.isConstant)
			if at < 0 {
				continue
			}
			m := i.Operands[at].(Mem)
			y := held[m.Symbol.Name]
			if y == nil && len(held) < heldConstants {
				y = a.ZMM()
				held[m.Symbol.Name] = y
				load, err := x86.VBROADCASTSS(m, y)
				if err != nil {
					return err
				}
				loads = append(loads, load)
			}
			if err := takeConstant(i, m, y); err != nil {
				return err
			}
		}
		fn.Nodes = slices.Insert(fn.Nodes, 0, loads...)
	}
	return nil
}

func (a *asm) isConstant(op Op) bool {
	m, ok := op.(Mem)
	if !ok {
		return false
	}
	_, ok = a.symbols[m.Symbol.Name]
	return ok
}

// takeConstant makes i read the constant at m from y, or, where that is nil, from one word of memory.
func takeConstant(i *ir.Instruction, m Mem, y reg.VecVirtual) (err error) {
	switch broadcasts := i.Opcode == "VBROADCASTSS"; {
	case y == nil && !broadcasts:
		i.Suffixes = slices.Insert(i.Suffixes, 0, "BCST")
	case y == nil:
	case broadcasts && len(i.Operands) == 3:
		var move *ir.Instruction
		if move, err = x86.VMOVAPS_Z(y, i.Operands[1], i.Operands[2]); err == nil {
			*i = *move
		}
	case broadcasts:
		var move *ir.Instruction
		if move, err = x86.VMOVAPS(y, i.Operands[1]); err == nil {
			*i = *move
		}
	default:
		for _, list := range [][]Op{i.Operands, i.Inputs} {
			for k, op := range list {
				if op == Op(m) {
					list[k] = y
				}
			}
		}
	}
	return err
}

// The comparisons of VCMPPS that are used; none traps, all but the first two hold for NaN.
const (
	lessThan        = 0x11
	equal           = 0x00
	unordered       = 0x03
	notLess         = 0x15
	notGreater      = 0x1a
	notLessEqual    = 0x16
	notGreaterEqual = 0x19
)

// compare is the mask of the lanes where x stands in relation to y.
func (a *asm) compare(relation uint8, x, y Op) Op {
	if a.wide() {
		k := a.K()
		a.VCMPPS(U8(relation), y, x, k)
		return k
	}
	m := a.YMM()
	a.VCMPPS(U8(relation), y, x, m)
	return m
}

// negative is the mask of the lanes of x whose sign is set; with AVX2 that is x.
func (a *asm) negative(x reg.VecVirtual) Op {
	if a.wide() {
		k := a.K()
		a.VPMOVD2M(x, k)
		return k
	}
	return x
}

// both is the mask of the lanes set in m and n. It may overwrite m.
func (a *asm) both(m, n Op) Op {
	if a.wide() {
		a.KANDW(m, n, m)
	} else {
		a.VANDPS(m, n, m)
	}
	return m
}

// choose puts yes into the lanes of dst that m sets, no into the others.
func (a *asm) choose(m, yes, no, dst Op) {
	if a.wide() {
		a.VBLENDMPS(yes, no, m, dst)
	} else {
		a.VBLENDVPS(m, yes, no, dst)
	}
}

// keep puts x, a register or a constant, into the lanes of dst that m sets, zero into the others.
func (a *asm) keep(m, x, dst Op) {
	_, constant := x.(Mem)
	switch {
	case !a.wide():
		a.VANDPS(x, m, dst)
	case constant:
		a.VBROADCASTSS_Z(x, m, dst)
	default:
		a.VMOVAPS_Z(x, m, dst)
	}
}

// negate changes the sign of x in the lanes that m sets. With AVX2 it overwrites m.
func (a *asm) negate(m Op, x reg.VecVirtual) {
	sign := a.constantBits(signBit)
	if a.wide() {
		a.VXORPS(sign, x, m, x)
		return
	}
	a.VANDPS(sign, m, m)
	a.VXORPS(m, x, x)
}
