package cell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	lectureRNN = "output_t <- tanh(as.numeric((W %*% input_t) + (U %*% state_t) + b))"

	lectureLSTM = `i_t = activation(dot(state_t, Ui) + dot(input_t, Wi) + bi)
f_t = activation(dot(state_t, Uf) + dot(input_t, Wf) + bf)
k_t = activation(dot(state_t, Uk) + dot(input_t, Wk) + bk)
c_t+1 = i_t * k_t + c_t * f_t
output_t = activation(dot(state_t, Uo) + dot(input_t, Wo) + dot(C_t, Vo) + bo)
`
	kerasLSTM = `param bias.f init=ones
i_t = recurrent_activation(dot(input_t, kernel.i) + dot(state_t, recurrent_kernel.i) + bias.i)
f_t = recurrent_activation(dot(input_t, kernel.f) + dot(state_t, recurrent_kernel.f) + bias.f)
g_t = activation(dot(input_t, kernel.c) + dot(state_t, recurrent_kernel.c) + bias.c)
o_t = recurrent_activation(dot(input_t, kernel.o) + dot(state_t, recurrent_kernel.o) + bias.o)
c_t+1 = f_t * c_t + i_t * g_t
output_t = o_t * activation(c_t+1)
`
	kerasGRU = `z_t = recurrent_activation(dot(input_t, kernel.z) + dot(state_t, recurrent_kernel.z) + bias[0].z + bias[1].z)
r_t = recurrent_activation(dot(input_t, kernel.r) + dot(state_t, recurrent_kernel.r) + bias[0].r + bias[1].r)
h_t = activation(dot(input_t, kernel.h) + bias[0].h + r_t * (dot(state_t, recurrent_kernel.h) + bias[1].h))
output_t = z_t * state_t + (1 - z_t) * h_t
`
)

func parse(t *testing.T, text string) *Cell {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%.400s", err, text)
	}
	return c
}

func resolve(t *testing.T, text string, o Options) *Cell {
	t.Helper()
	c, err := parse(t, text).Resolve(o)
	if err != nil {
		t.Fatalf("%v\n%.400s", err, text)
	}
	return c
}

// files are the texts of testdata, by name.
func files(t testing.TB) map[string]string {
	paths, err := filepath.Glob("testdata/*.cell")
	if err != nil || len(paths) != 6 {
		t.Fatalf("expected six cells in testdata, found %d, %v", len(paths), err)
	}
	texts := map[string]string{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(p)] = string(b)
	}
	return texts
}

// list is weights and states on one line each: name role shape blocks.
func list(c *Cell) string {
	var s []string
	for _, w := range c.Weights {
		line := fmt.Sprint(w.Name, " ", w.Role, " ", w.Shape())
		if w.OutIn {
			line += " (out, in)"
		}
		for _, b := range w.Blocks {
			if b.Name != "" {
				line += fmt.Sprintf(" %s@%d+%d", b.Name, b.Start, b.Width)
			}
			if b.Init != "" {
				line += "=" + b.Init
			}
		}
		if w.Init != "" {
			line += " init=" + w.Init
		}
		s = append(s, line)
	}
	for _, st := range c.States {
		s = append(s, fmt.Sprintf("%s_t (%d) next %s", st.Name, st.Width, c.Nodes[st.Next].Name))
	}
	return strings.Join(append(s, "output "+c.Nodes[c.Output].Name), "\n")
}

