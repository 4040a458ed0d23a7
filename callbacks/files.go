package callbacks

import (
	"crypto/sha256"
	"io"
	"os"

	"github.com/unroll-ml/unroll/internal/durable"
)

// write makes a file whole or not at all.
func write(path string, content []byte) error {
	return durable.Write(path, func(w io.Writer) error {
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
	return durable.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
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
