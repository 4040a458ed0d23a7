//go:build !amd64 || purego

package kernel

// programs says whether Program can run.
const programs = false

func runProgram(first, end *uint64, steps int) { panic(noAssembly) }
