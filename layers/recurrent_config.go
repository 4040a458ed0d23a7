package layers

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
)

// common are the keys that all recurrent layers have, ours included.
func common(s recurrentSpec) map[string]any {
	l, _ := s.recurrent()
	c := config(s)
	c["units"], c["use_bias"] = l.Units, !l.NoBias
	c["activation"] = l.Activation.Or(activations.Tanh).Name()
	c["kernel_initializer"] = initializers.Object(or(l.KernelInitializer, initializers.GlorotUniform{}))
	c["recurrent_initializer"] = initializers.Object(or(l.RecurrentInitializer, initializers.Orthogonal{}))
	c["bias_initializer"] = initializers.Object(or(l.BiasInitializer, initializers.Zeros{}))
	c["return_sequences"], c["go_backwards"] = l.ReturnSequences, l.GoBackwards
	return c
}

func readCommon(r *keras.Reader) Recurrent {
	return Recurrent{
		Name: base(r), Units: axis(r, "units"), Activation: activation(r, "activation"), NoBias: !r.Bool("use_bias", true),
		KernelInitializer:    initializer(r, "kernel_initializer"),
		RecurrentInitializer: initializer(r, "recurrent_initializer"),
		BiasInitializer:      initializer(r, "bias_initializer"),
		ReturnSequences:      r.Bool("return_sequences", false), GoBackwards: r.Bool("go_backwards", false),
	}
}

// recurrentConfig is the config of one of Keras's recurrent layers, with what is not offered here switched off.
func recurrentConfig(s recurrentSpec) map[string]any {
	c := common(s)
	c["return_state"], c["stateful"], c["unroll"], c["zero_output_for_mask"] = false, false, false, false
	c["dropout"], c["recurrent_dropout"] = 0.0, 0.0
	none(c, "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
		"kernel_constraint", "recurrent_constraint", "bias_constraint")
	return c
}

// readKeras reads the config of one of Keras's recurrent layers.
func readKeras(r *keras.Reader) Recurrent {
	for _, off := range []string{"return_state", "stateful", "zero_output_for_mask"} {
		r.Only(off, false)
	}
	r.Only("dropout", 0.0)
	r.Only("recurrent_dropout", 0.0)
	onlyNone(r, "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
		"kernel_constraint", "recurrent_constraint", "bias_constraint")
	// How Keras runs the loop, and the seed of a dropout that is not there.
	r.Ignore("unroll", "implementation", "seed")
	return readCommon(r)
}

// gatedConfig is recurrentConfig for LSTM and GRU.
func gatedConfig(s recurrentSpec) map[string]any {
	l, _ := s.recurrent()
	c := recurrentConfig(s)
	c["recurrent_activation"] = l.RecurrentActivation.Or(activations.Sigmoid).Name()
	c["seed"] = nil
	return c
}

func readGated(r *keras.Reader) Recurrent {
	l := readKeras(r)
	l.RecurrentActivation = activation(r, "recurrent_activation")
	return l
}

// Config implements Spec. Keras has no such class; the equations stand in the config.
func (l Recurrent) Config() map[string]any {
	c := common(l)
	c["recurrent_activation"] = l.RecurrentActivation.Or(activations.Sigmoid).Name()
	c["cell"] = l.Cell
	sizes := make(map[string]any, len(l.Sizes))
	for name, n := range l.Sizes {
		sizes[name] = n
	}
	c["sizes"] = sizes
	return c
}

func readRecurrent(r *keras.Reader) Spec {
	l := readCommon(r)
	l.RecurrentActivation = activation(r, "recurrent_activation")
	l.Cell = r.String("cell")
	if sizes := r.Map("sizes"); len(sizes) > 0 {
		l.Sizes = make(map[string]int, len(sizes))
		s := keras.Read(r.Path("sizes"), sizes)
		for name := range sizes {
			l.Sizes[name] = axis(s, name)
		}
		r.Keep(s.Err())
	}
	return l
}

