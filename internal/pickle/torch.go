package pickle

import (
	"bufio"
	"fmt"
	"io"
)

// Storage is numbers that stand in a file beside the pickle, as PyTorch keeps a tensor's.
type Storage struct {
	Key   string // the file's name
	Kind  string // "Float", "Half", "BFloat16", "Long" …: the class torch.<Kind>Storage
	Count int64  // elements
}

// Tensor is a view of a storage.
type Tensor struct {
	Storage       *Storage
	Offset        int64
	Shape, Stride []int64
}

// ReadTorch is Read for a pickle of torch.save: ordered dicts are dicts, whose attributes are left out, tensors and parameters are *Tensor. Nothing else of
// PyTorch is known: a pickled module is an error that names its class.
func ReadTorch(r io.Reader) (any, error) {
	m := &machine{r: bufio.NewReaderSize(r, 1<<16), memo: map[uint64]value{}, torch: true}
	v, err := m.run()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("pickle: near byte %d: %w", m.at, err)
	}
	return v.any(), nil
}

// What such a pickle may name besides plain values.
const (
	orderedDict global = -1 - iota
	rebuildTensor
	rebuildParameter
)

// storageClass is a class of storages.
type storageClass string

// torchGlobal is a function or class of PyTorch's; false: none that is known.
func torchGlobal(module, name string) (any, bool) {
	switch module + "." + name {
	case "collections.OrderedDict":
		return orderedDict, true
	case "torch._utils._rebuild_tensor_v2":
		return rebuildTensor, true
	case "torch._utils._rebuild_parameter":
		return rebuildParameter, true
	}
	if module == "torch" {
		switch name {
		case "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage":
			return storageClass(name[:len(name)-len("Storage")]), true
		}
	}
	return nil, false
}

// callTorch is the REDUCE opcode for them.
func callTorch(g global, t Tuple) (any, error) {
	switch g {
	case orderedDict:
		if len(t) == 0 {
			return &Dict{ordered: true}, nil
		}
		return nil, fmt.Errorf("OrderedDict: expected no arguments, got %d", len(t))
	case rebuildParameter: // (tensor, requires_grad, hooks)
		if len(t) >= 1 {
			if tensor, ok := t[0].(*Tensor); ok {
				return tensor, nil
			}
		}
		return nil, fmt.Errorf("_rebuild_parameter: expected a tensor")
	}
	// (storage, offset, size, stride, requires_grad, hooks)
	if len(t) >= 4 {
		s, ok1 := t[0].(*Storage)
		offset, ok2 := t[1].(int64)
		shape, ok3 := whole(t[2])
		stride, ok4 := whole(t[3])
		if ok1 && ok2 && ok3 && ok4 && offset >= 0 && len(shape) == len(stride) {
			return &Tensor{s, offset, shape, stride}, nil
		}
	}
	return nil, fmt.Errorf("_rebuild_tensor_v2: expected a storage, an offset, a size and a stride, got %d arguments of other kinds", len(t))
}

// whole is a tuple of numbers from 0.
func whole(v any) ([]int64, bool) {
	t, ok := v.(Tuple)
	list := make([]int64, len(t))
	for i, e := range t {
		n, is := e.(int64)
		if !is || n < 0 {
			return nil, false
		}
		list[i] = n
	}
	return list, ok
}

// persistent is the BINPERSID opcode: ("storage", class, key, place, elements).
func (m *machine) persistent() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	if t, ok := v.p.(Tuple); ok && len(t) >= 5 && t[0] == "storage" {
		class, ok1 := t[1].(storageClass)
		key, ok2 := t[2].(string)
		n, ok3 := t[4].(int64)
		if ok1 && ok2 && ok3 && n >= 0 {
			return m.pushAny(&Storage{key, string(class), n})
		}
	}
	return fmt.Errorf("expected a storage of PyTorch's as persistent id")
}
