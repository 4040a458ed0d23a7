package unroll

import (
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/text"
)

// worker takes shards through the model, one at a time, in a workspace of its own.
type worker struct {
	passer
	model     *Model
	pass      layers.Pass
	front     frontWork
	update    updateWork
	tables    []tableWork // by weight
	among     []int32     // some words by their numbers among others
	batch     *frontBatch // of the crew whose first worker this is
	rowShapes []tensor.Shape
	cut       text.Cut
	heads     []headWork
}

// headWork is what a worker has for an output of the model.
type headWork struct {
	judge judge
	final exchange     // of the prediction
	logit exchange     // of the logits
	out   layers.Value // the prediction, rows outermost
	dout  []float32    // its gradient, steps outermost
}

func newWorker(m *Model) *worker {
	w := &worker{model: m, front: newFrontWork(m.front), rowShapes: make([]tensor.Shape, m.entries()), heads: make([]headWork, len(m.outputs))}
	w.passer = newPasser(&m.graph, &w.pass, 0)
	return w
}

// take cuts the rows of a shard out of a batch's entries.
func (w *worker) take(x []layers.Value, lo, hi int) {
	for i := range x {
		w.values[i] = rowsOf(x[i], lo, hi, &w.rowShapes[i])
	}
}

// predicted puts output i, rows outermost, into its head, its values only where somebody reads them.
func (w *worker) predicted(i int, values bool) {
	v := w.values[w.graph.outputs[i]]
	if !values {
		v.Data = nil
	}
	w.heads[i].out = w.heads[i].final.to(v, false)
}

// give hands the gradient of output i (of the logits, for a head that trains on them), rows outermost, to the way back.
func (w *worker) give(i int, dout []float32) {
	v := w.graph.outputs[i]
	if out := &w.values[v]; out.TimeMajor {
		h := &w.heads[i]
		h.dout = resize(h.dout, len(dout))
		swap(h.dout, dout, out.Shape[0], out.Shape[1])
		dout = h.dout
	}
	w.hand(v, dout)
}

// setLogits says whether the loss of output i reads logits, and not what becomes of them.
func (w *worker) setLogits(i int, on bool) {
	if n := w.graph.lastOf(i); n >= 0 {
		w.steps[n].call.OnLogits = on
	}
}

// logits are what stands before the last activation of output i, rows outermost.
func (w *worker) logits(i int) []float32 {
	h, last := &w.heads[i], &w.steps[w.graph.lastOf(i)].call
	v := h.logit.to(layers.Value{Shape: h.out.Shape, Data: last.Logits, TimeMajor: last.Out[0].TimeMajor}, false)
	return v.Data
}

// lastOf is the number of the node that returns output i; -1 where that is an input.
func (g *graph) lastOf(i int) int {
	for k, n := range g.nodes {
		if v := g.outputs[i]; v >= n.to && v < n.to+len(n.out) {
			return k
		}
	}
	return -1
}
