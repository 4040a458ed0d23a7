package plot_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/plot"
)

// history is made of JSON, as a file of it is.
func history(t testing.TB, text string) *unroll.History {
	t.Helper()
	h := &unroll.History{}
	if err := json.Unmarshal([]byte(text), h); err != nil {
		t.Fatal(err)
	}
	return h
}

const (
	rnn  = `{"loss":[0.65,0.41,0.3],"acc":[0.62,0.81,0.88],"val_loss":[0.5,0.41,0.36],"val_acc":[0.75,0.82,0.847]}`
	lstm = `{"loss":[0.55,0.31,0.25],"acc":[0.72,0.86,0.9],"val_loss":[0.4,0.35,0.33],"val_acc":[0.82,0.85,0.86]}`
)

// texts are the words of an SVG, in order.
func texts(t *testing.T, svg []byte) (words []string) {
	t.Helper()
	inText := false
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			return words
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			inText = tok.Name.Local == "text"
		case xml.CharData:
			if s := strings.TrimSpace(string(tok)); inText && s != "" {
				words = append(words, s)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		name string
		runs []plot.Run
		want []string // in this order
		none []string
	}{
		{"one", []plot.Run{{Label: "unseen", History: history(t, rnn)}},
			[]string{"loss", "epoch", "acc", "training", "validation"}, []string{"unseen", "1.5", "val_loss"}},
		{"several", []plot.Run{{Label: "rnn", History: history(t, rnn)}, {Label: "lstm", History: history(t, lstm)}},
			[]string{"loss", "epoch", "acc", "rnn", "lstm", "training", "validation"}, nil},
		{"no validation", []plot.Run{{History: history(t, `{"loss":[1,2]}`)}}, []string{"epoch", "loss", "training"}, []string{"validation", "acc"}},
		{"Keras 3's order", []plot.Run{{History: history(t, `{"acc":[1],"loss":[2]}`)}}, []string{"acc", "loss"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := plot.Write(&b, "svg", c.runs...); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(b.String(), "<text"); n == 0 || strings.Count(b.String(), "font-family:Liberation Sans,Arial,") != n {
				t.Errorf("%d texts, of which not all name a common font", n)
			}
			words := texts(t, b.Bytes())
			at := 0
			for _, w := range words {
				if at < len(c.want) && w == c.want[at] {
					at++
				}
				for _, none := range c.none {
					if w == none {
						t.Errorf("the picture says %q", w)
					}
				}
			}
			if at < len(c.want) {
				t.Errorf("expected %q in this order, got %q", c.want, words)
			}
		})
	}
}

// Ticks are whole epochs and few, however long the training was.
func TestEpochTicks(t *testing.T) {
	for _, n := range []int{1, 2, 10, 12, 13, 50, 100, 1000, 12345} {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		var b bytes.Buffer
		if err := plot.Write(&b, "svg", plot.Run{History: history(t, `{"loss":[`+strings.Join(values, ",")+`]}`)}); err != nil {
			t.Fatal(err)
		}
		ticks := 0
		for _, w := range texts(t, b.Bytes()) {
			if w == "loss" { // the numbers of the other axis follow
				break
			}
			if strings.ContainsAny(w, ".e") && w != "epoch" {
				t.Errorf("%d epochs: a tick at %s", n, w)
			}
			ticks++
		}
		if ticks == 0 || ticks > 16 {
			t.Errorf("%d epochs: %d words on the axis", n, ticks)
		}
	}
}

func TestFormats(t *testing.T) {
	for format, magic := range map[string]string{"svg": "<?xml", "png": "\x89PNG", "pdf": "%PDF-"} {
		var b bytes.Buffer
		if err := plot.Write(&b, format, plot.Run{History: history(t, rnn)}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), magic) || b.Len() < 1000 {
			t.Errorf("%s: %d bytes that begin %q", format, b.Len(), b.String()[:min(8, b.Len())])
		}
	}
	if err := plot.Write(io.Discard, "gif", plot.Run{History: history(t, rnn)}); err == nil {
		t.Error("gif was accepted")
	}
}

// A picture has both colours, on white.
func TestColours(t *testing.T) {
	var b bytes.Buffer
	if err := plot.Write(&b, "png", plot.Run{History: history(t, rnn)}); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds().Size()
	if size.X != 1008 {
		t.Errorf("%d pixels wide, want 1008", size.X)
	}
	count := map[color.RGBA]int{}
	for y := range size.Y {
		for x := range size.X {
			r, g, b, a := img.At(x, y).RGBA()
			count[color.RGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: uint8(a >> 8)}]++
		}
	}
	for _, c := range []color.RGBA{{0xe2, 0x5b, 0x3a, 0xff}, {0x12, 0x7c, 0x8a, 0xff}} {
		if count[c] < 500 {
			t.Errorf("%d pixels of colour %v", count[c], c)
		}
	}
	if n := count[color.RGBA{0xff, 0xff, 0xff, 0xff}]; n < size.X*size.Y*8/10 {
		t.Errorf("%d white pixels of %d", n, size.X*size.Y)
	}
}

// Numbers of any size are drawn, with short labels.
func TestExtremes(t *testing.T) {
	for _, values := range []string{"1e308,-1e308", "5e-324,0", "1e30,1", "0.5,0.5", "1e-9,2e-9", "123456789,123456790", "1,1.0000000000000002"} {
		var b bytes.Buffer
		if err := plot.Write(&b, "svg", plot.Run{History: history(t, `{"loss":[`+values+`]}`)}); err != nil {
			t.Fatal(err)
		}
		if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("%s: the picture has coordinates that are not finite", values)
		}
		words := texts(t, b.Bytes())
		if len(words) < 6 || len(words) > 30 {
			t.Errorf("%s: %q", values, words)
		}
		for _, w := range words {
			if len(w) > 12 {
				t.Errorf("%s: the label %q", values, w)
			}
		}
	}
}

// Values that are not numbers, which JSON cannot hold, leave a gap; a picture of nothing is an error.
func TestNothingFinite(t *testing.T) {
	for _, text := range []string{`{}`, `{"loss":[]}`} {
		if err := plot.Write(io.Discard, "svg", plot.Run{History: history(t, text)}); err == nil {
			t.Errorf("%s: a picture of nothing", text)
		}
	}
	h := history(t, `{"loss":[1,2,3,4]}`)
	h.Values("loss")[1] = math.NaN()
	h.Values("loss")[2] = math.Inf(1)
	var b bytes.Buffer
	if err := plot.Write(&b, "svg", plot.Run{History: h}); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Error("the picture has coordinates that are not finite")
	}
}
