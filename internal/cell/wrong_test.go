package cell

import (
	"errors"
	"strings"
	"testing"
)

// wrongTexts are texts that Parse refuses: where, and how the error reads.
var wrongTexts = []struct {
	text      string
	line, col int
	want      string // part of message and hint
}{
}

func TestWrongTexts(t *testing.T) {
	for _, w := range wrongTexts {
		_, err := Parse(w.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: expected an error, got %v", clip(w.text), err)
			continue
		}
		if e.Line != w.line || e.Col != w.col || !strings.Contains(e.Error(), w.want) {
			t.Errorf("%q: expected line %d, column %d: ...%s..., got\n\t%v", clip(w.text), w.line, w.col, w.want, e)
		}
	}
}
