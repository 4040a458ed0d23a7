package imdb

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mathext/prng"

	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/internal/npy"
)

// real is the path of a file of the real data set, beside the project.
func real(t *testing.T, name string) string {
	path := filepath.Join("..", "..", "..", "shared", "data", "imdb", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no %s", path)
	}
	return path
}

// The numbers are those that Keras's own load_data prints, in its documentation and in many published listings.
func TestReal(t *testing.T) {
	path := real(t, "imdb.npz")
	train, test, err := Load(path, datasets.Options{NumWords: 10000})
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 25000 || test.Len() != 25000 || len(train.Y) != 25000 || len(test.Y) != 25000 {
		t.Fatalf("%d and %d rows, %d and %d labels", train.Len(), test.Len(), len(train.Y), len(test.Y))
	}
	x := train.X[0]
	if want := []int32{1, 14, 22, 16, 43, 530, 973}; len(x) != 218 || !slices.Equal(x[:7], want) || train.Y[0] != 1 {
		t.Errorf("training row 0: label %d, %d ids that begin %v, want label 1 and 218 ids that begin %v", train.Y[0], len(x), x[:7], want)
	}
	if want := []int32{1, 194, 1153, 194, 8255, 78, 228, 5, 6, 1463}; !slices.Equal(train.X[1][:10], want) || len(train.X[1]) != 189 || train.Y[1] != 0 {
		t.Errorf("training row 1: label %d, %d ids that begin %v, want label 0 and 189 ids that begin %v", train.Y[1], len(train.X[1]), train.X[1][:10], want)
	}
	if want := []int32{1, 591, 202, 14, 31, 6, 717, 10, 10, 2}; len(test.X[0]) != 68 || !slices.Equal(test.X[0][:10], want) || test.Y[0] != 0 {
		t.Errorf("test row 0: label %d, %d ids that begin %v, want label 0 and 68 ids that begin %v", test.Y[0], len(test.X[0]), test.X[0][:10], want)
	}
	var positive, top int32
	for i, x := range train.X {
		positive += train.Y[i]
		top = max(top, slices.Max(x))
	}
	if positive != 12500 || top != 9999 {
		t.Errorf("%d positive rows, largest id %d, want 12500 and 9999", positive, top)
	}
}

