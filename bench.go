package unroll

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// Saving is a way to compute less of a batch and to get the same, up to the rounding of a reordered sum. A model takes every
// saving that its layers allow; Paths says which, and why not the others.
type Saving string

// The savings. The first three are of recurrent layers in models that begin with an Embedding.
const (
	// SavingRows: what the first recurrent layer computes from its input alone is computed once a distinct word of the batch, where the
	// batch has so many words that it pays. Predictions that follow one another compute it once for every word of the table, as soon as that has
	// paid, and keep it until a weight changes; the walk of a prefix too.
	SavingRows Saving = "rows"
	// SavingPrefix: rows that begin with the same word again and again, as padding does that is not masked, walk that stretch as one. Who
	// goes backwards begins with the last word; of two directions, the one that saves more has such a stretch.
	SavingPrefix Saving = "prefix"
	// SavingActive: steps that a mask hides at the beginning or the end of a row are not computed.
	SavingActive Saving = "active"
	// SavingTouched: of an Embedding's table, the optimizer visits the rows alone that the batch read. This one changes no bit.
	SavingTouched Saving = "touched"
)

// Savings are all savings.
func Savings() []Saving { return []Saving{SavingRows, SavingPrefix, SavingActive, SavingTouched} }

// Without has the model compute without these savings from now on, and with all others: to measure what they are worth, and to
// test that they change nothing.
func (m *Model) Without(off ...Saving) error {
	if !m.built {
		return errors.New("unroll: Without: the model is not built")
	}
	s := savings{rows: true, prefix: true, active: true, touched: true}
	for _, o := range off {
		on := s.of(o)
		if on == nil {
			return fmt.Errorf("unroll: Without: expected one of %v, got %q", Savings(), string(o))
		}
		*on = false
	}
	m.savings = s
	return nil
}

// of is the switch of a saving; nil where there is no such saving.
func (s *savings) of(name Saving) *bool {
	switch name {
	case SavingRows:
		return &s.rows
	case SavingPrefix:
		return &s.prefix
	case SavingActive:
		return &s.active
	case SavingTouched:
		return &s.touched
	}
	return nil
}

// Path is how a recurrent layer is computed, or an Embedding updated.
type Path struct {
	Layer string            `json:"layer"`
	Class string            `json:"class"`
	On    []Saving          `json:"on"`  // the savings that it takes
	Off   map[Saving]string `json:"off"` // the others of its kind, and why not
	// Plain is why training takes none of On, which is then of prediction and evaluation alone; "" where it takes them.
	Plain string `json:"plain,omitempty"`
	// Runs are the parts of the layer's work, each with its products, its fused loops and the operations that run alone; of a
	// Bidirectional those of both directions. A layer with dropout does not say.
	Runs []string `json:"runs,omitempty"`
}

// Paths are those of the embeddings and of the recurrent layers, in order; nil before the model is built.
func (m *Model) Paths() []Path {
	var paths []Path
	for i, n := range m.nodes {
		p := Path{Layer: n.name, Class: n.spec.Class(), On: []Saving{}, Off: map[Saving]string{}}
		note := func(s Saving, why string) {
			switch {
			case !*m.savings.of(s):
				p.Off[s] = "switched off"
			case why != "":
				p.Off[s] = why
			default:
				p.On = append(p.On, s)
			}
		}
		switch table, _, embeds := layers.TableOf(n.layer); {
		case embeds:
			note(SavingTouched, m.whyDense(table))
		case layers.IsRecurrent(n.spec):
			for _, s := range []Saving{SavingRows, SavingPrefix, SavingActive} {
				note(s, m.whyOff(s, i))
			}
			if m.front != nil && m.front.drops != "" && len(p.On) > 0 {
				p.Plain = m.front.drops + " drops values"
			}
		default:
			continue
		}
		p.Runs = runsOf(n.layer)
		paths = append(paths, p)
	}
	return paths
}

// runsOf are the parts of a recurrent layer's work.
func runsOf(l layers.Layer) []string {
	if d, ok := l.(interface{ HasDropout() bool }); ok && d.HasDropout() {
		return nil
	}
	var runs []string
	cells, of := layers.CellsOf(l)
	for i, c := range cells {
		for _, part := range c.Paths() {
			runs = append(runs, of[i]+part.String())
		}
	}
	return runs
}

