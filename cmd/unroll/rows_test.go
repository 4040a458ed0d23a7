package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/tensor"
)

// write puts a file into a new folder.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, r dataRequest) *dataSet {
	t.Helper()
	r.progress = io.Discard
	d, err := loadData(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTable(t *testing.T) {
	for _, c := range []struct {
		name, text string
		noTarget   bool
		x          []float32
		shape      tensor.Shape
		y          any
	}{
		{"a.csv", "p, q, y\n1, 2.5, 0\n3, 4, 1\n", false, []float32{1, 2.5, 3, 4}, tensor.Shape{2, 2}, &tensor.IDs{Shape: tensor.Shape{2}, Data: []int32{0, 1}}},
		{"a.csv", "1,2,0.5\n3,4,1\n", false, []float32{1, 2, 3, 4}, tensor.Shape{2, 2}, &tensor.Tensor{Shape: tensor.Shape{2}, Data: []float32{0.5, 1}}},
		{"a.tsv", "1\t2\t0\r\n", false, []float32{1, 2}, tensor.Shape{1, 2}, &tensor.IDs{Shape: tensor.Shape{1}, Data: []int32{0}}},
		{"a.csv", "p,q\n1,2\n", true, []float32{1, 2}, tensor.Shape{1, 2}, nil},
		{"a.csv", "p,Label\n1,2\n", true, []float32{1}, tensor.Shape{1, 1}, &tensor.IDs{Shape: tensor.Shape{1}, Data: []int32{2}}},
	} {
		d := read(t, dataRequest{name: write(t, c.name, c.text), noTarget: c.noTarget})
		if diff := cmp.Diff(&tensor.Tensor{Shape: c.shape, Data: c.x}, d.train.floats); diff != "" {
			t.Errorf("%q: x (-want +got)\n%s", c.text, diff)
		}
		if diff := cmp.Diff(c.y, d.train.y); diff != "" {
			t.Errorf("%q: y (-want +got)\n%s", c.text, diff)
		}
	}
}

func TestJSONL(t *testing.T) {
	d := read(t, dataRequest{name: write(t, "a.jsonl", "{\"x\":[1,2],\"y\":1}\n\n{\"y\":0,\"x\":[]}")})
	if diff := cmp.Diff([][]int32{{1, 2}, {}}, d.train.seqs); diff != "" {
		t.Errorf("ids (-want +got)\n%s", diff)
	}
	d = read(t, dataRequest{name: write(t, "a.jsonl", `{"x":[0.5],"y":[1,0.5]}`+"\n"+`{"x":[1,2,3],"y":[0,1]}`), maxLen: 2})
	if diff := cmp.Diff(&tensor.Tensor{Shape: tensor.Shape{2, 2, 1}, Data: []float32{0, 0.5, 2, 3}}, d.train.floats); diff != "" {
		t.Errorf("floats, padded in front and cut there (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(&tensor.Tensor{Shape: tensor.Shape{2, 2}, Data: []float32{1, 0.5, 0, 1}}, d.train.y); diff != "" {
		t.Errorf("targets (-want +got)\n%s", diff)
	}
	for text, want := range map[string]string{
		`{"x":3}`:                                "expected an object such as",
		`[1,2]`:                                  "expected an object such as",
		`{"y":3}`:                                "expected a key x",
		`{"x":[[1,2],[3]]}`:                      "expected steps of a list of 2, as before, got a list of 1",
		`{"x":[1],"y":1}` + "\n" + `{"x":[1]}`:   ":2: y: expected a number, as before, got nothing",
		`{"x":[1],"y":"a"}`:                      `y: expected a number or a list of numbers, got "\"a\""`,
		`{"x":[1.5]}` + "\n" + `{"x":[[1],[2]]}`: "expected steps of a number, as before, got a list of 1",
		`{"x":[null]}`:                           "expected a number or a list of numbers",
		`{"x":[[]]}`:                             "expected a list of numbers",
		`{"x":[1]}` + "\n" + `{"x":[1e400]}`:     ":2: x: ",
		`{"x":[1]}` + "\n" + `{"x":[1], "y": [1]} `: "expected nothing, as before, got a list of 1",
	} {
		_, err := loadData(context.Background(), dataRequest{name: write(t, "a.jsonl", text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got: %v\nwant: %s", text, err, want)
		}
	}
}

func TestNPZ(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	arrays := map[string]*npy.Array{
		"x_train": npy.From([]float64{1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2), "y_train": npy.From([]uint8{1, 0}, 2),
		"x_test": npy.From([]float32{1, 2, 3, 4}, 1, 2, 2), "y_test": npy.From([]bool{true}, 1),
	}
	if err := npy.SaveNPZ(path, []string{"x_train", "y_train", "x_test", "y_test"}, arrays); err != nil {
		t.Fatal(err)
	}
	d := read(t, dataRequest{name: path})
	if diff := cmp.Diff(tensor.Shape{2, 2, 2}, d.train.floats.Shape); diff != "" || d.test.floats.Len() != 1 {
		t.Errorf("x_train (-want +got)\n%s, %d test rows", diff, d.test.floats.Len())
	}
	if diff := cmp.Diff(&tensor.IDs{Shape: tensor.Shape{2}, Data: []int32{1, 0}}, d.train.y); diff != "" {
		t.Errorf("y_train (-want +got)\n%s", diff)
	}
	for want, arrays := range map[string]map[string]*npy.Array{
		"x":                               {"a": npy.From([]float32{1}, 1, 1)},
		"expected as many rows in y as":   {"x": npy.From([]float32{1}, 1, 1), "y": npy.From([]float32{1, 2}, 2)},
		"expected rows of numbers, two":   {"x": npy.From([]float32{1}, 1)},
		"expected numbers, got dtype <U1": {"x": npy.FromStrings([]string{"a"}, 1, 1)},
	} {
		var names []string
		for n := range arrays {
			names = append(names, n)
		}
		if err := npy.SaveNPZ(path, names, arrays); err != nil {
			t.Fatal(err)
		}
		_, err := loadData(context.Background(), dataRequest{name: path})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The file of the lecture, where it is: the first review that every listing of it shows.
func TestIMDB(t *testing.T) {
	const path = "../../../shared/data/imdb/imdb.npz"
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Skip("no imdb.npz at " + path)
	}
	d := read(t, dataRequest{name: path, numWords: 10000})
	if n, m := d.train.len(), d.test.len(); n != 25000 || m != 25000 {
		t.Fatalf("got %d and %d rows", n, m)
	}
	if first := d.train.seqs[0]; len(first) != 218 || !cmp.Equal(first[:7], []int32{1, 14, 22, 16, 43, 530, 973}) {
		t.Errorf("the first review has %d words and begins %v", len(first), first[:min(len(first), 7)])
	}
}

func TestReshape(t *testing.T) {
	for _, c := range []struct {
		in   wanted
		rows tensor.Shape
		want tensor.Shape // nil: an error
	}{
		{wanted{}, tensor.Shape{5, 6}, tensor.Shape{5, 6}},
		{wanted{sequences: true}, tensor.Shape{5, 6}, tensor.Shape{5, 6, 1}},
		{wanted{sequences: true}, tensor.Shape{5, 6, 2}, tensor.Shape{5, 6, 2}},
		{wanted{shape: tensor.Shape{6}}, tensor.Shape{5, 6}, tensor.Shape{5, 6}},
		{wanted{shape: tensor.Shape{tensor.None, 2}}, tensor.Shape{5, 6}, tensor.Shape{5, 3, 2}},
		{wanted{shape: tensor.Shape{2, 3}}, tensor.Shape{5, 6}, tensor.Shape{5, 2, 3}},
		{wanted{shape: tensor.Shape{2, 4}}, tensor.Shape{5, 6}, nil},
		{wanted{shape: tensor.Shape{tensor.None, 4}}, tensor.Shape{5, 6}, nil},
		{wanted{shape: tensor.Shape{tensor.None, tensor.None, 2}}, tensor.Shape{5, 6}, nil},
	} {
		got, err := c.in.reshape(c.rows)
		if (err == nil) != (c.want != nil) || err == nil && !got.Equal(c.want) {
			t.Errorf("%v as %+v: got %v, %v, want %v", c.rows, c.in, got, err, c.want)
		}
	}
}

func TestLengths(t *testing.T) {
	ids := (&model{specs: []layers.Spec{layers.Embedding{InputDim: 9, OutputDim: 2}}}).wants()
	r := &rows{ids: &tensor.IDs{Shape: tensor.Shape{2, 3}, Data: []int32{1, 2, 3, 4, 5, 6}}}
	if err := r.asSequences(dataRequest{numWords: 5, cut: true, maxLen: 2}); err != nil {
		t.Fatal(err)
	}
	if _, shape, err := r.data(ids, 2); err != nil || !shape.Equal(tensor.Shape{2, 2}) {
		t.Errorf("got shape %v, %v", shape, err)
	}
	if diff := cmp.Diff([][]int32{{1, 2, 3}, {4, 2, 2}}, r.seqs); diff != "" {
		t.Errorf("words above the limit (-want +got)\n%s", diff)
	}
	floats := &rows{floats: tensor.New(2, 3)}
	var u *usageError
	for _, w := range []dataRequest{{maxLen: 2}, {cut: true, numWords: 5}} {
		if err := floats.asSequences(w); !errors.As(err, &u) {
			t.Errorf("%+v on floats: expected a usage error, got %v", w, err)
		}
	}
	long := &rows{seqs: [][]int32{make([]int32, 1_000_000)}}
	for range 1000 {
		long.seqs = append(long.seqs, []int32{1})
	}
	if _, _, err := long.data(ids, 0); err == nil {
		t.Error("a thousand short sequences were padded to a million")
	}
}

func FuzzTable(f *testing.F) {
	f.Add("p,q\n1,2\n")
	f.Add("\"1\n\",2\r\n,,")
	f.Add("A\"00000") // a quote that is none
	f.Fuzz(func(t *testing.T, text string) {
		r, err := loadTable(dataRequest{name: write(t, "a.csv", text)}, ',')
		if err == nil && (r.floats.Shape.Size() != len(r.floats.Data) || r.y == nil) {
			t.Fatalf("shape %v of %d numbers", r.floats.Shape, len(r.floats.Data))
		}
	})
}

func FuzzJSONL(f *testing.F) {
	f.Add(`{"x":[1,2],"y":1}` + "\n" + `{"x":[],"y":0}`)
	f.Add(`{"x":[[1,2.5]],"y":[0,1]}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := loadJSONL(dataRequest{name: write(t, "a.jsonl", text)})
		if err == nil && r.seqs == nil && (r.floats == nil || r.floats.Shape.Size() != len(r.floats.Data)) {
			t.Fatalf("neither ids nor floats: %+v", r)
		}
	})
}
