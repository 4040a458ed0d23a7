package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// mask tells steps that count from padding: ids that are not 0, as an Embedding makes it, or steps of which some value is not Value, as a Masking layer.
type mask struct {
	of    unroll.Symbol
	ids   bool
	value float32
}

// hidden is the mask that a symbol comes with, or in the first pass would come with if the Embedding that it stems from made one.
type hidden struct {
	mask
	from *want // of the Embedding; nil: of a Masking layer
}

// test is a value that says which steps count, or is on the way to saying so.
type test struct {
	mask
	values  bool    // of every value, not yet of steps
	negated bool    // which do not count
	beside  bool    // several times along an axis, as merging layers join the masks of their inputs
	counted bool    // how many of those count, 0 or more
	summed  bool    // how many steps count
	product *source // what the mask multiplies, or is the sum of over the steps that count
}

// isMask reports whether it is a mask of steps and nothing else.
func (t *test) isMask() bool { return *t == test{mask: t.mask} }

// passesMask reports whether a layer's output has the mask of its inputs.
func passesMask(s layers.Spec) bool {
	switch s.(type) {
	case layers.Activation, layers.Dense, layers.Rescaling, layers.LayerNormalization, layers.BatchNormalization, layers.Add, layers.Subtract, layers.Multiply,
		layers.Maximum, layers.Minimum, layers.Concatenate:
		return true
	}
	return false
}

// common is the mask of several values beside each other. In the second pass one that is none of theirs stands for different ones, of which no graph says what they hide.
func (m *importer) common(in []*source) *hidden {
	for _, s := range in[1:] {
		switch {
		case (s.hidden == nil) == (in[0].hidden == nil) && (s.hidden == nil || s.hidden.mask == in[0].hidden.mask):
		case m.learn:
			return nil
		default:
			return &hidden{}
		}
	}
	return in[0].hidden
}

// walksUnder fails unless a value comes with exactly this mask, nil for none. In the first pass the Embedding learns that it shall make it.
func (m *importer) walksUnder(s *source, t *test) error {
	switch {
	case t == nil && (s.hidden == nil || m.learn):
		return nil
	case t == nil:
		return fmt.Errorf("expected that the mask that other layers walk under hides steps from this one too, got it without")
	case s.hidden == nil || s.hidden.mask != t.mask:
		return fmt.Errorf("expected the mask that the Embedding or Masking layer makes that the values come from, got another")
	}
	if s.hidden.from != nil {
		s.hidden.from.masked = true
	}
	return nil
}

// tests are operators that compare, on the way to a mask. ok: the node is one.
func (m *importer) tests(n *onnx.Node) (ok bool, err error) {
	x, y := m.arg(n, 0), m.arg(n, 1)
	if n.Op == "Equal" {
		if x != nil && x.view == nil {
			x, y = y, x
		}
		if x == nil || x.view == nil || y == nil || y.array == nil {
			return true, fmt.Errorf("expected a comparison of what layers compute with a number, for a mask")
		}
		value, err := y.spread()
		if err != nil {
			return true, err
		}
		s, err := x.single()
		if err != nil {
			return true, err
		}
		symbol, err := s.get()
		if err != nil {
			return true, err
		}
		t := &test{mask: mask{of: symbol, value: value.value}, values: true, negated: true}
		if value.whole && value.long == lengthOf(0) && len(s.lengths) == 2 {
			t.ids, t.values = true, false
		} else if value.whole {
			return true, fmt.Errorf("expected a comparison of ids with 0, for a mask, got one with %v", value.long)
		}
		return true, m.set(n, x.with(testSource(s.lengths, t)))
	}
	if x == nil || x.view == nil || len(x.parts) != 1 || x.parts[0].test == nil {
		return false, nil
	}
	s := x.parts[0]
	t := *s.test
	switch n.Op {
	case "Not":
		if t.counted || t.summed || t.product != nil {
			break
		}
		t.negated = !t.negated
		return true, m.set(n, x.with(testSource(s.lengths, &t)))
	case "Cast":
		if intOf(n, "to", 0) == int(onnx.Bool) && !t.summed && t.product == nil {
			t.counted = false
		}
		return true, m.set(n, x.with(testSource(s.lengths, &t)))
	case "Greater": // of a count
		if y != nil && y.array != nil && y.isAll(0) && !t.summed && t.product == nil {
			t.counted = false
			return true, m.set(n, x.with(testSource(s.lengths, &t)))
		}
	case "ReduceMax", "ReduceSum":
		return true, m.reducedTest(n, x.view, &t)
	}
	return false, nil
}

