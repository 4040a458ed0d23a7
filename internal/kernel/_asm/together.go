package main

import "github.com/mmcloughlin/avo/ir"

// together writes streams of instructions that do not depend on one another in turns, so that all end at the same time. A function like
// tanh is a chain in which each instruction waits for the one before: of chains one after the other, the first would fill the
// machine's queues with instructions that wait, and keep it from those of the next that need not.
func (a *asm) together(streams ...func()) {
	file, err := a.Result()
	if err != nil {
		panic(err)
	}
	functions := file.Functions()
	fn := functions[len(functions)-1]
	begin := len(fn.Nodes)
	var parts [][]ir.Node
	for _, write := range streams {
		from := len(fn.Nodes)
		write()
		parts = append(parts, append([]ir.Node(nil), fn.Nodes[from:]...))
	}
	mixed := fn.Nodes[begin:begin]
	done := make([]int, len(parts))
	for len(mixed) < len(fn.Nodes)-begin {
		next := -1
		for i, p := range parts {
			// The part of which least will have been written.
			if done[i] < len(p) && (next < 0 || (done[i]+1)*len(parts[next]) < (done[next]+1)*len(p)) {
				next = i
			}
		}
		mixed = append(mixed, parts[next][done[next]])
		done[next]++
	}
}
