package layers

import (
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// Recurrent is a layer whose step is the text of a cell: your own equations. SimpleRNN, LSTM and GRU are this layer with texts
// of Keras's. Input (N, T, C), and where the walk shall not begin with zeros, the initial states behind it, (N, width) each; output
// (N, Units), or (N, T, Units) with ReturnSequences: as wide as output_t.
type Recurrent struct {
	Name  string
	Units int
	Cell  string         // the equations
	Sizes map[string]int // widths that the text names in `value` lines

	Activation          activations.Activation // unset: tanh
	RecurrentActivation activations.Activation // unset: sigmoid
	NoBias              bool
	// Initializers by the weights' roles in the text; a `param` line of the text goes first.
	KernelInitializer    initializers.Initializer // unset: glorot_uniform
	RecurrentInitializer initializers.Initializer // unset: orthogonal
	BiasInitializer      initializers.Initializer // unset: zeros

	ReturnSequences bool
	// ReturnState adds the states after the last step to the outputs, (N, width) each, in the order of the text.
	ReturnState bool
	// GoBackwards walks from the last step to the first; sequences come out in that order.
	GoBackwards bool
	// Stateful lets every row of a batch begin with the states that the same row of the batch before ended with; see Stateful.
	Stateful bool
	// Unroll changes nothing here: in Keras it says how the loop is compiled.
	Unroll bool
	// ZeroOutputForMask makes the output of a masked step zero; otherwise it repeats the previous one.
	ZeroOutputForMask bool

	// In training a part Dropout of the values of input_t, and RecurrentDropout of state_t, are zero in the arguments of products, and
	// the others scaled by 1/(1-part): the same ones at all steps. LSTM and GRU take 1 for 0, as Keras's do.
	Dropout, RecurrentDropout float64
	Seed                      tensor.Float // of dropout; unset: the model's

	KernelRegularizer, RecurrentRegularizer, BiasRegularizer regularizers.Regularizer // by the weights' roles
	ActivityRegularizer                                      regularizers.Regularizer // of the output
	KernelConstraint, RecurrentConstraint, BiasConstraint    constraints.Constraint
}

// GivenName is the name that the user gave.
func (l Recurrent) GivenName() string { return l.Name }

// Build checks the equations and makes their weights.
func (l Recurrent) Build(b *Builder, in []Signature) (Layer, error) { return buildRecurrent(b, in, l) }

func (l Recurrent) recurrent() (Recurrent, string) { return l, "cell" }
