package cell

import "strings"

// state adds a state and gives its number.
func (p *parser) state(name string) int {
	p.cell.States = append(p.cell.States, State{Name: name})
	p.w.state = append(p.w.state, p.w.open())
	return len(p.cell.States) - 1
}

// readValue is the node of a value that stands in an expression.
func (p *parser) readValue(t token) (expr, *Error) {
	key := valueKey{t.name, t.next}
	node, ok := p.values[key]
	if !ok {
		isState := t.name == "state"
		if a := p.assigned[t.name]; a != nil {
			isState = isState || a.next.line != 0 && a.now.line == 0
		}
		switch {
		case t.next:
			return expr{}, fault(t, "if the sum is meant: "+t.name+"_t + 1", "expected a value assigned above, found %s", t.valueName())
		case t.name == "input":
			node = p.node(Node{Op: OpInput, Name: "input_t"}, t, p.w.input, false)
		case isState:
			i := 0
			for i < len(p.cell.States) && p.cell.States[i].Name != t.name {
				i++
			}
			if i == len(p.cell.States) {
				i = p.state(t.name)
			}
			node = p.node(Node{Op: OpState, Index: i, Name: t.valueName()}, t, p.w.state[i], true)
		default:
			return expr{}, p.unassigned(t)
		}
		p.values[key] = node
	}
	p.read[key] = true
	return expr{node: node, value: true, at: t}, nil
}

// unassigned says why t, read at _t, has no value.
func (p *parser) unassigned(t token) *Error {
	if a := p.assigned[t.name]; a != nil {
		hint := "lines run from top to bottom"
		if t.name == "output" {
			hint = "the output of the step before is state_t"
		}
		return fault(t, hint, "expected a value assigned above, found %s_t, assigned in line %d", t.name, a.now.line)
	}
	hint := "a state is read at _t and assigned at _t+1; a weight has no suffix"
	if n := nearest(t.name, append([]string{"input", "state"}, p.order...)); n != "" {
		hint = "did you mean " + n + "_t?"
	}
	for _, w := range p.cell.Weights {
		if strings.EqualFold(w.Name, t.name) {
			hint = "did you mean the weight " + clip(w.Name) + "?"
		}
	}
	return fault(t, hint, "expected a value assigned above, found %s_t, which no line assigns", clip(t.name))
}

// finishStates finds every state's next value.
func (p *parser) finishStates() *Error {
	for _, name := range p.order {
		if at := p.assigned[name].next; at.line != 0 && !p.read[valueKey{name, false}] {
			return fault(at, "if it is no state, write "+name+"_t", "expected %s_t to be read, since %s is assigned; found no such line", name, at.valueName())
		}
	}
	for i := range p.cell.States {
		s := &p.cell.States[i]
		next, ok := p.values[valueKey{s.Name, true}]
		at := p.w.outputAt
		if ok {
			at = p.assigned[s.Name].next
		} else { // state_t alone may have no line of its own
			next = p.cell.Output
		}
		s.Next = next
		p.w.equate(p.w.state[i], p.w.node[next], at, s.Name+"_t and "+s.Name+"_t+1")
	}
	return nil
}
