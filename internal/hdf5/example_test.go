package hdf5_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/unroll-ml/unroll/internal/hdf5"
)

func Example() {
	root := hdf5.NewGroup()
	vars := root.Group("layers/dense/vars")
	vars.SetAttr("name", "dense")
	vars.Dataset("0", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	vars.Dataset("1", []int{3}, []float32{0, 0, 0})
	var file bytes.Buffer
	if err := hdf5.Write(&file, root); err != nil {
		log.Fatal(err)
	}

	f, err := hdf5.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		log.Fatal(err)
	}
	g, err := f.Root().Group("layers/dense/vars")
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range g.Keys() {
		d, err := g.Dataset(key)
		if err != nil {
			log.Fatal(err)
		}
		values := make([]float32, d.Len())
		if err := d.ReadFloat32(values); err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.Path(), d.Type(), d.Shape(), values)
	}
	if a, ok := g.Attr("name"); ok {
		name, err := a.Text()
		fmt.Println(a.Name(), a.Type(), name, err)
	}
	// Output:
	// /layers/dense/vars/0 float32 [2 3] [1 2 3 4 5 6]
	// /layers/dense/vars/1 float32 [3] [0 0 0]
	// name str dense <nil>
}
