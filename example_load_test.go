package unroll_test

import (
	"context"
	"fmt"
	"log"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// A model that Keras trained and saved predicts here.
func ExampleLoad() {
	model, err := unroll.Load("testdata/keras/lecture_simple_rnn.keras")
	if err != nil {
		log.Fatal(err)
	}
	reviews := tensor.NewIDs(2, 9) // two rows of nine word ids; 0 is padding
	copy(reviews.Data, []int32{0, 0, 0, 0, 1, 14, 22, 16, 39})
	data, err := unroll.Arrays(reviews, nil)
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Predict(context.Background(), data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Shape)
	// Output: (2, 1)
}
