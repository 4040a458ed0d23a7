package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// way is a cell and how it walks over the steps: forwards or backwards.
type way struct {
	spec   func(name string, sequences, states, back, zero bool) layers.Spec
	arrays [][]float32
	units  int
	states int
	output int // the state that is the output; -1: none is
	back   bool
	zero   bool // the output of a masked step is zero
}

// recurrence is a recurrent layer: one way, or both.
type recurrence struct {
	m    *importer
	n    *onnx.Node
	name string
	x    *source // in the order of the steps
	test *test   // of the steps that it walks over; nil: all
	ways []*way
	// given are the initial states of each way; none: zeros.
	given []*source
	want  *want

	sequences, states, merges bool // what the layer returns
	turned                    bool // a Bidirectional whose forward layer nobody reads
	y                         unroll.Symbol
	err                       error
	made                      bool
}

// outcome says which result of which walk a source is.
type outcome struct {
	*recurrence
	at      int                           // the way
	final   bool                          // after the last step; otherwise every step
	natural bool                          // every step of a walk backwards, in the order of its input
	raw     func() (unroll.Symbol, error) // in the first pass: without learning that it is read
}

// prepare says what the layer of a walk returns, as much of it as the graph reads, or in the first pass all of it.
func (w *recurrence) prepare() {
	want := w.want
	end := want.final || want.mergedEnd
	w.sequences = w.m.learn || want.sequence || want.natural || want.either || want.merged
	w.states = w.m.learn || want.states || end && w.sequences
	w.merges = len(w.ways) == 2 && !w.m.learn && !want.apart && !w.states && want.merged != want.mergedEnd
	// Every step of a walk backwards, in the order of its input, is what the backward layer of a Bidirectional gives, and no other. Its forward layer is one unit that
	// nobody reads.
	w.turned = len(w.ways) == 1 && w.ways[0].back && !w.m.learn && want.natural
}

// get makes the layer and is its first result.
func (w *recurrence) get() (unroll.Symbol, error) {
	if !w.made {
		w.made = true
		w.y, w.err = w.apply()
	}
	return w.y, w.err
}

func (w *recurrence) apply() (unroll.Symbol, error) {
	var in []unroll.Symbol
	for _, s := range append([]*source{w.x}, w.given...) {
		symbol, err := s.get()
		if err != nil {
			return symbol, err
		}
		in = append(in, symbol)
	}
	// With initial states a layer looks at a mask only where it is told to.
	by := unroll.Apply
	if w.test != nil && len(w.given) > 0 {
		by = unroll.ApplyMasked
	}
	var arrays [][]float32
	spec := func(i int, name string, back bool) layers.Spec {
		l := w.ways[i]
		arrays = append(arrays, l.arrays...)
		return l.spec(name, w.sequences, w.states, back, l.zero && w.sequences)
	}
	switch {
	case (w.turned || len(w.ways) == 2) && w.sequences && !w.fits():
		return unroll.Symbol{}, fmt.Errorf("expected zeros for masked steps, as a Bidirectional returns them, got their last output")
	case w.turned && len(in) > 1:
		return unroll.Symbol{}, fmt.Errorf("expected no initial states of a walk backwards of which every step is read")
	case w.turned && w.want.sequence:
		return unroll.Symbol{}, fmt.Errorf("expected every step of a walk backwards in one order, got both read")
	case w.turned:
		if err := w.m.spend(w.x.width()); err != nil {
			return unroll.Symbol{}, err
		}
		arrays = [][]float32{make([]float32, w.x.width()), {0}}
		var idle layers.Spec = layers.SimpleRNN{Name: w.name + "_idle", Units: 1, NoBias: true, ReturnSequences: true, ReturnState: w.states}
		back := spec(0, w.name+"_backward", true)
		return w.m.applyBy(by, w.name, layers.Bidirectional{Name: w.name, Layer: idle, BackwardLayer: back, MergeMode: "none"}, arrays, in...)
	case len(w.ways) == 1:
		return w.m.applyBy(by, w.name, spec(0, w.name, w.ways[0].back), arrays, in...)
	}
	mode := "none"
	if w.merges {
		mode = "concat"
	}
	forward := spec(0, w.name+"_forward", false)
	return w.m.applyBy(by, w.name, layers.Bidirectional{Name: w.name, Layer: forward, BackwardLayer: spec(1, w.name+"_backward", true), MergeMode: mode}, arrays, in...)
}

