package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/unroll-ml/unroll/internal/durable"
)

// File is a file of a data set that is kept elsewhere.
type File struct {
	Name   string // in the cache
	URL    string
	SHA256 string // of the whole file, in hexadecimal
	Bytes  int64  // at most; a longer answer is not read to its end
}

// CacheDir is where fetched files are kept: $UNROLL_CACHE when it is set, else the folder unroll in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("UNROLL_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("datasets: no cache folder: set UNROLL_CACHE to one: %w", err)
	}
	return filepath.Join(dir, "unroll"), nil
}

// Cached is where the file is, or would be, in the cache, and whether it is there.
func (f File) Cached() (path string, there bool, err error) {
	dir, err := CacheDir()
	if err != nil {
		return "", false, err
	}
	path = filepath.Join(dir, f.Name)
	switch _, err := os.Stat(path); {
	case err == nil:
		return path, true, nil
	case errors.Is(err, fs.ErrNotExist):
		return path, false, nil
	default:
		return "", false, fmt.Errorf("datasets: %w", err)
	}
}

// Fetch is the path of the file in the cache. A file that is not there is downloaded and its sum compared; it appears in the
// cache whole or not at all. A file that is already there is taken as it is, so that a user without a network can put
// one there. The context bounds the download.
func (f File) Fetch(ctx context.Context) (string, error) {
	path, there, err := f.Cached()
	if err != nil || there {
		return path, err
	}
	if err := f.download(ctx, path); err != nil {
		return "", fmt.Errorf("datasets: %s is not in the cache and was not fetched: %w; put the file at %s, or give its own path with --data PATH",
			f.Name, err, path)
	}
	return path, nil
}

func (f File) download(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: expected status 200, got %s", f.URL, resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := durable.Create(path)
	if err != nil {
		return err
	}
	defer tmp.Discard()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(resp.Body, f.Bytes+1))
	if err != nil {
		return fmt.Errorf("%s: after %d bytes: %w", f.URL, n, err)
	}
	if n > f.Bytes {
		return fmt.Errorf("%s: expected at most %d bytes, got more", f.URL, f.Bytes)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("%s: expected SHA-256 %s, got %s", f.URL, f.SHA256, got)
	}
	return tmp.Commit()
}
