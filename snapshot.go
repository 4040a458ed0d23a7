package unroll

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// snapshot is a training between two steps, but for the model's weights and the optimizer's arrays, which a `.weights.h5` file has. With both a
// training goes on as if it had never stopped, to the bit: what is drawn at random follows from the seed and from the place.
type snapshot struct {
	// What the training must have in common with the one that goes on.
	Samples, ValidationSamples, BatchSize, Steps, Shuffle int

	Seed                uint64
	Iteration           int64
	Rate                float64 // in a weights file it is a float32
	Averaged            bool    // see UseAverages
	Epoch, Step         int
	Stop                bool
	WalkEpoch, WalkDone int // see walk; WalkEpoch is -1 before the first
	Loss                float64
	Heads               [][]float64 // of every output, loss and meters
	Seen                int
	Norms               float64       // of the gradients, where they are asked for
	States              [][][]float32 // of stateful layers, as graph.states has them
	HistoryEpochs       []int
	HistoryKeys         []string
	HistoryValues       [][]float64 // by key
	Callbacks           []string    // the types of those that are Stateful, in their order
	CallbackStates      [][]byte
}

// WriteState writes how far the training has come and what its callbacks remember, everything that the model's weights and its optimizer's arrays
// (Model.SaveWeights) do not say. A Keeper calls it.
func (t *Training) WriteState(w io.Writer) error {
	f, c := t.fit, t.Model.compiled
	s := snapshot{Seed: t.Model.seed, Iteration: c.iteration, Rate: c.rate, Epoch: t.Epoch, Step: t.Step, Stop: t.Stop,
		WalkEpoch: f.walk.epoch, WalkDone: f.walk.done, Loss: f.total.loss, Heads: f.total.kept(), Seen: f.seen, Norms: f.norms,
		States: t.Model.states(), HistoryEpochs: f.history.Epoch, HistoryKeys: f.history.keys}
	s.Samples, s.ValidationSamples, s.BatchSize, s.Steps, s.Shuffle = f.shape()
	if f.walk.order == nil {
		s.WalkEpoch = -1
	}
	if c.gathered != nil {
		s.Averaged = c.gathered.swapped
	}
	for _, k := range f.history.keys {
		s.HistoryValues = append(s.HistoryValues, f.history.values[k])
	}
	for _, cb := range f.callbacks {
		if state, ok := cb.(Stateful); ok {
			var b bytes.Buffer
			if err := gob.NewEncoder(&b).Encode(state.State()); err != nil {
				return fmt.Errorf("unroll: the state of %T: %w", cb, err)
			}
			s.Callbacks, s.CallbackStates = append(s.Callbacks, fmt.Sprintf("%T", cb)), append(s.CallbackStates, b.Bytes())
		}
	}
	if err := gob.NewEncoder(w).Encode(s); err != nil {
		return fmt.Errorf("unroll: the state of a training: %w", err)
	}
	return nil
}

// shape is what the place in an epoch is told by.
func (f *fit) shape() (samples, validation, batch, steps, shuffle int) {
	t := &f.training
	return t.Samples, t.ValidationSamples, t.BatchSize, t.Steps, int(f.shuffle)
}

// ReadState sets the training and its callbacks to what WriteState wrote. The model must have the weights and the optimizer's arrays of that
// moment already. A Keeper calls it in Resume.
func (t *Training) ReadState(r io.Reader) error {
	f, c := t.fit, t.Model.compiled
	var s snapshot
	if err := gob.NewDecoder(r).Decode(&s); err != nil {
		return fmt.Errorf("unroll: the state of a training: %w", err)
	}
	if err := f.fits(&s); err != nil {
		return fmt.Errorf("unroll: the training that goes on must be the one that was kept: %w", err)
	}
	i := 0
	for _, cb := range f.callbacks {
		if state, ok := cb.(Stateful); ok {
			to := state.State()
			reflect.ValueOf(to).Elem().SetZero() // gob leaves alone what was zero
			if err := gob.NewDecoder(bytes.NewReader(s.CallbackStates[i])).Decode(to); err != nil {
				return fmt.Errorf("unroll: the state of %T: %w", cb, err)
			}
			i++
		}
	}
	if left, err := t.Model.setStates(s.States); err != nil {
		return fmt.Errorf("unroll: the state of a training: %w", err)
	} else if len(left) > 0 {
		return fmt.Errorf("unroll: the state of a training: expected the states of the model's layers, got those of %d more", len(left))
	}
	t.Model.seed, c.rate = s.Seed, s.Rate
	if c.gathered != nil {
		c.gathered.swapped = s.Averaged
	}
	t.Epoch, t.Step, t.Stop, t.Resumed, t.Rows = s.Epoch, s.Step, s.Stop, true, s.Seen
	f.total, f.seen, f.norms = newSums(c), s.Seen, s.Norms
	f.total.loss = s.Loss
	f.total.restore(s.Heads)
	if s.WalkEpoch >= 0 {
		f.walk.begin(s.Seed, s.WalkEpoch)
		f.walk.done = s.WalkDone
	}
	h := f.history
	h.Epoch, h.keys, h.values = s.HistoryEpochs, s.HistoryKeys, map[string][]float64{}
	for i, k := range s.HistoryKeys {
		h.values[k] = s.HistoryValues[i]
	}
	return nil
}

// fits fails where a snapshot is not of this training: of other data, another model or other callbacks.
func (f *fit) fits(s *snapshot) error {
	var got snapshot
	got.Samples, got.ValidationSamples, got.BatchSize, got.Steps, got.Shuffle = f.shape()
	for _, c := range []struct {
		what      string
		want, got int
	}{{"rows", s.Samples, got.Samples}, {"rows to validate on", s.ValidationSamples, got.ValidationSamples},
		{"batch_size", s.BatchSize, got.BatchSize}, {"steps_per_epoch", s.Steps, got.Steps}, {"shuffle", s.Shuffle, got.Shuffle}} {
		if c.want != c.got {
			return fmt.Errorf("expected %s %d, got %d", c.what, c.want, c.got)
		}
	}
	for _, cb := range f.callbacks {
		if _, ok := cb.(Stateful); ok {
			got.Callbacks = append(got.Callbacks, fmt.Sprintf("%T", cb))
		}
	}
	if !slices.Equal(s.Callbacks, got.Callbacks) || len(s.CallbackStates) != len(s.Callbacks) {
		return fmt.Errorf("expected the callbacks %v, got %v", s.Callbacks, got.Callbacks)
	}
	c := f.training.Model.compiled
	if s.Iteration != c.iteration {
		return fmt.Errorf("expected an optimizer after %d steps, got one after %d", s.Iteration, c.iteration)
	}
	sums := newSums(c)
	if want := sums.kept(); s.Heads != nil && !slices.EqualFunc(s.Heads, want, func(a, b []float64) bool { return len(a) == len(b) }) {
		return errors.New("expected the metrics of then, got others")
	}
	if s.Epoch < 0 || s.Step < 0 || s.WalkDone < 0 || s.WalkDone > f.walk.batches() || len(s.HistoryValues) != len(s.HistoryKeys) {
		return fmt.Errorf("expected a place in the data, got epoch %d, step %d, batch %d", s.Epoch, s.Step, s.WalkDone)
	}
	return nil
}
