package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// files are the names in a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestOutputIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	o, err := newOutput("--history", path, ".json")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := o.write(func(w io.Writer) error { io.WriteString(w, "half"); return broken }); !errors.Is(err, broken) {
		t.Errorf("expected the writer's error, got %v", err)
	}
	if names := files(t, dir); len(names) != 0 {
		t.Errorf("a failed write left %v", names)
	}
	if o, err = newOutput("--history", path, ".json"); err != nil {
		t.Fatal(err)
	}
	if err := o.write(func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Fatal(err)
	}
	o.close()
	if b, _ := os.ReadFile(path); string(b) != "whole" || len(files(t, dir)) != 1 {
		t.Errorf("got %q, files %v", b, files(t, dir))
	}
	if o, err = newOutput("--history", path, ".json"); err != nil {
		t.Fatal(err)
	}
	o.close()
	if b, _ := os.ReadFile(path); string(b) != "whole" || len(files(t, dir)) != 1 {
		t.Errorf("closing what was not written changed the folder: %q, files %v", b, files(t, dir))
	}
}

func TestOutputRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := newOutput("--out", filepath.Join(dir, "none", "m.keras"), ".keras"); err == nil {
		t.Error("a folder that does not exist was accepted")
	}
	if _, err := newOutput("--out", dir); err == nil {
		t.Error("a folder was accepted as a file")
	}
	var u *usageError
	if _, err := newOutput("--out", filepath.Join(dir, "m.h5"), ".keras"); !errors.As(err, &u) {
		t.Errorf("a wrong extension: expected a usage error, got %v", err)
	}
	a, err := newOutput("--out", filepath.Join(dir, "m"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	b, err := newOutput("--plot", filepath.Join(dir, "x", "..", "m"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if err := differ(a, nil, b); !errors.As(err, &u) {
		t.Errorf("two outputs of one name: expected a usage error, got %v", err)
	}
}
