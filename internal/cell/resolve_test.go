package cell

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestResolveRefuses(t *testing.T) {
	for _, test := range []struct {
		text      string
		o         Options
		line, col int // 0: no place in the text
		want      string
	}{
		{"output_t = tanh(input_t + state_t)", Options{Units: 5, Input: 4}, 1, 1, "expected output_t to be 5 wide (units), found 4 (the input); a line `value output_t size=...` allows another width"},
		{"h_t = dot(input_t, W)\ng_t = h_t * input_t\noutput_t = h_t", Options{Units: 5, Input: 4}, 3, 1, "expected output_t to be 5 wide (units), found 4 (the input)"},
		{"value h_t size=units\nh_t = dot(input_t, W)\noutput_t = state_t +\th_t * input_t", Options{Units: 5, Input: 4}, 3, 26, "expected the operands of * to be equally wide, found 5 (size=units in line 1) and 4 (the input)"},
		{"value h_t size=3\nh_t = dot(input_t, W)\noutput_t = dot(h_t, W)", Options{Units: 5, Input: 4}, 3, 12, "expected the value and the weight W where they meet in a product to be equally wide, found 3 (size=3 in line 1) and 4 (the input)"},
		{"value c_t size=n\nc_t+1 = c_t\noutput_t = c_t", Options{Units: 5, Input: 4}, 1, 16, "expected a size n, found none; the layer sets it"},
		{"value c_t size=n\nc_t+1 = c_t\noutput_t = c_t", Options{Units: 5, Input: 4, Sizes: map[string]int{"n": 0}}, 1, 16, "expected a size n from 1 to 65536, found 0"},
		{"value c_t size=n\nc_t+1 = c_t\noutput_t = c_t", Options{Units: 5, Input: 4, Sizes: map[string]int{"n": 65537}}, 1, 16, "expected a size n from 1 to 65536, found 65537"},
		{"value state_t size=n\nvalue c_t size=m\nc_t+1 = state_t\noutput_t = dot(c_t, W)", Options{Units: 5, Input: 4, Sizes: map[string]int{"n": 2, "m": 3}}, 3, 1, "expected c_t and c_t+1 to be equally wide, found 3 (size=m in line 2) and 2 (size=n in line 1)"},
		{"value input_t size=3\noutput_t = dot(input_t, W)", Options{Units: 5, Input: 4}, 1, 7, "expected input_t to be 4 wide (the input), found size=3, which is 3"},
		{"output_t = state_t", Options{Units: 5, Input: 4, Sizes: map[string]int{"n": 3}}, 0, 0, "cell: Resolve: expected sizes that a `value` line of the text names, got \"n\""},
		{"output_t = state_t", Options{Input: 4}, 0, 0, "cell: Resolve: expected units from 1 to 2147483647, got 0"},
		{"output_t = state_t", Options{Units: 5, Input: -1}, 0, 0, "cell: Resolve: expected an input of 1 to 2147483647 columns, got -1"},
		{"output_t = state_t", Options{Units: 5, Input: 4, Activation: "tahn"}, 0, 0, "cell: Resolve: expected an elementwise function or softmax as activation, got \"tahn\"; did you mean tanh?"},
		{"output_t = state_t", Options{Units: 5, Input: 4, RecurrentActivation: "threshold"}, 0, 0, "cell: Resolve: expected an elementwise function or softmax as recurrent activation, got \"threshold\""},
		{"output_t = state_t * activation(2)", Options{Units: 5, Input: 4, Activation: "softmax"}, 1, 22, "expected a value as the argument of softmax, found a number"},
		{"output_t = dot(state_t, W)\nh_t = dot(input_t, U.a)", Options{Units: 65536, Input: 4}, 1, 12, "expected at most 2^31 numbers in the weights, found more with W"},
		{"output_t = dot(input_t, W) * b", Options{Units: 1 << 30, Input: 2}, 1, 30, "expected at most 2^31 numbers in the weights, found more with b"},
		{"output_t = input_t * b[0] * b[1] * b[2]", Options{Units: 1 << 30, Input: 1 << 30}, 1, 22, "expected at most 2^31 numbers in the weights, found more with b"},
		{"output_t = dot(input_t, W)" + strings.Repeat(" + dot(input_t, W)", 3), Options{Units: 1<<31 - 1, Input: 1<<31 - 1}, 1, 12, "expected at most 2^31 numbers in the weights, found more with W"},
	} {
		_, err := parse(t, test.text).Resolve(test.o)
		if err == nil {
			t.Errorf("%q %+v: expected an error", test.text, test.o)
			continue
		}
		place := ""
		if test.line > 0 {
			place = fmt.Sprintf("cell: line %d, column %d: ", test.line, test.col)
		}
		var e *Error
		if errors.As(err, &e) != (test.line > 0) || !strings.HasPrefix(err.Error(), place+test.want) {
			t.Errorf("%q %+v: expected %s%s, got\n\t%v", test.text, test.o, place, test.want, err)
		}
	}
	if _, err := resolve(t, "output_t = state_t", Options{Units: 1, Input: 1}).Resolve(Options{Units: 1, Input: 1}); err == nil {
		t.Error("a resolved cell cannot be resolved again, expected an error")
	}
}

