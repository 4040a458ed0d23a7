package cell

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func dropoutPlan(t *testing.T, text string, d Dropout) *Plan {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Resolve(Options{Units: 3, Input: 2}); err != nil {
		t.Fatal(err)
	}
	p, err := NewDropoutPlan(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// masks names what a plan drops: "input kernel.i".
func masks(p *Plan) []string {
	var out []string
	for _, m := range p.Masks {
		name := "input"
		if m.State {
			name = "state"
		}
		if m.Weight >= 0 {
			w := p.Cell.Weights[m.Weight]
			name += " " + w.Name
			if b := w.Blocks[m.Block].Name; b != "" {
				name += "." + b
			}
		}
		out = append(out, fmt.Sprint(name, " ", m.Width))
	}
	return out
}

func TestDropoutMasks(t *testing.T) {
	both, each := Dropout{Input: true, State: true}, Dropout{Input: true, State: true, Each: true}
	for _, c := range []struct {
		name, text string
		drop       Dropout
		want       []string
	}{
		{"one for all gates", kerasLSTM, Dropout{Input: true}, []string{"input 2"}},
		{"one of each kind", kerasLSTM, both, []string{"input 2", "state 3"}},
		{"of every block", kerasLSTM, each, []string{"input kernel.i 2", "state recurrent_kernel.i 3", "input kernel.f 2", "state recurrent_kernel.f 3",
			"input kernel.c 2", "state recurrent_kernel.c 3", "input kernel.o 2", "state recurrent_kernel.o 3"}},
		{"the state's alone", kerasLSTM, Dropout{State: true, Each: true}, []string{"state recurrent_kernel.i 3", "state recurrent_kernel.f 3",
			"state recurrent_kernel.c 3", "state recurrent_kernel.o 3"}},
		{"other states have none", "output_t = tanh(dot(input_t, W) + dot(c_t, U))\nc_t+1 = output_t * state_t", each, []string{"input W 2"}},
		{"the nearest product alone", "output_t = tanh(dot(dot(input_t, A) * dot(state_t, C), B))", each, []string{"input A 2", "state C 3"}},
		{"a matrix that stands twice", "output_t = tanh(dot(input_t, A) + dot(exp(-input_t), A) + dot(state_t, C))", each, []string{"input A 2", "state C 3"}},
		{"both kinds in one product", "output_t = dot(softmax(input_t) + dot(state_t, B), A)", each, []string{"state B 3", "input A 2"}},
		{"outside of products", "value b_t size=input\nb_t+1 = b_t + input_t\noutput_t = tanh(dot(b_t, W) + state_t)", each, nil},
		{"what nobody reads", "x_t = dot(input_t, W)\noutput_t = tanh(dot(state_t, C))", each, []string{"state C 3"}},
	} {
		if d := cmp.Diff(c.want, masks(dropoutPlan(t, c.text, c.drop))); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// Naming a part of an expression changes nothing.
func TestDropoutThroughNames(t *testing.T) {
	const one = "output_t = tanh(dot(0.5 * input_t, W) * dot(exp(state_t) - input_t, C) + input_t)"
	const named = "a_t = 0.5 * input_t\nb_t = dot(a_t, W)\ne_t = exp(state_t)\nf_t = e_t - input_t\noutput_t = tanh(b_t * dot(f_t, C) + input_t)"
	for _, d := range []Dropout{{}, {Input: true}, {Input: true, State: true, Each: true}} {
		var texts [2]string
		for i, text := range []string{one, named} {
			c, err := Parse("value state_t size=units\n" + text)
			if err != nil {
				t.Fatal(err)
			}
			if c, err = c.Resolve(Options{Units: 3, Input: 3}); err != nil {
				t.Fatal(err)
			}
			p, err := NewDropoutPlan(c, d)
			if err != nil {
				t.Fatal(err)
			}
			p.Cell = nil
			texts[i] = fmt.Sprintf("%+v", p)
		}
		if texts[0] != texts[1] {
			t.Errorf("%+v: the plans differ:\n%s\n%s", d, texts[0], texts[1])
		}
	}
}

// Without dropout the plan is the plain one; without anything to drop it has no masks.
func TestNoDropout(t *testing.T) {
	plain := plan(t, kerasLSTM, Options{Units: 3, Input: 2})
	got := dropoutPlan(t, kerasLSTM, Dropout{})
	got.Cell = plain.Cell
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", plain); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p := dropoutPlan(t, "output_t = dot(input_t, W)", Dropout{State: true}); len(p.Masks) != 0 {
		t.Errorf("expected no masks, got %v", masks(p))
	}
}

// What depends on the input and its mask alone is hoisted.
func TestDroppedInputIsHoisted(t *testing.T) {
	p := dropoutPlan(t, "output_t = tanh(dot(input_t, W) + dot(state_t, C))", Dropout{Input: true, State: true, Each: true})
	products := 0
	for _, in := range p.Hoist {
		if in.Code == MatMul || in.Code == MatMulFrom {
			products++
		}
	}
	if products != 1 || len(p.Steps) == 0 {
		t.Errorf("expected the product of the input in Hoist, got %+v", p.Hoist)
	}
}

// A text made to exhaust the memory is refused.
func TestDropoutIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0_t = exp(input_t)\n")
	const n = 1200
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "a%d_t = -a%d_t\n", i, i-1)
	}
	b.WriteString("output_t = state_t")
	for i := range n {
		fmt.Fprintf(&b, "+dot(a%d_t, W.b%d)", n-1, i)
	}
	c, err := Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Resolve(Options{Units: 1, Input: 1}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := NewDropoutPlan(c, Dropout{Input: true, State: true, Each: true}); err == nil || !strings.HasPrefix(err.Error(), "cell: dropout: expected at most 65536 values") {
		t.Errorf("expected an error, got %v", err)
	}
	if d := time.Since(begin); d > time.Second {
		t.Errorf("expected it at once, took %v", d)
	}
}
