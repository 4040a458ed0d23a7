package cell

import (
	"slices"
	"strconv"
)

// maxSize is the largest width that a `value` line may give.
const maxSize = 65536

// initializers are the Keras 3.15 initializers that need no argument (keras/src/initializers/__init__.py): the name that
// weights keep, then the other names.
var initializers = [...][]string{
	{"constant", "Constant"},
	{"identity", "Identity", "IdentityInitializer"},
	{"ones", "Ones", "one"},
	{"zeros", "Zeros", "zero"},
	{"glorot_normal", "GlorotNormal"},
	{"glorot_uniform", "GlorotUniform"},
	{"he_normal", "HeNormal"},
	{"he_uniform", "HeUniform"},
	{"lecun_normal", "LecunNormal"},
	{"lecun_uniform", "LecunUniform"},
	{"orthogonal", "Orthogonal", "OrthogonalInitializer"},
	{"random_normal", "RandomNormal", "normal"},
	{"random_uniform", "RandomUniform", "uniform"},
	{"truncated_normal", "TruncatedNormal"},
	{"variance_scaling", "VarianceScaling"},
}

// initializer is the first name of the initializer called name; "" if there is none, and then a name that is near.
func initializer(name string) (first, near string) {
	var all []string
	for _, names := range initializers {
		if slices.Contains(names, name) {
			return names[0], ""
		}
		all = append(all, names[0])
	}
	return "", nearest(name, all)
}

// declaration is a `param` or `value` line: what it names and what it says.
type declaration struct {
	at   token
	says token
	text string // of what it says; a number with its sign
	size int    // of a `value` line with a number; 0: a name
}

// declared parses NAME keyword = WORD, the keyword's value being a name or a number.
func (p *parser) declared(keyword string) (declaration, *Error) {
	d := declaration{at: p.take()}
	if t := p.take(); t.kind != ref || t.text != keyword {
		return d, fault(t, "", "expected %s=... after %s, found %s", keyword, d.at, t)
	}
	if t := p.take(); !t.is("=") {
		return d, fault(t, "", "expected = after %s, found %s", keyword, t)
	}
	d.says = p.take()
	if d.says.is("-") && p.peek().kind == number {
		d.text = "-"
		minus := d.says
		d.says = p.take()
		d.says.line, d.says.col = minus.line, minus.col
	}
	d.text += d.says.text
	if k := d.says.kind; k != number && (k != ref || d.says.row >= 0 || d.says.block != "") {
		return d, fault(d.says, "", "expected a name or a number after %s=, found %s", keyword, d.says)
	}
	if t := p.peek(); t.kind != endOfLine {
		return d, fault(t, "", "expected the end of the line, found %s", t)
	}
	return d, nil
}

// paramLine is `param NAME[.block] init=INIT`. The weight may be used below.
func (p *parser) paramLine() *Error {
	p.take()
	t := p.peek()
	switch {
	case t.kind == value:
		return fault(t, "weights have no suffix", "expected a weight after param, found the value %s", t)
	case t.kind != ref:
		return fault(t, "", "expected a weight after param, found %s", t)
	case t.row >= 0:
		return fault(t, "an initializer is set for a weight or for one of its blocks", "expected a weight without a row, found %s", t)
	}
	d, err := p.declared("init")
	if err != nil {
		return err
	}
	if d.says.kind == ref {
		first, near := initializer(d.text)
		if first == "" {
			hint := ""
			if near != "" {
				hint = "did you mean " + near + "?"
			}
			return fault(d.says, hint, "expected an initializer of Keras or a number, found %s", d.says)
		}
		d.text = first
	}
	p.inits = append(p.inits, d)
	return nil
}

// finishParamLines hands the initializers to their weights.
func (p *parser) finishParamLines() *Error {
	for _, d := range p.inits {
		i, ok := p.weights[d.at.name]
		if !ok {
			var names []string
			for _, w := range p.cell.Weights {
				names = append(names, w.Name)
			}
			hint := "a param line is no use"
			if n := nearest(d.at.name, names); n != "" {
				hint = "did you mean " + n + "?"
			}
			return fault(d.at, hint, "expected a weight that an equation uses, found %s", d.at)
		}
		w := &p.cell.Weights[i]
		to := &w.Init
		if d.at.block != "" {
			b, ok := p.info[i].byName[d.at.block]
			if !ok {
				return fault(d.at, "", "expected a block of %s that an equation uses, found %s", clip(w.Name), d.at)
			}
			to = &w.Blocks[b].Init
		}
		if *to != "" {
			return fault(d.at, "", "expected one initializer of %s, found a second", d.at)
		}
		if !w.Matrix && w.Rows == 0 && (d.text == "orthogonal" || d.text == "identity") {
			return fault(d.says, "", "expected an initializer of vectors, found %s, which takes a matrix", d.says)
		}
		*to = d.text
	}
	return nil
}

// valueLine is `value NAME_t size=SIZE`. The value may be assigned below.
func (p *parser) valueLine() *Error {
	p.take()
	t := p.peek()
	switch {
	case t.kind == ref:
		return fault(t, "write value "+clip(t.name)+"_t", "expected a value after value, found the weight %s", t)
	case t.kind != value || t.next:
		return fault(t, "a size holds at _t and _t+1 alike", "expected a value as x_t after value, found %s", t)
	}
	d, err := p.declared("size")
	if err != nil {
		return err
	}
	if d.says.kind == number {
		n, err := strconv.Atoi(d.text)
		d.size = n
		if err != nil || n < 1 || n > maxSize {
			return fault(d.says, "", "expected a size from 1 to %d, found %s", maxSize, clip(d.text))
		}
	}
	for _, other := range p.sizes {
		if other.at.name == t.name {
			return fault(t, "", "expected one size of %s, found a second; the first is in line %d", t, other.at.line)
		}
	}
	p.sizes = append(p.sizes, d)
	return nil
}

// finishValueLines binds the sizes to width variables.
func (p *parser) finishValueLines() *Error {
	for _, d := range p.sizes {
		v := -1
		if d.at.name == "input" {
			v = p.w.input
		}
		for _, next := range []bool{true, false} {
			if n, ok := p.values[valueKey{d.at.name, next}]; ok {
				v = p.w.node[n]
			}
		}
		for i, s := range p.cell.States {
			if s.Name == d.at.name {
				v = p.w.state[i]
			}
		}
		if v < 0 {
			return fault(d.at, "", "expected a value that an equation reads or assigns, found %s", d.at)
		}
		p.w.bound = append(p.w.bound, bound{v, d})
	}
	return nil
}
