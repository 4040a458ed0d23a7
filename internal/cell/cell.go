// Package cell is the language of recurrent cells: the text of one time step, written as equations.
//
// Parse checks a text; Resolve fixes widths, activations and bias; Derive gives the adjoint; Plan cuts both into stages that
// an engine runs over time. The package knows symbols only: it never touches a float of a weight or of a value.
package cell

// Cell is a checked text, widths still symbolic.
type Cell struct {
	Text    string   // as given
	Weights []Weight // in order of first use: the order in which they are listed and saved
	States  []State  // state_t first, then by first read
	Nodes   []Node   // arguments stand before their uses
	Output  int      // the node of output_t
	Notes   []string // what is legal but worth saying: no state, a value never used, a weight named like a value

	widths *widths // symbolic widths, for Resolve
}

// Role says what a weight is for: it chooses initializer, regularizer and constraint.
type Role uint8

// The roles, by a weight's first use.
const (
	Kernel    Role = iota // a product with a value that depends on no state: glorot_uniform
	Recurrent             // any other product: orthogonal
	Bias                  // a vector whose every use is a term of a sum that also has a value: zeros
	Gain                  // the gain of layer_norm: ones
	Vector                // any other vector (peephole, scale): glorot_uniform, no regularizer, no constraint
)

// Weight is a parameter of the text. After Resolve its numbers are set.
type Weight struct {
	Name   string
	Role   Role
	Matrix bool    // in products; otherwise a vector, or Rows rows of vectors
	Rows   int     // of a vector written name[0], name[1] …; 0 when written without rows
	Blocks []Block // of the out axis; one block with an empty name when the text names none
	// OutIn: the first use was dot(P, x), so the matrix is stored (out, in): it is drawn as (in, out) and transposed.
	OutIn bool
	Init  string // of a `param` line for the whole weight: a Keras name or a number; "" is the role's

	In, Out int // widths of the two axes; a vector has Out alone. Set by Resolve.
}

// Shape is how the weight is stored: (in, out) or (out, in), (width), (rows, width).
func (w *Weight) Shape() []int {
	switch {
	case w.Matrix && w.OutIn:
		return []int{w.Out, w.In}
	case w.Matrix:
		return []int{w.In, w.Out}
	case w.Rows > 0:
		return []int{w.Rows, w.Out}
	default:
		return []int{w.Out}
	}
}

// Block is a named part of a weight's out axis.
type Block struct {
	Name string
	Init string // of a `param` line for this block alone

	Start, Width int // columns of the out axis; set by Resolve
}

// State is a value carried from step to step, zero at the start.
type State struct {
	Name string // without suffix, lower case
	Next int    // the node assigned at _t+1

	Width int // set by Resolve
}

// Op is what a node does.
type Op uint8

// The operations of a text.
const (
	OpInput     Op = iota // input_t
	OpState               // the incoming state Index
	OpVector              // row Row, block Block of the vector Weight, the same for every row of the batch
	OpConst               // the number Value; it fits any width (Width 0), unless a name was given to it
	OpDot                 // Args[0] times block Block of the matrix Weight; Left: the matrix stands on the left
	OpAdd                 // Args[0] + Args[1]; likewise
	OpSub                 //
	OpMul                 //
	OpDiv                 //
	OpMin                 // on a tie each side gets half the gradient
	OpMax                 //
	OpNeg                 // -Args[0]
	OpPow                 // Args[0] to the power Value
	OpFunc                // Func(Args[0]), elementwise; Func is a name of Funcs
	OpSoftmax             // over the width
	OpLayerNorm           // of Args[0] with gain Args[1] and bias Args[2], each an OpVector or a number: gain 1, bias 0
)

// The operations that Derive adds: the adjoint of a text is written with these and the ones above.
const (
	OpNormalize     Op = iota + 64 // (x - mean) / sqrt(var + 1e-3) over the width: layer_norm without its vectors
	OpAdjOutput                    // the gradient that comes for output_t
	OpAdjNext                      // the gradient that comes for the next state Index
	OpDotT                         // Args[0] times the transpose of what OpDot multiplies with
	OpFuncGrad                     // Args[0] times the derivative of Func at x = Args[1], y = Func(x) = Args[2]; -1 where not read
	OpPowGrad                      // Args[0] times the derivative of Args[1]^Value
	OpMinGrad                      // the part of Args[0] that min(Args[1], Args[2]) hands to Args[1]
	OpMaxGrad                      // likewise of max
	OpSoftmaxGrad                  // of Args[0], y = softmax(x) = Args[1]
	OpNormalizeGrad                // of Args[0], x = Args[1]
	OpMask                         // the mask Index of dropout: no gradient goes there
)

// Node is one operation of the text. A name's value, wherever it is read, is the same node.
type Node struct {
	Op    Op
	Args  []int
	Index int     // OpState: which
	Value float64 // OpConst, OpPow
	Func  string  // OpFunc; "activation" and "recurrent_activation" until Resolve
	// OpVector, OpDot: which part of which weight.
	Weight, Row, Block int
	// Left, of OpDot: dot(P, x), x meets the second stored axis. Otherwise dot(x, P), x meets the first.
	Left bool

	Name string // the name it was assigned to, with its suffix; "" for a part of an expression
	Line int    // where it stands, from 1; Col in bytes, from 1
	Col  int

	Width int // set by Resolve; 0 for numbers, and expressions of numbers alone, that no name was given
}

// Options are what a layer says beside the text.
type Options struct {
	Units, Input        int            // widths
	Sizes               map[string]int // widths named in `value` lines
	Activation          string         // name in Funcs, or softmax; "" is tanh
	RecurrentActivation string         // name in Funcs, or softmax; "" is sigmoid
	NoBias              bool           // weights with the role Bias are 0 and no weights
}

// Error is a mistake in a text, or a width that does not fit.
type Error struct {
	Line, Col int // from 1; Col in bytes
	Msg       string
	Hint      string // how to mend it; "" when the slip is not a known one
}
