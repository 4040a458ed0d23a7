package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
)

// clockwork is a progress whose clock the test moves.
func clockwork(live bool, width int) (*progress, *strings.Builder, *time.Time) {
	var b strings.Builder
	now := time.Unix(1000, 0)
	return &progress{w: &b, live: live, width: func() int { return width }, now: func() time.Time { return now }}, &b, &now
}

// play trains two epochs of 1000 rows, of which a batch of 250 takes a second.
func play(t *testing.T, p *progress, now *time.Time) {
	t.Helper()
	tr := &unroll.Training{Epochs: 2, Samples: 1000, ValidationSamples: 250, BatchSize: 250}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(p.TrainBegin(tr))
	for tr.Epoch = range 2 {
		tr.Step = 0
		check(p.EpochBegin(tr))
		for tr.Step = 1; tr.Step <= 4; tr.Step++ {
			*now = now.Add(time.Second)
			check(p.BatchEnd(tr, unroll.Logs{{Name: "loss", Value: 0.5}, {Name: "acc", Value: 0.75}}))
		}
		*now = now.Add(time.Second)
		check(p.EpochEnd(tr, unroll.Logs{{Name: "loss", Value: 0.5}, {Name: "acc", Value: 0.75}, {Name: "val_loss", Value: 0.0005}, {Name: "val_acc", Value: 0.5}}))
	}
}

func TestProgressLines(t *testing.T) {
	p, b, now := clockwork(false, 80)
	play(t, p, now)
	want := `Train on 1000 samples, validate on 250 samples
Epoch 1/2 - 5s - 200 rows/s - loss: 0.5000 - acc: 0.7500 - val_loss: 5.0000e-04 - val_acc: 0.5000 - 5s left
Epoch 2/2 - 5s - 200 rows/s - loss: 0.5000 - acc: 0.7500 - val_loss: 5.0000e-04 - val_acc: 0.5000
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b, want)
	}
}

func TestProgressLive(t *testing.T) {
	p, b, now := clockwork(true, 100)
	play(t, p, now)
	lines := strings.Split(b.String(), "\n")
	if lines[1] != "Epoch 1/2" || len(lines) != 6 {
		t.Fatalf("got %d lines: %q", len(lines), lines)
	}
	drawn := strings.Split(lines[2], "\r")[1:]
	if want := " 250/1000 [======>.......................] - ETA: 3s - 250 rows/s - loss: 0.5000 - acc: 0.7500"; drawn[0] != want {
		t.Errorf("after a batch\n got %q\nwant %q", drawn[0], want)
	}
	for _, d := range drawn[:len(drawn)-1] {
		if len(d) >= 100 {
			t.Errorf("a line of %d characters breaks on a terminal of 100: %q", len(d), d)
		}
	}
	if last := drawn[len(drawn)-1]; !strings.HasPrefix(last, "1000/1000 - 5s - 200 rows/s - loss: 0.5000") {
		t.Errorf("the finished line is %q", last)
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, total, room int
		want              string
	}{
		{0, 10, 100, " [..............................]"},
		{5, 10, 100, " [==============>...............]"},
		{10, 10, 100, " [==============================]"},
		{5, 10, 13, " [====>.....]"},
		{5, 10, 3, ""},
		{0, 0, 13, " [..........]"},
	} {
		if got := bar(c.done, c.total, c.room); got != c.want {
			t.Errorf("bar(%d, %d, %d) = %q, want %q", c.done, c.total, c.room, got, c.want)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0s", 59 * time.Second: "59s", 117 * time.Second: "1:57", 2*time.Hour + 3*time.Minute + 20*time.Second: "2:03:20",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0.84766: "0.8477", 1234.5: "1234.5000", 0.001: "1.0000e-03", -0.5: "-0.5000", 0: "0.0000e+00", math.Inf(1): "inf", math.Inf(-1): "-inf",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "nan" {
		t.Errorf("number(NaN) = %q", got)
	}
}
