package unroll

import (
	"cmp"
	"fmt"

	"github.com/unroll-ml/unroll/layers"
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
	class map[int]float64 // weights of the classes, in training; nil: all count alike

	// Of the batch in work.
	n, perShard, shards int
	divisors            []float64 // of the outputs' losses, 0: known when the shard is
	pass                layers.Pass
	keep                [][]float32 // predictions go here, when not nil, an entry an output
	valid               []bool
	in                  []layers.Value // the entries: the inputs, and what was read of texts
	readings            []reading
	reading             *reading // the one in work
	wanted              []bool   // the inputs whose gradients somebody asks for; nil: none
	classWeights        []float32
	looked              bool    // a loss was not finite
	broken              *Broken // and why, where it was found

	fitted   []tensor.Shape // of the inputs of the batch before, which the layers take
	returned []tensor.Shape // what becomes of such a batch; the number of rows is that of any of them
	front    *frontBatch    // nil where the session has no front
	// Of an optimizer step.
	rate    float64
	touched []*touched // by weight, see touch
	jobs    []job

	watch bool    // the norm of the gradient is asked for
	norm  float64 // that of the last step

	leaves int // contributions to the gradients that a batch has
	// The regions of a batch.
	doRead, doFill, doKeep, doLook, doBefore, doShards, doBehind, doSum, doJob func(*worker, int)
}

func (m *Model) newSession(c *compiled, training bool) *session {
	s := &session{crew: m.newCrew(), c: c}
	if training {
		m.number()
		s.grads = m.newGradients()
	}
	s.perShard = cmp.Or(m.shardRows(), plainRows)
	s.begin()
	if s.front != nil && s.perShard >= wideRows/2 {
		s.perShard = wideRows
	}
	return s
}

// plainRows is a shard's rows where no layer asks for a number: two threads have work from a batch of Keras's default size.
const plainRows = 16

// wideRows is a shard's rows in the front of a model whose weights do not stay in the second-level cache: all workers take it together, so that each reads its part of
// the weights, and once for all rows.
const wideRows = 128

// together reports whether all workers take one shard after the other, and not each its own.
func (s *session) together() bool { return s.shards == 1 || s.front != nil && s.perShard >= wideRows }

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
	s.readings = newReadings(&s.model.graph)
	s.doKeep, s.doLook, s.doBefore, s.doShards, s.doBehind = s.keepWords, s.lookAt, s.before, s.doShard, s.behind
	s.doSum, s.doJob, s.doRead, s.doFill = s.sum, s.job, s.readTask, s.fillTask
}

// load reads the rows of a batch and checks them at the door.
func (s *session) load(d Data, rows []int) error {
	if err := d.Batch(&s.batch, rows); err != nil {
		return err
	}
	m, b := s.model, &s.batch
	if len(b.X) != len(m.inputs) {
		return fmt.Errorf("unroll: expected data with %d inputs, as the model has, got %d", len(m.inputs), len(b.X))
	}
	for i, x := range b.X {
		if len(x.Shape) == 0 || x.Shape[0] != len(rows) {
			return fmt.Errorf("unroll: expected a batch of %d rows, got shape %v", len(rows), x.Shape)
		}
		if err := fitsInput(m.values[i], b.signature(i)); err != nil {
			if len(m.inputs) > 1 {
				return fmt.Errorf("unroll: input %q: %w", m.inputs[i].name, err)
			}
			return fmt.Errorf("unroll: %w", err)
		}
	}
	if err := s.read(); err != nil {
		return err
	}
	if err := s.fits(s.in); err != nil {
		return err
	}
	if err := m.checkStates(len(rows)); err != nil {
		return err
	}
	s.n = len(rows)
	if s.onePiece() {
		s.perShard = max(s.n, s.perShard)
	}
	s.shards = (s.n + s.perShard - 1) / s.perShard
	if s.front != nil && s.look() {
		return nil
	}
	if err := m.check(s.in); err != nil {
		return fmt.Errorf("unroll: %w", err)
	}
	return nil
}

// fitsInput fails unless a value is what the model was built for.
func fitsInput(want, got layers.Signature) error {
	kind := func(s layers.Signature) string {
		switch {
		case s.IDs:
			return "ids"
		case s.Text:
			return "texts"
		}
		return "floats"
	}
	if fitsTexts(want, got) {
		return nil
	}
	ok := want.IDs == got.IDs && want.Text == got.Text && len(want.Shape) == len(got.Shape)
	for i := 1; ok && i < len(got.Shape); i++ {
		ok = want.Shape[i] < 0 || want.Shape[i] == got.Shape[i]
	}
	if !ok {
		return fmt.Errorf("expected input of shape %v (%s), got %v (%s)", want.Shape, kind(want), got.Shape, kind(got))
	}
	return nil
}

