package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/durable"
)

// output is a file that will be written at the end. It is opened, under a temporary name beside the final one, before the work
// begins, so that a place where nothing can be written is found at once, and the final name is a whole file or not there.
type output struct {
	path string
	temp *durable.File
}

// newOutput opens the file; a path of "" gives nil, whose methods do nothing.
func newOutput(flag, path string, extensions ...string) (*output, error) {
	if path == "" {
		return nil, nil
	}
	if ext := strings.ToLower(filepath.Ext(path)); len(extensions) > 0 && !slices.Contains(extensions, ext) {
		return nil, usage("%s: expected a file that ends in %s, got %s", flag, either(extensions), path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: expected a file, got the folder %s", flag, path)
	}
	temp, err := durable.Create(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot write %s: %w", flag, path, durable.Cause(err))
	}
	return &output{path, temp}, nil
}

// either is "a, b or c".
func either(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// write fills the file and gives it its name.
func (o *output) write(fill func(w io.Writer) error) error {
	if o == nil {
		return nil
	}
	err := fill(o.temp)
	if err != nil {
		o.temp.Discard()
	} else {
		err = o.temp.Commit()
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", o.path, durable.Cause(err))
	}
	return nil
}

// close removes what was not written.
func (o *output) close() {
	if o != nil {
		o.temp.Discard()
	}
}

// differ fails when two outputs are one file.
func differ(outputs ...*output) error {
	seen := map[string]bool{}
	for _, o := range outputs {
		if o == nil {
			continue
		}
		path, err := filepath.Abs(o.path)
		if err != nil {
			path = o.path
		}
		if seen[path] {
			return usage("expected every output to be a file of its own, got %s twice", o.path)
		}
		seen[path] = true
	}
	return nil
}
