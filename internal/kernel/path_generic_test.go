//go:build !amd64 || purego

package kernel

import "testing"

// eachPath runs a test on the only path there is.
func eachPath(t *testing.T, test func(t *testing.T)) { t.Run(Path(), test) }
