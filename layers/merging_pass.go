package layers

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// mergePlan is how inputs of these shapes are merged, kept in a Call.
type mergePlan struct {
	in   []tensor.Shape
	out  tensor.Shape
	size int
	how  []spread // by input
	full [][]float32
	mask [][]bool // by input, of the result's steps; nil: takes part everywhere
	pick []int32  // the input that a value came from
}

// The buffers of a Call: those of input i follow at mergeFull+i and mergeSteps+i.
const (
	mergeOut = iota
	mergeGrad
	mergeGradIn
	mergeFull
)

const (
	mergeMask = iota
	mergeSoFar
	mergeSteps
)

// plan is the one for the call's inputs.
func (m *merging) plan(c *Call) *mergePlan {
	p, ok := c.Keep.(*mergePlan)
	if !ok {
		p = &mergePlan{in: make([]tensor.Shape, len(c.In)), how: make([]spread, len(c.In)), full: make([][]float32, len(c.In)), mask: make([][]bool, len(c.In))}
		c.Keep = p
	}
	same := true
	for i := range c.In {
		same = same && p.in[i].Equal(c.In[i].Shape)
	}
	if same {
		return p
	}
	// From the input of most axes on, so that the shape stays in its memory: shards of a batch differ in their rows.
	p.out = p.out[:0]
	for i, v := range c.In {
		p.in[i] = append(p.in[i][:0], v.Shape...)
		if len(v.Shape) > len(p.out) {
			p.out = append(p.out[:0], v.Shape...)
		}
	}
	for _, v := range c.In {
		var fits bool
		if p.out, fits = broadcast(p.out, v.Shape); !fits {
			panic("layers: " + m.class + ": inputs of shapes that cannot be merged")
		}
	}
	p.size = p.out.Size()
	for i := range c.In {
		p.how[i] = newSpread(p.out, p.in[i])
	}
	return p
}

// operands are the inputs in the result's shape, and where they are masked.
func (m *merging) operands(c *Call, p *mergePlan) {
	for i := range c.In {
		v := &c.In[i]
		p.full[i], p.mask[i] = v.Data, nil
		if m.op.leavesOut() && len(v.Shape) == len(p.out) { // Keras loses the mask of an input that it gives more axes
			p.mask[i] = stepsOf(c, mergeSteps+i, v, p.out)
		}
		ones := m.op == mergeProduct && p.mask[i] != nil
		if p.how[i].whole && !ones {
			continue
		}
		p.full[i] = c.Floats(mergeFull+i, p.size)
		p.how[i].forward(p.full[i], v.Data)
		if ones {
			w := p.size / len(p.mask[i])
			for s, valid := range p.mask[i] {
				if !valid {
					fill(p.full[i][s*w:(s+1)*w], 1)
				}
			}
		}
	}
}

// stepsOf is the mask of v for every step of a result of this shape.
func stepsOf(c *Call, slot int, v *Value, out tensor.Shape) []bool {
	t := out[1]
	if v.Mask == nil || v.Shape[1] == t {
		return v.Mask
	}
	mask := c.Bools(slot, out[0]*t)
	for i := range mask {
		mask[i] = v.Mask[i/t] // one step for all
	}
	return mask
}

// mergedMask is valid where any input is: nil unless all have masks.
func mergedMask(c *Call, out tensor.Shape) []bool {
	for i := range c.In {
		if c.In[i].Mask == nil {
			return nil
		}
	}
	if len(c.In) == 1 {
		return c.In[0].Mask
	}
	mask := c.Bools(mergeMask, out[0]*out[1])
	clear(mask)
	for k := range c.In {
		v := &c.In[k]
		for i := range mask {
			at := i
			if v.Shape[1] != out[1] {
				at = i / out[1]
			}
			mask[i] = mask[i] || v.Mask[at]
		}
	}
	return mask
}

func (m *merging) Forward(c *Call) {
	p := m.plan(c)
	y := c.Floats(mergeOut, p.size)
	c.Out[0] = Value{Shape: p.out, Data: y, Mask: mergedMask(c, p.out), TimeMajor: c.In[0].TimeMajor}
	if p.size == 0 {
		return
	}
	m.operands(c, p)
	copy(y, p.full[0])
	switch m.op {
	case mergeSum, mergeMean:
		for _, x := range p.full[1:] {
			kernel.Add(y, y, x)
		}
		if m.op == mergeMean {
			kernel.Scale(y, y, 1/float32(len(c.In)))
		}
	case mergeDifference:
		kernel.Sub(y, y, p.full[1])
	case mergeProduct:
		for _, x := range p.full[1:] {
			kernel.Mul(y, y, x)
		}
		m.hide(c, y)
	case mergeMost, mergeLeast:
		m.choose(c, p, y)
	}
}

// hide clears what all inputs mask: 1 in every one of them.
func (m *merging) hide(c *Call, y []float32) {
	if mask := c.Out[0].Mask; len(mask) > 0 {
		kernel.ZeroRows(y, mask, len(mask), len(y)/len(mask))
	}
}

