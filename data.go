package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// Data is a set of rows to learn from or to predict: in memory, on disk, or made on the way.
type Data interface {
	// Len is the number of rows.
	Len() int
	// Batch fills dst with these rows, in this order. dst is reused from batch to batch: its slices may be overwritten.
	Batch(dst *Batch, rows []int) error
}

// Batch is some rows of a Data, rows outermost.
type Batch struct {
	X layers.Value   // what goes in: floats or ids
	Y metrics.Target // what should come out; empty where there are no targets
	// YShape is the targets' shape, the batch axis first.
	YShape tensor.Shape
}

// Arrays is data in memory: x is a *tensor.Tensor or a *tensor.IDs, and so is y, which may be nil for prediction.
func Arrays(x, y any) (Data, error) {
	a := &arrays{}
	switch x := x.(type) {
	case *tensor.Tensor:
		a.x, a.xs = metrics.Target{Values: x.Data}, x.Shape
	case *tensor.IDs:
		a.x, a.xs = metrics.Target{IDs: x.Data}, x.Shape
	default:
		return nil, fmt.Errorf("unroll: Arrays: x must be a *tensor.Tensor or a *tensor.IDs, got %T", x)
	}
	switch y := y.(type) {
	case nil:
	case *tensor.Tensor:
		a.y, a.ys = metrics.Target{Values: y.Data}, y.Shape
	case *tensor.IDs:
		a.y, a.ys = metrics.Target{IDs: y.Data}, y.Shape
	default:
		return nil, fmt.Errorf("unroll: Arrays: y must be a *tensor.Tensor, a *tensor.IDs or nil, got %T", y)
	}
	if len(a.xs) == 0 {
		return nil, fmt.Errorf("unroll: Arrays: x must have a batch axis, got shape %v", a.xs)
	}
	if y != nil && (len(a.ys) == 0 || a.ys[0] != a.xs[0]) {
		return nil, fmt.Errorf("unroll: Arrays: x and y must have equally many rows, got %v and %v", a.xs, a.ys)
	}
	return a, nil
}

type arrays struct {
	x, y   metrics.Target
	xs, ys tensor.Shape
}

func (a *arrays) Len() int { return a.xs[0] }

func (a *arrays) Batch(dst *Batch, rows []int) error {
	dst.X.Data = take(dst.X.Data, a.x.Values, a.xs, rows)
	dst.X.IDs = take(dst.X.IDs, a.x.IDs, a.xs, rows)
	dst.X.Shape = append(append(dst.X.Shape[:0], len(rows)), a.xs[1:]...)
	dst.X.Mask, dst.X.TimeMajor = nil, false
	dst.Y.Values = take(dst.Y.Values, a.y.Values, a.ys, rows)
	dst.Y.IDs = take(dst.Y.IDs, a.y.IDs, a.ys, rows)
	dst.YShape = dst.YShape[:0]
	if a.ys != nil {
		dst.YShape = append(append(dst.YShape, len(rows)), a.ys[1:]...)
	}
	return nil
}

// take copies whole rows.
func take[E any](dst, src []E, shape tensor.Shape, rows []int) []E {
	if src == nil {
		return nil
	}
	w := shape[1:].Size()
	dst = resize(dst, len(rows)*w)
	for i, r := range rows {
		copy(dst[i*w:(i+1)*w], src[r*w:])
	}
	return dst
}

// part is some consecutive rows of a Data.
type part struct {
	Data
	from, n int
	rows    []int
}

func (p *part) Len() int { return p.n }

func (p *part) Batch(dst *Batch, rows []int) error {
	p.rows = p.rows[:0]
	for _, r := range rows {
		p.rows = append(p.rows, r+p.from)
	}
	return p.Data.Batch(dst, p.rows)
}

// shapes are those of the rows and targets of d, the batch axis None; it reads the first row.
func shapes(d Data, b *Batch) (x layers.Signature, y tensor.Shape, err error) {
	if d.Len() == 0 {
		return x, nil, fmt.Errorf("unroll: the data have no rows")
	}
	if err := d.Batch(b, []int{0}); err != nil {
		return x, nil, err
	}
	x = layers.Signature{Shape: b.X.Shape.Clone(), IDs: b.X.IDs != nil}
	x.Shape[0] = tensor.None
	if len(b.YShape) > 0 {
		y = b.YShape.Clone()
		y[0] = tensor.None
	}
	return x, y, nil
}
