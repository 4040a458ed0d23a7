package unroll_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/unroll-ml/unroll"

// level is where a package stands: it imports only packages of lower levels. Sub-packages stand where the longest prefix does.
var level = map[string]int{
	"tensor": 0, "internal/random": 0, "internal/cell": 0,
	"internal/keras": 0, "internal/hdf5": 0, "internal/npy": 0, "internal/pickle": 0, "internal/onnx": 0, "internal/safetensors": 0,
	"internal/torch": 0, "internal/wire": 0, "internal/durable": 0,
	"internal/kernel": 1, "initializers": 1, "schedules": 1, "sequence": 1, "text": 1, "datasets": 1,
	"activations": 2, "regularizers": 2, "constraints": 2, "losses": 2, "optimizers": 2, "internal/engine": 2,
	"layers": 3, "metrics": 3,
	"":     4,
	"plot": 5, "callbacks": 5, "convert/onnx": 5,
	"convert": 6,
	"cmd":     7,
}

// inside are arrows within a level that are part of the design: a file syntax that contains another, the numbers that several have, a data set's shared types.
var inside = map[[2]string]bool{
	{"internal/npy", "internal/pickle"}:       true,
	{"internal/pickle", "internal/npy"}:       true,
	{"internal/npy", "internal/durable"}:      true,
	{"internal/torch", "internal/pickle"}:     true,
	{"internal/hdf5", "internal/wire"}:        true,
	{"internal/npy", "internal/wire"}:         true,
	{"internal/onnx", "internal/wire"}:        true,
	{"internal/safetensors", "internal/wire"}: true,
	{"internal/torch", "internal/wire"}:       true,
	{"datasets/imdb", "datasets"}:             true,
	{"datasets/reviews", "datasets"}:          true,
}

// onlyTests are imported by tests alone.
var onlyTests = []string{"internal/reference", "internal/golden", "internal/layertest"}

// A package imports only lower levels, so that the folder listing can be read from the bottom up.
func TestLevels(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	checked := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if isTestOnly(from) {
			continue
		}
		lf, ok := levelOf(from)
		if !ok {
			t.Errorf("%s has no level: say in level where it stands", from)
		}
		for _, i := range p.Imports {
			if i != module && !strings.HasPrefix(i, module+"/") {
				continue
			}
			to := strings.TrimPrefix(strings.TrimPrefix(i, module), "/")
			if isTestOnly(to) {
				t.Errorf("%s imports %s, which is for tests", from, to)
				continue
			}
			lt, _ := levelOf(to)
			checked++
			if lt >= lf && !inside[[2]string{from, to}] {
				t.Errorf("%s (level %d) imports %s (level %d): a package imports only lower levels", from, lf, to, lt)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d arrows were found: is go list looking at the module?", checked)
	}
}

func levelOf(path string) (int, bool) {
	for {
		if l, ok := level[path]; ok && (path != "" || l == 4) {
			return l, true
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return 0, false
		}
		path = path[:i]
	}
}

func isTestOnly(path string) bool {
	for _, p := range onlyTests {
		if path == p {
			return true
		}
	}
	return false
}
