package unroll

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// fit is a training under way.
type fit struct {
	*fitOptions
	training   Training
	train, val Data
	walk       walk
	history    *History
	learn      *session
	judge      *session // validates; nil where nothing is
	// Of the epoch.
	total sums
	seen  int // rows
	norms float64
}

// Fit trains the model. The history is returned also with an error: it holds the epochs that were finished. When ctx is
// cancelled, training stops between two steps with ctx's error.
func (m *Model) Fit(ctx context.Context, data Data, opts ...FitOption) (*History, error) {
	o, err := newFitOptions(opts)
	if err != nil {
		return nil, err
	}
	if m.compiled == nil {
		return nil, errors.New("unroll: Fit: the model must be compiled first")
	}
	train, val, err := split(data, o)
	if err != nil {
		return nil, err
	}
	if err := m.ready(train); err != nil {
		return nil, err
	}
	if val != nil {
		if err := m.ready(val); err != nil {
			return nil, fmt.Errorf("validation data: %w", err)
		}
	}
	f := &fit{fitOptions: o, train: train, val: val, learn: m.newSession(m.compiled, true)}
	f.learn.class, f.learn.watch = o.class, o.gradientNorm
	defer f.learn.close()
	f.walk = walk{rows: train.Len(), batch: batchOf(o.batch, o.steps, train.Len()), shuffle: o.shuffle}
	t := &f.training
	*t = Training{Model: m, Epoch: o.initial, Epochs: o.epochs, Samples: train.Len(), BatchSize: f.walk.batch, Steps: o.steps.or(f.walk.batches()), fit: f}
	f.history = &History{Epochs: o.epochs, BatchSize: t.BatchSize, Samples: t.Samples}
	if val != nil {
		t.ValidationSamples, f.history.ValidationSamples = val.Len(), val.Len()
		f.judge = &session{crew: f.learn.crew, c: m.compiled, perShard: f.learn.perShard} // the same workers validate
	}
	return f.history, f.run(ctx)
}

// run trains epoch by epoch, from where the training stands.
func (f *fit) run(ctx context.Context) error {
	t := &f.training
	if err := each(f.callbacks, func(k Keeper) error { return k.Resume(t) }); err != nil {
		return err
	}
	if err := each(f.callbacks, func(cb Callback) error { return cb.TrainBegin(t) }); err != nil { // which may move Epoch on
		return err
	}
	for t.Epoch < f.epochs && (!t.Stop || t.Step > 0) {
		if err := f.epoch(ctx); err != nil {
			return err
		}
	}
	if f.epochs > 0 {
		t.Model.settleAverages()
	}
	if err := each(f.callbacks, func(cb Callback) error { return cb.TrainEnd(t) }); err != nil {
		return err
	}
	return each(f.callbacks, func(k Keeper) error { return k.Done(t) })
}

// epoch trains to the end of an epoch, validates, and reports.
func (f *fit) epoch(ctx context.Context) error {
	t, s := &f.training, f.learn
	if t.Step == 0 { // otherwise it goes on
		if err := each(f.callbacks, func(cb Callback) error { return cb.EpochBegin(t) }); err != nil {
			return err
		}
		if f.total, f.seen, f.norms, t.Rows = newSums(s.c), 0, 0, 0; !f.steps.given || f.walk.order == nil || f.walk.done == f.walk.batches() {
			f.walk.begin(t.Model.seed, t.Epoch)
		}
	}
	s.begin()
	for t.Step < t.Steps && !t.Stop {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("unroll: training was stopped in epoch %d after %d steps: %w", t.Epoch+1, t.Step, err)
		}
		rows := f.walk.next()
		if rows == nil {
			break
		}
		if err := f.step(rows); err != nil {
			return err
		}
	}
	t.logs = f.logs()
	if f.judge != nil && f.validates(t.Epoch) {
		if err := f.validate(ctx); err != nil {
			return err
		}
	}
	err := each(f.callbacks, func(cb Callback) error { return cb.EpochEnd(t, t.logs) })
	f.history.add(t.Epoch, t.logs)
	if err != nil {
		return err
	}
	t.Epoch, t.Step = t.Epoch+1, 0
	return each(f.callbacks, func(k Keeper) error { return k.Keep(t) })
}

// step takes one.
func (f *fit) step(rows []int) error {
	t, s := &f.training, f.learn
	if err := each(f.callbacks, func(cb BatchBeginner) error { return cb.BatchBegin(t) }); err != nil {
		return err
	}
	if _, err := s.train(f.train, rows, t.Epoch, t.Step, &f.total); err != nil {
		return err
	}
	t.Step++
	t.Broken = s.broken
	f.norms += s.norm
	f.seen += len(rows)
	t.Rows = f.seen
	if len(f.callbacks) == 0 {
		return nil
	}
	logs := f.logs()
	if err := each(f.callbacks, func(cb Callback) error { return cb.BatchEnd(t, logs) }); err != nil {
		return err
	}
	return each(f.callbacks, func(k Keeper) error { return k.Keep(t) })
}

// logs are those of the epoch so far.
func (f *fit) logs() Logs {
	l := f.learn.c.logs(&f.total, f.seen)
	if f.gradientNorm {
		l = append(l, Log{"gradient_norm", f.norms / float64(max(1, f.training.Step))})
	}
	return l
}

