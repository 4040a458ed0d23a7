//go:build !purego

package kernel

import "testing"

// eachPath runs a test on the path in use and, where that is not the lowest, on the generic one.
func eachPath(t *testing.T, test func(t *testing.T)) {
	t.Run(Path(), test)
	if useAVX2 {
		useAVX2 = false
		defer func() { useAVX2 = true }()
		t.Run(pathGeneric, test)
	}
}
