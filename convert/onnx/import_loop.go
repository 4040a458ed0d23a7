package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/onnx"
)

// loop makes a recurrent layer of a Loop whose body is one step: a walk over all steps of a sequence, from zeros or from what layers compute.
func (m *importer) loop(n *onnx.Node) error {
	attribute := n.Attribute("body")
	if attribute == nil || attribute.Graph == nil || len(n.Inputs) < 2 {
		return fmt.Errorf("expected a body, a number of steps and a condition, got others")
	}
	l := &loop{node: n, body: attribute.Graph, reader: &stepReader{m: m, known: map[expr]*expr{}, depth: map[*expr]int{}, cuts: map[columnsOf]*expr{}}}
	carried := len(n.Inputs) - 2
	if len(l.body.Inputs) != carried+2 || len(l.body.Outputs) < carried+1 || len(n.Outputs) > len(l.body.Outputs)-1 || l.body.Sparse > 0 {
		return fmt.Errorf("expected a body that takes a counter, a condition and %d values and gives them back, got %d inputs and %d outputs", carried,
			len(l.body.Inputs), len(l.body.Outputs))
	}
	m.scopes = append(m.scopes, map[string]*term{})
	next, scans, err := l.read(m)
	m.scopes = m.scopes[:len(m.scopes)-1]
	if err != nil {
		return err
	}
	return l.walk(m, next, scans)
}

// loop is a Loop that is read.
type loop struct {
	node   *onnx.Node
	body   *onnx.Graph
	reader *stepReader
	init   []*term // what the carried values begin with
	states []*expr // of every carried value that is a state; nil: it is a counter, or always the same
	mask   *expr   // the steps that count; nil: all
}

// read evaluates the body: the next value of every state, and what is collected at every step. It checks that the loop is one walk over all steps.
func (l *loop) read(m *importer) (next, scans []*expr, err error) {
	r, g := l.reader, l.body
	m.initializers(g)
	count, err := r.make(expr{op: counter, state: -1})
	if err != nil {
		return nil, nil, err
	}
	m.put(g.Inputs[0].Name, &term{expr: count})
	condition, err := r.make(expr{op: going})
	if err != nil {
		return nil, nil, err
	}
	m.put(g.Inputs[1].Name, &term{expr: condition})
	same := l.unchanged()
	for i, in := range g.Inputs[2:] {
		t := m.arg(l.node, 2+i)
		if t == nil {
			return nil, nil, fmt.Errorf("expected a first value of %q, got none", in.Name)
		}
		l.init = append(l.init, t)
		l.states = append(l.states, nil)
		if same[in.Name][g.Outputs[1+i].Name] {
			m.put(in.Name, t)
			continue
		}
		if t.array != nil && t.whole {
			if start, ok := t.scalar(); !ok || start != lengthOf(0) {
				return nil, nil, fmt.Errorf("expected a counter that begins with 0, got another")
			}
			if count, err = r.make(expr{op: counter, state: i}); err != nil {
				return nil, nil, err
			}
			m.put(in.Name, &term{expr: count})
			continue
		}
		width := 0
		switch {
		case len(in.Shape) == 2 && in.Shape[1].Length > 0 && in.Shape[1].Length < 1<<31:
			width = int(in.Shape[1].Length)
		case t.view != nil && len(t.parts) == 1:
			width = t.parts[0].width()
		case t.array != nil && len(t.array.shape) == 2:
			width = t.array.shape[1]
		}
		if width < 1 {
			return nil, nil, fmt.Errorf("expected states of shape (N, width), got %v as the shape of %q", in.Shape, in.Name)
		}
		if l.states[i], err = r.make(expr{op: state, state: i, width: width}); err != nil {
			return nil, nil, err
		}
		m.put(in.Name, &term{expr: l.states[i]})
	}
	for _, n := range g.Nodes {
		m.run(n, r.step)
	}
	return l.outputs(m)
}

// unchanged says of every input of the body which outputs it is, through nodes that do nothing.
func (l *loop) unchanged() map[string]map[string]bool {
	is, outputs := map[string]string{}, map[string]map[string]bool{}
	for _, in := range l.body.Inputs {
		is[in.Name], outputs[in.Name] = in.Name, map[string]bool{}
	}
	for _, n := range l.body.Nodes {
		if n.Op == "Identity" && len(n.Inputs) == 1 && len(n.Outputs) == 1 && is[n.Inputs[0]] != "" {
			is[n.Outputs[0]] = is[n.Inputs[0]]
		}
	}
	for _, out := range l.body.Outputs {
		if in := is[out.Name]; in != "" {
			outputs[in][out.Name] = true
		}
	}
	return outputs
}

