package kernel

import (
	"math/rand/v2"
	"testing"
)

// run computes the values of the operations behind those of the inputs, by the kernels of single operations.
func (form *fusedForm) run(values [][]float32) {
	at := func(v int) []float32 {
		if v < 0 {
			return nil
		}
		return values[v]
	}
	for i, op := range form.ops {
		d, a, b, c := values[form.inputs+i], at(op.a), at(op.b), at(op.c)
		switch op.code {
		case fusedAdd:
			Add(d, a, b)
		case fusedSub:
			Sub(d, a, b)
		case fusedMul:
			Mul(d, a, b)
		case fusedDiv:
			Div(d, a, b)
		case fusedNeg:
			Neg(d, a)
		case fusedAddConst:
			AddConst(d, a, op.v)
		case fusedRSub:
			RSub(d, a, op.v)
		case fusedScale:
			Scale(d, a, op.v)
		case fusedRDiv:
			RDiv(d, a, op.v)
		case fusedApply:
			Apply(op.f, d, a)
		case fusedApplyGrad:
			ApplyGrad(op.f, d, a, b, c)
		default:
			panic("no such operation")
		}
	}
}

// oneByOne is what a form computes.
func (form *fusedForm) oneByOne(outputs, inputs [][]float32) {
	values := append([][]float32(nil), inputs...)
	for range form.ops {
		values = append(values, make([]float32, len(outputs[0])))
	}
	form.run(values)
	for i, v := range form.stored {
		copy(outputs[i], values[v])
	}
}

// operandsOf are random inputs, and the outputs, over an input where the form says so, all ending where memory does.
func (form *fusedForm) operandsOf(r *rand.Rand, n int, special bool) (outputs, inputs [][]float32) {
	for range form.inputs {
		inputs = append(inputs, random(r, n, special))
	}
	for _, o := range form.over {
		if o >= 0 {
			outputs = append(outputs, inputs[o])
		} else {
			outputs = append(outputs, random(r, n, true)) // whatever it holds is not read
		}
	}
	return outputs, inputs
}

// Every form returns the bits of its operations one by one, at every length, for numbers, NaN and infinities; and leaves the inputs
// that it does not overwrite as they were.
func TestFusedIsOneByOne(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for i := range fusedForms {
			form := &fusedForms[i]
			r := newRand(uint64(i))
			for _, n := range append(lengths, 127, 128, 129, 135, 136, 137, 255, 256, 263, 512) {
				for _, special := range []bool{false, true} {
					outputs, inputs := form.operandsOf(r, n, special)
					var before, want [][]float32
					for _, x := range inputs {
						before = append(before, clone(x))
					}
					for range outputs {
						want = append(want, make([]float32, n))
					}
					if n > 0 {
						form.oneByOne(want, before)
					}
					(Fused{i}).Run(outputs, inputs)
					over := map[int]bool{}
					for k := range outputs {
						wantSame(t, form.name, outputs[k], want[k])
						over[form.over[k]] = true
					}
					for k := range inputs {
						if !over[k] {
							wantSame(t, form.name+": input", inputs[k], before[k])
						}
					}
					release()
				}
			}
		}
	})
}

// A value does not depend on its place: cut anywhere, the results are the same bits.
func TestFusedDoesNotDependOnPlace(t *testing.T) {
	const n = 300
	for i := range fusedForms {
		form := &fusedForms[i]
		r := newRand(uint64(100 + i))
		outputs, inputs := form.operandsOf(r, n, false)
		cut := func(x [][]float32, from, to int) [][]float32 {
			var c [][]float32
			for _, v := range x {
				c = append(c, v[from:to])
			}
			return c
		}
		var again [][]float32
		for range inputs {
			again = append(again, make([]float32, n))
		}
		for k, x := range inputs {
			copy(again[k], x)
		}
		parts := make([][]float32, len(outputs))
		for k, o := range form.over {
			if parts[k] = make([]float32, n); o >= 0 {
				parts[k] = again[o]
			}
		}
		(Fused{i}).Run(outputs, inputs)
		for from := 0; from < n; {
			to := min(n, from+1+r.IntN(50))
			(Fused{i}).Run(cut(parts, from, to), cut(again, from, to))
			from = to
		}
		for k := range outputs {
			wantSame(t, form.name, parts[k], outputs[k])
		}
		release()
	}
}

func TestFusedByKey(t *testing.T) {
	for i := range fusedForms {
		if f, ok := FusedByKey(fusedForms[i].key); !ok || f.form != i {
			t.Errorf("%s: found form %d (%v) by its key, want %d", fusedForms[i].name, f.form, ok, i)
		}
	}
	for _, key := range []string{"", "1: tanh(0) > 1", fusedForms[0].key + " "} {
		if f, ok := FusedByKey(key); ok {
			t.Errorf("found %s by the key %q", f, key)
		}
	}
}

func TestFusedSizes(t *testing.T) {
	for i := range fusedForms {
		form := &fusedForms[i]
		f := Fused{i}
		r := newRand(1)
		wrong := func(change func(outputs, inputs [][]float32) ([][]float32, [][]float32)) {
			t.Helper()
			outputs, inputs := form.operandsOf(r, 9, false)
			outputs, inputs = change(outputs, inputs)
			wantPanic(t, form.name, func() { f.Run(outputs, inputs) })
			release()
		}
		wrong(func(o, x [][]float32) ([][]float32, [][]float32) { return o[1:], x })
		wrong(func(o, x [][]float32) ([][]float32, [][]float32) { return o, x[1:] })
		wrong(func(o, x [][]float32) ([][]float32, [][]float32) { x[0] = x[0][1:]; return o, x })
		if len(form.stored) > 1 {
			wrong(func(o, x [][]float32) ([][]float32, [][]float32) { o[1] = o[1][1:]; return o, x })
		}
		for k, over := range form.over {
			if over >= 0 {
				wrong(func(o, x [][]float32) ([][]float32, [][]float32) { o[k] = make([]float32, 9); return o, x })
			}
		}
	}
}

func TestFusedAllocatesNothing(t *testing.T) {
	outputs, inputs := fusedForms[0].operandsOf(newRand(1), 100, false)
	defer release()
	if n := testing.AllocsPerRun(10, func() { (Fused{0}).Run(outputs, inputs) }); n != 0 {
		t.Errorf("a run allocates %g times, want none", n)
	}
}

// BenchmarkFused is every form over 512 values, 16 rows of 32, and its operations one by one. Operands follow one another with nine cache
// lines between, as the engine lays them out: at equal places in their pages they would share a set of the cache.
func BenchmarkFused(b *testing.B) {
	const n, room = 512, 512 + 9*16
	for i := range fusedForms {
		form := &fusedForms[i]
		arena := make([]float32, (form.inputs+len(form.ops)+len(form.stored))*room)
		randomize(newRand(1), arena, false)
		var all [][]float32
		for len(all)*room < len(arena) {
			all = append(all, arena[len(all)*room:][:n])
		}
		values, outputs := all[:form.inputs+len(form.ops)], all[form.inputs+len(form.ops):]
		for k, o := range form.over {
			if o >= 0 {
				outputs[k] = values[o]
			}
		}
		b.Run(form.name+"/fused", func(b *testing.B) {
			for b.Loop() {
				(Fused{i}).Run(outputs, values[:form.inputs])
			}
		})
		b.Run(form.name+"/apart", func(b *testing.B) {
			for b.Loop() {
				form.run(values)
			}
		})
	}
}
