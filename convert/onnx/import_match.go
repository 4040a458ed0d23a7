package onnx

import (
	"maps"
	"slices"
	"sync"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/layers"
)

// matcher compares a cell's text with the expressions of a step, whatever the order of sums and products.
type matcher struct {
	text  *cell.Cell
	c     *cellOf
	found bindings
	left  int // comparisons that may still be made
}

// bindings are what the names of a text stand for.
type bindings struct {
	functions map[string]string         // activation and recurrent_activation
	states    map[int]int               // of every state, which carried value
	weights   map[weightAt][]weightPart // vectors may be sums of several, or none
}

// weightAt is a block of a weight.
type weightAt struct{ weight, row, block int }

// weightPart is so many columns of a part of a known array.
type weightPart struct {
	part
	width int
}

const (
	maxTerms       = 8       // of a sum or product that is compared
	maxComparisons = 1 << 12 // of one text
)

// knownCell is a recurrent layer that has a name, of no units yet, with its text.
type knownCell struct {
	layer layers.Recurrent
	text  *cell.Cell
}

// knownCells are those whose states are all as wide as the output.
var knownCells = sync.OnceValue(func() (all []knownCell) {
	var list []layers.Recurrent
	for _, s := range []layers.Spec{layers.SimpleRNN{}, layers.LSTM{}, layers.GRU{}, layers.GRU{NoResetAfter: true}} {
		list = append(list, layers.Recurrent{Cell: layers.EquationsOf(s)})
	}
	for _, l := range append(list, layers.Equations()...) {
		if text, err := cell.Parse(l.Cell); err == nil && l.Class() != "ProjectedLSTM" {
			all = append(all, knownCell{l, text})
		}
	}
	return all
})

// matched is the layer of a text that computes what a step does; nil where they differ.
func (m *importer) matched(c *cellOf, of knownCell) (*way, error) {
	known, text := of.layer, of.text
	if len(text.States) != len(c.states) {
		return nil, nil
	}
	t := &matcher{text: text, c: c, left: maxComparisons, found: bindings{map[string]string{}, map[int]int{}, map[weightAt][]weightPart{}}}
	if !t.match(text.Output, c.output) {
		return nil, nil
	}
	for done := map[int]bool{}; len(done) < len(text.States); {
		i := -1
		for k := range t.found.states {
			if !done[k] && (i < 0 || k < i) {
				i = k
			}
		}
		if i < 0 || !t.match(text.States[i].Next, c.next[t.found.states[i]]) {
			return nil, nil
		}
		done[i] = true
	}
	w := &way{units: c.output.width, states: len(text.States), output: -1}
	c.states = c.states[:0]
	for i, s := range text.States {
		at := t.found.states[i]
		if c.states = append(c.states, at); s.Next == text.Output {
			w.output = i
		}
	}
	noBias := true
	for at, parts := range t.found.weights {
		noBias = noBias && (text.Weights[at.weight].Role != cell.Bias || len(parts) == 0)
	}
	for i := range text.Weights {
		if text.Weights[i].Role == cell.Bias && noBias {
			continue
		}
		a, err := t.weight(m, i)
		if err != nil {
			return nil, err
		}
		w.arrays = append(w.arrays, a)
	}
	known.Units, known.NoBias = w.units, noBias
	known.Activation, known.RecurrentActivation = activations.Activation(t.found.functions["activation"]), activations.Activation(t.found.functions["recurrent_activation"])
	w.spec = func(name string, sequences, states, back, zero bool) layers.Spec {
		l := known
		l.Name, l.ReturnSequences, l.ReturnState, l.GoBackwards, l.ZeroOutputForMask = name, sequences, states, back, zero
		return kerasOf(l)
	}
	return w, nil
}

