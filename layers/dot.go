package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// Dot is the products, summed over one axis of each, of two inputs' values, row by row: with Axes 2 (N, S, C) and (N, T, C) become
// (N, S, T). The result has the first's other axes and then the second's; (N, C) and (N, C) become (N, 1). There is no mask. Source:
// keras/src/layers/merging/dot.py.
type Dot struct {
	Name string
	Axes []int // one axis of both, or one of each; not the batch; below 0 they count from the end
	// Normalize divides by the length along the axis, of both, before: the result is a cosine.
	Normalize bool
}

// Class is "Dot".
func (Dot) Class() string { return "Dot" }

// GivenName is the name that the user gave.
func (l Dot) GivenName() string { return l.Name }

// InputNames implements Several.
func (Dot) InputNames() []string { return nil }

// Config implements Spec.
func (l Dot) Config() map[string]any {
	c := config(l)
	c["axes"], c["normalize"] = intList(l.Axes), l.Normalize
	if len(l.Axes) == 1 {
		c["axes"] = l.Axes[0]
	}
	return c
}

func readDot(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	l := Dot{Name: base(r), Normalize: r.Bool("normalize", false)}
	if _, list := r.Value("axes").([]any); !list {
		l.Axes = []int{r.Int("axes")}
	} else if l.Axes = r.Ints("axes"); r.Err() == nil && len(l.Axes) != 2 {
		r.Fail("axes", "an integer or two")
	}
	return l
}

// Build checks the axes and the inputs.
func (l Dot) Build(_ *Builder, in []Signature) (Layer, error) {
	if n := len(l.Axes); n != 1 && n != 2 {
		return nil, fmt.Errorf("layers: Dot: axes must be one axis or two, got %v", l.Axes)
	}
	d := &dot{given: l.Axes, normalize: l.Normalize}
	if _, err := d.Output(in); err != nil {
		return nil, err
	}
	for i := range d.sides {
		d.sides[i] = newDotSide(len(in[i].Shape), d.axis(i, in[i].Shape))
	}
	return d, nil
}

type dot struct {
	given     []int
	normalize bool
	sides     [2]dotSide
}

// dotSide is how one of the two is laid out for the product: its axis last.
type dotSide struct {
	axis       int
	order, out []int // nil: it is last
}

func newDotSide(rank, axis int) dotSide {
	s := dotSide{axis: axis}
	if axis == rank-1 {
		return s
	}
	for i := range rank {
		if i != axis {
			s.order = append(s.order, i)
		}
	}
	s.order = append(s.order, axis)
	s.out = inverse(s.order)
	return s
}

// axis is the one of input i, counted from the front.
func (d *dot) axis(i int, s tensor.Shape) int {
	a := d.given[min(i, len(d.given)-1)]
	if a < 0 {
		a += len(s)
	}
	return a
}

func (d *dot) Weights() []*Weight { return nil }

func (d *dot) Output(in []Signature) ([]Signature, error) {
	if len(in) != 2 {
		return nil, fmt.Errorf("layers: Dot: expected two inputs, got %s", describe(in))
	}
	if err := checkMerged("Dot", in); err != nil {
		return nil, err
	}
	shape := tensor.Shape{in[0].Shape[0]}
	var lengths [2]int
	for i, s := range in {
		a := d.axis(i, s.Shape)
		if a < 1 || a >= len(s.Shape) {
			return nil, fmt.Errorf("layers: Dot: axes must name axes of %v and %v behind the batch, got %v", in[0].Shape, in[1].Shape, d.given)
		}
		lengths[i] = s.Shape[a]
		shape = append(append(shape, s.Shape[1:a]...), s.Shape[a+1:]...)
	}
	if lengths[0] != lengths[1] {
		return nil, fmt.Errorf("layers: Dot: expected axes %v of one length, got %s", d.given, describe(in))
	}
	if len(shape) == 1 {
		shape = append(shape, 1)
	}
	if len(shape) > maxRank {
		return nil, fmt.Errorf("layers: Dot: expected a result of at most %d axes, got %v", maxRank, shape)
	}
	return []Signature{{Shape: shape}}, nil
}

func (d *dot) Layout() Layout { return Plain }

func (d *dot) Prepare(bool) {}

func (d *dot) ShardRows() int { return 0 }

// The buffers of a Call: those of the second input follow those of the first.
const (
	dotOut  = iota
	dotTurn // the axis last
	_
	dotScale // and divided by the lengths
	_
	dotNorm // 1 over the length of every row
	_
	dotGrad // of the product's operand, before it is turned back
	_
)

// products is what a Call keeps for products of rows: the right factor, packed.
type products struct{ packed kernel.Packed }

// productsOf is that of the call.
func productsOf(c *Call) *kernel.Packed {
	p, ok := c.Keep.(*products)
	if !ok {
		p = new(products)
		c.Keep = p
	}
	return &p.packed
}