// choose goes through the inputs after the first, whose values y begins with, and keeps of two values the larger or the smaller, the earlier one of
// equal ones. At a step that an input masks it loses; at one that everything before it masks it wins.
func (m *merging) choose(c *Call, p *mergePlan, y []float32) {
	if cap(p.pick) < p.size {
		p.pick = make([]int32, p.size)
	}
	p.pick = p.pick[:p.size]
	clear(p.pick)
	soFar := p.mask[0]
	for i := 1; i < len(c.In); i++ {
		mask := p.mask[i]
		steps := max(len(mask), len(soFar), 1)
		w := p.size / steps
		for s := range steps {
			x, y, pick := p.full[i][s*w:(s+1)*w], y[s*w:(s+1)*w], p.pick[s*w:(s+1)*w]
			switch {
			case mask != nil && !mask[s]:
			case soFar != nil && !soFar[s]:
				copy(y, x)
				fill(pick, int32(i))
			default:
				m.better(y, x, pick, int32(i))
			}
		}
		soFar = eitherOf(c, soFar, mask)
	}
}

// better replaces the values of y that x surpasses; NaN surpasses all and is surpassed by none.
func (m *merging) better(y, x []float32, pick []int32, i int32) {
	for k, v := range x {
		old := y[k]
		if m.op == mergeMost && old >= v || m.op == mergeLeast && old <= v {
			continue
		}
		pick[k] = i
		if old == old {
			y[k] = v
		}
	}
}

// eitherOf is valid where one of two masks is; nil where there is none.
func eitherOf(c *Call, a, b []bool) []bool {
	if a == nil || b == nil {
		return nil
	}
	either := c.Bools(mergeSoFar, len(a))
	for s := range either {
		either[s] = a[s] || b[s]
	}
	return either
}

func (m *merging) Backward(c *Call) {
	p, dy := c.Keep.(*mergePlan), c.DOut[0]
	if m.op == mergeProduct && c.Out[0].Mask != nil {
		dy = c.Floats(mergeGrad, p.size)
		copy(dy, c.DOut[0])
		m.hide(c, dy)
	}
	for i, din := range c.DIn {
		if din == nil {
			continue
		}
		if p.size == 0 {
			clear(din)
			continue
		}
		d := din
		if !p.how[i].whole {
			d = c.Floats(mergeGradIn, p.size)
		}
		m.gradient(p, i, d, dy)
		if !p.how[i].whole {
			p.how[i].backward(din, d)
		}
	}
}

// gradient overwrites d with that of operand i.
func (m *merging) gradient(p *mergePlan, i int, d, dy []float32) {
	switch m.op {
	case mergeSum:
		copy(d, dy)
	case mergeMean:
		kernel.Scale(d, dy, 1/float32(len(p.in)))
	case mergeDifference:
		if i == 0 {
			copy(d, dy)
		} else {
			kernel.Neg(d, dy)
		}
	case mergeProduct:
		copy(d, dy)
		for j, x := range p.full {
			if j != i {
				kernel.Mul(d, d, x)
			}
		}
		if mask := p.mask[i]; mask != nil {
			kernel.ZeroRows(d, mask, len(mask), len(d)/len(mask))
		}
	case mergeMost, mergeLeast:
		for k, from := range p.pick {
			d[k] = 0
			if int(from) == i {
				d[k] = dy[k]
			}
		}
	}
}

// spread is how a value of some shape is broadcast to a larger one.
type spread struct {
	whole  bool // they are one shape
	rank   int
	size   [maxRank]int // of the result's axes
	stride [maxRank]int // of the value's, 0 where an axis is repeated
}

func newSpread(out, in tensor.Shape) spread {
	s := spread{whole: out.Equal(in), rank: len(out)}
	copy(s.size[:], out)
	step := 1
	for i := len(out) - 1; i > 0; i-- {
		at := i - (len(out) - len(in))
		if at < 1 {
			continue // not there
		}
		if in[at] != 1 {
			s.stride[i] = step
		}
		step *= in[at]
	}
	s.stride[0] = step
	return s
}

// rows is how many times the last axis is gone through, and how long it is.
func (s *spread) rows() (n, width int) {
	n = 1
	for _, k := range s.size[:s.rank-1] {
		n *= k
	}
	return n, s.size[s.rank-1]
}

// start is where in the value row r of the result begins.
func (s *spread) start(r int) int {
	from := 0
	for i := s.rank - 2; i >= 0; i-- {
		from += r % s.size[i] * s.stride[i]
		r /= s.size[i]
	}
	return from
}

// forward overwrites dst, of the result's shape.
func (s *spread) forward(dst, src []float32) {
	if s.whole {
		copy(dst, src)
		return
	}
	n, w := s.rows()
	for r := range n {
		from := s.start(r)
		if s.stride[s.rank-1] == 1 {
			copy(dst[r*w:(r+1)*w], src[from:])
		} else {
			fill(dst[r*w:(r+1)*w], src[from])
		}
	}
}

// backward overwrites dst, of the value's shape, with the sums of the gradients that its values met.
func (s *spread) backward(dst, d []float32) {
	clear(dst)
	n, w := s.rows()
	for r := range n {
		from, row := s.start(r), d[r*w:(r+1)*w]
		if s.stride[s.rank-1] == 1 {
			to := dst[from : from+w]
			kernel.Add(to, to, row)
		} else {
			dst[from] += float32(kernel.Sum(row))
		}
	}
}

func fill[E any](dst []E, v E) {
	for i := range dst {
		dst[i] = v
	}
}
