package activations

import (
	"errors"

	"github.com/unroll-ml/unroll/internal/keras"
)

// names are all activations, in the order of their declaration.
func names() []string {
	return []string{"linear", "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "softplus", "softsign",
		"tanh", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "sigmoid", "hard_sigmoid", "log_sigmoid", "mish", "squareplus",
		"sparse_plus", "sparse_sigmoid", "exponential", "softmax", "log_softmax", "sparsemax", "glu", "swish", "hard_swish", "hard_sigmoid_keras2"}
}

// ByName is the activation of that Keras name; swish and hard_swish are silu and hard_silu. The error names what is near.
func ByName(name string) (Activation, error) {
	a := Activation(Activation(name).Name())
	if a.Elementwise() || a.rowwise() {
		return a, nil
	}
	if name == "threshold" {
		return "", errors.New("activations: threshold has arguments without defaults, so Keras takes no such name either; expected another activation")
	}
	return "", keras.Unknown("activations", "an activation", name, names())
}

// Check fails on a name that ByName refuses; unset is fine.
func (a Activation) Check() error {
	if a == "" {
		return nil
	}
	_, err := ByName(string(a))
	return err
}
