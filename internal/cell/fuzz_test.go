package cell

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameCell compares two parsed cells, but for texts and places.
func sameCell(a, b *Cell) string {
	strip := func(s string) string { _, after, _ := strings.Cut(s, ": "); return after } // of notes: the line
	var an, bn []string
	for _, n := range a.Notes {
		an = append(an, strip(n))
	}
	for _, n := range b.Notes {
		bn = append(bn, strip(n))
	}
	return cmp.Diff(a, b, cmpopts.IgnoreFields(Cell{}, "Text", "Notes", "widths"), cmpopts.IgnoreFields(Node{}, "Line", "Col")) + cmp.Diff(an, bn)
}

// check is what holds for every text: it parses, or the error has a place in it; what parses resolves, or the error says why;
// printed, it parses again as the same cell.
func check(t *testing.T, text string) {
	c, err := Parse(text)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Line < 1 || e.Col < 1 || e.Line > strings.Count(text, "\n")+1 || e.Col > len(text)+1 || e.Msg == "" || len(e.Error()) > 1000 {
			t.Fatalf("%q: %v", clip(text), err)
		}
		return
	}
	again, err := Parse(c.String())
	if err != nil {
		if len(c.String()) > maxText {
			return // the canonical form has spaces that the text had not
		}
		t.Fatalf("%q does not parse again as %q: %v", text, c.String(), err)
	}
	if d := sameCell(c, again); d != "" {
		t.Fatalf("%q printed as %q: %s", text, c.String(), d)
	}
	if again.String() != c.String() {
		t.Fatalf("%q printed as %q, then %q", text, c.String(), again.String())
	}
	for _, o := range []Options{{Units: 5, Input: 4}, {Units: 3, Input: 3, NoBias: true, Activation: "linear"}, {Units: math.MaxInt32, Input: math.MaxInt32}} {
		o.Sizes = map[string]int{}
		for _, b := range c.widths.bound {
			if name := b.line.text; b.line.size == 0 && name != "units" && name != "input" {
				o.Sizes[name] = 3
			}
		}
		r, err := c.Resolve(o)
		if err != nil {
			continue
		}
		for _, s := range r.States {
			if s.Width < 1 || r.Nodes[s.Next].Width != s.Width && r.Nodes[s.Next].Width != 0 {
				t.Fatalf("%q: state %+v, next %+v", text, s, r.Nodes[s.Next])
			}
		}
		for i, n := range r.Nodes {
			for _, a := range n.Args {
				if a >= i || a < 0 {
					t.Fatalf("%q: node %d reads node %d", text, i, a)
				}
			}
			if n.Op == OpDot || n.Op == OpVector {
				if w := r.Weights[n.Weight]; w.Matrix != (n.Op == OpDot) || n.Block >= len(w.Blocks) {
					t.Fatalf("%q: node %+v of weight %+v", text, n, w)
				}
			}
		}
		if r.Nodes[r.Output].Width < 1 {
			t.Fatalf("%q: the output has no width", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range files(f) {
		f.Add(text)
	}
	for _, text := range []string{lectureLSTM, kerasLSTM, kerasGRU} {
		f.Add(text)
	}
	for _, w := range wrongTexts {
		if len(w.text) < 200 {
			f.Add(w.text)
		}
	}
	f.Fuzz(check)
}

// Texts as large as they may be, made to be dear: none takes more than a moment, or than 3000 bytes of memory a byte, most of
// them soon given back (a token and a node take some 130 bytes each).
func TestDearTexts(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, (maxText-100)/len(s)) }
	lines := func(line func(i int) string) string {
		var b strings.Builder
		for i := 0; ; i++ {
			l := line(i)
			if b.Len()+len(l) > maxText-100 {
				return b.String()
			}
			b.WriteString(l)
		}
	}
	name := func(i int) string {
		return string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26)})
	}
	for what, text := range map[string]string{
		"a sum of a weight":      "output_t = b" + many("+b"),
		"products of nothing":    "output_t = b" + many("*1"),
		"a chain of products":    "output_t = input_t" + many("%*%W"),
		"weights":                "output_t = input_t" + lines(func(i int) string { return "+" + name(i) }),
		"blocks":                 "output_t = input_t" + lines(func(i int) string { return "+b." + name(i) }),
		"a row and many blocks":  "output_t = input_t + b[1].z" + lines(func(i int) string { return "+b[0]." + name(i) }),
		"rows":                   "output_t = input_t + b[9000]" + many("+b[0]"),
		"states":                 lines(func(i int) string { n := name(i); return n + "_t+1=" + n + "_t\n" }) + "output_t = 1",
		"sizes":                  lines(func(i int) string { return "value " + name(i) + "_t size=1\n" }) + "output_t = 1",
		"param lines":            lines(func(i int) string { return "param " + name(i) + " init=1\n" }) + "output_t = 1",
		"values, one of another": "aaa_t = input_t\n" + lines(func(i int) string { return name(i+1) + "_t=" + name(i) + "_t+" + name(i) + "_t\n" }) + "output_t = aaa_t",
		"a long name":            "output_t = " + many("a") + "(b)",
		"a long number":          "output_t = " + many("9"),
		"arguments":              "output_t = tanh(1" + many(",1") + ")",
		"lines":                  many("\n") + "output_t = input_t",
		"parentheses":            "output_t = " + many("("),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		if c, err := Parse(text); err == nil {
			_, _ = c.Resolve(Options{Units: 1, Input: 1}) // an error, too, must come soon
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if !(took < 5*time.Second) {
			t.Errorf("%s: took %v", what, took)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) / maxText; !(got <= 3000) {
			t.Errorf("%s: allocated %d bytes a byte of text", what, got)
		} else {
			t.Logf("%s: %d bytes a byte of text, %v", what, got, took)
		}
		check(t, text)
	}
}
