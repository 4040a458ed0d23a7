package pickle

// List is a Python list. As long as it holds nothing but integers of 32 bits it is one slice of them.
type List struct {
	ints  []int32 // after lead zeros, while items is nil
	items []any
	lead  int
}

// Len is the number of elements.
func (l *List) Len() int {
	if l.items != nil {
		return len(l.items)
	}
	return len(l.ints) - l.lead
}

// At is element i, of the types that Read returns.
func (l *List) At(i int) any {
	if l.items != nil {
		return l.items[i]
	}
	return int64(l.ints[l.lead+i])
}

// Ints is the list after the lead zeros that Read was asked for, not copied; false when an element is not an integer of 32
// bits. Nothing else shares the slice's memory, unless the same list is in several places.
func (l *List) Ints() ([]int32, bool) { return l.ints, l.items == nil }

func (m *machine) newList() *List {
	return &List{lead: m.arena.lead, ints: m.arena.extend(nil, m.arena.zeros)}
}

// extend appends to a list what was on the stack.
func (m *machine) extend(l *List, vs []value) {
	if l.items == nil {
		if ints, ok := m.fit(vs); ok {
			l.ints = m.arena.extend(l.ints, ints)
			return
		}
		l.items = make([]any, l.Len(), l.Len()+len(vs))
		for i, n := range l.ints[l.lead:] {
			l.items[i] = int64(n)
		}
		m.arena.drop(l.ints)
		l.ints = nil
	}
	for _, v := range vs {
		l.items = append(l.items, v.any())
	}
}

// fit is the values as integers of 32 bits, in memory that the next call uses again.
func (m *machine) fit(vs []value) ([]int32, bool) {
	ints := m.arena.scratch[:0]
	for _, v := range vs {
		if _, ok := v.p.(isInt); !ok || v.n != int64(int32(v.n)) {
			return nil, false
		}
		ints = append(ints, int32(v.n))
	}
	m.arena.scratch = ints
	return ints, true
}

// arena holds the integers of many lists one after the other, in blocks, so that a million lists are not a million
// allocations and none is copied as it grows: a pickle finishes a list before it begins the next.
type arena struct {
	lead    int
	zeros   []int32 // lead of them
	block   []int32 // its length is what is in use
	size    int     // of the next block
	scratch []int32
}

// The first block and the largest, in integers. Blocks double between them, so that a small pickle costs little.
const (
	firstBlock = 1 << 10
	lastBlock  = 1 << 18
)

// extend appends to a slice of the arena: in place when the slice is the last in its block and there is room. A slice that is
// not the last, which only a pickle of strange make has, leaves the arena and grows by itself.
func (a *arena) extend(s, more []int32) []int32 {
	if len(more) == 0 {
		return s
	}
	if len(s) > 0 && !a.isLast(s) {
		return append(s, more...)
	}
	if len(a.block)+len(more) > cap(a.block) {
		a.size = min(max(2*a.size, firstBlock), lastBlock)
		// A list that outgrows its block gets twice its length, so that a long one is copied a few times only.
		block := make([]int32, len(s), max(a.size, 2*len(s)+len(more)))
		copy(block, s)
		a.block = block
	}
	start := len(a.block) - len(s)
	a.block = append(a.block, more...)
	return a.block[start:len(a.block):len(a.block)]
}

// drop gives back the memory of a slice that was the last.
func (a *arena) drop(s []int32) {
	if len(s) > 0 && a.isLast(s) {
		a.block = a.block[:len(a.block)-len(s)]
	}
}

func (a *arena) isLast(s []int32) bool {
	n := len(a.block)
	return n > 0 && &a.block[n-1] == &s[len(s)-1]
}
