package main

import (
	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

func summaryCommand() *cobra.Command {
	var style, profile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "summary MODEL",
		Short: "Print a model's layers, shapes and parameters",
		Example: `  unroll summary model.keras
  unroll summary 'embedding(10000, 32) |> simple_rnn(32) |> dense(1, sigmoid)' --style keras2`,
		Args: between(1, 1, "a MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := parseStyle(style)
			if err != nil {
				return err
			}
			p, err := parseProfile(profile)
			if err != nil {
				return err
			}
			m, err := openModelAs(p, args[0], false)
			if err != nil {
				// A table needs no optimizer, so one that is not offered here is no obstacle.
				if bare, failed := openModelAs(p, args[0], true); failed == nil {
					m, err = bare, nil
				}
			}
			if err != nil {
				return err
			}
			if m.Output() == nil {
				return hint(usage("summary: expected a model that says what comes in, got one that begins with %s", m.specs[0].Class()),
					"begin the text with input(STEPS, WIDTH), None for any number of steps: 'input(None, 12) |> lstm(32) |> …'")
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), describeModel(m))
			}
			return m.Summary(cmd.OutOrStdout(), s)
		},
	}
	cmd.Flags().StringVar(&style, "style", "keras3", "the table of keras2, as the lecture prints it, or keras3")
	cmd.Flags().StringVar(&profile, "profile", "keras3", "the Keras whose defaults are meant: keras2 is the lecture's time")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the weights as JSON")
	return cmd
}

// modelReport is a model as JSON.
type modelReport struct {
	Output  []any          `json:"output"` // null is an open axis
	Params  int            `json:"params"`
	Weights []weightReport `json:"weights"`
}

type weightReport struct {
	Path      string `json:"path"`
	Shape     []int  `json:"shape"`
	Trainable bool   `json:"trainable"`
}

func describeModel(m *model) modelReport {
	d := modelReport{Weights: []weightReport{}}
	for _, n := range m.Output() {
		if n == tensor.None {
			d.Output = append(d.Output, nil)
		} else {
			d.Output = append(d.Output, n)
		}
	}
	for _, w := range m.Weights() {
		d.Params += len(w.Data)
		d.Weights = append(d.Weights, weightReport{w.Path, w.Shape, w.Trainable})
	}
	return d
}

func parseStyle(style string) (unroll.SummaryStyle, error) {
	switch style {
	case "keras2":
		return unroll.Keras2, nil
	case "keras3":
		return unroll.Keras3, nil
	}
	return "", usage("--style: expected keras2 or keras3, got %s", quoted(style))
}
