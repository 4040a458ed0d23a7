package unroll

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Texts become numbers at the door. A TextVectorization is a node that reads an input of texts; these nodes are a graph's first. Their values are made once a batch,
// before the shards, and shards take their rows as they take those of an input: no layer behind them ever sees a text, and a front begins behind them.

// entries is how many values a shard takes from the batch: the inputs, and what is read of texts.
func (g *graph) entries() int { return len(g.inputs) + g.texts }

// refusesTexts fails where a layer is given texts that is not made for them, and where a model that reads some is to be a part of another.
func refusesTexts(s layers.Spec, in []layers.Signature) error {
	if m, ok := s.(*modelSpec); ok && m.model.texts > 0 {
		return errors.New("expected a model of ids or floats as a layer, got one that reads texts: apply its TextVectorization first, and a model of the other layers to that")
	}
	if _, ok := s.(layers.TextVectorization); ok {
		return nil
	}
	for _, sig := range in {
		if sig.Text {
			return fmt.Errorf("%s: expected ids or floats, got texts %v: a TextVectorization makes some of them", s.Class(), sig.Shape)
		}
	}
	return nil
}

// checkRead fails where an output of the model is no more than what was read.
func (g *graph) checkRead() error {
	for _, v := range g.outputs {
		if g.values[v].Text || g.texts > 0 && v < g.entries() {
			return errors.New("unroll: expected a layer behind what is read of texts, got a model without: layers.TextVectorization works alone too")
		}
	}
	return nil
}

// reading is what a session has for a TextVectorization.
type reading struct {
	input      int
	name       string
	vectorizer *layers.Vectorizer
	rows       [][]int32
	longest    []int
	value      layers.Value
}

// newReadings are those of the model.
func newReadings(g *graph) []reading {
	var all []reading
	for _, n := range g.nodes[:g.texts] {
		v, _ := layers.VectorizerOf(n.layer)
		all = append(all, reading{input: n.from[0], name: n.name, vectorizer: v})
	}
	return all
}

// readRows is how many rows of texts are a task.
const readRows = 8

// read makes the entries of the loaded batch.
func (s *session) read() error {
	b := &s.batch
	s.in = append(s.in[:0], b.X...)
	for i := range s.readings {
		r := &s.readings[i]
		if !r.vectorizer.Spec().Adapted() {
			return fmt.Errorf("unroll: layer %q has no vocabulary yet: Adapt gives one", r.name)
		}
		shape := b.X[r.input].Shape
		if err := r.vectorizer.Takes(shape); err != nil {
			return fmt.Errorf("unroll: layer %q: %w", r.name, err)
		}
		if each := shape[1:].Size(); r.input >= len(b.Text) || len(b.Text[r.input]) != each*shape[0] {
			return fmt.Errorf("unroll: expected texts for shape %v, got another number of them", shape)
		}
		r.rows, r.longest = resize(r.rows, shape[0]), resize(r.longest, (shape[0]+readRows-1)/readRows)
		s.reading = r
		s.run(s.doRead, len(r.longest))
		longest := 0
		for _, n := range r.longest {
			longest = max(longest, n)
		}
		v := &r.value
		width := r.vectorizer.Width(longest)
		v.Shape = append(v.Shape[:0], shape[0], width)
		if r.vectorizer.ForIDs() {
			v.IDs = resize(v.IDs, shape[0]*width)
		} else {
			v.Data = resize(v.Data, shape[0]*width)
		}
		s.run(s.doFill, len(r.longest))
		s.in = append(s.in, *v)
	}
	return nil
}

// readTask reads some rows of the texts.
func (s *session) readTask(w *worker, task int) {
	r := s.reading
	all := s.batch.Text[r.input]
	each := len(all) / len(r.rows)
	longest := 0
	for i := task * readRows; i < min((task+1)*readRows, len(r.rows)); i++ {
		r.rows[i] = r.vectorizer.Row(r.rows[i][:0], &w.cut, all[i*each:(i+1)*each])
		longest = max(longest, len(r.rows[i]))
	}
	r.longest[task] = longest
}

// fillTask writes the values of some rows.
func (s *session) fillTask(_ *worker, task int) {
	r := s.reading
	v := &r.value
	width := v.Shape[1]
	for i := task * readRows; i < min((task+1)*readRows, len(r.rows)); i++ {
		if r.vectorizer.ForIDs() {
			row := v.IDs[i*width : (i+1)*width]
			clear(row[copy(row, r.rows[i]):])
		} else {
			r.vectorizer.Count(v.Data[i*width:(i+1)*width], r.rows[i])
		}
	}
}

// fitsTexts reports whether data have texts as an input of the model wants them; one text a row may come without an axis of its own, as in Keras.
func fitsTexts(want, got layers.Signature) bool {
	w, g := want.Shape[1:], got.Shape[1:]
	if len(w)+len(g) == 1 {
		w, g = append(w, g...), tensor.Shape{1}
	}
	return want.Text && got.Text && (len(w) == 0 && len(g) == 0 || len(w) == 1 && len(g) == 1 && (w[0] == g[0] || w[0] == tensor.None))
}

// waits reports whether a layer is a TextVectorization that cannot be built before it has its vocabulary.
func waits(s layers.Spec) bool {
	l, ok := s.(layers.TextVectorization)
	return ok && l.Open()
}

// Adapt gives the model's TextVectorization, its first layer, the vocabulary of these texts, and builds the model where it is not built yet. In a functional model a
// layer is adapted before it is applied: TextVectorization.Adapt.
func (m *Model) Adapt(texts *tensor.Text) error {
	if m.specs == nil {
		return errors.New("unroll: Adapt: expected a sequential model, got a functional one: adapt its layers before they are applied")
	}
	at := 0
	if _, ok := m.specs[0].(layers.Input); ok && len(m.specs) > 1 {
		at = 1
	}
	l, ok := m.specs[at].(layers.TextVectorization)
	if !ok {
		return fmt.Errorf("unroll: Adapt: expected a model that begins with a TextVectorization, got one that begins with %s", m.specs[at].Class())
	}
	l, err := l.AdaptTo(texts)
	if err != nil {
		return fmt.Errorf("unroll: Adapt: %w", err)
	}
	m.specs = append([]layers.Spec(nil), m.specs...)
	m.specs[at] = l
	if m.built {
		return m.nodes[0].respell(l)
	}
	return m.build(m.specs[0].(interface{ Signature() layers.Signature }).Signature())
}

// Vocabulary are the entries of the model's first TextVectorization by their ids; nil where it has none.
func (m *Model) Vocabulary() []string {
	if m.texts == 0 {
		return nil
	}
	return m.nodes[0].spec.(layers.TextVectorization).Terms()
}

// respell gives a TextVectorization another vocabulary.
func (p *part) respell(l layers.TextVectorization) error {
	layer, err := l.Build(nil, p.in)
	if err != nil {
		return fmt.Errorf("unroll: layer %q: %w", p.name, err)
	}
	p.spec, p.layer = l, layer
	return nil
}
