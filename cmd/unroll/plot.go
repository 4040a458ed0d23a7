package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/plot"
)

func plotCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "plot HISTORY...",
		Short: "Draw the histories of trainings, one over the other",
		Long: `plot draws losses and metrics by epoch. A HISTORY is a file of train --history, or of Keras's history.history
as JSON; its name without the extension is its label.`,
		Example: `  unroll plot rnn.json lstm.json --out both.png`,
		Args:    between(1, -1, "one HISTORY or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return usage("plot: expected --out FILE, which ends in .svg, .png or .pdf, got none")
			}
			out, err := newOutput("--out", path, ".svg", ".png", ".pdf")
			if err != nil {
				return err
			}
			defer out.close()
			var runs []plot.Run
			labels := labelsOf(args)
			for i, name := range args {
				h, err := readHistory(name)
				if err != nil {
					return err
				}
				runs = append(runs, plot.Run{Label: labels[i], History: h})
			}
			return out.write(func(w io.Writer) error { return plot.Write(w, extension(path), runs...) })
		},
	}
	cmd.Flags().StringVar(&path, "out", "", "the picture `FILE`: .svg, .png or .pdf")
	return cmd
}

// labelsOf are the files' names without folder and extension, with them where two would be alike.
func labelsOf(files []string) []string {
	labels := make([]string, len(files))
	times := map[string]int{}
	for i, f := range files {
		labels[i] = strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))
		times[labels[i]]++
	}
	for i, f := range files {
		if times[labels[i]] > 1 {
			labels[i] = f
		}
	}
	return labels
}

func readHistory(name string) (*unroll.History, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no such history: %s", name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, durable.Cause(err))
	}
	h := &unroll.History{}
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "unroll: "))
	}
	return h, nil
}
