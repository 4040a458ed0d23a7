package layers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// maxAxis bounds a width that a config declares, so that the size of a matrix between two of them fits an int.
const maxAxis = 1 << 28

// Serialize is the layer as a `.keras` file has it: under its name in the model, with the shape of its input (more are the inputs after the
// first), and with whether its weights are trained.
func Serialize(s Spec, name string, in Signature, trainable bool, more ...Signature) *keras.Object {
	o := &keras.Object{Module: "keras.layers", Class: s.Class(), Config: s.Config()}
	o.Config["name"] = name
	if _, ok := s.(Input); ok {
		return o // has no weights, and is built from its config
	}
	if _, ok := s.(Recurrent); ok {
		o.Module, o.RegisteredName = "unroll", "unroll>Recurrent"
	}
	if _, ok := s.(SpatialDropout1D); ok {
		return o // knows no more arguments than its config has
	}
	o.Config["trainable"] = trainable
	if _, ok := s.(shapeless); ok {
		return o
	}
	o.Build = buildConfig(s, in, more)
	if d, ok := s.(TimeDistributed); ok {
		o.Config["layer"] = d.part(in, trainable)
		return o
	}
	setTrainable(o, trainable)
	switch s := s.(type) {
	case RNN:
		s.setBuild(o, in)
	case Bidirectional:
		s.setBuild(o, in)
	}
	return o
}

// setTrainable says of a layer and all its parts whether their weights are trained.
func setTrainable(o *keras.Object, trainable bool) {
	o.Config["trainable"] = trainable
	for _, key := range []string{"layer", "backward_layer", "cell"} {
		if part, ok := o.Config[key].(*keras.Object); ok {
			setTrainable(part, trainable)
		}
	}
	cells, _ := o.Config["cells"].([]any)
	for _, c := range cells {
		setTrainable(c.(*keras.Object), trainable)
	}
}

// buildConfig is the shapes that Keras builds a layer with.
func buildConfig(s Spec, in Signature, more []Signature) map[string]any {
	several, ok := s.(Several)
	if !ok && (len(more) == 0 || !IsRecurrent(s)) {
		return inputShape(in.Shape)
	}
	var list []any
	for _, s := range append([]Signature{in}, more...) {
		list = append(list, keras.AxesOf(s.Shape))
	}
	if !ok {
		return map[string]any{"shapes_dict": map[string]any{"sequences_shape": list[0], "initial_state_shape": NestStates(s, list[1:])}}
	}
	names := several.InputNames()
	if names == nil {
		return map[string]any{"input_shape": list}
	}
	shapes := map[string]any{}
	for i, shape := range list {
		shapes[names[i]+"_shape"] = shape
	}
	return map[string]any{"shapes_dict": shapes}
}

// inputShape is that of a layer of one input.
func inputShape(s tensor.Shape) map[string]any { return map[string]any{"input_shape": keras.AxesOf(s)} }

// shapeless are the layers that Keras builds without a shape.
type shapeless interface{ shapeless() }

