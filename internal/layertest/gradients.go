package layertest

import (
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
)

// weightsOf are what the outputs are multiplied with to make the one number whose gradients are taken.
func weightsOf(n int) []float32 {
	draw := random.New(13, random.Data)
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(draw.Normal())
	}
	return w
}

// gradients compares those of the input and of every weight with finite differences, without and with a mask.
//
// The numbers are float32: with steps of 1/128 the difference carries a rounding error of some 1e-4 and a share of the third
// derivative of some 1e-4; a wrong formula is off by the size of the gradient itself.
func (c *Case) gradients(t *testing.T) {
	if c.Kinks {
		return
	}
	c.differences(t, "plain", nil)
	if len(c.Batch) > 2 && c.IDs == 0 && c.Mask != Refuses {
		c.differences(t, "masked", someMask(c.Batch[0], c.Batch[1]))
	}
}

func (c *Case) differences(t *testing.T, what string, mask []bool) {
	sig := c.signature()
	sig.Masked = mask != nil
	l := c.build(t, c.Spec, sig)
	in := c.input()
	in.Mask = mask
	before := values(l)
	var r []float32
	loss := func() float64 {
		l.Prepare(true)
		out := newPass(l, true).forward(in)
		if r == nil {
			r = weightsOf(len(out.Data))
		}
		sum := 0.0
		for i, v := range out.Data {
			sum += float64(v) * float64(r[i])
		}
		return sum
	}
	loss()
	restore(l, before)
	l.Prepare(true)
	p := newPass(l, true)
	p.forward(in)
	din := p.backward(r)
	restore(l, before)

	check := func(name string, x, got []float32, restored bool) {
		t.Helper()
		const h = 1.0 / 128
		largest, worst, at, want := 0.0, 0.0, 0, 0.0
		for i := range x {
			keep := x[i]
			x[i] = keep + h
			up := loss()
			if restored {
				restore(l, before)
			}
			x[i] = keep - h
			down := loss()
			if restored {
				restore(l, before)
			}
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
	if in.Data != nil {
		check("the input", in.Data, din, true)
	}
	for i, w := range l.Weights() {
		if !w.Trainable {
			continue
		}
		got := p.Grads.Dense[i]
		for _, part := range p.Grads.Rows[i] {
			addRows(got, part, w.Shape[1])
		}
		keep := before[i]
		before[i] = w.Data // moved by the differences, not by the layer
		check(w.Path, w.Data, got, true)
		before[i] = keep
	}
}

func addRows(dst []float32, part layers.RowGrad, width int) {
	for k, id := range part.IDs {
		for j := range width {
			dst[int(id)*width+j] += part.Rows[k*width+j]
		}
	}
}
