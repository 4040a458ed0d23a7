package main

import "github.com/mmcloughlin/avo/reg"

// The optimizers' formulas stand above the Go functions. Products and sums are rounded apart, as there.
func sweeps(a *asm) {
	a.loop("sgdAVX2", "w -= lr g", []string{"w", "grad"}, []string{"lr"}, 4, nil, func(b *block) {
		g := b.load("grad")
		b.VMULPS(g, b.number["lr"], g)
		b.lower(g)
	})
	for _, nesterov := range []bool{false, true} {
		name, doc := "momentumAVX2", "m = mu m - lr g, w += m"
		if nesterov {
			name, doc = "nesterovAVX2", "m = mu m - lr g, w += mu m - lr g"
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
	a.loop("rmsPropAVX2", "v = rho v + rest g^2, w -= lr g / sqrt(v + eps)", []string{"w", "v", "grad"}, []string{"lr", "rho", "rest", "eps"}, 2, nil, func(b *block) {
		g, v, q := b.load("grad"), b.load("v"), b.YMM()
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
	for _, ams := range []bool{false, true} {
		name, doc := "adamAVX2", "m += rest1 (g - m), v += rest2 (g^2 - v), w -= alpha m / (sqrt(v) + eps)"
		operands := []string{"w", "m", "v", "grad"}
		if ams {
			name, doc = "amsGradAVX2", "that of adamAVX2 with top = max(v, top) under the root"
			operands = []string{"w", "m", "v", "top", "grad"}
		}
		a.loop(name, doc, operands, []string{"alpha", "rest1", "rest2", "eps"}, 2, nil, func(b *block) {
			g, m, v, q := b.load("grad"), b.load("m"), b.load("v"), b.YMM()
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