func TestWeightsAndStates(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"the RNN of the lecture", lectureRNN, "W kernel [5 4] (out, in)\nU recurrent [5 5] (out, in)\nb bias [5]\nstate_t (5) next output_t\noutput output_t"},
		{"the LSTM of the lecture", lectureLSTM, "Ui recurrent [5 5]\nWi kernel [4 5]\nbi bias [5]\nUf recurrent [5 5]\nWf kernel [4 5]\nbf bias [5]\n" +
			"Uk recurrent [5 5]\nWk kernel [4 5]\nbk bias [5]\nUo recurrent [5 5]\nWo kernel [4 5]\nVo recurrent [5 5]\nbo bias [5]\n" +
			"state_t (5) next output_t\nc_t (5) next c_t+1\noutput output_t"},
		{"the LSTM of Keras", kerasLSTM, "kernel kernel [4 20] i@0+5 f@5+5 c@10+5 o@15+5\nrecurrent_kernel recurrent [5 20] i@0+5 f@5+5 c@10+5 o@15+5\n" +
			"bias bias [20] i@0+5 f@5+5=ones c@10+5 o@15+5\nstate_t (5) next output_t\nc_t (5) next c_t+1\noutput output_t"},
		{"the GRU of Keras", kerasGRU, "kernel kernel [4 15] z@0+5 r@5+5 h@10+5\nrecurrent_kernel recurrent [5 15] z@0+5 r@5+5 h@10+5\n" +
			"bias bias [2 15] z@0+5 r@5+5 h@10+5\nstate_t (5) next output_t\noutput output_t"},
		{"a projection", files(t)["projected_lstm.cell"], "kernel kernel [4 20] i@0+5 f@5+5 c@10+5 o@15+5\nrecurrent_kernel recurrent [3 20] i@0+5 f@5+5 c@10+5 o@15+5\n" +
			"bias bias [20] i@0+5 f@5+5 c@10+5 o@15+5\nprojection recurrent [5 3]\nstate_t (3) next output_t\nc_t (5) next c_t+1\noutput output_t"},
		{"layer norm", files(t)["layer_norm_lstm.cell"], "kernel kernel [4 20] i@0+5 f@5+5 g@10+5 o@15+5\nrecurrent_kernel recurrent [5 20] i@0+5 f@5+5 g@10+5 o@15+5\n" +
			"gamma gain [25] i@0+5 f@5+5 g@10+5 o@15+5 c@20+5\nbeta bias [25] i@0+5 f@5+5 g@10+5 o@15+5 c@20+5\nstate_t (5) next output_t\nc_t (5) next c_t+1\noutput output_t"},
		{"order of first use, not of declaration", "param b init=ones\nparam A init=-0.5\noutput_t = dot(input_t, A) * p + b",
			"A kernel [4 5] init=-0.5\np vector [5]\nb bias [5] init=ones\noutput output_t"},
		{"state_t comes first", "output_t = a_t + b_t + dot(input_t, W)\na_t+1 = tanh(b_t)\nb_t+1 = a_t * state_t",
			"W kernel [4 5]\nstate_t (5) next output_t\na_t (5) next a_t+1\nb_t (5) next b_t+1\noutput output_t"},
		{"case", "c_T+1 = C_t + dot(Input_T, w) + dot(INPUT_t, W)\nOutput_t = C_t+1", "w kernel [4 5]\nW kernel [4 5]\nc_t (5) next c_t+1\noutput c_t+1"},
		{"a matrix on both sides is drawn by its first use", "h_t = dot(input_t, E)\noutput_t = tanh(h_t)\nback_t = E %*% h_t\ntwice_t = back_t * input_t",
			"E kernel [4 5]\noutput output_t"},
		{"the first use in the text, inside out", "output_t = (W) %*% (dot(state_t, W) + input_t)", "W recurrent [5 4] (out, in)\nstate_t (5) next output_t\noutput output_t"},
		{"blocks of different widths", "value a_t size=2\nvalue b_t size=input\na_t = dot(input_t, W.a)\nb_t = dot(input_t, W.b)\noutput_t = dot(b_t, V) + dot(a_t, U)",
			"W kernel [4 6] a@0+2 b@2+4\nV kernel [4 5]\nU kernel [2 5]\noutput output_t"},
		{"blocks on the left", "output_t = W.a %*% input_t + dot((W.b), input_t) * state_t", "W kernel [10 4] (out, in) a@0+5 b@5+5\nstate_t (5) next output_t\noutput output_t"},
		{"initializers by Keras's other names", "param W init=normal\nparam b init=Ones\noutput_t = dot(input_t, W) + b", "W kernel [4 5] init=random_normal\nb bias [5] init=ones\noutput output_t"},
		{"an alias is the same node", "c_t+1 = state_t\nd_t = c_t+1\noutput_t = d_t + c_t", "state_t (5) next output_t\nc_t (5) next state_t\noutput output_t"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Units: 5, Input: 4}
			if strings.Contains(test.text, "proj") {
				o.Sizes = map[string]int{"proj": 3}
			}
			if d := cmp.Diff(test.want, list(resolve(t, test.text, o))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRoles(t *testing.T) {
	for _, test := range []struct {
		text, weight string
		want         Role
	}{
		{"output_t = input_t + b", "b", Bias},
		{"output_t = input_t - b", "b", Bias},
		{"output_t = -b + input_t", "b", Bias},
		{"output_t = -(b - input_t)", "b", Bias},
		{"output_t = (b + 1) - (input_t)", "b", Bias},
		{"output_t = tanh(as.numeric(b) + state_t)", "b", Bias},
		{"output_t = layer_norm(input_t, g, b)", "b", Bias},
		{"output_t = layer_norm(input_t, g, b)", "g", Gain},
		{"output_t = layer_norm(input_t, tanh(g), b)", "g", Vector},
		{"output_t = layer_norm(input_t, g, 2 * b)", "b", Vector},
		{"output_t = layer_norm(input_t, g, 2 * b)", "g", Gain},
		{"output_t = layer_norm(g * input_t, g, b)", "g", Vector},
		{"output_t = layer_norm(layer_norm(input_t, g, b), a, g)", "g", Gain},
		{"output_t = b * input_t", "b", Vector},
		{"output_t = input_t + b * b", "b", Vector},
		{"output_t = input_t + tanh(b)", "b", Vector},
		{"output_t = input_t * (1 + b)", "b", Vector},
		{"output_t = input_t + 2 * (a + b)", "b", Vector},
		{"output_t = input_t + a + b", "b", Bias},
		{"output_t = input_t + min(b, 1)", "b", Vector},
		{"s_t = b\noutput_t = input_t + s_t", "b", Vector},
		{"s_t = input_t\noutput_t = s_t + b", "b", Bias},
		{"output_t = (input_t + b) * b", "b", Vector},
		{"output_t = input_t + b[0].x + b[1].x * state_t", "b", Vector},
		{"output_t = (input_t + b.x) * (state_t + b.y)", "b", Bias},
		{"output_t = (input_t + b.x) * b.y", "b", Vector},
		{"output_t = dot(input_t, W) + dot(state_t, W)", "W", Kernel},
		{"output_t = dot(state_t, W) + dot(input_t, W)", "W", Recurrent},
		{"h_t = tanh(state_t)\nk_t = input_t * h_t\noutput_t = dot(k_t, W)", "W", Recurrent},
		{"h_t = tanh(input_t)\noutput_t = dot(h_t, W) * c_t\nc_t+1 = c_t", "W", Kernel},
		{"output_t = dot(tanh(b), W) + state_t", "W", Kernel},
		{"c_t+1 = c_t + input_t\noutput_t = dot(c_t+1, W)", "W", Recurrent},
		{"output_t = dot(input_t, W.a) + dot(state_t, W.b)", "W", Kernel},
		{"output_t = dot(dot(state_t, W), W) + dot(input_t, W)", "W", Recurrent},
	} {
		for _, w := range parse(t, test.text).Weights {
			if w.Name == test.weight && w.Role != test.want {
				t.Errorf("%q: %s is a %v, want %v", test.text, w.Name, w.Role, test.want)
			}
		}
	}
}

// show is a node as an expression with every parenthesis.
func show(c *Cell, i int) string {
	n := c.Nodes[i]
	var args []string
	for _, a := range n.Args {
		args = append(args, show(c, a))
	}
	infix := map[Op]string{OpAdd: "+", OpSub: "-", OpMul: "*", OpDiv: "/"}
	switch n.Op {
	case OpInput:
		return "x"
	case OpState:
		return c.States[n.Index].Name
	case OpVector:
		return c.Weights[n.Weight].Name
	case OpConst:
		return fmt.Sprint(n.Value)
	case OpDot:
		if n.Left {
			return "[" + c.Weights[n.Weight].Name + " " + args[0] + "]"
		}
		return "[" + args[0] + " " + c.Weights[n.Weight].Name + "]"
	case OpNeg:
		return "(-" + args[0] + ")"
	case OpPow:
		return fmt.Sprintf("(%s^%g)", args[0], n.Value)
	}
	if s := infix[n.Op]; s != "" {
		return "(" + args[0] + s + args[1] + ")"
	}
	names := map[Op]string{OpMin: "min", OpMax: "max", OpSoftmax: "softmax", OpLayerNorm: "layer_norm", OpFunc: n.Func}
	return names[n.Op] + "(" + strings.Join(args, ",") + ")"
}

func TestExpressions(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"input_t + state_t - input_t - state_t", "(((x+state)-x)-state)"},
		{"input_t - state_t * input_t / state_t", "(x-((state*x)/state))"},
		{"-input_t^2", "(-(x^2))"},
		{"2 * -input_t", "(2*(-x))"},
		{"--input_t", "(-(-x))"},
		{"input_t^-2 * 3", "((x^-2)*3)"},
		{"(input_t^2)^3", "((x^2)^3)"},
		{"2 * input_t %*% W", "(2*[x W])"},
		{"W %*% input_t * state_t", "([W x]*state)"},
		{"-(W %*% input_t)", "(-[W x])"},
		{"-input_t %*% W", "[(-x) W]"},
		{"W %*% input_t^2", "[W (x^2)]"},
		{"W %*% input_t %*% U", "[[W x] U]"},
		{"W %*% (U %*% input_t)", "[W [U x]]"},
		{"dot((W), (input_t))", "[W x]"},
		{"dot(((input_t)), ((W)))", "[x W]"},
		{"input_t- 1", "(x-1)"},
		{"input_t -1", "(x-1)"},
		{"input_t + 1", "(x+1)"},
		{"(input_t)+1", "(x+1)"},
		{"input_t+state_t", "(x+state)"},
		{"1.5e1 * input_t + .5 - 1.", "(((15*x)+0.5)-1)"},
		{"as.numeric(linear(input_t))", "x"},
		{"tanh (swish(exponential(hard_swish(input_t))))", "tanh(silu(exp(hard_silu(x))))"},
		{"min(input_t, 1) + max(state_t, input_t)", "(min(x,1)+max(state,x))"},
		{"softmax(activation(recurrent_activation(input_t)))", "softmax(tanh(sigmoid(x)))"},
		{"layer_norm(input_t, g, b)", "layer_norm(x,g,b)"},
		{"layer_norm(input_t, state_t, b)", "((layer_norm(x,1,0)*state)+b)"},
		{"tanh * input_t + dot", "((tanh*x)+dot)"}, // without a parenthesis they are weights
	} {
		c := resolve(t, "output_t = "+test.text+" # a comment with ) and =", Options{Units: 3, Input: 3})
		if got := show(c, c.Output); got != test.want {
			t.Errorf("%s: %s, want %s", test.text, got, test.want)
		}
	}
}

