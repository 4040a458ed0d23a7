package unroll

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Models that oracle/drawn.py has drawn predict and train here as in Keras. The folder of the drawn models is in UNROLL_DRAWN: `make drawn` makes it.
func TestDrawn(t *testing.T) {
	folder := os.Getenv("UNROLL_DRAWN")
	if folder == "" {
		t.Skip("UNROLL_DRAWN is not set: no models are drawn (make drawn)")
	}
	forward, trained := 0, 0
	for _, f := range graphsIn(t, folder) {
		t.Run(strings.TrimSuffix(filepath.Base(f.path), ".keras"), func(t *testing.T) {
			m, err := Load(f.path)
			if err != nil {
				t.Fatal(err)
			}
			forward++
			if f.arrays["losses"] != nil {
				trained++
			}
			compareGraph(t, m, f.arrays, &f.meta)
			checkOrder(t, f.path)
		})
	}
	t.Logf("%d models predict, %d of them train", forward, trained)
}
