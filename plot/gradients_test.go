package plot_test

import (
	"bytes"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/plot"
)

// decay is a gradient that shrinks by a factor a step.
func decay(label string, factor float64, steps int) plot.Decay {
	d := plot.Decay{Label: label}
	for k := range steps {
		v := math.Pow(factor, float64(k))
		d.Low, d.Middle, d.High = append(d.Low, v/2), append(d.Middle, v), append(d.High, math.Min(1, v*3))
	}
	return d
}

// A curve on a scale of powers is straight, and ends where nothing is left; its colour is seen where it should be, and nowhere behind its end.
func TestWriteDecays(t *testing.T) {
	var b bytes.Buffer
	if err := plot.WriteDecays(&b, "png", decay("slow", 0.99, 200), decay("fast", 0.5, 200)); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	// Of every column: the heights of the teal line, the second curve.
	size := img.Bounds().Size()
	first, last, lowest := -1, -1, 0
	for x := range size.X {
		for y := 60; y < size.Y; y++ { // below the legend
			if r, g, bl, _ := img.At(x, y).RGBA(); r>>8 == 0x12 && g>>8 == 0x7c && bl>>8 == 0x8a {
				if first < 0 {
					first = x
				}
				last, lowest = x, max(lowest, y)
			}
		}
	}
	// 0.5^53 is the last above 1e-16: a quarter of the way of 199 steps.
	if part := float64(last-first) / float64(size.X-first-14); !(math.Abs(part-53.0/199) <= 0.03) {
		t.Errorf("the fast curve takes %.3f of the width, want %.3f", part, 53.0/199)
	}
	if lowest < size.Y*2/3 {
		t.Errorf("the fast curve goes down to %d of %d", lowest, size.Y)
	}
	b.Reset()
	if err := plot.WriteDecays(&b, "svg", decay("slow", 0.99, 20)); err != nil {
		t.Fatal(err)
	}
	words := texts(t, b.Bytes())
	for _, want := range []string{"slow", "steps back from the last one", "part of the gradient that arrives", "rounding of a float32", "1e-8", "1"} {
		if !slices.Contains(words, want) {
			t.Errorf("no %q in %s", want, strings.Join(words, "|"))
		}
	}
	for _, none := range [][]plot.Decay{nil, {{Label: "x"}}} {
		if err := plot.WriteDecays(&b, "svg", none...); err == nil {
			t.Error("nothing to draw: no error")
		}
	}
	if err := plot.WriteDecays(&b, "gif", decay("x", 0.5, 3)); err == nil || !strings.Contains(err.Error(), `"gif"`) {
		t.Errorf("gif: %v", err)
	}
	// Nothing arrives, or not even a number: curves end, and a picture comes all the same.
	if err := plot.WriteDecays(&b, "pdf", plot.Decay{Low: []float64{1, 0}, Middle: []float64{1, math.NaN()}, High: []float64{1, math.Inf(1)}}); err != nil {
		t.Error(err)
	}
}