func (v *view) term() *term { return &term{view: v} }

// testSource is a value that no layer makes.
func testSource(lengths []length, t *test) *source {
	return &source{lengths: lengths, test: t,
		make: never("expected a mask where an Embedding or Masking layer makes one, for layers that walk under it, got another use of it")}
}

// reducedTest is whether any value of a step counts; or how many steps do, or the sum of values that count.
func (m *importer) reducedTest(n *onnx.Node, x *view, t *test) error {
	given, err := m.intsOf(n, "axes", 1)
	if err != nil {
		return err
	}
	axes, ok := normal(given, len(x.axes))
	s := x.parts[0]
	if !ok || len(axes) != 1 || t.negated && !t.beside || t.counted {
		return fmt.Errorf("expected one axis of a mask, got %v", given)
	}
	lengths, at := slices.Clone(s.lengths), axes[0]
	switch {
	case t.beside && x.axes[at].unit():
		t.beside, t.counted = false, n.Op == "ReduceSum"
	case t.values && len(s.lengths) == 3 && x.axes[at].is(2): // steps stay
		t.values, t.counted = false, n.Op == "ReduceSum"
		lengths[2] = one
	case n.Op == "ReduceSum" && !t.values && x.axes[at].is(1):
		t.summed = true
		lengths[1] = one
	default:
		return fmt.Errorf("expected the values or the steps of a mask, got axis %d of axes in the order %s", at, x.order())
	}
	v := x.with(testSource(lengths, t)).view
	if intOf(n, "keepdims", 1) != 0 {
		return m.set(n, v.term())
	}
	return m.set(n, without(v, axes))
}

// besideEachOther is one of equal masks that are joined along an axis of their own; nil where they differ.
func besideEachOther(parts []*source) *source {
	first := parts[0].test
	for _, p := range parts {
		if p.test == nil || first == nil || *p.test != *first || first.product != nil || first.summed || first.counted {
			return nil
		}
	}
	t := *first
	t.beside = true
	return testSource(parts[0].lengths, &t)
}

// underMask are operations between a value and a mask: a Masking layer, and the mean of the steps that count. ok: it is one.
func (m *importer) underMask(n *onnx.Node, x, y *view) (ok bool, err error) {
	a, b := x.parts[0], y.parts[0]
	if a.test != nil && b.test == nil {
		x, y, a, b = y, x, b, a
	}
	switch {
	case b.test == nil:
		return false, nil
	case a.test != nil && n.Op == "Div" && a.test.product != nil && a.test.summed && b.test.summed && b.test.product == nil && a.test.mask == b.test.mask:
		return true, m.maskedMean(n, x, a.test)
	case a.test != nil || n.Op != "Mul" || !b.test.isMask():
		return true, fmt.Errorf("expected steps times their mask, or their mean, got another use of a mask")
	}
	symbol, err := a.get()
	if err != nil {
		return true, err
	}
	if b.test.of == symbol && !b.test.ids && a.hidden == nil {
		name := m.nameOf(n)
		s, err := m.layer(name, layers.Masking{Name: name, MaskValue: float64(b.test.value)}, nil, a.lengths, a)
		if err != nil {
			return true, err
		}
		s.hidden = &hidden{mask: b.test.mask}
		return true, m.set(n, x.with(s))
	}
	if err := m.walksUnder(a, b.test); err != nil {
		return true, err
	}
	return true, m.set(n, x.with(testSource(a.lengths, &test{mask: b.test.mask, product: a})))
}

// maskedMean is the mean of the steps that count.
func (m *importer) maskedMean(n *onnx.Node, x *view, t *test) error {
	name := m.nameOf(n)
	s, err := m.layer(name, layers.GlobalAveragePooling1D{Name: name}, nil, nil, t.product)
	if err != nil {
		return err
	}
	v := x.with(s).view
	v.axes = slices.Clone(v.axes)
	for i, a := range v.axes { // the source has no steps any more
		v.axes[i] = axis{}
		for _, of := range a.of {
			switch of {
			case 0:
				v.axes[i].of = append(v.axes[i].of, 0)
			case 2:
				v.axes[i].of = append(v.axes[i].of, 1)
			}
		}
	}
	return m.set(n, v.term())
}