// outputs are what the body gives, of which counters and conditions are checked.
func (l *loop) outputs(m *importer) (next, scans []*expr, err error) {
	g := l.body
	for i, out := range g.Outputs {
		t := m.value(out.Name)
		if t != nil && t.err != nil {
			return nil, nil, t.err
		}
		at := i - 1 // among the carried values
		switch {
		case i == 0:
			if err := l.check(m, t); err != nil {
				return nil, nil, err
			}
			continue
		case at < len(l.states) && l.states[at] == nil:
			next = append(next, nil)
			if t != nil && t.expr != nil && (t.expr.op != counter || t.expr.state != at || t.expr.value != 1) {
				return nil, nil, fmt.Errorf("expected a counter that goes up by 1, got another")
			}
			continue
		case t == nil || t.expr == nil:
			return nil, nil, fmt.Errorf("expected values that the step computes, got others as %q", out.Name)
		}
		if at < len(l.states) {
			if t.expr.width != l.states[at].width {
				return nil, nil, fmt.Errorf("expected a next state of %d values as the one before, got %d", l.states[at].width, t.expr.width)
			}
			next = append(next, t.expr)
		} else {
			if t.expr.width < 1 {
				return nil, nil, fmt.Errorf("expected values of the step as %q, got its counter or mask", out.Name)
			}
			scans = append(scans, t.expr)
		}
	}
	return next, scans, nil
}

// check fails unless the loop goes on exactly as long as there are steps.
func (l *loop) check(m *importer, goes *term) error {
	x := l.reader.x
	if x == nil {
		return fmt.Errorf("expected a loop over the steps of a sequence, got none that it reads step by step")
	}
	steps := x.lengths[1]
	trips := m.arg(l.node, 0)
	counted := false
	if trips != nil {
		t, ok := length{}, false
		if trips.array != nil {
			t, ok = trips.scalar()
		}
		// More trips than steps are stopped by the condition.
		if counted = ok && t == steps; !counted && !(ok && t.known() && t.n >= 1<<31-1) {
			return fmt.Errorf("expected as many rounds as there are steps, %v, got others", steps)
		}
	}
	first := m.arg(l.node, 1)
	if ok := first == nil || first.less != nil && *first.less == (less{lengthOf(0), steps}) || first.array != nil && first.isAll(1); !ok {
		return fmt.Errorf("expected a loop that begins where there are steps, got another condition")
	}
	switch {
	case goes == nil:
		return fmt.Errorf("expected a condition, got none")
	case goes.expr != nil && goes.expr.op == below && goes.expr.long == steps && goes.expr.a.value == 1:
		return nil
	case counted && (goes.expr != nil && goes.expr.op == going || goes.array != nil && goes.isAll(1)):
		return nil
	}
	return fmt.Errorf("expected a loop that goes on while there are steps, %v, got another condition", steps)
}

// unmasked is what a value becomes at a step that counts, and what it is at one that does not.
func (l *loop) unmasked(e *expr) (value, otherwise *expr) {
	switch {
	case e.op == where:
		l.mask = e.a
		return e.b, e.c
	case e.op == add:
		for _, sides := range [][2]*expr{{e.a, e.b}, {e.b, e.a}} {
			yes, no := sides[0], sides[1]
			v, w := yes.times(), no.times()
			if v[0] != nil && v[0].op == counts && w[0] != nil && w[0].op == not && w[0].a == v[0] {
				l.mask = v[0]
				return v[1], w[1]
			}
		}
	case e.op == mul && e.times()[0] != nil && e.times()[0].op == counts:
		l.mask = e.times()[0]
		return e.times()[1], &expr{op: number}
	}
	return e, nil
}

// times are a mask and what it multiplies.
func (e *expr) times() [2]*expr {
	if e.op == mul && e.a.isMask() {
		return [2]*expr{e.a, e.b}
	}
	if e.op == mul && e.b.isMask() {
		return [2]*expr{e.b, e.a}
	}
	return [2]*expr{}
}

