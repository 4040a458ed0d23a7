package imdb

import "github.com/unroll-ml/unroll/datasets"

// Archive is the file that Load reads, as Keras 3 names it with its sum (src/datasets/imdb.py).
func Archive() datasets.File {
	return datasets.File{
		Name:   "imdb.npz",
		URL:    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
		SHA256: "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
		Bytes:  64 << 20,
	}
}

// Words is the file that WordIndex reads. Keras gives its MD5, bfafd718b763782e994055a2d397834f; the sum here is of the
// file with that MD5.
func Words() datasets.File {
	return datasets.File{
		Name:   "imdb_word_index.json",
		URL:    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
		SHA256: "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
		Bytes:  8 << 20,
	}
}
