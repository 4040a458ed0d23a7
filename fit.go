package unroll

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// FitOption is a setting of Fit, Evaluate or Predict.
type FitOption func(*fitOptions)

type fitOptions struct {
	epochs, initial, batch int
	split                  float64
	validation             Data
	shuffle                bool
	callbacks              []Callback
	class                  map[int]float64
}

// Epochs is the number of times that all rows are seen; 1 unless set. With InitialEpoch it is the number of the last one.
func Epochs(n int) FitOption { return func(o *fitOptions) { o.epochs = n } }

// InitialEpoch is where the counting of epochs begins.
func InitialEpoch(n int) FitOption { return func(o *fitOptions) { o.initial = n } }

// BatchSize is the number of rows of a step; 32 unless set. The last batch of an epoch may have fewer.
func BatchSize(n int) FitOption { return func(o *fitOptions) { o.batch = n } }

// ValidationSplit sets the last part of the rows aside, before any shuffling, to validate on after each epoch.
func ValidationSplit(part float64) FitOption { return func(o *fitOptions) { o.split = part } }

// ValidationData are the rows to validate on after each epoch; ValidationSplit is then ignored.
func ValidationData(d Data) FitOption { return func(o *fitOptions) { o.validation = d } }

// Shuffle says whether rows come in a new random order each epoch; they do unless it is false.
func Shuffle(on bool) FitOption { return func(o *fitOptions) { o.shuffle = on } }

// Callbacks are told how the training goes.
func Callbacks(c ...Callback) FitOption {
	return func(o *fitOptions) { o.callbacks = append(o.callbacks, c...) }
}

func newFitOptions(opts []FitOption) (*fitOptions, error) {
	o := &fitOptions{epochs: 1, batch: 32, shuffle: true}
	for _, set := range opts {
		set(o)
	}
	switch {
	case o.batch <= 0:
		return nil, fmt.Errorf("unroll: batch_size must be positive, got %d", o.batch)
	case o.epochs < 0:
		return nil, fmt.Errorf("unroll: epochs must not be negative, got %d", o.epochs)
	case o.initial < 0:
		return nil, fmt.Errorf("unroll: initial_epoch must not be negative, got %d", o.initial)
	case !(o.split >= 0 && o.split < 1):
		return nil, fmt.Errorf("unroll: validation_split must be from 0 to below 1, got %v", o.split)
	}
	return o, nil
}

// Callback is told how a training goes. An error ends it and is returned by Fit. Embed NoCallback to have what you do not need.
type Callback interface {
	TrainBegin(t *Training) error
	EpochBegin(t *Training) error
	// BatchEnd has the means since the epoch's start, as Keras shows them.
	BatchEnd(t *Training, logs Logs) error
	EpochEnd(t *Training, logs Logs) error
	TrainEnd(t *Training) error
}

// NoCallback does nothing.
type NoCallback struct{}

func (NoCallback) TrainBegin(*Training) error     { return nil }
func (NoCallback) EpochBegin(*Training) error     { return nil }
func (NoCallback) BatchEnd(*Training, Logs) error { return nil }
func (NoCallback) EpochEnd(*Training, Logs) error { return nil }
func (NoCallback) TrainEnd(*Training) error       { return nil }

// Training is what callbacks see of a running Fit.
type Training struct {
	Model                      *Model
	Epoch, Epochs              int // Epoch counts from 0
	Step, Steps                int // Step is the number of batches done in this epoch
	Samples, ValidationSamples int
	BatchSize                  int
	Validating                 bool // in BatchEnd: a batch of the validation is done
	// Stop ends the training when a callback sets it: in BatchEnd without the epoch's other batches, then the epoch ends as any other.
	Stop bool

	logs Logs // of the epoch that ends
}

// Add adds a value to the logs of the epoch that ends, for the callbacks that follow and for the history, unless it is there. It may be called in EpochEnd.
func (t *Training) Add(name string, value float64) {
	if _, ok := t.logs.Get(name); !ok {
		t.logs = append(t.logs, Log{name, value})
	}
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
	c := m.compiled
	h := &History{Epochs: o.epochs, BatchSize: o.batch, Samples: train.Len()}
	t := &Training{Model: m, Epochs: o.epochs, Samples: train.Len(), BatchSize: o.batch, Steps: (train.Len() + o.batch - 1) / o.batch}
	if val != nil {
		t.ValidationSamples, h.ValidationSamples = val.Len(), val.Len()
	}
	s := m.newSession(c, true)
	s.class = o.class
	defer s.close()
	v := &session{crew: s.crew, c: c, perShard: s.perShard} // the same workers validate
	t.Epoch = o.initial                                     // where TrainBegin may move it on from
	if err := each(o.callbacks, func(cb Callback) error { return cb.TrainBegin(t) }); err != nil {
		return h, err
	}
	for ; t.Epoch < o.epochs && !t.Stop; t.Epoch++ {
		if err := s.epoch(ctx, train, val, v, t, o, h); err != nil {
			return h, err
		}
	}
	if o.epochs > 0 {
		m.settleAverages()
	}
	return h, each(o.callbacks, func(cb Callback) error { return cb.TrainEnd(t) })
}

