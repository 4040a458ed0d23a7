package layers

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// MaxPooling1D is the largest value of every channel in windows of PoolSize steps: (N, T, C) becomes (N, T', C). A mask ends here, as in
// Keras. Source: keras/src/layers/pooling/max_pooling1d.py.
type MaxPooling1D struct {
	Name       string
	PoolSize   int    // unset: 2
	Strides    int    // steps from window to window; unset: PoolSize
	Padding    string // "same" gives a window to every stride, also where the steps end; unset: "valid"
	DataFormat string // "channels_first" for (N, C, T); unset: channels_last
}

// Class is "MaxPooling1D".
func (MaxPooling1D) Class() string { return "MaxPooling1D" }

// GivenName is the name that the user gave.
func (l MaxPooling1D) GivenName() string { return l.Name }

func (MaxPooling1D) shapeless() {}

// Config implements Spec.
func (l MaxPooling1D) Config() map[string]any {
	return poolingConfig(l, l.PoolSize, l.Strides, l.Padding, l.DataFormat)
}

func readMaxPooling1D(r *keras.Reader) Spec {
	l := MaxPooling1D{}
	l.Name, l.PoolSize, l.Strides, l.Padding, l.DataFormat = readPooling(r)
	return l
}

// Build checks the arguments.
func (l MaxPooling1D) Build(_ *Builder, in []Signature) (Layer, error) {
	return newPooling("MaxPooling1D", l.PoolSize, l.Strides, l.Padding, l.DataFormat, true, in)
}

// AveragePooling1D is the mean of every channel in windows of PoolSize steps, as far as they lie within the sequence: (N, T, C) becomes
// (N, T', C). A mask ends here, as in Keras. Source: keras/src/layers/pooling/average_pooling1d.py.
type AveragePooling1D struct {
	Name       string
	PoolSize   int    // unset: 2
	Strides    int    // steps from window to window; unset: PoolSize
	Padding    string // "same" gives a window to every stride, also where the steps end; unset: "valid"
	DataFormat string // "channels_first" for (N, C, T); unset: channels_last
}

// Class is "AveragePooling1D".
func (AveragePooling1D) Class() string { return "AveragePooling1D" }

// GivenName is the name that the user gave.
func (l AveragePooling1D) GivenName() string { return l.Name }

func (AveragePooling1D) shapeless() {}

// Config implements Spec.
func (l AveragePooling1D) Config() map[string]any {
	return poolingConfig(l, l.PoolSize, l.Strides, l.Padding, l.DataFormat)
}

func readAveragePooling1D(r *keras.Reader) Spec {
	l := AveragePooling1D{}
	l.Name, l.PoolSize, l.Strides, l.Padding, l.DataFormat = readPooling(r)
	return l
}

// Build checks the arguments.
func (l AveragePooling1D) Build(_ *Builder, in []Signature) (Layer, error) {
	return newPooling("AveragePooling1D", l.PoolSize, l.Strides, l.Padding, l.DataFormat, false, in)
}

func poolingConfig(s Spec, size, strides int, padding, format string) map[string]any {
	c := config(s)
	size, strides = poolDefaults(size, strides)
	c["pool_size"], c["strides"] = []any{size}, []any{strides}
	c["padding"], c["data_format"] = orValid(padding), formatConfig(format)
	return c
}

func poolDefaults(size, strides int) (int, int) {
	if size == 0 {
		size = 2
	}
	if strides == 0 {
		strides = size
	}
	return size, strides
}

func orValid(padding string) string {
	if padding == "" {
		return padValid
	}
	return padding
}

func readPooling(r *keras.Reader) (name string, size, strides int, padding, format string) {
	onlyNone(r, "activity_regularizer")
	name, size, padding, format = base(r), 2, r.String("padding", padValid), dataFormat(r)
	if r.Has("pool_size") {
		size = one(r, "pool_size")
	}
	strides = size
	if !r.Null("strides") {
		strides = one(r, "strides")
	}
	if r.Err() == nil && (size <= 0 || size > maxAxis) {
		r.Fail("pool_size", fmt.Sprintf("an integer from 1 to %d", maxAxis))
	}
	if r.Err() == nil && (strides <= 0 || strides > maxAxis) {
		r.Fail("strides", fmt.Sprintf("an integer from 1 to %d", maxAxis))
	}
	if r.Err() == nil && padding != padValid && padding != padSame {
		r.Fail("padding", `"valid" or "same"`)
	}
	return name, size, strides, padding, format
}

// pooling is both.
type pooling struct {
	class string
	windows
	order sequence
	most  bool // the largest; otherwise the mean
}

