package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
)

// newProgress is Keras's progress bar on w, redrawn where w is a terminal. verbose is 0, 1 or 2, as in Keras.
func newProgress(w io.Writer, style unroll.SummaryStyle, verbose int) *callbacks.ProgressBar {
	f, ok := w.(*os.File)
	return &callbacks.ProgressBar{
		Verbose: [...]callbacks.Verbosity{callbacks.Silent, callbacks.Bar, callbacks.Line}[verbose],
		Style:   style, To: w, Live: ok && term.IsTerminal(int(f.Fd())),
	}
}

// brokenNote says once why the loss is no number any more.
type brokenNote struct {
	unroll.NoCallback
	bar  *callbacks.ProgressBar
	to   io.Writer
	said bool
}

// BatchEnd implements unroll.Callback.
func (c *brokenNote) BatchEnd(t *unroll.Training, _ unroll.Logs) error {
	if t.Broken == nil || c.said {
		return nil
	}
	c.said = true
	if err := c.bar.Break(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.to, "note: batch %d of epoch %d: %v\n", t.Step, t.Epoch+1, t.Broken)
	return err
}

// values are losses and metrics as Keras prints them: four decimals, or in powers of ten when they are small.
func values(logs unroll.Logs) string {
	var b strings.Builder
	for _, l := range logs {
		fmt.Fprintf(&b, " - %s: %s", l.Name, number(l.Value))
	}
	return b.String()
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(v), "+"))
	}
	if math.Abs(v) > 1e-3 {
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.4e", v)
}
