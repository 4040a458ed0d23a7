package layers

import (
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/text"
)

// Vectorizer is a TextVectorization with its vocabulary at hand. It may be used by several goroutines at once, each with a Cut of its own.
type Vectorizer struct {
	spec  TextVectorization
	terms text.Terms
	ids   map[string]int32
	width int       // of a row of numbers
	idf   []float32 // of tf_idf, by id
}

// Vectorizer is the layer by itself. It fails on wrong arguments and without a vocabulary.
func (l TextVectorization) Vectorizer() (*Vectorizer, error) {
	if !l.Adapted() {
		return nil, fmt.Errorf("layers: TextVectorization: expected a vocabulary, got none: Adapt gives one")
	}
	return l.vectorizer()
}

func (l TextVectorization) vectorizer() (*Vectorizer, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if l.Open() {
		return nil, fmt.Errorf("layers: TextVectorization: expected a vocabulary for output_mode %s, whose size is the output's width, got none: Adapt gives one", l.mode())
	}
	v := &Vectorizer{spec: l, terms: l.terms(), ids: map[string]int32{}, width: l.VocabularySize()}
	if l.PadToMaxTokens {
		v.width = l.MaxTokens
	}
	first := len(l.special())
	for i, t := range l.own() {
		v.ids[t] = int32(first + i)
	}
	if l.mode() == modeTFIDF && l.Adapted() {
		v.idf = make([]float32, v.width)
		at := 0
		if !l.begins(l.special()) { // nothing is known of these: the mean of the others
			mean := 0.0
			for _, w := range l.IDFWeights {
				mean += w / float64(len(l.IDFWeights))
			}
			for at < first {
				v.idf[at] = float32(mean)
				at++
			}
		}
		for i, w := range l.IDFWeights {
			v.idf[at+i] = float32(w)
		}
	}
	return v, nil
}

// Spec is the layer.
func (v *Vectorizer) Spec() TextVectorization { return v.spec }

// IDF are the inverse document frequencies by id, those that stand for padding and unknown terms included; nil but for tf_idf.
func (v *Vectorizer) IDF() []float32 { return v.idf }

// ForIDs reports whether the layer returns ids, not numbers.
func (v *Vectorizer) ForIDs() bool { return v.spec.mode() == modeInt }

// Takes fails on texts of a shape that the layer does not take.
func (v *Vectorizer) Takes(rows tensor.Shape) error { return v.spec.takes(rows) }

// Width is how many numbers a row has, or how many ids, where the longest row of a batch has so many.
func (v *Vectorizer) Width(longest int) int {
	switch {
	case !v.ForIDs():
		return v.width
	case v.spec.OutputSequenceLength > 0:
		return v.spec.OutputSequenceLength
	}
	return longest
}

// Row appends the ids of the terms in a row of texts to dst. Of ids that are returned, no more than OutputSequenceLength; where numbers are, empty terms do not
// count.
func (v *Vectorizer) Row(dst []int32, cut *text.Cut, texts []string) []int32 {
	cut.Row(v.terms, texts)
	n, unknown := cut.Len(), int32(0)
	if v.ForIDs() {
		unknown = 1
		if limit := v.spec.OutputSequenceLength; limit > 0 {
			n = min(n, limit)
		}
	}
	for i := range n {
		term := cut.At(i)
		id, known := v.ids[string(term)]
		switch {
		case len(term) > 0 && !known:
			id = unknown
		case len(term) > 0:
		case v.ForIDs():
			id = 0
		default:
			continue
		}
		dst = append(dst, id)
	}
	return dst
}

// Count writes what a row of numbers says of these ids.
func (v *Vectorizer) Count(dst []float32, ids []int32) {
	clear(dst)
	for _, id := range ids {
		switch {
		case int(id) >= len(dst):
		case v.spec.mode() == modeMultiHot:
			dst[id] = 1
		default:
			dst[id]++
		}
	}
	for i, w := range v.idf {
		dst[i] *= w
	}
}

// IDs are the texts' terms, padded with zeros at the end; for output_mode int.
func (v *Vectorizer) IDs(texts *tensor.Text) (*tensor.IDs, error) {
	if !v.ForIDs() {
		return nil, fmt.Errorf("layers: TextVectorization: IDs: expected output_mode int, got %s: use Numbers", v.spec.mode())
	}
	rows, longest, err := v.rows(texts)
	if err != nil {
		return nil, err
	}
	x := tensor.NewIDs(len(rows), v.Width(longest))
	for i, ids := range rows {
		copy(x.Data[i*x.Shape[1]:], ids)
	}
	return x, nil
}

// Numbers are a number for every entry of the vocabulary and every row of texts; for the output modes multi_hot, count and tf_idf.
func (v *Vectorizer) Numbers(texts *tensor.Text) (*tensor.Tensor, error) {
	if v.ForIDs() {
		return nil, fmt.Errorf("layers: TextVectorization: Numbers: expected output_mode multi_hot, count or tf_idf, got int: use IDs")
	}
	rows, _, err := v.rows(texts)
	if err != nil {
		return nil, err
	}
	x := tensor.New(len(rows), v.width)
	for i, ids := range rows {
		v.Count(x.Data[i*v.width:(i+1)*v.width], ids)
	}
	return x, nil
}

func (v *Vectorizer) rows(texts *tensor.Text) (rows [][]int32, longest int, err error) {
	if err := v.Takes(texts.Shape); err != nil {
		return nil, 0, err
	}
	each := texts.Shape[1:].Size()
	if texts.Len()*each != len(texts.Data) {
		return nil, 0, fmt.Errorf("layers: TextVectorization: expected as many texts as shape %v says, got %d", texts.Shape, len(texts.Data))
	}
	var cut text.Cut
	for i := range texts.Len() {
		rows = append(rows, v.Row(nil, &cut, texts.Data[i*each:(i+1)*each]))
		longest = max(longest, len(rows[i]))
	}
	return rows, longest, nil
}