// result is what the layer returns: of a way the sequence, or where state is not negative that state.
func (w *recurrence) result(at, state int) unroll.Symbol {
	outs := len(w.ways)
	switch {
	case w.merges:
		return w.y
	case w.turned && state < 0:
		return w.y.At(1)
	case w.turned: // behind the idle layer's output and state
		return w.y.At(3 + state)
	case state < 0:
		return w.y.At(at)
	}
	for _, before := range w.ways[:at] {
		outs += before.states
	}
	return w.y.At(outs + state)
}

// source is a result that is made when it is read; note says what that means for the layer.
func (w *recurrence) source(lengths []length, is outcome, pick func() (unroll.Symbol, error), note func()) *source {
	is.recurrence = w
	made := func() (unroll.Symbol, error) {
		y, err := w.get()
		if err != nil {
			return y, err
		}
		return pick()
	}
	is.raw = made
	return &source{lengths: lengths, outcome: &is, make: func() (unroll.Symbol, error) {
		w.want.apart = true
		note()
		return made()
	}}
}

// end is the output of a way after the last step.
func (w *recurrence) end(at int) *source {
	l := w.ways[at]
	pick := func() (unroll.Symbol, error) {
		switch {
		case !w.sequences:
			return w.result(at, -1), nil
		case l.output >= 0:
			return w.result(at, l.output), nil
		case w.m.learn: // of the same shape
			name := w.m.unique(w.name + "_last")
			return w.m.apply(name, layers.GlobalMaxPooling1D{Name: name}, nil, w.result(at, -1))
		}
		return unroll.Symbol{}, fmt.Errorf("expected every step of a cell whose output is no state, or the last one, got both read")
	}
	return w.source([]length{batch, lengthOf(int64(l.units))}, outcome{at: at, final: true}, pick, func() { w.want.final = true })
}

// every is the output of a way at every step, in the order of the walk, or where natural of its input.
func (w *recurrence) every(at int, natural bool) *source {
	lengths := slices.Clone(w.x.lengths)
	lengths[2] = lengthOf(int64(w.ways[at].units))
	pick := func() (unroll.Symbol, error) {
		if len(w.ways) == 2 && !natural {
			return unroll.Symbol{}, fmt.Errorf("expected every step of both directions in one order, got the backward one in its own")
		}
		return w.result(at, -1), nil
	}
	s := w.source(lengths, outcome{at: at, natural: natural}, pick, func() {
		if w.ways[at].back && natural {
			w.want.natural = true
		} else {
			w.want.sequence = true
		}
	})
	if w.test != nil || len(w.given) > 0 {
		s.hidden = w.x.hidden
	}
	return s
}

// results are every step and the states of a way. natural: the steps of a walk backwards are those in the order of its input, as an operator gives them that walks
// backwards.
func (w *recurrence) results(at int, natural bool) (sequence *source, states []*source) {
	l := w.ways[at]
	sequence = w.every(at, natural || !l.back)
	walk := sequence // in the order of the walk
	if l.back {
		sequence.back = w.every(at, !natural)
		sequence.back.back = sequence
		if natural {
			walk = sequence.back
		}
	}
	end := w.end(at)
	if !l.zero {
		if walk.last = end; l.back {
			walk.back.first = end
		}
	}
	for j := range l.states {
		if j == l.output {
			states = append(states, end)
			continue
		}
		pick := func() (unroll.Symbol, error) { return w.result(at, j), nil }
		s := w.source(end.lengths, outcome{at: at}, pick, func() { w.want.states = true })
		s.outcome = nil // nothing that two ways are merged of
		states = append(states, s)
	}
	return sequence, states
}

// inOrder are the steps of a source as a layer has them, and whether the source has them turned around. Those of a walk backwards can be had in either order: they are
// taken in the one that others want, or in that of the walk.
func (m *importer) inOrder(s *source) (steps *source, turned bool) {
	p := s.outcome
	switch {
	case s.turned:
		return s.back, true
	case p == nil || p.final || len(p.ways) != 1 || !p.ways[0].back:
		return s, false
	}
	walk, natural := s, p.natural
	if natural {
		walk = s.back
	}
	switch {
	case m.learn:
		p.want.either = true
		if walk.quiet == nil {
			walk.quiet = &source{lengths: walk.lengths, hidden: walk.hidden, make: walk.outcome.raw}
		}
		return walk.quiet, natural
	case p.turned:
		return walk.back, !natural
	}
	return walk, natural
}

