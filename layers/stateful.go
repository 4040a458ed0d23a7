package layers

import (
	"fmt"
	"slices"
	"sync"

	"github.com/unroll-ml/unroll/internal/cell"
)

// Stateful is a layer whose rows begin with the states that the same row of the batch before ended with: those of training, of evaluation and
// of predictions alike, until they are reset. A pass writes them, so that passes of other batches must not run beside it: a model with
// such a layer works on one batch at a time, predictions too. States are no weights; no file has them.
type Stateful interface {
	// CheckBatch fails where a batch of n rows cannot follow the one before. The first batch after a reset says how many rows all of
	// them have, and finds zeros. It must run before a batch, alone.
	CheckBatch(n int) error
	// ResetStates lets the next batch begin with zeros. It must not run beside a pass.
	ResetStates()
	// States are a copy of what is kept, (rows, width) each; nil where nothing is. It must not run beside a pass.
	States() [][]float32
	// SetStates has the next batch begin with these, as States returned them; with none, with zeros.
	SetStates(states [][]float32) error
}

// StatefulOf is the layer as one that keeps states; false for every layer that does not.
func StatefulOf(l Layer) (s Stateful, ok bool) {
	switch l := l.(type) {
	case *recurrent:
		return l, l.memory != nil
	case *bidirectional:
		return l, l.dirs[0].memory != nil
	}
	return nil, false
}

// CheckBatch implements Stateful.
func (r *recurrent) CheckBatch(n int) error {
	if r.memory == nil {
		return nil
	}
	if got := r.memory.begin(n); got != n {
		return fmt.Errorf("layers: %s: stateful: expected batches of %d rows, as the first since the states were reset, got %d", r.class, got, n)
	}
	return nil
}

// ResetStates implements Stateful.
func (r *recurrent) ResetStates() {
	if r.memory != nil {
		r.memory.reset()
	}
}

// States implements Stateful.
func (r *recurrent) States() [][]float32 {
	if r.memory == nil {
		return nil
	}
	return r.memory.copy()
}

// SetStates implements Stateful.
func (r *recurrent) SetStates(states [][]float32) error {
	if r.memory == nil && len(states) == 0 {
		return nil
	}
	if r.memory == nil || !r.memory.set(states) {
		return fmt.Errorf("layers: %s: expected the states of such a layer, got %d others", r.class, len(states))
	}
	return nil
}

// memory is the states that the rows of the last batch ended with.
type memory struct {
	mu     sync.Mutex
	rows   int         // of every batch; 0: the next one says
	widths []int       // of the states
	states [][]float32 // (rows, width) each; a shard reads and writes its own rows alone
}

func newMemory(states []cell.State) *memory {
	m := &memory{states: make([][]float32, len(states))}
	for _, s := range states {
		m.widths = append(m.widths, s.Width)
	}
	return m
}

// begin returns how many rows batches have: n, where nothing is kept yet.
func (m *memory) begin(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == 0 {
		m.rows = n
		for i, w := range m.widths {
			m.states[i] = grown(m.states[i], n*w)
			clear(m.states[i])
		}
	}
	return m.rows
}

func (m *memory) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = 0
}

func (m *memory) copy() (states [][]float32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == 0 {
		return nil
	}
	for i, w := range m.widths {
		states = append(states, slices.Clone(m.states[i][:m.rows*w]))
	}
	return states
}

// set reports whether the states fit.
func (m *memory) set(states [][]float32) bool {
	if len(states) == 0 {
		m.reset()
		return true
	}
	if len(states) != len(m.widths) {
		return false
	}
	rows := len(states[0]) / m.widths[0]
	for i, w := range m.widths {
		if rows == 0 || len(states[i]) != rows*w {
			return false
		}
	}
	m.reset()
	m.begin(rows)
	for i, s := range states {
		copy(m.states[i], s)
	}
	return true
}

// read returns the states of the call's rows. Without CheckBatch before, the batch says here how many rows there are.
func (m *memory) read(k *walking, c *Call) [][]float32 {
	m.begin(c.Batch)
	if k.kept == nil {
		k.kept = make([][]float32, len(m.states))
	}
	n := c.In[0].Shape[0]
	for i, w := range m.widths {
		k.kept[i] = grown(k.kept[i], n*w)
		for row := range n {
			at := c.RowNumber(row) * w
			copy(k.kept[i][row*w:(row+1)*w], m.states[i][at:at+w])
		}
	}
	return k.kept
}

// write takes over what state i of the call's rows ended with.
func (m *memory) write(c *Call, i int, final []float32) {
	m.begin(c.Batch)
	w := m.widths[i]
	for row := range c.In[0].Shape[0] {
		copy(m.states[i][c.RowNumber(row)*w:][:w], final[row*w:])
	}
}
