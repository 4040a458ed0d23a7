package cell

import (
	"fmt"
	"strings"
)

// note collects what is legal but worth saying.
func (p *parser) note() {
	c := p.cell
	say := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	if len(c.States) == 0 {
		say("there is no state: no step knows of the steps before")
	}
	if !p.read[valueKey{"input", false}] {
		say("input_t is never used")
	}
	for _, name := range p.order {
		if at := p.assigned[name].now; at.line != 0 && name != "output" && !p.read[valueKey{name, false}] {
			say("line %d: %s_t is never used", at.line, clip(name))
		}
	}
	for i, w := range c.Weights {
		name := strings.ToLower(w.Name)
		if p.assigned[name] != nil || name == "input" || name == "state" {
			at := p.info[i].first
			say("line %d: %s is a weight; did you mean %s_t?", at.line, clip(w.Name), clip(name))
		}
	}
}
