package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Path says what runs in one part of a cell's work.
type Path struct {
	// Part is "weights" (when they change), "inputs" (all steps together), "step", "step back", "after" (the way back, all steps
	// together) or "inputs back".
	Part     string
	Products int
	Fused    []string // the generated loops: each is many operations, and one pass over memory
	Alone    []string // the other operations: each is a pass of its own
	// Walk is how steps follow each other, for "step" and "step back": "many in one call", or "one by one" and why.
	Walk string
}

// Paths are the parts of the cell that have something to run. A step with more than one operation in Alone is slower than one
// that is fused; the equations that have generated loops are those of internal/kernel/_asm/fused.go, up to names and order.
func (c *Cell) Paths() []Path {
	var paths []Path
	for _, p := range []struct {
		name string
		ins  []instr
	}{{"weights", c.once}, {"inputs", c.hoist}, {"step", c.steps}, {"step back", c.back}, {"after", c.backAfter},
		{"inputs back", slices.Concat(c.backHoist, c.backInput)}} {
		path := Path{Part: p.name}
		for _, in := range p.ins {
			switch name := in.Name(); {
			case in.group != nil:
				path.Fused = append(path.Fused, in.fused.String())
			case name == "product":
				path.Products++
			default:
				path.Alone = append(path.Alone, name)
			}
		}
		if p.name == "step" || p.name == "step back" {
			path.Walk = "many in one call"
			if why := c.stepByStep(p.ins); why != "" {
				path.Walk = "one by one, " + why
			}
		}
		if len(p.ins) > 0 {
			paths = append(paths, path)
		}
	}
	return paths
}

// String is a line for people: "step: 4 products, LSTMStep1; many in one call", "step: 2 products, alone: gelu, mul; one by one, gelu
// has no kernel".
func (p Path) String() string {
	var parts []string
	switch p.Products {
	case 0:
	case 1:
		parts = append(parts, "1 product")
	default:
		parts = append(parts, fmt.Sprintf("%d products", p.Products))
	}
	parts = append(parts, p.Fused...)
	if len(p.Alone) > 0 {
		parts = append(parts, "alone: "+strings.Join(p.Alone, ", "))
	}
	line := p.Part + ": " + strings.Join(parts, ", ")
	if p.Walk != "" {
		line += "; " + p.Walk
	}
	return line
}
