package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// maskWriter writes out the operations by which Keras makes masks, as Keras's own files have them: where a file leaves them out, Keras makes them while it
// loads, under names that may be those of layers.
type maskWriter struct {
	model *Model
	masks []func() map[string]any // by value: the symbol of its mask, made when somebody asks; nil: none
	made  []*keras.Object
	used  map[string]int
	taken map[string]bool
}

func newMaskWriter(m *Model) *maskWriter {
	w := &maskWriter{model: m, masks: make([]func() map[string]any, len(m.values)), used: map[string]int{}, taken: map[string]bool{}}
	for _, p := range m.listed {
		w.taken[p.name] = true
	}
	for _, n := range m.nodes {
		mask := w.maskOf(n)
		for k, s := range n.out {
			if s.Masked {
				w.masks[n.to+k] = mask
			}
		}
	}
	return w
}

// operation makes a mask of this shape out of args; it returns its symbol.
func (w *maskWriter) operation(module, class string, config map[string]any, shape tensor.Shape, args ...any) map[string]any {
	base := keras.Snake(class)
	name := base
	for w.taken[name] {
		w.used[base]++
		name = fmt.Sprintf("%s_%d", base, w.used[base])
	}
	w.taken[name] = true
	config["name"] = name
	w.made = append(w.made, &keras.Object{Module: "keras.src.ops." + module, Class: class, RegisteredName: class, Config: config,
		Extra: map[string]any{"name": name, "inbound_nodes": []any{map[string]any{"args": args, "kwargs": map[string]any{}}}}})
	return symbolic(shape, "bool", []any{name, 0, 0})
}

// maskOf is the mask of a node's result, as search.maskOf counts it.
func (w *maskWriter) maskOf(n *node) func() map[string]any {
	m := w.model
	x := n.from[0]
	steps := func(v int) tensor.Shape { return m.values[v].Shape[:2] }
	var masked []func() map[string]any
	for _, v := range n.from {
		masked = append(masked, w.masks[v])
	}
	var make func() map[string]any
	switch s := n.spec.(type) {
	case layers.Embedding:
		make = func() map[string]any {
			return w.operation("numpy", "NotEqual", map[string]any{}, m.values[x].Shape, m.symbol(x), 0)
		}
	case layers.Masking:
		make = func() map[string]any {
			other := w.operation("numpy", "NotEqual", map[string]any{}, m.values[x].Shape, m.symbol(x), s.MaskValue)
			return w.operation("numpy", "Any", map[string]any{"axis": -1, "keepdims": false}, steps(x), other)
		}
	case layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum:
		make = func() map[string]any {
			mask := masked[0]()
			for k, more := range masked[1:] {
				mask = w.operation("numpy", "LogicalOr", map[string]any{}, steps(n.from[k+1]), mask, more())
			}
			return mask
		}
	case layers.Concatenate:
		make = func() map[string]any {
			var wide []any
			for k, mask := range masked {
				v := n.from[k]
				shape := m.values[v].Shape
				if mask == nil {
					wide = append(wide, w.operation("numpy", "OnesLike", map[string]any{"dtype": "bool"}, shape, m.symbol(v)))
					continue
				}
				thin := w.operation("numpy", "ExpandDims", map[string]any{"axis": -1}, append(shape[:2].Clone(), 1), mask())
				none := w.operation("numpy", "ZerosLike", map[string]any{"dtype": "bool"}, shape, m.symbol(v))
				wide = append(wide, w.operation("numpy", "LogicalOr", map[string]any{}, shape, thin, none))
			}
			all := w.operation("numpy", "Concatenate", map[string]any{"axis": int(s.Axis.Or(-1))}, n.out[0].Shape, wide)
			return w.operation("numpy", "Any", map[string]any{"axis": -1, "keepdims": false}, n.out[0].Shape[:2], all)
		}
	case layers.Attention, layers.AdditiveAttention:
		make = func() map[string]any {
			return w.operation("core", "ConvertToTensor", map[string]any{"dtype": nil, "sparse": nil, "ragged": nil}, steps(x), masked[0]())
		}
	default:
		return masked[0]
	}
	var made map[string]any
	return func() map[string]any {
		if made == nil {
			made = make()
		}
		return made
	}
}
