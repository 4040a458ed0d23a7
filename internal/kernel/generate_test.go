package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGenerated writes the assembly again and compares it with what is checked in.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "asm")
	build := exec.Command("go", "build", "-o", tool, ".")
	build.Dir = "_asm"
	// Offline and for this machine, whatever the tests are built for.
	build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly -buildvcs=false", "GOOS=", "GOARCH=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		// Without a network the generator's module may be missing; a generator that does not compile is a mistake.
		if strings.Contains(string(out), "module lookup disabled") || strings.Contains(string(out), "executable file not found") {
			t.Skipf("the generator needs a module that is not here; `cd _asm && go mod download` fetches it\n%s", out)
		}
		t.Fatalf("building the generator: %v\n%s", err, out)
	}
	written := filepath.Join(dir, "out")
	if err := os.Mkdir(written, 0o777); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-dir", written, "-cells", "../../layers/cells").CombinedOutput(); err != nil {
		t.Fatalf("running the generator: %v\n%s", err, out)
	}
	files, err := os.ReadDir(written)
	if err != nil || len(files) == 0 {
		t.Fatalf("expected files from the generator, got %d, %v", len(files), err)
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(written, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(f.Name())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes (%v): run `go generate` in this folder", f.Name(), err)
		}
	}
	assembly, err := filepath.Glob("*.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range assembly {
		if name == "program_amd64.s" {
			continue // calls what is generated, and says so
		}
		if _, err := os.Stat(filepath.Join(written, name)); err != nil {
			t.Errorf("%s is not written by the generator", name)
		}
	}
}
