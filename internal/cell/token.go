package cell

import (
	"math"
	"strconv"
	"strings"
)

// kind of a token.
type kind uint8

const (
	endOfLine kind = iota
	number         // num
	value          // name, lower case, without suffix; next
	ref            // a weight, a part of one, or a function: name, row, block
	sign           // one of + - * / ^ %*% ( ) , = (which stands for <- too)
)

type token struct {
	kind  kind
	text  string // as written
	name  string
	next  bool   // of a value: _t+1
	block string // after the dot; "" when there is none
	row   int    // in brackets; -1 when there is none
	num   float64

	line, col int
}

// is reports whether t is this sign.
func (t token) is(s string) bool { return t.kind == sign && t.text == s }

// String is the token as an error shows it.
func (t token) String() string {
	if t.kind == endOfLine {
		return "the end of the line"
	}
	if len(t.text) > 40 {
		return t.text[:40] + "..."
	}
	return t.text
}

// value in its canonical form.
func (t token) valueName() string {
	if t.next {
		return t.name + "_t+1"
	}
	return t.name + "_t"
}

// lexer cuts one line into tokens.
type lexer struct {
	s    string
	pos  int
	line int
	toks []token
}

// lex gives the tokens of a line, without its comment, up to the first mistake; an endOfLine stands last.
func lex(s string, line int) ([]token, *Error) {
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s = s[:i]
	}
	l := &lexer{s: s, line: line}
	for {
		for l.pos < len(s) && (s[l.pos] == ' ' || s[l.pos] == '\t' || s[l.pos] == '\r' && l.pos == len(s)-1) {
			l.pos++
		}
		if l.pos == len(s) {
			break
		}
		if err := l.token(); err != nil {
			return append(l.toks, token{line: line, col: len(s) + 1}), err
		}
	}
	return append(l.toks, token{line: line, col: len(strings.TrimRight(s, " \t\r")) + 1}), nil
}

func (l *lexer) token() *Error {
	rest := l.s[l.pos:]
	c := rest[0]
	switch {
	case isLetter(c):
		return l.word()
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return l.number()
	case strings.HasPrefix(rest, "%*%"):
		l.sign("%*%", 3)
	case strings.HasPrefix(rest, "<-"):
		l.sign("=", 2)
	case strings.IndexByte("+-*/^(),=", c) >= 0:
		l.sign(rest[:1], 1)
	default:
		return fault(l.here(rest[:1]), strangeHint(c), "expected a name, a number or an operator, found %s", strconv.QuoteToASCII(rest[:1]))
	}
	return nil
}

func strangeHint(c byte) string {
	switch c {
	case '%', '@':
		return "the product of matrices is %*%"
	case '<', ':':
		return "an assignment is = or <-"
	case '[', '.':
		return "a row or a block is glued to its weight: name[0].block"
	case '\\', ';', '{', '}':
		return "one equation a line, without continuation"
	}
	return ""
}

// here is a token at the present position, for errors.
func (l *lexer) here(text string) token {
	return token{kind: sign, text: text, line: l.line, col: l.pos + 1}
}

func (l *lexer) push(t token, length int) {
	t.text, t.line, t.col = l.s[l.pos:l.pos+length], l.line, l.pos+1
	l.pos += length
	l.toks = append(l.toks, t)
}

func (l *lexer) sign(text string, length int) {
	l.push(token{kind: sign}, length)
	l.toks[len(l.toks)-1].text = text
}

// number reads digits with a point and an exponent; what is glued behind it is part of the mistake.
func (l *lexer) number() *Error {
	i := l.pos
	digits := func() {
		for i < len(l.s) && isDigit(l.s[i]) {
			i++
		}
	}
	digits()
	if i < len(l.s) && l.s[i] == '.' {
		i++
		digits()
	}
	if i < len(l.s) && (l.s[i] == 'e' || l.s[i] == 'E') {
		i++
		if i < len(l.s) && (l.s[i] == '+' || l.s[i] == '-') {
			i++
		}
		digits()
	}
	end := i
	for i < len(l.s) && (isWord(l.s[i]) || l.s[i] == '.') {
		i++
	}
	text := l.s[l.pos:i]
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case end != i || !isDigit(text[len(text)-1]) && text[len(text)-1] != '.':
		return fault(l.here(text), "a product is written with *", "expected a number, found %s", clip(text))
	case err != nil || math.Abs(v) > math.MaxFloat32: // values are float32
		return fault(l.here(text), "", "expected a number up to 3.4e38, found %s", clip(text))
	}
	l.push(token{kind: number, num: v}, i-l.pos)
	return nil
}

