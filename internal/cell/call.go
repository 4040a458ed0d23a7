package cell

// call parses the arguments of function t, whose ( comes next.
func (p *parser) call(t token) (expr, *Error) {
	name := t.name
	if t.block != "" {
		name += "." + t.block
	}
	want := arity(name)
	if want == 0 || t.row >= 0 {
		msg, hint := unknownFunc(clip(t.text))
		return expr{}, fault(t, hint, "%s", msg)
	}
	p.take()
	if err := p.deeper(t); err != nil {
		return expr{}, err
	}
	var args []expr
	for !p.peek().is(")") || len(args) > 0 {
		a, err := p.sum()
		if err != nil {
			return a, err
		}
		args = append(args, a)
		if !p.peek().is(",") {
			break
		}
		p.take()
	}
	if err := p.expectClose(); err != nil {
		return expr{}, err
	}
	p.level--
	if len(args) != want {
		return expr{}, fault(t, "", "expected %s of %s, found %d", counted(want), name, len(args))
	}
	return p.apply(name, t, args)
}

func counted(n int) string {
	return [...]string{"", "one argument", "two arguments", "three arguments"}[n]
}

// apply is the function of the arguments.
func (p *parser) apply(name string, t token, args []expr) (expr, *Error) {
	switch name {
	case "dot":
		return p.dot(t, args[0], args[1])
	case "min", "max":
		op := OpMin
		if name == "max" {
			op = OpMax
		}
		return p.elementwise(op, t, args[0], args[1])
	case "layer_norm":
		return p.layerNorm(t, args)
	}
	e := &args[0]
	if name == "as.numeric" || name == "linear" { // the argument itself, a term of the sum around it like any other
		_, err := p.vector(e)
		return *e, err
	}
	if name == "softmax" && e.number {
		return *e, fault(e.at, "", "expected a value as the argument of softmax, found a number")
	}
	arg, err := p.operand(e)
	if err != nil {
		return *e, err
	}
	n := Node{Op: OpFunc, Func: name, Args: []int{arg}}
	if f, ok := FuncByName(name); ok {
		n.Func = f.Name
	} else if name == "softmax" {
		n.Op, n.Func = OpSoftmax, ""
	}
	return expr{node: p.node(n, t, p.w.node[arg], false), number: e.number, value: e.value, at: t}, nil
}

// layerNorm is (x - mean) / sqrt(var + 1e-3) * gain + bias. Gain and bias that are not both weights are multiplied and added
// outside of the node.
func (p *parser) layerNorm(t token, args []expr) (expr, *Error) {
	for _, a := range args {
		if a.number {
			return a, fault(a.at, "layer_norm(x, gain, bias) takes weights as gain and bias", "expected no number alone as an argument of layer_norm, found one")
		}
	}
	x, gain, bias := &args[0], &args[1], &args[2]
	bare := gain.param != 0 && bias.param != 0
	if gain.param != 0 {
		p.uses[gain.param-1].gain = true
	}
	var nodes [3]int
	for i := range args {
		var err *Error
		if i == 2 {
			nodes[i], err = p.vector(bias) // a term of the sum
		} else {
			nodes[i], err = p.operand(&args[i])
		}
		if err != nil {
			return *x, err
		}
	}
	w := p.w.meet(p.w.node[nodes[0]], p.w.node[nodes[1]], t, "the arguments of layer_norm")
	w = p.w.meet(w, p.w.node[nodes[2]], t, "the arguments of layer_norm")
	e := expr{value: x.value || gain.value || bias.value, terms: bias.terms, at: t}
	if bare {
		e.node = p.node(Node{Op: OpLayerNorm, Args: nodes[:]}, t, w, false)
		return e, nil
	}
	one := p.node(Node{Op: OpConst, Value: 1}, t, -1, false)
	zero := p.node(Node{Op: OpConst}, t, -1, false)
	e.node = p.node(Node{Op: OpLayerNorm, Args: []int{nodes[0], one, zero}}, t, w, false)
	e.node = p.node(Node{Op: OpMul, Args: []int{e.node, nodes[1]}}, t, w, false)
	e.node = p.node(Node{Op: OpAdd, Args: []int{e.node, nodes[2]}}, t, w, false)
	return e, nil
}

// dot is the product of a value and a weight, in either order.
func (p *parser) dot(t token, a, b expr) (expr, *Error) {
	left := a.param != 0
	w, x := &b, &a
	if left {
		w, x = &a, &b
	}
	switch {
	case left && b.param != 0:
		hint := "one product after the other: dot(dot(x_t, W), U)"
		if t.is("%*%") {
			hint = "the value comes first: W %*% (U %*% x_t)"
		}
		return a, fault(t, hint, "expected a value on one side of a product, found the weights %s and %s", a.at, b.at)
	case w.param == 0:
		hint := "a weight is a name without _t; values are multiplied elementwise with *"
		switch {
		case (a.minus || b.minus) && t.is("%*%"):
			hint = "unary minus comes before %*%: write -(W %*% x_t)"
		case a.minus || b.minus:
			hint = "write -dot(x_t, W)"
		}
		return a, fault(t, hint, "expected the name of a weight on one side of a product, found none")
	case x.number:
		return a, fault(x.at, "a number is multiplied with *", "expected a value in a product, found a number")
	}
	u := &p.uses[w.param-1]
	if u.at.row >= 0 {
		return a, fault(u.at, "only vectors have rows", "expected a matrix, found %s", u.at)
	}
	arg, err := p.operand(x)
	if err != nil {
		return a, err
	}
	u.left, u.recurrent = left, p.onState[arg]
	if err := p.setMatrix(u, true); err != nil {
		return a, err
	}
	in, out := p.info[u.weight].axes(u.block, left)
	p.w.equate(p.w.node[arg], in, t, "the value and the weight "+clip(u.at.name)+" where they meet in a product")
	n := p.node(Node{Op: OpDot, Args: []int{arg}, Weight: u.weight, Block: u.block, Left: left}, t, out, false)
	return expr{node: n, value: x.value, at: t}, nil
}
