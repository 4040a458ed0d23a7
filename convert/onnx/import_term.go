package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
)

// term is a value of the graph, one of: numbers that are known, what layers make of the inputs, within a loop an expression of its step, or the reason why there is
// none. Graphs have values that nobody needs, or of which only the shape counts, so that such a reason is an error only where the value is read.
type term struct {
	*array
	*view
	expr *expr
	less *less
	err  error
}

// less is the condition of a loop: the first is below the second.
type less struct{ a, b length }

// array is numbers that are known; whole ones may be lengths of axes.
type array struct {
	shape  []int
	floats []float32
	ints   []length
	whole  bool // they are ints
	// filled: of a shape that may depend on the inputs, all floats are value, or all ints are long.
	filled bool
	value  float32
	long   length
}

// maxInts is how many whole numbers a tensor may have: they are ids of axes and shapes, and take more room here than in a file.
const maxInts = 1 << 16

// arrayOf is a tensor's numbers.
func arrayOf(t *onnx.Tensor) (*array, error) {
	if len(t.Shape) > maxRank {
		return nil, fmt.Errorf("tensor %q: expected at most %d axes, got %d", t.Name, maxRank, len(t.Shape))
	}
	a := &array{}
	for _, n := range t.Shape {
		a.shape = append(a.shape, int(n))
	}
	if t.Type == onnx.Float || t.Type == onnx.Double || t.Type == onnx.Float16 {
		var err error
		a.floats, err = t.Float32s()
		return a, err
	}
	a.whole = true
	numbers, err := t.Int64s()
	if len(numbers) > maxInts {
		return nil, fmt.Errorf("tensor %q: expected at most %d whole numbers, got %d", t.Name, maxInts, len(numbers))
	}
	for _, n := range numbers {
		a.ints = append(a.ints, lengthOf(n))
	}
	return a, err
}

// list is a vector of lengths.
func list(ints []length) *array { return &array{shape: []int{len(ints)}, ints: ints, whole: true} }

// numbers are the array's as floats; nil where they are not all known.
func (a *array) numbers() []float32 {
	if a.filled || !a.whole {
		return a.floats
	}
	known, ok := wholes(a.ints)
	if !ok {
		return nil
	}
	list := make([]float32, len(known))
	for i, n := range known {
		list[i] = float32(n)
	}
	return list
}

// isAll reports whether every number is v.
func (a *array) isAll(v float32) bool {
	if a.filled {
		return !a.whole && a.value == v || a.whole && a.long.known() && float32(a.long.n) == v
	}
	n := a.numbers()
	return len(n) > 0 && !slices.ContainsFunc(n, func(f float32) bool { return f != v })
}

// view is what layers make, in the order of axes that the graph has it in.
type view struct {
	parts []*source // one, or those along the stacked axis
	axes  []axis
}

// axis of a view: the product of axes of the source, in their order; of length 1 where there are none.
type axis struct {
	of        []int
	stacked   bool // counts parts
	direction bool // counts the directions of a recurrent node, of which there is one
}

// is reports whether it is one axis of the source.
func (a axis) is(of int) bool { return len(a.of) == 1 && a.of[0] == of }

func (a axis) isRows() bool { return a.is(0) }

func (a axis) unit() bool { return len(a.of) == 0 && !a.stacked }

// axesOf are axes of a source, each by itself.
func axesOf(of ...int) []axis {
	axes := make([]axis, len(of))
	for i, a := range of {
		axes[i].of = []int{a}
	}
	return axes
}

// are reports whether the view's axes are these of the source.
func (v *view) are(of ...int) bool {
	return slices.EqualFunc(v.axes, of, func(a axis, of int) bool { return a.is(of) })
}

// sameAxes reports whether two views have their axes alike.
func sameAxes(a, b []axis) bool {
	return slices.EqualFunc(a, b, func(a, b axis) bool { return a.stacked == b.stacked && slices.Equal(a.of, b.of) })
}

// length of axis i.
func (v *view) length(i int) (length, error) {
	if v.axes[i].stacked {
		return lengthOf(int64(len(v.parts))), nil
	}
	p := one
	for _, of := range v.axes[i].of {
		var ok bool
		if p, ok = p.times(v.parts[0].lengths[of]); !ok {
			return p, fmt.Errorf("expected an axis of at most %d open ones, got more", maxFactors)
		}
	}
	return p, nil
}

