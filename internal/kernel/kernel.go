// Package kernel holds the loops over floats, and the only assembly of the house: slices of float32 and sizes go in, nothing
// else. README.md is its contract.
//
// Every exported function checks its sizes at the door and panics when they do not fit, which is a programmer's mistake inside
// the house; what lies behind the door trusts them. Each has a plain Go twin named <name>Generic, which is its definition and
// its fallback; where assembly exists, a visible `if useAVX512` or `if useAVX2` chooses.
package kernel

//go:generate sh -c "cd _asm && go run ."

import "fmt"

// fits reports whether n rows of m values, ld apart, lie within length values. A single row needs no ld.
func fits(length, ld, n, m int) bool {
	if n < 0 || m < 0 {
		return false
	}
	if n == 0 || m == 0 {
		return true
	}
	if n == 1 {
		return m <= length
	}
	// Below 2^31 the product cannot overflow.
	return uint64(n) < 1<<31 && uint64(ld) < 1<<31 && ld >= m && int64(n-1)*int64(ld)+int64(m) <= int64(length)
}

// checkMatrix panics unless fits; kernel and arg name the culprit.
func checkMatrix(kernel, arg string, x []float32, ld, n, m int) {
	if !fits(len(x), ld, n, m) {
		panic(fmt.Sprintf("kernel: %s: %s must hold %d rows of %d values, %d apart, got %d values", kernel, arg, n, m, ld, len(x)))
	}
}

// checkLen panics unless x has at least n values.
func checkLen(kernel, arg string, x []float32, n int) {
	if len(x) < n || n < 0 {
		panic(fmt.Sprintf("kernel: %s: %s must hold %d values, got %d", kernel, arg, n, len(x)))
	}
}

// checkSame panics unless x has exactly n values.
func checkSame(kernel, arg string, x []float32, n int) {
	if len(x) != n {
		panic(fmt.Sprintf("kernel: %s: %s must hold %d values, got %d", kernel, arg, n, len(x)))
	}
}
