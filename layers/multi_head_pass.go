package layers

import (
	"github.com/unroll-ml/unroll/internal/kernel"
)

// projection is a matrix, and perhaps a bias, that all steps of an input are taken through.
type projection struct {
	in, out            int
	kernel, bias       *Weight
	packed, transposed kernel.Packed
}

func (p *projection) prepare(training bool) {
	p.packed.Pack(p.kernel.Data, p.out, p.in, p.out)
	if training {
		p.transposed.PackT(p.kernel.Data, p.out, p.out, p.in)
	}
}

// forward overwrites dst, (n, out), from x, (n, in).
func (p *projection) forward(dst, x []float32, n int) {
	if p.bias == nil {
		kernel.MatMul(dst, p.out, x, p.in, &p.packed, n)
	} else {
		kernel.MatMulBias(dst, p.out, p.bias.Data, x, p.in, &p.packed, n)
	}
}

// backward adds the weights' gradients, from that of the result, dy.
func (p *projection) backward(c *Call, x, dy []float32, n int) {
	kernel.Outer(c.Grads.Of(p.kernel), p.out, x, p.in, p.in, dy, p.out, p.out, n)
	if p.bias != nil {
		kernel.SumRows(c.Grads.Of(p.bias), dy, p.out, n, p.out)
	}
}

// input adds the gradient of x to dx, unless that is nil.
func (p *projection) input(dx, dy []float32, n int) {
	if dx != nil {
		kernel.MatMulAcc(dx, p.in, dy, p.out, &p.transposed, n)
	}
}

// The buffers of a Call.
const (
	headQuery = iota // the projections, the query's times the scale
	headKey
	headValue
	headGate
	headGated
	headWeights // the softmax
	headDraws
	headDropped
	headResult // of the heads, side by side
	headOut
	headDQuery
	headDKey
	headDValue
	headDGate
	headDResult
	headDWeights // of one head of one row
)

// plain reports whether Keras computes this in one function, which never zeroes a softmax.
func (a *multiHead) plain() bool {
	return a.drop.rate == 0 && !a.spec.ReturnAttentionScores
}

// What Keras puts in place of a score that is not seen.
const (
	lowestPlain = -0.7 * 3.38953e38
	lowest      = -1e9
)

// sight is what is seen in this call.
func (a *multiHead) sight(c *Call) sight {
	see := sight{query: c.In[0].Mask, value: c.In[1].Mask, causal: a.spec.UseCausalMask, window: a.spec.SlidingWindow}
	if len(c.In) > 2 {
		see.key = c.In[2].Mask
	}
	return see
}

// heads are the sizes of a call: n rows, t steps of the query, s of the value, h heads of k and v values.
type heads struct{ n, t, s, h, k, v int }

// pairs is how many rows have steps that may see steps: all, or none.
func (z heads) pairs() int {
	if z.t*z.s == 0 {
		return 0
	}
	return z.n
}

func (a *multiHead) heads(c *Call) heads {
	z := attendedOf("MultiHeadAttention", c)
	return heads{n: z.n, t: z.t, s: z.s, h: a.spec.NumHeads, k: a.spec.KeyDim, v: a.spec.valueDim()}
}

func (a *multiHead) Forward(c *Call) {
	z, keep := a.heads(c), attentionKeepOf(c)
	q, k, v := c.Floats(headQuery, z.n*z.t*z.h*z.k), c.Floats(headKey, z.n*z.s*z.h*z.k), c.Floats(headValue, z.n*z.s*z.h*z.v)
	a.query.forward(q, c.In[0].Data, z.n*z.t)
	kernel.Scale(q, q, a.scale)
	a.key.forward(k, c.In[len(c.In)-1].Data, z.n*z.s)
	a.value.forward(v, c.In[1].Data, z.n*z.s)
	w := c.Floats(headWeights, z.n*z.h*z.t*z.s)
	a.softmax(c, keep, z, w, q, k)
	if a.drop.on(c) {
		draws := c.Floats(headDraws, len(w))
		a.drop.draw(c, keep, draws, z.n, z.h, z.t, z.s)
		kernel.Mul(c.Floats(headDropped, len(w)), w, draws)
		w = c.Floats(headDropped, len(w))
	}
	result := c.Floats(headResult, z.n*z.t*z.h*z.v)
	if z.t*z.s == 0 {
		clear(result)
	}
	for r := range z.pairs() {
		for h := range z.h {
			keep.packed.Pack(v[r*z.s*z.h*z.v+h*z.v:], z.h*z.v, z.s, z.v)
			kernel.MatMul(result[r*z.t*z.h*z.v+h*z.v:], z.h*z.v, w[(r*z.h+h)*z.t*z.s:], z.s, &keep.packed, z.t)
		}
	}
	if a.spec.UseGate {
		gate, gated := c.Floats(headGate, len(result)), c.Floats(headGated, len(result))
		a.gate.forward(gate, c.In[0].Data, z.n*z.t)
		kernel.Apply(kernel.Sigmoid, gate, gate)
		kernel.Mul(gated, result, gate)
		result = gated
	}
	out := c.Floats(headOut, z.n*z.t*a.output.out)
	a.output.forward(out, result, z.n*z.t)
	c.Out[0] = Value{Shape: c.Shape(0, c.In[0].Shape[:2], a.output.out), Data: out, Mask: c.In[0].Mask}
	if a.spec.OutputShape != nil {
		c.Out[0].Shape = c.Shape(0, c.In[0].Shape[:2], a.spec.OutputShape...)
	}
	if a.spec.ReturnAttentionScores {
		c.Out[1] = Value{Shape: c.Shape(1, nil, z.n, z.h, z.t, z.s), Data: c.Floats(headWeights, len(w))}
	}
}

