package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// BatchNormalization brings the values of every place of Axis to mean 0 and variance 1 over the whole batch, then to
// gamma · x + beta; masked steps do not count. Training keeps moving averages of both, which stand for them everywhere else, and
// in training too where the layer is frozen. Source: keras/src/layers/normalization/batch_normalization.py.
//
// A model with this layer trains a batch in one piece, since no row goes on before all are there.
type BatchNormalization struct {
	Name     string
	Axis     tensor.Float // unset: the last
	Momentum tensor.Float // of the moving averages; unset: 0.99
	Epsilon  tensor.Float // added to the variance; unset: 0.001
	NoCenter bool         // no beta
	NoScale  bool         // no gamma

	BetaInitializer           initializers.Initializer // unset: zeros
	GammaInitializer          initializers.Initializer // unset: ones
	MovingMeanInitializer     initializers.Initializer // unset: zeros
	MovingVarianceInitializer initializers.Initializer // unset: ones

	BetaRegularizer, GammaRegularizer regularizers.Regularizer
	BetaConstraint, GammaConstraint   constraints.Constraint

	// Renorm corrects the batch's numbers towards moving averages in training too: Ioffe, 2017.
	Renorm         bool
	RenormClipping RenormClipping
	RenormMomentum tensor.Float // of those averages; unset: 0.99
	// Synchronized: over all replicas of a model, of which there is one here.
	Synchronized bool
}

// RenormClipping bounds the corrections r and d of Renorm; unset does not.
type RenormClipping struct{ RMin, RMax, DMax tensor.Float }

// Class is "BatchNormalization".
func (BatchNormalization) Class() string { return "BatchNormalization" }

// GivenName is the name that the user gave.
func (l BatchNormalization) GivenName() string { return l.Name }

// Config implements Spec.
func (l BatchNormalization) Config() map[string]any {
	c := config(l)
	c["axis"], c["momentum"], c["epsilon"] = int(l.Axis.Or(-1)), l.Momentum.Or(0.99), l.Epsilon.Or(1e-3)
	c["center"], c["scale"] = !l.NoCenter, !l.NoScale
	c["beta_initializer"] = initializers.Object(or(l.BetaInitializer, initializers.Zeros{}))
	c["gamma_initializer"] = initializers.Object(or(l.GammaInitializer, initializers.Ones{}))
	c["moving_mean_initializer"] = initializers.Object(or(l.MovingMeanInitializer, initializers.Zeros{}))
	c["moving_variance_initializer"] = initializers.Object(or(l.MovingVarianceInitializer, initializers.Ones{}))
	holds(c, "beta", l.BetaRegularizer, l.BetaConstraint)
	holds(c, "gamma", l.GammaRegularizer, l.GammaConstraint)
	c["synchronized"], c["renorm"], c["renorm_momentum"] = l.Synchronized, l.Renorm, l.RenormMomentum.Or(0.99)
	c["renorm_clipping"] = nil
	if l.Renorm {
		clips := map[string]any{}
		for key, v := range map[string]tensor.Float{"rmin": l.RenormClipping.RMin, "rmax": l.RenormClipping.RMax, "dmax": l.RenormClipping.DMax} {
			if v.IsSet() {
				clips[key] = v.Or(0)
			}
		}
		c["renorm_clipping"] = clips
	}
	return c
}

func readBatchNormalization(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	optional := func(r *keras.Reader, key string) tensor.Float {
		if r.Null(key) {
			return tensor.Float{}
		}
		return tensor.F(r.Float(key))
	}
	l := BatchNormalization{
		Name: base(r), Momentum: optional(r, "momentum"), Epsilon: epsilon(r),
		NoCenter: !r.Bool("center", true), NoScale: !r.Bool("scale", true),
		BetaInitializer: initializer(r, "beta_initializer"), GammaInitializer: initializer(r, "gamma_initializer"),
		MovingMeanInitializer:     initializer(r, "moving_mean_initializer"),
		MovingVarianceInitializer: initializer(r, "moving_variance_initializer"),
		BetaRegularizer:           regularizer(r, "beta_regularizer"), GammaRegularizer: regularizer(r, "gamma_regularizer"),
		BetaConstraint: constraint(r, "beta_constraint"), GammaConstraint: constraint(r, "gamma_constraint"),
		Renorm: r.Bool("renorm", false), RenormMomentum: optional(r, "renorm_momentum"), Synchronized: r.Bool("synchronized", false),
	}
	if a := axes(r); len(a) == 1 { // files of Keras 2 have a list
		l.Axis = tensor.F(float64(a[0]))
	} else if len(a) > 1 {
		r.Fail("axis", "one integer")
	}
	if clips := r.Map("renorm_clipping"); len(clips) > 0 {
		k := keras.Read(r.Path("renorm_clipping"), clips)
		l.RenormClipping = RenormClipping{RMin: optional(k, "rmin"), RMax: optional(k, "rmax"), DMax: optional(k, "dmax")}
		r.Keep(k.Done())
	}
	return l
}

