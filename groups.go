package unroll

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// group is a place of a `.keras` file where a layer, or a part of one, keeps its weights: datasets 0, 1 … in the group vars at
// the path. Source: keras/src/saving/saving_lib.py, _save_state.
type group struct {
	path    string // "layers/lstm_1/cell"
	name    string // what the part is called, which Keras keeps as an attribute: "lstm_cell"
	weights []*layers.Weight
}

// groups are those of the whole model. A layer stands under its class, numbered from the second of a class on, whatever its
// name; every layer has a group, if only for its name.
func (m *Model) groups() []group {
	all := []group{{name: m.name}}
	used := map[string]int{}
	for _, n := range m.nodes {
		key := keras.Snake(n.spec.Class())
		used[key]++
		if k := used[key]; k > 1 {
			key = fmt.Sprintf("%s_%d", key, k-1)
		}
		all = append(all, n.groups("layers/"+key)...)
	}
	return all
}

// groups are those of a layer and of its parts, whose names stand in the weights' paths.
func (n *node) groups(path string) []group {
	all := []group{{path: path, name: n.name}}
	for _, w := range n.layer.Weights() {
		parts := strings.Split(strings.TrimPrefix(w.Path, n.name+"/"), "/")
		at, path := 0, path
		for depth, part := range parts[:len(parts)-1] {
			path += "/" + attribute(n.spec, depth, part)
			if at = find(all, path); at < 0 {
				at = len(all)
				all = append(all, group{path: path, name: part})
			}
		}
		all[at].weights = append(all[at].weights, w)
	}
	return all
}

// attribute is the attribute of Keras's class that holds a part of a layer.
func attribute(s layers.Spec, depth int, part string) string {
	if d, ok := s.(layers.TimeDistributed); ok {
		if depth == 0 {
			return "layer"
		}
		return attribute(d.Layer, depth-1, part)
	}
	if _, ok := s.(layers.MultiHeadAttention); ok {
		return strings.TrimPrefix(part, "attention_") + "_dense"
	}
	if _, ok := s.(layers.Bidirectional); ok && depth == 0 {
		if strings.HasPrefix(part, "forward_") {
			return "forward_layer"
		}
		return "backward_layer"
	}
	return "cell"
}

func find(all []group, path string) int {
	for i := range all {
		if all[i].path == path {
			return i
		}
	}
	return -1
}

// vars is the path of the group's datasets.
func (g *group) vars() string { return strings.TrimPrefix(g.path+"/vars", "/") }

// checkNames fails where the layers' names are not what Keras accepts.
func checkNames(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		switch {
		case name == "" || strings.Contains(name, "/"):
			return fmt.Errorf("expected layer names without slashes, got %q", name)
		case seen[name]:
			return fmt.Errorf("expected a name of its own for every layer, got %q twice", name)
		}
		seen[name] = true
	}
	return nil
}

// optimizerState are the arrays of an optimizer in the order in which Keras stores them: averages, sums of gradients, then slots; see
// optimizers.Optimizer, Slots. Weights that are not trained have none there. Numbers that follow from the others come last.
func (c *compiled) optimizerState(m *Model) []variable {
	for _, w := range m.weights {
		c.settle(w)
	}
	vars := c.commonState(m)
	from := 0
	for _, slots := range c.optimizer.Slots() {
		for _, w := range m.weights {
			if !w.Trainable {
				continue
			}
			shapes := c.slotShapes(w)
			for k := range slots {
				vars = append(vars, variable{shapes[from+k], c.slots[w.Index][from+k]})
			}
		}
		from += len(slots)
	}
	return append(vars, c.scalars()...)
}
