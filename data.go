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
	X []layers.Value // what goes in, an entry for every input of the model: floats or ids, or, of texts, their shape alone
	// Text are the texts of the inputs that are texts, by input; nil of others. It may be shorter than X.
	Text [][]string
	Y    []Labels // what should come out, an entry for every output; empty where there are no targets
}

// signature is that of input i.
func (b *Batch) signature(i int) layers.Signature {
	x := &b.X[i]
	return layers.Signature{Shape: x.Shape, IDs: x.IDs != nil, Text: i < len(b.Text) && b.Text[i] != nil}
}

// Labels are what an output should give for the rows of a batch.
type Labels struct {
	metrics.Target
	Shape tensor.Shape // the batch axis first
	// Weights say how much items count in the loss: one for every row, or for every row and step. nil: all count alike.
	Weights []float32
}

// Arrays is data in memory: x is a *tensor.Tensor, a *tensor.IDs or a *tensor.Text, y one of the first two, which may be nil for prediction. For a model with several
// inputs or outputs, x or y is a []any of such arrays, in the model's order.
func Arrays(x, y any) (Data, error) {
	a := &arrays{}
	var err error
	if a.x, err = columns("x", x); err != nil {
		return nil, err
	}
	if y != nil {
		if a.y, err = columns("y", y); err != nil {
			return nil, err
		}
	}
	n := a.x[0].shape[0]
	for _, c := range append(a.x[1:len(a.x):len(a.x)], a.y...) {
		if c.shape[0] != n {
			return nil, fmt.Errorf("unroll: Arrays: x and y must have equally many rows, got %v and %v", a.x[0].shape, c.shape)
		}
	}
	return a, nil
}

type arrays struct{ x, y []column }

// column is an array with a row for every row of the data.
type column struct {
	metrics.Target
	shape tensor.Shape
	text  []string
}

// columns reads one array, or a list of them.
func columns(name string, v any) ([]column, error) {
	list, several := v.([]any)
	if !several {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("unroll: Arrays: %s must have at least one array, got none", name)
	}
	var all []column
	for i, v := range list {
		at := name
		if several {
			at = fmt.Sprintf("%s[%d]", name, i)
		}
		var c column
		switch v := v.(type) {
		case *tensor.Tensor:
			c = column{Target: metrics.Target{Values: v.Data}, shape: v.Shape}
		case *tensor.IDs:
			c = column{Target: metrics.Target{IDs: v.Data}, shape: v.Shape}
		case *tensor.Text:
			if name != "x" {
				return nil, fmt.Errorf("unroll: Arrays: %s must be a *tensor.Tensor or a *tensor.IDs, or a []any of them, got texts", at)
			}
			if v.Shape.Size() != len(v.Data) {
				return nil, fmt.Errorf("unroll: Arrays: %s: expected as many texts as shape %v says, got %d", at, v.Shape, len(v.Data))
			}
			c = column{shape: v.Shape, text: v.Data}
		default:
			return nil, fmt.Errorf("unroll: Arrays: %s must be a *tensor.Tensor or a *tensor.IDs (x also a *tensor.Text), or a []any of them, got %T", at, v)
		}
		if len(c.shape) == 0 {
			return nil, fmt.Errorf("unroll: Arrays: %s must have a batch axis, got shape %v", at, c.shape)
		}
		all = append(all, c)
	}
	return all, nil
}

func (a *arrays) Len() int { return a.x[0].shape[0] }

func (a *arrays) Batch(dst *Batch, rows []int) error {
	dst.X, dst.Y, dst.Text = resize(dst.X, len(a.x)), resize(dst.Y, len(a.y)), resize(dst.Text, len(a.x))
	for i, c := range a.x {
		dst.Text[i] = take(dst.Text[i], c.text, c.shape, rows)
		x := &dst.X[i]
		x.Data, x.IDs = take(x.Data, c.Values, c.shape, rows), take(x.IDs, c.IDs, c.shape, rows)
		x.Shape = append(append(x.Shape[:0], len(rows)), c.shape[1:]...)
		x.Mask, x.TimeMajor = nil, false
	}
	for i, c := range a.y {
		y := &dst.Y[i]
		y.Values, y.IDs = take(y.Values, c.Values, c.shape, rows), take(y.IDs, c.IDs, c.shape, rows)
		y.Shape = append(append(y.Shape[:0], len(rows)), c.shape[1:]...)
		y.Weights = nil
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

// SampleWeights is data whose rows count as weights say, in losses and in weighted metrics: an array for every output of (N) or, where an output has
// steps, (N, T); nil for an output whose rows count alike. Keras: sample_weight.
func SampleWeights(d Data, weights ...*tensor.Tensor) (Data, error) {
	for i, w := range weights {
		switch {
		case w == nil:
		case len(w.Shape) == 0 || len(w.Shape) > 2:
			return nil, fmt.Errorf("unroll: SampleWeights: expected weights of shape (N) or (N, T) for output %d, got %v", i, w.Shape)
		case w.Shape[0] != d.Len():
			return nil, fmt.Errorf("unroll: SampleWeights: expected %d rows of weights for output %d, got %v", d.Len(), i, w.Shape)
		}
	}
	return &weighted{Data: d, weights: weights, rows: make([][]float32, len(weights))}, nil
}

type weighted struct {
	Data
	weights []*tensor.Tensor
	rows    [][]float32
}

func (d *weighted) Batch(dst *Batch, rows []int) error {
	if err := d.Data.Batch(dst, rows); err != nil {
		return err
	}
	if len(dst.Y) > 0 && len(dst.Y) != len(d.weights) {
		return fmt.Errorf("unroll: SampleWeights: expected weights for %d outputs, got %d", len(dst.Y), len(d.weights))
	}
	for i := range dst.Y {
		if w := d.weights[i]; w != nil {
			d.rows[i] = take(d.rows[i], w.Data, w.Shape, rows)
			dst.Y[i].Weights = d.rows[i]
		}
	}
	return nil
}

// span is some consecutive rows of a Data.
type span struct {
	Data
	from, n int
	rows    []int
}

func (p *span) Len() int { return p.n }

func (p *span) Batch(dst *Batch, rows []int) error {
	p.rows = p.rows[:0]
	for _, r := range rows {
		p.rows = append(p.rows, r+p.from)
	}
	return p.Data.Batch(dst, p.rows)
}

// shapes are those of the rows and targets of d, the batch axis None; it reads the first row.
func shapes(d Data, b *Batch) (x []layers.Signature, y []tensor.Shape, err error) {
	if d.Len() == 0 {
		return nil, nil, fmt.Errorf("unroll: the data have no rows")
	}
	if err := d.Batch(b, []int{0}); err != nil {
		return nil, nil, err
	}
	for i := range b.X {
		s := b.signature(i)
		s.Shape = s.Shape.Clone()
		s.Shape[0] = tensor.None
		x = append(x, s)
	}
	for _, v := range b.Y {
		s := v.Shape.Clone()
		s[0] = tensor.None
		y = append(y, s)
	}
	return x, y, nil
}
