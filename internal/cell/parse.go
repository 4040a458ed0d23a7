package cell

import (
	"fmt"
	"strings"
)

const (
	maxText   = 64 << 10 // bytes of a text
	maxLevels = 100      // of parentheses, calls and unary minus
)

// parser turns a text into a Cell, line by line.
type parser struct {
	cell *Cell
	w    *widths

	assigned map[string]*assignment // by name, of the whole text: known before the lines are parsed
	order    []string               // its names, in the order of the text
	values   map[valueKey]int       // nodes of what has been read or assigned so far
	read     map[valueKey]bool
	onState  []bool // of every node: it depends on a state

	weights map[string]int // index in cell.Weights
	info    []*weightInfo  // of every weight
	uses    []use          // of weights, in the order of the text
	inits   []declaration
	sizes   []declaration

	toks  []token // of the line
	i     int
	level int
}

// assignment is where a name is assigned, at _t and at _t+1; line 0 where it is not.
type assignment struct{ now, next token }

type valueKey struct {
	name string
	next bool
}

// Parse checks a text against the language and gives its graph, widths still symbolic. Every error is an *Error.
func Parse(text string) (*Cell, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	p := &parser{
		cell: &Cell{Text: text, Output: -1}, w: newWidths(),
		assigned: map[string]*assignment{}, values: map[valueKey]int{}, read: map[valueKey]bool{}, weights: map[string]int{},
	}
	p.cell.widths = p.w
	lines := strings.Split(text, "\n")
	toks := make([][]token, len(lines))
	faults := make([]*Error, len(lines))
	for i, s := range lines {
		toks[i], faults[i] = lex(s, i+1)
		p.foresee(toks[i])
	}
	last := token{line: 1, col: 1}
	for i := range lines {
		if faults[i] != nil {
			return nil, faults[i]
		}
		if len(toks[i]) == 1 {
			continue
		}
		p.toks, p.i, p.level = toks[i], 0, 0
		last = token{line: i + 1, col: 1}
		if err := p.statement(); err != nil {
			return nil, err
		}
	}
	if err := p.finish(last); err != nil {
		return nil, err
	}
	return p.cell, nil
}

func checkText(text string) *Error {
	if len(text) > maxText {
		return &Error{Line: 1, Col: 1, Msg: fmt.Sprintf("expected a text of at most 64 KB, found %d bytes", len(text))}
	}
	line, start := 1, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n':
			line, start = line+1, i+1
		case c >= 0x80:
			return &Error{Line: line, Col: i - start + 1, Msg: fmt.Sprintf("expected ASCII, found the byte 0x%02x", c), Hint: "quotes, dashes and arrows are often changed by a paste"}
		}
	}
	return nil
}

// foresee notes what the line assigns: whether a name that is read is a state depends on the lines below, too.
func (p *parser) foresee(toks []token) {
	if len(toks) < 2 || toks[0].kind != value || !toks[1].is("=") {
		return
	}
	a := p.assigned[toks[0].name]
	if a == nil {
		a = &assignment{}
		p.assigned[toks[0].name] = a
		p.order = append(p.order, toks[0].name)
	}
	if at := a.at(toks[0].next); at.line == 0 {
		*at = toks[0]
	}
	for _, t := range toks[2:] {
		if t.kind == value && t.name == "state" && !t.next && len(p.cell.States) == 0 {
			p.state("state") // the first one, wherever it is read
		}
	}
}

func (a *assignment) at(next bool) *token {
	if next {
		return &a.next
	}
	return &a.now
}

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) take() token {
	t := p.toks[p.i]
	if t.kind != endOfLine {
		p.i++
	}
	return t
}

// statement parses a line: an equation, or a `param` or `value` line.
func (p *parser) statement() *Error {
	t := p.peek()
	if t.kind == ref && t.row < 0 && t.block == "" && !p.toks[1].is("=") && !p.toks[1].is("(") {
		switch t.name {
		case "param":
			return p.paramLine()
		case "value":
			return p.valueLine()
		}
	}
	name := p.take()
	if name.kind != value {
		hint := ""
		if name.kind == ref {
			hint = "weights are not assigned; write " + clip(name.name) + "_t if it varies in time"
		}
		return fault(name, hint, "expected name_t = expression, found %s", name)
	}
	if eq := p.take(); !eq.is("=") {
		hint := ""
		if eq.is("+") {
			hint = "the suffix is glued: " + clip(name.text) + "+1"
		}
		return fault(eq, hint, "expected = or <- after %s, found %s", name, eq)
	}
	if err := p.checkAssigned(name); err != nil {
		return err
	}
	e, err := p.sum()
	if err != nil {
		return err
	}
	if t := p.peek(); t.kind != endOfLine {
		return fault(t, afterHint(t), "expected an operator or the end of the line, found %s", t)
	}
	return p.assign(name, e)
}

func afterHint(t token) string {
	switch {
	case t.is(")"):
		return "no parenthesis is open"
	case t.is("="):
		return "one equation a line"
	case t.is(","):
		return "a comma stands between the arguments of a function"
	case t.kind != sign:
		return "a product is written with *, dot or %*%"
	}
	return ""
}

// checkAssigned refuses names that may not be assigned, or not again.
func (p *parser) checkAssigned(t token) *Error {
	switch name := t.valueName(); name {
	case "input_t", "input_t+1":
		return fault(t, "it is the layer's input", "expected a name other than %s, which is never assigned", name)
	case "state_t":
		return fault(t, "write state_t+1 = ... for the next state", "expected a name other than state_t, which is never assigned")
	case "output_t+1":
		return fault(t, "write output_t = ...", "expected a name other than output_t+1, which is never assigned")
	}
	a := p.assigned[t.name]
	if first := *a.at(t.next); first != t {
		return fault(t, "", "expected a name that is assigned once, found %s, assigned in line %d already", t.valueName(), first.line)
	}
	if other := *a.at(!t.next); other.line != 0 && other.line < t.line {
		return fault(t, "a state is read at _t and assigned at _t+1; any other value is assigned at _t",
			"expected %s_t or %s_t+1 to be assigned, found both, the other in line %d", t.name, t.name, other.line)
	}
	return nil
}

// assign gives the expression's node the name.
func (p *parser) assign(t token, e expr) *Error {
	node, err := p.operand(&e)
	if err != nil {
		return err
	}
	if e.number {
		p.w.node[node] = p.w.open()
	}
	n := &p.cell.Nodes[node]
	if n.Name == "" {
		n.Name = t.valueName()
	}
	p.values[valueKey{t.name, t.next}] = node
	if t.name == "output" {
		p.cell.Output = node
		p.w.output, p.w.outputAt = p.w.node[node], t
	}
	return nil
}

// finish checks what only the whole text shows.
func (p *parser) finish(last token) *Error {
	if p.cell.Output < 0 {
		return fault(last, "", "expected output_t to be assigned, found the end of the text")
	}
	for _, f := range []func() *Error{p.finishStates, p.finishWeights, p.finishParamLines, p.finishValueLines} {
		if err := f(); err != nil {
			return err
		}
	}
	p.note()
	_, err := p.w.solve(func(string) (int, bool) { return 0, false })
	return err
}
