package unroll

import (
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// worker takes shards through the model, one at a time, in a workspace of its own.
type worker struct {
	model     *Model
	pass      layers.Pass
	steps     []workStep
	front     frontWork
	update    updateWork
	tables    []tableWork // by weight
	among     []int32     // some words by their numbers among others
	batch     *frontBatch // of the crew whose first worker this is
	judge     judge
	rowsShape tensor.Shape // of the shard's input
	out       layers.Value // the prediction, plain
	final     exchange     // of out
	logit     exchange     // of the logits
	dfin      []float32
	// dinput is what backward returned last: the gradient of the input, where somebody asks for it.
	dinput []float32
	// penalty is that of the layers' outputs, of the shard in work.
	penalty float64
}

// workStep is a node in a worker.
type workStep struct {
	call layers.Call
	in   exchange  // where the node wants its input in another layout than it comes
	din  []float32 // gradient of the node's input, in the node's layout
	back []float32 // and in the layout that it came in
}

func newWorker(m *Model) *worker {
	w := &worker{model: m, steps: make([]workStep, len(m.nodes)), front: newFrontWork(m.front)}
	for i := range w.steps {
		c := &w.steps[i].call
		c.Pass, c.Number = &w.pass, i
		c.In, c.Out = make([]layers.Value, 1), make([]layers.Value, 1)
		c.DIn, c.DOut = make([][]float32, 1), make([][]float32, 1)
	}
	return w
}

// forward takes the rows of a shard through the model, from node from on, and returns the prediction, rows outermost.
func (w *worker) forward(from int, in layers.Value) *layers.Value {
	v := in
	w.penalty = 0
	for i := from; i < len(w.steps); i++ {
		n, s := w.model.nodes[i], &w.steps[i]
		s.call.In[0] = v
		if l := n.layer.Layout(); l != layers.AnyLayout && len(v.Shape) > 1 {
			s.call.In[0] = s.in.to(v, l == layers.TimeMajor && hasSteps(n.in.Shape, v))
		}
		n.layer.Forward(&s.call)
		w.penalizeOutput(n, &s.call)
		v = s.call.Out[0]
	}
	w.out = w.final.to(v, false)
	return &w.out
}

// hasSteps reports whether a value has an axis of time steps behind the rows.
func hasSteps(s tensor.Shape, v layers.Value) bool { return len(s) > 2 || v.IDs != nil && len(s) == 2 }

// backward takes the gradient of the prediction (of the logits, for a model that trains on them) back through the model, down
// to node from, or the lowest node with weights. It returns the gradient of node from's input, rows outermost, if that was asked for.
func (w *worker) backward(from int, dout []float32) []float32 {
	if last := &w.steps[len(w.steps)-1].call; from < len(w.steps) && last.Out[0].TimeMajor {
		w.dfin = resize(w.dfin, len(dout))
		swap(w.dfin, dout, last.Out[0].Shape[0], last.Out[0].Shape[1])
		dout = w.dfin
	}
	for i := len(w.steps) - 1; i >= from; i-- {
		n, s := w.model.nodes[i], &w.steps[i]
		s.call.DOut[0], s.call.DIn[0] = dout, nil
		if n.grad {
			s.din = resize(s.din, len(s.call.In[0].Data))
			s.call.DIn[0] = s.din
		}
		penalizeGradient(n, &s.call)
		n.layer.Backward(&s.call)
		if !n.grad {
			return nil
		}
		dout = s.din
		came := i > from && w.steps[i-1].call.Out[0].TimeMajor
		if in := &s.call.In[0]; in.TimeMajor != came {
			s.back = resize(s.back, len(dout))
			outer, inner := in.Shape[0], in.Shape[1]
			if in.TimeMajor {
				outer, inner = inner, outer
			}
			swap(s.back, dout, outer, inner)
			dout = s.back
		}
	}
	return dout
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

// setLogits says whether the loss reads the last layer's logits.
func (w *worker) setLogits(on bool) { w.steps[len(w.steps)-1].call.OnLogits = on }

// logits are what stands before the last layer's activation, rows outermost.
func (w *worker) logits(pred *layers.Value) []float32 {
	last := &w.steps[len(w.steps)-1].call
	v := w.logit.to(layers.Value{Shape: pred.Shape, Data: last.Logits, TimeMajor: last.Out[0].TimeMajor}, false)
	return v.Data
}
