package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/tensor"
)

func predictCommand() *cobra.Command {
	var f dataFlags
	var batch int
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "predict MODEL",
		Short: "Compute a trained model's output for every row",
		Long: `predict computes what a trained model gives for every row: for the test rows where DATA are divided, else for
all. It prints a row a line, or writes FILE: .npy is one array, .csv a row a line, .jsonl a list a line.
Every column of a .csv is an input, except a last one named y, target, label or class. A model that reads texts takes
those of a .txt, a line each, of a .csv, .tsv or .jsonl, or of a folder of .txt files.
A model with several inputs takes an .npz with an array for each, under the input's name or as x0, x1 …; one with several
outputs prints a JSON object a row, or writes an .npz or a .jsonl.`,
		Example: `  unroll predict model.keras --data new.npy --out predictions.npy
  unroll predict model.keras --data reviews | head`,
		Args: between(1, 1, "a MODEL file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needFile("predict", args[0]); err != nil {
				return err
			}
			if batch < 1 {
				return usage("--batch-size: expected 1 or more, got %d", batch)
			}
			if err := f.check(); err != nil {
				return err
			}
			m, err := openModel(args[0], true)
			if err != nil {
				return err
			}
			kinds := []string{".npy", ".csv", ".jsonl"}
			if len(m.OutputNames()) > 1 {
				kinds = []string{".npz", ".jsonl"}
			}
			out, err := newOutput("--out", path, kinds...)
			if err != nil {
				return err
			}
			defer out.close()
			request := f.request(m.wants(), cmd.ErrOrStderr())
			request.noTarget = true
			data, test, err := openRows(cmd.Context(), cmd.ErrOrStderr(), request, m)
			if err != nil {
				return err
			}
			if test != nil {
				data = test
			}
			all, err := m.PredictAll(cmd.Context(), data, unroll.BatchSize(batch))
			if err != nil {
				return interruption(err)
			}
			if names := m.OutputNames(); len(names) > 1 {
				if out != nil {
					return out.write(func(w io.Writer) error { return writeOutputs(w, extension(path), names, all) })
				}
				return writeOutputs(cmd.OutOrStdout(), "jsonl", names, all)
			}
			y := all[0]
			if out != nil {
				return out.write(func(w io.Writer) error { return writeRows(w, extension(path), y) })
			}
			format := "csv"
			if asJSON {
				format = "jsonl"
			}
			return writeRows(cmd.OutOrStdout(), format, y)
		},
	}
	f.register(cmd.Flags(), "reviews")
	cmd.Flags().IntVar(&batch, "batch-size", 128, "rows that are computed together")
	cmd.Flags().StringVar(&path, "out", "", "write to `FILE`: .npy, .csv or .jsonl")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, a list a line")
	return cmd
}

// interruption says that the user ended it.
func interruption(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// extension is what a file's name ends in, without the point.
func extension(path string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
}

// writeRows writes predictions, (rows, …).
func writeRows(w io.Writer, format string, y *tensor.Tensor) error {
	if format == "npy" {
		return npy.WriteNPY(w, npy.From(y.Data, y.Shape...))
	}
	out := bufio.NewWriter(w)
	width := max(1, y.Shape[1:].Size())
	for i := range y.Shape[0] {
		row := y.Data[i*width : (i+1)*width]
		if format == "jsonl" {
			b, err := json.Marshal(nested(row, y.Shape[1:]))
			if err != nil {
				return err
			}
			out.Write(b)
		} else {
			for k, v := range row {
				if k > 0 {
					out.WriteByte(',')
				}
				out.WriteString(strconv.FormatFloat(float64(v), 'g', -1, 32))
			}
		}
		out.WriteByte('\n')
	}
	return out.Flush()
}

// nested is a row as lists of lists. A number that JSON has no word for, NaN, is null.
func nested(row []float32, shape tensor.Shape) any {
	if len(shape) == 0 {
		if row[0] != row[0] || row[0]-row[0] != 0 {
			return nil
		}
		return row[0]
	}
	list := make([]any, shape[0])
	w := shape[1:].Size()
	for i := range list {
		list[i] = nested(row[i*w:(i+1)*w], shape[1:])
	}
	return list
}