func TestRealOptions(t *testing.T) {
	path := real(t, "imdb.npz")
	// Without a limit the largest id is 88,584 + 3 and becomes the mark of words left out, as in Keras.
	all, _, err := Load(path, datasets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var top int32
	for _, x := range all.X {
		top = max(top, slices.Max(x))
	}
	if top != 88586 {
		t.Errorf("largest id %d, want 88586", top)
	}
	// The largest id is looked for among the rows that are kept, so a limit is given to compare rows.
	short, _, err := Load(path, datasets.Options{MaxLen: 218, NumWords: 88586})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for i, x := range all.X {
		if len(x) >= 218 {
			continue
		}
		if !slices.Equal(x, short.X[kept]) || all.Y[i] != short.Y[kept] {
			t.Fatalf("row %d of those shorter than 218 is not the one of that place among all", kept)
		}
		kept++
	}
	if kept != short.Len() || kept < 10000 {
		t.Errorf("%d rows are shorter than 218, got %d", kept, short.Len())
	}
}

func TestRealWordIndex(t *testing.T) {
	index, err := WordIndex(real(t, "imdb_word_index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(index) != 88584 || index["the"] != 1 {
		t.Errorf("%d words, \"the\" has rank %d, want 88584 and 1", len(index), index["the"])
	}
	d := datasets.NewDecoder(index, 3)
	if got, want := d.Text([]int32{1, 14, 22, 16, 43, 530, 973}), "? this film was just brilliant casting"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// NumPy: r = numpy.random.RandomState(113); a = numpy.arange(10); r.shuffle(a); b = numpy.arange(7); r.shuffle(b)
func TestShuffle(t *testing.T) {
	mt := prng.NewMT19937()
	mt.Seed(kerasSeed)
	rows := func(n int) datasets.Split {
		s := datasets.Split{}
		for i := range n {
			s.X, s.Y = append(s.X, []int32{int32(i)}), append(s.Y, int32(i))
		}
		return s
	}
	a, b := rows(10), rows(7)
	shuffle(mt, a)
	shuffle(mt, b)
	if want := []int32{9, 3, 6, 1, 0, 7, 4, 8, 2, 5}; !slices.Equal(a.Y, want) {
		t.Errorf("first: got %v, want %v", a.Y, want)
	}
	if want := []int32{5, 1, 0, 3, 6, 4, 2}; !slices.Equal(b.Y, want) {
		t.Errorf("then: got %v, want %v", b.Y, want)
	}
	for i, x := range a.X {
		if x[0] != a.Y[i] {
			t.Fatalf("row %d and its label went different ways", i)
		}
	}
}

// archive is a small .npz as NumPy would write it: x_train = [[1, 5, 30], [2]], y_train = [1, 0], x_test = [[5, 6]], y_test
// = [1].
func archive(t *testing.T, labels []int64) string {
	objects := func(lists string, n byte) []byte {
		return []byte("\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K" + string(n) + "\x85" +
			"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb\x89](" + lists + "etb.")
	}
	path := filepath.Join(t.TempDir(), "imdb.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	entry := func(name string, body []byte) {
		w, err := z.Create(name + ".npy")
		if err == nil {
			_, err = w.Write(body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	x := func(n int, pickle []byte) []byte {
		head := fmt.Sprintf("{'descr': '|O', 'fortran_order': False, 'shape': (%d,), }\n", n)
		return append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(head)), 0})+head), pickle...)
	}
	y := func(v []int64) []byte {
		var b bytes.Buffer
		if err := npy.WriteNPY(&b, npy.From(v)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	entry("x_train", x(2, objects("](K\x01K\x05K\x1ee](K\x02e", 2)))
	entry("y_train", y(labels))
	entry("x_test", x(1, objects("](K\x05K\x06e", 1)))
	entry("y_test", y([]int64{1}))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	path := archive(t, []int64{1, 0})
	for _, c := range []struct {
		name        string
		o           datasets.Options
		train, test [][]int32
	}{
		{"defaults: the largest id of both splits is left out", datasets.Options{}, [][]int32{{1, 4, 8, 2}, {1, 5}}, [][]int32{{1, 8, 9}}},
		{"num words", datasets.Options{NumWords: 9}, [][]int32{{1, 4, 8, 2}, {1, 5}}, [][]int32{{1, 8, 2}}},
		{"skip top takes the start too", datasets.Options{SkipTop: 5, OOVChar: datasets.I(7)}, [][]int32{{7, 7, 8, 7}, {7, 5}}, [][]int32{{7, 8, 9}}},
		{"no start", datasets.Options{NumWords: 99, StartChar: datasets.None()}, [][]int32{{4, 8, 33}, {5}}, [][]int32{{8, 9}}},
		{"no mark for words left out", datasets.Options{NumWords: 9, OOVChar: datasets.None()}, [][]int32{{1, 4, 8}, {1, 5}}, [][]int32{{1, 8}}},
		{"no shift, another start", datasets.Options{NumWords: 99, IndexFrom: datasets.I(0), StartChar: datasets.I(0)}, [][]int32{{0, 1, 5, 30}, {0, 2}}, [][]int32{{0, 5, 6}}},
		{"shorter than 4 with the start", datasets.Options{NumWords: 99, MaxLen: 4}, [][]int32{{1, 5}}, [][]int32{{1, 8, 9}}},
	} {
		c.o.Seed = datasets.None()
		train, test, err := Load(path, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		same := func(a, b [][]int32) bool {
			return slices.EqualFunc(a, b, func(a, b []int32) bool { return slices.Equal(a, b) })
		}
		if !same(train.X, c.train) || !same(test.X, c.test) {
			t.Errorf("%s: got %v and %v, want %v and %v", c.name, train.X, test.X, c.train, c.test)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	path := archive(t, []int64{1, 0})
	for _, c := range []struct {
		name, path, want string
		o                datasets.Options
	}{
		{"absent", filepath.Join(t.TempDir(), "none.npz"), "no such file", datasets.Options{}},
		{"labels", archive(t, []int64{1, 0, 1}), "expected as many labels as sequences", datasets.Options{}},
		{"negative", path, "expected NumWords, SkipTop and MaxLen of 0 or more", datasets.Options{NumWords: -1}},
		{"nothing left", path, "expected rows shorter than MaxLen", datasets.Options{MaxLen: 1}},
		{"index from", path, "expected an IndexFrom", datasets.Options{IndexFrom: datasets.None()}},
	} {
		_, _, err := Load(c.path, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}
