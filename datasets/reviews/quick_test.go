package reviews

import (
	"encoding/binary"
	"github.com/unroll-ml/unroll/datasets"
	"os"
	"sort"
	"testing"
	"time"
)

func TestDump(t *testing.T) {
	t0 := time.Now()
	tr, _, err := Load(datasets.Options{NumWords: 10000})
	t.Log(time.Since(t0), err)
	var ls []int
	n := 0
	seen := map[int32]bool{}
	oov := 0
	X := make([]int32, 25000*500)
	Y := make([]float32, 25000)
	for i, x := range tr.X {
		ls = append(ls, len(x))
		n += len(x)
		for _, v := range x {
			seen[v] = true
			if v == 2 {
				oov++
			}
		}
		if len(x) > 500 {
			x = x[len(x)-500:]
		}
		copy(X[i*500+500-len(x):], x)
		Y[i] = float32(tr.Y[i])
	}
	sort.Ints(ls)
	t.Log("mean", float64(n)/25000, "median", ls[12500], "min", ls[0], "max", ls[24999], "p92", ls[23000], "distinct", len(seen), "oov", float64(oov)/float64(n))
	if d := os.Getenv("DUMP"); d != "" {
		f, _ := os.Create(d + "/x.bin")
		binary.Write(f, binary.LittleEndian, X)
		f.Close()
		f, _ = os.Create(d + "/y.bin")
		binary.Write(f, binary.LittleEndian, Y)
		f.Close()
	}
	for i := range 3 {
		s, _ := Text(0, false, i)
		t.Log(tr.Y[i], len(s), s[:min(len(s), 900)])
	}
}
