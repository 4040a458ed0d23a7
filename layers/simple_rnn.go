package layers

import (
	_ "embed"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// simpleRNNCell is one step of SimpleRNN.
//
//go:embed cells/simple_rnn.cell
var simpleRNNCell string

// SimpleRNN is the fully connected recurrent network: output_t = activation(input_t·kernel + state_t·recurrent_kernel + bias),
// which is also the next state. Source: keras/src/layers/rnn/simple_rnn.py.
type SimpleRNN struct {
	Name                 string
	Units                int
	Activation           activations.Activation // unset: tanh
	NoBias               bool
	KernelInitializer    initializers.Initializer // unset: glorot_uniform
	RecurrentInitializer initializers.Initializer // unset: orthogonal
	BiasInitializer      initializers.Initializer // unset: zeros
	ReturnSequences      bool
	GoBackwards          bool
	ZeroOutputForMask    bool         // a masked step's output is zero; otherwise it repeats the previous one
	Dropout              float64      // part of the input's values that training sets to zero
	RecurrentDropout     float64      // likewise of the state's
	Seed                 tensor.Float // of dropout; unset: the model's
}

// Class is "SimpleRNN".
func (SimpleRNN) Class() string { return "SimpleRNN" }

// GivenName is the name that the user gave.
func (l SimpleRNN) GivenName() string { return l.Name }

// Config implements Spec.
func (l SimpleRNN) Config() map[string]any { return recurrentConfig(l) }

func readSimpleRNN(r *keras.Reader) Spec {
	l := readKeras(r)
	return SimpleRNN{
		Name: l.Name, Units: l.Units, Activation: l.Activation, NoBias: l.NoBias,
		KernelInitializer: l.KernelInitializer, RecurrentInitializer: l.RecurrentInitializer, BiasInitializer: l.BiasInitializer,
		ReturnSequences: l.ReturnSequences, GoBackwards: l.GoBackwards, ZeroOutputForMask: l.ZeroOutputForMask,
		Dropout: l.Dropout, RecurrentDropout: l.RecurrentDropout, Seed: l.Seed,
	}
}

// Build checks the arguments and makes the weights.
func (l SimpleRNN) Build(b *Builder, in []Signature) (Layer, error) { return buildKeras(b, in, l) }

func (l SimpleRNN) recurrent() (Recurrent, string) {
	return Recurrent{
		Units: l.Units, Cell: simpleRNNCell, Activation: l.Activation, NoBias: l.NoBias,
		KernelInitializer: l.KernelInitializer, RecurrentInitializer: l.RecurrentInitializer, BiasInitializer: l.BiasInitializer,
		ReturnSequences: l.ReturnSequences, GoBackwards: l.GoBackwards, ZeroOutputForMask: l.ZeroOutputForMask,
		Dropout: l.Dropout, RecurrentDropout: l.RecurrentDropout, Seed: l.Seed,
	}, "simple_rnn_cell"
}
