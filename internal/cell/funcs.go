package cell

import "strings"

// Func is an elementwise function: what a text may apply to a value, and what the derivative of it is given.
type Func struct {
	Name string
	// The derivative is a function of the argument x, of the value y, or of neither. It is given y where y determines it
	// without a loss of accuracy, since y is kept anyway and x need not be.
	NeedsX, NeedsY bool
}

// funcs are the elementwise activations of Keras 3.15 with its default arguments (keras/src/activations/activations.py), and
// the plain functions after the blank line.
var funcs = [...]Func{
	{Name: "relu", NeedsY: true},
	{Name: "leaky_relu", NeedsY: true},
	{Name: "relu6", NeedsY: true},
	{Name: "elu", NeedsY: true},
	{Name: "selu", NeedsY: true},
	{Name: "celu", NeedsY: true},
	{Name: "gelu", NeedsX: true},
	{Name: "silu", NeedsX: true},
	{Name: "hard_silu", NeedsX: true},
	{Name: "softplus", NeedsX: true},
	{Name: "softsign", NeedsX: true},
	{Name: "tanh", NeedsY: true},
	{Name: "hard_tanh", NeedsX: true},
	{Name: "tanh_shrink", NeedsX: true},
	{Name: "soft_shrink", NeedsX: true},
	{Name: "hard_shrink", NeedsX: true},
	{Name: "sigmoid", NeedsY: true},
	{Name: "hard_sigmoid", NeedsY: true},
	{Name: "log_sigmoid", NeedsX: true},
	{Name: "mish", NeedsX: true},
	{Name: "squareplus", NeedsX: true},
	{Name: "sparse_plus", NeedsX: true},
	{Name: "sparse_sigmoid", NeedsX: true},
	{Name: "linear"},
	{Name: "hard_sigmoid_keras2", NeedsY: true}, // Keras 2's hard_sigmoid

	{Name: "exp", NeedsY: true},
	{Name: "log", NeedsX: true},
	{Name: "sqrt", NeedsY: true},
	{Name: "abs", NeedsX: true},
	{Name: "square", NeedsX: true},
}

// aliases are Keras's second names.
var aliases = [...][2]string{{"swish", "silu"}, {"hard_swish", "hard_silu"}, {"exponential", "exp"}}

// Funcs are the names of the elementwise functions, second names (swish, hard_swish, exponential) not among them.
func Funcs() []string {
	names := make([]string, len(funcs))
	for i, f := range funcs {
		names[i] = f.Name
	}
	return names
}

// FuncByName finds a function by either of its names; the Func has the first one.
func FuncByName(name string) (f Func, ok bool) {
	for _, a := range aliases {
		if name == a[0] {
			name = a[1]
		}
	}
	for _, f := range funcs {
		if f.Name == name {
			return f, true
		}
	}
	return Func{}, false
}

// LookupFunc is the function of an OpFunc node of a resolved cell. It panics on a name that no such node has.
func LookupFunc(name string) Func {
	f, ok := FuncByName(name)
	if !ok {
		panic("cell: LookupFunc: unknown function " + name)
	}
	return f
}

// arity is the number of arguments of everything that may stand before a parenthesis; 0: no function.
func arity(name string) int {
	switch name {
	case "dot", "min", "max":
		return 2
	case "layer_norm":
		return 3
	case "activation", "recurrent_activation", "softmax", "as.numeric":
		return 1
	}
	if _, ok := FuncByName(name); ok {
		return 1
	}
	return 0
}

// unknownFunc says what is wrong with a call of name.
func unknownFunc(name string) (msg, hint string) {
	switch strings.ToLower(name) {
	case "log_softmax", "sparsemax", "glu":
		return "expected an elementwise activation, found " + name + ", which works on whole rows", "the row functions are softmax and layer_norm"
	case "threshold":
		return "expected an activation with default arguments, found threshold, which has none", "write max(x, number) or relu(x - number)"
	case "matmul", "mul", "dense":
		return "expected a function, found " + name, "a product is dot(x_t, W) or W %*% x_t"
	case "concat", "concatenate", "c", "cbind":
		return "expected a function, found " + name, "instead of joining values, add a product of each: dot(a_t, W) + dot(b_t, U)"
	case "pow", "power":
		return "expected a function, found " + name, "write x^number"
	}
	if strings.HasPrefix(strings.ToLower(name), "conv") {
		return "expected a function, found " + name + ": convolutional cells are out of scope", ""
	}
	known := append(Funcs(), "swish", "hard_swish", "exponential", "dot", "min", "max", "layer_norm", "softmax", "activation", "recurrent_activation", "as.numeric")
	hint = "a name before ( is a function; products of a value and a weight are written with *, dot or %*%"
	if n := nearest(name, known); n != "" {
		hint = "did you mean " + n + "?"
	}
	return "expected a function, found " + name + ", which is none", hint
}
