package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/unroll-ml/unroll"
)

// progress is the line that Keras shows while it trains, with the rate and the remaining time:
//
//	Epoch 3/10
//	12800/20000 [==================>...........] - ETA: 4s - 1792 rows/s - loss: 0.2941 - acc: 0.8851
//
// On a terminal it is redrawn as the rows go by. Elsewhere there is one line an epoch, when the epoch is over.
type progress struct {
	unroll.NoCallback

	w     io.Writer
	live  bool
	width func() int // columns of the terminal
	now   func() time.Time

	began, epochBegan, drawn time.Time
	first                    int // epoch of the beginning
	shown                    int // characters on the live line
}

// newProgress writes to w, live when it is a terminal.
func newProgress(w io.Writer) *progress {
	p := &progress{w: w, width: func() int { return 80 }, now: time.Now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.live = true
		p.width = func() int {
			if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
				return n
			}
			return 80
		}
	}
	return p
}

// TrainBegin says on how many rows the model is trained.
func (p *progress) TrainBegin(t *unroll.Training) error {
	p.began = time.Time{}
	line := fmt.Sprintf("Train on %d samples", t.Samples)
	if t.ValidationSamples > 0 {
		line += fmt.Sprintf(", validate on %d samples", t.ValidationSamples)
	}
	_, err := fmt.Fprintln(p.w, line)
	return err
}

// EpochBegin starts the clock of the epoch.
func (p *progress) EpochBegin(t *unroll.Training) error {
	p.epochBegan, p.drawn = p.now(), time.Time{}
	if p.began.IsZero() {
		p.began, p.first = p.epochBegan, t.Epoch
	}
	if p.live {
		fmt.Fprintf(p.w, "Epoch %d/%d\n", t.Epoch+1, t.Epochs)
	}
	return nil
}

// BatchEnd redraws the line, at most ten times a second.
func (p *progress) BatchEnd(t *unroll.Training, logs unroll.Logs) error {
	now := p.now()
	if !p.live || now.Sub(p.drawn) < 100*time.Millisecond {
		return nil
	}
	p.drawn = now
	done := min(t.Step*t.BatchSize, t.Samples)
	took := now.Sub(p.epochBegan)
	left := time.Duration(float64(took) * float64(t.Samples-done) / float64(max(1, done)))
	tail := fmt.Sprintf(" - ETA: %s - %s%s", clock(left), rate(done, took), values(logs))
	count := fmt.Sprintf("%*d/%d", len(fmt.Sprint(t.Samples)), done, t.Samples)
	p.redraw(count + bar(done, t.Samples, p.width()-1-len(count)-len(tail)) + tail)
	return nil
}

// EpochEnd writes the finished line.
func (p *progress) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	now := p.now()
	took := now.Sub(p.epochBegan)
	tail := fmt.Sprintf(" - %s - %s%s", clock(took), rate(t.Samples, took), values(logs))
	if left := t.Epochs - t.Epoch - 1; left > 0 && !t.Stop {
		each := now.Sub(p.began) / time.Duration(t.Epoch-p.first+1)
		tail += fmt.Sprintf(" - %s left", clock(each*time.Duration(left)))
	}
	if !p.live {
		_, err := fmt.Fprintf(p.w, "Epoch %*d/%d%s\n", len(fmt.Sprint(t.Epochs)), t.Epoch+1, t.Epochs, tail)
		return err
	}
	count := fmt.Sprintf("%d/%d", t.Samples, t.Samples)
	p.redraw(count + bar(t.Samples, t.Samples, p.width()-1-len(count)-len(tail)) + tail)
	return p.newline()
}

// stopped leaves the live line, so that what is printed next does not stand in it.
func (p *progress) stopped() {
	if p.shown > 0 {
		p.newline()
	}
}

func (p *progress) newline() error {
	p.shown = 0
	_, err := fmt.Fprintln(p.w)
	return err
}

// redraw replaces the live line.
func (p *progress) redraw(line string) {
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.shown-len(line))))
	p.shown = len(line)
}

// bar is Keras 2's after a blank, 30 cells or as many as there is room for; it is left out where there is none.
func bar(done, total, room int) string {
	cells := min(30, room-3)
	if cells < 5 {
		return ""
	}
	full := done * cells / max(1, total)
	b := []byte(" [" + strings.Repeat("=", full) + strings.Repeat(".", cells-full) + "]")
	if full > 0 && full < cells {
		b[1+full] = '>'
	}
	return string(b)
}

// rate is how fast rows go by.
func rate(done int, took time.Duration) string {
	if took <= 0 {
		return "- rows/s"
	}
	return fmt.Sprintf("%.0f rows/s", float64(done)/took.Seconds())
}

// clock is a time as Keras prints it: 8s, 1:57, 2:03:20.
func clock(d time.Duration) string {
	s := int(math.Round(d.Seconds()))
	switch {
	case s >= 3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	case s >= 60:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%ds", s)
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
