package hdf5

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// written is a tree as a file, and that file opened.
func written(t *testing.T, root *GroupBuilder) ([]byte, *File) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, root); err != nil {
		t.Fatal(err)
	}
	f, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), f
}

// everything is a tree with every kind of value, and what must be read in it.
func everything() (*GroupBuilder, map[string]item) {
	root := NewGroup()
	want := map[string]item{"/": {}}
	dataset := func(path string, shape []int, data any, kind string, values ...any) {
		root.Dataset(path, shape, data)
		want["/"+path] = item{Type: kind, Shape: shape, Values: values}
	}
	floats := func(v ...float64) []any { return floatValues(v) }
	ints := func(v ...int64) []any { return intValues(v) }
	inf := math.Inf(1)
	dataset("float32", []int{2, 2}, []float32{1, -2.5, 0, 3e38}, "float32", floats(1, -2.5, 0, float64(float32(3e38)))...)
	dataset("float64", []int{3}, []float64{math.Pi, inf, math.Copysign(0, -1)}, "float64", floats(math.Pi, inf, math.Copysign(0, -1))...)
	dataset("int8", []int{2}, []int8{-128, 127}, "int8", ints(-128, 127)...)
	dataset("int16", []int{2}, []int16{-300, 300}, "int16", ints(-300, 300)...)
	dataset("int32", []int{1, 2}, []int32{math.MinInt32, math.MaxInt32}, "int32", ints(math.MinInt32, math.MaxInt32)...)
	dataset("int64", []int{2}, []int64{math.MinInt64, math.MaxInt64}, "int64", ints(math.MinInt64, math.MaxInt64)...)
	dataset("uint8", []int{3}, []uint8{0, 1, 255}, "uint8", ints(0, 1, 255)...)
	dataset("uint16", []int{1}, []uint16{65535}, "uint16", ints(65535)...)
	dataset("uint32", []int{1}, []uint32{math.MaxUint32}, "uint32", ints(math.MaxUint32)...)
	dataset("uint64", []int{1}, []uint64{math.MaxUint64}, "uint64", fmt.Sprint(uint64(math.MaxUint64)))
	dataset("bool", []int{3}, []bool{true, false, true}, "bool", ints(1, 0, 1)...)
	dataset("half", []int{3}, Raw{Type{Kind: Float, Size: 2}, []byte{0x00, 0x3c, 0x01, 0x00, 0xff, 0x7b}}, "float16",
		floats(1, 0x1p-24, 65504)...)
	dataset("bigendian", []int{1}, Raw{Type{Kind: Int, Size: 2, Big: true}, []byte{1, 2}}, "big-endian int16", ints(258)...)
	dataset("opaque", []int{2}, Raw{Type{Kind: Opaque, Size: 2}, []byte{0x80, 0x3f, 1, 2}}, "V2", "803f", "0102")
	dataset("str", []int{4}, []string{"a", "", "日本", strings.Repeat("long", 2000)}, "str", "a", "", "日本", strings.Repeat("long", 2000))
	dataset("bytes", []int{1}, [][]byte{[]byte("lstm/kernel:0")}, "bytes", "lstm/kernel:0")
	dataset("fixed", []int{1, 2}, FixedStrings{"ab", "c"}, "S2", "ab", "c")
	dataset("scalar", nil, []int64{42}, "int64", "42")
	dataset("scalarstr", nil, []string{"one"}, "str", "one")
	dataset("none", []int{0, 3}, []float32{}, "float32")
	dataset("nostr", []int{0}, []string(nil), "str")
	var iota []float32
	var iotaWant []float64
	for i := range 100_003 {
		iota, iotaWant = append(iota, float32(i)), append(iotaWant, float64(i))
	}
	dataset("large", []int{len(iota)}, iota, "float32", floatValues(iotaWant)...)

	attrs := map[string]item{}
	g := root.Group("layers/dense/vars")
	attr := func(name string, value any, kind string, shape []int, values ...any) {
		g.SetAttr(name, value)
		attrs[name] = item{Type: kind, Shape: shape, Values: values}
	}
	g.SetAttr("name", "not this")
	attr("name", "dense", "str", nil, "dense")
	attr("backend", []byte("tensorflow"), "bytes", nil, "tensorflow")
	attr("list", []string{"a", "", "bcd"}, "str", []int{3}, "a", "", "bcd")
	attr("byteslist", [][]byte{[]byte("x")}, "bytes", []int{1}, "x")
	attr("layer_names", FixedStrings{"lstm", "dense_1"}, "S7", []int{2}, "lstm", "dense_1")
	attr("weight_names", FixedStrings{}, "float64", []int{0})
	attr("config", strings.Repeat("{}", 100_000), "str", nil, strings.Repeat("{}", 100_000))
	attr("int", 3, "int64", nil, "3")
	attr("int32", int32(-3), "int32", nil, "-3")
	attr("float", 0.1, "float64", nil, floats(0.1)...)
	attr("float32", float32(0.5), "float32", nil, floats(0.5)...)
	attr("true", true, "bool", nil, "1")
	attr("ints", []int32{1, 2}, "int32", []int{2}, "1", "2")
	attr("half", Raw{Type{Kind: Float, Size: 2}, []byte{0, 0x3c}}, "float16", []int{1}, floats(1)...)
	want["/layers"], want["/layers/dense"], want["/layers/dense/vars"] = item{}, item{}, item{Attrs: attrs}
	root.Dataset("layers/dense/vars/0", []int{1}, []float32{7}).SetAttr("dtype", "bfloat16")
	want["/layers/dense/vars/0"] = item{Type: "float32", Shape: []int{1}, Values: floats(7),
		Attrs: map[string]item{"dtype": {Type: "str", Values: []any{"bfloat16"}}}}
	root.Group("empty")
	want["/empty"] = item{}
	for path, it := range want {
		want[path] = normal(it)
	}
	return root, want
}

