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
	texts   *part // the TextVectorization whose group it is; nil of others
}

// groups are those of the whole model. A layer stands under its class, numbered from the second of a class on, whatever its
// name; every layer has a group, if only for its name.
func (m *Model) groups() []group { return m.groupsAt("", m.Name()) }

// groupsAt are those of the model at a path, where it is called so.
func (m *Model) groupsAt(path, name string) []group {
	all := []group{{path: path, name: name}}
	layers := m.listed
	if layers == nil {
		layers = m.parts
	}
	used := map[string]int{}
	for _, p := range layers {
		key := keras.Snake(p.spec.Class())
		used[key]++
		if k := used[key]; k > 1 {
			key = fmt.Sprintf("%s_%d", key, k-1)
		}
		all = append(all, p.groups(strings.TrimPrefix(path+"/layers/"+key, "/"))...)
	}
	return all
}

// groups are those of a layer and of its parts, whose names stand in the weights' paths.
func (p *part) groups(path string) []group {
	if l, ok := p.layer.(*modelLayer); ok {
		return l.model.groupsAt(path, p.name)
	}
	if _, ok := layers.VectorizerOf(p.layer); ok {
		return p.textGroups(path)
	}
	all := []group{{path: path, name: p.name}}
	if p.layer == nil {
		return all
	}
	for _, w := range p.weights {
		parts := strings.Split(strings.TrimPrefix(w.Path, p.name+"/"), "/")
		at, path, s := 0, path, p.spec
		for _, part := range parts[:len(parts)-1] {
			var key string
			key, s = attribute(s, part)
			path += "/" + key
			if at = find(all, path); at < 0 {
				at = len(all)
				all = append(all, group{path: path, name: part})
			}
		}
		all[at].weights = append(all[at].weights, w)
	}
	return all
}

// attribute is the attribute of Keras's class that holds a part of a layer, and that part, as far as it has parts of its own.
func attribute(s layers.Spec, part string) (key string, inner layers.Spec) {
	switch s := s.(type) {
	case layers.TimeDistributed:
		return "layer", s.Layer
	case layers.Bidirectional:
		if strings.HasPrefix(part, "forward_") || s.BackwardLayer == nil {
			inner = s.Layer
		} else {
			inner = s.BackwardLayer
		}
		if strings.HasPrefix(part, "forward_") {
			return "forward_layer", inner
		}
		return "backward_layer", inner
	case layers.MultiHeadAttention:
		return strings.TrimPrefix(part, "attention_") + "_dense", nil
	case layers.RNN:
		if key, ok := s.CellKey(part); ok {
			return key, nil
		}
		return "cell", s // its stack, which has the cells
	}
	return "cell", nil
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
	for group := range c.optimizer.Slots() {
		for _, w := range m.weights {
			if !w.Trainable {
				continue
			}
			slots, from := c.of(w).Slots(), 0
			for _, before := range slots[:group] {
				from += len(before)
			}
			shapes := c.slotShapes(w)
			for k := range slots[group] {
				vars = append(vars, variable{shapes[from+k], c.slots[w.Index][from+k]})
			}
		}
	}
	return append(vars, c.scalars()...)
}
