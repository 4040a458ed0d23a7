package callbacks_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/callbacks"
)

// step is a line of oracle/progress.py: when, how many rows, and the logs.
type step struct {
	Wait float64
	Rows int
	Logs unroll.Logs
}

func (s *step) UnmarshalJSON(b []byte) error {
	var parts [3]json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	var logs [][2]string
	for i, to := range []any{&s.Wait, &s.Rows, &logs} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return err
		}
	}
	for _, l := range logs {
		v, err := strconv.ParseFloat(l[1], 64)
		if err != nil {
			return err
		}
		s.Logs = append(s.Logs, unroll.Log{Name: l[0], Value: v})
	}
	return nil
}

// show has a bar show what happens.
func show(t *testing.T, p *callbacks.ProgressBar, verb string, samples, batch int, epochs [][]step) string {
	t.Helper()
	var out strings.Builder
	p.To = &out
	now := 1000.0
	p.SetClock(func() time.Time { return time.Unix(0, 0).Add(time.Duration(now*1e6+0.5) * 1000) })
	tr := &unroll.Training{Epochs: len(epochs), Samples: samples, BatchSize: batch, Steps: (samples + batch - 1) / batch}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if verb == "fit" {
		check(p.TrainBegin(tr))
	}
	for _, steps := range epochs {
		tr.Step, tr.Rows = 0, 0
		switch verb {
		case "fit":
			check(p.EpochBegin(tr))
		case "evaluate":
			check(p.TestBegin(tr))
		case "predict":
			check(p.PredictBegin(tr))
		}
		for i, s := range steps {
			now += s.Wait
			last := i == len(steps)-1
			if !last {
				tr.Step++
				tr.Rows += s.Rows
			}
			switch {
			case verb == "predict" && last:
				check(p.PredictEnd(tr))
			case verb == "predict":
				check(p.PredictBatchEnd(tr))
			case verb == "evaluate" && last:
				check(p.TestEnd(tr, s.Logs))
			case verb == "evaluate":
				check(p.TestBatchEnd(tr, s.Logs))
			case last:
				check(p.EpochEnd(tr, s.Logs))
			default:
				check(p.BatchEnd(tr, s.Logs))
			}
		}
		tr.Epoch++
	}
	if verb == "fit" {
		check(p.TrainEnd(tr))
	}
	return out.String()
}

// The bars of Keras 3.15.1 and 2.2.4, to the byte on a terminal. Elsewhere each bar is there once, full, without colours.
func TestProgressAsKerasShowsIt(t *testing.T) {
	var file struct {
		Cases []struct {
			Verb                    string
			Verbose, Samples, Batch int
			Epochs                  [][]step
			Keras3, Keras2          string
		}
	}
	text, err := os.ReadFile("../testdata/progress.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 18 {
		t.Fatalf("expected at least 18 cases, got %d", len(file.Cases))
	}
	colours := regexp.MustCompile("\x1b\\[[0-9]*m")
	for i, c := range file.Cases {
		for style, want := range map[unroll.SummaryStyle]string{unroll.Keras3: c.Keras3, unroll.Keras2: c.Keras2} {
			verbose := []callbacks.Verbosity{callbacks.Silent, callbacks.Bar, callbacks.Line}[c.Verbose]
			got := show(t, &callbacks.ProgressBar{Verbose: verbose, Style: style, Live: true}, c.Verb, c.Samples, c.Batch, c.Epochs)
			if got != want {
				t.Errorf("case %d: %s, verbose %d, %s\n got %q\nwant %q", i, c.Verb, c.Verbose, style, got, want)
			}
			var lines []string
			for line := range strings.Lines(want) {
				drawn := strings.Split(line, "\r")
				lines = append(lines, strings.TrimRight(colours.ReplaceAllString(drawn[len(drawn)-1], ""), " \n")+"\n")
			}
			got = show(t, &callbacks.ProgressBar{Verbose: verbose, Style: style}, c.Verb, c.Samples, c.Batch, c.Epochs)
			if d := cmp.Diff(strings.Join(lines, ""), got); d != "" {
				t.Errorf("case %d, not on a terminal: %s, verbose %d, %s (-Keras +ours):\n%s", i, c.Verb, c.Verbose, style, d)
			}
		}
	}
}

// In a training: the heading of Keras 2, its validation silent, and an epoch with fewer steps than rows.
func TestProgressInATraining(t *testing.T) {
	var out strings.Builder
	p := &callbacks.ProgressBar{Style: unroll.Keras2, To: &out}
	p.SetClock(func() time.Time { return time.Unix(0, 0) })
	m := model(t)
	if _, err := m.Fit(t.Context(), data(t, 1, 2, 3, 4, 5), unroll.BatchSize(1), unroll.StepsPerEpoch(3), unroll.Epochs(2), unroll.ValidationData(data(t, 1, 2)), unroll.Callbacks(p)); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^Train on 5 samples, validate on 2 samples
Epoch 1/2
3/3 \[={30}\] - 0s 0us/step - loss: \S+ - acc: \S+ - val_loss: \S+ - val_acc: \S+
Epoch 2/2
2/3 \[={19}>\.{10}\] - ETA: 0s - loss: \S+ - acc: \S+ - val_loss: \S+ - val_acc: \S+
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%s", &out)
	}
	out.Reset()
	p.Style = ""
	if _, err := m.Evaluate(t.Context(), data(t, 1, 2, 3), unroll.BatchSize(2), unroll.Callbacks(p)); err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`^2/2 ━{20} 0s 0s/step - acc: \S+ - loss: \S+\n$`); !want.MatchString(out.String()) {
		t.Errorf("got %q", &out)
	}
	for p, want := range map[*callbacks.ProgressBar]string{
		{Style: "keras"}: `callbacks: ProgressBar: style must be keras3 or keras2, got "keras"`,
		{Verbose: 3}:     "callbacks: ProgressBar: verbose must be Bar, Line or Silent, got 3",
	} {
		if _, err := model(t).Fit(t.Context(), data(t, 1), unroll.Callbacks(p)); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
