package unroll

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/layers"
)

// Looking on: what is computed in a step, by layer and by time. Nothing here trains; a batch is taken through the model once more, in one
// piece and without savings, so that every layer is there to be looked at.

// GradientTrace is how much the loss hears of a recurrent layer's states: where the norms fall to nothing, what came before is not learned.
type GradientTrace struct {
	Layer     string `json:"layer"`
	Class     string `json:"class"`
	Cell      int    `json:"cell"`      // of a stack of cells
	Backwards bool   `json:"backwards"` // the walk goes from the last step to the first
	// Norms are by row, and in a row by distance: first the step that the layer walked last, then the one before it, as far as there is no
	// mask. A norm is that of the gradient of the row's loss by the states after that step, all states together: h and c of an LSTM.
	Norms [][]float64 `json:"norms"`
}

// TraceGradients takes these rows of the data there and back, as a step of training does, and returns a trace of every recurrent layer, two
// of a Bidirectional, one for every cell of a stack. No weight changes; a Stateful layer takes the rows as those of any batch. What a model
// within the model does is not seen. The model must be compiled.
func (m *Model) TraceGradients(d Data, rows []int) ([]GradientTrace, error) {
	if m.compiled == nil {
		return nil, errors.New("unroll: TraceGradients: the model must be compiled first")
	}
	if len(rows) == 0 {
		return nil, errors.New("unroll: TraceGradients: expected rows, got none")
	}
	if err := m.ready(d); err != nil {
		return nil, err
	}
	s := m.newLook(len(rows), true)
	defer s.close()
	w := s.workers[0]
	defer func() {
		for i := range w.steps {
			w.steps[i].call.Trace = nil
		}
	}()
	for i, n := range m.nodes {
		if layers.IsRecurrent(n.spec) {
			w.steps[i].call.Trace = new(layers.Trace)
		}
	}
	if err := s.load(d, rows); err != nil {
		return nil, err
	}
	if err := s.judged(); err != nil {
		return nil, err
	}
	m.prepare(true)
	s.pass = layers.Pass{Training: true, Seed: m.seed}
	defer m.keepStatistics()()
	s.runBatch()
	var traces []GradientTrace
	for i, n := range m.nodes {
		c := &w.steps[i].call
		if c.Trace == nil {
			continue
		}
		slices.SortStableFunc(c.Trace.Walks, func(a, b layers.TracedWalk) int { return a.Cell - b.Cell }) // the last goes back first
		for _, walk := range c.Trace.Walks {
			traces = append(traces, GradientTrace{Layer: n.name, Class: n.spec.Class(), Cell: walk.Cell, Backwards: walk.Backwards, Norms: byDistance(walk, &c.In[0])})
		}
	}
	if len(traces) == 0 {
		return nil, errors.New("unroll: TraceGradients: expected a model with a recurrent layer, got none")
	}
	return traces, nil
}

// keepStatistics returns what brings back the numbers of the data that layers keep.
func (m *Model) keepStatistics() (restore func()) {
	var kept [][]float32
	for _, w := range m.weights {
		if w.Statistic {
			kept = append(kept, slices.Clone(w.Data))
		}
	}
	return func() {
		for _, w := range m.weights {
			if w.Statistic {
				copy(w.Data, kept[0])
				kept = kept[1:]
			}
		}
		m.changed()
	}
}

// newLook is a session that sees every layer: it takes batches of n rows in one shard and saves nothing.
func (m *Model) newLook(n int, training bool) *session {
	on := m.savings
	m.savings = savings{}
	s := m.newSession(m.compiled, training)
	m.savings, s.perShard = on, max(n, s.perShard)
	return s
}

// byDistance orders the norms of a walk over in, which is time-major, by row and by the distance from the row's last valid step.
func byDistance(walk layers.TracedWalk, in *layers.Value) [][]float64 {
	n, steps := in.Shape[0], in.Shape[1]
	norms := make([][]float64, n)
	for r := range n {
		for k := range steps {
			t := steps - 1 - k
			if walk.Backwards {
				t = k
			}
			if at := t*n + r; in.Mask == nil || in.Mask[at] {
				norms[r] = append(norms[r], walk.Norms[at]*float64(n)) // the batch's loss is a mean over its rows
			}
		}
	}
	return norms
}

// Broken is where numbers stopped being finite.
type Broken struct {
	Input  bool   // the batch's input has such numbers
	Layer  string // "" where it is the input, or the loss of predictions that are finite
	Weight string // of the layer, where that is what is not finite already before the batch
	Step   int    // of a recurrent layer: the first step, from 0, after which some row's output is not finite; -1 elsewhere
	Steps  int    // of how many
	Rows   int    // of the batch's rows, how many are not finite there
}

