package cell

// class says how often a value changes.
type class uint8

const (
	once  class = iota // with the weights
	hoist              // with the input
	step               // with a state
)

// phase says in which list of the plan a value is made.
type phase uint8

const (
	inForward phase = iota // Once, Hoist or Steps, by its class
	inLoop                 // BackSteps: the gradient of a state depends on it
	inAfter                // BackAfter: it needs a value of its step, but nothing waits for it
	inHoist                // BackHoist: of the cell's values it needs those alone that are hoisted
	inInput                // BackInput: likewise, and only the gradient of the input depends on it
	nowhere                // nobody asks for it
)

// planner assigns slots to nodes and writes instructions, on demand: a value is made when the first reader asks for its slot.
type planner struct {
	*lowered
	adj  *Adjoint
	plan *Plan

	class []class
	stage []int // of every node: how many products or row functions stand in series before its value, on its own side
	phase []phase
	uses  []int  // of every node, by nodes of its own side
	kept  []bool // the value is read at another time than it is made: it needs a place for every step
	later []bool // it is read after the loop, over many steps together
	named []bool // the value is a state's next value, the output, or a gradient that the plan hands on

	slot []int // of every node; -1: not made yet
	home []int // of every node: the slot that it must be made in; -1: any
	pack map[Pack]int
}

// NewPlan plans a resolved cell.
func NewPlan(c *Cell) *Plan { return newPlan(lower(c)) }

func newPlan(l *lowered) *Plan {
	adj := derive(l)
	n := len(l.nodes)
	p := &planner{
		lowered: l, adj: adj,
		plan:  &Plan{Cell: l.cell, OutputHome: HomeState(l.next, l.output)},
		class: make([]class, n), stage: make([]int, n), phase: make([]phase, n), uses: make([]int, n),
		kept: make([]bool, n), later: make([]bool, n), named: make([]bool, n), slot: make([]int, n), home: make([]int, n),
		pack: map[Pack]int{},
	}
	for i := range n {
		p.slot[i], p.home[i] = -1, -1
	}
	p.classify()
	p.countUses()
	p.forward()
	p.backward()
	return p.plan
}

// classify finds class, stage and phase of every node.
func (p *planner) classify() {
	for i, n := range p.nodes {
		own := i < p.adj.Own
		c, s := once, 0
		for _, a := range n.Args {
			if a < 0 {
				continue
			}
			c = max(c, p.class[a])
			if own || a >= p.adj.Own { // the cell's own values are all known when its adjoint runs
				s = max(s, p.stage[a])
			}
		}
		switch n.Op {
		case OpInput, OpMask:
			c = hoist
		case OpState, OpAdjNext, OpAdjOutput:
			c = step
		case OpDot, OpDotT, OpSoftmax, OpNormalize, OpSoftmaxGrad, OpNormalizeGrad:
			s++
		}
		switch {
		case n.Op == OpAdjNext || n.Op == OpAdjOutput:
			p.phase[i] = inLoop // they come and go with the step
		case !own:
			c, p.phase[i] = step, nowhere
		case c != step:
			s = 0
		}
		p.class[i], p.stage[i] = c, s
	}
	p.mark(inInput, p.adj.Input)
	for _, w := range p.adj.Weights {
		ph := inHoist
		if w.Operand >= 0 && p.class[w.Operand] == step {
			ph = inAfter
		}
		p.mark(ph, w.Adjoint)
	}
	for i := p.adj.Own; i < len(p.nodes); i++ {
		if ph := p.phase[i]; (ph == inHoist || ph == inInput) && p.needsStep(i) {
			p.mark(inAfter, i)
		}
	}
	p.mark(inLoop, p.adj.States...)
}

// mark puts the adjoint's nodes that the roots need into phase ph, over any later phase.
func (p *planner) mark(ph phase, roots ...int) {
	for _, r := range roots {
		if r < p.adj.Own || p.phase[r] <= ph {
			continue
		}
		p.phase[r] = ph
		p.mark(ph, p.nodes[r].Args...)
	}
}

// needsStep reports whether an adjoint's node reads a value that the cell makes anew at each step.
func (p *planner) needsStep(i int) bool {
	for _, a := range p.nodes[i].Args {
		if a >= 0 && a < p.adj.Own && p.class[a] == step {
			return true
		}
	}
	return false
}

