package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What is not read keeps its name, does not disturb the rest, and says what it is when asked for.
func TestRefusesByName(t *testing.T) {
	f := openFile(t, filepath.Join("testdata", "refused.h5"))
	var v [3]float32
	d, err := f.Root().Dataset("good")
	if err == nil {
		err = d.ReadFloat32(v[:])
	}
	if err != nil || v != [3]float32{0, 1, 2} {
		t.Errorf("good: got %v: %v", v, err)
	}
	for path, want := range map[string]string{
		"soft":         `hdf5: soft: not supported: a soft link to "/good"`,
		"away":         "hdf5: away: not supported: an external link",
		"lzf":          `hdf5: lzf: not supported: filter 32000 "lzf"`,
		"outside":      "hdf5: outside: not supported: a dataset in external files",
		"type":         "hdf5: type: not supported: a named datatype",
		"named":        "hdf5: named: not supported: a dataset with a named datatype or a shared message",
		"virtual":      "hdf5: virtual: not supported: a virtual dataset",
		"circle/again": "hdf5: circle/again: not supported: a second hard link to a group",
		"absent":       `hdf5: absent: no such name: / has no "absent"`,
		"good/x":       "hdf5: good/x: expected a group at /good, got a dataset",
	} {
		_, err := f.Root().Lookup(path)
		if err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", path, err, want)
		}
		if got, want := errors.Is(err, ErrNotFound), path == "absent"; got != want || f.Root().Has(path) == want {
			t.Errorf("%s: ErrNotFound is %v, want %v", path, got, want)
		}
	}
	for path, want := range map[string]string{
		"compound": "hdf5: /compound: expected numbers, got compound datatype",
		"complex":  "hdf5: /complex: expected numbers, got compound datatype",
		"pairs":    "hdf5: /pairs: expected numbers, got compound datatype",

		"reference": "hdf5: /reference: expected numbers, got reference datatype",
	} {
		d, err := f.Root().Dataset(path)
		if err == nil {
			err = d.ReadFloat32(make([]float32, d.Len()))
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", path, err, want)
		}
	}
	if got := len(f.Root().Keys()); got != 13 {
		t.Errorf("keys: got %d, want 13", got)
	}
	if _, err := f.Root().Group("good"); err == nil || err.Error() != "hdf5: /good: expected a group, got a dataset" {
		t.Errorf("Group(good): got error %v", err)
	}
	if _, err := f.Root().Dataset("circle"); err == nil || err.Error() != "hdf5: /circle: expected a dataset, got a group" {
		t.Errorf("Dataset(circle): got error %v", err)
	}
}

