package unroll

import (
	"github.com/unroll-ml/unroll/internal/engine"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/metrics"
	"github.com/unroll-ml/unroll/tensor"
)

// front is the beginning of many models: an Embedding, and recurrent layers up to the one that returns its last output alone.
// There a batch can do with less, and get what the plain way gets:
//
//   - rows: what the cell computes from the input alone is computed once a distinct word of the batch, and on the way back
//     gradients are summed by word first;
//   - prefix: rows that begin with the same word again and again (padding that is not masked) walk that stretch together,
//     as one row, before the shards, and back after them;
//   - active: steps that a mask hides at the beginning or at the end of a row are not computed.
type front struct {
	table  *layers.Weight
	masked bool // id 0 is padding
	walks  []layers.Walk
	last   int // the node of the last walk
}

// savings says which of them are taken; tests switch them off.
type savings struct{ rows, prefix, active bool }

// newFront is the front of the nodes; nil where they do not begin so.
func newFront(nodes []*node) *front {
	if len(nodes) < 2 {
		return nil
	}
	f := &front{}
	var ok bool
	if f.table, f.masked, ok = layers.TableOf(nodes[0].layer); !ok || len(nodes[0].in.Shape) != 2 {
		return nil
	}
	for i, n := range nodes[1:] {
		w, ok := layers.WalkOf(n.layer)
		if !ok || w.Backwards {
			return nil
		}
		f.walks = append(f.walks, w)
		if !w.Sequences {
			f.last = i + 1
			return f
		}
	}
	return nil
}

// frontBatch is a batch on its way through the front.
type frontBatch struct {
	*front
	savings
	ids   []int32
	n, t  int
	order []int // the rows as the shards take them
	begin []int // of every row: the step that it begins with; of rows that share a prefix, where they leave it
	end   []int // of every row: the step behind its last
	holes bool  // steps between begin and end are masked

	local    []int32 // of every id: its number among the distinct ones, where stamp is that of this batch
	stamp    []uint32
	now      uint32
	distinct []int32
	shared   int   // steps of the prefix
	prefix   int32 // the id that it repeats

	places []int // of every shard, and of the prefix behind them: where its places begin among all
	rows   engine.Rows
	where  []int32       // the places of every distinct row, one row after the other
	from   []int         // where they begin
	joined [][][]float32 // of every walk and state: the gradients of the states with which the rows began
	target metrics.Target
	shape  tensor.Shape
	count  []int

	// Of the prefix: a run, what it reads and its gradients, one a walk.
	runs   []engine.Run
	shares engine.Rows
	index  []int32
	x      []float32
	given  [][][]float32
	dx     [][]float32
	grads  [][]float32

	dtable []float32 // gradients of the distinct rows of the table
}

// frontWork is the front's workspace in a worker.
type frontWork struct {
	runs    []engine.Run
	rowsRun engine.Run
	active  []int
	index   []int32
	mask    []bool
	x       []float32
	dx      [][]float32 // of every walk's input
	grads   [][]float32
	sums    [][]float32
	fetched []float32
	shape   tensor.Shape
	rows    engine.Rows
}

// plan looks at the ids of a batch (N, T): who begins where, in which order the shards take the rows.
func (b *frontBatch) plan(ids []int32, n, t, perShard int) {
	b.ids, b.n, b.t = ids, n, t
	b.begin, b.end = resize(b.begin, n), resize(b.end, n)
	b.holes, b.shared = false, 0
	if b.masked {
		b.bounds()
	} else {
		b.share()
	}
	b.sort()
	// Places: of the shards one after the other, then of the prefix.
	b.places = b.places[:0]
	total := 0
	for lo := 0; lo < n; lo += perShard {
		b.places = append(b.places, total)
		total += b.placesOf(b.order[lo:min(lo+perShard, n)])
	}
	b.places = append(b.places, total, total+b.shared)
}