// Chains are no levels: a sum as long as a text can be.
func TestLimitsThatHold(t *testing.T) {
	chain := "output_t = input_t" + strings.Repeat(" +1+b", 13000)
	if len(chain) > maxText {
		t.Fatal("the chain is longer than a text")
	}
	texts := []string{
		chain,
		"output_t = " + strings.Repeat("(", 100) + "input_t" + strings.Repeat(")", 100),
		"output_t = " + strings.Repeat("tanh(", 100) + "input_t" + strings.Repeat(")", 100),
		"output_t = " + strings.Repeat("-", 100) + "input_t",
		"output_t = input_t" + strings.Repeat(" + (((input_t)))", 4000),
		"output_t = input_t #" + strings.Repeat("x", maxText-20),
		"value input_t size=65536\noutput_t = input_t",
	}
	for _, text := range texts {
		parse(t, text)
	}
}

func TestNotes(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{kerasLSTM, nil},
		{"h_t = dot(input_t, h)\noutput_t = 0.5", []string{
			"there is no state: no step knows of the steps before", "line 1: h_t is never used", "line 1: h is a weight; did you mean h_t?"}},
		{"output_t = tanh(state_t + b)", []string{"input_t is never used"}},
	} {
		if d := cmp.Diff(test.want, parse(t, test.text).Notes); d != "" {
			t.Errorf("%q: %s", test.text, d)
		}
	}
}

