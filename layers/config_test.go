package layers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// through is the layer after a way through a file.
func through(t *testing.T, s layers.Spec, name string) (layers.Spec, map[string]any) {
	t.Helper()
	o := layers.Serialize(s, name, layers.Signature{Shape: tensor.Shape{tensor.None, tensor.None, 4}}, true)
	text, err := keras.Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := keras.Decode("layer", text)
	if err != nil {
		t.Fatal(err)
	}
	read, err := keras.ParseObject("layer", m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := layers.FromConfig("layer", read)
	if err != nil {
		t.Fatal(err)
	}
	return got, m
}

// A layer that says everything itself is the same after a way through a file; one of defaults comes back with the defaults said.
func TestConfigRoundTrip(t *testing.T) {
	kernel, recurrent, bias := initializers.HeNormal{}, initializers.Orthogonal{Gain: tensor.F(0.5)}, initializers.Constant{Value: 0.25}
	for _, s := range []layers.Spec{
		layers.Input{Name: "x", Shape: tensor.Shape{tensor.None, 7}},
		layers.Input{Name: "x", Shape: tensor.Shape{9}, IDs: true},
		layers.Input{Name: "x", Shape: tensor.Shape{1}, Text: true},
		layers.Embedding{Name: "x", InputDim: 12, OutputDim: 3, EmbeddingsInitializer: kernel, MaskZero: true},
		layers.SimpleRNN{Name: "x", Units: 3, Activation: activations.ReLU, NoBias: true, KernelInitializer: kernel, RecurrentInitializer: recurrent,
			BiasInitializer: bias, ReturnSequences: true, GoBackwards: true, ZeroOutputForMask: true, Dropout: 0.25, RecurrentDropout: 0.5, Seed: tensor.F(3)},
		layers.LSTM{Name: "x", Units: 3, Activation: activations.Linear, RecurrentActivation: activations.HardSigmoid, NoBias: true, NoUnitForgetBias: true,
			KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias, ReturnSequences: true, GoBackwards: true,
			ZeroOutputForMask: true, Dropout: 0.25, RecurrentDropout: 1, Seed: tensor.F(1 << 53)},
		layers.GRU{Name: "x", Units: 3, Activation: activations.ELU, RecurrentActivation: activations.HardSigmoid, NoBias: true, NoResetAfter: true,
			KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias, ReturnSequences: true, GoBackwards: true,
			ZeroOutputForMask: true, Dropout: 0.25, RecurrentDropout: 0.5, Seed: tensor.F(0)},
		layers.Recurrent{Name: "x", Units: 3, Cell: "output_t = tanh(dot(input_t, W) + dot(state_t, U))\n# <end>", Sizes: map[string]int{"P": 5},
			Activation: activations.ELU, RecurrentActivation: activations.ReLU, NoBias: true,
			KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias, ReturnSequences: true, GoBackwards: true,
			ZeroOutputForMask: true, Dropout: 0.25, RecurrentDropout: 0.5, Seed: tensor.F(4)},
		layers.Dense{Name: "x", Units: 3, Activation: activations.Softmax, NoBias: true, KernelInitializer: kernel, BiasInitializer: bias},
		layers.Dropout{Name: "x", Rate: 0.125},
		layers.Bidirectional{Name: "x", MergeMode: "ave", Layer: layers.SimpleRNN{Name: "y", Units: 3, Activation: activations.ReLU, NoBias: true,
			KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias, ReturnSequences: true, Dropout: 0.25, RecurrentDropout: 0.5, Seed: tensor.F(4)}},
		layers.Bidirectional{Name: "x", MergeMode: "concat", Layer: layers.LSTM{Name: "y", Units: 3, Activation: activations.Tanh, RecurrentActivation: activations.Sigmoid,
			KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias, GoBackwards: true},
			BackwardLayer: layers.SimpleRNN{Name: "z", Units: 2, Activation: activations.ReLU, KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias}},
		layers.GRU{Name: "x", Units: 3, Activation: activations.ELU, RecurrentActivation: activations.HardSigmoid, KernelInitializer: kernel, RecurrentInitializer: recurrent,
			BiasInitializer: bias, ReturnState: true, Stateful: true, Unroll: true},
		layers.RNN{Name: "x", ReturnSequences: true, ReturnState: true, GoBackwards: true, Stateful: true, Unroll: true, ZeroOutputForMask: true,
			ActivityRegularizer: regularizers.L2{L2: tensor.F(0.5)}, StackName: "pile", Cells: []layers.Spec{
				layers.SimpleRNN{Name: "low", Units: 3, Activation: activations.ReLU, NoBias: true, KernelInitializer: kernel, RecurrentInitializer: recurrent,
					BiasInitializer: bias, Dropout: 0.25, RecurrentDropout: 0.5, Seed: tensor.F(3)},
				layers.Recurrent{Name: "high", Units: 2, Cell: "output_t = tanh(dot(input_t, W) + dot(state_t, U))", Activation: activations.ELU,
					RecurrentActivation: activations.ReLU, KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias}}},
		layers.Bidirectional{Name: "x", MergeMode: "none", ActivityRegularizer: regularizers.L2{L2: tensor.F(0.5)}, Layer: layers.RNN{Name: "y", Cell: layers.LSTM{Name: "c", Units: 3,
			Activation: activations.Tanh, RecurrentActivation: activations.Sigmoid, KernelInitializer: kernel, RecurrentInitializer: recurrent, BiasInitializer: bias}}},
	} {
		got, _ := through(t, s, "x")
		if d := cmp.Diff(s, got, cmp.AllowUnexported(tensor.Float{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", s.Class(), d)
		}
	}
	for _, s := range []layers.Spec{
		layers.Embedding{InputDim: 12, OutputDim: 3}, layers.SimpleRNN{Units: 3}, layers.LSTM{Units: 3}, layers.GRU{Units: 3},
		layers.LectureLSTM(3), layers.PeepholeLSTM(3), layers.ProjectedLSTM(3, 2), layers.LayerNormLSTM(3), layers.MinimalGatedUnit(3),
		layers.CoupledLSTM(3), layers.IRNN(3), layers.Dense{Units: 3}, layers.Dropout{}, layers.Bidirectional{Layer: layers.LSTM{Units: 2}},
		layers.Bidirectional{Layer: layers.LectureLSTM(2), MergeMode: "sum"},
		layers.Bidirectional{Layer: layers.GRU{Units: 2}, BackwardLayer: layers.LSTM{Units: 3, GoBackwards: true}},
	} {
		got, first := through(t, s, "given_name")
		if name := got.GivenName(); name != "given_name" {
			t.Errorf("%s: expected the name given_name, got %q", s.Class(), name)
		}
		if got.Class() != s.Class() {
			t.Errorf("%s: comes back as %s", s.Class(), got.Class())
		}
		_, second := through(t, got, "given_name")
		if d := cmp.Diff(first, second); d != "" {
			t.Errorf("%s: the second way through a file changes it (-first +second):\n%s", s.Class(), d)
		}
	}
}

// The two layers of a Bidirectional are one layer in two directions, or two that fit each other; anything else is refused.
func TestBidirectionalConfig(t *testing.T) {
	plain := layers.Bidirectional{Layer: layers.GRU{Units: 2, ReturnSequences: true}}
	for name, c := range map[string]struct {
		edit func(c map[string]any)
		want string
	}{
		"no backward layer": {func(c map[string]any) { delete(c, "backward_layer") }, ""},
		"other initializers": {func(c map[string]any) {
			inner(c, "backward_layer")["kernel_initializer"] = "he_normal"
		}, ""},
		"another width":   {func(c map[string]any) { inner(c, "backward_layer")["units"] = 3 }, ""},
		"dropout in one":  {func(c map[string]any) { inner(c, "layer")["dropout"] = 0.5 }, ""},
		"no layer":        {func(c map[string]any) { delete(c, "layer") }, "expected a recurrent layer"},
		"a Dense":         {func(c map[string]any) { c["layer"] = denseObject() }, "layer.config.layer: expected a recurrent layer, got Dense"},
		"a Dense back":    {func(c map[string]any) { c["backward_layer"] = denseObject() }, "layer.config.backward_layer: expected a recurrent layer, got Dense"},
		"two forwards":    {func(c map[string]any) { inner(c, "backward_layer")["go_backwards"] = false }, "keras: layer: layers: Bidirectional: expected a backward layer that goes the other way, got two that go forwards"},
		"two backwards":   {func(c map[string]any) { inner(c, "layer")["go_backwards"] = true }, "expected a backward layer that goes the other way, got two that go backwards"},
		"sequence and no": {func(c map[string]any) { inner(c, "backward_layer")["return_sequences"] = false }, "expected two layers that agree in return_sequences, got true and false"},
		"only backwards": {func(c map[string]any) {
			inner(c, "layer")["go_backwards"] = true
			delete(c, "backward_layer")
		}, "expected a layer that goes forwards, since its copy goes backwards, got go_backwards"},
		"two first names":     {func(c map[string]any) { inner(c, "backward_layer")["name"] = "forward_gru" }, `whose name does not begin with forward_, got "forward_gru"`},
		"a rate of 2":         {func(c map[string]any) { inner(c, "layer")["dropout"] = 2 }, "layer.config.layer.config.dropout: expected a number from 0 to 1, got 2"},
		"a seed below 0":      {func(c map[string]any) { inner(c, "layer")["seed"] = -1 }, "layer.config.layer.config.seed"},
		"half trained":        {func(c map[string]any) { inner(c, "layer")["trainable"] = false }, "layer.config.layer.config.trainable: expected true"},
		"a pair as result":    {func(c map[string]any) { c["merge_mode"] = nil }, ""},
		"an unknown merging":  {func(c map[string]any) { c["merge_mode"] = "max" }, `layer.config.merge_mode: expected "concat", "sum", "mul", "ave" or null, got "max"`},
		"states and no":       {func(c map[string]any) { inner(c, "layer")["return_state"] = true }, "expected two layers that agree in return_state, got true and false"},
		"half stateful":       {func(c map[string]any) { inner(c, "backward_layer")["stateful"] = true }, "expected two layers that agree in stateful, got false and true"},
		"a Lambda":            {func(c map[string]any) { c["layer"].(*keras.Object).Class = "Lambda" }, "Python code"},
		"weights in the file": {func(c map[string]any) { c["weights"] = []any{} }, `unknown key "weights"`},
	} {
		o := layers.Serialize(plain, "b", layers.Signature{Shape: tensor.Shape{tensor.None, tensor.None, 4}}, true)
		c.edit(o.Config)
		text, err := keras.Encode(o)
		if err != nil {
			t.Fatal(err)
		}
		m, err := keras.Decode("layer", text)
		if err != nil {
			t.Fatal(err)
		}
		read, err := keras.ParseObject("layer", m)
		if err == nil {
			_, err = layers.FromConfig("layer", read)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: expected error %q, got %v", name, c.want, err)
		}
	}
}

func inner(c map[string]any, key string) map[string]any { return c[key].(*keras.Object).Config }

func denseObject() *keras.Object {
	return layers.Serialize(layers.Dense{Units: 1}, "d", layers.Signature{Shape: tensor.Shape{tensor.None, 4}}, true)
}