// share finds the stretch that rows have in common: as long as the longest run of one id with which a row begins.
func (b *frontBatch) share() {
	for r := range b.n {
		b.begin[r], b.end[r] = 0, b.t
	}
	if !b.savings.prefix || b.t < 2 {
		return
	}
	for r := range b.n {
		row := b.ids[r*b.t : (r+1)*b.t]
		if k := leading(row, row[0], b.t-1); k > b.shared {
			b.shared, b.prefix = k, row[0]
		}
	}
	if b.shared < 2 {
		b.shared = 0
		return
	}
	for r := range b.n {
		b.begin[r] = leading(b.ids[r*b.t:(r+1)*b.t], b.prefix, b.t-1)
	}
}

// leading counts how often id stands at the beginning of row, up to limit.
func leading(row []int32, id int32, limit int) int {
	k := 0
	for k < limit && row[k] == id {
		k++
	}
	return k
}

// bounds finds what the mask leaves of every row. Rows either begin late or end early, whichever saves more; what is masked
// besides is a hole.
func (b *frontBatch) bounds() {
	var late, early int
	for r := range b.n {
		row := b.ids[r*b.t : (r+1)*b.t]
		b.begin[r] = leading(row, 0, max(0, b.t-1))
		b.end[r] = b.t
		for b.end[r] > 1 && row[b.end[r]-1] == 0 {
			b.end[r]--
		}
		late += b.begin[r]
		early += b.t - b.end[r]
	}
	for r := range b.n {
		if !b.active || late < early {
			b.begin[r] = 0
		}
		if !b.active || late >= early {
			b.end[r] = b.t
		}
		for _, id := range b.ids[r*b.t+b.begin[r] : r*b.t+b.end[r]] {
			b.holes = b.holes || id == 0
		}
	}
}

// sort orders the rows by where they begin, and those that begin together by where they end, the longest first.
func (b *frontBatch) sort() {
	b.count = resize(b.count, 2*b.t+3)
	clear(b.count)
	count := b.count
	key := func(r int) int { return b.begin[r] + b.t - b.end[r] }
	for r := range b.n {
		count[key(r)+1]++
	}
	for k := 1; k < len(count); k++ {
		count[k] += count[k-1]
	}
	b.order = resize(b.order, b.n)
	for r := range b.n {
		b.order[count[key(r)]] = r
		count[key(r)]++
	}
}

// stretch is how many of the rows take part in a step: rows are in the order of sort.
func (b *frontBatch) stretch(rows []int, s int) int {
	n := 0
	for _, r := range rows {
		if b.begin[r] <= s && s < b.end[r] {
			n++
		}
	}
	return n
}

// placesOf is how many places the rows of a shard take: rows that end leave one more behind.
func (b *frontBatch) placesOf(rows []int) int {
	n := 0
	for _, r := range rows {
		n += b.end[r] - b.begin[r]
		if b.end[r] < b.t {
			n++
		}
	}
	return n
}

// number gives the distinct ids of the batch their numbers, in the order in which the shards meet them.
func (b *frontBatch) number() {
	v := b.table.Shape[0]
	if len(b.stamp) < v {
		b.stamp, b.local, b.now = make([]uint32, v), make([]int32, v), 0
	}
	b.now++
	b.distinct = b.distinct[:0]
	see := func(id int32) {
		if b.stamp[id] != b.now {
			b.stamp[id], b.local[id] = b.now, int32(len(b.distinct))
			b.distinct = append(b.distinct, id)
		}
	}
	if b.shared > 0 {
		see(b.prefix)
	}
	if b.masked {
		see(0) // stands in places that are left behind
	}
	for _, r := range b.order {
		for _, id := range b.ids[r*b.t+b.begin[r] : r*b.t+b.end[r]] {
			see(id)
		}
	}
}

// beginFront is what comes before the shards: numbering, the projection of the distinct rows, the prefix.
func (s *session) beginFront() {
	b := s.front
	b.plan(s.batch.X.IDs, s.n, s.batch.X.Shape[1], s.perShard)
	training := s.grads != nil
	if b.savings.rows {
		s.project(training)
	}
	if b.shared > 0 {
		b.walkPrefix()
	}
	if training {
		b.joined = resize(b.joined, len(b.walks))
		for k, w := range b.walks {
			states := w.Cell.Plan().Cell.States
			b.joined[k] = resize(b.joined[k], len(states))
			for i, st := range states {
				b.joined[k][i] = resize(b.joined[k][i], b.n*st.Width)
			}
		}
	}
	if s.c != nil {
		y := s.batch.Y
		b.shape = append(b.shape[:0], s.n, y.Len()/max(1, s.n))
		b.target.Values = take(b.target.Values, y.Values, b.shape, b.order)
		b.target.IDs = take(b.target.IDs, y.IDs, b.shape, b.order)
	}
}

