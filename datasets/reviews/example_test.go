package reviews_test

import (
	"fmt"
	"log"

	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/datasets/reviews"
	"github.com/unroll-ml/unroll/sequence"
)

// The data of the lecture: the 10,000 most frequent words, and every review cut or padded to 500 of them.
func Example() {
	train, test, err := reviews.Load(datasets.Options{NumWords: 10000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.Len(), "train sequences,", test.Len(), "test sequences")
	input := sequence.Pad(train.X, sequence.PadOptions{MaxLen: 500})
	fmt.Println("input_train shape:", input.Shape)
	// Output:
	// 25000 train sequences, 25000 test sequences
	// input_train shape: (25000, 500)
}
