package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
	"github.com/unroll-ml/unroll/plot"
)

// trainFlags are what `unroll train` takes.
type trainFlags struct {
	dataFlags
	epochs, batch            int
	split                    float64
	optimizer, loss, metrics string
	seed                     uint64
	shuffle, json            bool
	out, history, plot       string
	style, profile, backup   string
	verbose                  int
	notes, gradientNorm      bool
}

func trainCommand() *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "train [MODEL]",
		Short: "Train a model; without arguments the lecture's, on made-up reviews",
		Long: `train trains a MODEL on DATA and prints how it goes. Without arguments it is the lecture:
a SimpleRNN over reviews, 10 epochs in batches of 128, a fifth of the rows held back to validate.

A MODEL is a text, in either form, or a .keras file. A compiled file goes on with its own optimizer, loss and
state; with one of --optimizer, --loss and --metrics given, it is compiled afresh with all three.

DATA is reviews (made up, always there), imdb (fetched once), or a file:
  .npz     x_train y_train x_test y_test, or x y; object arrays are sequences of ids
  .csv     numbers, .tsv too; a header is recognized; the last column is the target
  .jsonl   {"x": [1, 14, 22], "y": 1} a line
For a model that begins with text_vectorization, texts, from whose training rows it takes its vocabulary:
  a folder of one folder a class, with a .txt file a text; or of two such, train and test
  .csv     a column text and a column y, .tsv too
  .jsonl   {"text": "what a film", "y": 1} a line`,
		Example: `  unroll train
  unroll train 'embedding(10000, 32) |> lstm(32) |> dense(1, sigmoid)' --out lstm.keras --plot lstm.png
  unroll train 'embedding(10000, 32) |> recurrent(32, cell=my.cell) |> dense(1, sigmoid)' --data imdb
  unroll train lstm.keras --epochs 2 --out lstm.keras
  unroll train 'text_vectorization(10000, output_sequence_length=200) |> embedding(10000, 32) |> lstm(32) |> dense(1, sigmoid)' --data films/
  unroll train --epochs 100 --backup running --out rnn.keras`,
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
	fs.IntVar(&f.epochs, "epochs", 10, "times that all rows are seen")
	fs.IntVar(&f.batch, "batch-size", 128, "rows of a step")
	fs.Float64Var(&f.split, "validation-split", 0.2, "part of the rows, the last, to validate on")
	fs.StringVar(&f.optimizer, "optimizer", "rmsprop", "an optimizer by its Keras name, with arguments: 'adam(learning_rate=0.01)'")
	fs.StringVar(&f.loss, "loss", "binary_crossentropy", "a loss by its Keras name")
	fs.StringVar(&f.metrics, "metrics", "acc", "metrics by their Keras names, with commas")
	fs.Uint64Var(&f.seed, "seed", 0, "decides the first weights, the order of the rows and dropout")
	fs.BoolVar(&f.shuffle, "shuffle", true, "take the rows in a new order each epoch")
	fs.StringVar(&f.out, "out", "", "write the trained model to `FILE.keras`")
	fs.StringVar(&f.history, "history", "", "write losses and metrics by epoch to `FILE.json`, as Keras's history.history")
	fs.StringVar(&f.plot, "plot", "", "draw the history to `FILE`: .svg, .png or .pdf")
	fs.StringVar(&f.style, "style", "keras2", "the table and the progress of keras2, as the lecture prints them, or keras3")
	fs.StringVar(&f.profile, "profile", "keras3", "the Keras whose defaults and formulas are meant: keras2 is the lecture's time")
	fs.IntVar(&f.verbose, "verbose", 1, "progress: 0 none, 1 a bar, 2 a line an epoch")
	fs.BoolVar(&f.gradientNorm, "gradient-norm", false, "report the norm of the gradient beside the loss")
	fs.BoolVarP(&f.notes, "notes", "v", false, "say what the data cost that need not")
	fs.StringVar(&f.backup, "backup", "", "keep the training in `DIR` after every epoch; the same command goes on from there after an interruption")
	fs.BoolVar(&f.json, "json", false, "print the results as one JSON object")
	return cmd
}

