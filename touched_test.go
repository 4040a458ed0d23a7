package unroll

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// rareData are sequences of ids below 60: a few in every row, most once in a while, some in the first epoch's first batch alone, ten never.
func rareData(t *testing.T, rows, steps int) Data {
	t.Helper()
	s := random.New(5, random.Data)
	x, y := tensor.NewIDs(rows, steps), tensor.New(rows)
	for r := range rows {
		for i := s.IntN(steps); i < steps; i++ {
			switch k := s.IntN(20); {
			case k < 17:
				x.Data[r*steps+i] = int32(1 + k%5)
			case r < 8:
				x.Data[r*steps+i] = int32(30 + s.IntN(20))
			default:
				x.Data[r*steps+i] = int32(6 + s.IntN(24))
			}
		}
		y.Data[r] = float32(s.IntN(2))
	}
	d, err := Arrays(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// state is the file of a model's weights and of its optimizer.
func state(t *testing.T, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := hdf5.Write(&b, m.hdf5()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Visiting the rows touched alone gives the bits that visiting all rows gives: weights, slots, files.
func TestTouched(t *testing.T) {
	data := rareData(t, 90, 11)
	stacks := map[string][]layers.Spec{
		"front":      {layers.SimpleRNN{Units: 5}},
		"both ways":  {layers.Bidirectional{Layer: layers.LSTM{Units: 4}}},
		"in between": {layers.Dropout{Rate: 0.3}, layers.GRU{Units: 4}},
	}
	opts := map[string]optimizers.Optimizer{
		"rmsprop":     optimizers.RMSprop{LearningRate: tensor.F(0.02)},
		"rmsprop 0.3": optimizers.RMSprop{Rho: tensor.F(0.3)}, // velocities come down to where they stay
		"sgd":         optimizers.SGD{LearningRate: tensor.F(0.5)},
		"adam":        optimizers.Adam{}, // all rows in either case
	}
	for stack, specs := range stacks {
		for name, opt := range opts {
			for _, mask := range []bool{false, true} {
				t.Run(stack+"/"+name, func(t *testing.T) {
					run := func(off ...Saving) (*Model, [][]byte) {
						all := append([]layers.Spec{layers.Embedding{InputDim: 60, OutputDim: 7, MaskZero: mask}}, specs...)
						m, err := Sequential(append(all, layers.Dense{Units: 1, Activation: activations.Sigmoid})...)
						if err != nil {
							t.Fatal(err)
						}
						if m.front != nil {
							m.front.wordsFrom = 0
						}
						if err := m.Without(off...); err != nil {
							t.Fatal(err)
						}
						if err := m.Compile(opt, losses.BinaryCrossentropy{}); err != nil {
							t.Fatal(err)
						}
						var states [][]byte
						for e := range 4 {
							_, err := m.Fit(context.Background(), data, InitialEpoch(e), Epochs(e+1), BatchSize(8), Shuffle(e%2 == 1))
							if err != nil {
								t.Fatal(err)
							}
							if e != 1 { // in between, nobody looks
								states = append(states, state(t, m))
							}
						}
						return m, states
					}
					want, wantStates := run(SavingTouched)
					got, gotStates := run()
					for i, w := range want.weights {
						wantSameBits(t, w.Path, got.weights[i].Data, w.Data)
						for k, slot := range want.compiled.slots[i] {
							wantSameBits(t, w.Path+"'s slot", got.compiled.slots[i][k], slot)
						}
					}
					for i := range wantStates {
						if !bytes.Equal(gotStates[i], wantStates[i]) {
							t.Errorf("file %d differs", i)
						}
					}
				})
			}
		}
	}
}

func wantSameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if math.Float32bits(got[i]) != math.Float32bits(v) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], v)
		}
	}
}

// Switching it, freezing the table, saving, loading and going on: every turn gives the same bits as a run that never left a row out.
func TestTouchedTurns(t *testing.T) {
	data := rareData(t, 40, 9)
	file := filepath.Join(t.TempDir(), "m.keras")
	run := func(touched bool) *Model {
		m, err := Sequential(layers.Embedding{InputDim: 60, OutputDim: 4}, layers.SimpleRNN{Units: 3}, layers.Dense{Units: 1, Activation: activations.Sigmoid})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Compile(optimizers.RMSprop{}, losses.BinaryCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		for e := range 6 {
			m.front.wordsFrom = 0
			m.savings.touched = touched && e != 2
			m.weights[0].Trainable = e != 4
			if _, err := m.Fit(context.Background(), data, InitialEpoch(e), Epochs(e+1), BatchSize(8), Shuffle(false)); err != nil {
				t.Fatal(err)
			}
			if e == 3 {
				if err := m.Save(file); err != nil {
					t.Fatal(err)
				}
				if m, err = Load(file); err != nil {
					t.Fatal(err)
				}
			}
		}
		return m
	}
	if want, got := state(t, run(false)), state(t, run(true)); !bytes.Equal(got, want) {
		t.Error("the states differ")
	}
}

// Slots that no training gives are not left alone: a velocity below 0, which a file may hold, makes every row NaN.
func TestTouchedStrangeSlots(t *testing.T) {
	for _, v := range []float32{-1, float32(math.NaN()), float32(math.Inf(1))} {
		if newTouched(0.9, [][]float32{{0, v}}, 2) != nil {
			t.Errorf("a slot of %v is left alone", v)
		}
	}
}

// Shrinking stops early where nothing changes any more, and never before.
func TestShrink(t *testing.T) {
	for _, rate := range []float32{0.9, 0.3, 0.999} {
		for _, n := range []int64{0, 1, 63, 64, 65, 700, 3000} {
			x := []float32{1, 1e-30, 3e-45, 0, math.MaxFloat32, float32(math.NaN())}
			want := append([]float32(nil), x...)
			for range n {
				for i := range want {
					want[i] = float32(rate * want[i])
				}
			}
			shrink(x, rate, n)
			wantSameBits(t, "shrunk", x, want)
		}
	}
}

// The rows touched are updated on all workers, with the same bits.
func TestTouchedThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	data := rareData(t, 200, 30)
	var want []byte
	for _, threads := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(threads)
		m, err := Sequential(layers.Embedding{InputDim: 3000, OutputDim: 8}, layers.LSTM{Units: 8}, layers.Dense{Units: 1, Activation: activations.Sigmoid})
		if err != nil {
			t.Fatal(err)
		}
		m.front.wordsFrom = 0
		if err := m.Compile(optimizers.RMSprop{}, losses.BinaryCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Fit(context.Background(), data, Epochs(2), BatchSize(64)); err != nil {
			t.Fatal(err)
		}
		if got := state(t, m); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%d threads give another state than one", threads)
		}
	}
}