// project computes what the first cell does with the input alone, once a distinct word.
func (s *session) project(training bool) {
	b := s.front
	b.number()
	c := b.walks[0].Cell
	width, d := b.table.Shape[1], len(b.distinct)
	b.rows.D = d
	b.rows.X = resize(b.rows.X, d*width)
	kernel.Gather(b.rows.X, b.table.Data, b.distinct, width)
	tables, handover := c.RowWidths()
	b.rows.Tables = resizeAll(b.rows.Tables, tables, d)
	if training {
		b.rows.Handover = resizeAll(b.rows.Handover, handover, b.places[len(b.places)-1])
		b.rows.Index = resize(b.rows.Index, b.places[len(b.places)-1])
	}
	s.crew.shard = s.doProject
	s.run((d + engine.ChunkRows - 1) / engine.ChunkRows)
	s.crew.shard = s.doShards
}

func (s *session) projectChunk(w *worker, chunk int) {
	b := s.front
	lo := chunk * engine.ChunkRows
	w.front.rowsRun.Project(b.walks[0].Cell, &b.rows, lo, min(lo+engine.ChunkRows, len(b.distinct)))
}

func resizeAll(b [][]float32, widths []int, n int) [][]float32 {
	b = resize(b, len(widths))
	for i, w := range widths {
		b[i] = resize(b[i], n*w)
	}
	return b
}

// walkPrefix takes the shared stretch through all walks, as one row.
func (b *frontBatch) walkPrefix() {
	if b.runs == nil {
		b.runs = make([]engine.Run, len(b.walks))
	}
	behind := len(b.places) - 2
	b.index = resize(b.index, b.shared)
	for i := range b.index {
		b.index[i] = b.prefix
		if b.savings.rows {
			b.index[i] = b.local[b.prefix]
		}
	}
	shape := engine.Shape{T: b.shared, N: 1, Training: true, Sequences: true}
	for k, w := range b.walks {
		in := engine.Input{Compact: true}
		switch {
		case k > 0:
			in.X = b.runs[k-1].Sequence()
		case b.savings.rows:
			b.rowsAt(&b.shares, behind, b.index)
			in.Rows = &b.shares
		default:
			b.x = resize(b.x, b.shared*b.table.Shape[1])
			kernel.Gather(b.x, b.table.Data, b.index, b.table.Shape[1])
			in.X = b.x
		}
		b.runs[k].Forward(w.Cell, shape, in)
	}
}

// rowsAt makes r the distinct rows as a shard sees them, or the prefix behind the shards: with its index and its part of the handover.
func (b *frontBatch) rowsAt(r *engine.Rows, shard int, index []int32) {
	r.X, r.D, r.Tables, r.Index = b.rows.X, b.rows.D, b.rows.Tables, index
	r.Handover = r.Handover[:0]
	if len(b.rows.Handover) == 0 {
		return
	}
	lo, hi := b.places[shard], b.places[shard+1]
	copy(b.rows.Index[lo:hi], index)
	_, widths := b.walks[0].Cell.RowWidths()
	for i, h := range b.rows.Handover {
		r.Handover = append(r.Handover, h[lo*widths[i]:hi*widths[i]])
	}
}

