package pickle

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// open reads a pickle of testdata, which Python and NumPy wrote: see testdata/make.py.
func open(t testing.TB, name string) []byte {
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tree is a value with its lists as slices, to compare.
func tree(v any) any {
	switch v := v.(type) {
	case *List:
		s := []any{}
		for i := range v.Len() {
			s = append(s, tree(v.At(i)))
		}
		return s
	case Tuple:
		s := Tuple{}
		for _, e := range v {
			s = append(s, tree(e))
		}
		return s
	case *Dict:
		d := map[any]any{}
		for i, k := range v.Keys {
			d[k] = tree(v.Values[i])
		}
		return d
	}
	return v
}

func TestPlain(t *testing.T) {
	want := []any{nil, true, false, int64(0), int64(-1), int64(255), int64(256), int64(65536), int64(math.MinInt32), int64(1 << 31),
		int64(math.MaxInt64), int64(math.MinInt64), 0.5, -1e300, math.Inf(1), "", "naïve \\ \n日本𝄞", []byte{}, []byte("\x00\xff\n"),
		Tuple{}, Tuple{int64(1)}, Tuple{int64(1), int64(2)}, Tuple{int64(1), int64(2), int64(3)},
		Tuple{int64(1), int64(2), int64(3), int64(4)}, []any{}, []any{int64(1), []any{int64(2)}}, map[any]any{},
		map[any]any{"a": int64(1), int64(2): []any{int64(3)}}}
	for protocol := range 6 {
		v, err := Read(bytes.NewReader(open(t, fmt.Sprintf("plain%d.pickle", protocol))), 0)
		if err != nil {
			t.Fatalf("protocol %d: %v", protocol, err)
		}
		if d := cmp.Diff(any(want), tree(v)); d != "" {
			t.Errorf("protocol %d (-want +got):\n%s", protocol, d)
		}
	}
}

func TestSequences(t *testing.T) {
	long := make([]int32, 2500)
	for i := range long {
		long[i] = int32(i)
	}
	want := [][]int32{{1, 300, 70000, -5}, {}, long, {7, 8}, {4, 5}, {1, 2}, {9, 200}, {7, 8}}
	for protocol := range 6 {
		raw := open(t, fmt.Sprintf("sequences%d.pickle", protocol))
		for _, raw := range [][]byte{raw, bytes.ReplaceAll(raw, []byte("cnumpy._core."), []byte("cnumpy.core."))} {
			for lead := range 3 {
				got, err := ReadSequences(bytes.NewReader(raw), lead)
				if err != nil {
					t.Fatalf("protocol %d: %v", protocol, err)
				}
				for i, seq := range got {
					if len(seq) < lead || !slices.Equal(seq[lead:], want[i]) || slices.ContainsFunc(seq[:lead], func(v int32) bool { return v != 0 }) {
						t.Errorf("protocol %d, lead %d: sequence %d is %v, want %v", protocol, lead, i, seq, want[i])
					}
				}
				if len(got) != len(want) {
					t.Errorf("protocol %d: %d sequences, want %d", protocol, len(got), len(want))
				}
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for protocol := range 6 {
		v, err := Read(bytes.NewReader(open(t, fmt.Sprintf("numbers%d.pickle", protocol))), 0)
		if err != nil {
			t.Fatalf("protocol %d: %v", protocol, err)
		}
		l := v.(*List)
		a, b := l.At(0).(*Array), l.At(1).(*Array)
		if !slices.Equal(a.Shape, []int{2, 3}) || a.Dtype != "<i4" || a.FortranOrder || !bytes.Equal(a.Raw, []byte{
			0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0}) {
			t.Errorf("protocol %d: array %+v", protocol, a)
		}
		if !slices.Equal(b.Shape, []int{2, 3}) || b.Dtype != ">f8" || !b.FortranOrder || len(b.Raw) != 48 {
			t.Errorf("protocol %d: array %+v", protocol, b)
		}
		var rest []any
		for i := 2; i < l.Len(); i++ {
			rest = append(rest, l.At(i))
		}
		if d := cmp.Diff([]any{2.5, 0.5, int64(-3), true, int64(200)}, rest); d != "" {
			t.Errorf("protocol %d: scalars (-want +got):\n%s", protocol, d)
		}
	}
}

func TestPython2(t *testing.T) {
	v, err := Read(strings.NewReader("(lp1\nS'a\\n\\'\\xe9'\np2\naU\x02\xe9bag2\naL12L\naI01\na."), 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any([]any{"a\n'é", "éb", "a\n'é", int64(12), true}), tree(v)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestListIsShared(t *testing.T) {
	// l = []; v = [l, 1]; l.append(2) afterwards, by the memo: both places see it.
	v, err := Read(strings.NewReader("(]q\x00K\x01lq\x01h\x00K\x02a0."), 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any([]any{[]any{int64(2)}, int64(1)}), tree(v)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// Two lists that grow by turns do not write into each other.
	v, err = Read(strings.NewReader("]q\x000]q\x010h\x00K\x01a0h\x01K\x02a0h\x00K\x03a0h\x01K\x04a0h\x00h\x01\x86."), 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any(Tuple{[]any{int64(1), int64(3)}, []any{int64(2), int64(4)}}), tree(v)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestRefusals(t *testing.T) {
	const array = "cnumpy\ndtype\n(X\x02\x00\x00\x00i4I00\nI01\ntR(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbq\x00" +
		"0cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
	for _, c := range []struct{ name, want, file string }{
		{"a command", `got "os.system"`, "cos\nsystem\n(S'ls'\ntR."},
		{"a command by protocol 4", `got "posix.system"`, "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R."},
		{"eval", `got "builtins.eval"`, "\x80\x03cbuiltins\neval\n."},
		{"a module's attribute", `got "numpy.load"`, "cnumpy\nload\n."},
		{"old instance", "instance of a class", "(ios\nsystem\n."},
		{"new instance", "instance of a class", "cnumpy\nndarray\n)\x81."},
		{"persistent id", "persistent id", "Pfile\n."},
		{"extension", "extension code", "\x82\x01."},
		{"set", "got a set", "\x8f."},
		{"outside buffer", "buffer outside", "\x97."},
		{"no opcode", "expected an opcode, got byte 0xff", "\xff"},
		{"protocol 6", "expected a protocol up to 5, got 6", "\x80\x06."},
		{"empty", "unexpected EOF", ""},
		{"no stop", "unexpected EOF", "K\x01"},
		{"nothing", "expected one value at the end, got 0", "."},
		{"two", "expected one value at the end, got 2", "K\x01K\x02."},
		{"no mark", "expected a mark", "K\x01t."},
		{"below the mark", "expected 1 values", "K\x01(\x85."},
		{"empty memo", "in the memo at 3", "h\x03."},
		{"append to a number", "expected a list to append to", "K\x01K\x02a."},
		{"odd dict", "expected pairs", "(K\x01d."},
		{"call a number", "expected a function", "K\x01)R."},
		{"call a class", "numpy.dtype: expected", "cnumpy\ndtype\n)R."},
		{"build a number", "expected a NumPy array or dtype", "K\x01)b."},
		{"promised text", "unexpected EOF", "X\xff\xff\xff\x7fab"},
		{"promised bytes", "fits memory", "\x8e\xff\xff\xff\xff\xff\xff\xff\xffab"},
		{"long", "expected an integer of 64 bits", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."},
		{"long text", "expected an integer of 64 bits", "L99999999999999999999L\n."},
		{"array without dtype", "expected a dtype", array + "(K\x01(K\x01tK\x05I00\nC\x00tb."},
		{"array too short", "expected 2 elements of dtype i4, got 4 bytes", array + "(K\x01(K\x02th\x00I00\nC\x041234tb."},
		{"array overflow", "shape that fits memory", array + "(K\x01(\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x04th\x00I00\nC\x041234tb."},
		{"negative axis", "shape that fits memory", array + "(K\x01(J\xff\xff\xff\xffth\x00I00\nC\x041234tb."},
		{"numbers as a list", "got a list of 0", array + "(K\x01(K\x01th\x00I00\n]tb."},
		{"state twice", "its state once", array + "(K\x01(K\x01th\x00I00\nC\x041234tb(K\x01(K\x01th\x00I00\nC\x041234tb."},
	} {
		_, err := Read(strings.NewReader(c.file), 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct{ name, want, file string }{
		{"a list", "expected an object array of one axis, got a list of 0", "]."},
		{"numbers", "got an array of shape [1] of dtype <i4", array + "(K\x01(K\x01th\x00I00\nC\x041234tb."},
	} {
		_, err := ReadSequences(strings.NewReader(c.file), 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// The words take 4 bytes each and little more.
func TestMemory(t *testing.T) {
	const seqs, length = 2000, 1000
	b := []byte("\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01M\xd0\x07\x85" +
		"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb\x89](")
	for i := range seqs {
		b = append(b, ']', 'r', byte(i), byte(i>>8), 0, 0, '(')
		for j := range length {
			b = append(b, 'M', byte(j), byte(j>>8))
		}
		b = append(b, 'e')
	}
	b = append(b, "etb."...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := ReadSequences(bytes.NewReader(b), 1)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != seqs || got[seqs-1][length] != length-1 {
		t.Fatalf("%d sequences", len(got))
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 4*seqs*length*5/4 {
		t.Errorf("%d bytes were allocated in all for %d integers, want at most 5 each", total, seqs*length)
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.pickle"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no pickles in testdata: %v", err)
	}
	for _, file := range files {
		f.Add(open(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		defer func() {
			runtime.ReadMemStats(&after)
			// A byte may push a value of 24, remember it, or begin a list; two readings, each with a buffer.
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(len(file))*2048+4<<20; got > most {
				t.Errorf("a pickle of %d bytes made %d bytes of allocations, want at most %d", len(file), got, most)
			}
		}()
		if _, err := Read(bytes.NewReader(file), 1); err != nil {
			return
		}
		ReadSequences(bytes.NewReader(file), 1)
	})
}
