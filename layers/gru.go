package layers

import (
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// GRU is the gated recurrent unit of Keras: gates z and r with RecurrentActivation, candidate h with Activation; z keeps the old
// state. Source: keras/src/layers/rnn/gru.py.
type GRU struct {
	Name                 string
	Units                int
	Activation           activations.Activation // unset: tanh
	RecurrentActivation  activations.Activation // unset: sigmoid
	NoBias               bool
	NoResetAfter         bool                     // the reset gate acts on the state before the product, not on the product
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
	ActivityRegularizer                                      regularizers.Regularizer // of the output
	KernelConstraint, RecurrentConstraint, BiasConstraint    constraints.Constraint
}

// Class is "GRU".
func (GRU) Class() string { return "GRU" }

// GivenName is the name that the user gave.
func (l GRU) GivenName() string { return l.Name }

// Config implements Spec.
func (l GRU) Config() map[string]any {
	c := gatedConfig(l)
	c["reset_after"] = !l.NoResetAfter
	return c
}

func readGRU(r *keras.Reader) Spec {
	l := readGated(r)
	return GRU{
		Name: l.Name, Units: l.Units, Activation: l.Activation, RecurrentActivation: l.RecurrentActivation, NoBias: l.NoBias,
		NoResetAfter:      !r.Bool("reset_after", true),
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
func (l GRU) Build(b *Builder, in []Signature) (Layer, error) { return buildRecurrent(b, in, l) }

func (l GRU) recurrent() (Recurrent, string) {
	text := cellNamed("gru")
	if l.NoResetAfter {
		text = cellNamed("gru_reset_before")
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
	}, "gru_cell"
}
