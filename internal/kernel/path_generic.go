//go:build !amd64 || purego

package kernel

const useAVX512, useAVX2 = false, false

func bestPath() string { return pathGeneric }
