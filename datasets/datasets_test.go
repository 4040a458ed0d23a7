package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInt(t *testing.T) {
	for _, c := range []struct {
		i    Int
		v    int32
		some bool
	}{{Int{}, 7, true}, {I(0), 0, true}, {I(-3), -3, true}, {None(), 0, false}} {
		if v, some := c.i.Or(7); v != c.v || some != c.some {
			t.Errorf("%+v: got %d, %v, want %d, %v", c.i, v, some, c.v, c.some)
		}
	}
}

func TestPrepareKeepsRowsApart(t *testing.T) {
	// All rows in one array, as the readers make them: what a row grows by must not be the next one's.
	ranks := []int32{0, 1, 2, 0, 3, 0}
	train := Split{X: [][]int32{ranks[:3:3], ranks[3:5:5], ranks[5:]}, Y: []int32{1, 0, 1}}
	test := Split{}
	if err := (Options{NumWords: 6, OOVChar: None()}).Prepare(&train, &test); err != nil {
		t.Fatal(err)
	}
	want := [][]int32{{1, 4, 5}, {1}, {1}}
	if !slices.EqualFunc(train.X, want, func(a, b []int32) bool { return slices.Equal(a, b) }) {
		t.Errorf("got %v, want %v", train.X, want)
	}
	_ = append(train.X[1], 99)
	if train.X[2][0] != 1 || train.Len() != 3 {
		t.Errorf("appending to a row changed the next: %v", train.X)
	}
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		o          Options
		rank       int32
	}{
		{"a negative rank", "expected ranks of 0 to", Options{}, -1},
		{"a rank that overflows", "got 2147483647 in row 0", Options{}, 1<<31 - 1},
		{"a negative mark", "a StartChar and an OOVChar of 0 or more", Options{OOVChar: I(-1)}, 1},
		{"a negative shift", "an IndexFrom of 0 or more", Options{IndexFrom: I(-1)}, 1},
	} {
		err := c.o.Prepare(&Split{X: [][]int32{{0, c.rank}}, Y: []int32{0}}, &Split{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestDecoder(t *testing.T) {
	d := NewDecoder(map[string]int{"the": 1, "film": 2, "far": 1 << 40, "odd": -7}, 3)
	if got, want := d.Text([]int32{0, 1, 4, 5, 6, -1, 1 << 30}), "? ? the film ? ? ?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFetch(t *testing.T) {
	const body = "forty-two bytes that stand for a data set.\n"
	sum := sha256.Sum256([]byte(body))
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/set.npz" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(body))
	}))
	defer server.Close()
	good := File{Name: "set.npz", URL: server.URL + "/set.npz", SHA256: hex.EncodeToString(sum[:]), Bytes: 100}
	change := func(f func(*File)) File { file := good; f(&file); return file }

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		name, want string
		file       File
	}{
		{"another sum", "expected SHA-256 00, got " + good.SHA256, change(func(f *File) { f.SHA256 = "00" })},
		{"no such page", "expected status 200, got 404", change(func(f *File) { f.URL = server.URL + "/other" })},
		{"too long", "expected at most 10 bytes", change(func(f *File) { f.Bytes = 10 })},
		{"no network", "was not fetched", change(func(f *File) { f.URL = gone.URL })},
	} {
		dir := filepath.Join(t.TempDir(), "cache")
		t.Setenv("UNROLL_CACHE", dir)
		_, err := c.file.Fetch(context.Background())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
			continue
		}
		if hint := "put the file at " + filepath.Join(dir, "set.npz") + ", or give its own path with --data PATH"; !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: the error does not say what to do: %v", c.name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left in the cache: %v", c.name, left)
		}
	}

	dir := filepath.Join(t.TempDir(), "cache")
	t.Setenv("UNROLL_CACHE", dir)
	asked = 0
	for range 2 {
		path, err := good.Fetch(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != body || path != filepath.Join(dir, "set.npz") {
			t.Errorf("%s holds %q (%v)", path, got, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked the server %d times, want once", asked)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the cache holds %v", left)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	t.Setenv("UNROLL_CACHE", t.TempDir())
	if _, err := good.Fetch(ctx); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("cancelled: got error %v", err)
	}
}
