package unroll

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

func predictions(t *testing.T, m *Model, d Data) []float32 {
	t.Helper()
	p, err := m.Predict(context.Background(), d, BatchSize(20))
	if err != nil {
		t.Fatal(err)
	}
	return p.Data
}

// Predictions from kept words are those without, to the bit; and when weights change, those of the new weights.
func TestKeptWords(t *testing.T) {
	no, yes := false, true
	data := frontData(t, "front", 40, 9)
	for _, c := range []struct {
		name  string
		model *Model
	}{
		{"simple_rnn", benched(t, &no, layers.SimpleRNN{Units: 5})},
		{"lstm", benched(t, &no, layers.LSTM{Units: 5})},
		{"masked", benched(t, &yes, layers.GRU{Units: 5})},
		{"stack", benched(t, &no, layers.GRU{Units: 5, ReturnSequences: true}, layers.LSTM{Units: 4})},
		{"backwards", benched(t, &no, layers.LSTM{Units: 5, GoBackwards: true})},
		{"both ways", benched(t, &no, layers.Bidirectional{Layer: layers.LSTM{Units: 5}})},
		{"both ways, masked", benched(t, &yes, layers.Bidirectional{Layer: layers.SimpleRNN{Units: 5}})},
		{"drops", benched(t, &no, layers.LSTM{Units: 5, Dropout: 0.1})},
		{"reads its input", benched(t, &no, layers.Recurrent{Units: 7, Cell: "output_t = tanh(dot(input_t, W) + state_t) + input_t"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.model
			check := func(when string, data Data) {
				t.Helper()
				m.savings.rows = false
				want := predictions(t, m, data)
				m.savings.rows = true
				for try := range 4 {
					if got := predictions(t, m, data); !slices.Equal(got, want) {
						t.Fatalf("%s, prediction %d: %v, without rows %v", when, try, got, want)
					}
				}
				if m.front.kept.made == nil {
					t.Fatalf("%s: words are not kept after four predictions", when)
				}
				walked := slices.ContainsFunc(m.front.kept.made.prefixes, func(p keptPrefix) bool { return p.runs != nil })
				if shared := !m.front.masked; walked != shared {
					t.Fatalf("%s: the prefix was kept: %v", when, walked)
				}
			}
			for _, from := range []int{0, 1 << 40} { // by distinct words, or not
				m.front.wordsFrom = from
				m.Touch()
				check("at first", data)
			}
			if err := m.Compile(optimizers.SGD{}, losses.BinaryCrossentropy{}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Fit(context.Background(), data, BatchSize(20)); err != nil {
				t.Fatal(err)
			}
			check("trained", data)
			check("longer rows", frontData(t, "front", 40, 14))
			for _, w := range m.Weights() {
				for i := range w.Data {
					w.Data[i] += 0.25
				}
			}
			m.Touch()
			check("set by hand", data)
		})
	}
}

// An evaluation between the epochs of a training sees the weights of its moment.
func TestKeptWordsOfValidation(t *testing.T) {
	no, data := false, frontData(t, "front", 40, 9)
	run := func(rows bool) []float64 {
		m := benched(t, &no, layers.LSTM{Units: 5})
		m.savings.rows = rows
		if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(0.5)}, losses.BinaryCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		for _, w := range m.Weights() { // the same start
			for i := range w.Data {
				w.Data[i] = float32(i%7-3) / 8
			}
		}
		m.Touch()
		h, err := m.Fit(context.Background(), data, BatchSize(40), Epochs(4), ValidationData(data), ValidationBatchSize(5))
		if err != nil {
			t.Fatal(err)
		}
		return h.Values("val_loss")
	}
	with, without := run(true), run(false)
	for i := range with {
		if d := with[i] - without[i]; !(d < 1e-5 && d > -1e-5) {
			t.Errorf("epoch %d: %v, without rows %v", i, with[i], without[i])
		}
	}
}

func TestKeptWordsAtOnce(t *testing.T) {
	no, data := false, frontData(t, "front", 40, 9)
	m := benched(t, &no, layers.GRU{Units: 5})
	want := predictions(t, m, data)
	m.Touch()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				p, err := m.Predict(context.Background(), data, BatchSize(7))
				if err != nil || !slices.Equal(p.Data, want) {
					t.Errorf("got %v, %v, want %v", p, err, want)
				}
			}
		})
	}
	all.Wait()
}

// A table that would be too large is not made.
func TestKeptWordsAreFew(t *testing.T) {
	f := benched(t, new(bool), layers.LSTM{Units: 5}).front
	f.kept.spend(f, 1<<30)
	f.table.Shape = []int{mostKept/20 + 1, 7}
	if tables, due := f.kept.due(f); tables != nil || due {
		t.Errorf("a table of %v for 20 values a word is to be kept", f.table.Shape)
	}
	f.table.Shape[0]--
	if _, due := f.kept.due(f); !due {
		t.Error("a table that is not too large is not to be kept")
	}
	if _, due := f.kept.due(f); due {
		t.Error("a table is made twice")
	}
}
