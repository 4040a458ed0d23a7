package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The text of a MODEL is a chain of calls, in the pipeline form or in R's:
//
//	text     = [ word "<-" ] call { ( "|>" | "%>%" ) call }
//	call     = word "(" [ argument { "," argument } ] ")"
//	argument = [ word "=" ] value
//	value    = number | string | word | call | "(" values ")" | "[" values "]"
//
// A word is letters, digits and . _ / \ ~ : - so that a path needs no quotes. White space, line breaks included, stands anywhere
// between these; # begins a comment. What the calls mean is in modellayers.go.

// The bounds of a text, so that no text can hang or crash the program.
const (
	maxText  = 1 << 16 // bytes
	maxDepth = 50      // parentheses in one another
)

// call is a layer, or another thing that is made with arguments.
type call struct {
	name string
	at   int // byte of the text where it begins
	args []argument
}

// argument is one of a call; name is "" where it goes by position.
type argument struct {
	name  string
	at    int // of the name, or of the value
	value value
}

// kind is what a value is.
type kind uint8

const (
	numberValue kind = iota
	stringValue      // in quotes
	wordValue        // without
	callValue
	listValue
)

// value is what stands after =, as it was written.
type value struct {
	kind kind
	at   int
	text string // of a number, a string's contents, a word
	call *call
	list []value
}

// textError is a mistake in a text, with its place.
type textError struct {
	what string // the text's name in messages
	text string
	at   int // byte
	msg  string
}

func (e *textError) Error() string {
	line, col := place(e.text, e.at)
	if strings.ContainsRune(strings.TrimSpace(e.text), '\n') {
		return fmt.Sprintf("%s, line %d, column %d: %s", e.what, line, col, e.msg)
	}
	return fmt.Sprintf("%s, column %d: %s", e.what, col, e.msg)
}

// place is the line and the column, both from 1, of a byte; the column counts characters.
func place(text string, at int) (line, col int) {
	before := text[:min(at, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// parseText reads a chain of calls; what names the text in errors.
func parseText(what, text string) (calls []*call, err error) {
	p := &parser{what: what, text: text}
	defer catch(&err)
	if len(text) > maxText {
		p.fail(maxText, "expected at most %d bytes, got %d", maxText, len(text))
	}
	if at := invalidUTF8(text); at >= 0 {
		p.fail(at, "expected text in UTF-8, got the byte %#x", text[at])
	}
	p.space()
	p.assignment()
	for {
		calls = append(calls, p.call())
		p.space()
		if p.at == len(text) {
			return calls, nil
		}
		if !p.take("|>") && !p.take("%>%") {
			p.expected("|> or %>% and the next layer, or the end")
		}
		p.space()
	}
}

// stop is how a mistake leaves the reading of a text, at any depth.
type stop struct{ error }

// catch makes a stop the error of the function that defers it.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case stop:
		*err = r.error
	default:
		panic(r)
	}
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") {
			return i
		}
	}
	return -1
}

type parser struct {
	what, text string
	at, depth  int
}

// fail ends the reading; parseText returns the error.
func (p *parser) fail(at int, format string, args ...any) {
	panic(stop{&textError{what: p.what, text: p.text, at: at, msg: fmt.Sprintf(format, args...)}})
}

// expected fails with what stands here instead.
func (p *parser) expected(want string) { p.fail(p.at, "expected %s, got %s", want, p.here()) }

// here is the next piece of the text, as errors show it.
func (p *parser) here() string {
	rest := p.text[p.at:]
	if rest == "" {
		return "the end"
	}
	for _, op := range []string{"%>%", "|>", "<-"} {
		if strings.HasPrefix(rest, op) {
			return op
		}
	}
	n := 0
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(rest)
	}
	return quoted(rest[:n])
}

// quoted is a piece of the text in quotes, shortened when long.
func quoted(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		case strings.HasPrefix(p.text[p.at:], "\u00a0"): // no-break spaces come with text copied from a page
			p.at += len("\u00a0")
		default:
			return
		}
	}
}

