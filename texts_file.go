package unroll

import (
	"fmt"
	"io"
	"slices"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// A file has what a TextVectorization learned twice, for the layer and for the lookup in it: the vocabulary among the assets, the weights of tf_idf as a dataset of
// this name. Source: keras/src/layers/preprocessing/index_lookup.py, save_own_variables and save_assets.
const idfDataset = "idf_weights"

// textGroups are the places of a TextVectorization's parts.
func (p *part) textGroups(path string) []group {
	return []group{{path: path, name: p.name, texts: p}, {path: path + "/_lookup_layer", name: "string_lookup", texts: p}}
}

func (g *group) vocabulary() string { return "assets/" + g.path + "/vocabulary.txt" }

// assets are the vocabularies that stand beside the config.
func (m *Model) assets() []keras.Asset {
	var all []keras.Asset
	for _, g := range m.groups() {
		if g.texts == nil {
			continue
		}
		if l := g.texts.spec.(layers.TextVectorization); l.Adapted() && l.Beside() {
			all = append(all, keras.Asset{Name: g.vocabulary(), Data: []byte(l.VocabularyFile())})
		}
	}
	return all
}

// spellOut writes learned vocabularies into a config that has nothing beside it.
func (m *Model) spellOut(config *keras.Object) {
	objects, _ := config.Config["layers"].([]*keras.Object)
	for _, n := range m.nodes[:m.texts] {
		given := n.spec.(layers.TextVectorization).Given().Config()
		for _, o := range objects {
			if o.Class == n.spec.Class() && o.Config["name"] == n.name {
				o.Config["vocabulary"], o.Config["idf_weights"] = given["vocabulary"], given["idf_weights"]
			}
		}
	}
}

// idf are the weights of tf_idf; nil where there are none.
func (g *group) idf() []float32 {
	if g.texts == nil {
		return nil
	}
	v, _ := layers.VectorizerOf(g.texts.layer)
	return v.IDF()
}

// readTexts gives the model's TextVectorizations what they learned: of a `.keras` file the vocabularies that stand beside the config, and the weights of tf_idf, which
// stand among the weights also where vocabulary and weights were given in the config; these may be old by then. A file of weights alone, where a is nil, has no
// vocabulary; its weights are those of the entries that the layer has, as in Keras. room is how many values the file can hold.
func (m *Model) readTexts(a *keras.Archive, weights weightFile, room int) error {
	for _, g := range m.groups() {
		if g.texts == nil {
			continue
		}
		l := g.texts.spec.(layers.TextVectorization)
		beside := a != nil && !l.Adapted() && a.Has(g.vocabulary())
		if !beside && !l.Adapted() {
			continue
		}
		idf, err := g.readIDF(weights, room)
		if err != nil {
			return err
		}
		switch {
		case beside:
			member, err := a.Member(g.vocabulary())
			if err != nil {
				return err
			}
			file, err := io.ReadAll(member)
			if err != nil {
				return fmt.Errorf("%s: %w", g.vocabulary(), err)
			}
			if l, err = l.WithVocabularyFile(string(file), idf); err != nil {
				return fmt.Errorf("%s: %w", g.vocabulary(), err)
			}
		case idf == nil && a == nil && g.idf() != nil:
			return fmt.Errorf("%s: expected %s for tf_idf, got none", g.vars(), idfDataset)
		case idf == nil || slices.Equal(idf, g.idf()):
			continue
		default:
			if l, err = l.WithIDF(idf); err != nil {
				return fmt.Errorf("%s: %w", g.vars(), err)
			}
		}
		if err := g.texts.respell(l); err != nil {
			return err
		}
		if i := slices.IndexFunc(m.specs, func(s layers.Spec) bool { _, ok := s.(layers.TextVectorization); return ok }); i >= 0 {
			m.specs[i] = l
		}
	}
	return nil
}

// readIDF are the weights of tf_idf in a file; nil where there are none, and for a layer that has no use for them.
func (g *group) readIDF(weights weightFile, room int) ([]float32, error) {
	if g.texts.spec.(layers.TextVectorization).OutputMode != "tf_idf" || !weights.hasArray(g.vars()+"/"+idfDataset) {
		return nil, nil
	}
	vars, err := weights.group(g.vars())
	if err != nil {
		return nil, err
	}
	d, err := vars.open(idfDataset)
	if err != nil {
		return nil, err
	}
	v, _ := layers.VectorizerOf(g.texts.layer)
	if n := v.Width(0); len(d.Shape()) != 1 || d.Shape()[0] != n || n > room {
		return nil, fmt.Errorf("%s: expected %d weights, got shape %v", d.Path(), n, d.Shape())
	}
	idf := make([]float32, d.Shape()[0])
	return idf, d.ReadFloat32(idf)
}
