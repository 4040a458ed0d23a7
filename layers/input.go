package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Input says what comes into a model, where the first layer cannot tell: the shape of one row, tensor.None for an open axis.
// Keras: keras.Input, keras.layers.InputLayer.
type Input struct {
	Name  string
	Shape tensor.Shape // without the batch
	IDs   bool         // integers
	Text  bool         // texts, for a TextVectorization; Keras: dtype="string"
}

// Class is "InputLayer".
func (Input) Class() string { return "InputLayer" }

// GivenName is the name that the user gave.
func (l Input) GivenName() string { return l.Name }

// Signature is what the layer promises to the next.
func (l Input) Signature() Signature {
	return Signature{Shape: append(tensor.Shape{tensor.None}, l.Shape...), IDs: l.IDs, Text: l.Text}
}

// Config implements Spec.
func (l Input) Config() map[string]any {
	c := map[string]any{"batch_shape": keras.AxesOf(l.Signature().Shape), "dtype": "float32", "sparse": false, "ragged": false,
		"name": l.Name, "optional": false}
	switch {
	case l.IDs:
		c["dtype"] = "int32"
	case l.Text:
		c["dtype"] = "string"
	}
	if l.Name == "" {
		c["name"] = "input_layer"
	}
	return c
}

// readInput leaves the batch axis out, which Keras fixes at the first batch's size when nobody said what comes in.
func readInput(r *keras.Reader) Spec {
	shape := r.Axes("batch_shape")
	r.Only("sparse", false)
	r.Only("ragged", false)
	r.Only("optional", false)
	l := Input{Name: r.String("name", "")}
	l.IDs, l.Text = inputDType(r)
	if r.Err() == nil && len(shape) < 2 && !(l.Text && len(shape) == 1) {
		r.Fail("batch_shape", "a list of at least two axes, the batch first")
		return nil
	}
	if len(shape) > 0 {
		l.Shape = tensor.Shape(shape[1:])
	}
	for _, n := range l.Shape {
		if n > maxAxis {
			r.Fail("batch_shape", fmt.Sprintf("axes up to %d", maxAxis))
		}
	}
	return l
}

// Build fails: an Input has no place but the first, where the model reads it.
func (l Input) Build(*Builder, []Signature) (Layer, error) {
	return nil, fmt.Errorf("layers: Input: must be the first layer of a model")
}
