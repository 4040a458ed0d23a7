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
	active  []int
	index   []int32
	mask    []bool
	x       []float32
	dx      [][]float32 // of every walk's input
	grads   [][]float32
	mark    []int32
	shape   tensor.Shape
	rows    engine.Rows
}

// beginFront is what comes before the shards: numbering, the projection of the distinct rows, the prefix.
func (s *session) beginFront() {
	b := s.front
	b.plan(s.batch.X.IDs, s.n, s.batch.X.Shape[1])
	training := s.grads != nil
	if b.savings.rows {
		s.project()
	}
	b.shares = b.shares[:0]
	if training && b.savings.rows {
		n := s.shards
		if b.shared > 0 {
			n++
		}
		b.shares = resize(b.shares, n)
	}
	if b.shared > 0 {
		b.walkPrefix()
	}
	if training {
		b.joined = resize(b.joined, len(b.walks))
		for k, w := range b.walks {
			states := w.Cell.Plan().Cell.States
			b.joined[k] = resize(b.joined[k], len(states))
			for i, st := range states {
				b.joined[k][i] = resize(b.joined[k][i], b.n*st.Width)
			}
		}
	}
	if s.c != nil {
		y := s.batch.Y
		b.shape = append(b.shape[:0], s.n, y.Len()/max(1, s.n))
		b.target.Values = take(b.target.Values, y.Values, b.shape, b.order)
		b.target.IDs = take(b.target.IDs, y.IDs, b.shape, b.order)
	}
}

// walkPrefix takes the shared stretch through all walks, as one row.
func (b *frontBatch) walkPrefix() {
	if b.runs == nil {
		b.runs = make([]engine.Run, len(b.walks))
	}
	b.index = resize(b.index, b.shared)
	for i := range b.index {
		b.index[i] = b.prefix
		if b.savings.rows {
			b.index[i] = b.local[b.prefix]
		}
	}
	shape := engine.Shape{T: b.shared, N: 1, Training: true, Sequences: true}
	for k, w := range b.walks {
		in := engine.Input{Compact: true}
		switch {
		case k > 0:
			in.X = b.runs[k-1].Sequence()
		case b.savings.rows:
			var last *share
			if n := len(b.shares); n > 0 {
				last = &b.shares[n-1]
			}
			b.mark = b.rowsAt(&b.prefixRows, b.index, last, b.mark)
			in.Rows = &b.prefixRows
		default:
			b.x = resize(b.x, b.shared*b.table.Shape[1])
			kernel.Gather(b.x, b.table.Data, b.table.Shape[1], b.index, b.table.Shape[1])
			in.X = b.x
		}
		b.runs[k].Forward(w.Cell, shape, in)
	}
}

// forward takes a shard through the front and returns the last walk's output, in the order of the shards.
func (b *frontBatch) forward(w *worker, shard, lo, hi int, training bool) layers.Value {
	f := &w.front
	if f.runs == nil {
		f.runs = make([]engine.Run, len(b.walks))
	}
	rows := b.order[lo:hi]
	n := hi - lo
	shape := engine.Shape{T: b.t, N: n, Training: training}
	f.active = resize(f.active, b.t)
	full := true
	for t := range b.t {
		f.active[t] = b.stretch(rows, t)
		full = full && f.active[t] == n
	}
	if !full {
		shape.Active = f.active
	}
	b.arrange(f, rows)
	in := engine.Input{Compact: true}
	if b.holes {
		in.Mask = f.mask
	}
	if b.savings.rows {
		var own *share
		if training {
			own = &b.shares[shard]
		}
		f.mark = b.rowsAt(&f.rows, f.index, own, f.mark)
		in.Rows = &f.rows
	} else {
		width := b.table.Shape[1]
		f.x = resize(f.x, len(f.index)*width)
		kernel.Gather(f.x, b.table.Data, width, f.index, width)
		in.X = f.x
	}
	for k, walk := range b.walks {
		if k > 0 {
			in.Rows, in.X = nil, f.runs[k-1].Sequence()
		}
		if b.shared > 0 {
			in.Prefix = &b.runs[k]
		}
		shape.Sequences = walk.Sequences
		f.runs[k].Forward(walk.Cell, shape, in)
	}
	f.shape = append(f.shape[:0], n, b.walks[len(b.walks)-1].Width)
	return layers.Value{Shape: f.shape, Data: f.runs[len(f.runs)-1].Last()}
}

// arrange lists what stands at every place of a shard: the distinct row, or the id itself, and whether it counts.
func (b *frontBatch) arrange(f *frontWork, rows []int) {
	f.index, f.mask = f.index[:0], f.mask[:0]
	before := 0
	for t := range b.t {
		n := f.active[t]
		// Rows that begin late stand first to last; rows that end early leave from the end.
		for _, r := range rows[:n] {
			id := b.ids[r*b.t+t]
			f.mask = append(f.mask, !b.masked || id != 0)
			if b.savings.rows {
				id = b.local[id]
			}
			f.index = append(f.index, id)
		}
		for range before - n {
			id := int32(0)
			if b.savings.rows {
				id = b.local[0]
			}
			f.index, f.mask = append(f.index, id), append(f.mask, false)
		}
		before = n
	}
}

// backward takes the gradient of a shard's output back through the front.
func (b *frontBatch) backward(w *worker, shard, lo, hi int, dout []float32, grads *layers.Grads) {
	f := &w.front
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
		if k > 0 || !b.savings.rows {
			f.dx[k] = resize(f.dx[k], len(f.index)*b.inputs(k))
			g.X = f.dx[k]
		}
		f.runs[k].Backward(g)
		for i := range b.joined[k] {
			width := len(b.joined[k][i]) / b.n
			copy(b.joined[k][i][lo*width:hi*width], f.runs[k].Initial(i))
		}
		dout = g.X
	}
	if !b.savings.rows {
		grads.AddRows(b.table, f.index, dout)
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
		if k > 0 || !b.savings.rows {
			b.dx[k] = resize(b.dx[k], b.shared*b.inputs(k))
			g.X = b.dx[k]
		}
		b.runs[k].Backward(g)
		dout = g.X
	}
	if !b.savings.rows {
		grads.AddRows(b.table, b.index, dout)
	}
}