func TestRoundTrip(t *testing.T) {
	root, want := everything()
	_, f := written(t, root)
	compare(t, describe(t, f), want)
}

func TestWriteIsDeterministic(t *testing.T) {
	a, _ := everything()
	b, _ := everything()
	first, _ := written(t, a)
	second, _ := written(t, b)
	again, _ := written(t, a)
	if !bytes.Equal(first, second) || !bytes.Equal(first, again) {
		t.Error("the same tree gave different bytes")
	}
}

// wide is a group of n scalars, in an order of names that is not the order of numbers.
func wide(n int) *GroupBuilder {
	root := NewGroup()
	for i := range n {
		root.Dataset(fmt.Sprintf("vars/%d", i), nil, []int32{int32(i)})
	}
	return root
}

// Numbers of children around the edges of symbol nodes (8) and of B-tree nodes of one level (256) and two (8192).
func TestManyChildren(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 255, 256, 257, 513, 8192, 8193} {
		_, f := written(t, wide(n))
		g, err := f.Root().Group("vars")
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Keys()) != n {
			t.Errorf("%d children: got %d", n, len(g.Keys()))
		}
		for i := range n {
			var v [1]int64
			d, err := g.Dataset(fmt.Sprint(i))
			if err == nil {
				err = d.ReadInt64(v[:])
			}
			if err != nil || v[0] != int64(i) {
				t.Fatalf("%d children: child %d: got %d: %v", n, i, v[0], err)
			}
		}
	}
}

// rebuild is a tree that holds what is read in a file.
func rebuild(t *testing.T, from *Group, to *GroupBuilder) {
	t.Helper()
	copyAttrs(t, from, to.SetAttr)
	for _, key := range from.Keys() {
		child, err := from.Lookup(key)
		if err != nil {
			t.Fatal(err)
		}
		d, ok := child.(*Dataset)
		if !ok {
			rebuild(t, child.(*Group), to.Group(key))
			continue
		}
		var data any
		if d.Type().Kind == Variable {
			s := make([]string, d.Len())
			err = d.ReadStrings(s)
			data = variable(s, d.Type())
		} else {
			raw := make([]byte, d.Len()*d.Type().Size)
			err = d.ReadRaw(raw)
			data = Raw{d.Type(), raw}
		}
		if err != nil {
			t.Fatal(err)
		}
		copyAttrs(t, d, to.Dataset(key, d.Shape(), data).SetAttr)
	}
}

