package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// frontWork is the front's workspace in a worker.
type frontWork struct {
	runs    []engine.Run
	rowsRun engine.Run
	seen    []byte  // 1 for the words of the rows that this worker looked at
	saw     bool    // and whether it did
	offset  []int32 // of every step of a shard: where its places begin
	x       []float32
	dx      [][]float32 // of every walk's input
	grads   [][]float32
	marks   []byte // and of those that a shard meets, by number
	met     words
	sums    []float32 // of the words of a chunk, all shares together
	shape   tensor.Shape
	rows    engine.Rows
}

// walkPrefix takes the shared stretch through all walks, as one row.
func (b *frontBatch) walkPrefix(training bool) {
	if b.runs == nil {
		b.runs = make([]engine.Run, len(b.walks))
	}
	id := b.prefix
	if b.byWords {
		id = 0
	}
	for i := b.places[b.shards]; i < b.places[b.shards+1]; i++ {
		b.index[i] = id
	}
	if b.byWords && training {
		last := &b.shares[b.shards]
		last.words = append(last.words[:0], 0)
		last.sums = resize(last.sums, b.walks[0].Cell.SumWidth())
		clear(b.rows.Local[b.places[b.shards]:])
	}
	shape := engine.Shape{T: b.shared, N: 1, Training: true, Sequences: true}
	for k, w := range b.walks {
		in := engine.Input{Compact: true}
		switch {
		case k > 0:
			in.X = b.runs[k-1].Sequence()
		case b.byWords:
			b.rowsAt(&b.prefixRows, b.shards, training)
			in.Rows = &b.prefixRows
		default:
			in.X = b.vectors(&b.x, b.shards)
		}
		b.runs[k].Forward(w.Cell, shape, in)
	}
}

// vectors gathers the words at the places of a shard, or of the prefix behind them.
func (b *frontBatch) vectors(x *[]float32, shard int) []float32 {
	ids, width := b.index[b.places[shard]:b.places[shard+1]], b.table.Shape[1]
	*x = resize(*x, len(ids)*width)
	kernel.Gather(*x, b.table.Data, width, ids, width)
	return *x
}

// backward takes the gradient of a shard's output back through the front.
func (b *frontBatch) backward(w *worker, shard, lo, hi int, dout []float32, grads *layers.Grads) {
	f := &w.front
	if b.byWords {
		clear(b.shares[shard].sums)
	}
	f.dx = resize(f.dx, len(b.walks))
	for k := len(b.walks) - 1; k >= 0; k-- {
		walk := b.walks[k]
		g := engine.Gradient{Last: dout}
		if walk.Sequences {
			g = engine.Gradient{Sequence: dout}
		}
		f.grads = f.grads[:0]
		for _, wt := range walk.Weights {
			f.grads = append(f.grads, grads.Of(wt))
		}
		g.Weights = f.grads
		if k > 0 || !b.byWords {
			f.dx[k] = resize(f.dx[k], (b.places[shard+1]-b.places[shard])*b.inputs(k))
			g.X = f.dx[k]
		}
		f.runs[k].Backward(g)
		for i := range b.joined[k] {
			width := len(b.joined[k][i]) / b.n
			copy(b.joined[k][i][lo*width:hi*width], f.runs[k].Initial(i))
		}
		dout = g.X
	}
	if !b.byWords {
		grads.AddRows(b.table, b.index[b.places[shard]:b.places[shard+1]], dout)
	}
}

// inputs is how wide the input of a walk is.
func (b *frontBatch) inputs(k int) int {
	if k == 0 {
		return b.table.Shape[1]
	}
	return b.walks[k-1].Width
}

// backPrefix walks back through the shared stretch with what the rows that left it have as gradients of their first states.
func (b *frontBatch) backPrefix(grads *layers.Grads) {
	if b.byWords {
		clear(b.shares[b.shards].sums)
	}
	b.given, b.dx = resize(b.given, len(b.walks)), resize(b.dx, len(b.walks))
	var dout []float32
	for k := len(b.walks) - 1; k >= 0; k-- {
		walk := b.walks[k]
		states := walk.Cell.Plan().Cell.States
		b.given[k] = resize(b.given[k], len(states))
		for i, st := range states {
			g := resize(b.given[k][i], (b.shared+1)*st.Width)
			clear(g)
			for at, r := range b.order {
				if s := b.begin[r]; s > 0 {
					to := g[s*st.Width : (s+1)*st.Width]
					kernel.Add(to, to, b.joined[k][i][at*st.Width:(at+1)*st.Width])
				}
			}
			b.given[k][i] = g
		}
		g := engine.Gradient{Sequence: dout, Given: b.given[k]}
		b.grads = b.grads[:0]
		for _, wt := range walk.Weights {
			b.grads = append(b.grads, grads.Of(wt))
		}
		g.Weights = b.grads
		if k > 0 || !b.byWords {
			b.dx[k] = resize(b.dx[k], b.shared*b.inputs(k))
			g.X = b.dx[k]
		}
		b.runs[k].Backward(g)
		dout = g.X
	}
	if !b.byWords {
		grads.AddRows(b.table, b.index[b.places[b.shards]:b.places[b.shards+1]], dout)
	}
}
