package layers

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// Flatten makes a vector of every row: (N, T, C) becomes (N, T·C). Source: keras/src/layers/reshaping/flatten.py.
type Flatten struct {
	Name       string
	DataFormat string // channels_first moves the second axis to the end first; unset: channels_last
}

// Class is "Flatten".
func (Flatten) Class() string { return "Flatten" }

// GivenName is the name that the user gave.
func (l Flatten) GivenName() string { return l.Name }

// Config implements Spec.
func (l Flatten) Config() map[string]any {
	c := config(l)
	c["data_format"] = formatConfig(l.DataFormat)
	return c
}

func readFlatten(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	return Flatten{Name: base(r), DataFormat: dataFormat(r)}
}

// Build checks the arguments.
func (l Flatten) Build(_ *Builder, in []Signature) (Layer, error) {
	if err := checkDataFormat("Flatten", l.DataFormat); err != nil {
		return nil, err
	}
	return newArranged(&arranged{class: "Flatten", perm: func(rank int) []int {
		if l.DataFormat != channelsFirst || rank < 3 {
			return nil
		}
		perm := []int{0}
		for i := 2; i < rank; i++ {
			perm = append(perm, i)
		}
		return append(perm, 1)
	}, shape: func(in tensor.Shape) (tensor.Shape, error) {
		size, err := rowSize("Flatten", in[1:])
		return tensor.Shape{in[0], size}, err
	}}, in)
}

// Reshape gives every row another shape of as many values; one axis of TargetShape may be -1, which follows from the others.
// Source: keras/src/layers/reshaping/reshape.py.
type Reshape struct {
	Name        string
	TargetShape []int // without the batch
}

// Class is "Reshape".
func (Reshape) Class() string { return "Reshape" }

// GivenName is the name that the user gave.
func (l Reshape) GivenName() string { return l.Name }

func (Reshape) shapeless() {}

// Config implements Spec.
func (l Reshape) Config() map[string]any {
	c := config(l)
	c["target_shape"] = intList(l.TargetShape)
	return c
}

func readReshape(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	if r.Null("target_shape") {
		r.Fail("target_shape", "a list of integers")
	}
	return Reshape{Name: base(r), TargetShape: r.Ints("target_shape")}
}

// Build checks that the shape can be had.
func (l Reshape) Build(_ *Builder, in []Signature) (Layer, error) {
	open := 0
	for _, n := range l.TargetShape {
		switch {
		case n == -1:
			open++
		case n < 1 || n > maxAxis:
			return nil, fmt.Errorf("layers: Reshape: target_shape must have axes from 1 to %d, or one -1, got %v", maxAxis, l.TargetShape)
		}
	}
	switch {
	case open > 1:
		return nil, fmt.Errorf("layers: Reshape: target_shape must have at most one -1, got %v", l.TargetShape)
	case len(l.TargetShape) == 0:
		return nil, fmt.Errorf("layers: Reshape: target_shape must have at least one axis, got none")
	}
	return newArranged(&arranged{class: "Reshape", shape: l.resolve}, in)
}

// resolve is the shape for rows of this one.
func (l Reshape) resolve(in tensor.Shape) (tensor.Shape, error) {
	out := append(tensor.Shape{in[0]}, l.TargetShape...)
	size, err := rowSize("Reshape", in[1:])
	if err != nil {
		return nil, err
	}
	at, given := slices.Index(out[1:], -1), slices.Clone(out[1:])
	if at >= 0 {
		given[at] = 1
	}
	known, err := rowSize("Reshape", given)
	if err != nil {
		return nil, err
	}
	switch {
	case size == tensor.None:
		return out, nil // -1 is None too
	case at < 0 && known != size, at >= 0 && size%known != 0:
		return nil, fmt.Errorf("layers: Reshape: target_shape must have as many values as the input's rows %v, %d, got %v", in[1:], size, l.TargetShape)
	case at >= 0:
		out[1+at] = size / known
	}
	return out, nil
}

// Permute puts the axes of every row in another order: Dims 2, 1 turns (N, T, C) into (N, C, T). Source:
// keras/src/layers/reshaping/permute.py.
type Permute struct {
	Name string
	Dims []int // the axes, from 1
}

