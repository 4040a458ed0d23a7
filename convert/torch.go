package convert

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/safetensors"
)

// Match is which module of a state_dict a layer's weights came from.
type Match struct{ Layer, Module string }

// LoadTorch fills a built model's weights from a state_dict of PyTorch: a .safetensors file, or one that torch.save wrote (.pt, .pth), whose pickle is read
// by a reader that knows tensors and plain values alone. Modules go to layers by, in this order: modules, which names the module of a layer; equal names; and
// the parameters' names and shapes, where one module and one layer fit each other. Where several do, they go in order: of a file of torch.save in the
// order of the file, else where their names differ by numbers alone. Anything else is an error that lists what was expected and what was found.
//
// The weights say nothing of what has none: activations, dropout, the epsilon of normalizations, which is 1e-5 in PyTorch and 1e-3 here where nobody says.
func LoadTorch(m *unroll.Model, path string, modules map[string]string) ([]Match, error) {
	s, err := readState(path)
	if err == nil {
		var matches []Match
		if matches, err = s.fill(m, modules); err == nil {
			m.Touch()
			return matches, nil
		}
	}
	return nil, fmt.Errorf("convert: LoadTorch: %s: %w", path, err)
}

// SaveTorch writes a built model's weights as a state_dict in a .safetensors file: a module a layer, under its name. The second bias of an LSTM or RNN is zero.
func SaveTorch(m *unroll.Model, path string) error {
	all, err := wants(m)
	if err == nil {
		var tensors []safetensors.Values
		for _, w := range all {
			for _, p := range w.params {
				tensors = append(tensors, safetensors.Values{Name: w.layer + "." + p.name, Shape: p.shape, Data: p.values()})
			}
		}
		err = durable.Write(path, func(w io.Writer) error { return safetensors.Write(w, tensors) })
	}
	if err != nil {
		return fmt.Errorf("convert: SaveTorch: %s: %w", path, err)
	}
	return nil
}

// module is a module of a state_dict, of several layers one of them.
type module struct {
	name   string // with the layer's number behind a colon where there are several
	params map[string]array
}

// recurrentParam is a parameter of a recurrent module, or of a cell.
var recurrentParam = regexp.MustCompile(`^(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_l(\d{1,4})(_reverse)?)?$`)

// modules are those of a state_dict, in its order.
func (s *state) modules() ([]*module, error) {
	var all []*module
	found := map[string]*module{}
	layers := map[string]int{} // of a recurrent module, how many
	for _, a := range s.arrays {
		name, param := "", a.path
		if i := strings.LastIndexByte(a.path, '.'); i >= 0 {
			name, param = a.path[:i], a.path[i+1:]
		}
		if param == "num_batches_tracked" {
			continue
		}
		key := name
		if p := recurrentParam.FindStringSubmatch(param); p != nil {
			k, _ := strconv.Atoi(p[2])
			layers[name] = max(layers[name], k+1)
			key, param = fmt.Sprintf("%s:%d", name, k), p[1]+"_l0"+p[3]
		}
		m := found[key]
		if m == nil {
			m = &module{name: key, params: map[string]array{}}
			found[key] = m
			all = append(all, m)
		}
		if _, twice := m.params[param]; twice {
			return nil, fmt.Errorf("expected each name once, got %.80q twice", a.path)
		}
		m.params[param] = a
	}
	for _, m := range all {
		if name, k, numbered := strings.Cut(m.name, ":"); numbered && k == "0" && layers[name] == 1 {
			m.name = name
		}
	}
	return all, nil
}

// signature is want.signature of a module.
func (m *module) signature() string {
	list := slices.Sorted(maps.Keys(m.params))
	for i, name := range list {
		list[i] = name + " " + shapeOf(m.params[name].shape)
	}
	return strings.Join(list, ", ")
}

// fits reports whether the module has just what the layer looks for.
func (m *module) fits(w *want) bool {
	if len(m.params) != len(w.params) {
		return false
	}
	for _, p := range w.params {
		if a, ok := m.params[p.name]; !ok || !a.shape.Equal(p.shape) {
			return false
		}
	}
	return true
}

func (s *state) fill(m *unroll.Model, given map[string]string) ([]Match, error) {
	all, err := wants(m)
	if err != nil {
		return nil, err
	}
	mods, err := s.modules()
	if err != nil {
		return nil, err
	}
	chosen, err := match(all, mods, given, s.inOrder)
	if err != nil {
		return nil, err
	}
	var matches []Match
	for i, w := range all {
		for _, p := range w.params {
			p.fill(chosen[i].params[p.name])
		}
		matches = append(matches, Match{w.layer, chosen[i].name})
	}
	return matches, nil
}

