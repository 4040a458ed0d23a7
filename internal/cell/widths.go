package cell

import "fmt"

// widths are the symbolic widths of a text: variables, what binds them to sizes, and which are equal. They are solved by
// unification, once while parsing with the sizes that are numbers, and again when all sizes are known.
type widths struct {
	count    int
	node     []int   // the variable of every node; -1: made of numbers, fits any width
	state    []int   // of every state
	weights  [][]int // of every weight: the axis that meets a value, then the blocks of the other
	input    int
	output   int
	outputAt token

	bound []bound
	equal []equality
}

// bound is a `value` line that gives a variable its size.
type bound struct {
	variable int
	line     declaration
}

// equality is a place where two widths meet.
type equality struct {
	a, b int
	at   token
	what string // that must be equally wide
}

func newWidths() *widths {
	w := &widths{}
	w.input = w.open()
	return w
}

// open is a new variable.
func (w *widths) open() int {
	w.count++
	return w.count - 1
}

func (w *widths) equate(a, b int, at token, what string) {
	if a != b {
		w.equal = append(w.equal, equality{a, b, at, what})
	}
}

// meet is the width of an operation on widths a and b, either of which may be a number's.
func (w *widths) meet(a, b int, at token, what string) int {
	switch {
	case a < 0:
		return b
	case b >= 0:
		w.equate(a, b, at, what)
	}
	return a
}

// solution is the classes of equal variables and their widths.
type solution struct {
	parent []int
	size   []int    // of a class, at its root; 0: open
	why    []string // who said so
	sized  []bool   // a `value` line says so
}

// solve unifies. size gives the widths of "input", "units" and the names of `value` lines, as far as they are known.
func (w *widths) solve(size func(name string) (int, bool)) (*solution, *Error) {
	s := &solution{make([]int, w.count), make([]int, w.count), make([]string, w.count), make([]bool, w.count)}
	for i := range s.parent {
		s.parent[i] = i
	}
	if n, ok := size("input"); ok {
		s.size[w.input], s.why[w.input] = n, "the input"
	}
	for _, b := range w.bound {
		n, ok := b.line.size, b.line.size > 0
		if !ok {
			n, ok = size(b.line.text)
		}
		v := b.variable
		s.sized[v] = true
		if !ok {
			continue
		}
		if s.size[v] != 0 && s.size[v] != n {
			return nil, fault(b.line.at, "", "expected %s to be %d wide (%s), found size=%s, which is %d", b.line.at, s.size[v], s.why[v], clip(b.line.text), n)
		}
		s.size[v], s.why[v] = n, fmt.Sprintf("size=%s in line %d", clip(b.line.text), b.line.at.line)
	}
	for _, e := range w.equal {
		if err := s.unify(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *solution) root(v int) int {
	for s.parent[v] != v {
		s.parent[v] = s.parent[s.parent[v]]
		v = s.parent[v]
	}
	return v
}

func (s *solution) unify(e equality) *Error {
	a, b := s.root(e.a), s.root(e.b)
	if a == b {
		return nil
	}
	if s.size[a] != 0 && s.size[b] != 0 && s.size[a] != s.size[b] {
		return fault(e.at, "", "expected %s to be equally wide, found %d (%s) and %d (%s)", e.what, s.size[a], s.why[a], s.size[b], s.why[b])
	}
	if s.size[a] == 0 {
		a, b = b, a // the class with a size stays
	}
	s.parent[b] = a
	s.sized[a] = s.sized[a] || s.sized[b]
	return nil
}