// Class is "Permute".
func (Permute) Class() string { return "Permute" }

// GivenName is the name that the user gave.
func (l Permute) GivenName() string { return l.Name }

// Config implements Spec.
func (l Permute) Config() map[string]any {
	c := config(l)
	c["dims"] = intList(l.Dims)
	return c
}

func readPermute(r *keras.Reader) Spec {
	onlyNone(r, "activity_regularizer")
	if r.Null("dims") {
		r.Fail("dims", "a list of integers")
	}
	return Permute{Name: base(r), Dims: r.Ints("dims")}
}

// Build checks the arguments.
func (l Permute) Build(_ *Builder, in []Signature) (Layer, error) {
	sorted := slices.Sorted(slices.Values(l.Dims))
	for i, d := range sorted {
		if d != i+1 {
			return nil, fmt.Errorf("layers: Permute: dims must be the numbers from 1 on in some order, got %v", l.Dims)
		}
	}
	if len(in) == 1 && len(in[0].Shape) != len(l.Dims)+1 {
		return nil, fmt.Errorf("layers: Permute: dims must name the %d axes of %v behind the batch, got %v", len(in[0].Shape)-1, in[0].Shape, l.Dims)
	}
	perm := append([]int{0}, l.Dims...)
	return newArranged(&arranged{class: "Permute", perm: func(int) []int { return perm }, shape: func(in tensor.Shape) (tensor.Shape, error) {
		out := in.Clone()
		for i, p := range perm {
			out[i] = in[p]
		}
		return out, nil
	}}, in)
}

// arranged is every layer that only arranges the values of a row anew: their axes in another order, then another shape.
type arranged struct {
	class string
	perm  func(rank int) []int // nil, or a nil order: as they are
	shape func(in tensor.Shape) (tensor.Shape, error)

	order, back []int
}

func newArranged(a *arranged, in []Signature) (Layer, error) {
	if _, err := a.Output(in); err != nil {
		return nil, err
	}
	if a.perm != nil {
		if a.order = a.perm(len(in[0].Shape)); a.order != nil {
			a.back = inverse(a.order)
		}
	}
	return a, nil
}

func (a *arranged) Weights() []*Weight { return nil }

// Output has no mask: the steps are not what they were, and Keras drops it.
func (a *arranged) Output(in []Signature) ([]Signature, error) {
	if err := checkFloats(a.class, "floats (N, …)", in, 2, maxRank); err != nil {
		return nil, err
	}
	out, err := a.shape(in[0].Shape)
	if err != nil {
		return nil, err
	}
	return []Signature{{Shape: out}}, nil
}

func (a *arranged) Layout() Layout { return Plain }

func (a *arranged) Prepare(bool) {}

func (a *arranged) ShardRows() int { return 0 }

func (a *arranged) Forward(c *Call) {
	in := &c.In[0]
	keep, ok := c.Keep.(*arrangement)
	if !ok {
		keep = new(arrangement)
		c.Keep = keep
	}
	if !keep.in.Equal(in.Shape) { // the shape is worked out once for batches of one kind
		out, err := a.shape(in.Shape)
		if err != nil {
			panic("layers: a built layer refuses its input: " + err.Error())
		}
		keep.in, keep.out = in.Shape.Clone(), out
	}
	c.Out[0] = Value{Shape: keep.out, Data: in.Data}
	if a.order != nil {
		c.Out[0].Data = c.Floats(0, len(in.Data))
		transpose(c.Out[0].Data, in.Data, in.Shape, a.order)
	}
}

// arrangement is the shapes of a pass.
type arrangement struct{ in, out tensor.Shape }

func (a *arranged) Backward(c *Call) {
	switch {
	case c.DIn[0] == nil:
	case a.order == nil:
		copy(c.DIn[0], c.DOut[0])
	default:
		var shape [maxRank]int
		for i, p := range a.order {
			shape[i] = c.In[0].Shape[p]
		}
		transpose(c.DIn[0], c.DOut[0], shape[:len(a.order)], a.back)
	}
}

// intList is a list of whole numbers as JSON has it.
func intList(values []int) []any {
	l := make([]any, len(values))
	for i, v := range values {
		l[i] = v
	}
	return l
}