// check fails on arguments that fit no input.
func (l BatchNormalization) check() error {
	for _, a := range []struct {
		name  string
		value tensor.Float
		most  float64
	}{{"momentum", l.Momentum, math.MaxFloat32}, {"epsilon", l.Epsilon, math.MaxFloat32}, {"renorm_momentum", l.RenormMomentum, math.MaxFloat32},
		{"renorm_clipping dmax", l.RenormClipping.DMax, math.MaxFloat32}} {
		if v := a.value.Or(0); !(v >= 0 && v <= a.most) {
			return fmt.Errorf("layers: BatchNormalization: %s must be a number from 0, got %v", a.name, v)
		}
	}
	if a := l.Axis.Or(-1); a != math.Trunc(a) {
		return fmt.Errorf("layers: BatchNormalization: axis must be a whole number, got %v", a)
	}
	if k := l.RenormClipping; k.RMin.IsSet() && k.RMax.IsSet() && !(k.RMin.Or(0) <= k.RMax.Or(0)) {
		return fmt.Errorf("layers: BatchNormalization: renorm_clipping must have rmin up to rmax, got %v and %v", k.RMin.Or(0), k.RMax.Or(0))
	}
	return nil
}

// Build checks the arguments and makes gamma and beta, and the moving averages.
func (l BatchNormalization) Build(b *Builder, in []Signature) (Layer, error) {
	const class = "BatchNormalization"
	if err := l.check(); err != nil {
		return nil, err
	}
	if err := checkFloats(class, "floats (N, …)", in, 2, maxRank); err != nil {
		return nil, err
	}
	order, err := normalAxes(class, []int{int(l.Axis.Or(-1))}, in[0].Shape)
	if err != nil {
		return nil, err
	}
	n := &batchNorm{spec: l, axis: order[0], rank: len(in[0].Shape), eps: l.Epsilon.Or(1e-3)}
	if n.width = in[0].Shape[n.axis]; n.width == tensor.None {
		return nil, fmt.Errorf("layers: %s: axis must name an axis of a known length, got %v for %v", class, int(l.Axis.Or(-1)), in[0].Shape)
	}
	if _, err := n.Output(in); err != nil {
		return nil, err
	}
	shape := tensor.Shape{n.width}
	if !l.NoScale {
		n.gamma = b.Weight("gamma", shape, or(l.GammaInitializer, initializers.Ones{}))
		if err := n.gamma.hold(class, "gamma", l.GammaRegularizer, l.GammaConstraint); err != nil {
			return nil, err
		}
	}
	if !l.NoCenter {
		n.beta = b.Weight("beta", shape, or(l.BetaInitializer, initializers.Zeros{}))
		if err := n.beta.hold(class, "beta", l.BetaRegularizer, l.BetaConstraint); err != nil {
			return nil, err
		}
	}
	mean, variance := or(l.MovingMeanInitializer, initializers.Zeros{}), or(l.MovingVarianceInitializer, initializers.Ones{})
	n.mean, n.variance = b.statistic("moving_mean", shape, mean), b.statistic("moving_variance", shape, variance)
	if l.Renorm {
		n.stddev = b.statistic("moving_stddev", shape, rootOf{variance})
		n.renormMean, n.renormStddev = b.statistic("renorm_mean", shape, mean), b.statistic("renorm_stddev", shape, rootOf{variance})
	}
	return n, nil
}

// rootOf draws what another initializer draws, and takes the root.
type rootOf struct{ initializers.Initializer }

func (i rootOf) Fill(dst []float32, shape tensor.Shape, s *random.Stream) error {
	if err := i.Initializer.Fill(dst, shape, s); err != nil {
		return err
	}
	for k, v := range dst {
		dst[k] = float32(math.Sqrt(float64(v)))
	}
	return nil
}

type batchNorm struct {
	spec              BatchNormalization
	axis, rank, width int
	eps               float64
	frozen            bool

	gamma, beta                      *Weight // nil where there is none
	mean, variance                   *Weight
	stddev, renormMean, renormStddev *Weight // nil without renorm
}

func (n *batchNorm) Weights() []*Weight {
	return present(n.gamma, n.beta, n.mean, n.variance, n.stddev, n.renormMean, n.renormStddev)
}

// MixesRows: in training no row goes on before all are there.
func (n *batchNorm) MixesRows() bool { return true }

// SetTrainable(false) freezes the layer, also one that has nothing but averages.
func (n *batchNorm) SetTrainable(trainable bool) { n.frozen = !trainable }

// Trainable reports whether training looks at the batch: unless the layer is frozen, or all of its trained weights are.
func (n *batchNorm) Trainable() bool {
	trained := n.gamma == nil && n.beta == nil
	for _, w := range present(n.gamma, n.beta) {
		trained = trained || w.Trainable
	}
	return trained && !n.frozen
}

func (n *batchNorm) Output(in []Signature) ([]Signature, error) {
	const class = "BatchNormalization"
	if err := checkFloats(class, "floats (N, …)", in, 2, maxRank); err != nil {
		return nil, err
	}
	shape := in[0].Shape
	switch {
	case len(shape) != n.rank || shape[n.axis] != n.width:
		return nil, fmt.Errorf("layers: %s: expected %d axes and %d for axis %d, got %v", class, n.rank, n.width, n.axis, shape)
	case in[0].Masked && n.rank != 3:
		return nil, fmt.Errorf("layers: %s: expected a masked input of three axes, (N, T, C), got %v", class, shape)
	}
	return in, nil
}

// Layout: the last axis is found whatever the order of the others.
func (n *batchNorm) Layout() Layout {
	if n.axis == n.rank-1 {
		return AnyLayout
	}
	return Plain
}

func (n *batchNorm) Prepare(bool) {}

func (n *batchNorm) ShardRows() int { return 0 }
