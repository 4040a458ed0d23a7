package unroll

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/regularizers"
)

// graph is layers that hand values on. Values are numbered: the inputs first, then what the nodes return, node by node.
type graph struct {
	inputs  []*part // without layers: they say what comes in
	parts   []*part // every layer once, in Keras's order
	listed  []*part // parts, and among them the inputs, as Keras lists a functional model
	nodes   []*node // every application of a layer, in an order in which they can run
	texts   int     // how many of them, the first, read texts
	outputs []int   // values
	weights []*layers.Weight

	values  []layers.Signature // of every value
	trained []bool             // by value: a trained weight, or one that might be, has a part in it
	uses    []int              // by value: how often it is read, by nodes or as an output
	masks   []int              // by value: where its mask comes from, see origin
	doors   []door
	numbers int // how many numbers key the random draws of a pass
}

// part is a layer of a model, however many times it is applied, and in however many models.
type part struct {
	name    string // "": the model that takes it names it
	spec    layers.Spec
	layer   layers.Layer // nil of an input
	weights []*layers.Weight
	in      []layers.Signature // that it was built for
	// activity is the penalty on what the layer returns; nil in most.
	activity regularizers.Regularizer

	applied int // how often

	drawn  bool // the weights have values
	frozen bool // a file says so, whose model is not there yet

	mu       sync.Mutex // guards what follows
	prepared uint64     // the versions of the weights that the layer has taken over, 0: none
	training bool       // whether it has prepared for training
}

// node is one application of a layer.
type node struct {
	*part
	from []int // the values that it reads
	to   int   // the first of those that it returns
	out  []layers.Signature
	nth  int // in which order the applications of the layer were made
	// number keys random draws; those of a model applied as a layer follow it.
	number int
	// deaf: the layer does not see the mask of its first input, which goes on all the same. Keras hands a mask to a layer by itself only where the layer is
	// called with one value, so a recurrent layer that is given states walks masked steps too, unless it is told not to (ApplyMasked).
	deaf bool
	// bare: nor does the mask go on.
	bare bool
	// grad: something below this node is trained, so it must hand a gradient down.
	grad bool
}

// Where masks come from, besides the node that makes one out of the model's input.
const (
	noMask   = -1
	lateMask = -2 // made or joined behind the first layers: it is known only then
)

// inputOf is the part that says what comes in.
func inputOf(spec layers.Input) *part {
	return &part{name: spec.Name, spec: spec, in: []layers.Signature{spec.Signature()}}
}

// partOf is the part of a Spec: a new one, unless the Spec is a handle on a layer.
func partOf(s layers.Spec) *part {
	if h, ok := s.(interface{ handle() *part }); ok {
		return h.handle()
	}
	return &part{name: s.GivenName(), spec: s}
}

// unnamed stands for a layer's name in the paths of its weights until a model names it.
const unnamed = "?"

// rename gives the layer its name in a model.
func (p *part) rename(name string) {
	if _, nested := p.layer.(*modelLayer); !nested && p.layer != nil {
		for _, w := range p.weights {
			w.Path = name + strings.TrimPrefix(w.Path, cmp.Or(p.name, unnamed))
		}
	}
	p.name = name
}

// addInput appends an input.
func (g *graph) addInput(p *part) int {
	g.inputs = append(g.inputs, p)
	g.values = append(g.values, p.in[0])
	g.trained = append(g.trained, false)
	return len(g.values) - 1
}

// apply builds the layer for these inputs, unless it is built, and says what it returns for them. room bounds how many values the weights
// have, see layers.Builder.
func (p *part) apply(in []layers.Signature, room *int) ([]layers.Signature, error) {
	if p.layer == nil {
		name := p.name
		if name == "" {
			name = unnamed
		}
		if err := refusesTexts(p.spec, in); err != nil {
			return nil, err
		}
		l, err := p.spec.Build(&layers.Builder{Name: name, Room: room}, in)
		if err != nil {
			return nil, err
		}
		if room != nil && *room < 0 {
			return nil, fmt.Errorf("expected weights that fit in the file, got larger ones")
		}
		p.layer, p.weights, p.in, p.activity = l, l.Weights(), in, activityOf(l)
	}
	return p.layer.Output(in)
}

// applications are those of a part, in the order in which they were made.
func (g *graph) applications(p *part) []*node {
	var all []*node
	for _, n := range g.nodes {
		if n.part == p {
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b *node) int { return cmp.Compare(a.nth, b.nth) })
	return all
}

// prepare hands changed weights to the layer.
func (p *part) prepare(training bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	version := uint64(1)
	for _, w := range p.weights {
		version += w.Version
	}
	if p.prepared == version && (p.training || !training) {
		return
	}
	p.layer.Prepare(training)
	p.prepared, p.training = version, training
}

// draw gives every weight of these parts its first values; again: also those that have some.
func (g *graph) draw(seed uint64, again bool) error {
	i := 0
	done := map[*layers.Weight]bool{}
	for _, p := range g.parts {
		for _, w := range p.weights {
			if done[w] {
				continue
			}
			done[w] = true
			if again || !p.drawn {
				if err := w.Init(random.New(seed, random.Init, uint64(i))); err != nil {
					return fmt.Errorf("unroll: %w", err)
				}
			}
			i++
		}
		p.drawn = true
	}
	return nil
}

