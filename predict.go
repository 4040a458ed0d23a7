package unroll

import (
	"context"
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
)

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
	t := &Training{Model: m, Samples: data.Len()}
	t.begin(t.Samples, o.batch, o.steps)
	n := min(t.Samples, t.Steps*t.BatchSize)
	s := m.newSession(nil, false)
	defer s.close()
	if err := each(o.callbacks, func(cb Predictor) error { return cb.PredictBegin(t) }); err != nil {
		return nil, err
	}
	m.prepare(false) // a callback may have changed weights
	out := make([]*tensor.Tensor, len(m.outputs))
	s.keep = make([][]float32, len(out))
	for lo := 0; lo < n; lo += t.BatchSize {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("unroll: prediction was stopped after %d rows: %w", lo, err)
		}
		hi := min(lo+t.BatchSize, n)
		if err := s.load(data, s.some(lo, hi)); err != nil {
			return nil, err
		}
		if err := s.keepAt(out, n, lo, hi); err != nil {
			return nil, err
		}
		s.runBatch()
		t.Step, t.Rows = t.Step+1, hi
		if err := each(o.callbacks, func(cb Predictor) error { return cb.PredictBatchEnd(t) }); err != nil {
			return nil, err
		}
	}
	if err := each(o.callbacks, func(cb Predictor) error { return cb.PredictEnd(t) }); err != nil {
		return nil, err
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

// keepAt lets the predictions of the loaded batch go to the rows lo to before hi of out, n rows, which is made with the first batch.
func (s *session) keepAt(out []*tensor.Tensor, n, lo, hi int) error {
	for i, shape := range s.returned {
		row := shape[1:]
		if out[i] == nil {
			out[i] = tensor.New(append([]int{n}, row...)...)
		} else if !out[i].Shape[1:].Equal(row) {
			return fmt.Errorf("unroll: Predict: batches give rows of different shapes, %v and %v", out[i].Shape[1:], row)
		}
		w := row.Size()
		s.keep[i] = out[i].Data[lo*w : hi*w]
	}
	return nil
}
