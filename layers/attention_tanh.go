package layers

import "github.com/unroll-ml/unroll/internal/kernel"

// tanhScore is the score sum(gain tanh(inner (query + key))), gain a value for each of the width or one for all.
type tanhScore struct {
	width  int
	inner  *Weight // one value; nil: 1
	factor *Weight // gain, one value
	gain   *Weight // or one for each; neither: 1

	row []float32 // gain, width values
}

func (s *tanhScore) prepare() {
	if s.row == nil {
		s.row = make([]float32, s.width)
	}
	switch {
	case s.gain != nil:
		copy(s.row, s.gain.Data)
	case s.factor != nil:
		fill(s.row, s.factor.Data[0])
	default:
		fill(s.row, 1)
	}
}

// The buffers of a Call, all of one step of a query: (S, C) but for the first.
const (
	tanhGain = attTanh + iota // the gradient of gain so far
	tanhSum                   // query + key
	tanhValue
	tanhGrad
)

// values overwrites sum and value for one step q of a query: query + key, and the tanh.
func (s *tanhScore) values(sum, value, q, k []float32, n int) {
	kernel.Broadcast(sum, q, n)
	kernel.Add(sum, sum, k)
	x := sum
	if s.inner != nil {
		kernel.Scale(value, sum, s.inner.Data[0])
		x = value
	}
	kernel.Apply(kernel.Tanh, value, x)
}

// forward overwrites dst, (T, S), with the scores of a row, from its query (T, C) and key (S, C).
func (s *tanhScore) forward(c *Call, dst, q, k []float32, t, n int) {
	w := s.width
	sum, value := c.Floats(tanhSum, n*w), c.Floats(tanhValue, n*w)
	for i := range t {
		s.values(sum, value, q[i*w:(i+1)*w], k, n)
		for j := range n {
			dst[i*n+j] = kernel.Dot(value[j*w:(j+1)*w], s.row)
		}
	}
}

// begin is before the first row's backward.
func (s *tanhScore) begin(c *Call) { clear(c.Floats(tanhGain, s.width)) }

// backward adds the gradients of a row to dq, (T, C), and dk, (S, C), either of which may be nil, and to the weights', from that of its
// scores. The tanh is taken again: kept, those of all pairs of steps would be the largest values of the model.
func (s *tanhScore) backward(c *Call, dq, dk, ds, q, k []float32, t, n int) {
	w := s.width
	sum, value, d, gain := c.Floats(tanhSum, n*w), c.Floats(tanhValue, n*w), c.Floats(tanhGrad, n*w), c.Floats(tanhGain, w)
	for i := range t {
		s.values(sum, value, q[i*w:(i+1)*w], k, n)
		for j, g := range ds[i*n : (i+1)*n] {
			kernel.Axpy(gain, g, value[j*w:(j+1)*w])
			kernel.Scale(d[j*w:(j+1)*w], s.row, g)
		}
		kernel.ApplyGrad(kernel.Tanh, d, d, nil, value)
		if s.inner != nil {
			c.Grads.Of(s.inner)[0] += kernel.Dot(d, sum)
			kernel.Scale(d, d, s.inner.Data[0])
		}
		if dq != nil {
			kernel.SumRows(dq[i*w:(i+1)*w], d, w, n, w)
		}
		if dk != nil {
			kernel.Add(dk, dk, d)
		}
	}
}

// finish is behind the last row's backward.
func (s *tanhScore) finish(c *Call) {
	gain := c.Floats(tanhGain, s.width)
	switch {
	case s.gain != nil:
		g := c.Grads.Of(s.gain)
		kernel.Add(g, g, gain)
	case s.factor != nil:
		c.Grads.Of(s.factor)[0] += float32(kernel.Sum(gain))
	}
}
