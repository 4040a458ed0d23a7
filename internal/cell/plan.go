package cell

// Plan is a cell and its adjoint cut into instructions for an engine that runs them over time. Every instruction works on
// whole slots: arrays of one value, one row of the batch after the other.
type Plan struct {
	Cell  *Cell // resolved
	Slots []Slot
	Packs []Pack
	Masks []DropMask // of dropout, by Slot.Index

	// Forward. Once runs when the weights have changed; Hoist over the rows of many steps together, for everything that depends
	// on the input alone; Steps at each step, stage by stage.
	Once  []Instr
	Hoist []Instr
	Steps []Stage

	// Backward. BackSteps runs at each step, last step first; BackAfter afterwards, over the rows of many steps together, where
	// the gradients of weights need values of their step; then Grads. What is left depends, of the cell's own values, on the hoisted ones
	// alone: BackHoist, HoistGrads and, if the gradient of the input is asked for, BackInput. It is linear in the adjoints that it
	// reads, so for inputs that occur many times it may run once an input, on the sums of their adjoints.
	BackSteps  []Stage
	BackAfter  []Instr
	Grads      []GradOf
	BackHoist  []Instr
	BackInput  []Instr
	HoistGrads []GradOf

	Output     int // slot of output_t: an OutputSlot or a NextSlot
	OutputHome int // the state whose next value the output is, -1 where there is none
}

// Stage is what can be computed without waiting for another product: products of operands that are known, then the pointwise
// operations that follow; or a row function.
type Stage struct {
	Instrs []Instr
}

// SlotKind says how long a slot's value lives, and so where an engine keeps it. N rows are processed together, over T steps.
type SlotKind uint8

// The kinds of slots.
const (
	InputSlot     SlotKind = iota // (T, N, width): the caller's
	OnceSlot                      // (N, width): every row alike; depends on weights alone
	BlockSlot                     // (some steps, N, width): made by Hoist, used by the Steps that follow
	TempSlot                      // (N, width): dead after its step
	KeptSlot                      // (T, N, width) when training: backward reads it; else as short-lived as its maker allows
	StateSlot                     // (N, width): the incoming state Index of the step
	NextSlot                      // (N, width): the next state Index of the step; never read over many steps together
	OutputSlot                    // (T, N, width): output_t, where it is no next state
	AdjOutputSlot                 // (T, N, width): the gradient that comes for it
	AdjNextSlot                   // (N, width): the gradient that comes for the next state Index
	AdjStateSlot                  // (N, width): the gradient of the incoming state Index
	AdjInputSlot                  // (T, N, width): the gradient of input_t
	MaskSlot                      // (N, width): the mask Index of dropout, the same at all steps; the caller's
)

// Slot is the place of one value.
type Slot struct {
	Kind    SlotKind
	Width   int
	Index   int  // of a state or a mask
	Hoisted bool // of a KeptSlot: made by Hoist
}

// Pack is a matrix as a product reads it: block Block of weight Weight with K inputs and M outputs. The stored matrix has
// rows of Ld numbers; the part used starts at Start; Transposed: element (k, m) of the product's matrix is at row m, column k.
type Pack struct {
	Weight, Block int
	Start, Ld     int
	K, M          int
	Transposed    bool
	Backward      bool // needed in training alone
}

// GradOf adds to the gradient of a weight: the product of Operand and Adjoint over all rows, or the sum of Adjoint's rows.
type GradOf struct {
	Weight    int
	Start, Ld int // of the part of the stored weight
	// A^T B is added, A and B being slots; A is -1 for a sum of B's rows.
	A, B int
}

// Code is what an instruction does.
type Code uint8

// The instructions. D, A, B, C are slots, V a number.
const (
	MatMul        Code = iota // D = A × Packs[Pack]
	MatMulAcc                 // D = D + A × Packs[Pack]
	MatMulFrom                // D = C + A × Packs[Pack], C an OnceSlot
	Copy                      // D = A
	Fill                      // D = V
	Load                      // D = row Row, block Block of the vector Weight, for every row
	Add                       // D = A + B
	Sub                       // D = A - B
	Mul                       // D = A * B
	Div                       // D = A / B
	Min                       // D = min(A, B)
	Max                       // D = max(A, B)
	MulAdd                    // D = D + A * B
	MulSub                    // D = D - A * B
	Neg                       // D = -A
	AddConst                  // D = A + V
	SubFrom                   // D = V - A
	Scale                     // D = A * V
	DivFrom                   // D = V / A
	Pow                       // D = A ^ V
	PowGrad                   // D = A * derivative of B^V
	Apply                     // D = Func(A)
	ApplyGrad                 // D = A * derivative of Func at x = B, y = C
	MinGrad                   // D = the part of A that min(B, C) hands to B
	MaxGrad                   // likewise
	Softmax                   // D = softmax(A)
	SoftmaxGrad               // of A, y = B
	Normalize                 // D = normalized A
	NormalizeGrad             // of A, x = B
)

// Instr is one instruction.
type Instr struct {
	Code       Code
	D, A, B, C int // slots; -1 where unused
	V          float64
	Func       string
	Pack       int
	Weight     int // Load
	Start      int
}
