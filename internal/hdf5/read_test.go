package hdf5

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Every value, shape, type and attribute of files that h5py and Keras wrote is what h5py reads. The files and what h5py reads
// are made by oracle/hdf5.py.
func TestReadsWhatH5pyReads(t *testing.T) {
	for file, description := range map[string]string{
		"types":         "types",         // every type, as datasets and as attributes
		"many":          "many",          // a group of 260
		"places":        "places",        // a user block, compact data, a header in several blocks
		"keras.weights": "keras.weights", // Keras 3.15.1
		"keras_legacy":  "keras_legacy",
		"chunks":        "chunks",        // B-tree of chunks, filters
		"chunks_latest": "chunks_latest", // superblock 3, the other indexes of chunks
		"new":           "new",           // superblock 2, headers 2, compact and dense links and attributes
		"new_tracked":   "new",           // superblock 0 with new groups, in order of creation
		"wide":          "wide",          // fractal heap and B-tree of two levels
		"indexes":       "indexes",       // extensible and fixed arrays, B-tree of chunks, of datasets that may grow
		"arrays":        "arrays",        // elements that are arrays, attributes too large for a block

		// The same values as h5repack arranges them.
		"types_repacked":        "types",
		"keras_repacked":        "keras.weights",
		"keras_legacy_repacked": "keras_legacy",
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", description+".json"))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, describe(t, openFile(t, filepath.Join("testdata", file+".h5"))), parse(t, text))
		})
	}
}

// Arrays of chunks that are cut into pages, most of which were never written. Oracle/hdf5.py says what h5py reads.
func TestReadsSparseIndexes(t *testing.T) {
	packed, err := os.ReadFile(filepath.Join("testdata", "sparse.h5.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "sparse.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Length int
		At     []int
		Values []int64
	}
	if err := json.Unmarshal(text, &want); err != nil || len(want) != 4 {
		t.Fatalf("sparse.json: expected 4 datasets, got %d: %v", len(want), err)
	}
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		values := make([]int64, w.Length)
		for i, at := range w.At {
			values[at] = w.Values[i]
		}
		d, err := f.Root().Dataset(name)
		if err != nil {
			t.Error(err)
			continue
		}
		got := make([]int64, w.Length)
		for i := range got {
			got[i] = -1 // every element is written, also those of chunks that are not there
		}
		if err := d.ReadInt64(got); err != nil {
			t.Error(err)
		}
		for i := range got {
			if got[i] != values[i] {
				t.Errorf("%s: element %d: got %d, want %d", name, i, got[i], values[i])
				break
			}
		}
	}
}