// Config implements Spec.
func (l Bidirectional) Config() map[string]any {
	c := config(l)
	c["merge_mode"] = l.MergeMode
	if l.MergeMode == "" {
		c["merge_mode"] = "concat"
	}
	if l.Layer == nil {
		return c // Build refuses it
	}
	for key, prefix := range map[string]string{"layer": "forward_", "backward_layer": "backward_"} {
		o := Serialize(l.Layer, prefix+layerName(l.Layer), Signature{}, true)
		o.Build = nil
		// Keras sets it so on both layers that it makes.
		if _, own := l.Layer.(Recurrent); !own {
			o.Config["zero_output_for_mask"] = o.Config["return_sequences"]
		}
		if key == "backward_layer" {
			o.Config["go_backwards"] = !o.Config["go_backwards"].(bool)
		}
		c[key] = o
	}
	return c
}

func readBidirectional(r *keras.Reader) Spec {
	l := Bidirectional{Name: base(r), MergeMode: "concat"}
	trainable := r.Bool("trainable", true)
	onlyNone(r, "activity_regularizer")
	if r.Has("merge_mode") {
		switch l.MergeMode = r.String("merge_mode"); l.MergeMode {
		case "concat", "sum", "mul", "ave":
		default:
			r.Fail("merge_mode", `"concat", "sum", "mul" or "ave"`)
		}
	}
	forward := readDirection(r, "layer", "forward_", trainable)
	if r.Err() == nil && forward == nil {
		r.Fail("layer", "a recurrent layer")
	}
	l.Layer = forward
	backward := readDirection(r, "backward_layer", "backward_", trainable)
	if r.Err() == nil && backward != nil && !opposite(forward, backward) {
		r.Keep(fmt.Errorf("keras: %s: expected the layer of %s in the other direction, got another", r.Path("backward_layer"), r.Path("layer")))
	}
	return l
}

// readDirection reads one of the two layers; nil when there is none.
func readDirection(r *keras.Reader, key, prefix string, trainable bool) Spec {
	o := r.Object(key)
	if o == nil {
		return nil
	}
	c := make(map[string]any, len(o.Config))
	for k, v := range o.Config {
		// Keras overwrites it with return_sequences on both layers, whatever stands here.
		if k != "zero_output_for_mask" {
			c[k] = v
		}
	}
	path := r.Path(key)
	s, err := FromConfig(path, &keras.Object{Class: o.Class, RegisteredName: o.RegisteredName, Config: c})
	if err != nil {
		r.Keep(err)
		return nil
	}
	if _, ok := s.(recurrentSpec); !ok {
		r.Keep(fmt.Errorf("keras: %s: expected a recurrent layer, got %s", path, s.Class()))
		return nil
	}
	if inner := keras.Read(path+".config", c); inner.Bool("trainable", true) != trainable {
		r.Keep(fmt.Errorf("keras: %s: expected %v as of the Bidirectional, got %v", inner.Path("trainable"), trainable, !trainable))
	}
	return renamed(s, strings.TrimPrefix(s.GivenName(), prefix))
}

// renamed is the recurrent layer under another name.
func renamed(s Spec, name string) Spec {
	switch l := s.(type) {
	case SimpleRNN:
		l.Name = name
		return l
	case LSTM:
		l.Name = name
		return l
	case GRU:
		l.Name = name
		return l
	case Recurrent:
		l.Name = name
		return l
	}
	return s
}

// opposite reports whether b is a in the other direction. Initializers may differ: the weights are there already.
func opposite(a, b Spec) bool {
	ca, cb := a.Config(), b.Config()
	if a.Class() != b.Class() || ca["go_backwards"] == cb["go_backwards"] {
		return false
	}
	for k, v := range ca {
		if k == "name" || k == "go_backwards" || strings.HasSuffix(k, "_initializer") {
			continue
		}
		if !reflect.DeepEqual(v, cb[k]) {
			return false
		}
	}
	return true
}
