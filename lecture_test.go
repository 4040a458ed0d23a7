package unroll

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/datasets/imdb"
	"github.com/unroll-ml/unroll/internal/golden"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/sequence"
	"github.com/unroll-ml/unroll/tensor"
)

// One epoch of the lecture's models on the real IMDB reviews, from Keras's start weights, in Keras's order of rows: the loss of
// every step. The weights are too large for the repository: oracle/lecture.py steps and again write them.
func TestLectureEpoch(t *testing.T) {
	folder := os.Getenv("UNROLL_LECTURE")
	const reviews = "../shared/data/imdb/imdb.npz"
	if folder == "" {
		t.Skip("UNROLL_LECTURE does not name the folder that oracle/lecture.py steps wrote")
	}
	if _, err := os.Stat(reviews); err != nil {
		t.Skipf("the IMDB reviews are not at %s", reviews)
	}
	for name, l := range map[string]layers.Spec{"simple_rnn": layers.SimpleRNN{Units: 32}, "lstm": layers.LSTM{Units: 32}} {
		t.Run(name, func(t *testing.T) {
			ref, err := npy.ReadNPZ(filepath.Join(folder, name+".npz"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := Sequential(layers.Embedding{InputDim: 10000, OutputDim: 32}, l, layers.Dense{Units: 1, Activation: activations.Sigmoid})
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range m.weights {
				copy(w.Data, ref["w/"+strconv.Itoa(i)].Float32())
			}
			m.Touch()
			if err := m.Compile(optimizers.RMSprop{}, losses.BinaryCrossentropy{}); err != nil {
				t.Fatal(err)
			}
			train, _, err := imdb.Load(reviews, datasets.Options{NumWords: 10000})
			if err != nil {
				t.Fatal(err)
			}
			y := &tensor.IDs{Shape: tensor.Shape{train.Len()}, Data: train.Y}
			d, err := Arrays(sequence.Pad(train.X, sequence.PadOptions{MaxLen: 500}), y)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.ready(d); err != nil {
				t.Fatal(err)
			}
			order, want := ref["permutation"].Int64(), ref["losses"].Float32()
			s := m.newSession(m.compiled, true)
			defer s.close()
			total := newSums(m.compiled)
			got := make([]float32, len(want))
			for i := range want {
				var rows []int
				for _, r := range order[i*128 : min((i+1)*128, len(order))] {
					rows = append(rows, int(r))
				}
				loss, err := s.train(d, rows, 0, i, &total)
				if err != nil {
					t.Fatal(err)
				}
				got[i] = float32(loss)
			}
			// Training is chaotic: after some ninety steps Keras's own TensorFlow and JAX part, by tenths. Up to there every loss
			// must agree.
			again := ref["again/losses"].Float32()
			part := 0
			for part < len(want) && math.Abs(float64(again[part]-want[part])) <= 5e-4 {
				part++
			}
			if part < 80 {
				t.Fatalf("Keras's backends part at step %d: expected an epoch that can be compared", part)
			}
			golden.Compare(t, "loss of every step", got[:part], want[:part], golden.Abs(1e-3))
			t.Logf("%d of %d steps compared; mean loss %.4f, Keras on TensorFlow %.4f, on JAX %.4f", part, len(want), mean(got), mean(want), mean(again))
		})
	}
}

func mean(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}