// forward takes a shard through the front and returns the last walk's output, in the order of the shards.
func (b *frontBatch) forward(w *worker, shard, lo, hi int, training bool) layers.Value {
	f := &w.front
	if f.runs == nil {
		f.runs = make([]engine.Run, len(b.walks))
	}
	rows := b.order[lo:hi]
	n := hi - lo
	shape := engine.Shape{T: b.t, N: n, Training: training}
	f.active = resize(f.active, b.t)
	full := true
	for t := range b.t {
		f.active[t] = b.stretch(rows, t)
		full = full && f.active[t] == n
	}
	if !full {
		shape.Active = f.active
	}
	b.arrange(f, rows)
	in := engine.Input{Compact: true}
	if b.holes {
		in.Mask = f.mask
	}
	if b.savings.rows {
		b.rowsAt(&f.rows, shard, f.index)
		in.Rows = &f.rows
	} else {
		width := b.table.Shape[1]
		f.x = resize(f.x, len(f.index)*width)
		kernel.Gather(f.x, b.table.Data, f.index, width)
		in.X = f.x
	}
	for k, walk := range b.walks {
		if k > 0 {
			in.Rows, in.X = nil, f.runs[k-1].Sequence()
		}
		if b.shared > 0 {
			in.Prefix = &b.runs[k]
		}
		shape.Sequences = walk.Sequences
		f.runs[k].Forward(walk.Cell, shape, in)
	}
	f.shape = append(f.shape[:0], n, b.walks[len(b.walks)-1].Width)
	return layers.Value{Shape: f.shape, Data: f.runs[len(f.runs)-1].Last()}
}

// arrange lists what stands at every place of a shard: the distinct row, or the id itself, and whether it counts.
func (b *frontBatch) arrange(f *frontWork, rows []int) {
	f.index, f.mask = f.index[:0], f.mask[:0]
	before := 0
	for t := range b.t {
		n := f.active[t]
		// Rows that begin late stand first to last; rows that end early leave from the end.
		for _, r := range rows[:n] {
			id := b.ids[r*b.t+t]
			f.mask = append(f.mask, !b.masked || id != 0)
			if b.savings.rows {
				id = b.local[id]
			}
			f.index = append(f.index, id)
		}
		for range before - n {
			id := int32(0)
			if b.savings.rows {
				id = b.local[0]
			}
			f.index, f.mask = append(f.index, id), append(f.mask, false)
		}
		before = n
	}
}

// backward takes the gradient of a shard's output back through the front.
func (b *frontBatch) backward(w *worker, shard, lo, hi int, dout []float32, grads *layers.Grads) {
	f := &w.front
	f.dx = resize(f.dx, len(b.walks))
	for k := len(b.walks) - 1; k >= 0; k-- {
		walk := b.walks[k]
		g := engine.Gradient{Last: dout}
		if walk.Sequences {
			g = engine.Gradient{Sequence: dout}
		}
		f.grads = f.grads[:0]
		for _, wt := range walk.Weights {
			f.grads = append(f.grads, grads.Of(wt))
		}
		g.Weights = f.grads
		if k > 0 || !b.savings.rows {
			f.dx[k] = resize(f.dx[k], len(f.index)*b.inputs(k))
			g.X = f.dx[k]
		}
		f.runs[k].Backward(g)
		for i := range b.joined[k] {
			width := len(b.joined[k][i]) / b.n
			copy(b.joined[k][i][lo*width:hi*width], f.runs[k].Initial(i))
		}
		dout = g.X
	}
	if !b.savings.rows {
		grads.AddRows(b.table, f.index, dout)
	}
}

// inputs is how wide the input of a walk is.
func (b *frontBatch) inputs(k int) int {
	if k == 0 {
		return b.table.Shape[1]
	}
	return b.walks[k-1].Width
}

// leaves is how many contributions to the gradients come besides the shards': the prefix, and the distinct rows.
func (b *frontBatch) leaves() int {
	n := 0
	if b.shared > 0 {
		n++
	}
	if b.savings.rows {
		n += b.chunks()
	}
	return n
}

// rowsChunk is how many distinct rows are summed and taken back together.
const rowsChunk = 256

func (b *frontBatch) chunks() int { return (len(b.distinct) + rowsChunk - 1) / rowsChunk }

// endFront is what comes after the shards: back through the prefix, then, by distinct word, through the first cell's input.
func (s *session) endFront() {
	b := s.front
	s.firstChunk = s.shards
	if b.shared > 0 {
		b.backPrefix(s.grads.of(s.shards))
		s.grads.done(s.shards, s.leaves)
		s.firstChunk++
	}
	if !b.savings.rows {
		return
	}
	b.list()
	b.dtable = resize(b.dtable, len(b.distinct)*b.table.Shape[1])
	s.crew.shard = s.doBackRows
	s.run(b.chunks())
	s.crew.shard = s.doShards
}

