package unroll

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/layers"
)

// front is the beginning of many models: an Embedding, and recurrent layers up to the one that returns its last output alone, which may go
// backwards, or both ways, where it is the only one. There a batch can do with less, and get what the plain way gets:
//
//   - rows: what the cell computes from the input alone is computed once a distinct word of the batch, and on the way back
//     gradients are summed by word first; predictions keep it for all words once that has paid (front_kept.go);
//   - prefix: rows that begin with the same word again and again (padding that is not masked) walk that stretch together,
//     as one row, before the shards, and back after them;
//   - active: steps that a mask hides at the beginning or at the end of a row are not computed.
type front struct {
	table  *layers.Weight
	masked bool // id 0 is padding
	// chains are the walks that follow one another: one chain, or the two directions of a Bidirectional, whose last outputs are merged.
	chains [][]layers.Walk
	merge  layers.Merge
	nodes  []int  // of the walks of a chain
	last   int    // the last of them
	drops  string // the layer that drops values in training, which therefore goes the plain way; "": none

	// wordsFrom is how many positions a batch must have to go by distinct words: for less, finding them costs more than it saves.
	wordsFrom int
	kept      keptWords
}

// savings says which of them, and of the update, are taken; tests switch them off.
type savings struct{ rows, prefix, active, touched bool }

// front: whether there is anything for a front to do.
func (s savings) front() bool { return s.rows || s.prefix || s.active }

// newFront is the front of the nodes, or why they do not begin so.
func newFront(g *graph) (f *front, why string) {
	f = &front{}
	if len(g.inputs) > 1 || len(g.outputs) > 1 {
		return nil, "the model has several inputs or outputs"
	}
	if len(g.nodes) == g.texts {
		return nil, "the model has no layers"
	}
	if g.texts > 1 {
		return nil, "the model reads texts in several ways"
	}
	first := g.nodes[g.texts]
	var ok bool
	if f.table, f.masked, ok = layers.TableOf(first.layer); !ok {
		return nil, "the model does not begin with an embedding"
	}
	if in := g.values[g.texts].Shape; len(in) != 2 {
		return nil, fmt.Sprintf("the embedding reads ids of shape %v, no sequences", in)
	}
	for i, n := range g.nodes {
		if !g.follows(i) {
			return nil, n.name + " reads or shares more than the value before it"
		}
		if i <= g.texts {
			continue
		}
		if n.activity != nil || first.activity != nil {
			return nil, "an activity regularizer sees every value"
		}
		if changes, ok := layers.NoiseOf(n.layer); ok {
			if changes {
				f.dropsBy(n)
			}
			continue
		}
		walks, merge := layers.WalksOf(n.layer)
		if why := f.whyNot(n, walks); why != "" {
			return nil, why
		}
		if f.chains == nil {
			f.chains = make([][]layers.Walk, len(walks))
		}
		for k, w := range walks {
			f.chains[k] = append(f.chains[k], w)
			if w.Drops {
				f.dropsBy(n)
			}
		}
		f.merge, f.nodes, f.last = merge, append(f.nodes, i), i
		if !walks[0].Sequences {
			f.weigh()
			return f, ""
		}
	}
	return nil, "every recurrent layer returns sequences (return_sequences)"
}

// follows reports whether node i reads what the node before returned, which nobody else does, and its layer stands there alone.
func (g *graph) follows(i int) bool {
	n := g.nodes[i]
	if len(n.from) != 1 || n.from[0] != i || g.uses[i] != 1 {
		return false
	}
	for k, other := range g.nodes {
		if k != i && other.part == n.part {
			return false
		}
	}
	return true
}

// value is what the front returns.
func (f *front) value() int { return f.last + 1 }

// dropsBy names the layer that drops values, the first of them.
func (f *front) dropsBy(n *node) {
	if f.drops == "" {
		f.drops = n.name
	}
}

// whyNot is why a layer cannot be the next of the front; "" where it can.
func (f *front) whyNot(n *node, walks []layers.Walk) string {
	if why := layers.WalksApart(n.layer); why != "" {
		return n.name + " " + why
	}
	if len(walks) == 0 {
		return fmt.Sprintf("%s (%s) stands between the embedding and the end of the sequences", n.name, n.spec.Class())
	}
	w := walks[0]
	way := ""
	switch {
	case len(walks) == 2:
		way = "goes both ways (Bidirectional)"
	case w.Backwards:
		way = "goes backwards (go_backwards)"
	}
	switch {
	case way != "" && w.Sequences:
		return n.name + " " + way + " and returns sequences (return_sequences)"
	case way != "" && f.chains != nil:
		return n.name + " " + way + " behind another recurrent layer"
	case w.ZeroMasked:
		return n.name + " writes zeros where steps are masked (zero_output_for_mask)"
	}
	return ""
}

// tableWidth is how much the first cells of all chains compute of a word.
func (f *front) tableWidth() int {
	width := 0
	for _, walks := range f.chains {
		width += walks[0].Cell.TableWidth()
	}
	return width
}

// weigh finds out from how many positions on distinct words pay. Of a position, half of the projection is saved (a word occurs twice in
// a single review, more often in a batch), at 64 multiply-adds a nanosecond; finding the words takes 1.5 a position, 1/24 a word of the
// table and about 10 000 in all. These are measured roughly, on one machine: the choice changes no prediction.
func (f *front) weigh() {
	gain := float64(f.table.Shape[1]*f.tableWidth())/128 - 1.5
	f.wordsFrom = math.MaxInt
	if gain > 0 {
		f.wordsFrom = int((10_000 + float64(f.table.Shape[0])/24) / gain)
	}
}
