package layers

import "github.com/unroll-ml/unroll/internal/kernel"

// The buffers of a Call.
const (
	attOut     = iota
	attScores  // before the scale, where there is one
	attWeights // the softmax
	attDraws
	attDropped
	attGrad  // of the result
	attGradW // of one row's softmax
	attTanh  // of tanhScore, from here on
)

// attended is the sizes of a call: n rows, t steps of the query, s of the value; widths of query and key, and of the value.
type attended struct{ n, t, s, c, d int }

func attendedOf(class string, c *Call) attended {
	q, v, k := c.In[0].Shape, c.In[1].Shape, c.In[len(c.In)-1].Shape
	if v[1] != k[1] {
		panic("layers: " + class + ": a value and a key of different numbers of steps")
	}
	return attended{n: q[0], t: q[1], s: v[1], c: q[2], d: v[2]}
}

// farBelow is what Keras subtracts from a score that is not seen.
const farBelow = 1e9

func (a *attention) Forward(c *Call) {
	z, keep := attendedOf(a.class, c), attentionKeepOf(c)
	q, v, k := c.In[0].Data, c.In[1].Data, c.In[len(c.In)-1].Data
	w := c.Floats(attWeights, z.n*z.t*z.s)
	see := sight{value: c.In[1].Mask, causal: a.call.causal}
	for r := range z.n {
		scores := w[r*z.t*z.s : (r+1)*z.t*z.s]
		a.score(c, keep, z, r, scores, q, k)
		if !see.whole() {
			seen := c.Bools(0, z.t*z.s)
			see.row(seen, r, z.t, z.s)
			lower(scores, seen, farBelow)
		}
	}
	kernel.Softmax(w, w, z.n*z.t, z.s)
	if a.drop.on(c) {
		draws := c.Floats(attDraws, len(w))
		a.drop.draw(c, keep, draws, z.n, z.t, z.s)
		kernel.Mul(c.Floats(attDropped, len(w)), w, draws)
		w = c.Floats(attDropped, len(w))
	}
	out := c.Floats(attOut, z.n*z.t*z.d)
	for r := range z.n {
		keep.packed.Pack(v[r*z.s*z.d:(r+1)*z.s*z.d], z.d, z.s, z.d)
		kernel.MatMul(out[r*z.t*z.d:], z.d, w[r*z.t*z.s:(r+1)*z.t*z.s], z.s, &keep.packed, z.t)
	}
	mask := c.In[0].Mask
	if mask != nil {
		kernel.ZeroRows(out, mask, z.n*z.t, z.d)
	}
	c.Out[0] = Value{Shape: c.Shape(0, nil, z.n, z.t, z.d), Data: out, Mask: mask}
	if a.call.scores {
		c.Out[1] = Value{Shape: c.Shape(1, nil, z.n, z.t, z.s), Data: w}
	}
}

// score overwrites dst, (T, S), with the scores of row r.
func (a *attention) score(c *Call, keep *attentionKeep, z attended, r int, dst, q, k []float32) {
	q, k = q[r*z.t*z.c:(r+1)*z.t*z.c], k[r*z.s*z.c:(r+1)*z.s*z.c]
	if a.sum != nil {
		a.sum.forward(c, dst, q, k, z.t, z.s)
		return
	}
	to := dst
	if a.scale != nil {
		to = c.Floats(attScores, z.n*z.t*z.s)[r*z.t*z.s : (r+1)*z.t*z.s]
	}
	keep.packed.PackT(k, z.c, z.c, z.s)
	kernel.MatMul(to, z.s, q, z.c, &keep.packed, z.t)
	if a.scale != nil {
		kernel.Scale(dst, to, a.scale.Data[0])
	}
}

func (a *attention) Backward(c *Call) {
	z, keep := attendedOf(a.class, c), attentionKeepOf(c)
	v := c.In[1].Data
	w, size := c.Floats(attWeights, z.n*z.t*z.s), z.t*z.s
	used := w
	if a.drop.on(c) {
		used = c.Floats(attDropped, len(w))
	}
	dout := c.DOut[0]
	if mask := c.In[0].Mask; mask != nil && dout != nil {
		dout = c.Floats(attGrad, len(c.DOut[0]))
		copy(dout, c.DOut[0])
		kernel.ZeroRows(dout, mask, z.n*z.t, z.d)
	}
	for _, din := range c.DIn { // below everything is added up
		clear(din)
	}
	dw := c.Floats(attGradW, size)
	if a.sum != nil {
		a.sum.begin(c)
	}
	for r := range z.n {
		part := func(all []float32, w int) []float32 { return all[r*w : (r+1)*w] }
		if dout == nil {
			clear(dw)
		} else {
			keep.packed.PackT(part(v, z.s*z.d), z.d, z.d, z.s)
			kernel.MatMul(dw, z.s, part(dout, z.t*z.d), z.d, &keep.packed, z.t)
			if dv := c.DIn[1]; dv != nil {
				kernel.Outer(part(dv, z.s*z.d), z.d, part(used, size), z.s, z.s, part(dout, z.t*z.d), z.d, z.d, z.t)
			}
		}
		if len(c.DOut) > 1 && c.DOut[1] != nil {
			kernel.Add(dw, dw, part(c.DOut[1], size))
		}
		if a.drop.on(c) {
			kernel.Mul(dw, dw, part(c.Floats(attDraws, len(w)), size))
		}
		kernel.SoftmaxGrad(dw, dw, part(w, size), z.t, z.s)
		a.scoreGrad(c, keep, z, r, dw)
	}
	if a.sum != nil {
		a.sum.finish(c)
	}
}

// scoreGrad takes ds, (T, S), the gradient of row r's scores, to query, key and weights. It overwrites ds.
func (a *attention) scoreGrad(c *Call, keep *attentionKeep, z attended, r int, ds []float32) {
	last := len(c.In) - 1
	q, k := c.In[0].Data[r*z.t*z.c:(r+1)*z.t*z.c], c.In[last].Data[r*z.s*z.c:(r+1)*z.s*z.c]
	var dq, dk []float32
	if d := c.DIn[0]; d != nil {
		dq = d[r*z.t*z.c : (r+1)*z.t*z.c]
	}
	if d := c.DIn[last]; d != nil {
		dk = d[r*z.s*z.c : (r+1)*z.s*z.c]
	}
	if a.sum != nil {
		a.sum.backward(c, dq, dk, ds, q, k, z.t, z.s)
		return
	}
	if a.scale != nil {
		scores := c.Floats(attScores, z.n*z.t*z.s)[r*z.t*z.s : (r+1)*z.t*z.s]
		c.Grads.Of(a.scale)[0] += kernel.Dot(ds, scores)
		kernel.Scale(ds, ds, a.scale.Data[0])
	}
	if dq != nil {
		keep.packed.Pack(k, z.c, z.s, z.c)
		kernel.MatMul(dq, z.c, ds, z.s, &keep.packed, z.t)
	}
	if dk != nil {
		kernel.Outer(dk, z.c, ds, z.s, z.s, q, z.c, z.c, z.t)
	}
}
