package layers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/tensor"
)

func built(t *testing.T, s Spec) Layer {
	t.Helper()
	l, err := s.Build(&Builder{Name: "x"}, []Signature{{Shape: tensor.Shape{tensor.None, tensor.None, 5}}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Which dropout is which: of Keras's rates at their ends, and of the direction.
func TestHasDropout(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want cell.Dropout
	}{
		{SimpleRNN{Units: 2}, cell.Dropout{}},
		{SimpleRNN{Units: 2, Dropout: 0.1}, cell.Dropout{Input: true}},
		{SimpleRNN{Units: 2, Dropout: 1, RecurrentDropout: 1}, cell.Dropout{Input: true, State: true, Each: true}},
		{Recurrent{Units: 2, Cell: cellNamed("simple_rnn"), RecurrentDropout: 1}, cell.Dropout{State: true, Each: true}},
		{LSTM{Units: 2, Dropout: 0.1, RecurrentDropout: 0.1}, cell.Dropout{Input: true, State: true, Each: true}},
		{LSTM{Units: 2, Dropout: 0.1, RecurrentDropout: 1}, cell.Dropout{Input: true, Each: true}},
		{GRU{Units: 2, Dropout: 1}, cell.Dropout{}},
	} {
		_, cells, _ := walkOf(c.spec)
		if got, err := dropoutOf(cells[0]); err != nil || got != c.want {
			t.Errorf("%+v: got %+v, %v, want %+v", c.spec, got, err, c.want)
		}
		has := c.want.Input || c.want.State
		if got := built(t, c.spec).(*recurrent).HasDropout(); got != has {
			t.Errorf("%+v: HasDropout is %v, want %v", c.spec, got, has)
		}
		if got := built(t, Bidirectional{Layer: c.spec}).(*bidirectional).HasDropout(); got != has {
			t.Errorf("Bidirectional of %+v: HasDropout is %v, want %v", c.spec, got, has)
		}
		for _, l := range []Spec{c.spec, Bidirectional{Layer: c.spec}} {
			walks, _ := WalksOf(built(t, l))
			for i, w := range walks {
				if w.Drops != has || w.Backwards != (i == 1) {
					t.Errorf("%+v: walk %d drops: %v, backwards: %v", l, i, w.Drops, w.Backwards)
				}
			}
			if len(walks) == 0 {
				t.Errorf("%+v: no walks", l)
			}
		}
	}
}

func TestDropoutErrors(t *testing.T) {
	for want, s := range map[string]Spec{
		"layers: SimpleRNN: dropout must be from 0 to 1, got -0.1":                           SimpleRNN{Units: 2, Dropout: -0.1},
		"layers: LSTM: recurrent_dropout must be from 0 to 1, got NaN":                       LSTM{Units: 2, RecurrentDropout: math.NaN()},
		"layers: GRU: seed must be a whole number from 0 to 2^53, got 0.5":                   GRU{Units: 2, Seed: tensor.F(0.5)},
		"layers: Bidirectional: merge_mode sum needs two layers of one width, got 2 and 3":   Bidirectional{Layer: GRU{Units: 2}, BackwardLayer: LSTM{Units: 3, GoBackwards: true}, MergeMode: "sum"},
		"layers: Bidirectional: expected a layer that goes forwards, since its copy goes":    Bidirectional{Layer: GRU{Units: 2, GoBackwards: true}},
		"layers: Bidirectional: expected a backward layer that goes the other way, got two ": Bidirectional{Layer: GRU{Units: 2}, BackwardLayer: LSTM{Units: 2}},
		"layers: Bidirectional: expected a recurrent layer, got Dense":                       Bidirectional{Layer: GRU{Units: 2}, BackwardLayer: Dense{Units: 2}},
		"layers: Bidirectional: expected a recurrent layer, got nothing":                     Bidirectional{BackwardLayer: GRU{Units: 2, GoBackwards: true}},
	} {
		_, err := s.Build(&Builder{Name: "x"}, []Signature{{Shape: tensor.Shape{tensor.None, tensor.None, 5}}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("expected error %q, got %v", want, err)
		}
	}
}

// Masks are drawn by row of the batch, whatever the shard; every row, mask, direction, step, epoch, layer and seed has its own. A
// part of the values is zero, the others keep the mean.
func TestDropoutMasks(t *testing.T) {
	const rate, rows = 0.3, 400
	draws := func(change func(s *LSTM, c *Call), dir int) [][]float32 {
		spec := LSTM{Units: 8, Dropout: rate, RecurrentDropout: rate}
		c := &Call{Pass: &Pass{Training: true, Seed: 1, Epoch: 2, Step: 3}, Number: 4, In: []Value{{Shape: tensor.Shape{rows, 1, 5}}}}
		change(&spec, c)
		r := built(t, Bidirectional{Layer: spec}).(*bidirectional).dirs[dir].stages[0]
		var out [][]float32
		for k, m := range r.dropped.Plan().Masks {
			mask := make([]float32, c.In[0].Shape[0]*m.Width)
			r.drawMask(mask, c, k, m)
			out = append(out, mask)
		}
		return out
	}
	same := func(*LSTM, *Call) {}
	base := draws(same, 0)
	if len(base) != 8 {
		t.Fatalf("expected 8 masks, got %d", len(base))
	}
	for k, mask := range base {
		zeros := 0
		for _, v := range mask {
			switch v {
			case 0:
				zeros++
			case float32(1 / (1 - rate)):
			default:
				t.Fatalf("mask %d: expected 0 or %v, got %v", k, 1/(1-rate), v)
			}
		}
		// Five standard deviations of a share of 2000 draws.
		if share := float64(zeros) / float64(len(mask)); !(math.Abs(share-rate) <= 5*math.Sqrt(rate*(1-rate)/float64(len(mask)))) {
			t.Errorf("mask %d: a part %v is zero, want %v", k, share, rate)
		}
		for other := range k {
			if w := min(len(mask), len(base[other])); slices.Equal(mask[:w], base[other][:w]) {
				t.Errorf("masks %d and %d are one", k, other)
			}
		}
		if w := len(mask) / rows; slices.Equal(mask[:8*w], mask[8*w:16*w]) {
			t.Errorf("mask %d: rows repeat", k)
		}
	}
	shard := draws(func(_ *LSTM, c *Call) { c.Row, c.In[0].Shape = 100, tensor.Shape{50, 1, 5} }, 0)
	moved := draws(func(_ *LSTM, c *Call) { c.Rows, c.In[0].Shape = []int{7, 100}, tensor.Shape{2, 1, 5} }, 0)
	for k := range base {
		w := len(base[k]) / rows
		if !slices.Equal(shard[k], base[k][100*w:150*w]) {
			t.Errorf("mask %d depends on the shard", k)
		}
		if !slices.Equal(moved[k][:w], base[k][7*w:8*w]) || !slices.Equal(moved[k][w:], base[k][100*w:101*w]) {
			t.Errorf("mask %d depends on the order of the rows", k)
		}
	}
	for name, other := range map[string][][]float32{
		"direction": draws(same, 1),
		"seed":      draws(func(_ *LSTM, c *Call) { c.Seed = 2 }, 0),
		"own seed":  draws(func(s *LSTM, _ *Call) { s.Seed = tensor.F(2) }, 0),
		"epoch":     draws(func(_ *LSTM, c *Call) { c.Epoch = 3 }, 0),
		"step":      draws(func(_ *LSTM, c *Call) { c.Step = 2 }, 0),
		"layer":     draws(func(_ *LSTM, c *Call) { c.Number = 5 }, 0),
	} {
		for k := range base {
			if slices.Equal(other[k], base[k]) {
				t.Errorf("mask %d is the same for another %s", k, name)
			}
		}
	}
	a := draws(func(s *LSTM, _ *Call) { s.Seed = tensor.F(2) }, 0)
	b := draws(func(s *LSTM, c *Call) { s.Seed, c.Seed = tensor.F(2), 9 }, 0)
	if !slices.Equal(a[0], b[0]) {
		t.Error("a seed of its own does not replace the model's")
	}
}