// judged prepares for losses and metrics of the loaded batch.
func (s *session) judged() error {
	if got := len(s.batch.Y); got != len(s.c.heads) {
		return fmt.Errorf("unroll: expected targets for every output of the model, %d, got %d", len(s.c.heads), got)
	}
	if err := s.weighClasses(); err != nil {
		return err
	}
	s.divisors = s.divisors[:0]
	for i, h := range s.c.heads {
		perRow, width := h.items(s.returned[i])
		items, y := s.n*perRow, &s.batch.Y[i]
		if h.trained != nil {
			if err := h.trained.CheckTarget(y.Target, items, width); err != nil {
				return fmt.Errorf("unroll: %w", err)
			}
		}
		if got := len(y.Weights); y.Weights != nil && got != s.n && got != items {
			return fmt.Errorf("unroll: expected a sample weight for every row, %d, or for every item, %d, got %d", s.n, items, got)
		}
		s.divisors = append(s.divisors, s.divisor(i))
	}
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
	for i := range w.heads {
		w.setLogits(i, s.c != nil && s.c.heads[i].onLogits)
	}
	from := s.model.texts
	if s.front != nil {
		from = s.front.last + 1
		w.pass.Rows = s.front.order[lo:hi]
		w.values[s.front.value()] = s.front.forward(w, shard, s.grads != nil)
	} else {
		w.take(s.in, lo, hi)
	}
	w.forward(from)
	for i, keep := range s.keep {
		s.keepRows(keep, &w.values[w.graph.outputs[i]], lo)
	}
	if s.c == nil {
		return
	}
	if s.grads != nil {
		clear(w.passer.grads)
	}
	sum := &s.sums[shard]
	sum.reset()
	for i := range w.heads {
		s.judge(w, i, lo, hi, sum)
	}
	sum.loss += w.penalty
	if s.grads == nil {
		return
	}
	w.backward(from, s.wanted)
	if s.front != nil {
		s.front.backward(w, shard, w.passer.grads[s.front.value()], w.pass.Grads)
	}
	s.grads.sumRows(w, shard)
	s.grads.done(shard, s.leaves)
}

// judge adds the loss and the metrics of output i to sum, and hands the gradient to the way back.
func (s *session) judge(w *worker, i, lo, hi int, sum *sums) {
	h, work, b := s.c.heads[i], &w.heads[i], &s.batch.Y[i]
	y := labels{b.Target, b.Weights}
	if s.front != nil {
		y = s.front.labels
	}
	perRow := y.target.Len() / s.n
	y.target = y.target.Slice(lo*perRow, hi*perRow)
	if y.weights != nil {
		perRow := len(y.weights) / s.n
		y.weights = y.weights[lo*perRow : hi*perRow]
	}
	w.predicted(i, !h.onLogits || len(h.counts) > 0)
	var logits []float32
	if h.onLogits {
		logits = w.logits(i)
	}
	v := &sum.heads[i]
	work.judge.share = s.pass.Share
	dout := work.judge.count(h, &work.out, logits, y, s.divisors[i], v, s.grads != nil)
	sum.loss += v.loss * h.LossWeight.Or(1)
	if dout != nil {
		w.give(i, dout)
	}
}

// keepRows puts the predictions of a shard, which begins with row lo, where its rows stand in the batch.
func (s *session) keepRows(keep []float32, pred *layers.Value, lo int) {
	n, width, steps := pred.Shape[0], len(keep)/s.n, 1
	if pred.TimeMajor {
		steps = pred.Shape[1]
	}
	part := width / max(1, steps)
	for i := range n {
		r := lo + i
		if s.front != nil {
			r = s.front.order[r]
		}
		row := keep[r*width : (r+1)*width]
		for t := range steps {
			copy(row[t*part:(t+1)*part], pred.Data[(t*n+i)*part:])
		}
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
	if s.together() {
		s.pass.Share = s.crew.share()
		for shard := range s.shards {
			s.doShard(s.workers[0], shard)
		}
	} else {
		s.pass.Share = nil
		s.run(s.doShards, s.shards)
	}
	if s.grads != nil {
		s.lookForBroken()
	}
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

// collect adds the shards' sums to those of the epoch, in order, the losses weighted by the batch's rows; it returns the loss.
func (s *session) collect(total *sums) float64 {
	loss := s.model.penalty()
	for k := range s.shards {
		part := &s.sums[k]
		loss += part.loss
		for i := range part.heads {
			total.heads[i].loss += part.heads[i].loss * float64(s.n)
		}
		total.merge(part)
		part.reset()
	}
	total.loss += loss * float64(s.n)
	return loss
}