// word reads a value with its suffix, or a name with row and block.
func (l *lexer) word() *Error {
	end := wordEnd(l.s, l.pos)
	w := l.s[l.pos:end]
	lower := strings.ToLower(w)
	for i := strings.Index(lower, "_t"); i >= 0 && i+2 < len(lower); {
		if isDigit(lower[i+2]) {
			return fault(l.here(w), "write x_t and x_t+1", "expected a name without a digit after _t, found %s", clip(w))
		}
		k := strings.Index(lower[i+1:], "_t")
		if k < 0 {
			break
		}
		i += 1 + k
	}
	base, isValue := strings.CutSuffix(lower, "_t")
	if !isValue {
		return l.ref(w, end)
	}
	if base == "" {
		return fault(l.here(w), "", "expected a name before _t, found %s", w)
	}
	t := token{kind: value, name: base, row: -1}
	if end+1 < len(l.s) && (l.s[end] == '+' || l.s[end] == '-') && isDigit(l.s[end+1]) {
		i := end + 1
		for i < len(l.s) && (isWord(l.s[i]) || l.s[i] == '.') {
			i++
		}
		if l.s[end:i] != "+1" {
			return fault(l.here(w), "write x_t and x_t+1; with spaces, "+clip(w)+" "+l.s[end:end+1]+" "+clip(l.s[end+1:i])+", it is arithmetic",
				"expected the suffix _t or _t+1, found %s", clip(l.s[l.pos:i]))
		}
		t.next, end = true, i
	}
	if end < len(l.s) && (l.s[end] == '.' || l.s[end] == '[') {
		return fault(l.here(w), "blocks and rows are parts of weights, which have no suffix", "expected a value, found %s with a part", clip(l.s[l.pos:end]))
	}
	l.push(t, end-l.pos)
	return nil
}

// ref reads name[row].block; the name ends at end.
func (l *lexer) ref(name string, end int) *Error {
	t := token{kind: ref, name: name, row: -1}
	i := end
	if i < len(l.s) && l.s[i] == '[' {
		k := i + 1
		for k < len(l.s) && isDigit(l.s[k]) {
			k++
		}
		row, err := strconv.Atoi(l.s[i+1 : k])
		if err != nil || k == len(l.s) || l.s[k] != ']' {
			return fault(token{line: l.line, col: i + 1}, "write name[0], name[1]", "expected the number of a row in brackets, found %s", clip(l.s[l.pos:]))
		}
		t.row, i = row, k+1
	}
	if i < len(l.s) && l.s[i] == '.' {
		k := i + 1
		if k < len(l.s) && isLetter(l.s[k]) {
			k = wordEnd(l.s, k)
		}
		t.block = l.s[i+1 : k]
		switch {
		case t.block == "":
			return fault(token{line: l.line, col: i + 1}, "", "expected the name of a block after the point, found %s", clip(l.s[l.pos:]))
		case strings.HasSuffix(strings.ToLower(t.block), "_t"):
			return fault(token{line: l.line, col: i + 2}, "weights do not vary in time", "expected a block without suffix, found %s", clip(t.block))
		}
		i = k
	}
	if i < len(l.s) && (l.s[i] == '[' || l.s[i] == '.') {
		return fault(token{line: l.line, col: i + 1}, "write name[0].block", "expected the end of a weight's name, found %s", l.s[i:i+1])
	}
	l.push(t, i-l.pos)
	return nil
}

func wordEnd(s string, i int) int {
	for i < len(s) && isWord(s[i]) {
		i++
	}
	return i
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }

// part is a weight's name with row and block.
func (t token) part() string {
	s := clip(t.name)
	if t.row >= 0 {
		s += "[" + strconv.Itoa(t.row) + "]"
	}
	if t.block != "" {
		s += "." + clip(t.block)
	}
	return s
}
