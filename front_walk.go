package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// frontWork is the front's workspace in a worker.
type frontWork struct {
	lanes  []laneWork
	seen   []byte  // 1 for the words of the rows that this worker looked at
	saw    bool    // and whether it did
	offset []int32 // of every step of a shard: where its places begin
	grads  [][]float32
	marks  []byte // and of those that a shard meets, by number
	met    words
	sums   []float32 // of the words of a chunk, all shares together
	more   []float32 // their gradients in another lane
	shape  tensor.Shape

	lasts, dlasts [2][]float32 // the lanes' last outputs and their gradients
	merged        []float32
}

// laneWork is a lane's part of it.
type laneWork struct {
	runs  []engine.Run
	words engine.Run // of distinct words
	x     []float32
	dx    [][]float32 // of every walk's input
	rows  engine.Rows
}

// newFrontWork is the workspace for a front, which may be nil.
func newFrontWork(f *front) frontWork {
	if f == nil {
		return frontWork{}
	}
	w := frontWork{lanes: make([]laneWork, len(f.chains))}
	for i, walks := range f.chains {
		w.lanes[i].runs, w.lanes[i].dx = make([]engine.Run, len(walks)), make([][]float32, len(walks))
	}
	return w
}

// forward takes a shard through the lane and returns the last walk's output.
func (l *lane) forward(w *worker, shard int, training bool) []float32 {
	f := &w.front.lanes[l.at]
	rows := l.shardRows(shard)
	shape := engine.Shape{T: l.t, N: len(rows), Training: training, Share: w.pass.Share}
	if last := rows[len(rows)-1]; l.begin[last] > 0 || l.end[last] < l.t {
		shape.Active = l.stretch[shard*l.t : (shard+1)*l.t]
	}
	in := engine.Input{Compact: true}
	if l.holes {
		in.Mask = l.mask[l.places[shard]:l.places[shard+1]]
	}
	if l.gathers() {
		l.rowsAt(&f.rows, shard, training)
		in.Rows = &f.rows
	} else {
		in.X = l.gather(&f.x, shard)
	}
	for k, walk := range l.walks {
		if k > 0 {
			in.Rows, in.X = nil, f.runs[k-1].Sequence()
		}
		if l.shared > 0 {
			in.Prefix = &l.walked[k]
		}
		shape.Sequences = walk.Sequences
		f.runs[k].Forward(walk.Cell, shape, in)
	}
	return f.runs[len(f.runs)-1].Last()
}

// backward takes the gradient of a shard's output back through the lane.
func (l *lane) backward(w *worker, shard int, dout []float32, grads *layers.Grads) {
	f := &w.front.lanes[l.at]
	if l.byWords {
		clear(l.shares[shard].sums)
	}
	lo := shard * l.perShard
	for k := len(l.walks) - 1; k >= 0; k-- {
		walk := l.walks[k]
		g := engine.Gradient{Last: dout}
		if walk.Sequences {
			g = engine.Gradient{Sequence: dout}
		}
		w.front.grads = gradsOf(w.front.grads, grads, walk.Weights)
		g.Weights = w.front.grads
		if k > 0 || !l.byWords {
			f.dx[k] = resize(f.dx[k], (l.places[shard+1]-l.places[shard])*l.inputs(k))
			g.X = f.dx[k]
		}
		f.runs[k].Backward(g)
		if l.shared > 0 {
			for i, joined := range l.joined[k] {
				initial := f.runs[k].Initial(i)
				width := len(joined) / l.n
				copy(joined[lo*width:lo*width+len(initial)], initial)
			}
		}
		dout = g.X
	}
	if !l.byWords {
		grads.AddRows(l.table, l.index[l.places[shard]:l.places[shard+1]], dout)
	}
}

// gather makes x the vectors of the words at the places of a shard, or of the prefix behind them.
func (l *lane) gather(x *[]float32, shard int) []float32 {
	ids, width := l.index[l.places[shard]:l.places[shard+1]], l.table.Shape[1]
	*x = resize(*x, len(ids)*width)
	kernel.Gather(*x, l.table.Data, width, ids, width)
	return *x
}

// inputs is how wide the input of a walk is.
func (l *lane) inputs(k int) int {
	if k == 0 {
		return l.table.Shape[1]
	}
	return l.walks[k-1].Width
}

// gradsOf are where the gradients of the weights are added up, written over dst.
func gradsOf(dst [][]float32, grads *layers.Grads, weights []*layers.Weight) [][]float32 {
	dst = dst[:0]
	for _, wt := range weights {
		dst = append(dst, grads.Of(wt))
	}
	return dst
}
