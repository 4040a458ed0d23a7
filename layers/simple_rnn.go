package layers

import (
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// SimpleRNN is the fully connected recurrent network: output_t = activation(input_t·kernel + state_t·recurrent_kernel + bias),
// which is also the next state. An activity
// regularizer, which Keras's class takes, has no effect there, so that there is none here. Source: keras/src/layers/rnn/simple_rnn.py.
type SimpleRNN struct {
	Name                 string
	Units                int
	Activation           activations.Activation // unset: tanh
	NoBias               bool
	KernelInitializer    initializers.Initializer // unset: glorot_uniform
	RecurrentInitializer initializers.Initializer // unset: orthogonal
	BiasInitializer      initializers.Initializer // unset: zeros
	ReturnSequences      bool
	ReturnState          bool // adds the state after the last step to the outputs
	GoBackwards          bool
	Stateful             bool         // see Stateful
	Unroll               bool         // changes nothing here: in Keras it says how the loop is compiled
	ZeroOutputForMask    bool         // a masked step's output is zero; otherwise it repeats the previous one
	Dropout              float64      // part of the input's values that training sets to zero
	RecurrentDropout     float64      // likewise of the state's
	Seed                 tensor.Float // of dropout; unset: the model's

	KernelRegularizer, RecurrentRegularizer, BiasRegularizer regularizers.Regularizer
	KernelConstraint, RecurrentConstraint, BiasConstraint    constraints.Constraint
}

// Class is "SimpleRNN".
func (SimpleRNN) Class() string { return "SimpleRNN" }

// GivenName is the name that the user gave.
func (l SimpleRNN) GivenName() string { return l.Name }

// Config implements Spec.
func (l SimpleRNN) Config() map[string]any { return common(l) }

// readSimpleRNN: Keras's class takes an activity regularizer and does nothing with it, so that its config has none.
func readSimpleRNN(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	l := readKeras(r)
	return SimpleRNN{
		Name: l.Name, Units: l.Units, Activation: l.Activation, NoBias: l.NoBias,
		KernelInitializer: l.KernelInitializer, RecurrentInitializer: l.RecurrentInitializer, BiasInitializer: l.BiasInitializer,
		ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards, Stateful: l.Stateful, Unroll: l.Unroll,
		ZeroOutputForMask: l.ZeroOutputForMask,
		Dropout:           l.Dropout, RecurrentDropout: l.RecurrentDropout, Seed: l.Seed,
		KernelRegularizer: l.KernelRegularizer, RecurrentRegularizer: l.RecurrentRegularizer, BiasRegularizer: l.BiasRegularizer,
		KernelConstraint: l.KernelConstraint, RecurrentConstraint: l.RecurrentConstraint, BiasConstraint: l.BiasConstraint,
	}
}

// Build checks the arguments and makes the weights.
func (l SimpleRNN) Build(b *Builder, in []Signature) (Layer, error) { return buildRecurrent(b, in, l) }

func (l SimpleRNN) recurrent() (Recurrent, string) {
	return Recurrent{
		Units: l.Units, Cell: cellNamed("simple_rnn"), Activation: l.Activation, NoBias: l.NoBias,
		KernelInitializer: l.KernelInitializer, RecurrentInitializer: l.RecurrentInitializer, BiasInitializer: l.BiasInitializer,
		ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards, Stateful: l.Stateful, Unroll: l.Unroll,
		ZeroOutputForMask: l.ZeroOutputForMask,
		Dropout:           l.Dropout, RecurrentDropout: l.RecurrentDropout, Seed: l.Seed,
		KernelRegularizer: l.KernelRegularizer, RecurrentRegularizer: l.RecurrentRegularizer, BiasRegularizer: l.BiasRegularizer,
		KernelConstraint: l.KernelConstraint, RecurrentConstraint: l.RecurrentConstraint, BiasConstraint: l.BiasConstraint,
	}, "simple_rnn_cell"
}