// walk makes the layer of what was read.
func (l *loop) walk(m *importer, next, scans []*expr) error {
	n := l.node
	read := func(i int) bool { // whether anybody reads an output
		return i < len(n.Outputs) && n.Outputs[i] != "" && (len(m.readers[n.Outputs[i]]) > 0 || m.isOutput(n.Outputs[i]))
	}
	var out *expr // at every step
	for _, s := range scans {
		if out != nil && s != out {
			return fmt.Errorf("expected one value collected at every step, got several")
		}
		out = s
	}
	for i, e := range next {
		if out == nil && e != nil && read(i) {
			out = e
		}
	}
	if out == nil {
		return fmt.Errorf("expected a loop whose result is read, got none")
	}
	value, otherwise := l.unmasked(out)
	c := &cellOf{output: value, next: map[int]*expr{}, in: l.reader.x.width()}
	zero := otherwise != nil && otherwise.isNumber(0)
	if otherwise != nil && !zero && (otherwise.op != state || next[otherwise.state] != out || !l.startsAtZero(otherwise.state)) {
		return fmt.Errorf("expected the output before, or zeros, as the output of a masked step, got another value")
	}
	// The states that the output needs, and those that are read.
	c.need(value)
	for i, e := range next {
		if e != nil && read(i) && e != out {
			c.need(l.states[i])
		}
	}
	for k := 0; k < len(c.states); k++ {
		i := c.states[k]
		v, rest := l.unmasked(next[i])
		if (rest == nil) != (l.mask == nil) || rest != nil && rest != l.states[i] {
			return fmt.Errorf("expected a state that a masked step leaves as it is, got another")
		}
		c.next[i] = v
		c.need(v)
	}
	if otherwise == nil && l.mask != nil {
		return fmt.Errorf("expected an output under the mask that the states are under, got one without")
	}
	w, back, err := l.steps()
	if err != nil {
		return err
	}
	way, err := m.wayOf(c)
	if err != nil {
		return err
	}
	way.back, way.zero = back, zero
	w.ways = append(w.ways[:0], way)
	if w.given, err = l.given(c, way); err != nil {
		return err
	}
	sequences, states, err := m.walks(n, w, false)
	if err != nil {
		return err
	}
	return l.results(m, c, next, out, sequences[0], states[0])
}

// results sets the outputs of the node.
func (l *loop) results(m *importer, c *cellOf, next []*expr, out *expr, sequence *source, states []*source) error {
	for i, name := range l.node.Outputs {
		t := &term{err: fmt.Errorf("node %q (Loop): expected a state or the steps' output of the loop, got a reader of output %d", l.node.Name, i)}
		switch {
		case name == "":
			continue
		case i >= len(next):
			t = &term{view: &view{parts: []*source{sequence}, axes: []axis{{of: []int{1}}, {of: []int{0}}, {of: []int{2}}}}}
		case slices.Contains(c.states, i):
			t = &term{view: &view{parts: []*source{states[slices.Index(c.states, i)]}, axes: axesOf(0, 1)}}
		case next[i] == out && sequence.last != nil:
			t = &term{view: &view{parts: []*source{sequence.last}, axes: axesOf(0, 1)}}
		}
		m.put(name, t)
	}
	return nil
}

// steps are what the loop walks over: a sequence, perhaps from the end, under a mask.
func (l *loop) steps() (w *recurrence, back bool, err error) {
	mask := l.reader.mask
	w = &recurrence{}
	w.x, back = l.reader.m.inOrder(l.reader.x)
	if l.mask == nil {
		return w, back, nil
	}
	if mask.test == nil {
		mask = mask.back
	}
	if mask.test == nil || (mask == l.reader.mask) == back || !mask.test.isMask() {
		return nil, false, fmt.Errorf("expected the mask of the steps in their order, got another")
	}
	w.test = mask.test
	return w, back, nil
}

func (l *loop) startsAtZero(i int) bool { return l.init[i].array != nil && l.init[i].isAll(0) }

// given are the states that the loop begins with, in the cell's order; none for zeros.
func (l *loop) given(c *cellOf, w *way) (given []*source, err error) {
	for _, i := range c.states {
		t := l.init[i]
		switch {
		case l.startsAtZero(i):
			continue
		case t.view == nil || !t.are(0, 1) || len(t.parts) != 1 || len(t.parts[0].lengths) != 2 || t.parts[0].width() != l.states[i].width:
			return nil, fmt.Errorf("expected zeros or what layers compute, (N, %d), as an initial state, got others", l.states[i].width)
		}
		given = append(given, t.parts[0])
	}
	if len(given) > 0 && len(given) != len(c.states) {
		return nil, fmt.Errorf("expected all initial states or none, got %d of %d", len(given), len(c.states))
	}
	return given, nil
}

// cellOf is what one step computes of the input and the states.
type cellOf struct {
	output *expr
	states []int         // the carried values that are needed, in the order in which the layer has them
	next   map[int]*expr // of each
	in     int           // the width of the input
	seen   map[*expr]bool
}

// need adds the states that an expression reads.
func (c *cellOf) need(e *expr) {
	if c.seen == nil {
		c.seen = map[*expr]bool{}
	}
	if e == nil || c.seen[e] {
		return
	}
	c.seen[e] = true
	if e.op == state && !slices.Contains(c.states, e.state) {
		c.states = append(c.states, e.state)
	}
	c.need(e.a)
	c.need(e.b)
	c.need(e.c)
}

// wayOf is the layer of a cell: one of those that have a name, or its equations.
func (m *importer) wayOf(c *cellOf) (*way, error) {
	for _, known := range knownCells() {
		if w, err := m.matched(c, known); w != nil || err != nil {
			return w, err
		}
	}
	return m.written(c)
}
