package onnx

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/onnx"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// scan writes a cell as a loop over its equations. What they make of the input alone, and a matrix has a part in, is made before the loop for all steps at once. The loop carries the states
// and the output, which a masked step leaves alone. Sequences come out in the order of the walk.
func (b *builder) scan(s layers.Stage, x val, given []string, w walk) walked {
	body := &onnx.Graph{Name: b.path + "step"}
	c := &cellWriter{outer: b, step: &builder{exporter: b.exporter, graph: body, path: b.path + "step/"}, stage: s, x: x.name,
		matrices: map[[3]int]string{}, before: map[int]string{}, within: map[int]string{}, known: map[int][3]bool{}}
	carried := append([]cell.State(nil), s.Cell.States...)
	carried = append(carried, cell.State{Name: "output", Next: s.Cell.Output, Width: s.Cell.Nodes[s.Cell.Output].Width})
	var inputs, old []string
	for i, st := range carried {
		old = append(old, c.enters(st.Name, st.Width))
		if i < len(given) {
			inputs = append(inputs, given[i])
		} else {
			inputs = append(inputs, b.zeros(x.name, st.Width))
		}
	}
	c.states = old[:len(old)-1]
	c.scans(x.name, x.sig.Shape[2], "input")
	c.input = body.Inputs[len(body.Inputs)-1].Name
	mask := ""
	if x.mask != "" {
		c.sequences = append(c.sequences, x.mask)
		v := &onnx.Value{Name: c.step.unique(c.step.path + "mask"), Type: onnx.Bool, Ranked: true, Shape: []onnx.Dim{{Length: -1}}}
		body.Inputs = append(body.Inputs, v)
		mask = c.step.unsqueeze(v.Name, 1)
	}
	var next []string
	for i, st := range carried {
		v := c.wide(st.Next, st.Width)
		if mask != "" {
			rest := old[i]
			if w.zeroMasked && i == len(carried)-1 {
				rest = b.scalar(0)
			}
			v = c.step.op("Where", mask, v, rest)
		}
		next = append(next, v)
	}
	for i, v := range append(next, next[len(next)-1]) { // the output is carried, and collected
		name := c.step.op("Identity", v)
		width := carried[min(i, len(carried)-1)].Width
		body.Outputs = append(body.Outputs, floatInfo(name, width))
	}
	n, direction := len(c.sequences), 0
	if w.backwards {
		direction = 1
	}
	same := func(v int) []int {
		all := make([]int, n)
		for i := range all {
			all[i] = v
		}
		return all
	}
	out := b.several("Scan", len(carried)+1, attrs("body", body, "num_scan_inputs", n, "scan_input_axes", same(1), "scan_input_directions", same(direction),
		"scan_output_axes", []int{1}), append(inputs, c.sequences...)...)
	r := walked{output: out[len(carried)-1], finals: out[:len(carried)-1]}
	if w.sequences {
		r.output = out[len(carried)]
	}
	return r
}

// floatInfo is a value of rows of this width.
func floatInfo(name string, width int) *onnx.Value {
	return &onnx.Value{Name: name, Type: onnx.Float, Ranked: true, Shape: []onnx.Dim{{Length: -1}, {Length: int64(width)}}}
}

// cellWriter writes a cell's nodes: those that depend on a state, and what they read, in the loop.
type cellWriter struct {
	outer, step *builder
	stage       layers.Stage
	x           string // the sequence, in the outer graph
	input       string // its step, in the loop
	states      []string
	sequences   []string // that the loop goes over, in the outer graph
	matrices    map[[3]int]string
	// The nodes that are written: before the loop, of all steps, and within.
	before, within map[int]string
	known          map[int][3]bool // what nodes depend on
}

// enters is an input of the loop's body.
func (c *cellWriter) enters(name string, width int) string {
	v := floatInfo(c.step.unique(c.step.path+name), width)
	c.step.graph.Inputs = append(c.step.graph.Inputs, v)
	return v.Name
}

// scans lets the loop go over a sequence, and is its step.
func (c *cellWriter) scans(sequence string, width int, name string) string {
	c.sequences = append(c.sequences, sequence)
	return c.enters(name, width)
}

// reads reports whether a node depends on the input, on a state, and on a matrix.
func (c *cellWriter) reads(n int) (input, state, matrix bool) {
	if k, ok := c.known[n]; ok {
		return k[0], k[1], k[2]
	}
	node := &c.stage.Cell.Nodes[n]
	input, state, matrix = node.Op == cell.OpInput, node.Op == cell.OpState, node.Op == cell.OpDot
	for _, a := range node.Args {
		i, s, m := c.reads(a)
		input, state, matrix = input || i, state || s, matrix || m
	}
	c.known[n] = [3]bool{input, state, matrix}
	return input, state, matrix
}

