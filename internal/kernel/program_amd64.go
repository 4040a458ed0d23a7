//go:build !purego

package kernel

// runProgram runs the operations from first to before end, of which there must be some, steps > 0 times.
//
//go:noescape
func runProgram(first, end *uint64, steps int)

// programs says whether Program can run.
var programs = useAVX2
