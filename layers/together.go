package layers

import "github.com/unroll-ml/unroll/internal/kernel"

// Where a batch is one shard, a layer's work is shared by the threads that would be idle (Pass.Share): by rows, or, where these are few, by columns, so
// that each thread reads its part of the weights alone. Every value is computed as by one thread. The shared way stands in a function of its own, since what it hands to threads is
// allocated, which the other way must not pay.

// few reports whether n rows are too few for every thread to have some tiles of them.
func few(c *Call, n int) bool { return n < 16*c.Share.Threads }

// byColumns has every thread do a part of the columns of b, whole panels.
func byColumns(c *Call, b *kernel.Packed, do func(from, to int, part *kernel.Packed)) {
	c.Share.Split(kernel.Panels(b.M), func(lo, hi int) {
		var part kernel.Packed
		from, to := lo*kernel.PanelWidth, min(hi*kernel.PanelWidth, b.M)
		b.Columns(&part, from, to)
		do(from, to, &part)
	})
}
