package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/durable"
)

func inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print what is in a file of a model, of weights or of arrays",
		Long: `inspect prints the layers, arrays and versions that a file has, with each array's norm and range, and the
optimizer's step:

  .keras, .h5, .hdf5   models and weights of Keras, the legacy form too
  .onnx                a graph: its inputs and outputs, operators and initializers; one that convert refuses, too
  .safetensors         tensors
  .pt, .pth, .bin      what torch.save wrote: all tensors in it, and a checkpoint's numbers
  .npz, .npy           arrays of NumPy

The file is only read: nothing in it runs, and it need not be a model that is offered here.`,
		Example: `  unroll inspect lstm.keras
  unroll inspect model.onnx
  unroll inspect imdb.npz --json`,
		Args: between(1, 1, "a FILE ("+either(inspected())+")"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := inspect(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return r.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func inspect(path string) (*fileReport, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, durable.Cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, durable.Cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file, got %v", path, info.Mode().Type())
	}
	r := &fileReport{File: path, Bytes: info.Size(), Arrays: []arrayReport{}}
	all := r.readers()
	i := slices.IndexFunc(all, func(one fileReader) bool { return one.ending == "."+extension(path) })
	if i < 0 {
		return nil, usage("inspect: expected a file that ends in %s, got %s", either(inspected()), path)
	}
	if err := all[i].read(f, info.Size()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// fileReader fills the report from files of an ending.
type fileReader struct {
	ending string
	read   func(io.ReaderAt, int64) error
}

func (r *fileReport) readers() []fileReader {
	return []fileReader{{".keras", r.keras}, {".h5", r.hdf5}, {".hdf5", r.hdf5}, {".onnx", r.onnx}, {".npz", r.npz}, {".npy", r.npy}, {".safetensors", r.safetensors},
		{".pt", r.torch}, {".pth", r.torch}, {".bin", r.torch}}
}

// inspected are the endings of files that can be looked into.
func inspected() (list []string) {
	for _, one := range new(fileReport).readers() {
		list = append(list, one.ending)
	}
	return list
}
