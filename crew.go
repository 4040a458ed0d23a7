package unroll

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/unroll-ml/unroll/internal/engine"
)

// crew is the workers of one call of Fit, Evaluate or Predict. Work comes in regions of numbered tasks, the shards of a batch for one,
// which the workers take as they come; what a task gives depends on the task alone and is added up by task numbers, so that the
// result does not depend on how many workers there are, nor on which of them were awake.
type crew struct {
	model   *Model
	workers []*worker // the goroutine that calls run is the first

	task  func(w *worker, task int)
	tasks int          // of the region in all
	next  atomic.Int64 // the task that a worker takes next

	region atomic.Uint32 // counts the regions
	inside atomic.Int32  // how many others work on this region; closed is added to it when it takes no more of them
	ended  atomic.Bool
	beds   []bed // of every worker

	helpers engine.Share
	inner   func(task int) // of helpers
}

// bed is where a worker sleeps until somebody wakes it.
type bed struct {
	asleep atomic.Bool
	wake   chan struct{}
}

const (
	closed = -1 << 20
	// patience is how long a worker looks for work before it sleeps: about what it costs to wake one. So what is lost by looking
	// in vain, or by sleeping too early, is at most that.
	patience = 200 * time.Microsecond
)

// newCrew is a crew of one worker; the others come when there is work for them.
func (m *Model) newCrew() *crew {
	c := &crew{model: m}
	c.inside.Store(closed)
	c.hire(1)
	return c
}

// hire makes the crew as large as n.
func (c *crew) hire(n int) {
	m := c.model
	m.mu.Lock()
	for len(c.workers) < n {
		var w *worker
		if k := len(m.idle); k > 0 {
			w, m.idle = m.idle[k-1], m.idle[:k-1]
		} else {
			w = newWorker(m)
		}
		c.workers = append(c.workers, w)
	}
	m.mu.Unlock()
}

// start hires the other workers and sends them to work.
func (c *crew) start() {
	c.hire(runtime.GOMAXPROCS(0))
	c.beds = make([]bed, len(c.workers))
	for i := range c.beds {
		c.beds[i].wake = make(chan struct{}, 1)
	}
	seen := c.region.Load()
	for i, w := range c.workers[1:] {
		go c.serve(w, &c.beds[i+1], seen)
	}
}

// run does all tasks of a region.
func (c *crew) run(task func(w *worker, task int), tasks int) {
	if tasks > 1 && c.beds == nil && runtime.GOMAXPROCS(0) > 1 {
		c.start()
	}
	if tasks <= 1 || len(c.workers) == 1 {
		for k := range tasks {
			task(c.workers[0], k)
		}
		return
	}
	c.task, c.tasks = task, tasks
	c.next.Store(0)
	c.inside.Store(0)
	c.region.Add(1)
	for i := 1; i < min(len(c.workers), tasks); i++ {
		c.beds[i].rouse()
	}
	c.work(c.workers[0])
	// Nothing is left to take: who comes now is too late, and who is there finishes what it took.
	if c.inside.Add(closed) != closed {
		c.beds[0].wait(func() bool { return c.inside.Load() == closed })
	}
}

// share has the crew work on a task of its first worker together, while there is no other.
func (c *crew) share() *engine.Share {
	if c.helpers.Do == nil {
		each := func(_ *worker, task int) { c.inner(task) }
		c.helpers.Do = func(tasks int, do func(task int)) {
			c.inner = do
			c.run(each, tasks)
		}
	}
	c.helpers.Threads = runtime.GOMAXPROCS(0)
	return &c.helpers
}

// serve is the life of a worker besides the first.
func (c *crew) serve(w *worker, b *bed, seen uint32) {
	for {
		b.wait(func() bool { return c.region.Load() != seen })
		seen = c.region.Load()
		if c.ended.Load() {
			return
		}
		if !c.enter() {
			continue
		}
		c.work(w)
		if c.inside.Add(-1) == closed {
			c.beds[0].rouse()
		}
	}
}

// enter joins those who work on the region, unless it is closed.
func (c *crew) enter() bool {
	for {
		n := c.inside.Load()
		if n < 0 {
			return false
		}
		if c.inside.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// work takes tasks until none is left.
func (c *crew) work(w *worker) {
	for {
		k := int(c.next.Add(1)) - 1
		if k >= c.tasks {
			return
		}
		c.task(w, k)
	}
}

// wait returns when ready says so: it looks for a while, then sleeps.
func (b *bed) wait(ready func() bool) {
	for begin, looks := time.Now(), 1; ; looks++ {
		if ready() {
			return
		}
		if looks%32 == 0 {
			if time.Since(begin) > patience {
				break
			}
			runtime.Gosched()
		}
	}
	for {
		b.asleep.Store(true)
		// What became true before asleep was set has nobody to wake this worker.
		if ready() && b.asleep.CompareAndSwap(true, false) {
			return
		}
		<-b.wake
		if ready() {
			return
		}
	}
}

// rouse wakes who sleeps here.
func (b *bed) rouse() {
	if b.asleep.CompareAndSwap(true, false) {
		b.wake <- struct{}{}
	}
}

// close ends the workers and gives their workspaces back.
func (c *crew) close() {
	c.ended.Store(true)
	c.region.Add(1)
	for i := range c.beds {
		c.beds[i].rouse()
	}
	c.forget()
	c.model.mu.Lock()
	c.model.idle = append(c.model.idle, c.workers...)
	c.model.mu.Unlock()
}
