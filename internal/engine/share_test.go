package engine

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
)

// threads are so many goroutines that share every step.
func threads(n int) *Share {
	return &Share{Threads: n, always: true, Do: func(tasks int, do func(task int)) {
		var all sync.WaitGroup
		for task := range tasks {
			all.Go(func() { do(task) })
		}
		all.Wait()
	}}
}

// The switch: steps that threads take together give the bits of one thread's.
func TestSharedIsTheSame(t *testing.T) {
	texts := map[string]string{"peephole": peepholeLSTM, "minimal gated unit": minimalGatedUnit, "layer_norm": layerNormLSTM,
		"softmax": "output_t = softmax(dot(input_t, W) + dot(state_t, U) + b)"}
	for _, name := range []string{"simple_rnn", "lstm", "gru", "gru_reset_before", "lecture_lstm"} {
		texts[name] = fileText(t, "../../layers/cells/"+name+".cell")
	}
	active := map[string][]int{"all": nil, "late": {1, 1, 1, 3, 3, 6, 6, 6, 6}, "early": {6, 6, 6, 6, 4, 4, 4, 1, 1}}
	for name, text := range texts {
		for _, units := range []int{16, 41} {
			c := New(planOf(t, text, cell.Options{Units: units, Input: 16}))
			for order, rows := range active {
				for _, distinct := range []bool{false, true} {
					for _, begin := range []string{"zeros", "prefix", "given"} {
						want := programResults(c, rows, distinct, begin, nil)
						for _, n := range []int{2, 3, 7} {
							got := programResults(c, rows, distinct, begin, threads(n))
							for i := range want {
								for k, v := range got[i] {
									if w := want[i][k]; math.Float32bits(v) != math.Float32bits(w) {
										t.Fatalf("%s(%d), rows %s, distinct %v, from %s, %d threads: result %d [%d] = %g, alone %g", name, units, order, distinct, begin, n, i, k, v, w)
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

// Random cells, with masks of dropout and of steps.
func TestSharedRandomCells(t *testing.T) {
	for seed := range uint64(150) {
		d := draw(t, seed)
		mask := make([]bool, d.t*d.n)
		for i := range mask {
			mask[i] = d.s.IntN(4) > 0
		}
		want := d.run(Shape{}, Input{Mask: mask}, Gradient{})
		got := d.run(Shape{Share: threads(3)}, Input{Mask: mask}, Gradient{})
		bits := func(r result) (all []uint32) {
			for _, x := range slices.Concat([][]float32{r.last, r.dx}, r.final, r.initial, r.grads) {
				for _, v := range x {
					all = append(all, math.Float32bits(v))
				}
			}
			return all
		}
		if want.tame() && !slices.Equal(bits(got), bits(want)) {
			t.Fatalf("seed %d: three threads differ from one:\n%s", seed, d.cell.plan.Cell.Text)
		}
	}
}

// Sharing allocates nothing after the first time.
func TestSharingAllocatesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates on its own")
	}
	c := New(planOf(t, fileText(t, "../../layers/cells/lstm.cell"), cell.Options{Units: 40, Input: 16}))
	weights, grads := weightsOf(c, 0.3)
	c.Bind(weights, true)
	x, dy := make([]float32, 5*6*16), make([]float32, 6*40)
	share := &Share{Threads: 3, always: true, Do: func(tasks int, do func(task int)) {
		for task := range tasks {
			do(task)
		}
	}}
	var run Run
	if n := testing.AllocsPerRun(10, func() {
		run.Forward(c, Shape{T: 5, N: 6, Training: true, Share: share}, Input{X: x})
		run.Backward(Gradient{Last: dy, Weights: grads})
	}); n != 0 {
		t.Errorf("a shared walk allocates %g times", n)
	}
}
