// Package durable writes files that are there whole or not at all, whenever the process or the machine stops: what was there before stays
// until the new file has its name.
//
// All files that unroll makes are written so, except those that grow line by line while a training runs (CSVLogger, TensorBoard).
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file that does not have its name yet. It stands beside it, under the name with eight digits and ".tmp" behind; a process that
// is killed leaves that.
type File struct {
	*os.File
	path string
}

// Create begins a file for path. Its permissions are those of any new file.
func Create(path string) (*File, error) {
	for tries := 0; ; tries++ {
		f, err := os.OpenFile(fmt.Sprintf("%s.%08x.tmp", path, rand.Uint32()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			return &File{f, path}, nil
		}
		if !errors.Is(err, fs.ErrExist) || tries == 100 {
			return nil, Cause(err)
		}
	}
}

// Commit gives the file its name once its content is on the disk, and waits until the name is there too. After an error the file is gone.
func (f *File) Commit() error {
	err := f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return Cause(err)
	}
	return syncFolder(f.path)
}

// Discard removes the file. After Commit it does nothing.
func (f *File) Discard() {
	if f.Close() == nil {
		os.Remove(f.Name())
	}
}

// Write makes the file at path from what the function writes; after an error, which is that of the function or of the system, nothing has
// changed. Errors of the system come without the temporary name.
func Write(path string, content func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		f.Discard()
		return Cause(err)
	}
	return f.Commit()
}

// Rename gives a file another name, also in another folder, and waits until that is on the disk.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(to)
}

// syncFolder waits until the name of the file at path is on the disk. Windows has no such call.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return Cause(err)
	}
	defer d.Close()
	return Cause(d.Sync())
}

// Cause is an error of the file system without the name of the file, for messages that have it already; any other error is what it was.
func Cause(err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}
