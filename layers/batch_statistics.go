package layers

import "math"

// batchStatistics is what a pass of BatchNormalization keeps for its way back, one number a place of the axis.
type batchStatistics struct {
	batch    bool      // the numbers are the batch's, so the gradient goes through them
	count    []float64 // values that count
	mean     []float64
	inv      []float64 // 1/√(variance + epsilon)
	variance []float64
	r, d     []float64 // of renorm: the output is (x̂ r + d) gamma + beta
	sum, dot []float64
}

func (s *batchStatistics) resize(n int) {
	for _, p := range []*[]float64{&s.count, &s.mean, &s.inv, &s.variance, &s.r, &s.d, &s.sum, &s.dot} {
		if cap(*p) < n {
			*p = make([]float64, n)
		}
		*p = (*p)[:n]
	}
}

// each calls f with every value's number and its place on the axis: the values lie in blocks of inner ones.
func (n *batchNorm) each(v *Value, f func(i, k int)) {
	inner := 1
	for _, d := range v.Shape[n.axis+1:] {
		inner *= d
	}
	if inner == 1 {
		for i := 0; i < len(v.Data); i += n.width {
			for k := range n.width {
				f(i+k, k)
			}
		}
		return
	}
	for i := range v.Data {
		f(i, i/inner%n.width)
	}
}

// counts reports whether value i is of a step that is not masked.
func (n *batchNorm) counts(v *Value, i int) bool {
	if v.Mask == nil {
		return true
	}
	return v.Mask[i/(len(v.Data)/len(v.Mask))]
}

func (n *batchNorm) Forward(c *Call) {
	s, ok := c.Keep.(*batchStatistics)
	if !ok {
		s = new(batchStatistics)
		c.Keep = s
	}
	s.resize(n.width)
	in, out := &c.In[0], &c.Out[0]
	*out = *in
	out.Data = c.Floats(0, len(in.Data))
	s.batch = c.Training && n.Trainable()
	if s.batch {
		n.moments(s, in)
		n.correct(s)
		n.move(s)
	}
	for k := range n.width {
		if !s.batch {
			s.mean[k], s.variance[k], s.r[k], s.d[k] = float64(n.mean.Data[k]), float64(n.variance.Data[k]), 1, 0
		}
		s.inv[k] = 1 / math.Sqrt(s.variance[k]+n.eps)
	}
	gamma, beta := valuesOf(n.gamma), valuesOf(n.beta)
	n.each(in, func(i, k int) {
		y := (float64(in.Data[i])-s.mean[k])*s.inv[k]*s.r[k] + s.d[k]
		if gamma != nil {
			y *= float64(gamma[k])
		}
		if beta != nil {
			y += float64(beta[k])
		}
		out.Data[i] = float32(y)
	})
}

// moments are mean and variance of the batch. With a mask Keras divides by the count and a little more.
func (n *batchNorm) moments(s *batchStatistics, in *Value) {
	clear(s.mean)
	clear(s.variance)
	clear(s.count)
	n.each(in, func(i, k int) {
		if n.counts(in, i) {
			s.mean[k] += float64(in.Data[i])
			s.count[k]++
		}
	})
	for k := range s.mean {
		if in.Mask != nil {
			s.count[k] += 1e-7
		}
		s.mean[k] /= s.count[k]
	}
	n.each(in, func(i, k int) {
		if n.counts(in, i) {
			d := float64(in.Data[i]) - s.mean[k]
			s.variance[k] += float64(d * d)
		}
	})
	for k := range s.variance {
		s.variance[k] /= s.count[k]
	}
}

// correct sets r and d: how far the batch is from the moving averages, within bounds.
func (n *batchNorm) correct(s *batchStatistics) {
	clip := n.spec.RenormClipping
	for k := range n.width {
		s.r[k], s.d[k] = 1, 0
		if !n.spec.Renorm {
			continue
		}
		stddev := math.Sqrt(s.variance[k] + n.eps)
		moving := max(float64(n.renormStddev.Data[k]), math.Sqrt(n.eps))
		r, d := stddev/moving, (s.mean[k]-float64(n.renormMean.Data[k]))/moving
		r = max(r, clip.RMin.Or(math.Inf(-1)))
		r = min(r, clip.RMax.Or(math.Inf(1)))
		d = min(max(d, -clip.DMax.Or(math.Inf(1))), clip.DMax.Or(math.Inf(1)))
		s.r[k], s.d[k] = r, d
	}
}

// move takes the batch into the moving averages.
func (n *batchNorm) move(s *batchStatistics) {
	into := func(w *Weight, k int, momentum, v float64) {
		w.Data[k] = float32(float64(w.Data[k])*momentum + v*(1-momentum))
	}
	m, rm := n.spec.Momentum.Or(0.99), n.spec.RenormMomentum.Or(0.99)
	for k := range n.width {
		into(n.mean, k, m, s.mean[k])
		if !n.spec.Renorm {
			into(n.variance, k, m, s.variance[k])
			continue
		}
		stddev := math.Sqrt(s.variance[k] + n.eps)
		into(n.renormMean, k, rm, s.mean[k])
		into(n.renormStddev, k, rm, stddev)
		into(n.stddev, k, m, stddev)
		moving := float64(n.stddev.Data[k])
		n.variance.Data[k] = float32(max(0, moving*moving-n.eps))
	}
}

// Backward: with h = (x - mean) inv and g = dy gamma r, dx = inv (g - mean(g) - h mean(g h)) where the step counts, and inv g where
// it is masked, since it then is in no mean; but what masked steps take from the means goes back to those that count.
func (n *batchNorm) Backward(c *Call) {
	s := c.Keep.(*batchStatistics)
	in, dout, din := &c.In[0], c.DOut[0], c.DIn[0]
	clear(s.sum)
	clear(s.dot)
	n.each(in, func(i, k int) {
		s.sum[k] += float64(dout[i])
		s.dot[k] += float64(dout[i]) * (float64(in.Data[i]) - s.mean[k]) * s.inv[k]
	})
	if dgamma := c.gradOf(n.gamma); dgamma != nil {
		for k := range dgamma {
			dgamma[k] += float32(s.dot[k]*s.r[k] + s.sum[k]*s.d[k])
		}
	}
	if dbeta := c.gradOf(n.beta); dbeta != nil {
		for k := range dbeta {
			dbeta[k] += float32(s.sum[k])
		}
	}
	if din == nil {
		return
	}
	gamma := valuesOf(n.gamma)
	n.each(in, func(i, k int) {
		g := float64(dout[i])
		if s.batch && n.counts(in, i) {
			h := (float64(in.Data[i]) - s.mean[k]) * s.inv[k]
			g -= (s.sum[k] + h*s.dot[k]) / s.count[k]
		}
		g *= s.inv[k] * s.r[k]
		if gamma != nil {
			g *= float64(gamma[k])
		}
		din[i] = float32(g)
	})
}
