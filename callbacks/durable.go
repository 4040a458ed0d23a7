package callbacks

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// write makes a file whole or not at all: under a temporary name, synced, renamed, and the renaming synced too. What was renamed in the folder
// before has then happened as well.
func write(path string, content []byte) error {
	return fill(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// replace makes to a copy of from.
func replace(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return fill(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

func fill(path string, content func(io.Writer) error) error {
	scratch := path + ".tmp"
	f, err := os.Create(scratch)
	if err != nil {
		return err
	}
	err = content(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	folder := filepath.Dir(path)
	if err == nil {
		err = syncFolder(folder) // what the new file speaks of has its name before it has its own
	}
	if err == nil {
		err = os.Rename(scratch, path)
	}
	if err != nil {
		os.Remove(scratch)
		return err
	}
	return syncFolder(folder)
}

// syncFolder waits until the names in a folder are on the disk. Windows has no such call.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// sum is a file's checksum.
func sum(path string) (s [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return s, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
