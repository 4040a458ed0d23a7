package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
)

// makeJoined makes room for what the rows hand back to the prefix that they left.
func (l *lane) makeJoined() {
	l.joined = resize(l.joined, len(l.walks))
	for k, w := range l.walks {
		states := w.Cell.Plan().Cell.States
		l.joined[k] = resize(l.joined[k], len(states))
		for i, st := range states {
			l.joined[k][i] = resize(l.joined[k][i], l.n*st.Width)
		}
	}
}

// walkPrefix takes the shared stretch through all walks, as one row.
func (l *lane) walkPrefix(training bool) {
	if l.tables != nil {
		l.walked = l.tables.prefix(l)
		return
	}
	id := l.prefix
	if l.byWords {
		id = 0
	}
	for i := l.places[l.shards]; i < l.places[l.shards+1]; i++ {
		l.index[i] = id
	}
	if l.byWords && training {
		last := &l.shares[l.shards]
		last.words = append(last.words[:0], 0)
		last.sums = resize(last.sums, l.walks[0].Cell.SumWidth())
		clear(l.rows.Local[l.places[l.shards]:])
	}
	in := engine.Input{Compact: true}
	if l.byWords {
		l.rowsAt(&l.prefixRows, l.shards, training)
		in.Rows = &l.prefixRows
	} else {
		in.X = l.gather(&l.x, l.shards)
	}
	walkAlone(l.walks, l.runs, l.shared, in)
	l.walked = l.runs
}

// walkAlone takes one row of so many steps through walks, and has them remember every step.
func walkAlone(walks []layers.Walk, runs []engine.Run, steps int, in engine.Input) {
	for k, w := range walks {
		if k > 0 {
			in.Rows, in.X = nil, runs[k-1].Sequence()
		}
		runs[k].Forward(w.Cell, engine.Shape{T: steps, N: 1, Training: true, Sequences: true}, in)
	}
}

// backPrefix walks back through the shared stretch with what the rows that left it have as gradients of their first states.
func (l *lane) backPrefix(grads *layers.Grads) {
	if l.byWords {
		clear(l.shares[l.shards].sums)
	}
	l.given, l.dx = resize(l.given, len(l.walks)), resize(l.dx, len(l.walks))
	var dout []float32
	for k := len(l.walks) - 1; k >= 0; k-- {
		walk := l.walks[k]
		states := walk.Cell.Plan().Cell.States
		l.given[k] = resize(l.given[k], len(states))
		for i, st := range states {
			g := resize(l.given[k][i], (l.shared+1)*st.Width)
			clear(g)
			for at, r := range l.order {
				if s := l.begin[r]; s > 0 {
					to := g[s*st.Width : (s+1)*st.Width]
					kernel.Add(to, to, l.joined[k][i][at*st.Width:(at+1)*st.Width])
				}
			}
			l.given[k][i] = g
		}
		l.grads = gradsOf(l.grads, grads, walk.Weights)
		g := engine.Gradient{Sequence: dout, Given: l.given[k], Weights: l.grads}
		if k > 0 || !l.byWords {
			l.dx[k] = resize(l.dx[k], l.shared*l.inputs(k))
			g.X = l.dx[k]
		}
		l.runs[k].Backward(g)
		dout = g.X
	}
	if !l.byWords {
		grads.AddRows(l.table, l.index[l.places[l.shards]:l.places[l.shards+1]], dout)
	}
}