// FromConfig is the layer that a `.keras` file has at path. What says how a layer computes and is not offered here is an error
// with its path and value. Whether the layer's weights are trained, trainable in the config, is left to the model.
func FromConfig(path string, o *keras.Object) (Spec, error) {
	r := keras.Read(path+".config", o.Config)
	class := o.Class
	if o.RegisteredName != "" {
		class = o.RegisteredName // somebody's own class, whatever its last name
	}
	if own, ok := strings.CutPrefix(class, "unroll>"); ok && (own == "Recurrent" || slices.Contains(classes(), own)) {
		class = "Recurrent" // the equations say which
	}
	known := readers()
	read, ok := known[class]
	if !ok {
		if class == "Lambda" {
			return nil, fmt.Errorf("layers: %s: a Lambda layer is Python code, which is not run here", path)
		}
		return nil, fmt.Errorf("layers: %s: expected a layer that is offered here, one of %s, got %q", path,
			strings.Join(slices.Sorted(maps.Keys(known)), ", "), class)
	}
	s := read(r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	return s, nil
}

// readers are how the classes' configs are read.
func readers() map[string]func(*keras.Reader) Spec {
	return map[string]func(*keras.Reader) Spec{
		"InputLayer": readInput, "Embedding": readEmbedding, "Dense": readDense,
		"SimpleRNN": readSimpleRNN, "LSTM": readLSTM, "GRU": readGRU, "Recurrent": readRecurrent, "RNN": readRNN, "Bidirectional": readBidirectional,
		"Activation": readActivation, "Masking": readMasking, "TimeDistributed": readTimeDistributed,
		"Dropout": readDropout, "SpatialDropout1D": readSpatialDropout1D, "GaussianNoise": readGaussianNoise, "GaussianDropout": readGaussianDropout,
		"LayerNormalization": readLayerNormalization, "BatchNormalization": readBatchNormalization,
		"Normalization": readNormalization, "Rescaling": readRescaling, "TextVectorization": readTextVectorization,
		"GlobalMaxPooling1D": readGlobalMaxPooling1D, "GlobalAveragePooling1D": readGlobalAveragePooling1D,
		"MaxPooling1D": readMaxPooling1D, "AveragePooling1D": readAveragePooling1D, "Conv1D": readConv1D,
		"Add": readMerging(func(name string) Spec { return Add{name} }), "Subtract": readMerging(func(name string) Spec { return Subtract{name} }),
		"Multiply": readMerging(func(name string) Spec { return Multiply{name} }), "Average": readMerging(func(name string) Spec { return Average{name} }),
		"Maximum": readMerging(func(name string) Spec { return Maximum{name} }), "Minimum": readMerging(func(name string) Spec { return Minimum{name} }),
		"Concatenate": readConcatenate, "Dot": readDot, "Attention": readAttention, "AdditiveAttention": readAdditiveAttention,
		"MultiHeadAttention": readMultiHeadAttention,
		"RepeatVector":       readRepeatVector, "Flatten": readFlatten, "Reshape": readReshape, "Permute": readPermute,
	}
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

// regularizer reads a regularizer; absent or null is none.
func regularizer(r *keras.Reader, key string) regularizers.Regularizer {
	o := r.Object(key)
	if o == nil {
		return nil
	}
	g, err := regularizers.FromConfig("config", o.Class, o.Config)
	if err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", r.Path(key), err))
		return nil
	}
	return g
}

// constraint reads a constraint; absent or null is none.
func constraint(r *keras.Reader, key string) constraints.Constraint {
	o := r.Object(key)
	if o == nil {
		return nil
	}
	c, err := constraints.FromConfig("config", o.Class, o.Config)
	if err != nil {
		r.Keep(fmt.Errorf("keras: %s: %w", r.Path(key), err))
		return nil
	}
	return c
}

// seedConfig is a seed as Keras has it: a number, or null.
func seedConfig(s tensor.Float) any {
	if !s.IsSet() {
		return nil
	}
	return uint64(s.Or(0))
}

// holds writes the regularizer and the constraint of a weight.
func holds(c map[string]any, called string, r regularizers.Regularizer, k constraints.Constraint) {
	c[called+"_regularizer"], c[called+"_constraint"] = regularizers.Object(r), constraints.Object(k)
}

// activityConfig writes an activity regularizer as Keras's base of all layers does: when there is one.
func activityConfig(c map[string]any, r regularizers.Regularizer) {
	if r != nil {
		c["activity_regularizer"] = regularizers.Object(r)
	}
}

// dataFormat reads "channels_last" or "channels_first"; absent or null is the former, which is "" here.
func dataFormat(r *keras.Reader) string {
	switch f := r.String("data_format", channelsLast); f {
	case channelsLast:
		return ""
	case channelsFirst:
		return f
	}
	r.Fail("data_format", `"channels_last" or "channels_first"`)
	return ""
}

// one reads a number that Keras writes as a list of one.
func one(r *keras.Reader, key string) int {
	if _, list := r.Value(key).([]any); !list {
		return r.Int(key)
	}
	v := r.Ints(key)
	if r.Err() == nil && len(v) != 1 {
		r.Fail(key, "one integer")
	}
	if len(v) != 1 {
		return 0
	}
	return v[0]
}

// inputDType is the type of a model's input in its file; Keras casts ids to int32 where they are looked up.
func inputDType(r *keras.Reader) (ids, text bool) {
	switch t := r.String("dtype", "float32"); t {
	case "float32":
	case "int32", "int64":
		ids = true
	case "string":
		text = true
	default:
		r.Fail("dtype", "float32, int32, int64 or string")
	}
	return ids, text
}

// checkActivity fails where the activity regularizer does not fit what the layer returns.
func checkActivity(class string, r regularizers.Regularizer, l Layer, in []Signature) error {
	if r == nil {
		return nil
	}
	out, err := l.Output(in)
	if err == nil {
		err = r.Check(out[0].Shape)
	}
	if err != nil {
		return fmt.Errorf("layers: %s: activity_regularizer: %w", class, err)
	}
	return nil
}
