package reference

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
)

// class is a width of a random text.
type class int

const (
	units class = iota
	input
	other // of a `value` line
	classes
)

// writer makes up a text, line by line, that the language accepts. Every expression it writes has a value or a weight in it.
type writer struct {
	*random.Stream
	lines    []string
	values   [classes][]string // readable by now
	matrices map[[2]class][]string
	count    int // of names made up
}

// randomText is a text of up to some twenty lines; many together have all operations and functions of the language.
func randomText(s *random.Stream) string {
	w := &writer{Stream: s, matrices: map[[2]class][]string{}}
	w.values[input] = []string{"input_t"}
	out := units
	if w.one(5) {
		out = other
		w.line("value output_t size=other")
	}
	var next []string // states, by class
	var of []class
	if !w.one(8) {
		next, of = append(next, "state"), append(of, out)
		if out == other && w.one(2) {
			w.line("value STATE_t size=other")
		}
	}
	for _, name := range []string{"c", "Memory"} {
		if w.one(2) {
			c := class(w.IntN(int(classes)))
			if c != units {
				w.line("value %s_t size=%s", name, [...]string{"", "input", "other"}[c])
			}
			next, of = append(next, name), append(of, c)
		}
	}
	for i, name := range next {
		w.values[of[i]] = append(w.values[of[i]], name+"_t")
	}
	for range w.IntN(4) {
		c := class(w.IntN(int(classes)))
		name := w.name("v") + "_t"
		if c == other {
			w.line("value %s size=other", name)
		}
		switch {
		case c == units && w.one(6): // a number that a name was given, in a sum that makes it as wide as the units
			w.line("%s = %s", name, w.pick("0.7", "tanh(0.3)", "2 - 0.5"))
		case c == units && w.one(6): // rows and blocks
			v := w.name("fused")
			w.line("%s = tanh(%s + %s[0].a) * (%s[1].a - %s) + %s[0].b - %s[1].b", name, w.expr(c, 1), v, v, w.expr(c, 1), v, v)
		default:
			w.line("%s <- %s", name, w.expr(c, 3))
		}
		w.values[c] = append(w.values[c], name)
	}
	if w.one(3) { // a fused matrix with blocks of different widths
		k := w.name("kernel")
		x := w.expr(input, 1)
		a, b := w.name("a")+"_t", w.name("b")+"_t"
		w.line("value %s size=other", b)
		if w.one(2) {
			w.line("%s = dot(%s, %s.first)", a, x, k)
			w.line("%s = sigmoid(%s %%*%% %s.second)", b, w.operand(input, 1), k)
		} else {
			w.line("%s = %s.first %%*%% (%s)", a, k, x)
			w.line("%s = tanh(dot((%s.second), %s))", b, k, x)
		}
		w.values[units] = append(w.values[units], a)
		w.values[other] = append(w.values[other], b)
	}
	for i, name := range next {
		if name == "state" && w.one(2) {
			continue // it is the output
		}
		// A state is read: here if nowhere else.
		w.line("%s_t+1 = %s(%s_t * 0.5 + %s)", name, w.pick("tanh", "activation", ""), name, w.expr(of[i], 2))
		w.values[of[i]] = append(w.values[of[i]], name+"_t+1")
	}
	e := w.expr(out, 3)
	if len(next) > 0 && next[0] == "state" {
		e = fmt.Sprintf("%s + 0.3 * tanh(state_t)", e)
	}
	w.line("output_t = %s(%s)", w.pick("activation", "tanh", ""), e)
	return strings.Join(w.lines, "\n") + "\n"
}

func (w *writer) one(of int) bool { return w.IntN(of) == 0 }

func (w *writer) pick(words ...string) string { return words[w.IntN(len(words))] }

func (w *writer) line(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *writer) name(stem string) string {
	w.count++
	return fmt.Sprintf("%s%d", stem, w.count)
}

// leaf is a value of class c, or a product that gives one.
func (w *writer) leaf(c class) string {
	if len(w.values[c]) > 0 && !w.one(3) {
		return w.pick(w.values[c]...)
	}
	return w.product(c, 0)
}

// product is a matrix times a value, in all notations.
func (w *writer) product(c class, depth int) string {
	from := class(w.IntN(int(classes)))
	if len(w.values[from]) == 0 {
		from = input
	}
	key := [2]class{from, c}
	if len(w.matrices[key]) == 0 || !w.one(4) {
		w.matrices[key] = append(w.matrices[key], w.name(w.pick("W", "L")))
	}
	m := w.pick(w.matrices[key]...)
	x := w.pick(w.values[from]...)
	if depth > 0 && w.one(2) {
		x = w.expr(from, depth-1)
	}
	left := m[0] == 'L'
	if from == c && w.one(3) {
		left = !left // a matrix that may stand on both sides
	}
	switch {
	case left && w.one(2):
		return fmt.Sprintf("(%s %%*%% (%s))", m, x)
	case left:
		return fmt.Sprintf("dot(%s, %s)", m, x)
	case w.one(2):
		return fmt.Sprintf("((%s) %%*%% %s)", x, m)
	}
	return fmt.Sprintf("dot(%s, (%s))", x, m)
}

// operand is an expression that may stand beside any operator.
func (w *writer) operand(c class, depth int) string {
	if depth == 0 {
		return w.leaf(c)
	}
	return "(" + w.expr(c, depth) + ")"
}

// expr is an expression of class c.
func (w *writer) expr(c class, depth int) string {
	if depth == 0 {
		return w.leaf(c)
	}
	a := func() string { return w.operand(c, depth-1) }
	switch w.IntN(20) {
	case 0, 1:
		return w.leaf(c)
	case 2, 3:
		return w.product(c, depth)
	case 4, 5:
		return a() + " " + w.pick("+", "-") + " " + a()
	case 6:
		return a() + " * " + a()
	case 7:
		return a() + " / (1.5 + square(" + a() + "))"
	case 8:
		return w.pick("min", "max") + "(" + a() + ", " + w.pick(a(), "0.3", "-0.2") + ")"
	case 9:
		return a() + "^" + w.pick("2", "3", "2.0", "1")
	case 10:
		return "(0.7 + sigmoid(" + a() + "))^" + w.pick("-1", "-0.5", "0.5", "1.7")
	case 11:
		return "softmax(" + a() + ")"
	case 12:
		return "layer_norm(" + a() + ", " + w.pick(w.name("gamma"), "sigmoid("+a()+")") + ", " + w.pick(w.name("beta"), a()) + ")"
	case 13:
		return "-" + a() + " + " + w.name("b")
	case 14:
		return w.pick(w.name("p"), "0.4", "1e-1", "exp(-1)") + " * " + a()
	case 15:
		return w.pick("log", "sqrt") + "(0.6 + square(" + a() + "))"
	case 16:
		return "exp(tanh(" + a() + "))"
	case 17:
		return "1 - " + w.pick("recurrent_activation", "activation", "as.numeric") + "(" + a() + ")"
	}
	return w.pick(w.functions()...) + "(" + a() + ")"
}

// functions are the ones that are defined everywhere and do not grow fast.
func (w *writer) functions() []string {
	var names []string
	for _, n := range append(cell.Funcs(), "swish", "hard_swish") {
		switch n {
		case "log", "sqrt", "exp":
		default:
			names = append(names, n)
		}
	}
	return names
}
