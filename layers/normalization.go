package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Normalization is (x - mean)/√variance with numbers of the data as a whole, one of each for every place of Axis. They are given as
// Mean and Variance, or stand in weights that no optimizer trains: what Keras's adapt has put into a file, until then 0 and 1. Adapt
// gives them too. Source: keras/src/layers/preprocessing/normalization.py.
type Normalization struct {
	Name string
	Axis []int // unset: the last; empty but not nil: one mean and variance for all
	// Mean and Variance are one number, or one for every place of the last axis among Axis. Both or none.
	Mean, Variance []float64
	Invert         bool // x · √variance + mean
}

// Class is "Normalization".
func (Normalization) Class() string { return "Normalization" }

// GivenName is the name that the user gave.
func (l Normalization) GivenName() string { return l.Name }

func (l Normalization) axis() []int {
	if l.Axis == nil {
		return []int{-1}
	}
	return l.Axis
}

// Config implements Spec.
func (l Normalization) Config() map[string]any {
	c := config(l)
	c["axis"], c["invert"], c["mean"], c["variance"] = intList(l.axis()), l.Invert, nil, nil
	if l.Mean != nil {
		c["mean"], c["variance"] = numbersConfig(l.Mean), numbersConfig(l.Variance)
	}
	return c
}

func readNormalization(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	l := Normalization{Name: base(r), Invert: r.Bool("invert", false), Mean: numbers(r, "mean"), Variance: numbers(r, "variance")}
	if r.Has("axis") && r.Null("axis") {
		l.Axis = []int{}
	} else {
		l.Axis = axes(r)
	}
	return l
}

// Adapt is the layer with the mean and the variance of x, whose first axis is the rows. It has one of each for all values, or for every
// place of one axis.
func (l Normalization) Adapt(x *tensor.Tensor) (Normalization, error) {
	kept, err := l.kept(x.Shape)
	if err != nil {
		return l, err
	}
	if len(kept) > 1 {
		return l, fmt.Errorf("layers: Normalization: Adapt: expected at most one axis, got %v", l.axis())
	}
	if len(x.Data) == 0 || x.Shape.Size() != len(x.Data) {
		return l, fmt.Errorf("layers: Normalization: Adapt: expected values of shape %v, got %d", x.Shape, len(x.Data))
	}
	width, inner := 1, 1
	if len(kept) == 1 {
		width, inner = x.Shape[kept[0]], x.Shape[kept[0]+1:].Size()
	}
	l.Mean, l.Variance = make([]float64, width), make([]float64, width)
	each := float64(len(x.Data)) / float64(width)
	for i, v := range x.Data {
		l.Mean[i/inner%width] += float64(v) / each
	}
	for i, v := range x.Data {
		d := float64(v) - l.Mean[i/inner%width]
		l.Variance[i/inner%width] += d * d / each
	}
	return l, nil
}

// kept are the axes that have numbers of their own, in ascending order.
func (l Normalization) kept(shape tensor.Shape) ([]int, error) {
	if len(l.axis()) == 0 {
		return nil, nil
	}
	kept, err := normalAxes("Normalization", l.axis(), shape)
	if err != nil {
		return nil, err
	}
	for _, a := range kept {
		if shape[a] == tensor.None {
			return nil, fmt.Errorf("layers: Normalization: axis must name axes of a known length, got %v for %v", l.axis(), shape)
		}
	}
	return kept, nil
}

