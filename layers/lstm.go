package layers

import (
	"strings"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// LSTM is the long short-term memory of Keras: gates i, f, o with RecurrentActivation, candidate and output with Activation,
// states h and c. Source: keras/src/layers/rnn/lstm.py.
type LSTM struct {
	Name                 string
	Units                int
	Activation           activations.Activation // unset: tanh
	RecurrentActivation  activations.Activation // unset: sigmoid
	NoBias               bool
	NoUnitForgetBias     bool                     // the forget gate's bias starts as the others do, not at 1
	KernelInitializer    initializers.Initializer // unset: glorot_uniform
	RecurrentInitializer initializers.Initializer // unset: orthogonal
	BiasInitializer      initializers.Initializer // unset: zeros
	ReturnSequences      bool
	ReturnState          bool // adds the states after the last step to the outputs, h before c
	GoBackwards          bool
	Stateful             bool         // see Stateful
	Unroll               bool         // changes nothing here: in Keras it says how the loop is compiled
	ZeroOutputForMask    bool         // a masked step's output is zero; otherwise it repeats the previous one
	Dropout              float64      // part of the input's values that training sets to zero
	RecurrentDropout     float64      // likewise of the state's
	Seed                 tensor.Float // of dropout; unset: the model's

	KernelRegularizer, RecurrentRegularizer, BiasRegularizer regularizers.Regularizer
	ActivityRegularizer                                      regularizers.Regularizer // of the output
	KernelConstraint, RecurrentConstraint, BiasConstraint    constraints.Constraint
}

// Class is "LSTM".
func (LSTM) Class() string { return "LSTM" }

// GivenName is the name that the user gave.
func (l LSTM) GivenName() string { return l.Name }

// Config implements Spec.
func (l LSTM) Config() map[string]any {
	c := gatedConfig(l)
	c["unit_forget_bias"] = !l.NoUnitForgetBias
	return c
}

func readLSTM(r *keras.Reader) Spec {
	l := readGated(r)
	return LSTM{
		Name: l.Name, Units: l.Units, Activation: l.Activation, RecurrentActivation: l.RecurrentActivation, NoBias: l.NoBias,
		NoUnitForgetBias:  !r.Bool("unit_forget_bias", true),
		KernelInitializer: l.KernelInitializer, RecurrentInitializer: l.RecurrentInitializer, BiasInitializer: l.BiasInitializer,
		ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards, Stateful: l.Stateful, Unroll: l.Unroll,
		ZeroOutputForMask: l.ZeroOutputForMask,
		Dropout:           l.Dropout, RecurrentDropout: l.RecurrentDropout, Seed: l.Seed,
		KernelRegularizer: l.KernelRegularizer, RecurrentRegularizer: l.RecurrentRegularizer, BiasRegularizer: l.BiasRegularizer,
		ActivityRegularizer: l.ActivityRegularizer,
		KernelConstraint:    l.KernelConstraint, RecurrentConstraint: l.RecurrentConstraint, BiasConstraint: l.BiasConstraint,
	}
}

// Build checks the arguments and makes the weights.
func (l LSTM) Build(b *Builder, in []Signature) (Layer, error) { return buildRecurrent(b, in, l) }

func (l LSTM) recurrent() (Recurrent, string) {
	text := cellNamed("lstm")
	if l.NoUnitForgetBias {
		text = strings.Replace(text, "param bias.f init=ones\n", "", 1)
	}
	return Recurrent{
		Units: l.Units, Cell: text, Activation: l.Activation, RecurrentActivation: l.RecurrentActivation, NoBias: l.NoBias,
		KernelInitializer: l.KernelInitializer, RecurrentInitializer: l.RecurrentInitializer, BiasInitializer: l.BiasInitializer,
		ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards, Stateful: l.Stateful, Unroll: l.Unroll,
		ZeroOutputForMask: l.ZeroOutputForMask,
		Dropout:           l.Dropout, RecurrentDropout: l.RecurrentDropout, Seed: l.Seed,
		KernelRegularizer: l.KernelRegularizer, RecurrentRegularizer: l.RecurrentRegularizer, BiasRegularizer: l.BiasRegularizer,
		ActivityRegularizer: l.ActivityRegularizer,
		KernelConstraint:    l.KernelConstraint, RecurrentConstraint: l.RecurrentConstraint, BiasConstraint: l.BiasConstraint,
	}, "lstm_cell"
}
