//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// useAVX512 and useAVX2 are the switches between the assembly and the generic twins. A path has the kernels of the lower ones too: the
// first is asked first.
var (
	useAVX512 = path == pathAVX512
	useAVX2   = path == pathAVX2 || useAVX512
)

// bestPath is the highest that the processor and the operating system know.
func bestPath() string {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return pathGeneric
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasBMI2:
		return pathAVX512
	}
	return pathAVX2
}
