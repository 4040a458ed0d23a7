package engine

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/random"
	"golang.org/x/sys/unix"
)

func threadTime() time.Duration {
	var u unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &u)
	return time.Duration(u.Nano())
}

func TestZZ(t *testing.T) {
	runtime.LockOSThread()
	for _, c := range []struct{ name, text string }{
		{"simple_rnn", fileText(t, "../../layers/cells/simple_rnn.cell")},
		{"lstm", fileText(t, "../../layers/cells/lstm.cell")},
		{"gru", fileText(t, "../../layers/cells/gru.cell")},
		{"peephole", peepholeLSTM},
		{"mgu", minimalGatedUnit},
	} {
		p := planOf(t, c.text, cell.Options{Units: 32, Input: 32})
		for _, fuse := range []bool{false, true} {
			cc := newCell(p, fuse)
			const rows, steps, inputs = 16, 500, 32
			s := random.New(1, random.Data)
			var weights, grads [][]float32
			for i := range cc.plan.Cell.Weights {
				n := 1
				for _, d := range cc.plan.Cell.Weights[i].Shape() {
					n *= d
				}
				weights = append(weights, uniform(s, n, 0.3))
				grads = append(grads, make([]float32, n))
			}
			cc.Bind(weights, true)
			x := uniform(s, rows*steps*inputs, 1)
			dx := make([]float32, len(x))
			dy := uniform(s, rows*32, 1)
			var run Run
			var best [3]time.Duration
			for i := range best {
				best[i] = time.Hour
			}
			for range 100 {
				t0 := threadTime()
				run.Forward(cc, Shape{T: steps, N: rows}, Input{X: x})
				t1 := threadTime()
				run.Forward(cc, Shape{T: steps, N: rows, Training: true}, Input{X: x})
				t2 := threadTime()
				run.Backward(Gradient{Last: dy, X: dx, Weights: grads})
				t3 := threadTime()
				best[0] = min(best[0], t1-t0)
				best[1] = min(best[1], t2-t1)
				best[2] = min(best[2], t3-t2)
			}
			f := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / rows / steps }
			fmt.Printf("%-12s fuse=%-5v predict %6.1f  forward %6.1f  backward %6.1f  both %6.1f\n", c.name, fuse, f(best[0]), f(best[1]), f(best[2]), f(best[1])+f(best[2]))
		}
	}
	os.Stdout.Sync()
}
