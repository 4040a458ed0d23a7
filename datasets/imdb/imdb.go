// Package imdb is the IMDB reviews as Keras ships them (Maas et al., ACL 2011): 25,000 to train on and 25,000 to test on,
// half of praise and half of blame, as ranks of words. Load gives what Keras 3's imdb.load_data gives, row for row.
package imdb

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"gonum.org/v1/gonum/mathext/prng"

	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/internal/npy"
	"github.com/unroll-ml/unroll/internal/pickle"
)

// kerasSeed is the default seed of Keras's load_data.
const kerasSeed = 113

// Load reads imdb.npz at path: the arrays x_train, y_train, x_test and y_test, where x are object arrays of lists of ranks.
// The rows of both splits are shuffled by the Seed, 113 when unset, as NumPy's RandomState would; a Seed of None leaves them
// as they are in the file. Ids: 0 padding, 1 start, 2 a word left out, 3 unused, 4 the most frequent word, unless the Options
// say otherwise.
func Load(path string, o datasets.Options) (train, test datasets.Split, err error) {
	train, test, err = load(path, o)
	if err != nil {
		return datasets.Split{}, datasets.Split{}, fmt.Errorf("imdb: %s: %w", path, err)
	}
	return train, test, nil
}

func load(path string, o datasets.Options) (train, test datasets.Split, err error) {
	f, err := os.Open(path)
	if err != nil {
		return train, test, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return train, test, err
	}
	z, err := npy.OpenNPZ(f, info.Size())
	if err != nil {
		return train, test, err
	}
	var testErr error
	var read sync.WaitGroup
	read.Go(func() { test, testErr = readSplit(z, "x_test", "y_test") })
	train, err = readSplit(z, "x_train", "y_train")
	read.Wait()
	if err == nil {
		err = testErr
	}
	if err != nil {
		return train, test, err
	}
	if seed, some := o.Seed.Or(kerasSeed); some {
		mt := prng.NewMT19937()
		mt.Seed(uint64(uint32(seed)))
		// One stream: the order of the test rows depends on how many training rows there are.
		shuffle(mt, train)
		shuffle(mt, test)
	}
	return train, test, o.Prepare(&train, &test)
}

// readSplit reads ranks, each sequence with one place before it for the start mark, and labels.
func readSplit(z *npy.NPZ, xName, yName string) (datasets.Split, error) {
	s := datasets.Split{}
	y, err := z.Array(yName)
	if err != nil {
		return s, err
	}
	if s.Y, err = y.Int32(); err != nil {
		return s, fmt.Errorf("%s: %w", yName, err)
	}
	h, r, err := z.Open(xName)
	if err != nil {
		return s, err
	}
	defer r.Close()
	if h.Dtype != "|O" {
		return s, fmt.Errorf("%s: expected an object array of lists, got dtype %s", xName, h.Dtype)
	}
	if s.X, err = pickle.ReadSequences(r, 1); err != nil {
		return s, fmt.Errorf("%s: %w", xName, err)
	}
	// The archive's sum of the entry is compared at its end, which the last byte of the pickle is not.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return s, fmt.Errorf("%s: %w", xName, err)
	}
	if len(s.X) != len(s.Y) || len(y.Shape) != 1 {
		return s, fmt.Errorf("expected as many labels as sequences, got %s of %d and %s of shape %v", xName, len(s.X), yName, y.Shape)
	}
	return s, nil
}

// shuffle permutes rows as numpy.random.RandomState.shuffle does: from the last row down, each changes places with one at
// or before it, whose number is drawn by masking 32 random bits until it is small enough.
func shuffle(mt *prng.MT19937, s datasets.Split) {
	for i := len(s.X) - 1; i > 0; i-- {
		mask := uint32(i)
		for shift := 1; shift < 32; shift *= 2 {
			mask |= mask >> shift
		}
		j := mt.Uint32() & mask
		for j > uint32(i) {
			j = mt.Uint32() & mask
		}
		s.X[i], s.X[j] = s.X[j], s.X[i]
		s.Y[i], s.Y[j] = s.Y[j], s.Y[i]
	}
}

// WordIndex reads imdb_word_index.json at path: every word with its rank, 1 for the most frequent. In the data of Load a word
// is its rank plus IndexFrom.
func WordIndex(path string) (map[string]int, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("imdb: word index: %w", err)
	}
	index := map[string]int{}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("imdb: word index %s: expected a JSON object of words and ranks: %w", path, err)
	}
	return index, nil
}
