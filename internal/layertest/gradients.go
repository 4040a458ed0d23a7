package layertest

import (
	"fmt"
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
)

// weightsOf are what the outputs are multiplied with to make the one number whose gradients are taken.
func weightsOf(out []layers.Value) [][]float32 {
	draw := random.New(13, random.Data)
	w := make([][]float32, len(out))
	for i, v := range out {
		w[i] = make([]float32, len(v.Data))
		for k := range w[i] {
			w[i][k] = float32(draw.Normal())
		}
	}
	return w
}

// gradients compares those of every input and of every weight with finite differences, without and with a mask.
//
// The numbers are float32: with steps of 1/128 the difference carries a rounding error of some 1e-4 and a share of the third
// derivative of some 1e-4; a wrong formula is off by the size of the gradient itself.
func (c *Case) gradients(t *testing.T) {
	c.parts(t)
	if c.Kinks {
		return
	}
	c.differences(t, "plain", false)
	if c.hasSteps() && c.IDs == 0 && c.Mask != Refuses {
		c.differences(t, "masked", true)
	}
}

func (c *Case) differences(t *testing.T, what string, masked bool) {
	l := c.build(t, c.Spec, c.signatures(masked))
	in := c.inputs()
	if masked {
		c.mask(in, 1)
	}
	before := values(l)
	var r [][]float32
	loss := func() float64 {
		l.Prepare(true)
		out := c.pass(l, true).forward(in)
		if r == nil {
			r = weightsOf(out)
		}
		sum := 0.0
		for i, v := range out {
			for k, x := range v.Data {
				sum += float64(x) * float64(r[i][k])
			}
		}
		return sum
	}
	loss()
	restore(l, before)
	l.Prepare(true)
	p := c.pass(l, true)
	p.forward(in)
	din := p.backward(r)
	restore(l, before)

	check := func(name string, x, got []float32) {
		t.Helper()
		const h = 1.0 / 128
		largest, worst, at, want := 0.0, 0.0, 0, 0.0
		for i := range x {
			keep := x[i]
			x[i] = keep + h
			up := loss()
			restore(l, before)
			x[i] = keep - h
			down := loss()
			restore(l, before)
			x[i] = keep
			d := (up - down) / (2 * h)
			largest = max(largest, math.Abs(d))
			if err := math.Abs(d - float64(got[i])); !(err <= worst) {
				worst, at, want = err, i, d
			}
		}
		if !(worst <= 2e-3+1e-2*largest) {
			t.Errorf("%s: gradient of %s, index %d: expected about %v by differences, got %v", what, name, at, want, got[at])
		}
	}
	for i, v := range in {
		if v.Data != nil {
			check(fmt.Sprintf("input %d", i), v.Data, din[i])
		}
	}
	grads := p.weightGrads()
	for i, w := range l.Weights() {
		if !w.Trainable {
			continue
		}
		keep := before[i]
		before[i] = w.Data // moved by the differences, not by the layer
		check(w.Path, w.Data, grads[i])
		before[i] = keep
	}
}

// weightGrads are the gradients that a pass has added up, those of tables row by row put together.
func (p *pass) weightGrads() [][]float32 {
	var all [][]float32
	for i, w := range p.layer.Weights() {
		got := p.Grads.Dense[i]
		for _, part := range p.Grads.Rows[i] {
			addRows(got, part, w.Shape[1])
		}
		all = append(all, got)
	}
	return all
}

// parts: a gradient that nobody asks for changes no other, and one that does not come counts as zeros.
func (c *Case) parts(t *testing.T) {
	l := c.build(t, c.Spec, c.signatures(false))
	before := values(l)
	run := func(skip int, change func(dout [][]float32)) (din, dw [][]float32) {
		restore(l, before)
		l.Prepare(true)
		p := c.pass(l, true)
		dout := weightsOf(p.forward(c.inputs()))
		change(dout)
		din = p.backwardTo(dout, skip)
		return din, p.weightGrads()
	}
	din, dw := run(-1, func([][]float32) {})
	for skip := range din {
		less, lessW := run(skip, func([][]float32) {})
		for i := range din {
			if i != skip {
				sameBits(t, fmt.Sprintf("gradient of input %d without that of input %d", i, skip), less[i], din[i])
			}
		}
		for i := range dw {
			sameBits(t, fmt.Sprintf("gradient of weight %d without that of input %d", i, skip), lessW[i], dw[i])
		}
	}
	if len(c.MoreOut) == 0 {
		return
	}
	for only := range 1 + len(c.MoreOut) {
		none := func(set func(d []float32) []float32) func([][]float32) {
			return func(dout [][]float32) {
				for i := range dout {
					if i != only {
						dout[i] = set(dout[i])
					}
				}
			}
		}
		din, dw := run(-1, none(func([]float32) []float32 { return nil }))
		zin, zw := run(-1, none(func(d []float32) []float32 { return make([]float32, len(d)) }))
		for i := range din {
			nearly(t, fmt.Sprintf("gradient of input %d through output %d alone", i, only), din[i], zin[i])
		}
		for i := range dw {
			nearly(t, fmt.Sprintf("gradient of weight %d through output %d alone", i, only), dw[i], zw[i])
		}
	}
}

// nearly fails where two ways to one number differ by more than the rounding of a few sums.
func nearly(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if err := golden.Difference(got, want, golden.Tolerance{Abs: 1e-6, Rel: 1e-5}); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func addRows(dst []float32, part layers.RowGrad, width int) {
	for k, id := range part.IDs {
		for j := range width {
			dst[int(id)*width+j] += part.Rows[k*width+j]
		}
	}
}