// countUses counts every node's uses and finds what must be kept and what is named.
func (p *planner) countUses() {
	for i, n := range p.nodes {
		if p.phase[i] == nowhere {
			continue
		}
		for _, a := range n.Args {
			if a < 0 {
				continue
			}
			p.uses[a]++
			// BackInput runs right behind BackHoist, on the same rows.
			if p.phase[a] < p.phase[i] && p.phase[a] != inHoist {
				p.kept[a] = true
				p.later[a] = p.later[a] || p.phase[i] > inLoop
			}
		}
	}
	for _, w := range p.adj.Weights {
		p.kept[w.Adjoint] = true
		if w.Operand >= 0 {
			p.kept[w.Operand], p.later[w.Operand] = true, true
		}
	}
	for _, n := range append([]int{p.output}, p.next...) {
		p.named[n] = true
	}
	for _, n := range append([]int{p.adj.Input}, p.adj.States...) {
		if n >= 0 {
			p.named[n] = true
		}
	}
	if i := p.adj.Input; i >= 0 && p.phase[i] != inInput {
		p.kept[i] = true
	}
}

// forward writes Once, Hoist and Steps.
func (p *planner) forward() {
	p.plan.Steps = make([]Stage, len(p.nodes)+1)
	p.plan.Output = -1
	var copies []Instr
	for i, n := range p.next {
		id := p.place(n, Slot{Kind: NextSlot, Width: p.cell.States[i].Width, Index: i}, &copies)
		if i == p.plan.OutputHome {
			p.plan.Output = id
		}
	}
	if p.plan.Output < 0 {
		p.plan.Output = p.place(p.output, Slot{Kind: OutputSlot, Width: p.nodes[p.output].Width}, &copies)
	}
	for i := range p.adj.Own { // in the order of the text, as far as the order is free
		if p.named[i] || p.kept[i] {
			p.need(i)
		}
	}
	p.copyAll(&p.plan.Steps, copies)
}

// backward writes BackSteps, BackAfter, BackHoist, BackInput and the weights' gradients.
func (p *planner) backward() {
	p.plan.BackSteps = make([]Stage, len(p.nodes)+1)
	var copies []Instr
	for i, a := range p.adj.States {
		s := Slot{Kind: AdjStateSlot, Width: p.cell.States[i].Width, Index: i}
		if a < 0 {
			last := len(p.plan.BackSteps) - 1
			p.append(&p.plan.BackSteps, last, Instr{Code: Fill, D: p.newSlot(s)})
			continue
		}
		p.place(a, s, &copies)
	}
	for _, a := range p.adj.States {
		if a >= 0 {
			p.need(a)
		}
	}
	hoisted := p.hoistedAdjoints()
	for _, w := range p.adj.Weights {
		g := GradOf{Weight: w.Weight, A: -1, B: p.need(w.Adjoint)}
		atHoist := hoisted[w.Adjoint]
		if w.Operand < 0 {
			wt := &p.cell.Weights[w.Weight]
			g.Start = w.Row*wt.Out + wt.Blocks[w.Block].Start
		} else {
			atHoist = p.class[w.Operand] != step
			pk := p.matrix(w.Weight, w.Block, w.Left)
			g.Start, g.Ld, g.A = pk.Start, pk.Ld, p.everyStep(w.Operand)
			if w.Left {
				g.A, g.B = g.B, g.A
			}
		}
		if atHoist {
			p.plan.HoistGrads = append(p.plan.HoistGrads, g)
		} else {
			p.plan.Grads = append(p.plan.Grads, g)
		}
	}
	if a := p.adj.Input; a >= 0 {
		s := Slot{Kind: AdjInputSlot, Width: p.nodes[a].Width}
		if p.phase[a] == inInput && !p.leaf(a) {
			p.home[a] = p.newSlot(s)
			p.need(a)
		} else {
			p.plan.BackInput = append(p.plan.BackInput, Instr{Code: Copy, D: p.newSlot(s), A: p.need(a), B: -1, C: -1})
		}
	}
	p.copyAll(&p.plan.BackSteps, copies)
}

// hoistedAdjoints are the adjoint's nodes that the hoisted part of the way back reads or makes.
func (p *planner) hoistedAdjoints() []bool {
	h := make([]bool, len(p.nodes))
	for i, n := range p.nodes {
		if ph := p.phase[i]; ph != inHoist && ph != inInput {
			continue
		}
		h[i] = true
		for _, a := range n.Args {
			if a >= p.adj.Own {
				h[a] = true
			}
		}
	}
	for _, w := range p.adj.Weights {
		if w.Operand >= 0 && p.class[w.Operand] != step {
			h[w.Adjoint] = true
		}
	}
	return h
}

// everyStep is a slot with a place for every step that holds node i's value, which backward may read.
func (p *planner) everyStep(i int) int {
	s := p.need(i)
	if p.plan.Slots[s].Kind != OnceSlot {
		return s
	}
	d := p.newSlot(Slot{Kind: KeptSlot, Width: p.nodes[i].Width})
	p.plan.BackHoist = append(p.plan.BackHoist, Instr{Code: Copy, D: d, A: s, B: -1, C: -1})
	return d
}