// wide is a node in the loop with a row for every row of the batch.
func (c *cellWriter) wide(n, width int) string {
	y := c.eval(n)
	if input, state, _ := c.reads(n); input || state {
		return y
	}
	return c.step.op("Add", c.step.zeros(c.input, width), y)
}

// eval is a node in the loop.
func (c *cellWriter) eval(n int) string {
	if name, ok := c.within[n]; ok {
		return name
	}
	node := &c.stage.Cell.Nodes[n]
	input, state, matrix := c.reads(n)
	var y string
	switch {
	case input && matrix && !state:
		y = c.scans(c.hoisted(n), node.Width, fmt.Sprintf("of_input_%d", n))
	case node.Op == cell.OpInput:
		y = c.input
	case node.Op == cell.OpState:
		y = c.states[node.Index]
	default:
		y = c.operation(c.step, node, c.eval)
	}
	c.within[n] = y
	return y
}

// hoisted is a node that depends on no state, for all steps, before the loop.
func (c *cellWriter) hoisted(n int) string {
	if name, ok := c.before[n]; ok {
		return name
	}
	node := &c.stage.Cell.Nodes[n]
	y := c.x
	if node.Op != cell.OpInput {
		y = c.operation(c.outer, node, c.hoisted)
	}
	c.before[n] = y
	return y
}

// operation is what a node does to its arguments, in b.
func (c *cellWriter) operation(b *builder, n *cell.Node, of func(int) string) string {
	arg := func(i int) string { return of(n.Args[i]) }
	switch n.Op {
	case cell.OpConst:
		return b.scalar(n.Value)
	case cell.OpVector:
		w := &c.stage.Cell.Weights[n.Weight]
		start := n.Row*w.Out + w.Blocks[n.Block].Start
		return c.array([3]int{n.Weight, n.Block, -1 - n.Row}, n, tensor.Shape{n.Width}, c.stage.Weights[n.Weight].Data[start:start+n.Width])
	case cell.OpDot:
		return b.op("MatMul", arg(0), c.matrix(n))
	case cell.OpAdd:
		return b.op("Add", arg(0), arg(1))
	case cell.OpSub:
		return b.op("Sub", arg(0), arg(1))
	case cell.OpMul:
		return b.op("Mul", arg(0), arg(1))
	case cell.OpDiv:
		return b.op("Div", arg(0), arg(1))
	case cell.OpMin:
		return b.op("Min", arg(0), arg(1))
	case cell.OpMax:
		return b.op("Max", arg(0), arg(1))
	case cell.OpNeg:
		return b.op("Neg", arg(0))
	case cell.OpPow:
		return b.op("Pow", arg(0), b.scalar(n.Value))
	case cell.OpFunc:
		return b.function(n.Func, arg(0))
	case cell.OpSoftmax:
		return b.with("Softmax", attrs("axis", -1), arg(0))
	case cell.OpLayerNorm:
		ones := make([]float32, n.Width)
		for i := range ones {
			ones[i] = 1
		}
		y := b.with("LayerNormalization", attrs("axis", -1, "epsilon", 1e-3), arg(0), b.constant(fmt.Sprintf("ones %d", n.Width), func(name string) *onnx.Tensor {
			return onnx.FloatTensor(name, []int64{int64(n.Width)}, ones)
		}))
		return b.op("Add", b.op("Mul", y, arg(1)), arg(2))
	}
	panic(fmt.Sprintf("onnx: a cell with the operation %d in its text", n.Op))
}

// matrix is what a product multiplies with from the right, (in, out).
func (c *cellWriter) matrix(n *cell.Node) string {
	w, data := &c.stage.Cell.Weights[n.Weight], c.stage.Weights[n.Weight].Data
	in, out := c.stage.Cell.Nodes[n.Args[0]].Width, n.Width
	columns, first, side := w.Shape()[1], w.Blocks[n.Block].Start, 0
	if n.Left {
		side = 1
	}
	values := make([]float32, 0, in*out)
	for i := range in {
		for j := range out {
			if n.Left { // the matrix stands on the left: x meets its second axis
				values = append(values, data[(first+j)*columns+i])
			} else {
				values = append(values, data[i*columns+first+j])
			}
		}
	}
	return c.array([3]int{n.Weight, n.Block, side}, n, tensor.Shape{in, out}, values)
}

// array is a part of a weight, there once.
func (c *cellWriter) array(key [3]int, n *cell.Node, shape tensor.Shape, values []float32) string {
	if name, ok := c.matrices[key]; ok {
		return name
	}
	w := &c.stage.Cell.Weights[n.Weight]
	name := w.Name
	if block := w.Blocks[n.Block].Name; block != "" {
		name += "." + block
	}
	c.matrices[key] = c.outer.floats(name, shape, values)
	return c.matrices[key]
}
