package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The optimizers' formulas stand above the Go functions. Products and sums are rounded apart, as there.
func sweeps(a *asm) {
	a.shrink()
	a.loop("sgd", "w -= lr g", []string{"w", "grad"}, []string{"lr"}, 4, nil, func(b *block) {
		g := b.load("grad")
		b.VMULPS(g, b.number["lr"], g)
		b.lower(g)
	})
	for _, nesterov := range []bool{false, true} {
		name, doc := "momentum", "m = mu m - lr g, w += m"
		if nesterov {
			name, doc = "nesterov", "m = mu m - lr g, w += mu m - lr g"
		}
		a.loop(name, doc, []string{"w", "m", "grad"}, []string{"lr", "mu"}, 2, nil, func(b *block) {
			m, g := b.load("m"), b.load("grad")
			b.VMULPS(g, b.number["lr"], g)
			b.VMULPS(m, b.number["mu"], m)
			b.VSUBPS(g, m, m)
			b.store(m, "m")
			if nesterov {
				b.VMULPS(m, b.number["mu"], m)
				b.VSUBPS(g, m, m)
			}
			w := b.load("w")
			b.VADDPS(m, w, w)
			b.store(w, "w")
		})
	}
	a.loop("rmsProp", "v = rho v + rest g^2, w -= lr g / sqrt(v + eps)", []string{"w", "v", "grad"}, []string{"lr", "rho", "rest", "eps"}, 2, nil, func(b *block) {
		g, v, q := b.load("grad"), b.load("v"), b.vec()
		b.VMULPS(v, b.number["rho"], v)
		b.VMULPS(g, g, q)
		b.VMULPS(q, b.number["rest"], q)
		b.VADDPS(q, v, v)
		b.store(v, "v")
		b.VADDPS(b.number["eps"], v, v)
		b.VSQRTPS(v, v)
		b.VMULPS(g, b.number["lr"], g)
		b.VDIVPS(v, g, g)
		b.lower(g)
	})
	a.loop("rmsPropKeras2", "v = rho v + rest g^2, w -= lr g / (sqrt(v) + eps)", []string{"w", "v", "grad"}, []string{"lr", "rho", "rest", "eps"}, 2, nil, func(b *block) {
		g, v, q := b.load("grad"), b.load("v"), b.vec()
		b.VMULPS(v, b.number["rho"], v)
		b.VMULPS(g, g, q)
		b.VMULPS(q, b.number["rest"], q)
		b.VADDPS(q, v, v)
		b.store(v, "v")
		b.VSQRTPS(v, v)
		b.VADDPS(b.number["eps"], v, v)
		b.VMULPS(g, b.number["lr"], g)
		b.VDIVPS(v, g, g)
		b.lower(g)
	})
	for _, full := range []struct {
		name, doc          string
		centered, momentum bool
	}{
		{"rmsPropCentered", "avg = rho avg + rest g, v = rho v + rest g^2, w -= lr g / sqrt(v - avg^2 + eps)", true, false},
		{"rmsPropMomentum", "v = rho v + rest g^2, mom = mu mom + lr g / sqrt(v + eps), w -= mom", false, true},
		{"rmsPropFull", "that of both rmsPropCentered and rmsPropMomentum", true, true},
	} {
		operands, numbers := []string{"w", "v"}, []string{"lr", "rho", "rest", "eps"}
		if full.centered {
			operands = append(operands, "avg")
		}
		if full.momentum {
			operands, numbers = append(operands, "mom"), append(numbers, "mu")
		}
		a.loop(full.name, full.doc, append(operands, "grad"), numbers, 2, nil, func(b *block) {
			g, v, q := b.load("grad"), b.load("v"), b.vec()
			b.VMULPS(v, b.number["rho"], v)
			b.VMULPS(g, g, q)
			b.VMULPS(q, b.number["rest"], q)
			b.VADDPS(q, v, v)
			b.store(v, "v")
			if full.centered {
				avg := b.load("avg")
				b.VMULPS(avg, b.number["rho"], avg)
				b.VMULPS(g, b.number["rest"], q)
				b.VADDPS(q, avg, avg)
				b.store(avg, "avg")
				b.VMULPS(avg, avg, avg)
				b.VSUBPS(avg, v, v)
			}
			b.VADDPS(b.number["eps"], v, v)
			b.VSQRTPS(v, v)
			b.VMULPS(g, b.number["lr"], g)
			b.VDIVPS(v, g, g)
			if full.momentum {
				mom := b.load("mom")
				b.VMULPS(mom, b.number["mu"], mom)
				b.VADDPS(g, mom, g)
				b.store(g, "mom")
			}
			b.lower(g)
		})
	}
	for _, ams := range []bool{false, true} {
		name, doc := "adam", "m += rest1 (g - m), v += rest2 (g^2 - v), w -= alpha m / (sqrt(v) + eps)"
		operands := []string{"w", "m", "v", "grad"}
		if ams {
			name, doc = "amsGrad", "that of Adam with top = max(v, top) under the root"
			operands = []string{"w", "m", "v", "top", "grad"}
		}
		a.loop(name, doc, operands, []string{"alpha", "rest1", "rest2", "eps"}, 2, nil, func(b *block) {
			g, m, v, q := b.load("grad"), b.load("m"), b.load("v"), b.vec()
			b.VSUBPS(m, g, q)
			b.VMULPS(b.number["rest1"], q, q)
			b.VADDPS(q, m, m)
			b.store(m, "m")
			b.VMULPS(g, g, g)
			b.VSUBPS(v, g, g)
			b.VMULPS(b.number["rest2"], g, g)
			b.VADDPS(g, v, v)
			b.store(v, "v")
			if ams {
				b.keepNaN(v, func() { b.VMAXPS(b.load("top"), v, v) })
				b.store(v, "top")
			}
			b.VSQRTPS(v, v)
			b.VADDPS(b.number["eps"], v, v)
			b.VMULPS(b.number["alpha"], m, m)
			b.VDIVPS(v, m, m)
			b.lower(m)
		})
	}
}

