package unroll

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/layers"
)

// Keras keeps the layers of a functional model in an order of its own: by how many applications stand between them and the outputs, those that stand alike in the order in which
// they are met from the outputs. The weights of a file follow it. What makes a mask is an operation in Keras, which stands between layers
// as layers do, so that masks have a place here too. Source: keras/src/ops/function.py, map_graph.

// vertex is an application of a layer, an input, or an operation that makes a mask.
type vertex struct {
	part    *part        // nil of an operation
	of      *application // nil of an input and of an operation
	parents []*vertex
	met     bool
	depth   int // how many stand behind it, on the longest way
}

// search finds the vertices between inputs and outputs.
type search struct {
	order    []*vertex          // in which they can run
	vertices map[Symbol]*vertex // of every value that was met
	masks    map[Symbol]*vertex // what makes its mask; nil: nothing
	first    map[*part]int      // in which order the parts were met
	given    []*part            // the inputs
}

func newSearch() *search {
	return &search{vertices: map[Symbol]*vertex{}, masks: map[Symbol]*vertex{}, first: map[*part]int{}}
}

// input lets the search end at a value.
func (w *search) input(s Symbol, p *part) {
	w.vertices[s] = &vertex{part: p}
	w.given = append(w.given, p)
}

// visit finds what a value stands on.
func (w *search) visit(s Symbol) error {
	v, a := w.vertices[s], s.of
	switch {
	case v != nil && v.met:
		return nil
	case v != nil: // an input
		w.meet(v.part)
		v.met = true
		w.order = append(w.order, v)
		return nil
	case len(a.in) == 0:
		return fmt.Errorf("unroll: Functional: the outputs depend on the input %q of shape %v, which is not among the inputs", a.name, s.Shape())
	}
	w.meet(a.part)
	v = &vertex{part: a.part, of: a, met: true}
	for _, x := range a.in {
		if err := w.visit(x); err != nil {
			return err
		}
	}
	for _, x := range a.in {
		v.parents = append(v.parents, w.vertices[x])
	}
	if mask := w.masks[a.in[0]]; mask != nil && !a.bare && hears(a.spec, len(a.in), a.masked) {
		v.parents = append(v.parents, mask)
	}
	w.order = append(w.order, v)
	mask := w.maskOf(a)
	for k := range a.out {
		w.vertices[Symbol{a, k}] = v
		if a.out[k].Masked {
			w.masks[Symbol{a, k}] = mask
		}
	}
	return nil
}

// meet notes which part is met when.
func (w *search) meet(p *part) {
	if _, met := w.first[p]; !met {
		w.first[p] = len(w.first)
	}
}

// operation is a vertex that makes a mask.
func (w *search) operation(parents ...*vertex) *vertex {
	o := &vertex{parents: parents}
	w.order = append(w.order, o)
	return o
}

// hears reports whether the layer's call has the mask of its input as an argument, in Keras and in its files. Attention finds its masks while it runs.
func hears(s layers.Spec, inputs int, masked bool) bool {
	switch s.(type) {
	case layers.TimeDistributed, layers.BatchNormalization, layers.GlobalAveragePooling1D:
		return true
	case *modelSpec:
		return inputs == 1
	}
	return layers.IsRecurrent(s) && (inputs == 1 || masked)
}

// maskOf is what makes the mask of an application's result, as the layer's compute_mask does it.
func (w *search) maskOf(a *application) *vertex {
	masks, some, all := make([]*vertex, len(a.in)), false, true
	for i, x := range a.in {
		masks[i] = w.masks[x]
		some, all = some || masks[i] != nil, all && masks[i] != nil
	}
	x := w.vertices[a.in[0]]
	switch s := a.spec.(type) {
	case layers.Embedding:
		if s.MaskZero {
			return w.operation(x)
		}
		return nil
	case layers.Masking:
		return w.operation(w.operation(x))
	case layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum:
		if !all {
			return nil
		}
		mask := masks[0]
		for _, m := range masks[1:] {
			mask = w.operation(mask, m)
		}
		return mask
	case layers.Concatenate:
		if !some {
			return nil
		}
		var wide []*vertex
		for i, m := range masks {
			alike := w.operation(w.vertices[a.in[i]])
			if m != nil {
				alike = w.operation(w.operation(m), alike)
			}
			wide = append(wide, alike)
		}
		return w.operation(w.operation(wide...))
	case layers.Attention, layers.AdditiveAttention:
		if masks[0] != nil {
			return w.operation(masks[0])
		}
		return nil
	}
	return masks[0]
}

// applications are those of layers, in an order in which they can run.
func (w *search) applications() []*application {
	var all []*application
	for _, s := range w.order {
		if s.of != nil {
			all = append(all, s.of)
		}
	}
	return all
}

// list is the parts in Keras's order.
func (w *search) list() []*part {
	depth := map[*part]int{}
	for _, s := range slices.Backward(w.order) {
		if s.part != nil { // a layer that is applied several times stands where it stands first
			s.depth = max(s.depth, depth[s.part])
			depth[s.part] = s.depth
		}
		for _, p := range s.parents {
			p.depth = max(p.depth, s.depth+1)
		}
	}
	var listed []*part
	for _, p := range w.given {
		if _, met := w.first[p]; !met {
			w.first[p] = -1 // nobody reads it
		}
		listed = append(listed, p)
	}
	for _, s := range w.order {
		if s.part != nil && !slices.Contains(listed, s.part) {
			listed = append(listed, s.part)
		}
	}
	slices.SortStableFunc(listed, func(a, b *part) int {
		return cmp.Or(cmp.Compare(depth[b], depth[a]), cmp.Compare(w.first[a], w.first[b]))
	})
	return listed
}