func (s *session) backRowsChunk(w *worker, chunk int) {
	b, leaf := s.front, s.firstChunk+chunk
	lo := chunk * rowsChunk
	b.backRows(w, lo, min(lo+rowsChunk, len(b.distinct)), s.grads.of(leaf))
	s.grads.done(leaf, s.leaves)
}

// backPrefix walks back through the shared stretch with what the rows that left it have as gradients of their first states.
func (b *frontBatch) backPrefix(grads *layers.Grads) {
	b.given, b.dx = resize(b.given, len(b.walks)), resize(b.dx, len(b.walks))
	var dout []float32
	for k := len(b.walks) - 1; k >= 0; k-- {
		walk := b.walks[k]
		states := walk.Cell.Plan().Cell.States
		b.given[k] = resize(b.given[k], len(states))
		for i, st := range states {
			g := resize(b.given[k][i], (b.shared+1)*st.Width)
			clear(g)
			for at, r := range b.order {
				if s := b.begin[r]; s > 0 {
					to := g[s*st.Width : (s+1)*st.Width]
					kernel.Add(to, to, b.joined[k][i][at*st.Width:(at+1)*st.Width])
				}
			}
			b.given[k][i] = g
		}
		g := engine.Gradient{Sequence: dout, Given: b.given[k]}
		b.grads = b.grads[:0]
		for _, wt := range walk.Weights {
			b.grads = append(b.grads, grads.Of(wt))
		}
		g.Weights = b.grads
		if k > 0 || !b.savings.rows {
			b.dx[k] = resize(b.dx[k], b.shared*b.inputs(k))
			g.X = b.dx[k]
		}
		b.runs[k].Backward(g)
		dout = g.X
	}
	if !b.savings.rows {
		grads.AddRows(b.table, b.index, dout)
	}
}

// list finds the places of every distinct row, in their order.
func (b *frontBatch) list() {
	d := len(b.distinct)
	b.from = resize(b.from, d+2)
	clear(b.from)
	for _, id := range b.rows.Index {
		b.from[id+2]++
	}
	for i := 2; i < len(b.from); i++ {
		b.from[i] += b.from[i-1]
	}
	b.where = resize(b.where, len(b.rows.Index))
	for p, id := range b.rows.Index {
		b.where[b.from[id+1]] = int32(p)
		b.from[id+1]++
	}
}

// gatherPlaces is how many places are fetched together before they are summed: they lie far apart, and fetching many at once
// hides how long each takes.
const gatherPlaces = 256

// sumPlaces writes to sums what stands in from at the places of each distinct row from lo to before hi, added up in their order.
func (b *frontBatch) sumPlaces(f *frontWork, sums, from []float32, width, lo, hi int) {
	clear(sums)
	f.fetched = resize(f.fetched, gatherPlaces*width)
	d, end := lo, b.from[hi]
	for at := b.from[lo]; at < end; {
		n := min(gatherPlaces, end-at)
		kernel.Gather(f.fetched[:n*width], from, b.where[at:at+n], width)
		for k := 0; k < n; {
			for b.from[d+1] <= at+k {
				d++
			}
			m := min(n-k, b.from[d+1]-at-k)
			kernel.SumRows(sums[(d-lo)*width:(d-lo+1)*width], f.fetched[k*width:], width, m, width)
			k += m
		}
		at += n
	}
}

// backRows sums the gradients of the distinct rows from lo to before hi over their places, and takes them back to the table.
func (b *frontBatch) backRows(w *worker, lo, hi int, grads *layers.Grads) {
	f := &w.front
	c := b.walks[0].Cell
	_, widths := c.RowWidths()
	f.sums = resizeAll(f.sums, widths, hi-lo)
	for i, width := range widths {
		b.sumPlaces(f, f.sums[i], b.rows.Handover[i], width, lo, hi)
	}
	f.grads = f.grads[:0]
	for _, wt := range b.walks[0].Weights {
		f.grads = append(f.grads, grads.Of(wt))
	}
	width := b.table.Shape[1]
	f.rowsRun.BackRows(c, &b.rows, lo, hi, f.sums, b.dtable[lo*width:hi*width], f.grads)
}