// softmax overwrites w, (N, H, T, S), from the projected query and key.
func (a *multiHead) softmax(c *Call, keep *attentionKeep, z heads, w, q, k []float32) {
	see := a.sight(c)
	low := float32(lowest)
	if a.plain() {
		low = lowestPlain
	}
	seen := c.Bools(0, z.t*z.s)
	for r := range z.pairs() {
		if !see.whole() {
			see.row(seen, r, z.t, z.s)
		}
		for h := range z.h {
			one := w[(r*z.h+h)*z.t*z.s : (r*z.h+h+1)*z.t*z.s]
			keep.packed.PackT(k[r*z.s*z.h*z.k+h*z.k:], z.h*z.k, z.k, z.s)
			kernel.MatMul(one, z.s, q[r*z.t*z.h*z.k+h*z.k:], z.h*z.k, &keep.packed, z.t)
			if see.whole() {
				kernel.Softmax(one, one, z.t, z.s)
				continue
			}
			put(one, seen, low)
			kernel.Softmax(one, one, z.t, z.s)
			if !a.plain() {
				put(one, seen, 0)
			}
		}
	}
}

func (a *multiHead) Backward(c *Call) {
	z, keep := a.heads(c), attentionKeepOf(c)
	last := len(c.In) - 1
	for _, din := range c.DIn { // below everything is added up
		clear(din)
	}
	result := a.resultGrad(c, z)
	dq, dk, dv := c.Floats(headDQuery, z.n*z.t*z.h*z.k), c.Floats(headDKey, z.n*z.s*z.h*z.k), c.Floats(headDValue, z.n*z.s*z.h*z.v)
	clear(dk)
	clear(dv)
	a.headsGrad(c, keep, z, dq, dk, dv, result)
	kernel.Scale(dq, dq, a.scale)
	a.query.backward(c, c.In[0].Data, dq, z.n*z.t)
	a.query.input(c.DIn[0], dq, z.n*z.t)
	a.key.backward(c, c.In[last].Data, dk, z.n*z.s)
	a.key.input(c.DIn[last], dk, z.n*z.s)
	a.value.backward(c, c.In[1].Data, dv, z.n*z.s)
	a.value.input(c.DIn[1], dv, z.n*z.s)
}

// resultGrad is the gradient of the heads' results, nil where none comes; on the way it takes that of the output to the last projection and the gate.
func (a *multiHead) resultGrad(c *Call, z heads) []float32 {
	dout := c.DOut[0]
	if dout == nil {
		return nil
	}
	n := z.n * z.t
	result, d := c.Floats(headResult, n*z.h*z.v), c.Floats(headDResult, n*z.h*z.v)
	clear(d)
	a.output.input(d, dout, n)
	if !a.spec.UseGate {
		a.output.backward(c, result, dout, n)
		return d
	}
	a.output.backward(c, c.Floats(headGated, len(result)), dout, n)
	gate, dgate := c.Floats(headGate, len(result)), c.Floats(headDGate, len(result))
	kernel.Mul(dgate, d, result)
	kernel.ApplyGrad(kernel.Sigmoid, dgate, dgate, nil, gate)
	a.gate.backward(c, c.In[0].Data, dgate, n)
	a.gate.input(c.DIn[0], dgate, n)
	kernel.Mul(d, d, gate)
	return d
}

// headsGrad overwrites dq, and adds to dk and dv, the gradients of the projections, from that of the heads' results and of the returned
// scores.
func (a *multiHead) headsGrad(c *Call, keep *attentionKeep, z heads, dq, dk, dv, result []float32) {
	q, k, v := c.Floats(headQuery, len(dq)), c.Floats(headKey, len(dk)), c.Floats(headValue, len(dv))
	size, hk, hv := z.t*z.s, z.h*z.k, z.h*z.v
	w := c.Floats(headWeights, z.n*z.h*size)
	used := w
	if a.drop.on(c) {
		used = c.Floats(headDropped, len(w))
	}
	dw, seen, see := c.Floats(headDWeights, size), c.Bools(0, size), a.sight(c)
	if size == 0 {
		clear(dq)
	}
	for r := range z.pairs() {
		if !see.whole() {
			see.row(seen, r, z.t, z.s)
		}
		for h := range z.h {
			at := (r*z.h + h) * size
			if result == nil {
				clear(dw)
			} else {
				d := result[r*z.t*hv+h*z.v:]
				keep.packed.PackT(v[r*z.s*hv+h*z.v:], hv, z.v, z.s)
				kernel.MatMul(dw, z.s, d, hv, &keep.packed, z.t)
				kernel.Outer(dv[r*z.s*hv+h*z.v:], hv, used[at:], z.s, z.s, d, hv, z.v, z.t)
			}
			if a.drop.on(c) {
				kernel.Mul(dw, dw, c.Floats(headDraws, len(w))[at:at+size])
			}
			if len(c.DOut) > 1 && c.DOut[1] != nil {
				kernel.Add(dw, dw, c.DOut[1][at:at+size])
			}
			kernel.SoftmaxGrad(dw, dw, w[at:at+size], z.t, z.s)
			if !see.whole() {
				put(dw, seen, 0)
			}
			keep.packed.Pack(k[r*z.s*hk+h*z.k:], hk, z.s, z.k)
			kernel.MatMul(dq[r*z.t*hk+h*z.k:], hk, dw, z.s, &keep.packed, z.t)
			kernel.Outer(dk[r*z.s*hk+h*z.k:], hk, dw, z.s, z.s, q[r*z.t*hk+h*z.k:], hk, z.k, z.t)
		}
	}
}
