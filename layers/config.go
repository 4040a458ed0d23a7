package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
)

// maxAxis bounds a width that a config declares, so that the size of a matrix between two of them fits an int.
const maxAxis = 1 << 28

// Serialize is the layer as a `.keras` file has it: under its name in the model, with the shape of its input, and with whether
// its weights are trained.
func Serialize(s Spec, name string, in Signature, trainable bool) *keras.Object {
	o := &keras.Object{Module: "keras.layers", Class: s.Class(), Config: s.Config()}
	o.Config["name"] = name
	if _, ok := s.(Input); ok {
		return o // has no weights, and is built from its config
	}
	if _, ok := s.(Recurrent); ok {
		o.Module, o.RegisteredName = "unroll", "unroll>Recurrent"
	}
	o.Config["trainable"] = trainable
	if _, ok := s.(Dropout); ok {
		return o // is built without a shape
	}
	o.Build = map[string]any{"input_shape": keras.AxesOf(in.Shape)}
	for _, key := range []string{"layer", "backward_layer"} {
		if part, ok := o.Config[key].(*keras.Object); ok {
			part.Build, part.Config["trainable"] = o.Build, trainable
		}
	}
	return o
}

// FromConfig is the layer that a `.keras` file has at path. What says how a layer computes and is not offered here is an error
// with its path and value. Whether the layer's weights are trained, trainable in the config, is left to the model.
func FromConfig(path string, o *keras.Object) (Spec, error) {
	r := keras.Read(path+".config", o.Config)
	class := o.Class
	if o.RegisteredName != "" && o.RegisteredName != "unroll>Recurrent" {
		class = o.RegisteredName // somebody's own class, whatever its last name
	}
	var s Spec
	switch class {
	case "InputLayer":
		s = readInput(r)
	case "Embedding":
		s = readEmbedding(r)
	case "SimpleRNN":
		s = readSimpleRNN(r)
	case "LSTM":
		s = readLSTM(r)
	case "GRU":
		s = readGRU(r)
	case "Recurrent":
		s = readRecurrent(r)
	case "Bidirectional":
		s = readBidirectional(r)
	case "Dense":
		s = readDense(r)
	case "Dropout":
		s = readDropout(r)
	case "Lambda":
		return nil, fmt.Errorf("layers: %s: a Lambda layer is Python code, which is not run here", path)
	default:
		return nil, fmt.Errorf("layers: %s: expected a layer that is offered here, one of Bidirectional, Dense, Dropout, Embedding, GRU, "+
			"InputLayer, LSTM, Recurrent, SimpleRNN, got %q", path, class)
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return s, nil
}

// config are the keys that every layer writes.
func config(s Spec) map[string]any {
	return map[string]any{"name": layerName(s), "trainable": true, "dtype": keras.Float32Policy()}
}

func layerName(s Spec) string {
	if name := s.GivenName(); name != "" {
		return name
	}
	return keras.Snake(s.Class())
}

// base reads the keys that every layer has and returns its name.
func base(r *keras.Reader) string {
	r.Bool("trainable", true)
	r.Float32("dtype")
	return r.String("name", "")
}

// none are keys that Keras writes as null, which is all that is supported.
func none(c map[string]any, keys ...string) {
	for _, k := range keys {
		c[k] = nil
	}
}

// onlyNone reads such keys.
func onlyNone(r *keras.Reader, keys ...string) {
	for _, k := range keys {
		r.Only(k, nil)
	}
}

// axis reads a width.
func axis(r *keras.Reader, key string) int {
	n := r.Int(key)
	if r.Err() == nil && (n <= 0 || n > maxAxis) {
		r.Fail(key, fmt.Sprintf("an integer from 1 to %d", maxAxis))
	}
	return n
}

// activation reads the name of a function; null is linear, absent the layer's default.
func activation(r *keras.Reader, key string) activations.Activation {
	if !r.Has(key) {
		return ""
	}
	if r.Null(key) {
		return activations.Linear
	}
	name := r.Function(key)
	if r.Err() != nil {
		return ""
	}
	a, err := activations.ByName(name)
	if err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", r.Path(key), err))
	}
	return a
}

// initializer reads an initializer; absent or null is the layer's default.
func initializer(r *keras.Reader, key string) initializers.Initializer {
	o := r.Object(key)
	if o == nil {
		return nil
	}
	i, err := initializers.FromConfig("config", o.Class, o.Config)
	if err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", r.Path(key), err))
		return nil
	}
	return i
}

// inputDType is the type of a model's input in its file; Keras casts ids to int32 where they are looked up.
func inputDType(r *keras.Reader) (ids bool) {
	switch t := r.String("dtype", "float32"); t {
	case "float32":
	case "int32", "int64":
		ids = true
	default:
		r.Fail("dtype", "float32, int32 or int64")
	}
	return ids
}
