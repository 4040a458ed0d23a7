package cell

import "strings"

// String is the text in its canonical form: no comments, one space around the binary operators, values in lower case, = for <-.
// Parsed again it is the same cell, up to lines and columns.
func (c *Cell) String() string {
	var b strings.Builder
	for _, line := range strings.Split(c.Text, "\n") {
		toks, _ := lex(line, 1) // Parse has found no fault
		for i, t := range toks[:len(toks)-1] {
			if i > 0 && spaced(toks, i) {
				b.WriteByte(' ')
			}
			if t.kind == value {
				b.WriteString(t.valueName())
			} else {
				b.WriteString(t.text)
			}
		}
		if len(toks) > 1 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// spaced reports whether a space stands before token i.
func spaced(toks []token, i int) bool {
	t, before := toks[i], toks[i-1]
	declares := toks[0].kind == ref // a `param` or `value` line
	switch {
	case t.is("("):
		return before.kind == sign && !before.is("(") && !before.is("^") && !unaryAt(toks, i-1)
	case t.is(")"), t.is(","), t.is("^"), before.is("("), before.is("^"):
		return false
	case declares && (t.is("=") || before.is("=") || before.is("-")):
		return false
	}
	return !unaryAt(toks, i-1)
}

// unaryAt reports whether token i is a minus without a left operand.
func unaryAt(toks []token, i int) bool {
	if !toks[i].is("-") || i == 0 {
		return false
	}
	before := toks[i-1]
	return before.kind == sign && !before.is(")")
}
