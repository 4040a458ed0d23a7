package kernel

import (
	"fmt"
	"math"
	"unsafe"
)

// Program is a list of operations that assembly runs over many steps without coming back in between. Operations are written in the
// order in which a step runs them; Turn begins the operations of a step of the other kind, where two kinds take turns. It
// computes what the functions of this package compute, with the same kernels.
//
// It holds addresses that the garbage collector does not see: the operands must be alive, and in place, until Run returns.
type Program struct {
	words  []uint64
	turn   int // where the operations of the second kind begin; 0: there is one kind
	tables []tableAt
}

// tableAt says where the address of an operation's own table belongs, and where that table is.
type tableAt struct{ argument, table int }

// Operand is a slice of values as the first step sees it, and how many values further it lies from one step of its kind to the next.
type Operand struct {
	X    []float32
	Move int
}

// Programs reports whether this machine runs programs.
func Programs() bool { return programs }

// Reset makes the program empty.
func (p *Program) Reset() { p.words, p.tables, p.turn = p.words[:0], p.tables[:0], 0 }

// Turn ends the operations of the first kind of step.
func (p *Program) Turn() { p.turn = len(p.words) }

// Run runs so many steps.
func (p *Program) Run(steps int) {
	if steps <= 0 || len(p.words) == 0 {
		return
	}
	p.words = append(p.words, 0) // so that the end has an address; from here on the words stay where they are
	for _, t := range p.tables {
		p.words[t.argument] = uint64(uintptr(unsafe.Pointer(&p.words[t.table])))
	}
	first, end := &p.words[0], &p.words[len(p.words)-1]
	if p.turn == 0 {
		runProgram(first, end, steps)
	} else {
		if steps > 1 {
			runProgram(first, end, steps/2)
		}
		if steps%2 == 1 {
			runProgram(first, &p.words[p.turn], 1)
		}
	}
	p.words = p.words[:len(p.words)-1]
}

// entry is the address of every function of the assembly, by name; see entries.
var entry = entryAddresses()

func entryAddresses() map[string]uintptr {
	m := make(map[string]uintptr, len(entryNames))
	if programs {
		var table [len(entryNames)]uintptr
		entries(&table[0])
		for i, name := range entryNames {
			m[name] = table[i]
		}
	}
	return m
}

// entryOf is the function of this name for the best path that has one; 0 where none has.
func entryOf(base string) uintptr {
	if useAVX512 {
		if e := entry[base+"AVX512"]; e != 0 {
			return e
		}
	}
	return entry[base+"AVX2"]
}

// argument is a word of an operation, and how far it moves.
type argument struct{ word, move uint64 }

func number(n int) argument { return argument{word: uint64(n)} }

func (o Operand) argument() argument {
	return argument{uint64(uintptr(unsafe.Pointer(&o.X[0]))), uint64(4 * o.Move)}
}

// header is the number of words before the arguments.
const header = 4

// operation writes a call of the function at entry.
func (p *Program) operation(entry uintptr, arguments, table []argument) {
	if entry == 0 {
		panic("kernel: Program: no such kernel")
	}
	fours := func(n int) int { return (n + 3) / 4 }
	a, t := fours(len(arguments)), fours(len(table))
	at := len(p.words)
	size := header + 8*(a+t)
	for range size {
		p.words = append(p.words, 0)
	}
	w := p.words[at:]
	w[0], w[1], w[2], w[3] = uint64(entry), uint64(a), uint64(t), uint64(8*size)
	put := func(w []uint64, n int, list []argument) {
		for i, x := range list {
			w[i], w[n+i] = x.word, x.move
		}
	}
	put(w[header:], 4*a, arguments)
	put(w[header+8*a:], 4*t, table)
	if t > 0 {
		p.tables = append(p.tables, tableAt{at + header, at + header + 8*a})
	}
}

// Elementwise is a function over values: a kernel of one to three operands, and perhaps a number.
type Elementwise struct {
	entry  uintptr
	number bool
}

// ElementwiseByName finds the kernel of a function of this package, such as Add, or MulAdd, by its name in lower case first; false where
// a program has none.
func ElementwiseByName(name string) (Elementwise, bool) {
	e := entryOf(name)
	switch name {
	case "addConst", "scale", "rSub", "rDiv", "fill":
		return Elementwise{e, true}, e != 0
	}
	return Elementwise{e, false}, e != 0
}

// applyNames are the functions with kernels, by the kernels' names.
var applyNames = map[Func]string{Relu: "relu", LeakyRelu: "leakyRelu", Relu6: "relu6", Elu: "elu", Selu: "selu", Celu: "elu", Silu: "silu",
	Softplus: "softplus", Tanh: "tanh", HardTanh: "hardTanh", Sigmoid: "sigmoid", HardSigmoid: "hardSigmoid", HardSigmoidKeras2: "hardSigmoidKeras2", LogSigmoid: "logSigmoid",
	Exp: "exp", Log: "log", Sqrt: "sqrt", Abs: "abs", Square: "square", Linear: "copy",
	HardSilu: "hardSilu", Softsign: "softsign", SoftShrink: "softShrink", HardShrink: "hardShrink", Squareplus: "squareplus",
	SparsePlus: "sparsePlus", SparseSigmoid: "sparseSigmoid", Gelu: "gelu", Mish: "mish"}

