package layertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
)

// Runtime is a folder of ONNX files that onnxruntime shall run, all at once.
type Runtime struct {
	folder string
	names  []string
}

// NewRuntime is an empty folder. Without a Python to ask, whose path is in UNROLL_ORACLE_PYTHON, the test is skipped.
func NewRuntime(t *testing.T) *Runtime {
	t.Helper()
	if os.Getenv("UNROLL_ORACLE_PYTHON") == "" {
		t.Skip("UNROLL_ORACLE_PYTHON is not set: no Python with onnxruntime to ask")
	}
	return &Runtime{folder: t.TempDir()}
}

// Add adds a model and what goes into it.
func (r *Runtime) Add(t *testing.T, file []byte, in []layers.Value) (number int) {
	t.Helper()
	number = len(r.names)
	name := filepath.Join(r.folder, fmt.Sprintf("m%03d", number))
	r.names = append(r.names, name)
	if err := os.WriteFile(name+".onnx", file, 0o644); err != nil {
		t.Fatal(err)
	}
	var keys []string
	arrays := map[string]*npy.Array{}
	for i, v := range in {
		key := fmt.Sprintf("in%d", i)
		keys = append(keys, key)
		if v.IDs != nil {
			arrays[key] = npy.From(v.IDs, v.Shape...)
		} else {
			arrays[key] = npy.From(v.Data, v.Shape...)
		}
	}
	if err := npy.SaveNPZ(name+".npz", keys, arrays); err != nil {
		t.Fatal(err)
	}
	return number
}

// Run runs them; script is the path of oracle/onnx_check.py. What it says of models that do not run is returned by their numbers.
func (r *Runtime) Run(t *testing.T, script string) map[int]string {
	t.Helper()
	log, err := exec.Command(os.Getenv("UNROLL_ORACLE_PYTHON"), script, r.folder).CombinedOutput()
	said := map[int]string{}
	for i, name := range r.names {
		if _, text, ok := strings.Cut(string(log), filepath.Base(name)+".onnx: "); ok {
			said[i] = text
			if len(text) > 600 {
				said[i] = text[:600]
			}
		}
	}
	if err != nil && len(said) == 0 {
		t.Fatalf("%s: %v\n%s", script, err, log)
	}
	return said
}

// Outputs are those of a model that ran, each with its shape.
func (r *Runtime) Outputs(t *testing.T, number int) (out []*npy.Array) {
	t.Helper()
	arrays, err := npy.ReadNPZ(r.names[number] + ".out.npz")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; arrays[fmt.Sprintf("out%d", i)] != nil; i++ {
		out = append(out, arrays[fmt.Sprintf("out%d", i)])
	}
	return out
}

// Values are what goes into the case's layer, rows outermost, with no masks.
func (c *Case) Values() []layers.Value {
	c.Batch = batchOf(c.In, c.Batch)
	for i, in := range c.More {
		c.More[i].Batch = batchOf(in.In, in.Batch)
	}
	return c.inputs()
}
