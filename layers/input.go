package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
)

// Input says what comes into a model, where the first layer cannot tell: the shape of one row, tensor.None for an open axis.
// Keras: keras.Input, keras.layers.InputLayer.
type Input struct {
	Name  string
	Shape tensor.Shape // without the batch
	IDs   bool         // integers
}

// Class is "InputLayer".
func (Input) Class() string { return "InputLayer" }

// GivenName is the name that the user gave.
func (l Input) GivenName() string { return l.Name }

// Signature is what the layer promises to the next.
func (l Input) Signature() Signature {
	return Signature{Shape: append(tensor.Shape{tensor.None}, l.Shape...), IDs: l.IDs}
}

// Build fails: an Input has no place but the first, where the model reads it.
func (l Input) Build(*Builder, []Signature) (Layer, error) {
	return nil, fmt.Errorf("layers: Input: must be the first layer of a model")
}