// String says it: "layer lstm is the first whose output is not finite: from step 17 of 500 on, in 3 rows".
func (b *Broken) String() string {
	rows := fmt.Sprintf("in %d rows", b.Rows)
	if b.Rows == 1 {
		rows = "in one row"
	}
	switch {
	case b.Input:
		return "the input is not finite, " + rows
	case b.Layer == "":
		return "all layers' outputs are finite, and the loss is not: look at the targets"
	case b.Weight != "":
		return fmt.Sprintf("weight %s of layer %s is not finite: its gradient in the batch before was not", b.Weight, b.Layer)
	case b.Step >= 0:
		return fmt.Sprintf("layer %s is the first whose output is not finite: from step %d of %d on, %s", b.Layer, b.Step+1, b.Steps, rows)
	}
	return fmt.Sprintf("layer %s is the first whose output is not finite, %s", b.Layer, rows)
}

// lookForBroken runs between the shards of a training step and the updates: where a loss is not finite it finds out why, once a session.
func (s *session) lookForBroken() {
	if s.looked {
		return
	}
	for i := range s.shards {
		if s.looked = !finite(s.sums[i].loss); s.looked {
			s.broken = s.model.locate(&s.batch)
			return
		}
	}
}

// locate takes a batch forward with nothing dropped and says where numbers stop being finite; nil where they do not.
func (m *Model) locate(b *Batch) *Broken {
	if rows := brokenRows(b.X); rows > 0 {
		return &Broken{Input: true, Step: -1, Rows: rows}
	}
	// Gradients go down: of weights that an update broke, the highest were first.
	for i := len(m.nodes) - 1; i >= 0; i-- {
		for _, w := range m.nodes[i].layer.Weights() {
			if !allFinite(w.Data) {
				return &Broken{Layer: m.nodes[i].name, Weight: w.Name, Step: -1}
			}
		}
	}
	rows := make([]int, again{b}.Len())
	s := m.newLook(len(rows), false)
	defer s.close()
	if s.load(again{b}, rows) != nil || s.judged() != nil {
		return nil // of a batch that was taken already
	}
	s.runBatch()
	for i, n := range m.nodes {
		c := &s.workers[0].steps[i].call
		rows := brokenRows(c.Out)
		if rows == 0 {
			continue
		}
		b := &Broken{Layer: n.name, Step: -1, Rows: rows}
		if l, ok := n.layer.(interface {
			Sequence(*layers.Call) layers.Value
		}); ok {
			b.find(l.Sequence(c))
		}
		return b
	}
	total := newSums(m.compiled)
	if !finite(s.collect(&total)) {
		return &Broken{Step: -1}
	}
	return nil
}

// again is a batch that was read, as data.
type again struct{ batch *Batch }

func (a again) Len() int { return a.batch.X[0].Shape[0] }

func (a again) Batch(dst *Batch, _ []int) error {
	*dst = *a.batch
	return nil
}

// find is the first step after which a sequence, time-major, is not finite.
func (b *Broken) find(all layers.Value) {
	n, steps := all.Shape[0], all.Shape[1]
	width := len(all.Data) / max(1, n*steps)
	b.Steps = steps
	for t := range steps {
		step := layers.Value{Shape: all.Shape[:1], Data: all.Data[t*n*width : (t+1)*n*width]}
		if rows := brokenRows([]layers.Value{step}); rows > 0 {
			b.Step, b.Rows = t, rows
			return
		}
	}
}

// brokenRows is how many rows have a number that is not finite in one of the values.
func brokenRows(values []layers.Value) int {
	broken, rows := make([]bool, values[0].Shape[0]), 0
	for _, v := range values {
		n, outer := v.Shape[0], 1
		if v.TimeMajor {
			outer = v.Shape[1]
		}
		width := len(v.Data) / max(1, n*outer)
		for i := range n * outer {
			if !broken[i%n] && !allFinite(v.Data[i*width:(i+1)*width]) {
				broken[i%n] = true
				rows++
			}
		}
	}
	return rows
}

func allFinite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 { // of NaN and of infinities this is NaN
			return false
		}
	}
	return true
}

func finite(v float64) bool { return v-v == 0 }

// gradientNorm is the norm of the gradient of the loss by all weights that are trained, penalties on weights not in it. The tables' have been
// summed.
func (s *session) gradientNorm() float64 {
	sum, at := 0.0, 0
	for _, w := range s.model.weights {
		switch {
		case w.Table && w.Trainable:
			sum += squares(s.tableGradOf(w).rows)
		case !w.Table:
			if w.Trainable {
				sum += squares(s.grads.total[at : at+len(w.Data)])
			}
			at += len(w.Data)
		}
	}
	return math.Sqrt(sum)
}