// lower stores w - d.
func (b *block) lower(d reg.VecVirtual) {
	w := b.load("w")
	b.VSUBPS(d, w, w)
	b.store(w, "w")
}

// shrink keeps four registers of values, then one, while it multiplies them time and again.
func (a *asm) shrink() {
	name := a.named("shrink")
	a.Function(name)
	a.Pragma("noescape")
	a.Doc(name + " is x *= rate, times > 0 times, for n > 0 values.")
	a.SignatureExpr("func(x *float32, rate float32, times, n int)")
	b := &block{asm: a, at: map[string]reg.GPVirtual{"x": a.param("x")}}
	rate := a.vec()
	addr, err := a.Param("rate").Resolve()
	if err != nil {
		panic(err)
	}
	a.VBROADCASTSS(addr.Addr, rate)
	again := func(label string, values []reg.VecVirtual) {
		times := a.param("times")
		a.Label(label)
		for _, y := range values {
			a.VMULPS(y, rate, y)
		}
		a.DECQ(times)
		a.JNE(LabelRef(label))
	}
	n := a.param("n")
	for _, blocks := range []int{4, 1} {
		label := fmt.Sprintf("blocks%d", blocks)
		a.Label(label)
		a.CMPQ(n, U8(a.lanes*blocks))
		a.JLT(LabelRef(label + "end"))
		var values []reg.VecVirtual
		for i := range blocks {
			b.disp = a.bytes() * i
			values = append(values, b.load("x"))
		}
		again(label+"again", values)
		for i, y := range values {
			b.disp = a.bytes() * i
			b.store(y, "x")
		}
		a.ADDQ(U32(a.bytes()*blocks), b.at["x"])
		a.SUBQ(U8(a.lanes*blocks), n)
		a.JMP(LabelRef(label))
		a.Label(label + "end")
	}
	a.TESTQ(n, n)
	a.JEQ(LabelRef("end"))
	b.disp = 0
	b.first(n)
	y := b.load("x")
	again("some", []reg.VecVirtual{y})
	b.store(y, "x")
	a.Label("end")
	a.VZEROUPPER()
	a.RET()
}