// validate adds what the validation gives to the logs of the epoch.
func (f *fit) validate(ctx context.Context) error {
	t := f.training // whose steps are those of the validation
	batch := f.validationBatch
	if !batch.given {
		batch = f.batch
	}
	t.Validating, t.Samples = true, f.val.Len()
	f.judge.begin()
	logs, err := f.judge.evaluate(ctx, f.val, &t, batch, f.validationN, f.callbacks)
	if err != nil {
		return err
	}
	f.training.Stop = f.training.Stop || t.Stop
	for _, l := range logs {
		f.training.logs = append(f.training.logs, Log{"val_" + l.Name, l.Value})
	}
	return nil
}

// evaluate computes loss and metrics of the rows, in order, and tells callbacks.
func (s *session) evaluate(ctx context.Context, d Data, t *Training, batch, steps count, callbacks []Callback) (Logs, error) {
	t.begin(d.Len(), batch, steps)
	if err := each(callbacks, func(cb Tester) error { return cb.TestBegin(t) }); err != nil {
		return nil, err
	}
	total := newSums(s.c)
	for lo := 0; lo < d.Len() && t.Step < t.Steps; lo += t.BatchSize {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("unroll: evaluation was stopped after %d rows: %w", lo, err)
		}
		hi := min(lo+t.BatchSize, d.Len())
		if err := s.test(d, s.some(lo, hi), &total); err != nil {
			return nil, err
		}
		t.Step, t.Rows = t.Step+1, hi
		if err := each(callbacks, func(cb Tester) error { return cb.TestBatchEnd(t, s.c.logs(&total, t.Rows)) }); err != nil {
			return nil, err
		}
	}
	logs := s.c.logs(&total, t.Rows)
	return logs, each(callbacks, func(cb Tester) error { return cb.TestEnd(t, logs) })
}

// begin counts the steps of an evaluation or prediction from 0.
func (t *Training) begin(rows int, batch, steps count) {
	t.Step, t.Rows, t.BatchSize = 0, 0, batchOf(batch, steps, rows)
	t.Steps = steps.or(ceil(rows, t.BatchSize))
}

// some is the row numbers lo to before hi.
func (s *session) some(lo, hi int) []int {
	s.rows = s.rows[:0]
	for r := lo; r < hi; r++ {
		s.rows = append(s.rows, r)
	}
	return s.rows
}

// logs are loss and metrics of the sums over seen rows.
func (c *compiled) logs(total *sums, seen int) Logs {
	l := Logs{{"loss", total.loss / float64(max(1, seen))}}
	if len(c.heads) > 1 {
		for i, h := range c.heads {
			if h.Loss != nil {
				l = append(l, Log{h.name + "_loss", total.heads[i].loss / float64(max(1, seen))})
			}
		}
	}
	for i, h := range c.heads {
		for k, n := range h.counts {
			l = append(l, Log{n.name, n.meter.Result(total.heads[i].meters[k])})
		}
	}
	return l
}

// split sets the last part of the rows aside for validation.
func split(data Data, o *fitOptions) (train, val Data, err error) {
	n := data.Len()
	if n == 0 {
		return nil, nil, errors.New("unroll: Fit: the data have no rows")
	}
	if o.validation != nil {
		return data, o.validation, nil
	}
	if o.split == 0 {
		return data, nil, nil
	}
	at := int(math.Floor(float64(n) * (1 - o.split)))
	if at == 0 || at == n {
		return nil, nil, fmt.Errorf("unroll: Fit: validation_split %v leaves no rows to %s of %d",
			o.split, map[bool]string{true: "train on", false: "validate on"}[at == 0], n)
	}
	return &span{Data: data, from: 0, n: at}, &span{Data: data, from: at, n: n - at}, nil
}

// ready builds the model for these data, where it is not built yet, and fits loss and metrics to their targets.
func (m *Model) ready(d Data) error {
	x, y, err := shapes(d, &Batch{})
	if err != nil {
		return err
	}
	if !m.built {
		// The length of sequences may differ from batch to batch.
		if len(x) != 1 {
			return fmt.Errorf("unroll: expected data with one input for a sequential model, got %d", len(x))
		}
		in := x[0]
		if len(in.Shape) > 2 {
			in.Shape[1] = tensor.None
		}
		if err := m.build(in); err != nil {
			return err
		}
	}
	if m.compiled == nil {
		return nil
	}
	return m.compiled.resolve(m, y)
}

// Evaluate is the loss and the metrics on the data.
func (m *Model) Evaluate(ctx context.Context, data Data, opts ...FitOption) (Logs, error) {
	o, err := newFitOptions(opts)
	if err != nil {
		return nil, err
	}
	if m.compiled == nil {
		return nil, errors.New("unroll: Evaluate: the model must be compiled first")
	}
	if err := m.ready(data); err != nil {
		return nil, err
	}
	s := m.newSession(m.compiled, false)
	defer s.close()
	return s.evaluate(ctx, data, &Training{Model: m, Samples: data.Len()}, o.batch, o.steps, o.callbacks)
}