// match finds the module of every layer.
func match(all []want, mods []*module, given map[string]string, inOrder bool) ([]*module, error) {
	chosen := make([]*module, len(all))
	taken := map[*module]bool{}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s\n%s", fmt.Sprintf(format, args...), inventory(all, mods))
	}
	take := func(i int, name string, must bool) error {
		k := slices.IndexFunc(mods, func(m *module) bool { return m.name == name })
		switch {
		case k < 0 && must:
			return fail("expected a module %q for layer %q, got none", name, all[i].layer)
		case k < 0 || taken[mods[k]]:
			return nil
		case !mods[k].fits(&all[i]):
			if must {
				return fail("layer %q: expected a module with %s, got %q with %s", all[i].layer, all[i].signature(), name, mods[k].signature())
			}
			return nil
		}
		chosen[i] = mods[k]
		taken[mods[k]] = true
		return nil
	}
	for layer, name := range given {
		i := slices.IndexFunc(all, func(w want) bool { return w.layer == layer })
		if i < 0 {
			return nil, fail("expected a layer %q of the model for module %q, got none", layer, name)
		}
		if err := take(i, name, true); err != nil {
			return nil, err
		}
		if chosen[i] == nil {
			return nil, fail("expected each module for one layer, got %q for several", name)
		}
	}
	for i := range all {
		if chosen[i] == nil {
			if err := take(i, all[i].layer, false); err != nil {
				return nil, err
			}
		}
	}
	for i := range all {
		if chosen[i] != nil {
			continue
		}
		// All that are still without, and fit the same.
		var same []int
		for k := i; k < len(all); k++ {
			if chosen[k] == nil && all[k].signature() == all[i].signature() {
				same = append(same, k)
			}
		}
		var fitting []*module
		for _, m := range mods {
			if !taken[m] && m.fits(&all[i]) {
				fitting = append(fitting, m)
			}
		}
		if len(fitting) != len(same) {
			return nil, fail("layer %q: expected %d modules for %s, %s, got %d", all[i].layer, len(same), all[i].module, all[i].signature(), len(fitting))
		}
		if len(same) > 1 && !inOrder && !numbered(fitting) {
			return nil, fail("layers %s: expected modules whose order their names say, got %s, which all fit: say which is which", layersOf(all, same), modulesOf(fitting))
		}
		for n, k := range same {
			chosen[k] = fitting[n]
			taken[fitting[n]] = true
		}
	}
	for _, m := range mods {
		if !taken[m] {
			return nil, fail("expected a layer for every module, got none for %q", m.name)
		}
	}
	return chosen, nil
}

// digits are the numbers in a name.
var digits = regexp.MustCompile(`\d+`)

// numbered reports whether the names are the same but for their numbers, and puts the modules in the order of these.
func numbered(mods []*module) bool {
	for _, m := range mods {
		if digits.ReplaceAllString(m.name, "0") != digits.ReplaceAllString(mods[0].name, "0") {
			return false
		}
	}
	slices.SortStableFunc(mods, func(a, b *module) int {
		x, y := digits.FindAllString(a.name, -1), digits.FindAllString(b.name, -1)
		for i := range x {
			n, err1 := strconv.Atoi(x[i])
			k, err2 := strconv.Atoi(y[i])
			if err1 == nil && err2 == nil && n != k {
				return n - k
			}
		}
		return 0
	})
	return true
}

func layersOf(all []want, which []int) string {
	var list []string
	for _, i := range which {
		list = append(list, strconv.Quote(all[i].layer))
	}
	return strings.Join(list, ", ")
}

func modulesOf(mods []*module) string {
	var list []string
	for _, m := range mods {
		list = append(list, strconv.Quote(m.name))
	}
	return strings.Join(list, ", ")
}

// inventory lists what the layers look for and what is there, for errors; long lists are cut.
func inventory(all []want, mods []*module) string {
	const most = 20
	var b strings.Builder
	b.WriteString("expected:")
	for i, w := range all {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(all)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %s: %s with %s", w.layer, w.module, w.signature())
	}
	b.WriteString("\nfound:")
	for i, m := range mods {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(mods)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %.80s: %.300s", m.name, m.signature())
	}
	return b.String()
}
