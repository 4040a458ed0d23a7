package hdf5

import (
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