// ElementwiseByFunc finds the kernel of a function, or with slope of its ApplyGrad, whose operands are then dst, dy and x or y.
func ElementwiseByFunc(f Func, slope bool) (Elementwise, bool) {
	name := applyNames[f]
	if slope {
		name += "Grad"
	}
	return ElementwiseByName(name)
}

// Elementwise writes a call: operands from dst on, all of one length, and the number if the function takes one.
func (p *Program) Elementwise(e Elementwise, v float32, operands ...Operand) {
	n := len(operands[0].X)
	var list [5]argument
	k := 0
	for _, o := range operands {
		checkSame("Program", "operand", o.X, n)
		if n == 0 {
			return
		}
		list[k] = o.argument()
		k++
	}
	if e.number {
		list[k] = argument{word: uint64(math.Float32bits(v))}
		k++
	}
	list[k] = number(n)
	p.operation(e.entry, list[:k+1], nil)
}

// fusedEntries are the addresses of the fused loops.
var fusedEntries = func() []uintptr {
	var all []uintptr
	for i := range fusedForms {
		all = append(all, entryOf("fused"+fusedForms[i].name))
	}
	return all
}()

// Fused writes a call of f.Run.
func (p *Program) Fused(f Fused, outputs, inputs []Operand) {
	form := &fusedForms[f.form]
	if len(inputs) != form.inputs || len(outputs) != len(form.stored) {
		panic(fmt.Sprintf("kernel: %s: expected %d inputs and %d outputs, got %d and %d", f, form.inputs, len(form.stored), len(inputs), len(outputs)))
	}
	n := len(outputs[0].X)
	if n == 0 {
		return
	}
	var table [fusedOperands]argument
	k := 0
	for _, list := range [2][]Operand{inputs, outputs} {
		for _, o := range list {
			checkSame(form.name, "operand", o.X, n)
			table[k] = o.argument()
			k++
		}
	}
	for i, o := range form.over {
		if o >= 0 && table[o].word != table[len(inputs)+i].word {
			panic(fmt.Sprintf("kernel: %s: output %d must be input %d", f, i, o))
		}
	}
	p.operation(fusedEntries[f.form], []argument{{}, number(n)}, table[:k])
}

// Gather writes a call of Gather, of the n rows of ids that a step needs. The next step's follow behind them; so do those of all later steps.
func (p *Program) Gather(dst Operand, table []float32, ld int, ids []int32, n, move, width int) {
	checkMatrix("Program", "dst", dst.X, width, n, width)
	if n == 0 || width == 0 {
		return
	}
	p.operation(gatherEntry, []argument{dst.argument(), Operand{X: table}.argument(), number(ld),
		{uint64(uintptr(unsafe.Pointer(&ids[0]))), uint64(4 * move)}, number(n), {uint64(len(ids)), uint64(-move)}, number(width)}, nil)
}

var gatherEntry = entryOf("gather")

// Softmax writes a call of Softmax, of n rows of m values.
func (p *Program) Softmax(dst, x Operand, n, m int) { p.rowwise(softmaxEntry, nil, n, m, dst, x) }

// SoftmaxGrad writes a call of SoftmaxGrad.
func (p *Program) SoftmaxGrad(dst, dy, y Operand, n, m int) {
	p.rowwise(softmaxGradEntry, nil, n, m, dst, dy, y)
}

// Normalize writes a call of LayerNorm without gain and bias.
func (p *Program) Normalize(dst, x Operand, n, m int, eps float32) {
	p.rowwise(normalizeEntry, []argument{{word: uint64(math.Float32bits(eps))}}, n, m, dst, x)
}

// NormalizeGrad writes a call of LayerNormGrad for dx alone, without a gain.
func (p *Program) NormalizeGrad(dx, dy, x Operand, n, m int, eps float32) {
	p.rowwise(normalizeGradEntry, []argument{{word: uint64(math.Float32bits(eps))}}, n, m, dx, dy, x)
}

var softmaxEntry, softmaxGradEntry, normalizeEntry, normalizeGradEntry = entryOf("softmax"), entryOf("softmaxGrad"), entryOf("normalize"), entryOf("normalizeGrad")

// rowwise writes a call on whole rows of all operands.
func (p *Program) rowwise(entry uintptr, numbers []argument, n, m int, operands ...Operand) {
	for _, o := range operands {
		checkMatrix("Program", "operand", o.X, m, n, m)
	}
	if n == 0 || m == 0 {
		return
	}
	var list [6]argument
	k := 0
	for _, o := range operands {
		list[k] = o.argument()
		k++
	}
	k += copy(list[k:], numbers)
	list[k], list[k+1] = number(n), number(m)
	p.operation(entry, list[:k+2], nil)
}