func (f *trainFlags) run(cmd *cobra.Command, name string) error {
	style, err := parseStyle(f.style)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	given := cmd.Flags().Changed("optimizer") || cmd.Flags().Changed("loss") || cmd.Flags().Changed("metrics")
	p, err := parseProfile(f.profile)
	if err != nil {
		return err
	}
	m, err := openModelAs(p, name, given)
	if err != nil {
		return err
	}
	if err := f.compile(cmd, m, p); err != nil {
		return err
	}
	out, history, picture, err := f.outputs()
	defer func() {
		out.close()
		history.close()
		picture.close()
	}()
	if err != nil {
		return err
	}
	stdout := cmd.OutOrStdout()
	if f.json {
		stdout = cmd.ErrOrStderr()
	}
	request := f.request(m.wants(), cmd.ErrOrStderr())
	request.split = f.split
	train, test, err := openRows(cmd.Context(), stdout, request, m)
	if err != nil {
		return err
	}
	if err := m.Summary(stdout, style); err != nil {
		return err
	}
	if f.notes {
		note, err := paddingNote(m, train, f.batch)
		if err != nil {
			return err
		}
		if note != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), note)
		}
	}
	line := newProgress(cmd.ErrOrStderr(), style, f.verbose)
	told := []unroll.Callback{line, &brokenNote{bar: line, to: cmd.ErrOrStderr()}}
	var backup *callbacks.BackupAndRestore
	if f.backup != "" {
		backup = &callbacks.BackupAndRestore{BackupDir: f.backup, NoDelete: true} // until the results are written
		told = append(told, backup)
	}
	options := []unroll.FitOption{unroll.Epochs(f.epochs), unroll.BatchSize(f.batch), unroll.ValidationSplit(f.split), unroll.Shuffle(f.shuffle),
		unroll.Callbacks(told...)}
	if f.gradientNorm {
		options = append(options, unroll.GradientNorm())
	}
	h, err := m.Fit(cmd.Context(), train, options...)
	line.Break()
	if err != nil {
		return f.interrupted(err, h)
	}
	// What took the time is written before anything else can go wrong, the model first.
	if err := errors.Join(
		f.save(m, out),
		history.write(func(w io.Writer) error { return writeHistory(w, h) }),
		picture.write(func(w io.Writer) error { return plot.Write(w, extension(f.plot), plot.Run{History: h}) }),
	); err != nil {
		return err
	}
	if backup != nil {
		if err := backup.Delete(); err != nil {
			return err
		}
	}
	var score unroll.Logs
	if test != nil {
		if score, err = m.Evaluate(cmd.Context(), test, unroll.BatchSize(f.batch)); err != nil {
			return interruption(err)
		}
		fmt.Fprintf(stdout, "Test score%s\n", values(score))
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), map[string]any{"history": h, "test": scores(score)})
	}
	return nil
}

// noTargets is the error of data that can only be predicted.
func noTargets(data string) error {
	return hint(fmt.Errorf("--data: expected targets in %s, got inputs alone", data), "an .npz has them as y, a .csv in its last column, a .jsonl as y, a folder in its folders")
}

// check finds what is wrong with the numbers before anything is read.
func (f *trainFlags) check() error {
	switch {
	case f.epochs < 1:
		return usage("--epochs: expected 1 or more, got %d", f.epochs)
	case f.batch < 1:
		return usage("--batch-size: expected 1 or more, got %d", f.batch)
	case !(f.split >= 0 && f.split < 1):
		return usage("--validation-split: expected a part from 0 to below 1, got %v", f.split)
	case f.verbose < 0 || f.verbose > 2:
		return usage("--verbose: expected 0, 1 or 2, got %d", f.verbose)
	}
	return f.dataFlags.check()
}

// compile says how the model is trained; a model from a file that was compiled keeps its own way where no flag says otherwise.
func (f *trainFlags) compile(cmd *cobra.Command, m *model, p profile) error {
	opt, err := parseOptimizer(f.optimizer)
	if err != nil {
		return asUsage(err)
	}
	loss, err := parseLoss(f.loss)
	if err != nil {
		return asUsage(err)
	}
	if opt, loss, err = p.training(opt, loss); err != nil {
		return err
	}
	ms, err := parseMetrics(f.metrics)
	if err != nil {
		return asUsage(err)
	}
	switch {
	case !m.file:
		if err := m.Init(f.seed); err != nil {
			return err
		}
	case cmd.Flags().Changed("seed"):
		return usage("--seed: expected a new model, got a file, which has its weights")
	case m.compiled:
		return nil
	}
	return m.Compile(opt, loss, ms...)
}

// outputs opens the files that will be written.
func (f *trainFlags) outputs() (out, history, picture *output, err error) {
	if out, err = newOutput("--out", f.out, ".keras"); err != nil {
		return out, nil, nil, err
	}
	if history, err = newOutput("--history", f.history, ".json"); err != nil {
		return out, history, nil, err
	}
	if picture, err = newOutput("--plot", f.plot, ".svg", ".png", ".pdf"); err != nil {
		return out, history, picture, err
	}
	return out, history, picture, differ(out, history, picture)
}

// save writes the model. The opened file showed that the place can be written to; Save makes a whole one of its own.
func (f *trainFlags) save(m *model, out *output) error {
	if out == nil {
		return nil
	}
	out.close()
	return m.Save(f.out)
}

// interrupted is the error of a training that did not come to its end.
func (f *trainFlags) interrupted(err error, h *unroll.History) error {
	if errors.Is(err, context.Canceled) && h != nil {
		err := fmt.Errorf("interrupted after %d of %d epochs; nothing was written", len(h.Epoch), f.epochs)
		if f.backup != "" && len(h.Epoch) > 0 {
			return hint(err, "the same command goes on from %s", f.backup)
		}
		return err
	}
	if strings.Contains(err.Error(), "callbacks: BackupAndRestore: ") {
		return hint(err, "remove %s to begin anew", f.backup)
	}
	if strings.Contains(err.Error(), "expected targets of the predictions' shape") {
		return hint(err, "classes given as numbers need dense(1, sigmoid), or dense(CLASSES, softmax) and --loss sparse_categorical_crossentropy")
	}
	return stackHint(err)
}

// writeHistory writes what Keras has in history.history.
func writeHistory(w io.Writer, h *unroll.History) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// scores are logs as JSON has them; what JSON has no number for is null.
func scores(logs unroll.Logs) map[string]any {
	if logs == nil {
		return nil
	}
	m := map[string]any{}
	for _, l := range logs {
		m[l.Name] = nil
		if !math.IsNaN(l.Value) && !math.IsInf(l.Value, 0) {
			m[l.Name] = l.Value
		}
	}
	return m
}