// add appends a node that applies p to these values.
func (g *graph) add(p *part, from []int, out []layers.Signature) *node {
	n := &node{part: p, from: from, to: len(g.values), out: out, number: g.numbers, deaf: len(from) > 1 && layers.IsRecurrent(p.spec)}
	g.numbers += 1 + inside(p.layer)
	for _, v := range from {
		n.grad = n.grad || g.trained[v]
	}
	for range out {
		g.trained = append(g.trained, n.grad || len(p.weights) > 0)
	}
	g.values = append(g.values, out...)
	g.nodes = append(g.nodes, n)
	if _, ok := layers.VectorizerOf(p.layer); ok {
		g.texts++
	}
	return n
}

// finish counts what the nodes share, when all are there.
func (g *graph) finish() {
	g.uses = make([]int, len(g.values))
	for _, n := range g.nodes {
		for _, v := range n.from {
			g.uses[v]++
		}
	}
	for _, v := range g.outputs {
		g.uses[v]++
	}
	g.masks = make([]int, len(g.values))
	for v := range g.inputs {
		g.masks[v] = noMask
	}
	for i, n := range g.nodes {
		for k, s := range n.out {
			g.masks[n.to+k] = g.origin(i, n, s)
		}
	}
	seen := map[*layers.Weight]bool{}
	for _, p := range g.parts {
		for _, w := range p.weights {
			if !seen[w] {
				seen[w] = true
				g.weights = append(g.weights, w)
			}
		}
	}
	g.number()
	g.findDoors()
}

// origin is where the mask of a result of node i comes from: the node that made it out of an input of the model, or what the constants say.
func (g *graph) origin(i int, n *node, out layers.Signature) int {
	if !out.Masked {
		return noMask
	}
	if l, ok := n.layer.(interface{ MakesMask() bool }); ok && l.MakesMask() {
		if _, counts := n.layer.(validates); counts && n.from[0] < g.entries() {
			return i
		}
		return lateMask
	}
	if len(n.from) == 1 || layers.IsRecurrent(n.spec) { // whose other inputs are states
		return g.masks[n.from[0]]
	}
	return lateMask
}

// validates is a layer that makes a mask.
type validates interface {
	// Valid writes which steps of a batch count.
	Valid(dst []bool, v layers.Value)
}

// number gives the weights their numbers in this model. One that stands in several models has the numbers of the one at work.
func (g *graph) number() {
	for i, w := range g.weights {
		w.Index = i
	}
}

// infer is what becomes of entries of these signatures; the error names the layer that does not take them.
func (g *graph) infer(in []layers.Signature) ([]layers.Signature, error) {
	values := make([]layers.Signature, len(g.values))
	copy(values, in)
	for _, n := range g.nodes[g.texts:] {
		out, err := n.layer.Output(pick(values, n.from))
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", n.name, err)
		}
		copy(values[n.to:], out)
	}
	return pick(values, g.outputs), nil
}

// pick are some of the values.
func pick[E any](values []E, which []int) []E {
	some := make([]E, len(which))
	for i, v := range which {
		some[i] = values[v]
	}
	return some
}

// signatures are those of the entries.
func (g *graph) signatures() []layers.Signature { return slices.Clone(g.values[:g.entries()]) }

// prepare hands changed weights to the layers.
func (g *graph) prepare(training bool) {
	for _, p := range g.parts {
		p.prepare(training)
	}
}

// shardRows is how many rows make a shard: it follows from the layers' widths alone; 0: it does not matter.
func (g *graph) shardRows() int {
	rows := 0
	for _, p := range g.parts {
		rows = max(rows, p.layer.ShardRows())
	}
	return rows
}

// inOnePiece reports whether a batch must be one shard: where a layer mixes rows in training, or a penalty compares them.
func (g *graph) inOnePiece(training bool) bool {
	for _, p := range g.parts {
		if l, ok := p.layer.(interface{ MixesRows() bool }); ok && training && l.MixesRows() {
			return true
		}
		if _, ok := p.activity.(regularizers.Orthogonal); ok {
			return true
		}
		if l, ok := p.layer.(*modelLayer); ok && l.model.inOnePiece(training) {
			return true
		}
	}
	return false
}

// door is a layer that reads an entry and does not take every value of it.
type door struct {
	input int
	layer checksInput
}

type checksInput interface {
	// CheckInput fails on values that the layer does not take: ids that a table does not have.
	CheckInput(layers.Value) error
}

// findDoors finds them, those of models within included. No layer hands ids on, so that these are all.
func (g *graph) findDoors() {
	for _, n := range g.nodes {
		for k, v := range n.from {
			if v >= g.entries() {
				continue
			}
			if l, ok := n.layer.(checksInput); ok && k == 0 {
				g.doors = append(g.doors, door{v, l})
			}
			if l, ok := n.layer.(*modelLayer); ok {
				for _, d := range l.model.doors {
					if d.input == k {
						g.doors = append(g.doors, door{v, d.layer})
					}
				}
			}
		}
	}
}

// check fails where a layer that reads an input does not take its values.
func (g *graph) check(in []layers.Value) error {
	for _, d := range g.doors {
		if err := d.layer.CheckInput(in[d.input]); err != nil {
			return err
		}
	}
	return nil
}
