package layers

import (
	"math"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// GlobalMaxPooling1D is the largest value of every channel over all steps: (N, T, C) becomes (N, C). It does not look at masks:
// padding takes part, as in Keras. Source: keras/src/layers/pooling/global_max_pooling1d.py.
type GlobalMaxPooling1D struct {
	Name       string
	DataFormat string // "channels_first" for (N, C, T); unset: channels_last
	KeepDims   bool   // the axis of the steps stays, with length 1
}

// Class is "GlobalMaxPooling1D".
func (GlobalMaxPooling1D) Class() string { return "GlobalMaxPooling1D" }

// GivenName is the name that the user gave.
func (l GlobalMaxPooling1D) GivenName() string { return l.Name }

func (GlobalMaxPooling1D) shapeless() {}

// Config implements Spec.
func (l GlobalMaxPooling1D) Config() map[string]any {
	c := config(l)
	c["data_format"], c["keepdims"] = formatConfig(l.DataFormat), l.KeepDims
	return c
}

func readGlobalMaxPooling1D(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return GlobalMaxPooling1D{Name: base(r), DataFormat: dataFormat(r), KeepDims: r.Bool("keepdims", false)}
}

// Build checks the arguments.
func (l GlobalMaxPooling1D) Build(_ *Builder, in []Signature) (Layer, error) {
	return newGlobalPooling(globalPooling{class: "GlobalMaxPooling1D", keep: l.KeepDims, most: true}, l.DataFormat, in)
}

// GlobalAveragePooling1D is the mean of every channel over the steps that a mask leaves: (N, T, C) becomes (N, C). A row whose steps
// are all masked gives NaN, as in Keras. Source: keras/src/layers/pooling/global_average_pooling1d.py.
type GlobalAveragePooling1D struct {
	Name       string
	DataFormat string // "channels_first" for (N, C, T); unset: channels_last
	KeepDims   bool   // the axis of the steps stays, with length 1
}

// Class is "GlobalAveragePooling1D".
func (GlobalAveragePooling1D) Class() string { return "GlobalAveragePooling1D" }

// GivenName is the name that the user gave.
func (l GlobalAveragePooling1D) GivenName() string { return l.Name }

func (GlobalAveragePooling1D) shapeless() {}

// Config implements Spec.
func (l GlobalAveragePooling1D) Config() map[string]any {
	c := config(l)
	c["data_format"], c["keepdims"] = formatConfig(l.DataFormat), l.KeepDims
	return c
}

func readGlobalAveragePooling1D(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return GlobalAveragePooling1D{Name: base(r), DataFormat: dataFormat(r), KeepDims: r.Bool("keepdims", false)}
}

// Build checks the arguments.
func (l GlobalAveragePooling1D) Build(_ *Builder, in []Signature) (Layer, error) {
	return newGlobalPooling(globalPooling{class: "GlobalAveragePooling1D", keep: l.KeepDims}, l.DataFormat, in)
}

// globalPooling is both.
type globalPooling struct {
	class string
	keep  bool
	most  bool // the largest; otherwise the mean
	order sequence
}

func newGlobalPooling(p globalPooling, format string, in []Signature) (Layer, error) {
	if err := checkDataFormat(p.class, format); err != nil {
		return nil, err
	}
	p.order.first = format == channelsFirst
	_, err := p.Output(in)
	return &p, err
}

func (p *globalPooling) Weights() []*Weight { return nil }

func (p *globalPooling) Output(in []Signature) ([]Signature, error) {
	if err := checkSequences(p.class, p.order, in); err != nil {
		return nil, err
	}
	n := in[0].Shape[0]
	_, width := p.order.axes(in[0].Shape)
	if p.keep {
		return []Signature{p.order.signature(n, 1, width)}, nil
	}
	return []Signature{{Shape: tensor.Shape{n, width}}}, nil
}

func (p *globalPooling) Layout() Layout { return p.order.layout() }

func (p *globalPooling) Prepare(bool) {}

func (p *globalPooling) ShardRows() int { return 0 }

// The buffers of a Call.
const (
	globalOut = iota
	globalIn
	globalGrad
	globalTies
	globalPlain
)

func (p *globalPooling) Forward(c *Call) {
	in := &c.In[0]
	x, t, n, width := p.order.in(c, globalIn, in)
	out := c.Floats(globalOut, n*width)
	switch {
	case p.most:
		for i := range out {
			out[i] = float32(math.Inf(-1))
		}
		for s := range t {
			kernel.Max(out, out, x[s*len(out):(s+1)*len(out)])
		}
	default:
		p.mean(out, x, in.Mask, t, n, width)
	}
	if p.keep {
		// One step: either order of the axes is the same in memory.
		c.Out[0] = Value{Shape: c.Shape(0, nil, n, 1, width), Data: out, TimeMajor: !p.order.first}
		if p.order.first {
			c.Out[0].Shape = c.Shape(0, nil, n, width, 1)
		}
		return
	}
	c.Out[0] = Value{Shape: c.Shape(0, nil, n, width), Data: out}
}

// mean adds up step by step, and divides by how many steps count.
func (p *globalPooling) mean(out, x []float32, mask []bool, t, n, width int) {
	clear(out)
	if mask == nil {
		for s := range t {
			kernel.Add(out, out, x[s*len(out):(s+1)*len(out)])
		}
		kernel.Scale(out, out, float32(1/float64(t)))
		return
	}
	for s := range t {
		for r := range n {
			if mask[s*n+r] {
				row := out[r*width : (r+1)*width]
				kernel.Add(row, row, x[(s*n+r)*width:(s*n+r+1)*width])
			}
		}
	}
	for r := range n {
		row := out[r*width : (r+1)*width]
		kernel.Scale(row, row, float32(1/valid(mask, r, t, n)))
		if valid(mask, r, t, n) == 0 {
			for i := range row {
				row[i] = float32(math.NaN())
			}
		}
	}
}

// valid is how many steps of row r count, of a mask with steps outermost.
func valid(mask []bool, r, t, n int) float64 {
	count := 0
	for s := range t {
		if mask[s*n+r] {
			count++
		}
	}
	return float64(count)
}

func (p *globalPooling) Backward(c *Call) {
	din := c.DIn[0]
	if din == nil {
		return
	}
	in, dout := &c.In[0], c.DOut[0]
	t, width := p.order.axes(in.Shape)
	n := in.Shape[0]
	dx := din
	if p.order.first {
		dx = c.Floats(globalGrad, len(din))
	}
	if p.most {
		x := in.Data
		if p.order.first {
			x = c.Floats(globalIn, len(in.Data))
		}
		p.maxGrad(c, dx, dout, x, t)
	} else {
		p.meanGrad(dx, dout, in.Mask, t, n, width)
	}
	if p.order.first {
		p.order.back(din, dx, t, n, width)
	}
}

// maxGrad gives every step that has the largest value an equal share.
func (p *globalPooling) maxGrad(c *Call, dx, dout, x []float32, t int) {
	y, w := c.Out[0].Data, len(dout)
	ties := c.Floats(globalTies, w)
	clear(ties)
	for s := range t {
		for i, v := range x[s*w : (s+1)*w] {
			if v == y[i] {
				ties[i]++
			}
		}
	}
	for s := range t {
		for i, v := range x[s*w : (s+1)*w] {
			dx[s*w+i] = 0
			if v == y[i] {
				dx[s*w+i] = dout[i] / ties[i]
			}
		}
	}
}

func (p *globalPooling) meanGrad(dx, dout []float32, mask []bool, t, n, width int) {
	w := len(dout)
	if mask == nil {
		for s := range t {
			kernel.Scale(dx[s*w:(s+1)*w], dout, float32(1/float64(t)))
		}
		return
	}
	clear(dx)
	for r := range n {
		scale := float32(1 / valid(mask, r, t, n))
		for s := range t {
			if mask[s*n+r] {
				at := (s*n + r) * width
				kernel.Scale(dx[at:at+width], dout[r*width:(r+1)*width], scale)
			}
		}
	}
}

// checkSequences fails unless a sequence comes in whose width is known, in the order of axes that the layer takes. A mask belongs to
// the second axis, which are steps in one order only.
func checkSequences(class string, order sequence, in []Signature) error {
	what := "sequences (N, T, C) with a known width"
	if order.first {
		what = "unmasked sequences (N, C, T) with a known width"
	}
	if err := checkFloats(class, what, in, 3, 3); err != nil {
		return err
	}
	if _, width := order.axes(in[0].Shape); width == tensor.None || order.first && in[0].Masked {
		return checkFloats(class, what, in, 4, 3)
	}
	return nil
}
