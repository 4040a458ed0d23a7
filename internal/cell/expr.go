package cell

// expr is a parsed expression.
type expr struct {
	node   int
	param  int  // 1 + the use of a bare weight, not yet known to be a matrix or a vector; it has no node. Otherwise 0
	number bool // made of numbers alone: fits any width
	value  bool // a value stands in it
	minus  bool // a bare weight with a minus
	// terms are the uses of vectors that are terms of the sum that this expression is. They turn out to be biases when
	// the sum is complete and a value stands in it.
	terms []int
	at    token
}

// node appends a node of width variable w (-1: a number's).
func (p *parser) node(n Node, at token, w int, onState bool) int {
	n.Line, n.Col = at.line, at.col
	for _, a := range n.Args {
		onState = onState || p.onState[a]
	}
	p.cell.Nodes = append(p.cell.Nodes, n)
	p.w.node = append(p.w.node, w)
	p.onState = append(p.onState, onState)
	return len(p.cell.Nodes) - 1
}

// vector is the node of an expression that is no side of a product: a bare weight becomes a vector.
func (p *parser) vector(e *expr) (int, *Error) {
	if e.param != 0 {
		u := &p.uses[e.param-1]
		if err := p.setMatrix(u, false); err != nil {
			return 0, err
		}
		e.node = p.node(Node{Op: OpVector, Weight: u.weight, Row: max(u.at.row, 0), Block: u.block}, u.at, p.info[u.weight].blocks[u.block], false)
		e.terms = append(e.terms, e.param-1)
		e.param = 0
	}
	return e.node, nil
}

// closed ends the sum that e may be: nothing is added to it any more.
func (p *parser) closed(e *expr) {
	if e.value {
		for _, u := range e.terms {
			p.uses[u].bias = true
		}
	}
	e.terms = nil
}

// operand is the node of an expression that something other than a sum reads.
func (p *parser) operand(e *expr) (int, *Error) {
	n, err := p.vector(e)
	p.closed(e)
	return n, err
}

// deeper begins a level of nesting; the caller takes it off p.level at its end.
func (p *parser) deeper(at token) *Error {
	if p.level++; p.level > maxLevels {
		return fault(at, "name a part of the expression", "expected at most %d levels of parentheses, calls and unary minus, found more", maxLevels)
	}
	return nil
}

// sum = product { (+ | -) product }
func (p *parser) sum() (expr, *Error) {
	left, err := p.product()
	for err == nil && (p.peek().is("+") || p.peek().is("-")) {
		t := p.take()
		var right expr
		if right, err = p.product(); err != nil {
			break
		}
		op := OpAdd
		if t.text == "-" {
			op = OpSub
		}
		left, err = p.elementwise(op, t, left, right)
	}
	return left, err
}

// product = matmul { (* | /) matmul }
func (p *parser) product() (expr, *Error) {
	left, err := p.matmul()
	for err == nil && (p.peek().is("*") || p.peek().is("/")) {
		t := p.take()
		var right expr
		if right, err = p.matmul(); err != nil {
			break
		}
		op := OpMul
		if t.text == "/" {
			op = OpDiv
		}
		left, err = p.elementwise(op, t, left, right)
	}
	return left, err
}

// matmul = unary { %*% unary }
func (p *parser) matmul() (expr, *Error) {
	left, err := p.unary()
	for err == nil && p.peek().is("%*%") {
		t := p.take()
		var right expr
		if right, err = p.unary(); err != nil {
			break
		}
		left, err = p.dot(t, left, right)
	}
	return left, err
}

// unary = - unary | power
func (p *parser) unary() (expr, *Error) {
	t := p.peek()
	if !t.is("-") {
		return p.power()
	}
	p.take()
	if err := p.deeper(t); err != nil {
		return expr{}, err
	}
	e, err := p.unary()
	p.level--
	if err != nil {
		return e, err
	}
	bare := e.param != 0
	arg, err := p.vector(&e)
	if err != nil {
		return e, err
	}
	n := p.node(Node{Op: OpNeg, Args: []int{arg}}, t, p.w.node[arg], false)
	return expr{node: n, number: e.number, value: e.value, terms: e.terms, minus: bare, at: t}, nil
}

// power = primary [ ^ [-] number ]
func (p *parser) power() (expr, *Error) {
	e, err := p.primary()
	t := p.peek()
	if err != nil || !t.is("^") {
		return e, err
	}
	p.take()
	exponent, factor := p.take(), 1.0
	if exponent.is("-") {
		exponent, factor = p.take(), -1
	}
	if exponent.kind != number {
		return e, fault(exponent, "x^y of two values is exp(y * log(x))", "expected a number as exponent, perhaps with a minus, found %s", exponent)
	}
	if again := p.peek(); again.is("^") {
		return e, fault(again, "write (x^2)^3", "expected one exponent, found another ^")
	}
	arg, err := p.operand(&e)
	if err != nil {
		return e, err
	}
	n := p.node(Node{Op: OpPow, Args: []int{arg}, Value: factor * exponent.num}, t, p.w.node[arg], false)
	return expr{node: n, number: e.number, value: e.value, at: e.at}, nil
}

// primary = number | value | weight | function ( arguments ) | ( sum )
func (p *parser) primary() (expr, *Error) {
	t := p.take()
	switch {
	case t.kind == number:
		return expr{node: p.node(Node{Op: OpConst, Value: t.num}, t, -1, false), number: true, at: t}, nil
	case t.kind == value && p.peek().is("("):
		return expr{}, fault(t, "a product is written with *, dot or %*%", "expected a function before (, found %s, which is a value", t)
	case t.kind == value:
		return p.readValue(t)
	case t.kind == ref && p.peek().is("("):
		return p.call(t)
	case t.kind == ref:
		return p.useWeight(t)
	case t.is("("):
		if err := p.deeper(t); err != nil {
			return expr{}, err
		}
		e, err := p.sum()
		if err != nil {
			return e, err
		}
		p.level--
		return e, p.expectClose()
	}
	hint := ""
	switch {
	case t.is("="):
		hint = "one equation a line"
	case t.is("*") && p.i >= 2 && p.toks[p.i-2].is("*"):
		hint = "a power is written with ^"
	case t.is("+"):
		hint = "there is no unary plus"
	case t.kind == endOfLine:
		hint = "an equation does not go on in the next line"
	}
	return expr{}, fault(t, hint, "expected a value, a weight, a number or (, found %s", t)
}

func (p *parser) expectClose() *Error {
	t := p.take()
	if t.is(")") {
		return nil
	}
	hint := afterHint(t)
	if t.kind == endOfLine {
		hint = "an equation does not go on in the next line"
	}
	return fault(t, hint, "expected an operator or ), found %s", t)
}

// elementwise is an operation on two expressions of one width.
func (p *parser) elementwise(op Op, t token, a, b expr) (expr, *Error) {
	e := expr{number: a.number && b.number, value: a.value || b.value, at: a.at}
	x, err := p.vector(&a)
	if err != nil {
		return e, err
	}
	y, err := p.vector(&b)
	if err != nil {
		return e, err
	}
	if op == OpAdd || op == OpSub {
		e.terms = append(a.terms, b.terms...)
	} else {
		p.closed(&a)
		p.closed(&b)
	}
	w := p.w.meet(p.w.node[x], p.w.node[y], t, "the operands of "+t.text)
	e.node = p.node(Node{Op: op, Args: []int{x, y}}, t, w, false)
	return e, nil
}
