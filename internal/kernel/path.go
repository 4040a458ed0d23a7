package kernel

import (
	"fmt"
	"os"
	"strings"
)

// The instruction sets that kernels are written for, lowest first.
const (
	pathGeneric = "generic"
	pathAVX2    = "avx2"   // AVX2 and FMA
	pathAVX512  = "avx512" // F, BW, DQ and VL, and BMI2
)

var path, pathError = choosePath(os.Getenv("UNROLL_CPU"), bestPath())

// Path is the instruction set in use: "avx512", "avx2" or "generic". The environment variable UNROLL_CPU, read once at start, forces a
// lower one than the machine has; a name that is unknown or higher changes nothing, and PathError says so.
func Path() string { return path }

// PathError is what is wrong with UNROLL_CPU, or nil.
func PathError() error { return pathError }

// choosePath is the path to take on a machine whose best is best, when asked for want.
func choosePath(want, best string) (string, error) {
	order := []string{pathGeneric, pathAVX2, pathAVX512}
	if want == "" {
		return best, nil
	}
	for i, name := range order {
		if name == want {
			for _, above := range order[i:] {
				if above == best {
					return want, nil
				}
			}
			return best, fmt.Errorf("kernel: UNROLL_CPU: %s is more than this build and machine have, got %s, using %s", want, best, best)
		}
	}
	return best, fmt.Errorf("kernel: UNROLL_CPU: expected one of %s, got %q, using %s", strings.Join(order, ", "), want, best)
}
