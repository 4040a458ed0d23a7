package layers_test

import (
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/layers"
)

// rowsOutermost is a layer that works with steps outermost, for values whose rows are.
type rowsOutermost struct{ layers.Layer }

func (l rowsOutermost) Layout() layers.Layout { return layers.Plain }

// Forward turns what has steps.
func (l rowsOutermost) Forward(c *layers.Call) {
	k := &layers.Call{Pass: c.Pass, Number: c.Number, In: slices.Clone(c.In), Out: make([]layers.Value, len(c.Out))}
	for i, v := range k.In {
		if len(v.Shape) > 2 {
			k.In[i] = turned(v)
		}
	}
	l.Layer.Forward(k)
	for i, v := range k.Out {
		if c.Out[i] = v; v.TimeMajor {
			c.Out[i] = turned(v)
		}
	}
	c.Keep = k
}

// Backward turns gradients likewise.
func (l rowsOutermost) Backward(c *layers.Call) {
	k := c.Keep.(*layers.Call)
	k.DIn, k.DOut = slices.Clone(c.DIn), slices.Clone(c.DOut)
	for i, v := range k.Out {
		if v.TimeMajor && c.DOut[i] != nil {
			k.DOut[i] = turned(layers.Value{Shape: v.Shape, Data: c.DOut[i]}).Data
		}
	}
	l.Layer.Backward(k)
	for i, v := range k.In {
		if v.TimeMajor && k.DIn[i] != nil {
			copy(c.DIn[i], turned(layers.Value{Shape: v.Shape, Data: k.DIn[i], TimeMajor: true}).Data)
		}
	}
}

// turned is v with its first two axes exchanged in memory.
func turned(v layers.Value) layers.Value {
	outer, inner := v.Shape[0], v.Shape[1]
	if v.TimeMajor {
		outer, inner = inner, outer
	}
	v.Data, v.Mask, v.TimeMajor = exchanged(v.Data, outer, inner), exchanged(v.Mask, outer, inner), !v.TimeMajor
	return v
}

func exchanged[E any](src []E, outer, inner int) []E {
	if src == nil {
		return nil
	}
	w := len(src) / (outer * inner)
	dst := make([]E, len(src))
	for i := range outer {
		for j := range inner {
			copy(dst[(j*outer+i)*w:(j*outer+i+1)*w], src[(i*inner+j)*w:])
		}
	}
	return dst
}

// goThrough takes the batch through a stateful layer that comes first.
func goThrough(t *testing.T, g *golden.Layer, l layers.Layer) {
	t.Helper()
	s, ok := layers.StatefulOf(l.(rowsOutermost).Layer)
	if !ok {
		t.Fatal("expected a layer that keeps states")
	}
	s.ResetStates()
	if err := s.CheckBatch(g.Before.Shape[0]); err != nil {
		t.Fatal(err)
	}
	l.Forward(&layers.Call{Pass: &layers.Pass{Batch: g.Before.Shape[0]}, Out: make([]layers.Value, len(g.Out)),
		In: []layers.Value{{Shape: g.Before.Shape, Data: g.Before.Data, Mask: g.BeforeMask}}})
}

// checkNesting: the initial states stand in the list in as many parts as Keras has them in; one part is the list itself.
func checkNesting(t *testing.T, spec layers.Spec, parts []int) {
	t.Helper()
	if len(parts) == 0 {
		return
	}
	var flat []any
	for i, n := range parts {
		for range n {
			flat = append(flat, i)
		}
	}
	got := layers.NestStates(spec, flat)
	if len(parts) == 1 {
		if !slices.Equal(got, flat) {
			t.Errorf("expected the states %v as one list, got %v", flat, got)
		}
		return
	}
	if len(got) != len(parts) {
		t.Fatalf("expected the states in %d parts, got %v", len(parts), got)
	}
	for i, n := range parts {
		if part, ok := got[i].([]any); !ok || len(part) != n || part[0] != i {
			t.Errorf("part %d: expected %d states, got %v", i, n, got[i])
		}
	}
}
