package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/tensor"
)

// session is a run over batches: the crew, and the sums that its shards hand back.
type session struct {
	*crew
	c     *compiled
	grads *gradients // nil outside training
	sums  []sums     // by shard
	batch Batch
	rows  []int

	// Of the batch in work.
	n, perShard, shards int
	divisor             float64
	pass                layers.Pass
	keep                []float32 // predictions go here, when not nil

	fitted   tensor.Shape // of the batch before, which the layers take
	returned tensor.Shape // what becomes of such a batch; the number of rows is that of any of them
	front    *frontBatch  // nil where the session has no front
	// Of an optimizer step.
	rate    float64
	touched []*touched // by weight, see touch
	jobs    []job

	leaves int // contributions to the gradients that a batch has
	// The regions of a batch.
	doLook, doBefore, doShards, doBehind, doSum, doJob func(*worker, int)
}

func (m *Model) newSession(c *compiled, training bool) *session {
	s := &session{crew: m.newCrew(), c: c}
	if training {
		s.grads = m.newGradients()
	}
	s.perShard = m.shardRows()
	s.begin()
	return s
}

// begin makes the crew work for this session.
func (s *session) begin() {
	if f := s.model.front; f != nil && s.front == nil && s.model.savings.front() && (s.grads == nil || f.drops == "") {
		first := s.workers[0]
		if first.batch == nil {
			first.batch = newFrontBatch(f)
		}
		s.front = first.batch
		s.front.savings = s.model.savings
	}
	s.doLook, s.doBefore, s.doShards, s.doBehind = s.lookAt, s.before, s.doShard, s.behind
	s.doSum, s.doJob = s.sum, s.job
}

// load reads the rows of a batch and checks them at the door.
func (s *session) load(d Data, rows []int) error {
	if err := d.Batch(&s.batch, rows); err != nil {
		return err
	}
	m, b := s.model, &s.batch
	if got := b.X.Shape; len(got) == 0 || got[0] != len(rows) {
		return fmt.Errorf("unroll: expected a batch of %d rows, got shape %v", len(rows), got)
	}
	if err := fitsInput(m.input, b.X); err != nil {
		return err
	}
	if err := s.fits(b.X.Shape); err != nil {
		return err
	}
	if err := m.checkStates(len(rows)); err != nil {
		return err
	}
	s.n = len(rows)
	s.shards = (s.n + s.perShard - 1) / s.perShard
	if m.inOnePiece(s.grads != nil) {
		s.perShard, s.shards = max(s.n, s.perShard), 1
	}
	if s.front != nil && s.look() {
		return nil
	}
	if first, ok := m.nodes[0].layer.(interface{ CheckInput(layers.Value) error }); ok {
		if err := first.CheckInput(b.X); err != nil {
			return fmt.Errorf("unroll: %w", err)
		}
	}
	return nil
}

// fitsInput fails unless a batch is what the model was built for.
func fitsInput(want layers.Signature, x layers.Value) error {
	kind := func(ids bool) string {
		if ids {
			return "ids"
		}
		return "floats"
	}
	ok := want.IDs == (x.IDs != nil) && len(want.Shape) == len(x.Shape)
	for i := 1; ok && i < len(x.Shape); i++ {
		ok = want.Shape[i] < 0 || want.Shape[i] == x.Shape[i]
	}
	if !ok {
		return fmt.Errorf("unroll: expected input of shape %v (%s), got %v (%s)", want.Shape, kind(want.IDs), x.Shape, kind(x.IDs != nil))
	}
	return nil
}

// judged prepares for loss and metrics of the loaded batch.
func (s *session) judged() error {
	perRow, width := losses.Items(s.returned)
	items := s.n * perRow
	if err := s.c.trained.CheckTarget(s.batch.Y, items, width); err != nil {
		return fmt.Errorf("unroll: %w", err)
	}
	if s.c.whole() {
		s.perShard = max(s.n, s.perShard)
		s.shards = 1
	}
	s.divisor = s.model.divisor(s.c, &s.batch, items)
	for len(s.sums) < s.shards {
		s.sums = append(s.sums, newSums(s.c))
	}
	return nil
}

