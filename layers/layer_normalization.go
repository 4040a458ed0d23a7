package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/constraints"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/regularizers"
	"github.com/unroll-ml/unroll/tensor"
)

// LayerNormalization brings the values along Axis to mean 0 and variance 1, then to gamma · x + beta: in every row, and at every step,
// by itself. Source: keras/src/layers/normalization/layer_normalization.py.
type LayerNormalization struct {
	Name             string
	Axis             []int                    // unset: the last
	Epsilon          tensor.Float             // added to the variance; unset: 0.001
	NoCenter         bool                     // no beta
	NoScale          bool                     // no gamma
	RMSScaling       bool                     // gamma · x / √(variance + epsilon), which Keras keeps for old files
	BetaInitializer  initializers.Initializer // unset: zeros
	GammaInitializer initializers.Initializer // unset: ones

	BetaRegularizer, GammaRegularizer regularizers.Regularizer
	BetaConstraint, GammaConstraint   constraints.Constraint
}

// Class is "LayerNormalization".
func (LayerNormalization) Class() string { return "LayerNormalization" }

// GivenName is the name that the user gave.
func (l LayerNormalization) GivenName() string { return l.Name }

// Config implements Spec.
func (l LayerNormalization) Config() map[string]any {
	c := config(l)
	c["axis"], c["epsilon"] = intList(l.axis()), l.Epsilon.Or(1e-3)
	c["center"], c["scale"], c["rms_scaling"] = !l.NoCenter, !l.NoScale, l.RMSScaling
	c["beta_initializer"] = initializers.Object(or(l.BetaInitializer, initializers.Zeros{}))
	c["gamma_initializer"] = initializers.Object(or(l.GammaInitializer, initializers.Ones{}))
	holds(c, "beta", l.BetaRegularizer, l.BetaConstraint)
	holds(c, "gamma", l.GammaRegularizer, l.GammaConstraint)
	return c
}

func (l LayerNormalization) axis() []int {
	if l.Axis == nil {
		return []int{-1}
	}
	return l.Axis
}

func readLayerNormalization(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return LayerNormalization{
		Name: base(r), Axis: axes(r), Epsilon: epsilon(r), NoCenter: !r.Bool("center", true), NoScale: !r.Bool("scale", true),
		RMSScaling:      r.Bool("rms_scaling", false),
		BetaInitializer: initializer(r, "beta_initializer"), GammaInitializer: initializer(r, "gamma_initializer"),
		BetaRegularizer: regularizer(r, "beta_regularizer"), GammaRegularizer: regularizer(r, "gamma_regularizer"),
		BetaConstraint: constraint(r, "beta_constraint"), GammaConstraint: constraint(r, "gamma_constraint"),
	}
}

// axes reads a number or a list of them; absent is the layer's default.
func axes(r *keras.Reader) []int {
	if _, list := r.Value("axis").([]any); list {
		return r.Ints("axis")
	}
	if !r.Has("axis") {
		return nil
	}
	return []int{r.Int("axis")}
}

func epsilon(r *keras.Reader) tensor.Float {
	if r.Null("epsilon") {
		return tensor.Float{}
	}
	return tensor.F(r.Float("epsilon"))
}

