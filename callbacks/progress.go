package callbacks

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/unroll-ml/unroll"
)

// Verbosity is how much a ProgressBar shows.
type Verbosity int

const (
	Bar    Verbosity = iota // verbose=1: a bar that fills as the batches go by; the default
	Line                    // verbose=2: one line an epoch
	Silent                  // verbose=0
)

// ProgressBar prints how a training, an evaluation or a prediction goes, as Keras does to the character:
//
//	Epoch 1/10
//	157/157 ━━━━━━━━━━━━━━━━━━━━ 3s 12ms/step - acc: 0.5931 - loss: 0.6652 - val_acc: 0.6702 - val_loss: 0.6199
//
// or in the form of Keras 2, which counts rows and shows the loss first:
//
//	Train on 20000 samples, validate on 5000 samples
//	Epoch 1/10
//	20000/20000 [==============================] - 23s 1ms/step - loss: 0.6455 - acc: 0.6210 - val_loss: 0.5513 - val_acc: 0.7240
//
// It is the last of the callbacks, so that it shows what the others add. Sources: keras/src/utils/progbar.py and callbacks/progbar_logger.py; of Keras
// 2.2.4 keras/utils/generic_utils.py and keras/callbacks.py.
type ProgressBar struct {
	unroll.NoCallback
	Verbose Verbosity           // Bar
	Style   unroll.SummaryStyle // unroll.Keras3, also where it is empty, or unroll.Keras2
	To      io.Writer           // os.Stdout
	Live    bool                // To is a terminal: a bar is drawn again and again, in colours; otherwise once, when it is full

	clock               func() time.Time // nil: time.Now
	began, first, drawn time.Time        // of the bar: when it began, had its first step, and was drawn last
	hasFirst, hasDrawn  bool
	target, length      int // length: characters on the live line
	names               []string
	values              unroll.Logs
}

func (c *ProgressBar) old() bool { return c.Style == unroll.Keras2 }

func (c *ProgressBar) now() time.Time {
	if c.clock == nil {
		return time.Now()
	}
	return c.clock()
}

func (c *ProgressBar) print(text string) error {
	to := c.To
	if to == nil {
		to = os.Stdout
	}
	_, err := io.WriteString(to, text)
	return err
}

// TrainBegin implements unroll.Callback.
func (c *ProgressBar) TrainBegin(t *unroll.Training) error {
	if c.Style != "" && c.Style != unroll.Keras3 && c.Style != unroll.Keras2 {
		return fmt.Errorf("callbacks: ProgressBar: style must be keras3 or keras2, got %q", c.Style)
	}
	if c.Verbose < Bar || c.Verbose > Silent {
		return fmt.Errorf("callbacks: ProgressBar: verbose must be Bar, Line or Silent, got %d", c.Verbose)
	}
	if c.old() && c.Verbose != Silent && t.ValidationSamples > 0 {
		if err := c.print(fmt.Sprintf("Train on %d samples, validate on %d samples\n", t.Samples, t.ValidationSamples)); err != nil {
			return err
		}
	}
	if t.Step > 0 { // the training goes on within an epoch
		return c.EpochBegin(t)
	}
	return nil
}

// EpochBegin implements unroll.Callback.
func (c *ProgressBar) EpochBegin(t *unroll.Training) error {
	c.begin(t)
	if c.Verbose == Silent || t.Epochs == 1 && !c.old() {
		return nil
	}
	return c.print(fmt.Sprintf("Epoch %d/%d\n", t.Epoch+1, t.Epochs))
}

// begin begins a bar.
func (c *ProgressBar) begin(t *unroll.Training) {
	c.began, c.hasFirst, c.hasDrawn, c.length, c.names, c.values = c.now(), false, false, 0, nil, nil
	_, c.target = c.place(t)
}

// place is how far it has come, of how much: in batches, in Keras 2 in rows, unless the number of steps was given.
func (c *ProgressBar) place(t *unroll.Training) (current, target int) {
	if c.old() && t.Steps == (t.Samples+t.BatchSize-1)/t.BatchSize {
		return t.Rows, t.Samples
	}
	return t.Step, t.Steps
}

// BatchEnd implements unroll.Callback.
func (c *ProgressBar) BatchEnd(t *unroll.Training, logs unroll.Logs) error {
	c.take(logs)
	if c.Verbose != Bar {
		return nil
	}
	current, target := c.place(t)
	if c.old() && current >= target {
		return nil // the end of the epoch draws it
	}
	return c.update(current, false)
}

