package main

import (
	"io"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/hdf5"
	"github.com/unroll-ml/unroll/internal/keras"
)

// keras reads a .keras file.
func (r *fileReport) keras(f io.ReaderAt, size int64) error {
	a, err := keras.OpenArchive(f, size)
	if err != nil {
		return err
	}
	r.Keras = a.Metadata.KerasVersion
	if !a.Metadata.DateSaved.IsZero() {
		r.Saved = a.Metadata.DateSaved.Format("2006-01-02 15:04:05")
	}
	r.describe(map[string]any{"class_name": a.Config.Class, "config": a.Config.Config})
	if opt, ok := a.Config.Compile["optimizer"].(map[string]any); ok {
		class, _ := opt["class_name"].(string)
		r.Optimizer = &optimizerReport{Name: class}
	}
	member, err := a.Weights()
	if err != nil {
		r.Format, r.Note = "keras", err.Error() // the layers can be shown all the same
		return nil
	}
	err = r.hdf5(member, member.Size())
	r.Format = "keras"
	return err
}

// describe takes the layers of a model's config, those of models in it too.
func (r *fileReport) describe(config map[string]any) {
	r.Model, _ = config["class_name"].(string)
	var walk func(config map[string]any, within string, depth int)
	walk = func(config map[string]any, within string, depth int) {
		inner, _ := config["config"].(map[string]any)
		layers, _ := inner["layers"].([]any)
		for _, l := range layers {
			object, _ := l.(map[string]any)
			class, _ := object["class_name"].(string)
			of, _ := object["config"].(map[string]any)
			name, _ := of["name"].(string)
			r.Layers = append(r.Layers, layerReport{within + name, class})
			if depth < 20 {
				walk(object, within+name+"/", depth+1)
			}
		}
	}
	walk(config, "", 0)
}

// hdf5 reads a .weights.h5 file, or an .h5 file of any kind.
func (r *fileReport) hdf5(f io.ReaderAt, size int64) error {
	r.Format = "hdf5"
	h, err := hdf5.Open(f, size)
	if err != nil {
		return err
	}
	root := h.Root()
	text := func(o hdf5.Object, name string) string {
		if a, ok := o.Attr(name); ok {
			s, _ := a.Text()
			return s
		}
		return ""
	}
	if v := text(root, "keras_version"); v != "" {
		r.Keras = v
	}
	if s := text(root, "model_config"); s != "" {
		if config, err := keras.Decode("model_config", []byte(s)); err == nil {
			r.describe(config)
		}
	}
	if s := text(root, "training_config"); s != "" {
		if config, err := keras.Decode("training_config", []byte(s)); err == nil {
			opt, _ := config["optimizer_config"].(map[string]any)
			class, _ := opt["class_name"].(string)
			r.Optimizer = &optimizerReport{Name: class}
		}
	}
	if vars, err := root.Group("optimizer/vars"); err == nil && r.Optimizer == nil {
		r.Optimizer = &optimizerReport{Name: text(vars, "name")}
	}
	r.group(root)
	r.progress()
	return nil
}

// group takes the datasets of a group and of all below it.
func (r *fileReport) group(g *hdf5.Group) {
	for _, key := range naturally(g.Keys()) {
		path := strings.TrimPrefix(strings.TrimSuffix(g.Path(), "/")+"/"+key, "/")
		o, err := g.Lookup(key)
		if err != nil {
			note := err.Error()
			if at := strings.LastIndex(note, "not supported: "); at >= 0 {
				note = note[at:]
			}
			r.Arrays = append(r.Arrays, arrayReport{Path: path, Note: note})
			continue
		}
		switch o := o.(type) {
		case *hdf5.Group:
			r.group(o)
		case *hdf5.Dataset:
			a := arrayReport{Path: path, Type: o.Type().String(), Shape: append([]int{}, o.Shape()...)}
			switch o.Type().Kind {
			case hdf5.Float, hdf5.BFloat, hdf5.Int, hdf5.Uint, hdf5.Bool:
				values := make([]float64, o.Len())
				a.read(values, o.ReadFloat64(values))
			default:
				a.Note = "not numbers"
			}
			r.Arrays = append(r.Arrays, a)
		}
	}
}

// naturally sorts names so that 10 comes behind 9.
func naturally(names []string) []string {
	slices.SortStableFunc(names, func(a, b string) int {
		if isNumber(a) && isNumber(b) && len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// progress finds the optimizer's step and rate among the arrays: they have no axes.
func (r *fileReport) progress() {
	if r.Optimizer == nil {
		return
	}
	for _, a := range r.Arrays {
		if a.statistics == nil || len(a.Shape) > 0 {
			continue
		}
		switch name := a.Path[strings.LastIndexByte(a.Path, '/')+1:]; {
		case a.Path == "optimizer/vars/0", strings.HasPrefix(a.Path, "optimizer_weights/") && strings.HasPrefix(name, "iteration"):
			r.Optimizer.Step = finite(a.first)
		case a.Path == "optimizer/vars/1", strings.HasPrefix(a.Path, "optimizer_weights/") && strings.HasPrefix(name, "learning_rate"):
			r.Optimizer.Rate = finite(a.first)
		}
	}
}