func newPooling(class string, size, strides int, padding, format string, most bool, in []Signature) (Layer, error) {
	size, strides = poolDefaults(size, strides)
	switch {
	case size <= 0:
		return nil, fmt.Errorf("layers: %s: pool_size must be positive, got %d", class, size)
	case strides <= 0:
		return nil, fmt.Errorf("layers: %s: strides must be positive, got %d", class, strides)
	}
	if padding = orValid(padding); padding != padValid && padding != padSame {
		return nil, fmt.Errorf("layers: %s: padding must be valid or same, got %q", class, padding)
	}
	if err := checkDataFormat(class, format); err != nil {
		return nil, err
	}
	p := &pooling{class: class, windows: windows{size, strides, 1, padding}, order: sequence{format == channelsFirst}, most: most}
	_, err := p.Output(in)
	return p, err
}

func (p *pooling) Weights() []*Weight { return nil }

func (p *pooling) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats(p.class, "sequences (N, T, C)", in, 3, 3); err != nil {
		return nil, err
	}
	t, width := p.order.axes(in[0].Shape)
	if t != tensor.None {
		if t = p.count(t); t <= 0 {
			return nil, fmt.Errorf("layers: %s: expected at least %d steps, as many as pool_size, got %v", p.class, p.size, in[0].Shape)
		}
	}
	return []Signature{p.order.signature(in[0].Shape[0], t, width)}, nil
}

func (p *pooling) Layout() Layout { return p.order.layout() }

func (p *pooling) Prepare(bool) {}

func (p *pooling) ShardRows() int { return 0 }

// The buffers of a Call.
const (
	poolOut = iota
	poolIn
	poolPlain
	poolDOut
	poolGrad
	poolBest
)

func (p *pooling) Forward(c *Call) {
	x, t, n, width := p.order.in(c, poolIn, &c.In[0])
	count := p.count(t)
	w := n * width
	out := c.Floats(poolOut, count*w)
	for o := range count {
		row := out[o*w : (o+1)*w]
		first, last := p.inside(o, t)
		copy(row, x[first*w:(first+1)*w])
		for s := first + 1; s < last; s++ {
			if p.most {
				kernel.Max(row, row, x[s*w:(s+1)*w])
			} else {
				kernel.Add(row, row, x[s*w:(s+1)*w])
			}
		}
		if !p.most {
			kernel.Scale(row, row, float32(1/float64(last-first)))
		}
	}
	c.Out[0] = p.order.out(c, poolPlain, out, count, n, width)
}

func (p *pooling) Backward(c *Call) {
	din := c.DIn[0]
	if din == nil {
		return
	}
	in := &c.In[0]
	t, width := p.order.axes(in.Shape)
	n := in.Shape[0]
	w := n * width
	dout := p.order.grad(c, poolDOut, c.Out[0].Shape, c.DOut[0])
	dx, x := din, in.Data
	if p.order.first {
		dx, x = c.Floats(poolGrad, len(din)), c.Floats(poolIn, len(din))
	}
	if c.Share.Worth(poolWork * len(dx)) {
		p.backShared(c, dx, x, dout, t, w)
	} else {
		p.back(dx, x, dout, t, w, 0, w)
	}
	if p.order.first {
		p.order.back(din, dx, t, n, width)
	}
}

// poolWork is how many operations of a product take as long as a value of a window.
const poolWork = 32

func (p *pooling) backShared(c *Call, dx, x, dout []float32, t, w int) {
	c.Share.Split(w, func(lo, hi int) { p.back(dx, x, dout, t, w, lo, hi) })
}

// back takes the gradients of the windows to those of the steps, of the values from lo to before hi of the w that each has.
func (p *pooling) back(dx, x, dout []float32, t, w, lo, hi int) {
	for s := range t {
		clear(dx[s*w+lo : s*w+hi])
	}
	for o := range len(dout) / w {
		first, last := p.inside(o, t)
		dy := dout[o*w+lo : o*w+hi]
		if p.most {
			toFirstMost(dx, x, dy, first*w+lo, last*w+lo, w)
			continue
		}
		scale := float32(1 / float64(last-first))
		for s := first; s < last; s++ {
			kernel.Axpy(dx[s*w+lo:s*w+hi], scale, dy)
		}
	}
}

// toFirstMost adds each gradient where the first of the largest values stands, of those at places from from to before to, w apart. Values are
// compared as integers in the same order, which needs no branch; a NaN lies beyond the infinity of its sign.
func toFirstMost(dx, x, dy []float32, from, to, w int) {
	for i, g := range dy {
		best, at := int32(math.MinInt32), from+i
		for k := from + i; k < to+i; k += w {
			v := int32(math.Float32bits(x[k] + 0)) // no -0
			v ^= int32(uint32(v>>31) >> 1)
			if v > best {
				best, at = v, k
			}
		}
		dx[at] += g
	}
}