// kerasOf is Keras's layer that has these equations, or the layer itself.
func kerasOf(l layers.Recurrent) layers.Spec {
	switch l.Cell {
	case layers.EquationsOf(layers.SimpleRNN{}):
		return layers.SimpleRNN{Name: l.Name, Units: l.Units, Activation: l.Activation, NoBias: l.NoBias, ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState,
			GoBackwards: l.GoBackwards, ZeroOutputForMask: l.ZeroOutputForMask}
	case layers.EquationsOf(layers.LSTM{}):
		return layers.LSTM{Name: l.Name, Units: l.Units, Activation: l.Activation, RecurrentActivation: l.RecurrentActivation, NoBias: l.NoBias,
			ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards, ZeroOutputForMask: l.ZeroOutputForMask}
	case layers.EquationsOf(layers.GRU{}), layers.EquationsOf(layers.GRU{NoResetAfter: true}):
		return layers.GRU{Name: l.Name, Units: l.Units, Activation: l.Activation, RecurrentActivation: l.RecurrentActivation, NoBias: l.NoBias,
			NoResetAfter: l.Cell != layers.EquationsOf(layers.GRU{}), ReturnSequences: l.ReturnSequences, ReturnState: l.ReturnState, GoBackwards: l.GoBackwards,
			ZeroOutputForMask: l.ZeroOutputForMask}
	}
	return l
}

// weight are the numbers of a weight of the text: its blocks beside each other, its rows one after the other.
func (t *matcher) weight(m *importer, i int) ([]float32, error) {
	w := &t.text.Weights[i]
	var rows [][]float32 // of the stored shape
	for row := range max(1, w.Rows) {
		first := len(rows)
		for block := range w.Blocks {
			parts := t.found.weights[weightAt{i, row, block}]
			width, high := t.c.output.width, 1
			if len(parts) > 0 {
				width, high = parts[0].width, parts[0].rows
			}
			if err := m.spend((1 + len(parts)) * width * high); err != nil {
				return nil, err
			}
			sum := make([]float32, width*high)
			for _, p := range parts {
				for k, v := range p.numbers(width) {
					sum[k] += v
				}
			}
			for k := range high {
				if first+k == len(rows) {
					rows = append(rows, nil)
				}
				rows[first+k] = append(rows[first+k], sum[k*width:(k+1)*width]...)
			}
		}
	}
	return slices.Concat(rows...), nil
}

// try compares, and forgets what it has bound where that fails.
func (t *matcher) try(compare func() bool) bool {
	before := bindings{maps.Clone(t.found.functions), maps.Clone(t.found.states), maps.Clone(t.found.weights)}
	if compare() {
		return true
	}
	t.found = before
	return false
}

// match compares a node of the text with an expression.
func (t *matcher) match(p int, e *expr) bool {
	if t.left--; t.left < 0 {
		return false
	}
	n := &t.text.Nodes[p]
	switch n.Op {
	case cell.OpAdd, cell.OpSub, cell.OpNeg:
		return t.sum(p, e)
	case cell.OpMul:
		return t.product(p, e)
	case cell.OpInput:
		return e.op == input
	case cell.OpConst:
		return e.isNumber(n.Value)
	case cell.OpVector:
		return e.op == vector && t.bind(weightAt{n.Weight, n.Row, n.Block}, []weightPart{{e.part, e.width}})
	case cell.OpState:
		if e.op != state {
			return false
		}
		for k, v := range t.found.states {
			if (k == n.Index) != (v == e.state) {
				return false
			}
		}
		t.found.states[n.Index] = e.state
		return true
	case cell.OpDot:
		return e.op == matrix && !n.Left && t.bind(weightAt{n.Weight, 0, n.Block}, []weightPart{{e.part, e.width}}) && t.match(n.Args[0], e.a)
	case cell.OpFunc:
		return t.applied(n, e)
	}
	return false
}

// applied compares a function. One that the layer chooses may be linear, which no operator is written for.
func (t *matcher) applied(n *cell.Node, e *expr) bool {
	name := n.Func
	if name == "activation" || name == "recurrent_activation" {
		bound, ok := t.found.functions[name]
		if !ok {
			return e.op == function && t.try(func() bool {
				t.found.functions[name] = e.name
				return t.match(n.Args[0], e.a)
			}) || t.try(func() bool {
				t.found.functions[name] = "linear"
				return t.match(n.Args[0], e)
			})
		}
		if name = bound; name == "linear" {
			return t.match(n.Args[0], e)
		}
	}
	return e.op == function && e.name == name && t.match(n.Args[0], e.a)
}

