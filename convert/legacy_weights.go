package convert

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// array is a weight of a foreign file.
type array struct {
	path  string
	shape tensor.Shape
	data  []float32
}

// savedLayer is a layer of a legacy file that has weights.
type savedLayer struct {
	name   string
	arrays []array
}

// savedLayers are those of the group, in the order of the file.
func savedLayers(group *hdf5.Group) ([]savedLayer, error) {
	list, ok := names(group, "layer_names")
	if !ok {
		return nil, fmt.Errorf("%s: expected the attribute layer_names, got none", group.Path())
	}
	var saved []savedLayer
	for _, name := range list {
		g, err := group.Group(name)
		if err != nil {
			return nil, err
		}
		arrays, err := arraysOf(g)
		if err != nil {
			return nil, err
		}
		if len(arrays) > 0 {
			saved = append(saved, savedLayer{name, arrays})
		}
	}
	return saved, nil
}

// arraysOf are the arrays that a group's weight_names lists.
func arraysOf(g *hdf5.Group) ([]array, error) {
	list, ok := names(g, "weight_names")
	if !ok {
		return nil, fmt.Errorf("%s: expected the attribute weight_names, got none", g.Path())
	}
	var arrays []array
	for _, name := range list {
		d, err := g.Dataset(name)
		if err != nil {
			return nil, err
		}
		a := array{path: d.Path(), shape: d.Shape(), data: make([]float32, d.Len())}
		if err := d.ReadFloat32(a.data); err != nil {
			return nil, err
		}
		arrays = append(arrays, a)
	}
	return arrays, nil
}

// fillModel fills the model's weights from the layers of a file. They go by name where the file has just the model's layers; otherwise in order.
func fillModel(m *unroll.Model, group *hdf5.Group, byName bool) error {
	saved, err := savedLayers(group)
	if err != nil {
		return err
	}
	var own []unroll.LayerOf
	for _, l := range m.Layers() {
		if len(l.Weights) > 0 {
			own = append(own, l)
		}
	}
	find := func(name string) int {
		return slices.IndexFunc(saved, func(s savedLayer) bool { return s.name == name })
	}
	if byName {
		some := false
		for _, l := range own {
			if k := find(l.Name); k >= 0 {
				some = true
				if err := fillLayer(l, saved[k]); err != nil {
					return err
				}
			}
		}
		if !some {
			return fmt.Errorf("%s: expected a layer of the model's, one of %s, got %s", group.Path(), layerNames(own), savedNames(saved))
		}
		return nil
	}
	if len(own) != len(saved) {
		return fmt.Errorf("%s: expected %d layers with weights (%s), got %d (%s)", group.Path(), len(own), layerNames(own), len(saved), savedNames(saved))
	}
	named := !slices.ContainsFunc(own, func(l unroll.LayerOf) bool { return find(l.Name) < 0 })
	for i, l := range own {
		k := i
		if named {
			k = find(l.Name)
		}
		if err := fillLayer(l, saved[k]); err != nil {
			return err
		}
	}
	return nil
}

func layerNames(all []unroll.LayerOf) string {
	list := make([]string, len(all))
	for i, l := range all {
		list[i] = l.Name
	}
	return fmt.Sprintf("%.200q", list)
}

func savedNames(all []savedLayer) string {
	list := make([]string, len(all))
	for i, l := range all {
		list[i] = l.name
	}
	return fmt.Sprintf("%.200q", list)
}

// ordered are a layer's weights as legacy files have them: those that are trained first.
func ordered(weights []*layers.Weight) []*layers.Weight {
	var first, then []*layers.Weight
	for _, w := range weights {
		if w.Trainable {
			first = append(first, w)
		} else {
			then = append(then, w)
		}
	}
	return append(first, then...)
}

// fillLayer fills a layer's weights.
func fillLayer(l unroll.LayerOf, from savedLayer) error {
	weights := ordered(l.Weights)
	arrays, err := fit(l, from.arrays, weights)
	if err != nil {
		return fmt.Errorf("layer %q: %w", from.name, err)
	}
	if len(arrays) != len(weights) {
		return fmt.Errorf("layer %q: expected %d weights, got %d", from.name, len(weights), len(arrays))
	}
	for i, w := range weights {
		if !arrays[i].shape.Equal(w.Shape) {
			return fmt.Errorf("%s: expected shape %v, got %v", arrays[i].path, w.Shape, arrays[i].shape)
		}
		copy(w.Data, arrays[i].data)
	}
	return nil
}

