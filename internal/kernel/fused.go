package kernel

import "fmt"

// Fused is a loop over several elementwise operations at once: a form of equations that a kernel was generated for. Every input is
// loaded and every output stored once; what lies between stays in registers. It returns the bits that the operations return
// one by one, on every path.
type Fused struct{ form int }

// fusedForm is what a fused loop computes. Values are numbered: inputs first, then the operations in order.
type fusedForm struct {
	name, key string
	inputs    int
	ops       []fusedOp
	stored    []int // the value of every output
	over      []int // of every output: the input that it overwrites, -1 for none
}

// fusedOp is an operation on the values a, b and c, -1 where it has fewer, with a number or a function.
type fusedOp struct {
	code    fusedCode
	a, b, c int
	v       float32
	f       Func
}

type fusedCode uint8

const (
	fusedAdd       fusedCode = iota // a + b
	fusedSub                        // a - b
	fusedMul                        // a * b
	fusedDiv                        // a / b
	fusedNeg                        // -a
	fusedAddConst                   // a + v
	fusedRSub                       // v - a
	fusedScale                      // a * v
	fusedRDiv                       // v / a
	fusedApply                      // f(a)
	fusedApplyGrad                  // a times the slope of f at x = b, y = c
)

// FusedByKey finds the loop of a form. The key is that of internal/cell's groups.
func FusedByKey(key string) (Fused, bool) {
	i := fusedByKey(key)
	return Fused{i}, i >= 0
}

// String is the name of the form: the cell whose equations it was generated from.
func (f Fused) String() string { return fusedForms[f.form].name }

// Run computes the outputs from the inputs, in the order of the key. All have the same length. An output lies apart from every other
// operand, except from the input that the form has it overwrite: there it is that input.
func (f Fused) Run(outputs, inputs [][]float32) {
	form := &fusedForms[f.form]
	if len(inputs) != form.inputs || len(outputs) != len(form.stored) {
		panic(fmt.Sprintf("kernel: %s: expected %d inputs and %d outputs, got %d and %d", f, form.inputs, len(form.stored), len(inputs), len(outputs)))
	}
	n := len(outputs[0])
	var operands [fusedOperands]*float32
	if n == 0 {
		return
	}
	for i, x := range inputs {
		checkSame(form.name, "input", x, n)
		operands[i] = &x[0]
	}
	for i, x := range outputs {
		checkSame(form.name, "output", x, n)
		operands[len(inputs)+i] = &x[0]
		if o := form.over[i]; o >= 0 && operands[o] != &x[0] {
			panic(fmt.Sprintf("kernel: %s: output %d must be input %d", f, i, o))
		}
	}
	if useAVX512 {
		fusedAVX512(f.form, &operands[0], n)
		return
	}
	if useAVX2 {
		fusedAVX2(f.form, &operands[0], n)
		return
	}
	fusedGeneric(form, outputs, inputs)
}

// fusedBlock is how many values the generic twin takes through all operations: with the values between, they stay in the first-level
// cache.
const fusedBlock = 64

// fusedGeneric runs a form operation by operation, a block at a time. Outputs are written when a block's inputs have been read.
func fusedGeneric(form *fusedForm, outputs, inputs [][]float32) {
	var between [fusedOps][fusedBlock]float32
	for from := 0; from < len(outputs[0]); from += fusedBlock {
		to := min(from+fusedBlock, len(outputs[0]))
		value := func(v int) []float32 {
			switch {
			case v < 0:
				return nil
			case v < form.inputs:
				return inputs[v][from:to]
			}
			return between[v-form.inputs][:to-from]
		}
		for i, op := range form.ops {
			op.runGeneric(value(form.inputs+i), value(op.a), value(op.b), value(op.c))
		}
		for i, v := range form.stored {
			copy(outputs[i][from:to], value(v))
		}
	}
}

func (op *fusedOp) runGeneric(d, a, b, c []float32) {
	switch op.code {
	case fusedAdd:
		addGeneric(d, a, b)
	case fusedSub:
		subGeneric(d, a, b)
	case fusedMul:
		mulGeneric(d, a, b)
	case fusedDiv:
		divGeneric(d, a, b)
	case fusedNeg:
		Neg(d, a)
	case fusedAddConst:
		addConstGeneric(d, a, op.v)
	case fusedRSub:
		rSubGeneric(d, a, op.v)
	case fusedScale:
		scaleGeneric(d, a, op.v)
	case fusedRDiv:
		rDivGeneric(d, a, op.v)
	case fusedApply:
		applyGeneric(op.f, d, a)
	default:
		applyGradGeneric(op.f, d, a, b, c)
	}
}
