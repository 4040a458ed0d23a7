package unroll

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// passer takes shards through a graph, forward and back, one at a time, in a workspace of its own.
type passer struct {
	graph  *graph
	steps  []workStep
	values []layers.Value // of the shard in work
	grads  [][]float32    // of the values, each in the layout of its value; nil where none has come
	// penalty is that of the layers' outputs, of the shard in work.
	penalty float64
}

// workStep is a node in a passer.
type workStep struct {
	call layers.Call
	in   []exchange  // where the node wants an input in another layout than it comes
	din  [][]float32 // gradients of the node's inputs, in the node's layout
	back [][]float32 // and in the layout that they came in
	zero [][]float32 // the gradients of outputs that nobody reads, but for their penalty
}

func newPasser(g *graph, pass *layers.Pass, number int) passer {
	p := passer{graph: g, steps: make([]workStep, len(g.nodes)), values: make([]layers.Value, len(g.values)), grads: make([][]float32, len(g.values))}
	for i, n := range g.nodes {
		s := &p.steps[i]
		s.in, s.din, s.back = make([]exchange, len(n.from)), make([][]float32, len(n.from)), make([][]float32, len(n.from))
		s.zero = make([][]float32, len(n.out))
		c := &s.call
		c.Pass, c.Number = pass, number+n.number
		c.In, c.Out = make([]layers.Value, len(n.from)), make([]layers.Value, len(n.out))
		c.DIn, c.DOut = make([][]float32, len(n.from)), make([][]float32, len(n.out))
	}
	return p
}

// forward takes values through the graph, from node from on. Those that these nodes read, of the inputs or of earlier nodes, stand in values.
func (p *passer) forward(from int) {
	p.penalty = 0
	for i := from; i < len(p.steps); i++ {
		n, s := p.graph.nodes[i], &p.steps[i]
		c := &s.call
		want := n.layer.Layout()
		for k, from := range n.from {
			v := p.values[from]
			c.In[k] = v
			switch {
			case want == layers.AnyLayout && len(n.from) == 1 || len(v.Shape) < 2:
			default: // several inputs come alike
				c.In[k] = s.in[k].to(v, want == layers.TimeMajor && hasSteps(v))
			}
		}
		mask := c.In[0].Mask
		if n.deaf || n.bare {
			c.In[0].Mask = nil
		}
		n.layer.Forward(c)
		if n.deaf && n.out[0].Masked {
			c.Out[0].Mask = mask
		}
		p.penalizeOutput(n, c)
		copy(p.values[n.to:], c.Out)
	}
}

// hasSteps reports whether a value has an axis of time steps behind the rows.
func hasSteps(v layers.Value) bool { return len(v.Shape) > 2 || v.IDs != nil && len(v.Shape) == 2 }

// backward takes gradients back through the graph, down to node from. Those of its outputs stand in grads, all others there are nil; afterwards those of
// what was below node from stand there, where something is trained, or where wanted says so of an input.
func (p *passer) backward(from int, wanted []bool) {
	for i := len(p.steps) - 1; i >= from; i-- {
		n, s := p.graph.nodes[i], &p.steps[i]
		c := &s.call
		asked := false
		for k := range n.out {
			c.DOut[k] = p.grads[n.to+k]
			asked = asked || c.DOut[k] != nil
		}
		if n.activity == nil && !asked {
			continue
		}
		for k := range c.DOut {
			if c.DOut[k] == nil && n.activity != nil {
				s.zero[k] = resize(s.zero[k], len(c.Out[k].Data))
				clear(s.zero[k])
				c.DOut[k] = s.zero[k]
			}
		}
		for k, v := range n.from {
			c.DIn[k] = nil
			if c.In[k].IDs == nil && p.needs(v, wanted) {
				s.din[k] = resize(s.din[k], len(c.In[k].Data))
				c.DIn[k] = s.din[k]
			}
		}
		penalizeGradient(n, c)
		n.layer.Backward(c)
		for k, v := range n.from {
			if c.DIn[k] != nil {
				p.hand(v, p.outward(s, k, v))
			}
		}
	}
}

// needs reports whether somebody asks for the gradient of a value.
func (p *passer) needs(v int, wanted []bool) bool {
	if v < len(p.graph.inputs) {
		return wanted != nil && wanted[v]
	}
	return p.graph.trained[v] || wanted != nil && v >= p.graph.entries()
}

// outward is the gradient of the k-th input of a step, in the layout in which value v came.
func (p *passer) outward(s *workStep, k, v int) []float32 {
	in := &s.call.In[k]
	if in.TimeMajor == p.values[v].TimeMajor {
		return s.din[k]
	}
	s.back[k] = resize(s.back[k], len(s.din[k]))
	outer, inner := in.Shape[0], in.Shape[1]
	if in.TimeMajor {
		outer, inner = inner, outer
	}
	swap(s.back[k], s.din[k], outer, inner)
	return s.back[k]
}

// hand adds a gradient to those that value v has; what was handed first is overwritten.
func (p *passer) hand(v int, grad []float32) {
	if p.grads[v] == nil {
		p.grads[v] = grad
		return
	}
	kernel.Add(p.grads[v], p.grads[v], grad)
}

// exchange holds a value whose first two axes were exchanged in memory.
type exchange struct {
	data []float32
	ids  []int32
	mask []bool
}

// to is v with steps outermost in memory, or rows.
func (e *exchange) to(v layers.Value, timeMajor bool) layers.Value {
	if v.TimeMajor == timeMajor {
		return v
	}
	outer, inner := v.Shape[0], v.Shape[1]
	if v.TimeMajor {
		outer, inner = inner, outer
	}
	if v.Data != nil {
		e.data = resize(e.data, len(v.Data))
		swap(e.data, v.Data, outer, inner)
		v.Data = e.data
	}
	if v.IDs != nil {
		e.ids = resize(e.ids, len(v.IDs))
		swap(e.ids, v.IDs, outer, inner)
		v.IDs = e.ids
	}
	if v.Mask != nil {
		e.mask = resize(e.mask, len(v.Mask))
		swap(e.mask, v.Mask, outer, inner)
		v.Mask = e.mask
	}
	v.TimeMajor = timeMajor
	return v
}

// swap writes src, (outer, inner, …), as (inner, outer, …).
func swap[E any](dst, src []E, outer, inner int) {
	if outer*inner == 0 {
		return
	}
	w := len(src) / (outer * inner)
	for i := range outer {
		for j := range inner {
			copy(dst[(j*outer+i)*w:(j*outer+i+1)*w], src[(i*inner+j)*w:])
		}
	}
}

// resize is a slice of n values, in b when it is large enough. The contents are not defined. A quarter more is asked for: batches
// differ in size by little, and each a bit larger than all before would take fresh memory, which costs more than the work in it.
func resize[E any](b []E, n int) []E {
	if cap(b) < n {
		return make([]E, n, n+n/4)
	}
	return b[:n]
}
