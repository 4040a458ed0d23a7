package kernel

import (
	"fmt"
	"syscall"
	"unsafe"
)

// guarded is memory for n floats that ends where a page that may not be touched begins: reading or writing one value too far
// kills the test. release gives all of it back.
func guarded(n int) []float32 {
	page := syscall.Getpagesize()
	size := (4*n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err == nil {
		err = syscall.Mprotect(m[size:], syscall.PROT_NONE)
	}
	if err != nil {
		panic(fmt.Sprint("guarded: ", err))
	}
	mapped = append(mapped, m)
	if n == 0 {
		return []float32{}
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[size-4*n])), n)
}

var mapped [][]byte

func release() {
	for _, m := range mapped {
		if err := syscall.Munmap(m); err != nil {
			panic(fmt.Sprint("release: ", err))
		}
	}
	mapped = mapped[:0]
}