// operand is input i as rows of k values, m for each row of the batch, where layOut has left them.
func (d *dot) operand(c *Call, i int) (x []float32, m, k int) {
	v, s := &c.In[i], &d.sides[i]
	m, k = 1, v.Shape[s.axis]
	for j, n := range v.Shape {
		if j != 0 && j != s.axis {
			m *= n
		}
	}
	switch {
	case d.normalize:
		x = c.Floats(dotScale+i, len(v.Data))
	case s.order != nil:
		x = c.Floats(dotTurn+i, len(v.Data))
	default:
		x = v.Data
	}
	return x, m, k
}

// layOut turns and normalizes input i.
func (d *dot) layOut(c *Call, i int) {
	v, s := &c.In[i], &d.sides[i]
	x := v.Data
	if s.order != nil {
		x = c.Floats(dotTurn+i, len(v.Data))
		transpose(x, v.Data, v.Shape, s.order)
	}
	if !d.normalize {
		return
	}
	k := v.Shape[s.axis]
	y, scale := c.Floats(dotScale+i, len(x)), c.Floats(dotNorm+i, len(x)/max(1, k))
	for r := range scale {
		scale[r] = reciprocalNorm(x[r*k : (r+1)*k])
		kernel.Scale(y[r*k:(r+1)*k], x[r*k:(r+1)*k], scale[r])
	}
}

// maxReciprocal is 1 over Keras's epsilon.
const maxReciprocal = 1e7

// reciprocalNorm is 1 over the length, at most maxReciprocal.
func reciprocalNorm(x []float32) float32 {
	return min(float32(1/math.Sqrt(kernel.SumSquares(x))), maxReciprocal)
}

func (d *dot) Forward(c *Call) {
	d.layOut(c, 0)
	d.layOut(c, 1)
	x, m, k := d.operand(c, 0)
	y, w, other := d.operand(c, 1)
	if k != other {
		panic("layers: Dot: inputs whose axes have different lengths")
	}
	n := c.In[0].Shape[0]
	out := c.Floats(dotOut, n*m*w)
	p := productsOf(c)
	for r := range n {
		a, b, to := x[r*m*k:(r+1)*m*k], y[r*w*k:(r+1)*w*k], out[r*m*w:(r+1)*m*w]
		if m == 1 && w == 1 {
			to[0] = kernel.Dot(a, b)
			continue
		}
		p.PackT(b, k, k, w)
		kernel.MatMul(to, w, a, k, p, m)
	}
	c.Out[0] = Value{Shape: d.outShape(c), Data: out}
}

// outShape is the result's shape.
func (d *dot) outShape(c *Call) tensor.Shape {
	var axes [2 * maxRank]int
	shape := append(tensor.Shape(axes[:0]), c.In[0].Shape[0])
	for i, s := range d.sides {
		shape = append(append(shape, c.In[i].Shape[1:s.axis]...), c.In[i].Shape[s.axis+1:]...)
	}
	if len(shape) == 1 {
		shape = append(shape, 1)
	}
	return c.Shape(0, shape)
}

func (d *dot) Backward(c *Call) {
	x, m, k := d.operand(c, 0)
	y, w, _ := d.operand(c, 1)
	dx, dy := d.gradient(c, 0, len(x)), d.gradient(c, 1, len(y))
	p := productsOf(c)
	for r := range c.In[0].Shape[0] {
		dz := c.DOut[0][r*m*w : (r+1)*m*w]
		a, b := x[r*m*k:(r+1)*m*k], y[r*w*k:(r+1)*w*k]
		if dx != nil {
			p.Pack(b, k, w, k)
			kernel.MatMul(dx[r*m*k:], k, dz, w, p, m)
		}
		if dy != nil {
			to := dy[r*w*k : (r+1)*w*k]
			clear(to)
			kernel.Outer(to, k, dz, w, w, a, k, k, m)
		}
	}
	d.finish(c, 0, dx, x, k)
	d.finish(c, 1, dy, y, k)
}

// gradient is where that of operand i goes, nil where nobody asks.
func (d *dot) gradient(c *Call, i, n int) []float32 {
	if c.DIn[i] == nil {
		return nil
	}
	if d.sides[i].order == nil {
		return c.DIn[i]
	}
	return c.Floats(dotGrad+i, n)
}

// finish takes the gradient g of operand i, whose values are x, back to the input.
func (d *dot) finish(c *Call, i int, g, x []float32, k int) {
	if g == nil {
		return
	}
	if d.normalize {
		scale := c.Floats(dotNorm+i, len(x)/max(1, k))
		for r, s := range scale {
			row, to := x[r*k:(r+1)*k], g[r*k:(r+1)*k]
			if s < maxReciprocal { // x s has length 1: what lies along it is lost
				kernel.Axpy(to, -kernel.Dot(row, to), row)
			}
			kernel.Scale(to, to, s)
		}
	}
	side := &d.sides[i]
	if side.order == nil {
		return
	}
	var shape [maxRank]int
	for j, from := range side.order {
		shape[j] = c.In[i].Shape[from]
	}
	transpose(c.DIn[i], g, shape[:len(side.order)], side.out)
}
