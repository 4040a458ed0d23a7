package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
)

func evaluateCommand() *cobra.Command {
	var f dataFlags
	var batch int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "evaluate MODEL",
		Short: "Print a trained model's loss and metrics",
		Long: `evaluate prints the loss and the metrics of a trained model: on the test rows where DATA are divided,
else on all rows.`,
		Example: `  unroll evaluate model.keras
  unroll evaluate model.keras --data imdb --json`,
		Args: between(1, 1, "a MODEL file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needFile("evaluate", args[0]); err != nil {
				return err
			}
			if batch < 1 {
				return usage("--batch-size: expected 1 or more, got %d", batch)
			}
			if err := f.check(); err != nil {
				return err
			}
			m, err := openModel(args[0], false)
			if err != nil {
				return err
			}
			if !m.compiled {
				return fmt.Errorf("evaluate: expected a compiled model, got one that says no loss: %s", args[0])
			}
			request := f.request(m.wants(), cmd.ErrOrStderr())
			stdout := cmd.OutOrStdout()
			if asJSON {
				stdout = cmd.ErrOrStderr()
			}
			data, test, err := openRows(cmd.Context(), stdout, request, m)
			if err != nil {
				return err
			}
			if test != nil {
				data = test
			}
			logs, err := m.Evaluate(cmd.Context(), data, unroll.BatchSize(batch))
			if err != nil {
				return interruption(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), scores(logs))
			}
			what := "Score"
			if test != nil {
				what = "Test score"
			}
			_, err = fmt.Fprintf(stdout, "%s%s\n", what, values(logs))
			return err
		},
	}
	f.register(cmd.Flags(), "reviews")
	cmd.Flags().IntVar(&batch, "batch-size", 128, "rows that are computed together")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