func variable(s []string, typ Type) any {
	if !typ.ASCII {
		return s
	}
	b := make([][]byte, len(s))
	for i := range s {
		b[i] = []byte(s[i])
	}
	return b
}

func copyAttrs(t *testing.T, from Object, set func(name string, value any)) {
	t.Helper()
	for _, name := range from.AttrNames() {
		a, _ := from.Attr(name)
		switch {
		case len(a.Shape()) > 1:
			// Attributes of several axes are read, but not written.
		case a.Type().Kind == Variable && a.Shape() == nil:
			s, err := a.Text()
			if err != nil {
				t.Fatal(err)
			}
			if a.Type().ASCII {
				set(name, []byte(s))
			} else {
				set(name, s)
			}
		case a.Type().Kind == Variable:
			s, err := a.Strings()
			if err != nil {
				t.Fatal(err)
			}
			set(name, variable(s, a.Type()))
		case a.Shape() == nil:
			set(name, scalarValue(t, a))
		default:
			set(name, Raw{a.Type(), a.data})
		}
	}
}

func scalarValue(t *testing.T, a *Attr) any {
	t.Helper()
	switch a.Type().String() {
	case "int64":
		v, err := a.Int64s()
		if err != nil {
			t.Fatal(err)
		}
		return v[0]
	case "bool":
		v, err := a.Int64s()
		if err != nil {
			t.Fatal(err)
		}
		return v[0] == 1
	}
	v, err := a.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	switch a.Type().Size {
	case 8:
		return v[0]
	default:
		return float32(v[0])
	}
}

// What is read in files of Keras and h5py, written again, is read the same.
func TestWritesWhatItReads(t *testing.T) {
	for _, name := range []string{"keras.weights", "keras_legacy", "places", "new"} {
		f := openFile(t, filepath.Join("testdata", name+".h5"))
		root := NewGroup()
		rebuild(t, f.Root(), root)
		_, again := written(t, root)
		got, want := describe(t, again), describe(t, f)
		// A dataset with several names has become several.
		for path, it := range want {
			if it.Same != "" {
				want[path] = want[it.Same]
			}
		}
		compare(t, got, want)
	}
}

// h5py reads what this package writes, and changes it as its own. UNROLL_ORACLE_PYTHON names a Python that has h5py.
func TestH5pyReadsWhatIsWritten(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON names no Python with h5py")
	}
	script := filepath.Join("..", "..", "oracle", "hdf5.py")
	all, want := everything()
	keras := NewGroup()
	rebuild(t, openFile(t, filepath.Join("testdata", "keras.weights.h5")).Root(), keras)
	for name, root := range map[string]*GroupBuilder{"everything": all, "empty": NewGroup(), "wide": wide(9000), "keras": keras} {
		data, f := written(t, root)
		path := filepath.Join(t.TempDir(), name+".h5")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, script, "describe", path).Output()
		if err != nil {
			t.Fatalf("%s: describe: %v", name, err)
		}
		var texts []json.RawMessage
		if err := json.Unmarshal(out, &texts); err != nil || len(texts) != 1 {
			t.Fatalf("%s: expected one description, got %d: %v", name, len(texts), err)
		}
		got := parse(t, texts[0])
		compare(t, got, describe(t, f))
		if name == "everything" {
			compare(t, got, want)
		}
		if out, err := exec.Command(python, script, "edit", path).CombinedOutput(); err != nil {
			t.Errorf("%s: edit: %v\n%s", name, err, out)
			continue
		}
		// What h5py has changed is read here as well.
		out, err = exec.Command(python, script, "describe", path).Output()
		if err == nil {
			err = json.Unmarshal(out, &texts)
		}
		if err != nil {
			t.Fatalf("%s: describe after edit: %v", name, err)
		}
		compare(t, describe(t, openFile(t, path)), parse(t, texts[0]))
	}
}

