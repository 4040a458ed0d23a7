package hdf5

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// item is what oracle/hdf5.py tells of an object or an attribute. Values become strings, those of floats from their bits.
type item struct {
	Same   string          `json:"same"` // of a second name: the first, and nothing else
	Type   string          `json:"type"`
	Shape  []int           `json:"shape"`
	Values []any           `json:"values"`
	Attrs  map[string]item `json:"attrs"`
}

// describe is the same for what this package reads, by path. An object that is not read fails the test.
func describe(t *testing.T, f *File) map[string]item {
	t.Helper()
	tree := map[string]item{}
	var visit func(o Object)
	visit = func(o Object) {
		var it item
		if d, ok := o.(*Dataset); ok {
			it = item{Type: d.Type().String(), Shape: d.Shape(), Values: datasetValues(t, d)}
		}
		for _, name := range o.AttrNames() {
			a, ok := o.Attr(name)
			if !ok {
				t.Errorf("%s: attribute %s is listed but not found", o.Path(), name)
				continue
			}
			if it.Attrs == nil {
				it.Attrs = map[string]item{}
			}
			it.Attrs[name] = item{Type: a.Type().String(), Shape: a.Shape(), Values: attrValues(t, a)}
		}
		tree[o.Path()] = normal(it)
		g, ok := o.(*Group)
		if !ok {
			return
		}
		for _, key := range g.Keys() {
			child, err := g.Lookup(key)
			if err != nil {
				t.Errorf("%s: %v", g.Path(), err)
				continue
			}
			if path := strings.TrimSuffix(g.Path(), "/") + "/" + key; child.Path() != path {
				tree[path] = item{Same: child.Path()}
				continue
			}
			visit(child)
		}
	}
	visit(f.Root())
	return tree
}

// normal makes what is absent and what is empty the same.
func normal(it item) item {
	if len(it.Shape) == 0 {
		it.Shape = nil
	}
	if len(it.Values) == 0 {
		it.Values = nil
	}
	if len(it.Attrs) == 0 {
		it.Attrs = nil
	}
	for name, a := range it.Attrs {
		it.Attrs[name] = normal(a)
	}
	return it
}

func datasetValues(t *testing.T, d *Dataset) []any {
	t.Helper()
	var err error
	var values []any
	switch n := d.Len(); d.Type().Kind {
	case Float, BFloat:
		v := make([]float64, n)
		err = d.ReadFloat64(v)
		values = floatValues(v)
		narrow := make([]float32, n)
		if err := d.ReadFloat32(narrow); err != nil {
			t.Errorf("%v", err)
		}
		for i := range v {
			if want := float32(v[i]); want != narrow[i] && want == want {
				t.Errorf("%s: element %d: as float32: got %g, want %g", d.Path(), i, narrow[i], want)
			}
		}
	case Uint:
		if d.Type().Size == 8 {
			raw := make([]byte, 8*n)
			err = d.ReadRaw(raw)
			for i := range n {
				values = append(values, fmt.Sprint(le.Uint64(raw[8*i:])))
			}
			break
		}
		fallthrough
	case Int, Bool:
		v := make([]int64, n)
		err = d.ReadInt64(v)
		values = intValues(v)
	case Fixed, Variable:
		v := make([]string, n)
		err = d.ReadStrings(v)
		values = stringValues(v)
	case Opaque:
		raw := make([]byte, n*d.Type().Size)
		err = d.ReadRaw(raw)
		for i := range n {
			values = append(values, hex.EncodeToString(raw[i*d.Type().Size:][:d.Type().Size]))
		}
	default:
		err = fmt.Errorf("%s: got type %v", d.Path(), d.Type())
	}
	if err != nil {
		t.Errorf("%v", err)
	}
	return values
}

func attrValues(t *testing.T, a *Attr) []any {
	t.Helper()
	switch a.Type().Kind {
	case Float:
		v, err := a.Float64s()
		if err != nil {
			t.Errorf("%v", err)
		}
		return floatValues(v)
	case Int, Uint, Bool:
		v, err := a.Int64s()
		if err != nil {
			t.Errorf("%v", err)
		}
		return intValues(v)
	default:
		v, err := a.Strings()
		if err != nil {
			t.Errorf("%v", err)
		}
		return stringValues(v)
	}
}

func floatValues(v []float64) []any {
	out := make([]any, len(v))
	for i, x := range v {
		// Numbers that JSON lacks are named as Python names them. The sign of zero is kept by the bits of the number.
		switch {
		case math.IsNaN(x):
			out[i] = "nan"
		case math.IsInf(x, 1):
			out[i] = "inf"
		case math.IsInf(x, -1):
			out[i] = "-inf"
		default:
			out[i] = fmt.Sprintf("%#016x", math.Float64bits(x))
		}
	}
	return out
}

func intValues(v []int64) []any {
	out := make([]any, len(v))
	for i, x := range v {
		out[i] = fmt.Sprint(x)
	}
	return out
}

func stringValues(v []string) []any {
	out := make([]any, len(v))
	for i, x := range v {
		out[i] = x
	}
	return out
}

// parse reads the script's JSON of one file, with values in the form of describe.
func parse(t *testing.T, text []byte) map[string]item {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	tree := map[string]item{}
	if err := dec.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	for path, it := range tree {
		tree[path] = normal(plain(t, it))
	}
	return tree
}

func plain(t *testing.T, it item) item {
	for i, v := range it.Values {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		it.Values[i] = n.String()
		if strings.Contains(it.Type, "float") {
			x, err := n.Float64()
			if err != nil {
				t.Fatal(err)
			}
			it.Values[i] = floatValues([]float64{x})[0]
		}
	}
	for name, a := range it.Attrs {
		it.Attrs[name] = plain(t, a)
	}
	return it
}

// openFile opens a file for the time of a test.
func openFile(t *testing.T, path string) *File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(file, info.Size())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

func compare(t *testing.T, got, want map[string]item) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is read differs (-want +got):\n%.4000s", diff)
	}
}