func TestPrint(t *testing.T) {
	text := "# a comment\n\nparam  b  init = - 1.5 # why\nvalue H_t size = 3\r\nH_T+1<-( -h_t )^-2 *  -(W%*%Input_t)+tanh (b) - 1\nOutput_t=min( H_t,2)-1 # done"
	want := "param b init=-1.5\nvalue h_t size=3\nh_t+1 = (-h_t)^-2 * -(W %*% input_t) + tanh(b) - 1\noutput_t = min(h_t, 2) - 1\n"
	c := parse(t, text)
	if d := cmp.Diff(want, c.String()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(list(c), list(parse(t, want))); d != "" {
		t.Error(d)
	}
}

func TestDepends(t *testing.T) {
	c := parse(t, "h_t = tanh(input_t)\ng_t = state_t * h_t\nn_t = 2 * b\noutput_t = g_t + n_t")
	state, input := c.DependsOnState(), c.DependsOnInput()
	got := map[string][2]bool{}
	for i, n := range c.Nodes {
		if n.Name != "" {
			got[n.Name] = [2]bool{state[i], input[i]}
		}
	}
	want := map[string][2]bool{"input_t": {false, true}, "h_t": {false, true}, "state_t": {true, false}, "g_t": {true, true}, "n_t": {}, "output_t": {true, true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