// doShard takes one shard through the model.
func (s *session) doShard(w *worker, shard int) {
	lo, hi := shard*s.perShard, min((shard+1)*s.perShard, s.n)
	w.pass = s.pass
	w.pass.Row, w.pass.Batch = lo, s.n
	if s.grads != nil {
		w.pass.Grads = s.grads.of(shard)
	}
	w.setLogits(s.c != nil && s.c.onLogits)
	from, target := 0, s.batch.Y
	var v layers.Value
	if s.front != nil {
		from, target = s.front.last+1, s.front.target
		w.pass.Rows = s.front.order[lo:hi]
		v = s.front.forward(w, shard, s.grads != nil)
	} else {
		v = rowsOf(s.batch.X, lo, hi, &w.rowsShape)
	}
	pred := w.forward(from, v)
	if s.keep != nil {
		s.keepRows(pred.Data, lo, hi)
	}
	if s.c == nil {
		return
	}
	perRow := s.batch.Y.Len() / s.n
	sum := &s.sums[shard]
	sum.reset()
	dout := w.judge.count(s.c, w, pred, target.Slice(lo*perRow, hi*perRow), s.lateDivisor(pred), sum, s.grads != nil)
	sum.loss += w.penalty
	if s.grads == nil {
		return
	}
	w.dinput = w.backward(from, dout)
	if s.front != nil {
		s.front.backward(w, shard, w.dinput, w.pass.Grads)
	}
	s.grads.sumRows(w, shard)
	s.grads.done(shard, s.leaves)
}

// keepRows puts the predictions of a shard where its rows stand in the batch.
func (s *session) keepRows(pred []float32, lo, hi int) {
	width := len(s.keep) / s.n
	if s.front == nil {
		copy(s.keep[lo*width:hi*width], pred)
		return
	}
	for i, r := range s.front.order[lo:hi] {
		copy(s.keep[r*width:(r+1)*width], pred[i*width:])
	}
}

// runBatch takes the loaded batch through the model, with what comes before the shards and behind them.
func (s *session) runBatch() {
	s.leaves = s.shards
	if s.front != nil {
		s.beginFront()
		s.leaves += s.front.leaves()
	}
	if s.grads != nil {
		s.grads.begin(s.leaves)
	}
	s.run(s.doShards, s.shards)
	if s.front != nil && s.grads != nil {
		s.endFront()
	}
}

// train takes one step on these rows and adds what it saw to total. The loss of the batch is returned.
func (s *session) train(d Data, rows []int, epoch, step int, total *sums) (float64, error) {
	if err := s.load(d, rows); err != nil {
		return 0, err
	}
	if err := s.judged(); err != nil {
		return 0, err
	}
	m := s.model
	m.prepare(true)
	s.pass = layers.Pass{Training: true, Seed: m.seed, Epoch: epoch, Step: step}
	s.beginUpdate()
	s.runBatch()
	loss := s.collect(total)
	s.update()
	m.changed()
	return loss, nil
}

// test computes loss and metrics of these rows.
func (s *session) test(d Data, rows []int, total *sums) error {
	if err := s.load(d, rows); err != nil {
		return err
	}
	if err := s.judged(); err != nil {
		return err
	}
	s.model.prepare(false)
	s.pass = layers.Pass{}
	s.runBatch()
	s.collect(total)
	return nil
}

// collect adds the shards' sums to those of the epoch, in order, the loss weighted by the batch's rows; it returns the loss.
func (s *session) collect(total *sums) float64 {
	loss := s.model.penalty()
	for i := range s.shards {
		loss += s.sums[i].loss
		s.sums[i].loss = 0
		total.merge(&s.sums[i])
	}
	total.loss += loss * float64(s.n)
	return loss
}
