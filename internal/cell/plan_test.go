package cell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func plan(t *testing.T, text string, o Options) *Plan {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Resolve(o); err != nil {
		t.Fatal(err)
	}
	return NewPlan(c)
}

// A plan reads a slot only after something wrote it, and what backward reads has a place for every step.
func TestPlansAreSound(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cell")
	if err != nil || len(files) < 6 {
		t.Fatalf("expected six texts, got %v (%v)", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Units: 5, Input: 4}
		if strings.Contains(string(text), "size=proj") {
			o.Sizes = map[string]int{"proj": 3}
		}
		p := plan(t, string(text), o)
		written := map[int]bool{}
		for i, s := range p.Slots {
			switch s.Kind {
			case InputSlot, StateSlot, AdjOutputSlot, AdjNextSlot:
				written[i] = true
			}
		}
		check := func(where string, ins []Instr) {
			for _, in := range ins {
				reads := []int{in.A, in.B, in.C}
				if in.Code == MatMulAcc || in.Code == MulAdd || in.Code == MulSub {
					reads = append(reads, in.D)
				}
				for _, r := range reads {
					if r >= 0 && !written[r] {
						t.Errorf("%s: %s: %+v reads slot %d before it is written", f, where, in, r)
					}
				}
				written[in.D] = true
			}
		}
		check("once", p.Once)
		check("hoist", p.Hoist)
		for _, s := range p.Steps {
			check("steps", s.Instrs)
		}
		forward := map[int]bool{}
		for i := range p.Slots {
			forward[i] = written[i]
		}
		for _, s := range p.BackSteps {
			check("back steps", s.Instrs)
			for _, in := range s.Instrs {
				for _, r := range []int{in.A, in.B, in.C} {
					if r < 0 || !forward[r] {
						continue
					}
					if k := p.Slots[r].Kind; k == TempSlot || k == BlockSlot {
						t.Errorf("%s: back steps: %+v reads slot %d of kind %d, which is gone", f, in, r, k)
					}
				}
			}
		}
		check("back after", p.BackAfter)
		check("back hoist", p.BackHoist)
		check("back input", p.BackInput)
		for _, g := range append(append([]GradOf(nil), p.Grads...), p.HoistGrads...) {
			if !written[g.B] || g.A >= 0 && !written[g.A] {
				t.Errorf("%s: the gradient %+v reads a slot that nobody writes", f, g)
			}
		}
	}
}

// Keras's LSTM has one product a gate outside the loop, one inside, and nothing that is computed twice.
func TestPlanOfLSTM(t *testing.T) {
	p := plan(t, `i_t = sigmoid(dot(input_t, kernel.i) + dot(state_t, recurrent_kernel.i) + bias.i)
f_t = sigmoid(dot(input_t, kernel.f) + dot(state_t, recurrent_kernel.f) + bias.f)
g_t = tanh(dot(input_t, kernel.c) + dot(state_t, recurrent_kernel.c) + bias.c)
o_t = sigmoid(dot(input_t, kernel.o) + dot(state_t, recurrent_kernel.o) + bias.o)
c_t+1 = f_t * c_t + i_t * g_t
output_t = o_t * tanh(c_t+1)`, Options{Units: 32, Input: 16})
	count := func(ins []Instr) map[Code]int {
		n := map[Code]int{}
		for _, in := range ins {
			n[in.Code]++
		}
		return n
	}
	if n := count(p.Hoist); len(p.Hoist) != 4 || n[MatMulFrom] != 4 {
		t.Errorf("hoisted: %v, want four products that start from the bias", n)
	}
	if len(p.Steps) != 1 {
		t.Errorf("%d stages, want one", len(p.Steps))
	}
	if n := count(p.Steps[0].Instrs); n[MatMulAcc] != 4 || n[Apply] != 5 || n[Mul] != 2 || n[MulAdd] != 1 || len(p.Steps[0].Instrs) != 12 {
		t.Errorf("step: %v, want four products, five functions, and c and h in three operations", n)
	}
	if len(p.Grads) != 4 || len(p.HoistGrads) != 8 {
		t.Errorf("%d gradients of steps and %d of what is hoisted, want one and two a gate", len(p.Grads), len(p.HoistGrads))
	}
}

// A text can name numbers in a chain whose expansion would be exponential.
func TestChainsOfNumbersArePlannedInTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("v0_t = tanh(1)*tanh(2)\n")
	for i := 1; i <= 400; i++ {
		fmt.Fprintf(&b, "v%d_t = v%d_t + v%d_t\n", i, i-1, i-1)
	}
	b.WriteString("output_t = v400_t\n")
	done := make(chan struct{})
	go func() {
		plan(t, b.String(), Options{Units: 2, Input: 2})
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second): // it takes milliseconds
		t.Fatal("planning 400 lines takes longer than 20 s")
	}
}