// Build checks the arguments and makes gamma and beta.
func (l LayerNormalization) Build(b *Builder, in []Signature) (Layer, error) {
	const class = "LayerNormalization"
	if eps := l.Epsilon.Or(1e-3); !(eps >= 0 && eps <= math.MaxFloat32) {
		return nil, fmt.Errorf("layers: %s: epsilon must be a number from 0, got %v", class, eps)
	}
	n := &layerNorm{spec: l, eps: float32(l.Epsilon.Or(1e-3))}
	if _, err := n.Output(in); err != nil {
		return nil, err
	}
	given := slices.Clone(l.axis())
	slices.Sort(given) // as Keras does, before it counts negative ones from the end
	order, err := normalAxes(class, given, in[0].Shape)
	if err != nil {
		return nil, err
	}
	var shape tensor.Shape
	for _, a := range given {
		d := in[0].Shape[(a+len(in[0].Shape))%len(in[0].Shape)]
		if d == tensor.None {
			return nil, fmt.Errorf("layers: %s: axis must name axes of a known length, got %v for %v", class, l.axis(), in[0].Shape)
		}
		shape = append(shape, d)
	}
	if n.width, err = rowSize(class, shape); err != nil {
		return nil, err
	}
	n.setOrder(order, len(in[0].Shape))
	if !l.NoScale || l.RMSScaling {
		n.gamma = b.Weight("gamma", shape, or(l.GammaInitializer, initializers.Ones{}))
		if err := n.gamma.hold(class, "gamma", l.GammaRegularizer, l.GammaConstraint); err != nil {
			return nil, err
		}
	}
	if !l.NoCenter && !l.RMSScaling {
		n.beta = b.Weight("beta", shape, or(l.BetaInitializer, initializers.Zeros{}))
		if err := n.beta.hold(class, "beta", l.BetaRegularizer, l.BetaConstraint); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// normalAxes are the axes counted from the batch, in ascending order.
func normalAxes(class string, given []int, shape tensor.Shape) ([]int, error) {
	var order []int
	for _, a := range given {
		if a < 0 {
			a += len(shape)
		}
		if a < 1 || a >= len(shape) || slices.Contains(order, a) {
			return nil, fmt.Errorf("layers: %s: axis must name different axes of %v behind the batch, got %v", class, shape, given)
		}
		order = append(order, a)
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("layers: %s: axis must name at least one axis, got none", class)
	}
	slices.Sort(order)
	return order, nil
}

type layerNorm struct {
	spec  LayerNormalization
	eps   float32
	width int // values that are normalized together

	gamma, beta *Weight // nil where there is none

	perm, back []int // brings the normalized axes to the end; nil where they stand there
	layout     Layout
}

func (n *layerNorm) setOrder(order []int, rank int) {
	n.layout = Plain
	if order[0] == rank-len(order) { // they are the last
		if len(order) == 1 {
			n.layout = AnyLayout
		}
		return
	}
	for i := range rank {
		if !slices.Contains(order, i) {
			n.perm = append(n.perm, i)
		}
	}
	n.perm = append(n.perm, order...)
	n.back = inverse(n.perm)
}

func (n *layerNorm) Weights() []*Weight { return present(n.gamma, n.beta) }

// present are the weights that are there.
func present(weights ...*Weight) (all []*Weight) {
	for _, w := range weights {
		if w != nil {
			all = append(all, w)
		}
	}
	return all
}

func (n *layerNorm) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats("LayerNormalization", "floats (N, …, C)", in, 2, maxRank); err != nil {
		return nil, err
	}
	return in, nil
}

func (n *layerNorm) Layout() Layout { return n.layout }

func (n *layerNorm) Prepare(bool) {}

func (n *layerNorm) ShardRows() int { return 0 }

// The buffers of a Call.
const (
	normOut = iota
	normIn
	normTurned
	normDOut
	normDIn
)

// matrix is the values of v with what is normalized together as rows.
func (n *layerNorm) matrix(c *Call, slot int, v *Value) []float32 {
	if n.perm == nil {
		return v.Data
	}
	x := c.Floats(slot, len(v.Data))
	transpose(x, v.Data, v.Shape, n.perm)
	return x
}

// turnBack writes such a matrix as values of this shape.
func (n *layerNorm) turnBack(dst, x []float32, shape tensor.Shape) {
	var turned [maxRank]int
	for i, p := range n.perm {
		turned[i] = shape[p]
	}
	transpose(dst, x, turned[:len(n.perm)], n.back)
}

func (n *layerNorm) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	*out = *in
	x := n.matrix(c, normIn, in)
	y := c.Floats(normOut, len(x))
	rows := len(x) / max(1, n.width)
	if n.spec.RMSScaling {
		n.rms(y, x, rows)
	} else {
		kernel.LayerNorm(y, x, valuesOf(n.gamma), valuesOf(n.beta), rows, n.width, n.eps)
	}
	out.Data = y
	if n.perm != nil {
		out.Data = c.Floats(normTurned, len(x))
		n.turnBack(out.Data, y, in.Shape)
	}
}

func valuesOf(w *Weight) []float32 {
	if w == nil {
		return nil
	}
	return w.Data
}

// gradOf is where the gradient of w is added up; nil where there is no such weight.
func (c *Call) gradOf(w *Weight) []float32 {
	if w == nil {
		return nil
	}
	return c.Grads.Of(w)
}

func (n *layerNorm) Backward(c *Call) {
	in := &c.In[0]
	dout := Value{Shape: in.Shape, Data: c.DOut[0]}
	dy := n.matrix(c, normDOut, &dout)
	x, dx := in.Data, c.DIn[0]
	if n.perm != nil {
		x = c.Floats(normIn, len(in.Data))
		if dx != nil {
			dx = c.Floats(normDIn, len(in.Data))
		}
	}
	rows := len(x) / max(1, n.width)
	if n.spec.RMSScaling {
		n.rmsGrad(c, dx, dy, x, rows)
	} else {
		kernel.LayerNormGrad(dx, c.gradOf(n.gamma), c.gradOf(n.beta), dy, x, valuesOf(n.gamma), rows, n.width, n.eps)
	}
	if dx != nil && n.perm != nil {
		n.turnBack(c.DIn[0], dx, in.Shape)
	}
}

// spread is the mean of a row, and 1/√(variance + eps).
func (n *layerNorm) spread(row []float32) (mean, inv float64) {
	m := float64(len(row))
	mean = kernel.Sum(row) / m
	v := 0.0
	for _, x := range row {
		d := float64(x) - mean
		v += float64(d * d)
	}
	return mean, 1 / math.Sqrt(v/m+float64(n.eps))
}

// rms is y = x gamma/√(variance + eps): the mean stays in.
func (n *layerNorm) rms(y, x []float32, rows int) {
	for r := range rows {
		row := x[r*n.width : (r+1)*n.width]
		_, inv := n.spread(row)
		for j, v := range row {
			y[r*n.width+j] = float32(float64(v)*inv) * n.gamma.Data[j]
		}
	}
}

// rmsGrad: with g = dy gamma and s the inverse, dx = s g - s³ (x - mean) Σ(g x)/m.
func (n *layerNorm) rmsGrad(c *Call, dx, dy, x []float32, rows int) {
	dgamma := c.Grads.Of(n.gamma)
	for r := range rows {
		row, g := x[r*n.width:(r+1)*n.width], dy[r*n.width:(r+1)*n.width]
		mean, inv := n.spread(row)
		sum := 0.0
		for j, v := range row {
			dgamma[j] += float32(float64(g[j]) * float64(v) * inv)
			sum += float64(g[j]) * float64(n.gamma.Data[j]) * float64(v)
		}
		if dx == nil {
			continue
		}
		sum *= inv * inv * inv / float64(n.width)
		for j, v := range row {
			dx[r*n.width+j] = float32(float64(g[j])*float64(n.gamma.Data[j])*inv - (float64(v)-mean)*sum)
		}
	}
}
