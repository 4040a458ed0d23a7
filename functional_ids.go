package unroll

import (
	"maps"

	"github.com/unroll-ml/unroll/internal/keras"
)

// takeIDs makes ids of the inputs that embeddings alone read. Keras looks ids up in whatever number type they come, and keras.Input is of floats where
// nobody says otherwise; here ids are ids.
func takeIDs(objects []*keras.Object) {
	readers := map[string][]bool{} // by input: whether each reader is an embedding
	for _, o := range objects {
		var look func(v any)
		look = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, e := range v {
					look(e)
				}
			case map[string]any:
				if name, _, _, err := history("", v); err == nil {
					readers[name] = append(readers[name], readsIDs(o))
					return
				}
				for _, e := range v {
					look(e)
				}
			}
		}
		look(o.Extra["inbound_nodes"])
	}
	for _, o := range objects {
		name, _ := o.Extra["name"].(string)
		list := readers[name]
		if o.Class != "InputLayer" || len(list) == 0 || o.Config["dtype"] != "float32" {
			continue
		}
		all := true
		for _, is := range list {
			all = all && is
		}
		if all {
			o.Config = maps.Clone(o.Config)
			o.Config["dtype"] = "int32"
		}
	}
}

// readsIDs reports whether a layer takes ids: an embedding, the operation that compares ids with 0 for a mask, and a sequential model that begins with one.
func readsIDs(o *keras.Object) bool {
	switch o.Class {
	case "Embedding", "NotEqual":
		return true
	case "Sequential":
		for _, inner := range keras.Read("", o.Config).Objects("layers") {
			if inner.Class != "InputLayer" {
				return readsIDs(inner)
			}
		}
	}
	return false
}
