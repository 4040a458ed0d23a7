//go:build !amd64 || purego

package kernel

const useAVX2 = false

func bestPath() string { return pathGeneric }