// place gives node a home in a new slot s, or has the slot copied from the node's own where it has another home, is read
// at other times, or is not made in the loop.
func (p *planner) place(node int, s Slot, copies *[]Instr) int {
	id := p.newSlot(s)
	// Next states have a place for every step when training, but not where their step's other values have theirs.
	fits := !p.kept[node] || s.Kind == OutputSlot || s.Kind == NextSlot && !p.later[node]
	if p.class[node] == step && !p.leaf(node) && p.home[node] < 0 && fits {
		p.home[node] = id
	} else {
		*copies = append(*copies, Instr{Code: Copy, D: id, A: node, B: -1, C: -1})
	}
	return id
}

// copyAll appends the copies, whose A is still a node, to the last of the stages, and drops the stages that are empty.
func (p *planner) copyAll(stages *[]Stage, copies []Instr) {
	for _, c := range copies {
		c.A = p.need(c.A)
		p.append(stages, len(*stages)-1, c)
	}
	var full []Stage
	for _, s := range *stages {
		if len(s.Instrs) > 0 {
			full = append(full, s)
		}
	}
	*stages = full
}

func (p *planner) append(stages *[]Stage, i int, in Instr) {
	(*stages)[i].Instrs = append((*stages)[i].Instrs, in)
}

// put appends an instruction where the values of node i are made; c is the class of what is made, for parts of a sum.
func (p *planner) put(i int, c class, in Instr) {
	switch {
	case p.phase[i] == inLoop:
		p.append(&p.plan.BackSteps, p.stage[i], in)
	case p.phase[i] == inAfter:
		p.plan.BackAfter = append(p.plan.BackAfter, in)
	case p.phase[i] == inHoist:
		p.plan.BackHoist = append(p.plan.BackHoist, in)
	case p.phase[i] == inInput:
		p.plan.BackInput = append(p.plan.BackInput, in)
	case c == once:
		p.plan.Once = append(p.plan.Once, in)
	case c == hoist:
		p.plan.Hoist = append(p.plan.Hoist, in)
	default:
		p.append(&p.plan.Steps, p.stage[i], in)
	}
}

func (p *planner) newSlot(s Slot) int {
	p.plan.Slots = append(p.plan.Slots, s)
	return len(p.plan.Slots) - 1
}

// place for node i's value, of class c.
func (p *planner) dest(i int, c class) int {
	s := Slot{Kind: TempSlot, Width: p.nodes[i].Width}
	switch {
	case p.home[i] >= 0 && c == p.class[i]:
		return p.home[i]
	case c == once:
		s.Kind = OnceSlot
	case p.kept[i]:
		s.Kind, s.Hoisted = KeptSlot, c == hoist
	case c == hoist:
		s.Kind = BlockSlot
	}
	return p.newSlot(s)
}

func (p *planner) leaf(i int) bool {
	switch p.nodes[i].Op {
	case OpInput, OpState, OpVector, OpConst, OpMask, OpAdjOutput, OpAdjNext:
		return true
	}
	return false
}

// matrix is the pack of a product x·P (left false) or P·x with a block of a weight.
func (p *planner) matrix(weight, block int, left bool) Pack {
	w := &p.cell.Weights[weight]
	b := w.Blocks[block]
	shape := w.Shape()
	rows, cols := shape[0], 0
	if len(shape) > 1 {
		cols = shape[1]
	}
	pk := Pack{Weight: weight, Block: block, Ld: cols, K: rows, M: cols}
	switch {
	case left && w.OutIn:
		pk.Start, pk.K, pk.M, pk.Transposed = b.Start*cols, cols, b.Width, true
	case left:
		pk.K, pk.M, pk.Transposed = cols, rows, true
	case !w.OutIn:
		pk.Start, pk.M = b.Start, b.Width
	}
	return pk
}

// packed is the number of the pack of node i, an OpDot or an OpDotT.
func (p *planner) packed(i int) int {
	n := p.nodes[i]
	pk := p.matrix(n.Weight, n.Block, n.Left)
	if n.Op == OpDotT {
		pk.K, pk.M, pk.Transposed, pk.Backward = pk.M, pk.K, !pk.Transposed, true
	}
	if id, ok := p.pack[pk]; ok {
		return id
	}
	p.plan.Packs = append(p.plan.Packs, pk)
	p.pack[pk] = len(p.plan.Packs) - 1
	return len(p.plan.Packs) - 1
}
