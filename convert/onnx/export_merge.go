package onnx

import (
	"fmt"

	"github.com/unroll-ml/unroll/layers"
)

// merging is a layer that merges values one by one.
func (b *builder) merging(s layers.Spec, in []val, out layers.Signature) (name, mask string) {
	rank := len(out.Shape)
	names, masks := make([]string, len(in)), make([]string, len(in))
	for i, v := range in {
		names[i] = v.name
		if v.rank() < rank { // axes are matched from the last on, but for the batch
			axes := make([]int, rank-v.rank())
			for k := range axes {
				axes[k] = 1 + k
			}
			names[i] = b.unsqueeze(v.name, axes...)
		} else {
			masks[i] = v.mask // of an input that it gives more axes Keras loses the mask
		}
	}
	mask = b.anyOf(in)
	if !out.Masked {
		mask = ""
	}
	switch s.(type) {
	case layers.Add:
		return b.chain("Add", names), mask
	case layers.Average:
		return b.op("Mul", b.chain("Add", names), b.scalar(1/float64(len(in)))), mask
	case layers.Subtract:
		return b.chain("Sub", names), mask
	case layers.Multiply:
		for i := range names {
			if masks[i] != "" {
				names[i] = b.op("Where", b.unsqueeze(masks[i], 2), names[i], b.scalar(1))
			}
		}
		y := b.chain("Mul", names)
		if mask != "" {
			y = b.op("Where", b.unsqueeze(mask, 2), y, b.scalar(0))
		}
		return y, mask
	case layers.Maximum:
		return b.choose("Max", names, masks), mask
	default: // Minimum
		return b.choose("Min", names, masks), mask
	}
}

// chain is one operator between all of them, from the left.
func (b *builder) chain(op string, names []string) string {
	if len(names) == 1 {
		return b.op("Identity", names[0])
	}
	y := names[0]
	for _, x := range names[1:] {
		y = b.op(op, y, x)
	}
	return y
}

// choose is Max or Min: at a step that an input masks it loses, at one that everything before it masks it wins.
func (b *builder) choose(op string, names, masks []string) string {
	y, soFar := names[0], masks[0]
	for i, x := range names[1:] {
		mask, better := masks[1+i], b.op(op, y, x)
		if soFar != "" {
			better = b.op("Where", b.unsqueeze(soFar, 2), better, x)
		}
		if mask != "" {
			better = b.op("Where", b.unsqueeze(mask, 2), better, y)
		}
		y = better
		if soFar == "" || mask == "" {
			soFar = ""
		} else {
			soFar = b.op("Or", soFar, mask)
		}
	}
	if len(names) == 1 {
		return b.op("Identity", y)
	}
	return y
}

// anyOf is the mask that is valid where any input is; none unless all have masks.
func (b *builder) anyOf(in []val) string {
	mask := in[0].mask
	for _, v := range in[1:] {
		if mask == "" || v.mask == "" {
			return ""
		}
		mask = b.op("Or", mask, v.mask)
	}
	return mask
}

func (b *builder) concatenate(s layers.Concatenate, in []val, out layers.Signature) (name, mask string) {
	rank := len(out.Shape)
	axis := (int(s.Axis.Or(-1)) + rank) % rank
	names, masks := make([]string, len(in)), make([]string, len(in))
	for i, v := range in {
		names[i], masks[i] = v.name, v.mask
	}
	name = b.with("Concat", attrs("axis", axis), names...)
	switch {
	case !out.Masked:
		return name, ""
	case axis != 1:
		if mask = b.anyOf(in); mask == "" { // an input without a mask is valid everywhere
			mask = b.allValid(in[0].name)
		}
		return name, mask
	}
	for i, v := range in {
		if masks[i] == "" {
			masks[i] = b.allValid(v.name)
		}
	}
	return name, b.with("Concat", attrs("axis", 1), masks...)
}

// allValid is a mask of x's steps that hides none.
func (b *builder) allValid(x string) string {
	steps := b.op("ConstantOfShape", b.with("Shape", attrs("start", 0, "end", 2), x)) // zeros
	return b.op("Equal", steps, b.scalar(0))
}

// dot is a sum of products over one axis of each.
func (b *builder) dot(s layers.Dot, in []val) string {
	const letters = "abcdefghijklm"
	names, free, terms := [2]string{}, "", [2]string{}
	next := 0
	for i, v := range in {
		axis := s.Axes[min(i, len(s.Axes)-1)]
		axis = (axis + v.rank()) % v.rank()
		names[i] = v.name
		if s.Normalize {
			length := b.op("Sqrt", b.reduce("ReduceSum", true, b.op("Mul", v.name, v.name), axis))
			names[i] = b.op("Div", v.name, b.op("Max", length, b.scalar(1e-7)))
		}
		terms[i] = "n"
		for k := 1; k < v.rank(); k++ {
			if k == axis {
				terms[i] += "z"
				continue
			}
			terms[i] += letters[next : next+1]
			free += letters[next : next+1]
			next++
		}
	}
	y := b.einsum(fmt.Sprintf("%s,%s->n%s", terms[0], terms[1], free), names[:]...)
	if free == "" {
		return b.unsqueeze(y, 1)
	}
	return y
}

func (b *builder) einsum(equation string, in ...string) string {
	return b.with("Einsum", attrs("equation", equation), in...)
}