// order says in which order a view has its axes, for errors.
func (v *view) order() string {
	all := make([]any, len(v.axes))
	for i, a := range v.axes {
		switch {
		case a.stacked:
			all[i] = "directions"
		case len(a.of) == 1:
			all[i] = a.of[0]
		case a.unit():
			all[i] = "-"
		default:
			all[i] = a.of
		}
	}
	return fmt.Sprint(all)
}

// single is the source of a view of one part.
func (v *view) single() (*source, error) {
	if len(v.parts) != 1 || slices.ContainsFunc(v.axes, func(a axis) bool { return a.stacked }) {
		return nil, fmt.Errorf("expected one direction, got both side by side")
	}
	return v.parts[0], nil
}

// source is a symbol that is made when it is first read.
type source struct {
	lengths []length // of its axes, the batch first
	make    func() (unroll.Symbol, error)
	made    bool
	symbol  unroll.Symbol
	err     error

	last, first *source // its last and first step; nil where no layer has it
	back        *source // its steps in the other order
	// turned: it is the back of what a layer makes, and no layer makes it itself.
	turned bool
	hidden *hidden // the mask that it comes with in our model
	test   *test   // it is a mask, or on the way to one
	padded *padded // zeros stand around its steps
	// affine takes numbers along the last axis into the layer that makes it: the result times scale plus offset, either of which may be nil. It is nil, or gives nil,
	// where that cannot be.
	affine    func(scale, offset []float64) *source
	moments   *moments   // it is a part of a normalization
	rescaling *rescaling // it is one
	clamp     *clamp     // it is held between bounds
	gelu      *gelu      // it is a part of one

	ids bool // whole numbers, from an input

	outcome *outcome // a recurrent layer makes it
	quiet   *source  // in the first pass: the same, which a recurrent layer reads in either order
}

// get is the source's symbol.
func (s *source) get() (unroll.Symbol, error) {
	if !s.made {
		s.made = true
		if s.symbol, s.err = s.make(); s.err == nil {
			s.err = s.symbol.Err()
		}
	}
	return s.symbol, s.err
}

// never is a make that fails.
func never(format string, args ...any) func() (unroll.Symbol, error) {
	return func() (unroll.Symbol, error) { return unroll.Symbol{}, fmt.Errorf(format, args...) }
}

// width is the length of the last axis, 0 where that is open.
func (s *source) width() int {
	if l := s.lengths[len(s.lengths)-1]; l.known() {
		return int(l.n)
	}
	return 0
}

// turn is the source with its steps in the other order.
func (s *source) turn() *source {
	if s.back == nil {
		s.back = &source{lengths: s.lengths, back: s, turned: true,
			make: never("expected steps in the order of a layer's, got them turned around: only recurrent layers go backwards")}
	}
	return s.back
}

// of is a term with one source and its axes in their order.
func of(s *source) *term {
	v := &view{parts: []*source{s}}
	for i := range s.lengths {
		v.axes = append(v.axes, axis{of: []int{i}})
	}
	return &term{view: v}
}

// with is a term of another source in the order of the view's axes.
func (v *view) with(s *source) *term { return &term{view: &view{parts: []*source{s}, axes: v.axes}} }

// open is the length of an axis that is known only when the model runs, and equal to no other.
func (m *importer) open() length {
	m.opened++
	r := 'N' + m.opened
	if r >= 0xd800 { // no runes
		r += 0x800
	}
	return length{1, string(r)}
}

// lengthsOf are those of a symbol. Where it is open, an axis is as long as that of like, or of a length of its own.
func (m *importer) lengthsOf(s unroll.Symbol, like []length) []length {
	shape := s.Shape()
	all := make([]length, len(shape))
	for i, n := range shape {
		switch {
		case i == 0:
			all[i] = batch
		case n >= 0:
			all[i] = lengthOf(int64(n))
		case i < len(like):
			all[i] = like[i]
		default:
			all[i] = m.open()
		}
	}
	return all
}

// layer applies a layer at once. like are the lengths that open axes keep.
func (m *importer) layer(name string, spec layers.Spec, weights [][]float32, like []length, in ...*source) (*source, error) {
	symbols := make([]unroll.Symbol, len(in))
	var err error
	for i, s := range in {
		if symbols[i], err = s.get(); err != nil {
			return nil, err
		}
	}
	y, err := m.apply(name, spec, weights, symbols...)
	if err != nil {
		return nil, err
	}
	s := &source{lengths: m.lengthsOf(y, like), make: func() (unroll.Symbol, error) { return y, nil }}
	if passesMask(spec) {
		s.hidden = m.common(in)
	}
	return s, nil
}
