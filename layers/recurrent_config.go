package layers

import (
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
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
	walkConfig(c, l)
	c["dropout"], c["recurrent_dropout"] = l.Dropout, l.RecurrentDropout
	if l.Seed.IsSet() {
		c["seed"] = uint64(l.Seed.Or(0))
	}
	holds(c, "kernel", l.KernelRegularizer, l.KernelConstraint)
	holds(c, "recurrent", l.RecurrentRegularizer, l.RecurrentConstraint)
	holds(c, "bias", l.BiasRegularizer, l.BiasConstraint)
	c["activity_regularizer"] = regularizers.Object(l.ActivityRegularizer)
	return c
}

// walkConfig writes the keys that say how a layer walks.
func walkConfig(c map[string]any, l Recurrent) {
	c["return_sequences"], c["return_state"], c["go_backwards"] = l.ReturnSequences, l.ReturnState, l.GoBackwards
	c["stateful"], c["unroll"], c["zero_output_for_mask"] = l.Stateful, l.Unroll, l.ZeroOutputForMask
}

// readWalk reads them.
func readWalk(r *keras.Reader) Recurrent {
	return Recurrent{ReturnSequences: r.Bool("return_sequences", false), ReturnState: r.Bool("return_state", false), GoBackwards: r.Bool("go_backwards", false),
		Stateful: r.Bool("stateful", false), Unroll: r.Bool("unroll", false), ZeroOutputForMask: r.Bool("zero_output_for_mask", false)}
}

func readCommon(r *keras.Reader) Recurrent {
	w := readWalk(r)
	return Recurrent{
		Name: base(r), Units: axis(r, "units"), Activation: activation(r, "activation"), NoBias: !r.Bool("use_bias", true),
		KernelInitializer:    initializer(r, "kernel_initializer"),
		RecurrentInitializer: initializer(r, "recurrent_initializer"),
		BiasInitializer:      initializer(r, "bias_initializer"),
		ReturnSequences:      w.ReturnSequences, ReturnState: w.ReturnState, GoBackwards: w.GoBackwards,
		Stateful: w.Stateful, Unroll: w.Unroll, ZeroOutputForMask: w.ZeroOutputForMask,
		Dropout: rate(r, "dropout"), RecurrentDropout: rate(r, "recurrent_dropout"), Seed: seed(r),
		KernelRegularizer: regularizer(r, "kernel_regularizer"), RecurrentRegularizer: regularizer(r, "recurrent_regularizer"),
		BiasRegularizer: regularizer(r, "bias_regularizer"), ActivityRegularizer: regularizer(r, "activity_regularizer"),
		KernelConstraint: constraint(r, "kernel_constraint"), RecurrentConstraint: constraint(r, "recurrent_constraint"),
		BiasConstraint: constraint(r, "bias_constraint"),
	}
}

// rate reads a part of values that is dropped.
func rate(r *keras.Reader, key string) float64 {
	v := r.Float(key, 0)
	if r.Err() == nil && !(v >= 0 && v <= 1) {
		r.Fail(key, "a number from 0 to 1")
	}
	return v
}

// seed reads a number, null, or a serialized SeedGenerator, which has one.
func seed(r *keras.Reader) tensor.Float {
	if r.Null("seed") {
		return tensor.Float{}
	}
	if _, ok := r.Value("seed").(map[string]any); ok {
		o := r.Object("seed")
		if o == nil {
			return tensor.Float{}
		}
		g := keras.Read(r.Path("seed"), o.Config)
		v := seed(g)
		r.Keep(g.Err())
		return v
	}
	v := r.Uint64("seed")
	if v > maxSeed {
		r.Fail("seed", "a whole number from 0 to 2^53")
	}
	return tensor.F(float64(v))
}

// readKeras reads the config of one of Keras's recurrent layers.
func readKeras(r *keras.Reader) Recurrent {
	r.Ignore("implementation") // how Keras multiplies
	return readCommon(r)
}

// gatedConfig is common for LSTM and GRU.
func gatedConfig(s recurrentSpec) map[string]any {
	l, _ := s.recurrent()
	c := common(s)
	c["recurrent_activation"] = l.RecurrentActivation.Or(activations.Sigmoid).Name()
	if !l.Seed.IsSet() {
		c["seed"] = nil // which SimpleRNN leaves out
	}
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
