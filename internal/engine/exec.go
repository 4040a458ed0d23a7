package engine

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// exec runs instructions on rows rows from step s on, of the block that begins at step s0: the interpreter that serves every
// cell. One kernel call an instruction, over a block of rows that stays in the first-level cache.
func (r *Run) exec(ins []instr, s, s0, rows int) {
	if r.share != nil {
		r.execShared(ins, s, s0, rows)
		return
	}
	r.execRows(ins, s, s0, rows, 0, rows, &r.lists)
}

// lists are the operands of a group that runs.
type lists struct{ outputs, inputs [][]float32 }

// execRows is exec for the rows from lo to before hi of all.
func (r *Run) execRows(ins []instr, s, s0, all, lo, hi int, l *lists) {
	slots := r.cell.plan.Slots
	before := r.rowsBefore(s, s0)
	rows := hi - lo
	at := func(slot int) []float32 {
		v := &r.views[slot]
		if v.mode == viewAt {
			return r.at(slot, s, s0, all)[lo*v.width : hi*v.width]
		}
		x := v.rows(&before, all)
		if rows == all {
			return x
		}
		return x[lo*v.ld : (hi-1)*v.ld+v.width]
	}
	for i := range ins {
		in := &ins[i]
		if in.group != nil {
			l.outputs, l.inputs = l.outputs[:0], l.inputs[:0]
			for _, slot := range in.group.Out {
				l.outputs = append(l.outputs, at(slot))
			}
			for _, slot := range in.group.In {
				l.inputs = append(l.inputs, at(slot))
			}
			in.fused.Run(l.outputs, l.inputs)
			continue
		}
		d, w := at(in.D), slots[in.D].Width
		var a []float32
		if in.A >= 0 {
			a = at(in.A)
		}
		switch in.Code {
		case cell.MatMul:
			kernel.MatMul(d, r.views[in.D].ld, a, slots[in.A].Width, &r.cell.packs[in.Pack], rows)
		case cell.MatMulAcc:
			kernel.MatMulAcc(d, r.views[in.D].ld, a, slots[in.A].Width, &r.cell.packs[in.Pack], rows)
		case cell.MatMulFrom:
			kernel.MatMulBias(d, r.views[in.D].ld, at(in.C)[:w], a, slots[in.A].Width, &r.cell.packs[in.Pack], rows)
		case cell.Copy:
			copy(d, a)
		case cell.Fill:
			for k := range d {
				d[k] = in.v
			}
		case cell.Load:
			kernel.Broadcast(d, r.cell.weights[in.Weight][in.Start:in.Start+w], rows)
		case cell.Add:
			kernel.Add(d, a, at(in.B))
		case cell.Sub:
			kernel.Sub(d, a, at(in.B))
		case cell.Mul:
			kernel.Mul(d, a, at(in.B))
		case cell.Div:
			kernel.Div(d, a, at(in.B))
		case cell.Min:
			kernel.Min(d, a, at(in.B))
		case cell.Max:
			kernel.Max(d, a, at(in.B))
		case cell.MulAdd:
			kernel.MulAdd(d, a, at(in.B))
		case cell.MulSub:
			kernel.MulSub(d, a, at(in.B))
		case cell.Neg:
			kernel.Neg(d, a)
		case cell.AddConst:
			kernel.AddConst(d, a, in.v)
		case cell.SubFrom:
			kernel.RSub(d, a, in.v)
		case cell.Scale:
			kernel.Scale(d, a, in.v)
		case cell.DivFrom:
			kernel.RDiv(d, a, in.v)
		case cell.Pow:
			kernel.PowConst(d, a, in.v)
		case cell.PowGrad:
			kernel.PowGrad(d, a, at(in.B), in.v)
		case cell.Apply:
			kernel.Apply(in.fn, d, a)
		case cell.ApplyGrad:
			var x, y []float32
			if in.B >= 0 {
				x = at(in.B)
			}
			if in.C >= 0 {
				y = at(in.C)
			}
			kernel.ApplyGrad(in.fn, d, a, x, y)
		case cell.MinGrad:
			kernel.MinMaxGrad(d, a, at(in.B), at(in.C), false)
		case cell.MaxGrad:
			kernel.MinMaxGrad(d, a, at(in.B), at(in.C), true)
		case cell.Softmax:
			kernel.Softmax(d, a, rows, w)
		case cell.SoftmaxGrad:
			kernel.SoftmaxGrad(d, a, at(in.B), rows, w)
		case cell.Normalize:
			kernel.LayerNorm(d, a, nil, nil, rows, w, normalizeEpsilon)
		case cell.NormalizeGrad:
			kernel.LayerNormGrad(d, nil, nil, a, at(in.B), nil, rows, w, normalizeEpsilon)
		default:
			panic("engine: unknown instruction")
		}
	}
}

// normalizeEpsilon is added to the variance by layer_norm: Keras's LayerNormalization default.
const normalizeEpsilon = 1e-3
