package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// output is a file that will be written at the end. It is opened, under a temporary name beside the final one, before the work
// begins, so that a place where nothing can be written is found at once, and the final name is a whole file or not there.
type output struct {
	path string
	temp *os.File
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
	temp, err := beside(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot write %s: %w", flag, path, cause(err))
	}
	return &output{path, temp}, nil
}

// beside makes a file in the folder of path. os.CreateTemp would shut everybody else out of it.
func beside(path string) (f *os.File, err error) {
	for i := range 100 {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.%d", filepath.Base(path), os.Getpid(), i))
		if f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return f, err
}

// either is "a, b or c".
func either(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// cause is an error of the file system without the name of the file, which the message has already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// write fills the file and gives it its name.
func (o *output) write(fill func(w io.Writer) error) error {
	if o == nil {
		return nil
	}
	err := fill(o.temp)
	if err == nil {
		err = o.temp.Sync()
	}
	err = errors.Join(err, o.temp.Close())
	if err == nil {
		err = os.Rename(o.temp.Name(), o.path)
	}
	if err != nil {
		os.Remove(o.temp.Name())
		return fmt.Errorf("cannot write %s: %w", o.path, cause(err))
	}
	return nil
}

// close removes what was not written.
func (o *output) close() {
	if o != nil && o.temp.Close() == nil {
		os.Remove(o.temp.Name())
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