// bothWays are two sources beside each other, where they are the two ways of a Bidirectional; nil where they are not. In the first pass two walks over one value learn
// that they are its two ways.
func (m *importer) bothWays(n *onnx.Node, a, b *source) *source {
	p, q := a.outcome, b.outcome
	if p == nil || q == nil || p.final != q.final {
		return nil
	}
	same := p.recurrence == q.recurrence && p.at == 0 && q.at == 1
	if !m.learn {
		if !same || !p.merges {
			return nil
		}
		lengths := slices.Clone(a.lengths)
		lengths[len(lengths)-1] = lengthOf(int64(p.ways[0].units + p.ways[1].units))
		return &source{lengths: lengths, make: p.raw, hidden: a.hidden}
	}
	if !same && !m.pair(a, b) {
		return nil
	}
	for _, w := range []*want{p.want, q.want} {
		w.merged, w.mergedEnd = w.merged || !p.final, w.mergedEnd || p.final
	}
	name := m.nameOf(n)
	x, err := p.raw()
	if err != nil {
		return nil
	}
	y, err := q.raw()
	if err != nil {
		return nil
	}
	z, err := m.apply(name, layers.Concatenate{Name: name}, nil, x, y)
	if err != nil {
		return nil
	}
	return &source{lengths: m.lengthsOf(z, a.lengths), make: func() (unroll.Symbol, error) { return z, nil }, hidden: a.hidden}
}

// pair lets two walks over one value learn, in the first pass, that they are the two ways of a Bidirectional; false where they cannot be.
func (m *importer) pair(a, b *source) bool {
	p, q := a.outcome, b.outcome
	if !m.learn || p == nil || q == nil || p.final != q.final || !p.alone() || !q.alone() || p.ways[0].back || !q.ways[0].back || p.x != q.x || !p.alike(q.recurrence) {
		return false
	}
	if !p.final && (!q.natural || !p.fits()) || p.want.other != nil && p.want.other != q.recurrence || q.want.other != nil && q.want.other != p.recurrence {
		return false
	}
	p.want.other, q.want.other = q.recurrence, p.recurrence
	return true
}

// alone reports whether it is one way from zeros.
func (w *recurrence) alone() bool { return len(w.ways) == 1 && len(w.given) == 0 }

// fits reports whether every step of it can come from a Bidirectional, whose layers return zeros for masked steps.
func (w *recurrence) fits() bool { return w.test == nil || w.ways[0].zero }

// alike reports whether two walks may be the ways of one Bidirectional.
func (w *recurrence) alike(o *recurrence) bool {
	a, b := w.ways[0], o.ways[0]
	class := func(l *way) string { return l.spec("", false, false, false, false).Class() }
	mask := func(t *test) mask {
		if t == nil {
			return mask{}
		}
		return t.mask
	}
	return class(a) == class(b) && a.states == b.states && (w.test == nil) == (o.test == nil) && mask(w.test) == mask(o.test) && a.zero == b.zero
}

// walks are the results of a node that walks over x: every step of each way, and its states.
func (m *importer) walks(n *onnx.Node, w *recurrence, natural bool) (sequences []*source, states [][]*source, err error) {
	w.m, w.n, w.want = m, n, m.want(n)
	if w.test != nil || len(w.given) == 0 {
		if err := m.walksUnder(w.x, w.test); err != nil {
			return nil, nil, err
		}
	}
	if other := w.want.other; other != nil && !m.learn {
		joint, at := m.joint[w.want], 0
		if w.ways[0].back {
			at = 1
		}
		if joint == nil {
			joint = w
			joint.unite(other)
			m.joint[other.want] = joint
		}
		s, st := joint.results(at, natural)
		return []*source{s}, [][]*source{st}, nil
	}
	w.name = m.nameOf(n)
	w.prepare()
	for i := range w.ways {
		s, st := w.results(i, natural)
		sequences, states = append(sequences, s), append(states, st)
	}
	return sequences, states, nil
}

// unite makes a walk one of both ways.
func (w *recurrence) unite(o *recurrence) {
	a, b := w.want, o.want
	w.want = &want{merged: a.merged, mergedEnd: a.mergedEnd}
	for _, v := range []*want{a, b} {
		w.want.sequence = w.want.sequence || v.sequence || v.natural || v.either
		w.want.final, w.want.states, w.want.apart = w.want.final || v.final, w.want.states || v.states, w.want.apart || v.apart
	}
	w.ways = []*way{w.ways[0], o.ways[0]}
	if w.ways[0].back {
		slices.Reverse(w.ways)
	}
	w.name = w.m.nameOf(w.n)
	w.prepare()
}
