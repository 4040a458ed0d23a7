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

	scale, shift []float64 // the output is (x - mean) scale + shift
	sum, dot     []float64 // of the way back: of dy and of x̂ dy
}

func (s *batchStatistics) resize(n int) {
	for _, p := range []*[]float64{&s.count, &s.mean, &s.inv, &s.variance, &s.r, &s.d, &s.scale, &s.shift, &s.sum, &s.dot} {
		if cap(*p) < n {
			*p = make([]float64, n)
		}
		*p = (*p)[:n]
	}
}

// stretch is some values that follow each other: of the place on the axis of the first, and how far the place goes on from one to the next.
type stretch struct {
	from, to, place, step int
	counts                bool // the step is not masked
}

// each calls f with all values of the places from lo to before hi. The values lie in blocks of inner ones.
func (n *batchNorm) each(v *Value, lo, hi int, f func(stretch)) {
	inner, perStep := 1, len(v.Data)
	for _, d := range v.Shape[n.axis+1:] {
		inner *= d
	}
	if v.Mask != nil {
		perStep = len(v.Data) / len(v.Mask)
	}
	counts := func(i int) bool { return v.Mask == nil || v.Mask[i/perStep] }
	for i := 0; i < len(v.Data); i += n.width * inner {
		if inner == 1 {
			f(stretch{i + lo, i + hi, lo, 1, counts(i)})
			continue
		}
		for k := lo; k < hi; k++ {
			f(stretch{i + k*inner, i + (k+1)*inner, k, 0, counts(i + k*inner)})
		}
	}
}

// pass is a way over the values of the places from lo to before hi.
type pass func(n *batchNorm, c *Call, s *batchStatistics, lo, hi int)

// take takes a pass over all places, by all threads that the call has.
func (n *batchNorm) take(c *Call, s *batchStatistics, p pass) {
	if c.Share.Worth(passWork * len(c.In[0].Data)) {
		n.takeShared(c, s, p)
	} else {
		p(n, c, s, 0, n.width)
	}
}

// passWork is how many operations of a product take as long as a value of a pass.
const passWork = 16

func (n *batchNorm) takeShared(c *Call, s *batchStatistics, p pass) {
	c.Share.Split(n.width, func(lo, hi int) { p(n, c, s, lo, hi) })
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
		n.take(c, s, (*batchNorm).moments)
		n.correct(s)
		n.move(s)
	}
	for k := range n.width {
		if !s.batch {
			s.mean[k], s.variance[k], s.r[k], s.d[k] = float64(n.mean.Data[k]), float64(n.variance.Data[k]), 1, 0
		}
		s.inv[k] = 1 / math.Sqrt(s.variance[k]+n.eps)
		s.scale[k], s.shift[k] = s.inv[k]*s.r[k], s.d[k]
	}
	for k, v := range valuesOf(n.gamma) {
		s.scale[k] *= float64(v)
		s.shift[k] *= float64(v)
	}
	for k, v := range valuesOf(n.beta) {
		s.shift[k] += float64(v)
	}
	n.take(c, s, (*batchNorm).normalize)
}

// normalize makes the output.
func (n *batchNorm) normalize(c *Call, s *batchStatistics, lo, hi int) {
	n.each(&c.In[0], lo, hi, func(at stretch) {
		x, y := c.In[0].Data[at.from:at.to], c.Out[0].Data[at.from:at.to]
		mean, scale, shift := s.mean, s.scale, s.shift
		k := at.place
		for i, v := range x {
			y[i] = float32(float64((float64(v)-mean[k])*scale[k]) + shift[k])
			k += at.step
		}
	})
}

// moments are mean and variance of the batch. With a mask Keras divides by the count and a little more.
func (n *batchNorm) moments(c *Call, s *batchStatistics, lo, hi int) {
	in := &c.In[0]
	clear(s.mean[lo:hi])
	clear(s.variance[lo:hi])
	clear(s.count[lo:hi])
	n.each(in, lo, hi, func(at stretch) {
		if !at.counts {
			return
		}
		mean, count := s.mean, s.count
		k := at.place
		for _, v := range in.Data[at.from:at.to] {
			mean[k] += float64(v)
			count[k]++
			k += at.step
		}
	})
	for k := lo; k < hi; k++ {
		if in.Mask != nil {
			s.count[k] += 1e-7
		}
		s.mean[k] /= s.count[k]
	}
	n.each(in, lo, hi, func(at stretch) {
		if !at.counts {
			return
		}
		mean, variance := s.mean, s.variance
		k := at.place
		for _, v := range in.Data[at.from:at.to] {
			d := float64(v) - mean[k]
			variance[k] += float64(d * d)
			k += at.step
		}
	})
	for k := lo; k < hi; k++ {
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
	n.take(c, s, (*batchNorm).backSums)
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
	if c.DIn[0] == nil {
		return
	}
	for k := range n.width { // what a value's gradient takes of them
		if s.batch {
			s.sum[k] /= s.count[k]
			s.dot[k] /= s.count[k]
		} else {
			s.sum[k], s.dot[k] = 0, 0
		}
	}
	n.take(c, s, (*batchNorm).backInput)
}

// backSums adds up dy and h dy.
func (n *batchNorm) backSums(c *Call, s *batchStatistics, lo, hi int) {
	clear(s.sum[lo:hi])
	clear(s.dot[lo:hi])
	n.each(&c.In[0], lo, hi, func(at stretch) {
		x, dy := c.In[0].Data[at.from:at.to], c.DOut[0][at.from:at.to]
		mean, inv, sum, dot := s.mean, s.inv, s.sum, s.dot
		k := at.place
		for i, v := range dy {
			g := float64(v)
			sum[k] += g
			dot[k] += float64(g * (float64(x[i]) - mean[k]) * inv[k])
			k += at.step
		}
	})
}

func (n *batchNorm) backInput(c *Call, s *batchStatistics, lo, hi int) {
	n.each(&c.In[0], lo, hi, func(at stretch) {
		x, dy, dx := c.In[0].Data[at.from:at.to], c.DOut[0][at.from:at.to], c.DIn[0][at.from:at.to]
		mean, inv, scale, sum, dot := s.mean, s.inv, s.scale, s.sum, s.dot
		k := at.place
		for i, v := range dy {
			g := float64(v)
			if at.counts {
				g -= sum[k] + float64((float64(x[i])-mean[k])*inv[k]*dot[k])
			}
			dx[i] = float32(g * scale[k])
			k += at.step
		}
	})
}
