package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// benchFlags are what `unroll bench` takes.
type benchFlags struct {
	trainFlags
	batches, repeats int
	savings          bool
	save             map[unroll.Saving]*bool
	verbose          bool
}

func benchCommand() *cobra.Command {
	f := benchFlags{save: map[unroll.Saving]*bool{}}
	cmd := &cobra.Command{
		Use:   "bench [MODEL]",
		Short: "Measure a training step, a prediction of a batch and of one row",
		Long: `bench measures how long a model takes on DATA: a training step, the prediction of a batch, the prediction of
one row. Every batch is measured several times. minimum is the fastest of all; median is the median over the batches
of each one's fastest. A training step is what train does with a batch, reading it and the optimizer included.
GFLOP/s counts the matrix products of a training step as if nothing were saved, so it may pass what the machine can do.

A model that begins with an embedding may do less and get the same: rows computes each distinct word of a batch
once, and for predictions that follow one another every word of the table, prefix walks a beginning that rows share as one, active leaves out what is masked, touched updates the rows
of the embedding that the batch read. --savings=false switches all off, --rows=false, --prefix=false, --active=false and
--touched=false one. -v says which a layer takes, and why not the others.`,
		Example: `  unroll bench
  unroll bench 'embedding(10000, 32) |> lstm(32) |> dense(1, sigmoid)' --data imdb -v
  unroll bench lstm.keras --data imdb --savings=false --json`,
		Args: between(0, 1, "at most one MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := lecture
			if len(args) > 0 {
				name = args[0]
			}
			return f.run(cmd, name)
		},
	}
	fs := cmd.Flags()
	f.dataFlags.register(fs, "reviews")
	fs.IntVar(&f.batch, "batch-size", 128, "rows of a step")
	fs.IntVar(&f.batches, "batches", 20, "how many batches, from the first row on")
	fs.IntVar(&f.repeats, "repeats", 5, "times that every batch is measured, after one that is not")
	fs.StringVar(&f.optimizer, "optimizer", "rmsprop", "an optimizer by its Keras name, with arguments: 'adam(learning_rate=0.01)'")
	fs.StringVar(&f.loss, "loss", "binary_crossentropy", "a loss by its Keras name")
	fs.Uint64Var(&f.seed, "seed", 0, "decides the first weights and dropout")
	fs.BoolVar(&f.savings, "savings", true, "do less where the result is the same")
	for saving, what := range map[unroll.Saving]string{
		unroll.SavingRows:    "compute each distinct word of a batch once",
		unroll.SavingPrefix:  "walk a beginning that rows share as one",
		unroll.SavingActive:  "leave out what is masked",
		unroll.SavingTouched: "update the rows of an embedding that the batch read",
	} {
		f.save[saving] = fs.Bool(string(saving), true, what)
	}
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "say how embeddings and recurrent layers are computed, and why so")
	fs.BoolVar(&f.json, "json", false, "print the results as one JSON object")
	return cmd
}

// spread is how long one kind of work took.
type spread struct {
	Min    float64   `json:"min"`
	Median float64   `json:"median"`
	Each   []float64 `json:"each"` // the fastest run of every batch
}

// benchReport is what was measured.
type benchReport struct {
	TrainStep    spread  `json:"train_step_ms"`
	PredictBatch spread  `json:"predict_batch_ms"`
	PredictOne   spread  `json:"predict_one_ms"`
	TrainGFLOPS  float64 `json:"train_gflops"`

	CPU     string `json:"cpu"`
	Threads int    `json:"threads"`
	Rows    int    `json:"rows"` // of a batch
	Steps   int    `json:"steps,omitempty"`
	Batches int    `json:"batches"`
	Repeats int    `json:"repeats"`

	Paths  []unroll.Path `json:"paths"`
	Work   *unroll.Work  `json:"work,omitempty"` // of the first batch
	Losses []any         `json:"losses"`         // of the batches, each before its first step; null where there is no number
}