// A destination of another length, or a type that does not convert, is an error.
func TestReadRefuses(t *testing.T) {
	_, f := written(t, tree(func(g *GroupBuilder) {
		g.Dataset("f", []int{2}, []float32{1, 2})
		g.Dataset("s", []int{1}, []string{"a"})
		g.Dataset("u", []int{1}, []uint64{1 << 63})
		g.SetAttr("s", []string{"a", "b"})
		g.SetAttr("f", 1.5)
	}))
	dataset := func(path string) *Dataset {
		d, err := f.Root().Dataset(path)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	attr := func(name string) *Attr {
		a, ok := f.Root().Attr(name)
		if !ok {
			t.Fatalf("no attribute %s", name)
		}
		return a
	}
	_, text := attr("s").Text()
	_, strs := attr("f").Strings()
	_, ints := attr("f").Int64s()
	_, floats := attr("s").Float64s()
	for want, err := range map[string]error{
		"hdf5: /f: expected a destination of 2 elements for shape [2], got 3":                dataset("f").ReadFloat32(make([]float32, 3)),
		"hdf5: /f: expected a destination of 8 bytes, got 4":                                 dataset("f").ReadRaw(make([]byte, 4)),
		"hdf5: /f: expected integers, got float32":                                           dataset("f").ReadInt64(make([]int64, 2)),
		"hdf5: /f: expected strings, got float32":                                            dataset("f").ReadStrings(make([]string, 2)),
		"hdf5: /s: expected numbers, got str":                                                dataset("s").ReadFloat64(make([]float64, 1)),
		"hdf5: /s: expected elements with bytes of their own, got str":                       dataset("s").ReadRaw(make([]byte, 16)),
		"hdf5: /u: element 0: expected at most 9223372036854775807, got 9223372036854775808": dataset("u").ReadInt64(make([]int64, 1)),
		"hdf5: attribute s: expected one string, got shape [2]":                              text,
		"hdf5: attribute f: expected strings, got float64":                                   strs,
		"hdf5: attribute f: expected integers, got float64":                                  ints,
		"hdf5: attribute s: expected numbers, got str":                                       floats,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// samples is the files of testdata, by name.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.h5")
	if err != nil || len(names) < 10 {
		t.Fatalf("testdata: expected at least 10 files, got %d: %v", len(names), err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// readAll opens a file and reads everything in it, as a caller would who allocates by Len. It tells how many elements came.
func readAll(data []byte, verify bool) (elements int, err error) {
	f, err := open(bytes.NewReader(data), int64(len(data)), verify)
	if err != nil {
		return 0, err
	}
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	var visit func(o Object)
	visit = func(o Object) {
		for _, name := range o.AttrNames() {
			a, _ := o.Attr(name)
			var err error
			switch a.Type().Kind {
			case Fixed, Variable:
				_, err = a.Strings()
			default:
				_, err = a.Float64s()
			}
			note(err)
		}
		switch o := o.(type) {
		case *Dataset:
			elements += o.Len()
			switch o.Type().Kind {
			case Fixed, Variable:
				note(o.ReadStrings(make([]string, o.Len())))
			case Opaque, Other:
				note(o.ReadRaw(make([]byte, o.Len()*o.Type().Size)))
			default:
				note(o.ReadFloat32(make([]float32, o.Len())))
			}
		case *Group:
			for _, key := range o.Keys() {
				child, err := o.Lookup(key)
				note(err)
				if err == nil && child.Path() == strings.TrimSuffix(o.Path(), "/")+"/"+key {
					visit(child)
				}
			}
		}
	}
	visit(f.Root())
	return elements, first
}

// A file cut short anywhere is refused: its superblock says how long it is.
func TestTruncated(t *testing.T) {
	for name, data := range samples(t) {
		for n := 0; n < len(data); n += 1 + n/97 {
			if _, err := readAll(data[:n], true); err == nil {
				t.Errorf("%s: %d of %d bytes were read without error", name, n, len(data))
			}
		}
	}
}

// Damaged files are read or refused; neither takes more memory than a multiple of their size.
func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, data := range samples(t) {
		damaged := make([]byte, len(data))
		for range 100 {
			copy(damaged, data)
			for range 1 + r.IntN(4) {
				at := r.IntN(len(data))
				switch r.IntN(3) {
				case 0:
					damaged[at] ^= 1 << r.IntN(8)
				case 1:
					damaged[at] = 0xff
				default:
					binary.LittleEndian.PutUint64(damaged[min(at, len(data)-8):], uint64(r.IntN(len(data))))
				}
			}
			checkMemory(t, name, damaged)
		}
	}
}

// checkMemory reads a file, right or wrong, and bounds what that allocates.
func checkMemory(t testing.TB, name string, data []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	readAll(data, false)
	runtime.ReadMemStats(&after)
	// Twice maxInflate times the size for declared elements (chunks are put together before they are converted), four times
	// as much for bytes that become float32; then the tree, whose nodes are larger than what describes them.
	limit := uint64(len(data))*maxInflate*6 + 6*freeInflate + 1<<20
	if got := after.TotalAlloc - before.TotalAlloc; got > limit {
		t.Errorf("%s: a file of %d bytes made %d bytes of allocations, want at most %d", name, len(data), got, limit)
	}
}

// Shapes that the file does not hold are refused before anyone allocates by them.
func TestRefusesDeclaredSizes(t *testing.T) {
	data, _ := written(t, tree(func(g *GroupBuilder) { g.Dataset("a", []int{17, 3}, make([]float32, 51)) }))
	shape := le.AppendUint64(le.AppendUint64(nil, 17), 3)
	at := bytes.Index(data, shape)
	if at < 0 {
		t.Fatal("no shape in the file")
	}
	for _, dims := range [][2]uint64{{18, 3}, {1 << 40, 3}, {1 << 62, 1 << 62}, {1<<64 - 1, 1}, {1 << 32, 1 << 32}} {
		le.PutUint64(data[at:], dims[0])
		le.PutUint64(data[at+8:], dims[1])
		if _, err := Open(bytes.NewReader(data), int64(len(data))); err == nil {
			t.Errorf("shape %v of 204 bytes was accepted", dims)
		}
	}
	le.PutUint64(data[at:], 0)
	le.PutUint64(data[at+8:], 1<<62)
	if n, err := readAll(data, true); err != nil || n != 0 {
		t.Errorf("shape [0 2^62]: got %d elements: %v", n, err)
	}
}

// Of values that the file only promises it may declare a multiple of its size.
func TestRefusesDeclaredFill(t *testing.T) {
	data, _ := written(t, tree(func(g *GroupBuilder) { g.Dataset("a", []int{17, 3}, make([]float32, 51)) }))
	shape := bytes.Index(data, le.AppendUint64(le.AppendUint64(nil, 17), 3))
	layout := bytes.Index(data, le.AppendUint64([]byte{3, contiguous}, superblockSize))
	if shape < 0 || layout < 0 {
		t.Fatal("no shape or no layout in the file")
	}
	le.PutUint64(data[layout+2:], undefined)
	for rows, want := range map[uint64]bool{1000: true, 10_000: true, 20_000: false, 1 << 20: false, 1 << 50: false} {
		le.PutUint64(data[shape:], rows)
		n, err := readAll(data, true)
		if got := err == nil; got != want || want && n != int(3*rows) {
			t.Errorf("shape [%d 3], never written, in %d bytes: got %d elements: %v", rows, len(data), n, err)
		}
	}
}

// A B-tree that leads back to itself, and a group that holds itself, end.
func TestCircles(t *testing.T) {
	data, _ := written(t, wide(300))
	node := bytes.Index(data, []byte("TREE\x00\x01")) // a node of level 1
	if node < 0 {
		t.Fatal("no B-tree of two levels")
	}
	le.PutUint64(data[node+treeHead+8:], uint64(node))
	if _, err := readAll(data, true); err == nil || !strings.Contains(err.Error(), "expected level 0, got 1") {
		t.Errorf("circle of a B-tree: got error %v", err)
	}

	data, f := written(t, tree(func(g *GroupBuilder) { g.Group("a/b") }))
	if _, err := f.Root().Group("a/b"); err != nil {
		t.Fatal(err)
	}
	// The entry of b gets the header of the root, which the superblock names.
	root := le.Uint64(data[64:])
	for at := 0; ; at++ {
		next := bytes.Index(data[at:], []byte("SNOD"))
		if next < 0 {
			break
		}
		at += next
		le.PutUint64(data[at+snodHead+8:], root)
	}
	if _, err := readAll(data, true); err == nil || !strings.Contains(err.Error(), "a second hard link to a group") {
		t.Errorf("group in itself: got error %v", err)
	}
}

// Datasets that share their bytes could make a small file declare much; they are refused.
func TestRefusesOverlap(t *testing.T) {
	root := tree(func(g *GroupBuilder) {
		for _, name := range []string{"a", "b", "c"} {
			g.Dataset(name, []int{4096}, make([]float64, 4096))
		}
	})
	f := &writer{placed: map[*array]uint64{}, refs: map[*array][]byte{}, end: superblockSize}
	f.placeNumbers(root)
	for a := range f.placed {
		f.placed[a] = superblockSize
	}
	f.numbers = f.numbers[:1]
	f.base = superblockSize + f.numbers[0].size()
	top, err := f.group(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.emit(&b, top); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(b.Bytes(), true); err == nil || !strings.Contains(err.Error(), "datasets overlap") {
		t.Errorf("three arrays at one place: got error %v", err)
	}
}
