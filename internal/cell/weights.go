package cell

// use is one place where a weight stands.
type use struct {
	weight, block int
	at            token

	left, recurrent bool // in a product: on the left; the value depends on a state
	gain            bool // the gain of layer_norm
	bias            bool // a term of a sum in which a value stands
}

// weightInfo is what the parser knows of a weight.
type weightInfo struct {
	first  token // its first use
	kindAt token // the use that made it a matrix or a vector; line 0: none so far
	matrix bool
	left   bool // the side of a product on which its blocks stand

	// Width variables: of the axis that meets the value in a product, and of the blocks of the other. Without blocks, in is
	// the first stored axis and blocks[0] the second until finishWeights.
	in      int
	blocks  []int
	byName  map[string]int
	used    map[[2]int]bool // pairs of row and block
	lastRow token
}

// useWeight notes that a weight stands at t. Whether it is a matrix or a vector shows later.
func (p *parser) useWeight(t token) (expr, *Error) {
	i, ok := p.weights[t.name]
	if !ok {
		i = len(p.info)
		p.weights[t.name] = i
		p.info = append(p.info, &weightInfo{first: t, in: p.w.open(), byName: map[string]int{}, used: map[[2]int]bool{}, lastRow: t})
		p.cell.Weights = append(p.cell.Weights, Weight{Name: t.name})
	}
	w := p.info[i]
	if (w.first.block == "") != (t.block == "") {
		return expr{}, fault(t, "a weight has blocks everywhere or nowhere", "expected %s as in line %d, found %s", w.first, w.first.line, t)
	}
	if (w.first.row < 0) != (t.row < 0) {
		return expr{}, fault(t, "a weight has rows everywhere or nowhere", "expected %s as in line %d, found %s", w.first, w.first.line, t)
	}
	b, ok := w.byName[t.block]
	if !ok {
		b = len(w.blocks)
		w.byName[t.block] = b
		w.blocks = append(w.blocks, p.w.open())
		p.cell.Weights[i].Blocks = append(p.cell.Weights[i].Blocks, Block{Name: t.block})
	}
	w.used[[2]int{t.row, b}] = true
	if t.row > w.lastRow.row {
		w.lastRow = t
	}
	p.uses = append(p.uses, use{weight: i, block: b, at: t})
	return expr{param: len(p.uses), at: t}, nil
}

// setMatrix says whether u is a side of a product, and compares with the other uses.
func (p *parser) setMatrix(u *use, matrix bool) *Error {
	w := p.info[u.weight]
	switch {
	case w.kindAt.line == 0:
		w.kindAt, w.matrix, w.left = u.at, matrix, u.left
	case w.matrix != matrix:
		is, was := "a vector", "a matrix"
		if matrix {
			is, was = was, is
		}
		hint := "outside of a product a weight is a vector; a product is dot(x_t, W) or W %*% x_t"
		return fault(u.at, hint, "expected %s, which is %s in line %d, found %s", clip(u.at.name), was, w.kindAt.line, is)
	case matrix && u.at.block != "" && w.left != u.left:
		return fault(u.at, "", "expected all blocks of %s on one side of their products, as in line %d, found the other", clip(u.at.name), w.kindAt.line)
	}
	return nil
}

// axes are the width variables of a matrix that a product takes and gives.
func (w *weightInfo) axes(block int, left bool) (in, out int) {
	if left && w.first.block == "" {
		return w.blocks[0], w.in
	}
	return w.in, w.blocks[block]
}

// finishWeights checks rows and sets roles, now that every use is known.
func (p *parser) finishWeights() *Error {
	c := p.cell
	first := make([]*use, len(c.Weights))
	allBias := make([]bool, len(c.Weights))
	for i := range p.uses {
		u := &p.uses[i]
		if first[u.weight] == nil {
			first[u.weight], allBias[u.weight] = u, true
		}
		allBias[u.weight] = allBias[u.weight] && u.bias
	}
	for i, w := range p.info {
		to, u := &c.Weights[i], first[i]
		to.Matrix = w.matrix
		if w.first.row >= 0 {
			to.Rows = w.lastRow.row + 1
			if err := w.checkRows(to); err != nil {
				return err
			}
		}
		switch {
		case w.matrix && u.recurrent:
			to.Role = Recurrent
		case w.matrix:
			to.Role = Kernel
		case allBias[i]:
			to.Role = Bias
		case u.gain:
			to.Role = Gain
		default:
			to.Role = Vector
		}
		if w.matrix && u.left {
			to.OutIn = true
			if w.first.block == "" {
				w.in, w.blocks[0] = w.blocks[0], w.in
			}
		}
		p.w.weights = append(p.w.weights, append([]int{w.in}, w.blocks...))
	}
	return nil
}

// checkRows refuses a row that is missing, or that lacks a block. It looks at no more pairs than were used.
func (w *weightInfo) checkRows(to *Weight) *Error {
	for r := range to.Rows {
		for b, block := range to.Blocks {
			if w.used[[2]int{r, b}] {
				continue
			}
			missing := token{name: to.Name, row: r, block: block.Name}
			return fault(w.lastRow, "rows run from 0 without a gap, and each uses every block", "expected %s to be used too, since %s is", missing.part(), clip(w.lastRow.text))
		}
	}
	return nil
}