// bind says what a block of a weight is; false where it is something else already.
func (t *matcher) bind(at weightAt, is []weightPart) bool {
	if bound, ok := t.found.weights[at]; ok {
		return slices.Equal(bound, is)
	}
	t.found.weights[at] = is
	return true
}

// signed are the terms of a sum, with their signs.
type signed[T any] struct {
	of    T
	minus bool
}

func (t *matcher) textTerms(p int, minus bool, to *[]signed[int]) {
	n := &t.text.Nodes[p]
	switch n.Op {
	case cell.OpAdd, cell.OpSub:
		t.textTerms(n.Args[0], minus, to)
		t.textTerms(n.Args[1], minus != (n.Op == cell.OpSub), to)
	case cell.OpNeg:
		t.textTerms(n.Args[0], !minus, to)
	default:
		*to = append(*to, signed[int]{p, minus})
	}
}

func terms(e *expr, negative bool, to *[]signed[*expr]) {
	switch {
	case len(*to) > maxTerms:
	case e.op == add || e.op == sub:
		terms(e.a, negative, to)
		terms(e.b, negative != (e.op == sub), to)
	case e.op == minus:
		terms(e.a, !negative, to)
	default:
		*to = append(*to, signed[*expr]{e, negative})
	}
}

// sum compares sums. Vectors that are added, biases, may be more or fewer than in the text.
func (t *matcher) sum(p int, e *expr) bool {
	var of []signed[int]
	var have []signed[*expr]
	t.textTerms(p, false, &of)
	terms(e, false, &have)
	var biases []weightAt
	of = slices.DeleteFunc(of, func(s signed[int]) bool {
		n := &t.text.Nodes[s.of]
		if n.Op != cell.OpVector || s.minus {
			return false
		}
		biases = append(biases, weightAt{n.Weight, n.Row, n.Block})
		return true
	})
	var vectors []weightPart
	have = slices.DeleteFunc(have, func(s signed[*expr]) bool {
		if s.of.op != vector || s.minus {
			return false
		}
		vectors = append(vectors, weightPart{s.of.part, s.of.width})
		return true
	})
	if len(vectors) > 0 && len(biases) == 0 || len(have) > maxTerms {
		return false
	}
	for i, b := range biases {
		var is []weightPart
		if i < len(vectors) {
			is = vectors[i : i+1]
		}
		if i == len(biases)-1 && len(vectors) > len(biases) {
			is = vectors[i:]
		}
		if !t.bind(b, is) {
			return false
		}
	}
	return assign(t, of, have, func(p signed[int], e signed[*expr]) bool { return p.minus == e.minus && t.match(p.of, e.of) })
}

// product compares products.
func (t *matcher) product(p int, e *expr) bool {
	var of []int
	var factors func(p int)
	factors = func(p int) {
		if n := &t.text.Nodes[p]; n.Op == cell.OpMul {
			factors(n.Args[0])
			factors(n.Args[1])
		} else {
			of = append(of, p)
		}
	}
	factors(p)
	var have []*expr
	var split func(e *expr)
	split = func(e *expr) {
		if len(have) > maxTerms {
			return
		}
		if e.op == mul {
			split(e.a)
			split(e.b)
		} else {
			have = append(have, e)
		}
	}
	split(e)
	return assign(t, of, have, t.match)
}

// assign gives every part of the text one of the expressions, each to one.
func assign[P, E any](t *matcher, of []P, have []E, match func(P, E) bool) bool {
	if len(of) != len(have) {
		return false
	}
	if len(of) == 0 {
		return true
	}
	for i, e := range have {
		if t.try(func() bool {
			return match(of[0], e) && assign(t, of[1:], slices.Delete(slices.Clone(have), i, i+1), match)
		}) {
			return true
		}
	}
	return false
}