// EpochEnd implements unroll.Callback.
func (c *ProgressBar) EpochEnd(t *unroll.Training, logs unroll.Logs) error {
	c.take(logs)
	return c.finish(t)
}

// finish draws the bar for the last time. Keras 3 shows it full also where there were fewer steps than asked for.
func (c *ProgressBar) finish(t *unroll.Training) error {
	if c.Verbose == Silent {
		return nil
	}
	current, target := c.place(t)
	if !c.old() {
		current = target
	}
	return c.update(current, true)
}

// TestBegin implements unroll.Tester. A validation within Fit is silent.
func (c *ProgressBar) TestBegin(t *unroll.Training) error {
	if !t.Validating {
		c.begin(t)
	}
	return nil
}

// TestBatchEnd implements unroll.Tester.
func (c *ProgressBar) TestBatchEnd(t *unroll.Training, logs unroll.Logs) error {
	if t.Validating {
		return nil
	}
	if !c.old() {
		return c.BatchEnd(t, logs)
	}
	return c.rows(t)
}

// rows draws what Keras 2 does in an evaluation and a prediction: no values, and the last batch draws the full bar.
func (c *ProgressBar) rows(t *unroll.Training) error {
	if c.Verbose != Bar {
		return nil
	}
	current, target := c.place(t)
	return c.update(current, current >= target)
}

// TestEnd implements unroll.Tester.
func (c *ProgressBar) TestEnd(t *unroll.Training, logs unroll.Logs) error {
	if t.Validating || c.old() {
		return nil
	}
	c.take(logs)
	return c.finish(t)
}

// PredictBegin implements unroll.Predictor.
func (c *ProgressBar) PredictBegin(t *unroll.Training) error {
	c.begin(t)
	return nil
}

// PredictBatchEnd implements unroll.Predictor.
func (c *ProgressBar) PredictBatchEnd(t *unroll.Training) error {
	if !c.old() {
		return c.BatchEnd(t, nil)
	}
	return c.rows(t)
}

// PredictEnd implements unroll.Predictor.
func (c *ProgressBar) PredictEnd(t *unroll.Training) error {
	if c.old() {
		return nil
	}
	return c.finish(t)
}

// take sets the values that are shown. Keras 3 has them in the order of the alphabet, the batches' before those that come with the end of an epoch, and
// last what callbacks have added; Keras 2 in the order of the logs, without the latter.
func (c *ProgressBar) take(logs unroll.Logs) {
	ofBatches := len(c.names) > 0
	var own, added []string
	for _, l := range logs {
		switch {
		case slices.Contains(c.names, l.Name):
		case ofBatches && !strings.HasPrefix(l.Name, "val_"):
			added = append(added, l.Name)
		default:
			own = append(own, l.Name)
		}
	}
	if c.old() {
		added = nil
	} else {
		slices.Sort(own)
	}
	c.names = append(append(c.names, own...), added...)
	c.values = logs
}

// update draws the bar, at most twenty times a second, or the line of an epoch at its end.
func (c *ProgressBar) update(current int, end bool) error {
	now := c.now()
	each := c.duration(current, now)
	const interval = 50 * time.Millisecond
	if c.Verbose == Bar && !end && (!c.Live || c.hasDrawn && now.Sub(c.drawn) < interval) {
		return nil
	}
	c.drawn, c.hasDrawn = now, true
	text := c.bar(current, now, each, end)
	if c.Verbose == Line || !c.Live {
		return c.print(plainText(text) + "\n")
	}
	before, length := c.length, len([]rune(plainText(text)))
	c.length = length
	text = strings.Repeat("\b", before) + "\r" + text + strings.Repeat(" ", max(0, before-length))
	if end {
		text, c.length = text+"\n", 0
	}
	return c.print(text)
}

// Break ends a line that is not finished, so that what is printed next does not stand in it.
func (c *ProgressBar) Break() error {
	if c.length == 0 {
		return nil
	}
	c.length = 0
	return c.print("\n")
}

// duration is the time that a step, in Keras 2 a row, has taken, in seconds. In Keras 3 the first step does not count where there are more.
func (c *ProgressBar) duration(current int, now time.Time) float64 {
	if current == 0 {
		return 0
	}
	each := seconds(now.Sub(c.began)) / float64(current)
	if !c.old() && c.Verbose == Bar {
		if c.hasFirst && current > 1 {
			each = seconds(now.Sub(c.first)) / float64(current-1)
		}
		if current == 1 {
			c.first, c.hasFirst = now, true
		}
	}
	return each
}

func seconds(d time.Duration) float64 { return float64(d) / float64(time.Second) }