// Build checks the arguments and makes mean, variance and count, unless the numbers are given.
func (l Normalization) Build(b *Builder, in []Signature) (Layer, error) {
	const class = "Normalization"
	n := &normalization{invert: l.Invert}
	if _, err := n.Output(in); err != nil {
		return nil, err
	}
	if len(l.Mean) != len(l.Variance) {
		return nil, fmt.Errorf("layers: %s: mean and variance must be given both, with as many numbers, got %d and %d", class, len(l.Mean), len(l.Variance))
	}
	kept, err := l.kept(in[0].Shape)
	if err != nil {
		return nil, err
	}
	n.kept, n.rank = kept, len(in[0].Shape)
	shape := tensor.Shape{}
	for _, a := range kept {
		shape = append(shape, in[0].Shape[a])
	}
	n.shape, n.layout = shape, Plain
	if len(kept) == 0 || len(kept) == 1 && kept[0] == n.rank-1 {
		n.layout = AnyLayout
	}
	if l.Mean == nil {
		n.mean = b.statistic("mean", shape, initializers.Zeros{})
		n.variance = b.statistic("variance", shape, initializers.Ones{})
		n.count = b.statistic("count", tensor.Shape{}, initializers.Zeros{}) // of old files; Keras has it always
		n.count.Integer = true
		return n, nil
	}
	last := 1
	if len(shape) > 0 {
		last = shape[len(shape)-1]
	}
	if k := len(l.Mean); k != 1 && k != last {
		return nil, fmt.Errorf("layers: %s: mean and variance must be one number each, or one for each place of axis %v of %v, got %d",
			class, l.axis(), in[0].Shape, k)
	}
	n.mean, n.variance = fixed(l.Mean), fixed(l.Variance)
	n.given = true
	return n, nil
}

// fixed is a weight that no model sees.
func fixed(values []float64) *Weight {
	w := &Weight{}
	for _, v := range values {
		w.Data = append(w.Data, float32(v))
	}
	return w
}

type normalization struct {
	invert, given         bool
	kept                  []int
	shape                 tensor.Shape // of the numbers
	rank                  int
	layout                Layout
	mean, variance, count *Weight // count is nil where the numbers are given

	scale []float32 // 1/√variance, or √variance
}

func (n *normalization) Weights() []*Weight {
	if n.given {
		return nil
	}
	return []*Weight{n.mean, n.variance, n.count}
}

func (n *normalization) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats("Normalization", "floats (N, …)", in, 2, maxRank); err != nil {
		return nil, err
	}
	if n.rank != 0 && len(in[0].Shape) != n.rank {
		return nil, fmt.Errorf("layers: Normalization: expected %d axes, got %v", n.rank, in[0].Shape)
	}
	for i, a := range n.kept {
		if in[0].Shape[a] != n.shape[i] {
			return nil, fmt.Errorf("layers: Normalization: expected %d for axis %d, got %v", n.shape[i], a, in[0].Shape)
		}
	}
	return in, nil
}

func (n *normalization) Layout() Layout { return n.layout }

// Prepare takes the root: Keras divides by max(√variance, 1e-7).
func (n *normalization) Prepare(bool) {
	n.scale = n.scale[:0]
	for _, v := range n.variance.Data {
		n.scale = append(n.scale, float32(max(math.Sqrt(float64(v)), 1e-7)))
	}
}

func (n *normalization) ShardRows() int { return 0 }

func (n *normalization) Forward(c *Call) {
	in, out := &c.In[0], &c.Out[0]
	*out = *in
	out.Data = c.Floats(0, len(in.Data))
	n.each(in.Shape, len(in.Data), func(i, k int) {
		if n.invert {
			out.Data[i] = n.mean.Data[k] + float32(in.Data[i]*n.scale[k])
		} else {
			out.Data[i] = (in.Data[i] - n.mean.Data[k]) / n.scale[k]
		}
	})
}

func (n *normalization) Backward(c *Call) {
	din := c.DIn[0]
	if din == nil {
		return
	}
	n.each(c.In[0].Shape, len(din), func(i, k int) {
		if n.invert {
			din[i] = c.DOut[0][i] * n.scale[k]
		} else {
			din[i] = c.DOut[0][i] / n.scale[k]
		}
	})
}

// each calls f with the number of every value and of its mean.
func (n *normalization) each(shape tensor.Shape, count int, f func(i, k int)) {
	numbers := len(n.mean.Data) // given ones may be fewer than the places, and repeat
	if n.layout == AnyLayout {  // the last axis, or one for all: whatever the layout
		for i := range count {
			f(i, i%numbers)
		}
		return
	}
	var at, stride [maxRank]int
	size := 1
	for i := len(n.kept) - 1; i >= 0; i-- {
		stride[n.kept[i]] = size
		size *= shape[n.kept[i]]
	}
	k := 0
	for i := range count {
		f(i, k%numbers)
		for a := n.rank - 1; a >= 0; a-- {
			at[a]++
			k += stride[a]
			if at[a] < shape[a] {
				break
			}
			k -= at[a] * stride[a]
			at[a] = 0
		}
	}
}
