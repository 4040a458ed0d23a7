package unroll_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/initializers"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// watched is data that write down which rows are asked for.
type watched struct {
	unroll.Data
	first   int // what row 0 is called
	batches *[][]int
}

func (w watched) Batch(dst *unroll.Batch, rows []int) error {
	if *w.batches != nil {
		b := make([]int, len(rows))
		for i, r := range rows {
			b[i] = r + w.first
		}
		*w.batches = append(*w.batches, b)
	}
	return w.Data.Batch(dst, rows)
}

// numbers are rows that are their own targets: first, first+1, …
func numbers(t *testing.T, n, first int) unroll.Data {
	t.Helper()
	x := tensor.New(n, 1)
	for i := range x.Data {
		x.Data[i] = float32(first + i)
	}
	d, err := unroll.Arrays(x, x)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// still is a model that predicts 0 and does not learn.
func still(t *testing.T) *unroll.Model {
	t.Helper()
	m, err := unroll.Sequential(layers.Dense{Units: 1, NoBias: true, KernelInitializer: initializers.Zeros{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Compile(optimizers.SGD{LearningRate: tensor.F(0)}, losses.MeanSquaredError{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// epochOf is what happens in an epoch.
type epochOf struct {
	Epoch, Steps int
	Train, Test  [][]int
	Keys         []string
}

// places writes down what comes in each epoch, as oracle/fit.py does.
type places struct {
	unroll.NoCallback
	batches *[][]int
	epochs  []epochOf
}

func (p *places) EpochBegin(t *unroll.Training) error {
	p.epochs = append(p.epochs, epochOf{Epoch: t.Epoch, Steps: t.Steps})
	*p.batches = [][]int{}
	return nil
}

func (p *places) TestBegin(*unroll.Training) error {
	p.epochs[len(p.epochs)-1].Train = *p.batches
	*p.batches = [][]int{}
	return nil
}

func (p *places) TestBatchEnd(*unroll.Training, unroll.Logs) error { return nil }

func (p *places) TestEnd(*unroll.Training, unroll.Logs) error {
	p.epochs[len(p.epochs)-1].Test = *p.batches
	return nil
}

func (p *places) EpochEnd(_ *unroll.Training, logs unroll.Logs) error {
	e := &p.epochs[len(p.epochs)-1]
	if e.Train == nil {
		e.Train = *p.batches
	}
	for _, l := range logs {
		e.Keys = append(e.Keys, l.Name)
	}
	slices.Sort(e.Keys)
	return nil
}

// fitOption is one of Keras's arguments of fit, evaluate or predict.
func fitOption(t *testing.T, verb, name string, value any) unroll.FitOption {
	t.Helper()
	n := func() int { return int(value.(float64)) }
	switch name {
	case "epochs":
		return unroll.Epochs(n())
	case "initial_epoch":
		return unroll.InitialEpoch(n())
	case "batch_size":
		return unroll.BatchSize(n())
	case "steps_per_epoch":
		return unroll.StepsPerEpoch(n())
	case "steps":
		return unroll.Steps(n())
	case "validation_batch_size":
		return unroll.ValidationBatchSize(n())
	case "validation_steps":
		return unroll.ValidationSteps(n())
	case "validation_split":
		return unroll.ValidationSplit(value.(float64))
	case "validation_freq":
		if list, ok := value.([]any); ok {
			var epochs []int
			for _, e := range list {
				epochs = append(epochs, int(e.(float64)))
			}
			return unroll.ValidationEpochs(epochs...)
		}
		return unroll.ValidationFreq(n())
	case "shuffle":
		return unroll.ShuffleBatches()
	}
	t.Fatalf("%s: unknown argument %s", verb, name)
	return nil
}

// The rows that fit, evaluate and predict take, batch by batch, and the losses, are those of Keras 3.15.1.
func TestRowsAsKerasTakesThem(t *testing.T) {
	var file struct {
		Cases []struct {
			Verb             string
			Rows, Validation int
			Arguments        map[string]any
			Epochs           []epochOf
			History          map[string][]float64
			Batches          [][]int
			Loss             float64
			Predicted        int
		}
	}
	text, err := os.ReadFile("testdata/fit.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 30 {
		t.Fatalf("expected at least 30 cases, got %d", len(file.Cases))
	}
	for _, c := range file.Cases {
		var batches [][]int
		data := watched{numbers(t, c.Rows, 0), 0, &batches}
		opts := []unroll.FitOption{unroll.Shuffle(false)}
		for name, value := range c.Arguments {
			opts = append(opts, fitOption(t, c.Verb, name, value))
		}
		m := still(t)
		switch c.Verb {
		case "fit":
			p := &places{batches: &batches}
			opts = append(opts, unroll.Callbacks(p))
			if c.Validation > 0 {
				opts = append(opts, unroll.ValidationData(watched{numbers(t, c.Validation, 100), 100, &batches}))
			}
			h, err := m.Fit(t.Context(), data, opts...)
			if err != nil {
				t.Fatalf("%v: %v", c.Arguments, err)
			}
			if c.Arguments["shuffle"] != nil {
				for _, e := range p.epochs {
					for _, b := range e.Train {
						slices.Sort(b)
					}
				}
			}
			if d := cmp.Diff(c.Epochs, p.epochs, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%v (-Keras +ours):\n%s", c.Arguments, d)
			}
			if len(h.Keys()) != len(c.History) {
				t.Errorf("%v: history has %v, want %v", c.Arguments, h.Keys(), c.History)
			}
			for k, want := range c.History {
				got := h.Values(k)
				if len(got) != len(want) {
					t.Fatalf("%v: %s: got %v, want %v", c.Arguments, k, got, want)
				}
				for i := range want {
					if !(math.Abs(got[i]-want[i]) <= 1e-6*want[i]) {
						t.Errorf("%v: %s of epoch %d: got %v, want %v", c.Arguments, k, i, got[i], want[i])
					}
				}
			}
		default:
			if err := m.Build(tensor.Shape{tensor.None, 1}); err != nil {
				t.Fatal(err)
			}
			if c.Verb == "evaluate" {
				logs, err := m.Evaluate(t.Context(), data, append(opts, unroll.Callbacks(&starts{batches: &batches}))...)
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := logs.Get("loss"); !(math.Abs(got-c.Loss) <= 1e-6*c.Loss) {
					t.Errorf("%v: loss %v, want %v", c.Arguments, got, c.Loss)
				}
			} else {
				out, err := m.Predict(t.Context(), data, append(opts, unroll.Callbacks(&starts{batches: &batches}))...)
				if err != nil {
					t.Fatal(err)
				}
				if out.Shape[0] != c.Predicted {
					t.Errorf("%v: %d rows, want %d", c.Arguments, out.Shape[0], c.Predicted)
				}
			}
			if d := cmp.Diff(c.Batches, batches); d != "" {
				t.Errorf("%s %v (-Keras +ours):\n%s", c.Verb, c.Arguments, d)
			}
		}
	}
}

// starts begins to write down where an evaluation or a prediction begins.
type starts struct {
	unroll.NoCallback
	batches *[][]int
}

func (s *starts) begin() error                                     { *s.batches = [][]int{}; return nil }
func (s *starts) TestBegin(*unroll.Training) error                 { return s.begin() }
func (s *starts) TestBatchEnd(*unroll.Training, unroll.Logs) error { return nil }
func (s *starts) TestEnd(*unroll.Training, unroll.Logs) error      { return nil }
func (s *starts) PredictBegin(*unroll.Training) error              { return s.begin() }
func (s *starts) PredictBatchEnd(*unroll.Training) error           { return nil }
func (s *starts) PredictEnd(*unroll.Training) error                { return nil }

// A pass over the rows that lasts for several epochs takes each row once, in one random order; the next pass takes another.
func TestAPassOverSeveralEpochs(t *testing.T) {
	var batches [][]int
	p := &places{batches: &batches}
	if _, err := still(t).Fit(t.Context(), watched{numbers(t, 40, 0), 0, &batches}, unroll.BatchSize(4), unroll.StepsPerEpoch(3), unroll.Epochs(8), unroll.Callbacks(p)); err != nil {
		t.Fatal(err)
	}
	var passes [][]int
	for i, e := range p.epochs {
		if i%4 == 0 {
			passes = append(passes, nil)
		}
		if want := []int{3, 3, 3, 1}[i%4]; len(e.Train) != want {
			t.Errorf("epoch %d has %d steps, want %d", i, len(e.Train), want)
		}
		for _, b := range e.Train {
			passes[len(passes)-1] = append(passes[len(passes)-1], b...)
		}
	}
	if len(passes) != 2 || slices.Equal(passes[0], passes[1]) || slices.IsSorted(passes[0]) {
		t.Fatalf("the passes are %v", passes)
	}
	for _, rows := range passes {
		slices.Sort(rows)
		for i, r := range rows {
			if len(rows) != 40 || i != r {
				t.Fatalf("a pass has %v", rows)
			}
		}
	}
}

// Shuffled within batches, rows do change places, and differently in each pass.
func TestShuffleBatches(t *testing.T) {
	var batches [][]int
	p := &places{batches: &batches}
	if _, err := still(t).Fit(t.Context(), watched{numbers(t, 40, 0), 0, &batches}, unroll.BatchSize(20), unroll.ShuffleBatches(), unroll.Epochs(2), unroll.Callbacks(p)); err != nil {
		t.Fatal(err)
	}
	a, b := p.epochs[0].Train, p.epochs[1].Train
	for i := range 2 {
		if slices.IsSorted(a[i]) || slices.Equal(a[i], b[i]) || slices.Min(a[i]) != 20*i || slices.Max(a[i]) != 20*i+19 {
			t.Errorf("batch %d is %v, then %v", i, a[i], b[i])
		}
	}
}

func TestFitOptionsRefused(t *testing.T) {
	for _, c := range []struct {
		opt  unroll.FitOption
		want string
	}{
		{unroll.BatchSize(0), "unroll: batch_size must be positive, got 0"},
		{unroll.StepsPerEpoch(0), "unroll: steps must be positive, got 0"},
		{unroll.ValidationBatchSize(-1), "unroll: validation_batch_size must be positive, got -1"},
		{unroll.ValidationSteps(0), "unroll: validation_steps must be positive, got 0"},
		{unroll.ValidationFreq(0), "unroll: validation_freq must be positive, got 0"},
		{unroll.ValidationEpochs(1, 0), "unroll: validation_freq must list epochs from 1, got 0"},
		{unroll.InitialEpoch(-1), "unroll: initial_epoch must not be negative, got -1"},
	} {
		if _, err := still(t).Fit(t.Context(), numbers(t, 4, 0), c.opt); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
}

// failing is a callback that fails in one place.
type failing struct {
	unroll.NoCallback
	at string
}

var errHere = errors.New("here")

func (f failing) fail(at string) error {
	if strings.Contains(f.at, at) {
		return errHere
	}
	return nil
}
func (f failing) BatchBegin(*unroll.Training) error                { return f.fail("batch begin") }
func (f failing) TestBegin(*unroll.Training) error                 { return f.fail("test begin") }
func (f failing) TestBatchEnd(*unroll.Training, unroll.Logs) error { return f.fail("test batch") }
func (f failing) TestEnd(*unroll.Training, unroll.Logs) error      { return f.fail("test end") }
func (f failing) PredictBegin(*unroll.Training) error              { return f.fail("predict begin") }
func (f failing) PredictBatchEnd(*unroll.Training) error           { return f.fail("predict batch") }
func (f failing) PredictEnd(*unroll.Training) error                { return f.fail("predict end") }

// An error of a callback ends what it is called in.
func TestACallbackFails(t *testing.T) {
	d := numbers(t, 4, 0)
	for _, at := range []string{"batch begin", "test begin", "test batch", "test end"} {
		if _, err := still(t).Fit(t.Context(), d, unroll.ValidationData(d), unroll.Callbacks(failing{at: at})); err != errHere {
			t.Errorf("Fit, %s: got %v", at, err)
		}
	}
	m := still(t)
	if err := m.Build(tensor.Shape{tensor.None, 1}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"test begin", "test batch", "test end"} {
		if _, err := m.Evaluate(t.Context(), d, unroll.Callbacks(failing{at: at})); err != errHere {
			t.Errorf("Evaluate, %s: got %v", at, err)
		}
	}
	for _, at := range []string{"predict begin", "predict batch", "predict end"} {
		if _, err := m.Predict(t.Context(), d, unroll.Callbacks(failing{at: at})); err != errHere {
			t.Errorf("Predict, %s: got %v", at, err)
		}
	}
}
