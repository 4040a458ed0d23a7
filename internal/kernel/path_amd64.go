//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// useAVX2 is the one switch between the assembly and the generic twins.
var useAVX2 = path == pathAVX2

func bestPath() string {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		return pathAVX2
	}
	return pathGeneric
}