// fit converts the arrays of earlier forms of a layer into those that its weights have. Source: tf_keras/src/saving/legacy/hdf5_format.py,
// preprocess_weights_for_loading.
func fit(l unroll.LayerOf, arrays []array, weights []*layers.Weight) ([]array, error) {
	if l.Model != nil {
		if slices.ContainsFunc(weights, func(w *layers.Weight) bool { return !w.Trainable }) {
			return arrays, nil // mixed among the layers within: as they stand
		}
		var all []array
		rest := arrays
		for _, inner := range l.Model.Layers() {
			n := min(len(inner.Weights), len(rest))
			part, err := fit(inner, rest[:n], inner.Weights)
			if err != nil {
				return nil, err
			}
			all, rest = append(all, part...), rest[n:]
		}
		return append(all, rest...), nil
	}
	switch s := l.Spec.(type) {
	case layers.TimeDistributed:
		return fit(unroll.LayerOf{Spec: s.Layer}, arrays, weights)
	case layers.Bidirectional:
		backward := s.BackwardLayer
		if backward == nil {
			backward = s.Layer
		}
		if len(arrays)%2 != 0 || len(weights)%2 != 0 {
			return arrays, nil
		}
		half := len(arrays) / 2
		a, err := fit(unroll.LayerOf{Spec: s.Layer}, arrays[:half], weights[:len(weights)/2])
		if err != nil {
			return nil, err
		}
		b, err := fit(unroll.LayerOf{Spec: backward}, arrays[half:], weights[len(weights)/2:])
		return append(slices.Clone(a), b...), err
	case layers.LSTM:
		switch {
		case len(arrays) == 12: // Keras 1: three arrays a gate, in the order i, c, f, o
			return gates(arrays, 0, 6, 3, 9)
		case len(arrays) == 3 && len(weights) == 3 && arrays[2].shape.Size() == 2*weights[2].Shape.Size():
			return fromCuDNN(arrays, 4, weights)
		}
	case layers.GRU:
		switch {
		case len(arrays) == 9: // Keras 1: z, r, h
			return gates(arrays, 0, 3, 6)
		case len(arrays) == 3 && len(weights) == 3 && len(arrays[2].shape) == 1 && arrays[2].shape[0] == 6*s.Units:
			if s.NoResetAfter {
				return nil, fmt.Errorf("%s: expected the bias of a GRU with reset_after=false, got that of a CuDNNGRU, which has reset_after=true", arrays[2].path)
			}
			return fromCuDNN(arrays, 3, weights)
		}
	case layers.Conv1D:
		if len(arrays) > 0 && len(arrays[0].shape) == 4 {
			return conv1(arrays, weights[0].Shape)
		}
	}
	return arrays, nil
}

// gates puts the arrays of gates, a kernel, a recurrent kernel and a bias each, side by side; at says where each gate's begin.
func gates(arrays []array, at ...int) ([]array, error) {
	var joined []array
	for k := range 3 {
		first := arrays[at[0]+k]
		if len(first.shape) != 2-k/2 {
			return nil, fmt.Errorf("%s: expected an array of %d axes, got shape %v", first.path, 2-k/2, first.shape)
		}
		rows, width := first.shape.Size()/max(1, first.shape[len(first.shape)-1]), first.shape[len(first.shape)-1]
		a := array{path: first.path, shape: first.shape.Clone(), data: make([]float32, rows*width*len(at))}
		a.shape[len(a.shape)-1] *= len(at)
		for g, from := range at {
			part := arrays[from+k]
			if !part.shape.Equal(first.shape) {
				return nil, fmt.Errorf("%s: expected shape %v, got %v", part.path, first.shape, part.shape)
			}
			for r := range rows {
				copy(a.data[(r*len(at)+g)*width:], part.data[r*width:(r+1)*width])
			}
		}
		joined = append(joined, a)
	}
	return joined, nil
}

// fromCuDNN converts the weights of a layer for cuDNN: every gate's kernel is laid out the other way round, though its shape does not say so, every gate's
// recurrent kernel is transposed, and there are two biases.
func fromCuDNN(arrays []array, n int, weights []*layers.Weight) ([]array, error) {
	for k := range 2 {
		if !arrays[k].shape.Equal(weights[k].Shape) {
			return nil, fmt.Errorf("%s: expected shape %v, got %v", arrays[k].path, weights[k].Shape, arrays[k].shape)
		}
	}
	inputs, units := arrays[0].shape[0], arrays[1].shape[0]
	kernel, recurrent := arrays[0], arrays[1]
	kernel.data, recurrent.data = make([]float32, len(kernel.data)), make([]float32, len(recurrent.data))
	for g := range n {
		for r := range inputs {
			for c := range units {
				flat := r + inputs*c // in a gate's rows, one after the other
				kernel.data[r*n*units+g*units+c] = arrays[0].data[flat/units*n*units+g*units+flat%units]
			}
		}
		for r := range units {
			for c := range units {
				recurrent.data[r*n*units+g*units+c] = arrays[1].data[c*n*units+g*units+r]
			}
		}
	}
	bias := arrays[2]
	if n == 3 { // input's and state's, which a GRU keeps apart
		bias.shape = tensor.Shape{2, 3 * units}
		return []array{kernel, recurrent, bias}, nil
	}
	bias.shape = tensor.Shape{n * units}
	bias.data = make([]float32, n*units)
	for i := range bias.data {
		bias.data[i] = arrays[2].data[i] + arrays[2].data[n*units+i]
	}
	return []array{kernel, recurrent, bias}, nil
}

// conv1 converts the kernel of a Conv1D of Keras 1, which is one of a picture of width 1: (size, 1, inputs, filters), or by Theano (filters, inputs, size, 1).
func conv1(arrays []array, want tensor.Shape) ([]array, error) {
	k := arrays[0]
	size, inputs, filters := want[0], want[1], want[2]
	switch {
	case k.shape.Equal(tensor.Shape{size, 1, inputs, filters}):
	case k.shape.Equal(tensor.Shape{filters, inputs, size, 1}):
		data := make([]float32, len(k.data))
		for s := range size {
			for i := range inputs {
				for f := range filters {
					data[(s*inputs+i)*filters+f] = k.data[(f*inputs+i)*size+s]
				}
			}
		}
		k.data = data
	default:
		return nil, fmt.Errorf("%s: expected shape %v, got %v", k.path, want, k.shape)
	}
	k.shape = want
	return append([]array{k}, arrays[1:]...), nil
}