// epoch trains on all rows once, validates, and reports.
func (s *session) epoch(ctx context.Context, train, val Data, v *session, t *Training, o *fitOptions, h *History) error {
	t.Step, t.Validating = 0, false
	if err := each(o.callbacks, func(cb Callback) error { return cb.EpochBegin(t) }); err != nil {
		return err
	}
	order := make([]int, train.Len())
	for i := range order {
		order[i] = i
	}
	if o.shuffle {
		random.New(s.model.seed, random.Shuffle, uint64(t.Epoch)).Shuffle(len(order), func(i, j int) {
			order[i], order[j] = order[j], order[i]
		})
	}
	total, seen := newSums(s.c), 0
	s.begin()
	for lo := 0; lo < len(order); lo += o.batch {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("unroll: training was stopped in epoch %d after %d steps: %w", t.Epoch+1, t.Step, err)
		}
		rows := order[lo:min(lo+o.batch, len(order))]
		if _, err := s.train(train, rows, t.Epoch, t.Step, &total); err != nil {
			return err
		}
		t.Step++
		seen += len(rows)
		logs := s.c.logs(&total, seen, "")
		if err := each(o.callbacks, func(cb Callback) error { return cb.BatchEnd(t, logs) }); err != nil {
			return err
		}
		if t.Stop {
			break
		}
	}
	logs := s.c.logs(&total, seen, "")
	if val != nil {
		v.begin()
		t.Validating = true
		vl, err := v.testAll(ctx, val, o.batch)
		if err != nil {
			return err
		}
		logs = append(logs, s.c.logs(vl, val.Len(), "val_")...)
		t.Validating = false
	}
	t.logs = logs
	err := each(o.callbacks, func(cb Callback) error { return cb.EpochEnd(t, t.logs) })
	h.add(t.Epoch, t.logs)
	return err
}

// testAll computes the sums of all rows, in order.
func (s *session) testAll(ctx context.Context, d Data, batch int) (*sums, error) {
	total := newSums(s.c)
	for lo := 0; lo < d.Len(); lo += batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("unroll: evaluation was stopped after %d rows: %w", lo, err)
		}
		if err := s.test(d, s.some(lo, min(lo+batch, d.Len())), &total); err != nil {
			return nil, err
		}
	}
	return &total, nil
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
func (c *compiled) logs(total *sums, seen int, prefix string) Logs {
	l := Logs{{prefix + "loss", total.loss / float64(max(1, seen))}}
	if len(c.heads) > 1 {
		for i, h := range c.heads {
			if h.Loss != nil {
				l = append(l, Log{prefix + h.name + "_loss", total.heads[i].loss / float64(max(1, seen))})
			}
		}
	}
	for i, h := range c.heads {
		for k, n := range h.counts {
			l = append(l, Log{prefix + n.name, n.meter.Result(total.heads[i].meters[k])})
		}
	}
	return l
}

func each(callbacks []Callback, tell func(Callback) error) error {
	for _, cb := range callbacks {
		if err := tell(cb); err != nil {
			return err
		}
	}
	return nil
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
	total, err := s.testAll(ctx, data, o.batch)
	if err != nil {
		return nil, err
	}
	return m.compiled.logs(total, data.Len(), ""), nil
}

// Predict is the output of a model with one for every row of the data, (rows, …). Targets are not looked at.
func (m *Model) Predict(ctx context.Context, data Data, opts ...FitOption) (*tensor.Tensor, error) {
	if m.built && len(m.outputs) > 1 {
		return nil, fmt.Errorf("unroll: Predict: the model has %d outputs: use PredictAll", len(m.outputs))
	}
	all, err := m.PredictAll(ctx, data, opts...)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// PredictAll are the model's outputs for every row of the data, each (rows, …). Targets are not looked at.
func (m *Model) PredictAll(ctx context.Context, data Data, opts ...FitOption) ([]*tensor.Tensor, error) {
	o, err := newFitOptions(opts)
	if err != nil {
		return nil, err
	}
	if !m.built {
		return nil, errors.New("unroll: Predict: the model is not built: nothing says what its weights are")
	}
	n := data.Len()
	s := m.newSession(nil, false)
	defer s.close()
	m.prepare(false)
	out := make([]*tensor.Tensor, len(m.outputs))
	s.keep = make([][]float32, len(out))
	for lo := 0; lo < n; lo += o.batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("unroll: prediction was stopped after %d rows: %w", lo, err)
		}
		hi := min(lo+o.batch, n)
		if err := s.load(data, s.some(lo, hi)); err != nil {
			return nil, err
		}
		for i, shape := range s.returned {
			row := shape[1:]
			if out[i] == nil {
				out[i] = tensor.New(append([]int{n}, row...)...)
			} else if !out[i].Shape[1:].Equal(row) {
				return nil, fmt.Errorf("unroll: Predict: batches give rows of different shapes, %v and %v", out[i].Shape[1:], row)
			}
			w := row.Size()
			s.keep[i] = out[i].Data[lo*w : hi*w]
		}
		s.runBatch()
	}
	for i, shape := range m.Outputs() {
		if out[i] == nil {
			row := shape[1:].Clone()
			for k := range row {
				row[k] = max(0, row[k])
			}
			out[i] = tensor.New(append([]int{0}, row...)...)
		}
	}
	return out, nil
}
