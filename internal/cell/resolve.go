package cell

import (
	"fmt"
	"math"
)

// maxWeights is how many numbers the weights of one layer may hold together.
const maxWeights = 1 << 31

// Resolve is the parsed cell c with all widths in numbers, the layer's functions in place of activation and
// recurrent_activation, and, with NoBias, without the weights whose role is Bias. linear is its argument.
//
// Width stays 0 for numbers, and expressions of numbers alone, that no name was given: they fit any width.
// A width that does not fit is an *Error with its place in the text.
func (c *Cell) Resolve(o Options) (*Cell, error) {
	s, err := c.solve(o)
	if err != nil {
		return nil, err
	}
	r := &Cell{Text: c.Text, Notes: append([]string(nil), c.Notes...)}
	weight := make([]int, len(c.Weights)) // its number in r; -1: gone
	total := int64(0)
	for i := range c.Weights {
		if o.NoBias && c.Weights[i].Role == Bias {
			weight[i] = -1
			continue
		}
		w, size := c.resolveWeight(i, s)
		if total += size; size > maxWeights || total > maxWeights {
			at := c.firstUse(i)
			return nil, fault(at, "", "expected at most 2^31 numbers in the weights, found more with %s", clip(w.Name))
		}
		weight[i] = len(r.Weights)
		r.Weights = append(r.Weights, w)
	}
	b := &rebuild{from: c, to: r, weight: weight, at: make([]int, len(c.Nodes))}
	if b.act, err = function("activation", o.Activation, "tanh"); err != nil {
		return nil, err
	}
	if b.recurrent, err = function("recurrent activation", o.RecurrentActivation, "sigmoid"); err != nil {
		return nil, err
	}
	for i, n := range c.Nodes {
		if v := c.widths.node[i]; v >= 0 {
			n.Width = s.size[s.root(v)]
		}
		if err := b.node(i, n); err != nil {
			return nil, err
		}
	}
	for i, st := range c.States {
		st.Next, st.Width = b.at[st.Next], s.size[s.root(c.widths.state[i])]
		r.States = append(r.States, st)
	}
	r.Output = b.at[c.Output]
	return r, nil
}

// solve checks the options and gives every class of widths its number.
func (c *Cell) solve(o Options) (*solution, error) {
	w := c.widths
	if w == nil {
		return nil, fmt.Errorf("cell: Resolve: expected a cell that Parse made, got one without symbolic widths")
	}
	if o.Units < 1 || o.Units > math.MaxInt32 {
		return nil, fmt.Errorf("cell: Resolve: expected units from 1 to %d, got %d", math.MaxInt32, o.Units)
	}
	if o.Input < 1 || o.Input > math.MaxInt32 {
		return nil, fmt.Errorf("cell: Resolve: expected an input of 1 to %d columns, got %d", math.MaxInt32, o.Input)
	}
	named := map[string]bool{}
	for _, b := range w.bound {
		name := b.line.text
		if b.line.size > 0 || name == "units" || name == "input" {
			continue
		}
		named[name] = true
		if n, ok := o.Sizes[name]; !ok {
			return nil, fault(b.line.says, "the layer sets it", "expected a size %s, found none", clip(name))
		} else if n < 1 || n > maxSize {
			return nil, fault(b.line.says, "", "expected a size %s from 1 to %d, found %d", clip(name), maxSize, n)
		}
	}
	for name := range o.Sizes {
		if !named[name] {
			return nil, fmt.Errorf("cell: Resolve: expected sizes that a `value` line of the text names, got %q", name)
		}
	}
	s, fail := w.solve(func(name string) (int, bool) {
		switch name {
		case "input":
			return o.Input, true
		case "units":
			return o.Units, true
		}
		n, ok := o.Sizes[name]
		return n, ok
	})
	if fail != nil {
		return nil, fail
	}
	out := s.root(w.output)
	if n := s.size[out]; n != 0 && n != o.Units && !s.sized[out] {
		return nil, fault(w.outputAt, "a line `value output_t size=...` allows another width", "expected output_t to be %d wide (units), found %d (%s)", o.Units, n, s.why[out])
	}
	for v := range s.size {
		if s.size[v] == 0 {
			s.size[v] = o.Units
		}
	}
	return s, nil
}