// whyDense is why the optimizer visits a whole table; "" where it does not.
func (m *Model) whyDense(table *layers.Weight) string {
	switch {
	case !table.Trainable:
		return "it is not trained"
	case m.compiled == nil:
		return "the model is not compiled"
	case !m.compiled.optimizer.Traits().SparseSafe:
		return m.compiled.optimizer.Class() + ", as it is set, changes rows without a gradient"
	}
	return ""
}

// whyOff is why layer i does not take a saving; "" where it does.
func (m *Model) whyOff(s Saving, i int) string {
	f := m.front
	switch {
	case f == nil:
		return m.noFront
	case i > f.last:
		return fmt.Sprintf("it stands behind %s, which returns its last output alone", m.nodes[f.last].name)
	case s == SavingRows && i > f.nodes[0]:
		return fmt.Sprintf("its input is what %s computes, another at every place", m.nodes[f.nodes[slices.Index(f.nodes, i)-1]].name)
	case s == SavingRows && f.wordsFrom == math.MaxInt:
		return "it computes so little of its input that finding the distinct words takes longer"
	case s == SavingPrefix && f.masked:
		return "the padding is masked (mask_zero)"
	case s == SavingActive && !f.masked:
		return "nothing is masked (no mask_zero)"
	}
	return ""
}

// Work is how much of a batch of sequences is computed, with the savings that the model takes: in prediction, where training takes none
// (Path.Plain).
type Work struct {
	Steps     int `json:"steps"`     // of a row
	Positions int `json:"positions"` // rows times steps; where the first recurrent layer goes both ways, each way counts
	Walked    int `json:"walked"`    // positions that a recurrent layer computes, those of the prefix included
	Prefix    int `json:"prefix"`    // steps that rows walk as one
	Inputs    int `json:"inputs"`    // inputs that the first recurrent layer projects
}

// Work looks at these rows of the data. The model must take sequences.
func (m *Model) Work(d Data, rows []int) (Work, error) {
	if !m.built {
		return Work{}, errors.New("unroll: Work: the model is not built")
	}
	s := m.newSession(nil, false)
	defer s.close()
	if err := s.load(d, rows); err != nil {
		return Work{}, err
	}
	x := s.in[m.texts].Shape
	if len(x) < 2 {
		return Work{}, fmt.Errorf("unroll: Work: expected sequences, got a batch of shape %v", x)
	}
	all := x[0] * x[1]
	if f := m.front; f != nil {
		all *= len(f.chains)
	}
	w := Work{Steps: x[1], Positions: all, Walked: all, Inputs: all}
	b := s.front
	if b == nil {
		return w, nil
	}
	b.plan()
	w.Walked = 0
	for i := range b.lanes {
		l := &b.lanes[i]
		w.Prefix += l.shared
		for r := range s.n {
			w.Walked += l.end[r] - l.begin[r]
		}
	}
	w.Walked += w.Prefix
	w.Inputs = w.Walked
	if b.byWords {
		s.number()
		w.Inputs = len(b.lanes) * len(b.words.distinct)
	}
	return w, nil
}

// Products are the floating-point operations of the matrix products of a training step, for one row of so many steps, as if
// nothing were saved: a matrix has one product a step forward and two back. Looking up words is no product, and the model's input has no gradient.
func (m *Model) Products(steps int) float64 {
	total := 0.0
	for _, n := range m.nodes {
		positions := 1
		if in := m.values[n.from[0]].Shape; len(in) > 2 {
			if positions = in[1]; positions == tensor.None {
				positions = steps
			}
		}
		for _, w := range n.weights {
			if w.Table || len(w.Shape) != 2 || w.Name == "bias" { // a GRU has two rows of biases
				continue
			}
			products := 3
			if !n.grad && w.Name == "kernel" {
				products = 2
			}
			total += float64(products) * 2 * float64(positions) * float64(w.Shape.Size())
		}
	}
	return total
}