func (f *benchFlags) run(cmd *cobra.Command, name string) error {
	if err := f.check(); err != nil {
		return err
	}
	given := cmd.Flags().Changed("optimizer") || cmd.Flags().Changed("loss")
	m, err := openModel(name, given)
	if err != nil {
		return err
	}
	if err := f.compile(cmd, m, keras3); err != nil {
		return err
	}
	request := f.request(m.wants(), cmd.ErrOrStderr())
	data, _, err := openRows(cmd.Context(), cmd.ErrOrStderr(), request, m)
	if err != nil {
		return err
	}
	if err := m.Without(f.without()...); err != nil {
		return err
	}
	r, err := f.measure(cmd.Context(), m, data)
	if err != nil {
		return stackHint(interruption(err))
	}
	if !f.json {
		return r.print(cmd.OutOrStdout(), f.verbose)
	}
	if f.verbose {
		if err := r.printPaths(cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	return printJSON(cmd.OutOrStdout(), r)
}

// check finds what is wrong with the numbers before anything is read.
func (f *benchFlags) check() error {
	switch {
	case f.batch < 1:
		return usage("--batch-size: expected 1 or more, got %d", f.batch)
	case f.batches < 1:
		return usage("--batches: expected 1 or more, got %d", f.batches)
	case f.repeats < 1:
		return usage("--repeats: expected 1 or more, got %d", f.repeats)
	}
	return f.dataFlags.check()
}

// without are the savings that are switched off.
func (f *benchFlags) without() []unroll.Saving {
	var off []unroll.Saving
	for _, s := range unroll.Savings() {
		if !f.savings || !*f.save[s] {
			off = append(off, s)
		}
	}
	return off
}

// stretch is some consecutive rows of the data.
type stretch struct {
	unroll.Data
	from, n int
}

func (s stretch) Len() int { return s.n }

func (s stretch) Batch(dst *unroll.Batch, rows []int) error {
	at := make([]int, len(rows))
	for i, r := range rows {
		at[i] = s.from + r
	}
	return s.Data.Batch(dst, at)
}

// measure predicts, one row and by batches, and then trains: so the predictions are of the weights that the model came with.
func (f *benchFlags) measure(ctx context.Context, m *model, data unroll.Data) (*benchReport, error) {
	// Whole batches alone, but one of all rows where there are too few.
	rows := min(f.batch, data.Len())
	r := &benchReport{CPU: kernel.Path(), Threads: runtime.GOMAXPROCS(0), Rows: rows,
		Batches: min(f.batches, data.Len()/rows), Repeats: f.repeats, Paths: m.Paths()}
	if r.Paths == nil {
		r.Paths = []unroll.Path{}
	}
	first := make([]int, rows)
	for i := range first {
		first[i] = i
	}
	if work, err := m.Work(data, first); err == nil {
		r.Work, r.Steps = &work, work.Steps
	}
	var err error
	if r.PredictOne, err = r.predict(ctx, m, data, 1, 10*f.repeats); err != nil {
		return nil, err
	}
	if r.PredictBatch, err = r.predict(ctx, m, data, rows, f.repeats); err != nil {
		return nil, err
	}
	clock := &stepClock{best: make([]float64, r.Batches)}
	_, err = m.Fit(ctx, stretch{data, 0, r.Batches * rows}, unroll.Epochs(1+f.repeats), unroll.BatchSize(rows), unroll.Shuffle(false),
		unroll.Callbacks(clock))
	if err != nil {
		return nil, err
	}
	r.TrainStep = spreadOf(clock.best)
	r.TrainGFLOPS = m.Products(r.Steps) * float64(rows) / (r.TrainStep.Median * 1e6)
	for _, loss := range clock.losses {
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			r.Losses = append(r.Losses, nil)
		} else {
			r.Losses = append(r.Losses, loss)
		}
	}
	return r, nil
}

// predict measures the prediction of the first n rows of every batch.
func (r *benchReport) predict(ctx context.Context, m *model, data unroll.Data, n, repeats int) (spread, error) {
	best := make([]float64, r.Batches)
	runtime.GC()
	for round := range 1 + repeats {
		for b := range best {
			part := stretch{data, b * r.Rows, n}
			begin := time.Now()
			if _, err := m.Predict(ctx, part, unroll.BatchSize(n)); err != nil {
				return spread{}, err
			}
			keepBest(best, b, begin, round)
		}
	}
	return spreadOf(best), nil
}

// keepBest notes how long batch b took since begin. Round 0 warms up, its numbers are replaced.
func keepBest(best []float64, b int, begin time.Time, round int) {
	ms := float64(time.Since(begin)) / float64(time.Millisecond)
	if round <= 1 || ms < best[b] {
		best[b] = ms
	}
}

// spreadOf is the fastest and the median of the batches.
func spreadOf(best []float64) spread {
	sorted := slices.Sorted(slices.Values(best))
	n := len(sorted)
	return spread{Min: sorted[0], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Each: best}
}

// stepClock is a callback that measures the steps of a training.
type stepClock struct {
	unroll.NoCallback
	best   []float64 // ms, by batch
	losses []float64 // of the first epoch
	sum    float64   // of losses
	begin  time.Time
}

// EpochBegin starts the first step.
func (c *stepClock) EpochBegin(t *unroll.Training) error {
	if t.Epoch == 0 {
		runtime.GC()
	}
	c.begin = time.Now()
	return nil
}

// BatchEnd ends a step and starts the next. The logs are means over the epoch so far.
func (c *stepClock) BatchEnd(t *unroll.Training, logs unroll.Logs) error {
	keepBest(c.best, t.Step-1, c.begin, t.Epoch)
	if t.Epoch == 0 {
		sum := logs[0].Value * float64(t.Step)
		c.losses = append(c.losses, sum-c.sum)
		c.sum = sum
	}
	c.begin = time.Now()
	return nil
}

// print is the report for people.
func (r *benchReport) print(w io.Writer, verbose bool) error {
	fmt.Fprintf(w, "%-24s%12s%12s\n", "milliseconds", "minimum", "median")
	for _, line := range []struct {
		what string
		took spread
		note string
	}{
		{"training step", r.TrainStep, fmt.Sprintf("   %.3g GFLOP/s", r.TrainGFLOPS)},
		{"prediction of a batch", r.PredictBatch, ""},
		{"prediction of one row", r.PredictOne, ""},
	} {
		fmt.Fprintf(w, "%-24s%12.4g%12.4g%s\n", line.what, line.took.Min, line.took.Median, line.note)
	}
	steps := ""
	if r.Steps > 0 {
		steps = fmt.Sprintf(" of %d steps", r.Steps)
	}
	_, err := fmt.Fprintf(w, "%d x %d rows%s, best of %d; %s, GOMAXPROCS %d\n", r.Batches, r.Rows, steps, r.Repeats, r.CPU, r.Threads)
	if err != nil || !verbose {
		return err
	}
	return r.printPaths(w)
}

// printPaths says how the layers are computed, and why so.
func (r *benchReport) printPaths(w io.Writer) error {
	out := &strings.Builder{}
	predicted := false // and not trained so
	for _, p := range r.Paths {
		fmt.Fprintf(out, "%s (%s)\n", p.Layer, p.Class)
		when := ""
		if p.Plain != "" {
			predicted, when = true, " for predictions; not in training, where "+p.Plain
		}
		for _, s := range unroll.Savings() {
			if why, off := p.Off[s]; off {
				fmt.Fprintf(out, "  %s: off, %s\n", s, why)
			} else if slices.Contains(p.On, s) {
				fmt.Fprintf(out, "  %s: on%s\n", s, when)
			}
		}
		for _, run := range p.Runs {
			fmt.Fprintf(out, "  %s\n", run)
		}
	}
	if k := r.Work; k != nil && len(r.Paths) > 0 {
		what := ""
		if predicted {
			what = ", predicted"
		}
		fmt.Fprintf(out, "first batch%s: %d of %d positions walked", what, k.Walked, k.Positions)
		if k.Prefix > 0 {
			fmt.Fprintf(out, ", %d of them for all rows that share them", k.Prefix)
		}
		fmt.Fprintf(out, "; %d inputs projected\n", k.Inputs)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