func (p *parser) take(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

// assignment skips R's `model <-`.
func (p *parser) assignment() {
	from := p.at
	p.word()
	p.space()
	if p.at > from && (p.take("<-") || p.take("=")) {
		p.space()
		return
	}
	p.at = from
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(`._/\~:-`, c) >= 0
}

// word is the word that begins here, "" where none does.
func (p *parser) word() string {
	from := p.at
	for p.at < len(p.text) && isWord(p.text[p.at]) {
		p.at++
	}
	return p.text[from:p.at]
}

// call reads a name and its arguments.
func (p *parser) call() *call {
	at := p.at
	name := p.word()
	if name == "" {
		p.expected("a layer")
	}
	if digit(name) {
		p.fail(at, "expected a layer, got %s", quoted(name))
	}
	p.space()
	if p.at == len(p.text) || p.text[p.at] != '(' {
		p.expected("( after " + clip(name))
	}
	return p.arguments(name, at)
}

// arguments reads from the opening parenthesis to the closing one.
func (p *parser) arguments(name string, at int) *call {
	c := &call{name: name, at: at}
	p.enter()
	p.at++
	p.space()
	for !p.take(")") {
		if len(c.args) > 0 {
			if !p.take(",") {
				p.expected(", or ) in the arguments of " + clip(name))
			}
			p.space()
		}
		a := argument{at: p.at}
		a.value = p.value("an argument of " + clip(name))
		p.space()
		if a.value.kind == wordValue && p.take("=") {
			p.space()
			a.name = a.value.text
			a.value = p.value("a value for " + clip(a.name))
			p.space()
		}
		c.args = append(c.args, a)
	}
	p.depth--
	return c
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.at, "expected at most %d parentheses in one another", maxDepth)
	}
}

// closing is the other end of a quote that may begin a string; text copied from a page has the round ones.
func closing(r rune) rune {
	switch r {
	case '"', '\'':
		return r
	case '“', '”':
		return '”'
	case '‘', '’':
		return '’'
	}
	return 0
}

// value reads what may stand in an argument; want names it in errors.
func (p *parser) value(want string) value {
	at := p.at
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	if q := closing(r); q != 0 {
		p.at += size
		n := strings.IndexRune(p.text[p.at:], q)
		if n < 0 {
			p.fail(at, "expected the closing %c of this text, got the end", q)
		}
		s := p.text[p.at : p.at+n]
		p.at += n + utf8.RuneLen(q)
		return value{kind: stringValue, at: at, text: s}
	}
	switch r {
	case '(':
		return value{kind: listValue, at: at, list: p.list(")")}
	case '[':
		return value{kind: listValue, at: at, list: p.list("]")}
	}
	text := p.word()
	if text == "" {
		p.expected(want)
	}
	if digit(text) {
		return value{kind: numberValue, at: at, text: text}
	}
	after := p.at
	p.space()
	if p.at == len(p.text) || p.text[p.at] != '(' {
		p.at = after
		return value{kind: wordValue, at: at, text: text}
	}
	c := p.arguments(text, at)
	if text != "c" && text != "list" {
		return value{kind: callValue, at: at, text: text, call: c}
	}
	v := value{kind: listValue, at: at}
	for _, a := range c.args {
		if a.name != "" {
			p.fail(a.at, "expected values without names in %s(), got %s", text, quoted(a.name))
		}
		v.list = append(v.list, a.value)
	}
	return v
}

// list reads values up to the closing bracket; one comma may stand before it, as in Python's (500,).
func (p *parser) list(end string) []value {
	p.enter()
	p.at++
	p.space()
	var list []value
	for !p.take(end) {
		if len(list) > 0 {
			if !p.take(",") {
				p.expected(", or " + end)
			}
			p.space()
			if p.take(end) {
				break
			}
		}
		list = append(list, p.value("a value"))
		p.space()
	}
	p.depth--
	return list
}

// digit reports whether a word is meant as a number: it begins with a digit, perhaps after a minus or a point.
func digit(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), ".")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}

// clip shortens a long name.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