// 2^31 numbers are just allowed, and no more.
func TestMostWeights(t *testing.T) {
	c := resolve(t, "output_t = dot(input_t, W)", Options{Units: 1 << 15, Input: 1 << 16})
	if got := c.Weights[0].Shape(); got[0] != 1<<16 || got[1] != 1<<15 {
		t.Errorf("shape %v", got)
	}
}

func TestWidths(t *testing.T) {
	for _, test := range []struct {
		text string
		o    Options
		want map[string]int // width of named nodes
	}{
		{"h_t = tanh(state_t)\noutput_t = h_t + dot(input_t, W)", Options{Units: 5, Input: 4}, map[string]int{"h_t": 5, "output_t": 5, "input_t": 4}},
		{"output_t = tanh(input_t + state_t)", Options{Units: 4, Input: 4}, map[string]int{"output_t": 4, "state_t": 4}},
		{"value output_t size=input\noutput_t = tanh(input_t + state_t)", Options{Units: 5, Input: 4}, map[string]int{"output_t": 4}},
		{"value STATE_T size=3\noutput_t = dot(input_t, W)", Options{}, nil}, // state_t stands nowhere
		{"value h_t size=3\nh_t = dot(input_t, W)\noutput_t = 2 * h_t", Options{Units: 5, Input: 4}, map[string]int{"h_t": 3, "output_t": 3}},
		{"value c_t size=n\nc_t+1 = tanh(c_t)\noutput_t = dot(c_t+1, W)", Options{Units: 5, Input: 4, Sizes: map[string]int{"n": 2}}, map[string]int{"c_t": 2, "c_t+1": 2, "output_t": 5}},
		// Numbers fit any width; with a name they get the one of what they meet.
		{"n_t = 1\nm_t = tanh(2)\no_t = 3\noutput_t = dot(input_t * n_t, W) + dot(o_t, U) * m_t", Options{Units: 5, Input: 4},
			map[string]int{"n_t": 4, "m_t": 5, "o_t": 5, "output_t": 5}},
		{"output_t = 0.5 + tanh(1)", Options{Units: 5, Input: 4}, map[string]int{"output_t": 5}},
	} {
		c, err := Parse(test.text)
		if test.want == nil {
			if err == nil {
				t.Errorf("%q: expected an error", test.text)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, err = c.Resolve(test.o); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, n := range c.Nodes {
			if w, ok := test.want[n.Name]; ok {
				found++
				if n.Width != w {
					t.Errorf("%q: %s is %d wide, want %d", test.text, n.Name, n.Width, w)
				}
			}
			if n.Op != OpConst && n.Width == 0 && len(n.Args) > 0 && c.Nodes[n.Args[0]].Width != 0 {
				t.Errorf("%q: node %+v has no width", test.text, n)
			}
		}
		if found != len(test.want) {
			t.Errorf("%q: %d of %d names found", test.text, found, len(test.want))
		}
	}
}

func TestOptions(t *testing.T) {
	const text = "z_t = recurrent_activation(input_t + a - b) * activation(state_t)\noutput_t = layer_norm(b2 - (-c) + z_t, g, (d)) - (e - z_t)"
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "(layer_norm(((b2-(-c))+(sigmoid(((x+a)-b))*tanh(state))),g,d)-(e-(sigmoid(((x+a)-b))*tanh(state))))"},
		{Options{NoBias: true, Activation: "linear", RecurrentActivation: "hard_swish"}, "(layer_norm((hard_silu(x)*state),g,0)-(-(hard_silu(x)*state)))"},
		{Options{NoBias: true, Activation: "softmax", RecurrentActivation: "exponential"}, "(layer_norm((exp(x)*softmax(state)),g,0)-(-(exp(x)*softmax(state))))"},
	} {
		test.o.Units, test.o.Input = 3, 3
		c := resolve(t, text, test.o)
		if got := show(c, c.Output); got != test.want {
			t.Errorf("%+v: %s, want %s", test.o, got, test.want)
		}
		if test.o.NoBias && (len(c.Weights) != 1 || c.Weights[0].Name != "g") {
			t.Errorf("%+v: weights %v", test.o, c.Weights)
		}
	}
	// What NoBias and linear take away hands its name on, a number's name and width too.
	c := resolve(t, "n_t = activation(2)\nh_t = input_t + b\nk_t = h_t * n_t\noutput_t = activation(k_t + c)", Options{Units: 3, Input: 3, NoBias: true, Activation: "linear"})
	if got := c.Nodes[c.Output].Name; got != "k_t" {
		t.Errorf("the output is called %s", got)
	}
	n := c.Nodes[c.Nodes[c.Output].Args[1]]
	if n.Op != OpConst || n.Value != 2 || n.Width != 3 || n.Name != "n_t" {
		t.Errorf("the number is %+v", n)
	}
	if p := parse(t, text); len(p.Weights) != 7 || p.Nodes[0].Width != 0 {
		t.Error("Resolve changed the parsed cell")
	}
}