// CanMatMul reports whether a program can multiply with a matrix of k by m.
func CanMatMul(k, m int) bool { return m > 0 && k > 0 && k <= blockK }

// MatMul writes dst = start + a B, without gaps between rows: n rows of b.M and of b.K values. Of start, there are n rows, or one for all
// (shared), or none: 0.
func (p *Program) MatMul(dst, start Operand, shared bool, a Operand, b *Packed, n int) {
	p.matMul(dst, start, shared, a, b.K, 1, 0, b, n)
}

// MatMulParts writes the same for an a that is in parts, n rows of b.K/parts values each, apart values from one to the next.
func (p *Program) MatMulParts(dst, start Operand, shared bool, a Operand, parts, apart int, b *Packed, n int) {
	k := b.K / parts
	p.matMul(dst, start, shared, a, k, parts, apart-k, b, n)
}

func (p *Program) matMul(dst, start Operand, shared bool, a Operand, k, parts, skip int, b *Packed, n int) {
	checkMatrix("Program", "dst", dst.X, b.M, n, b.M)
	checkMatrix("Program", "a", a.X, k, n, k)
	if !CanMatMul(b.K, b.M) || k*parts != b.K {
		panic(fmt.Sprintf("kernel: Program: no kernel for a matrix of %d by %d in %d parts", b.K, b.M, parts))
	}
	// tiles writes a call for the rows from row on and groups of panels from column j on; mask is the last argument.
	tiles := func(entry uintptr, r run, row, j, panels, groups int, mask argument) {
		at := func(o Operand, i int) argument { return Operand{o.X[i:], o.Move}.argument() }
		x, lds, starts := Operand{X: noStart[:]}.argument(), 0, 0
		switch {
		case start.X != nil && shared:
			x, starts = at(start, j), panels*panelWidth
		case start.X != nil:
			x, lds, starts = at(start, row*b.M+j), b.M, panels*panelWidth
		}
		p.operation(entry, []argument{at(dst, row*b.M+j), number(b.M), x, number(lds), number(starts), at(a, row*k), number(k),
			{word: uint64(uintptr(unsafe.Pointer(&b.data[j*b.K])))}, number(b.K * panelWidth), number(k), number(parts), number(skip),
			number(r.tiles), number(groups), mask}, nil)
	}
	whole, row := b.M/panelWidth*panelWidth, 0
	for _, r := range splitProgram(n) {
		if r.tiles == 0 || r.rows == 0 {
			continue
		}
		j := 0
		for panels := widestProgram(r.rows); panels > 0; panels /= 2 {
			if groups := (whole - j) / (panels * panelWidth); groups > 0 {
				tiles(matMulEntries[r.rows][panels], r, row, j, panels, groups, number(wholeMask))
				j += groups * panels * panelWidth
			}
		}
		if useAVX512 && whole < b.M {
			tiles(matMulEntries[r.rows][1], r, row, whole, 1, 1, number(lastMask(b.M)))
		}
		row += r.rows * r.tiles
	}
	if useAVX512 || whole == b.M {
		return
	}
	row = 0
	mask := argument{word: uint64(uintptr(unsafe.Pointer(&columnMask[panelWidth-b.M%panelWidth])))}
	for _, r := range splitTail(n) {
		if r.tiles > 0 && r.rows > 0 {
			tiles(maskEntries[r.rows], r, row, whole, 1, 1, mask)
			row += r.rows * r.tiles
		}
	}
}

// maskEntries are the addresses of AVX2's tiles for a narrow panel, by rows.
var maskEntries = func() (e [5]uintptr) {
	for rows := range e {
		e[rows] = entry[fmt.Sprintf("matMul%dxMaskAVX2", rows)]
	}
	return e
}()

// matMulEntries are the addresses of the tiles, by rows and panels.
var matMulEntries = func() (e [13][9]uintptr) {
	for rows := range e {
		for panels := range e[rows] {
			e[rows][panels] = entryOfPath(fmt.Sprintf("matMul%dx%d", rows, panels*panelWidth))
		}
	}
	return e
}()

// entryOfPath is the function of this name for the path in use alone: tiles of two paths do not mix, since their arguments differ.
func entryOfPath(base string) uintptr {
	if useAVX512 {
		return entry[base+"AVX512"]
	}
	return entry[base+"AVX2"]
}

// splitProgram cuts n rows into tiles as the products of the path in use do.
func splitProgram(n int) [3]run {
	if useAVX512 {
		return splitTall(n)
	}
	return splitRows(n)
}

func widestProgram(rows int) int {
	if useAVX512 {
		return widestAVX512(rows)
	}
	return widestAVX2[rows]
}
