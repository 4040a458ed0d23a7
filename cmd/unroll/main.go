// Command unroll trains and runs recurrent networks. `unroll train` without arguments is the first model of a lecture on recurrent
// networks: a simple recurrent layer over film reviews. `unroll help` lists the verbs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the work could not be done
	exitUsage  = 2 // the command was not understood
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program: results go to stdout, progress and mistakes to stderr.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	report(stderr, err)
	var u *usageError
	var t *textError
	if errors.As(err, &u) || errors.As(err, &t) {
		return exitUsage
	}
	return exitFailed
}

// report prints an error: what was expected and what was got, the text with a mark under its mistake, and the cure where it is known.
func report(w io.Writer, err error) {
	var fault *cellFault
	if errors.As(err, &fault) {
		fault.report(w)
	} else {
		fmt.Fprintf(w, "unroll: %s\n", strings.TrimPrefix(err.Error(), "unroll: "))
	}
	var t *textError
	if errors.As(err, &t) {
		excerpt(w, t.text, t.at)
	}
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintf(w, "hint: %s\n", h.hint)
	}
}

// excerpt prints the line of a text that has a mistake, and a caret under it.
func excerpt(w io.Writer, text string, at int) {
	line, col := place(text, at)
	lines := strings.Split(text, "\n")
	s := strings.TrimRight(lines[min(line, len(lines))-1], "\r")
	runes := []rune(s)
	// Of a very long line only the neighbourhood is shown.
	const around = 60
	if col > around {
		runes = append([]rune("…"), runes[min(len(runes), col-around+1):]...)
		col = around
	}
	if len(runes) > 2*around {
		runes = append(runes[:2*around], '…')
	}
	mark := make([]rune, 0, col)
	for i := range col - 1 {
		if i < len(runes) && runes[i] == '\t' {
			mark = append(mark, '\t')
		} else {
			mark = append(mark, ' ')
		}
	}
	fmt.Fprintf(w, "  %s\n  %s^\n", string(runes), string(mark))
}

// usageError is a command that was not understood.
type usageError struct{ error }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// asUsage marks an error as one of the command line.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func (e *usageError) Unwrap() error { return e.error }

// hinted is an error whose cure is known.
type hinted struct {
	error
	hint string
}

func hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

func (e *hinted) Unwrap() error { return e.error }

// newCommand is the command with its verbs.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "unroll",
		Short: "Recurrent networks: train, look at and run them",
		Long: `unroll trains and runs recurrent networks: Keras's layers, the lecture's equations, or your own.

Begin with

  unroll train

which trains a SimpleRNN on made-up film reviews. A MODEL is a .keras or .h5 file or a text:

  unroll train 'embedding(10000, 32) |> lstm(32) |> dense(1, sigmoid)' --data imdb --out lstm.keras
  unroll evaluate lstm.keras --data imdb

The R form (keras_model_sequential() %>% layer_embedding(...) %>% ...) is a MODEL too, and
recurrent(32, cell=my.cell) a layer of your own equations.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := usage("unknown command %s", quoted(args[0]))
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return hint(err, "did you mean %s?", either(near))
			}
			return hint(err, "unroll help lists the commands")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hint(asUsage(err), "%s --help lists the flags", cmd.CommandPath())
	})
	root.AddCommand(trainCommand(), evaluateCommand(), predictCommand(), summaryCommand(), inspectCommand(), cellCommand(), plotCommand(), dataCommand(), benchCommand(), traceCommand(), convertCommand())
	return root
}

// between checks the number of a verb's arguments; high is -1 where there may be any number. what names them.
func between(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= low && (high < 0 || len(args) <= high) {
			return nil
		}
		got := "none"
		switch {
		case len(args) > high && high >= 0:
			got = "more: " + quoted(args[high])
		case len(args) > 0:
			got = fmt.Sprint(len(args))
		}
		err := usage("%s: expected %s, got %s", cmd.Name(), what, got)
		if len(args) > high && high >= 0 && strings.Contains(what, "MODEL") {
			return hint(err, "a MODEL text needs quotes: 'embedding(10000, 32) |> …'; flags begin with --")
		}
		return hint(err, "%s --help shows examples", cmd.CommandPath())
	}
}
