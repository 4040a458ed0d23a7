package unroll_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// toy is sequences of ids of which the first says the label, too far back for the last step alone.
func toy(rows, steps int) (*tensor.IDs, *tensor.Tensor) {
	s := random.New(1, random.Data)
	x, y := tensor.NewIDs(rows, steps), tensor.New(rows)
	for r := range rows {
		for t := range steps {
			x.Data[r*steps+t] = int32(2 + s.IntN(8))
		}
		y.Data[r] = float32(r % 2)
		x.Data[r*steps] = int32(r % 2)
	}
	return x, y
}

func TestLearns(t *testing.T) {
	x, y := toy(256, 8)
	data, err := unroll.Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []layers.Spec{
		layers.SimpleRNN{Units: 16}, layers.LSTM{Units: 16}, layers.GRU{Units: 16}, layers.GRU{Units: 16, NoResetAfter: true},
		layers.LectureLSTM(16), layers.Bidirectional{Layer: layers.LSTM{Units: 8}},
	} {
		t.Run(l.Class(), func(t *testing.T) {
			m, err := unroll.Sequential(layers.Embedding{InputDim: 10, OutputDim: 8}, l, layers.Dense{Units: 1, Activation: activations.Sigmoid})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Compile(optimizers.Adam{LearningRate: tensor.F(0.01)}, losses.BinaryCrossentropy{}, metrics.Accuracy{Name: "acc"}); err != nil {
				t.Fatal(err)
			}
			h, err := m.Fit(context.Background(), data, unroll.Epochs(30), unroll.BatchSize(32), unroll.ValidationSplit(0.25))
			if err != nil {
				t.Fatal(err)
			}
			if acc := h.Values("val_acc"); !(acc[len(acc)-1] > 0.95) {
				t.Errorf("validation accuracy after 30 epochs: %v", acc)
			}
		})
	}
}

// A row's prediction equals, to the bit, its prediction alone and after any other row: the state is reset between sequences.
func TestRowsAreIndependent(t *testing.T) {
	x, _ := toy(37, 11)
	for _, l := range []layers.Spec{
		layers.SimpleRNN{Units: 5}, layers.LSTM{Units: 17}, layers.GRU{Units: 16}, layers.LectureLSTM(3), layers.Bidirectional{Layer: layers.LSTM{Units: 8}},
	} {
		m, err := unroll.Sequential(layers.Embedding{InputDim: 10, OutputDim: 7}, l, layers.Dense{Units: 2})
		if err != nil {
			t.Fatal(err)
		}
		data, err := unroll.Arrays(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := m.Predict(context.Background(), data)
		if err != nil {
			t.Fatal(err)
		}
		for r := range 37 {
			one, err := unroll.Arrays(&tensor.IDs{Shape: tensor.Shape{1, 11}, Data: x.Data[r*11 : (r+1)*11]}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Predict(context.Background(), one)
			if err != nil {
				t.Fatal(err)
			}
			for k := range 2 {
				if math.Float32bits(p.Data[k]) != math.Float32bits(all.Data[2*r+k]) {
					t.Fatalf("%s: row %d alone: %v, among others: %v", l.Class(), r, p.Data, all.Data[2*r:2*r+2])
				}
			}
		}
	}
}

func TestStackMustReturnSequences(t *testing.T) {
	_, err := unroll.Sequential(
		layers.Embedding{InputDim: 10, OutputDim: 4}, layers.SimpleRNN{Units: 3}, layers.SimpleRNN{Units: 3}, layers.Dense{Units: 1})
	if err == nil {
		t.Fatal("a stack whose inner layer returns no sequences was built")
	}
	for _, want := range []string{`"simple_rnn"`, `"simple_rnn_1"`, "return_sequences", "(None, 3)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %s", err, want)
		}
	}
}

func lecture(t *testing.T) *unroll.Model {
	t.Helper()
	m, err := unroll.Sequential(
		layers.Embedding{InputDim: 10000, OutputDim: 32},
		layers.SimpleRNN{Units: 32},
		layers.Dense{Units: 1, Activation: activations.Sigmoid},
	)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSummary(t *testing.T) {
	for style, want := range map[unroll.SummaryStyle]string{
		unroll.Keras2: `________________________________________________________________________________
Layer (type)                        Output Shape                    Param #     
================================================================================
embedding_1 (Embedding)             (None, None, 32)                320000      
________________________________________________________________________________
simple_rnn_1 (SimpleRNN)            (None, 32)                      2080        
________________________________________________________________________________
dense_1 (Dense)                     (None, 1)                       33          
================================================================================
Total params: 322,113
Trainable params: 322,113
Non-trainable params: 0
________________________________________________________________________________
`,
		unroll.Keras3: `Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                         ┃ Output Shape                ┃         Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
│ embedding (Embedding)                │ (None, None, 32)            │         320,000 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ simple_rnn (SimpleRNN)               │ (None, 32)                  │           2,080 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ dense (Dense)                        │ (None, 1)                   │              33 │
└──────────────────────────────────────┴─────────────────────────────┴─────────────────┘
 Total params: 322,113 (1.23 MB)
 Trainable params: 322,113 (1.23 MB)
 Non-trainable params: 0 (0.00 B)
`,
	} {
		var b strings.Builder
		if err := lecture(t).Summary(&b, style); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", style, b.String(), want)
		}
	}
}
