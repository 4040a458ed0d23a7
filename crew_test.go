package unroll

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Every task is done once, by whomever, whether the workers look for work or sleep, and all are done when run returns.
func TestCrew(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	m := fronted(t)
	c := m.newCrew()
	defer c.close()
	for region := range 300 {
		tasks := region % 23
		done := make([]atomic.Int32, tasks)
		c.run(func(_ *worker, k int) { done[k].Add(1) }, tasks)
		for k := range done {
			if n := done[k].Load(); n != 1 {
				t.Fatalf("region %d: task %d was done %d times", region, k, n)
			}
		}
		if region%100 == 99 {
			time.Sleep(5 * patience) // all fall asleep
		}
	}
	if len(c.workers) != 4 {
		t.Errorf("%d workers, want 4", len(c.workers))
	}
}

// Who sleeps is woken: by a task that waits for another worker.
func TestCrewWakes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	c := fronted(t).newCrew()
	defer c.close()
	for range 5 {
		var met atomic.Int32
		c.run(func(*worker, int) {
			met.Add(1)
			for begin := time.Now(); met.Load() < 2; runtime.Gosched() {
				if time.Since(begin) > 10*time.Second {
					t.Error("the other worker never came")
					return
				}
			}
		}, 2)
		time.Sleep(5 * patience)
	}
}

// A region of one task needs nobody else.
func TestCrewAlone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	c := fronted(t).newCrew()
	defer c.close()
	c.run(func(*worker, int) {}, 1)
	if len(c.workers) != 1 {
		t.Errorf("%d workers for one task, want 1", len(c.workers))
	}
}