// Trees that are too large to be kept: B-trees of three levels, fractal heaps whose indirect blocks hold indirect blocks.
func TestReadsLargeGroups(t *testing.T) {
	python := os.Getenv("UNROLL_ORACLE_PYTHON")
	if python == "" {
		t.Skip("UNROLL_ORACLE_PYTHON names no Python with h5py")
	}
	path := filepath.Join(t.TempDir(), "large.h5")
	if out, err := exec.Command(python, filepath.Join("..", "..", "oracle", "hdf5.py"), "large", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g, err := openFile(t, path).Root().Group("wide")
	if err != nil {
		t.Fatal(err)
	}
	keys := g.Keys()
	if len(keys) != 20000 {
		t.Fatalf("got %d keys, want 20000", len(keys))
	}
	for i, key := range keys {
		if want := fmt.Sprintf("n%05d", i) + strings.Repeat("long", 10); i > 0 && key != want {
			t.Fatalf("key %d: got %q, want %q", i, key, want)
		}
		if _, err := g.Dataset(key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	deep := NewGroup()
	deep.Group(strings.Repeat("g/", maxDepth) + "g")
	inner := NewGroup()
	for want, root := range map[string]*GroupBuilder{
		"expected as many elements as shape [2 2] has, got 3": tree(func(g *GroupBuilder) { g.Dataset("a", []int{2, 2}, []float32{1, 2, 3}) }),
		"shape [] has, got 2":                             tree(func(g *GroupBuilder) { g.Dataset("a", nil, []float32{1, 2}) }),
		"axis 0: expected a length of at least 0, got -1": tree(func(g *GroupBuilder) { g.Dataset("a", []int{-1}, []float32{}) }),
		"got []int":                                          tree(func(g *GroupBuilder) { g.Dataset("a", []int{1}, []int{1}) }),
		"expected each name once":                            tree(func(g *GroupBuilder) { g.Dataset("a", nil, []bool{true}); g.Dataset("a", nil, []bool{true}) }),
		"/a: expected a group, got a dataset":                tree(func(g *GroupBuilder) { g.Dataset("a", nil, []bool{true}); g.Dataset("a/b", nil, []bool{true}) }),
		"without slash and zero, got \"\"":                   tree(func(g *GroupBuilder) { g.Group("a//b") }),
		"without slash and zero, got \".\"":                  tree(func(g *GroupBuilder) { g.Dataset(".", nil, []bool{true}) }),
		"without slash and zero, got \"xxx":                  tree(func(g *GroupBuilder) { g.Group(long) }),
		"without a zero byte, which would end it":            tree(func(g *GroupBuilder) { g.SetAttr("a", "b\x00c") }),
		"attribute : expected a name":                        tree(func(g *GroupBuilder) { g.SetAttr("", 1) }),
		"attribute a: expected numbers, booleans or strings": tree(func(g *GroupBuilder) { g.SetAttr("a", nil) }),
		"expected at most 65528 bytes, got 65600":            tree(func(g *GroupBuilder) { g.SetAttr("a", make([]float32, 16384)) }),
		"expected whole elements of a type with bytes":       tree(func(g *GroupBuilder) { g.Dataset("a", []int{1}, Raw{Type{Kind: Float, Size: 3}, make([]byte, 3)}) }),
		"got 3 bytes of float16":                             tree(func(g *GroupBuilder) { g.Dataset("a", []int{1}, Raw{Type{Kind: Float, Size: 2}, make([]byte, 3)}) }),
		"expected groups at most 128 deep":                   deep,
		"expected a root, got the group /g":                  inner.Group("g"),
	} {
		err := Write(&bytes.Buffer{}, root)
		if err == nil || !strings.HasPrefix(err.Error(), "hdf5: Write: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

func tree(fill func(g *GroupBuilder)) *GroupBuilder {
	root := NewGroup()
	fill(root)
	return root
}