// resolveWeight is weight i with its widths, and how many numbers it holds.
func (c *Cell) resolveWeight(i int, s *solution) (Weight, int64) {
	w := c.Weights[i]
	w.Blocks = append([]Block(nil), w.Blocks...)
	vars := c.widths.weights[i]
	out := int64(0)
	for k := range w.Blocks {
		b := &w.Blocks[k]
		b.Width = s.size[s.root(vars[1+k])]
		b.Start = int(out)
		if out += int64(b.Width); out > maxWeights {
			return w, out
		}
	}
	w.Out = int(out)
	switch {
	case w.Matrix:
		w.In = s.size[s.root(vars[0])]
		return w, out * int64(w.In) // both at most 2^31
	case w.Rows > 0:
		return w, out * int64(w.Rows)
	}
	return w, out
}

// firstUse is the place of the first node that reads weight i.
func (c *Cell) firstUse(i int) token {
	for _, n := range c.Nodes {
		if (n.Op == OpVector || n.Op == OpDot) && n.Weight == i {
			return token{line: n.Line, col: n.Col}
		}
	}
	return token{line: 1, col: 1}
}

// function is the first name of the function that an option names.
func function(what, name, otherwise string) (string, error) {
	if name == "" {
		name = otherwise
	}
	if name == "softmax" {
		return name, nil
	}
	f, ok := FuncByName(name)
	if !ok {
		hint := ""
		if n := nearest(name, append(Funcs(), "softmax")); n != "" {
			hint = "; did you mean " + n + "?"
		}
		return "", fmt.Errorf("cell: Resolve: expected an elementwise function or softmax as %s, got %q%s", what, clip(name), hint)
	}
	return f.Name, nil
}

// rebuild copies nodes, less what the options take away.
type rebuild struct {
	from, to       *Cell
	weight         []int
	at             []int // of every old node, the new one; gone: a bias that is 0, or a sum of such
	act, recurrent string
}

const gone = -1

func (b *rebuild) node(i int, n Node) error {
	args := make([]int, len(n.Args))
	for k, a := range n.Args {
		args[k] = b.at[a]
	}
	n.Args = args
	switch n.Op {
	case OpVector:
		if n.Weight = b.weight[n.Weight]; n.Weight < 0 {
			b.at[i] = gone
			return nil
		}
	case OpDot:
		n.Weight = b.weight[n.Weight]
	case OpAdd:
		if args[0] == gone || args[1] == gone {
			b.keep(i, max(args[0], args[1]), n)
			return nil
		}
	case OpSub:
		switch {
		case args[1] == gone:
			b.keep(i, args[0], n)
			return nil
		case args[0] == gone:
			n.Op, n.Args = OpNeg, args[1:]
		}
	case OpNeg:
		if args[0] == gone {
			b.at[i] = gone
			return nil
		}
	case OpLayerNorm:
		if args[2] == gone {
			args[2] = b.add(Node{Op: OpConst, Line: n.Line, Col: n.Col})
		}
	case OpFunc:
		switch n.Func {
		case "activation":
			n.Func = b.act
		case "recurrent_activation":
			n.Func = b.recurrent
		}
		switch n.Func {
		case "linear":
			b.keep(i, args[0], n)
			return nil
		case "softmax":
			if b.from.widths.node[b.from.Nodes[i].Args[0]] < 0 {
				return fault(token{line: n.Line, col: n.Col}, "", "expected a value as the argument of softmax, found a number")
			}
			n.Op, n.Func = OpSoftmax, ""
		}
	}
	b.at[i] = b.add(n)
	return nil
}

func (b *rebuild) add(n Node) int {
	b.to.Nodes = append(b.to.Nodes, n)
	return len(b.to.Nodes) - 1
}

// keep puts new node j in the place of old node i, whose rest is n: its name moves on.
func (b *rebuild) keep(i, j int, n Node) {
	b.at[i] = j
	if j == gone {
		return
	}
	if n.Width > 0 && b.to.Nodes[j].Width == 0 { // a number that a name was given
		same := b.to.Nodes[j]
		same.Width, same.Name = n.Width, ""
		j = b.add(same)
		b.at[i] = j
	}
	if b.to.Nodes[j].Name == "" {
		b.to.Nodes[j].Name = n.Name
	}
}
