package layers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/text"
)

// TextVectorization turns texts into ids of words, (N, T), or into a number for every word, (N, V): texts are brought into one form and cut into terms (see
// text.Terms), and a term's id is its place in the vocabulary that Adapt learns. It stands behind an Input of texts or is the first layer of a model; the model
// reads the texts of a batch before its other layers see anything. Alone it is a Vectorizer. Source: keras/src/layers/preprocessing/text_vectorization.py.
type TextVectorization struct {
	Name        string
	MaxTokens   int    // how large the vocabulary may be, the ids of padding and of unknown terms included; 0: as large as it is
	Standardize string // "": lower_and_strip_punctuation; lower, strip_punctuation, none
	Split       string // "": whitespace; character, none
	// NGrams are widths: terms are so many pieces, as many times as there are widths. nil: one piece. Keras's number n is the widths from 1 to n.
	NGrams     []int
	OutputMode string // "": int; multi_hot, count, tf_idf
	// OutputSequenceLength is the length that rows of ids are cut or padded to, at their ends; 0: the longest of the batch.
	OutputSequenceLength int
	PadToMaxTokens       bool // rows of multi_hot, count and tf_idf have MaxTokens numbers, however few terms there are
	// Vocabulary are the terms by their ids, with or without those before the first: "" (of int alone) and [UNK].
	Vocabulary []string
	IDFWeights []float64 // of tf_idf, one for every entry of Vocabulary

	learned bool // by Adapt: a file keeps the vocabulary beside the config, as Keras does
	size    int  // of the vocabulary, as a file says before it has been read
}

// unknownTerm stands in a vocabulary for all terms that it does not have.
const unknownTerm = "[UNK]"

// Class is "TextVectorization".
func (TextVectorization) Class() string { return "TextVectorization" }

// GivenName is the name that the user gave.
func (l TextVectorization) GivenName() string { return l.Name }

// Signature is what the layer expects when it is the first: one text a row.
func (TextVectorization) Signature() Signature {
	return Signature{Shape: tensor.Shape{tensor.None, 1}, Text: true}
}

func (l TextVectorization) mode() string { return cmp.Or(l.OutputMode, modeInt) }

func (l TextVectorization) terms() text.Terms {
	return text.Terms{Standardize: cmp.Or(l.Standardize, text.LowerAndStripPunctuation), Split: cmp.Or(l.Split, text.Whitespace), NGrams: l.NGrams}
}

// The modes.
const (
	modeInt      = "int"
	modeMultiHot = "multi_hot"
	modeCount    = "count"
	modeTFIDF    = "tf_idf"
)

// special are the entries before the first term: ids of padding and of unknown terms; numbers have no padding.
func (l TextVectorization) special() []string {
	if l.mode() == modeInt {
		return []string{"", unknownTerm}
	}
	return []string{unknownTerm}
}

// Config implements Spec.
func (l TextVectorization) Config() map[string]any {
	c := config(l)
	c["max_tokens"], c["output_sequence_length"] = positive(l.MaxTokens), positive(l.OutputSequenceLength)
	t := l.terms()
	c["standardize"], c["split"], c["ngrams"], c["output_mode"] = orNull(t.Standardize), orNull(t.Split), nil, l.mode()
	if l.NGrams != nil {
		c["ngrams"] = intList(l.NGrams)
	}
	c["pad_to_max_tokens"], c["sparse"], c["ragged"], c["encoding"] = l.PadToMaxTokens, false, false, "utf-8"
	c["vocabulary"], c["idf_weights"], c["vocabulary_size"] = nil, nil, l.VocabularySize()
	if l.Vocabulary != nil && !l.Beside() {
		terms := []any{}
		for _, t := range l.Vocabulary {
			terms = append(terms, t)
		}
		c["vocabulary"] = terms
		if l.mode() == modeTFIDF {
			weights := []any{}
			for _, w := range l.IDFWeights {
				weights = append(weights, w)
			}
			c["idf_weights"] = weights
		}
	}
	return c
}

// positive is a number, or null for 0.
func positive(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// orNull is a word, or null for "none".
func orNull(word string) any {
	if word == text.None {
		return nil
	}
	return word
}

func readTextVectorization(r *keras.Reader) Spec {
	r.Only("sparse", false)
	r.Only("ragged", false)
	r.Only("encoding", "utf-8")
	l := TextVectorization{Name: base(r), MaxTokens: r.Int("max_tokens", 0), Standardize: word(r, "standardize"), Split: word(r, "split"),
		OutputMode: r.String("output_mode", modeInt), OutputSequenceLength: r.Int("output_sequence_length", 0),
		PadToMaxTokens: r.Bool("pad_to_max_tokens", false), IDFWeights: r.Floats("idf_weights"), size: r.Int("vocabulary_size", 0)}
	switch l.OutputMode { // old names
	case "binary":
		l.OutputMode = modeMultiHot
	case "tf-idf":
		l.OutputMode = modeTFIDF
	}
	if !r.Null("ngrams") {
		if _, list := r.Value("ngrams").([]any); list {
			l.NGrams = r.Ints("ngrams")
		} else if n := r.Int("ngrams"); n < 1 || n > maxNGrams {
			r.Fail("ngrams", fmt.Sprintf("a width from 1 to %d, or a list of them", maxNGrams))
		} else {
			for k := range n {
				l.NGrams = append(l.NGrams, k+1)
			}
		}
	}
	switch list := r.Value("vocabulary").(type) {
	case nil:
	case []any:
		l.Vocabulary = []string{}
		for _, v := range list {
			term, ok := v.(string)
			if !ok {
				r.Fail("vocabulary", "a list of texts")
				break
			}
			l.Vocabulary = append(l.Vocabulary, term)
		}
	default:
		r.Fail("vocabulary", "a list of texts")
	}
	if l.size < 0 || l.size > maxAxis {
		r.Fail("vocabulary_size", fmt.Sprintf("a number up to %d", maxAxis))
	}
	return l
}

// maxNGrams bounds a number of widths, so that a config makes no long list.
const maxNGrams = 64

// word reads a word; null is "none", absent the default.
func word(r *keras.Reader, key string) string {
	if r.Has(key) && r.Null(key) {
		return text.None
	}
	if _, ok := r.Value(key).(map[string]any); ok {
		r.Fail(key, "the name of a rule (a function is Python code, which is not run here)")
		return ""
	}
	return r.String(key, "")
}

// Adapt is the layer with the vocabulary of texts, a row each: the most frequent terms first, those that are as frequent in reverse order of their bytes. It
// fails where the layer has one already.
func (l TextVectorization) Adapt(rows []string) (TextVectorization, error) {
	return l.AdaptTo(tensor.Texts(rows))
}

// AdaptTo is Adapt for rows of one text each, (N) or (N, 1), or, where nothing is split, of several.
func (l TextVectorization) AdaptTo(rows *tensor.Text) (TextVectorization, error) {
	if err := l.check(); err != nil {
		return l, err
	}
	if l.Vocabulary != nil && !l.learned {
		return l, fmt.Errorf("layers: TextVectorization: Adapt: expected a layer without a vocabulary, got one of %d terms", len(l.Vocabulary))
	}
	if err := l.takes(rows.Shape); err != nil {
		return l, err
	}
	var counts text.Counts
	var cut text.Cut
	each := rows.Shape[1:].Size()
	for i := range rows.Len() {
		cut.Row(l.terms(), rows.Data[i*each:(i+1)*each])
		counts.Add(&cut)
	}
	limit := 0
	if l.MaxTokens > 0 {
		limit = l.MaxTokens - len(l.special())
	}
	var idf []float64
	if l.MaxTokens > 0 && limit <= 0 {
		l.Vocabulary = []string{}
	} else {
		l.Vocabulary, idf = counts.Most(limit, "", unknownTerm)
	}
	if l.mode() == modeTFIDF {
		l.IDFWeights = idf
	}
	if l.learned = true; len(l.Vocabulary) == 0 {
		return l, fmt.Errorf("layers: TextVectorization: Adapt: expected texts with at least one term, got %d texts without", rows.Len())
	}
	return l, nil
}

// Adapted reports whether the layer has a vocabulary.
func (l TextVectorization) Adapted() bool { return l.Vocabulary != nil }

// Open reports whether the layer needs a vocabulary to say how wide its output is.
func (l TextVectorization) Open() bool {
	return l.mode() != modeInt && !l.PadToMaxTokens && !l.Adapted() && l.size == 0
}

// Terms are all entries of the vocabulary by their ids, those of padding and of unknown terms included. Keras: get_vocabulary.
func (l TextVectorization) Terms() []string {
	return append(l.special(), l.own()...)
}

// own are the terms without the special entries.
func (l TextVectorization) own() []string {
	if s := l.special(); l.begins(s) {
		return l.Vocabulary[len(s):]
	}
	return l.Vocabulary
}

// begins reports whether the vocabulary begins with the special entries.
func (l TextVectorization) begins(special []string) bool {
	return len(l.Vocabulary) >= len(special) && slices.Equal(l.Vocabulary[:len(special)], special)
}

// VocabularySize is how many entries the vocabulary has, the special ones included.
func (l TextVectorization) VocabularySize() int {
	if l.Vocabulary == nil {
		return max(l.size, len(l.special()))
	}
	return len(l.special()) + len(l.own())
}

// check fails on wrong arguments.
func (l TextVectorization) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("layers: TextVectorization: "+format, args...)
	}
	if err := l.terms().Check(); err != nil {
		return fail("%w", err)
	}
	switch l.mode() {
	case modeInt, modeMultiHot, modeCount, modeTFIDF:
	default:
		return fail("output_mode must be int, multi_hot, count or tf_idf, got %q", l.OutputMode)
	}
	switch {
	case l.MaxTokens < 0 || l.MaxTokens == 1 || l.MaxTokens > maxAxis:
		return fail("max_tokens must be from 2 to %d, got %d", maxAxis, l.MaxTokens)
	case l.OutputSequenceLength < 0 || l.OutputSequenceLength > maxAxis:
		return fail("output_sequence_length must be from 1 to %d, got %d", maxAxis, l.OutputSequenceLength)
	case l.OutputSequenceLength > 0 && l.mode() != modeInt:
		return fail("output_sequence_length must not be given for output_mode %s, got %d", l.mode(), l.OutputSequenceLength)
	case l.PadToMaxTokens && l.MaxTokens == 0:
		return fail("max_tokens must be given with pad_to_max_tokens")
	case l.IDFWeights != nil && l.mode() != modeTFIDF:
		return fail("idf_weights must not be given for output_mode %s", l.mode())
	case len(l.IDFWeights) != len(l.Vocabulary) && l.mode() == modeTFIDF:
		return fail("idf_weights must have an entry for each of the vocabulary's, %d, got %d", len(l.Vocabulary), len(l.IDFWeights))
	case l.Vocabulary != nil && len(l.Vocabulary) == 0:
		return fail("vocabulary must have at least one term, got none")
	case l.MaxTokens > 0 && l.VocabularySize() > max(l.MaxTokens, len(l.special())):
		return fail("vocabulary must have at most max_tokens entries, %d, those of padding and unknown terms included, got %d", l.MaxTokens, l.VocabularySize())
	}
	seen := map[string]bool{}
	for _, t := range l.own() {
		if seen[t] {
			return fail("vocabulary must have every term once, got %q twice", t)
		}
		if t == "" && l.special()[0] == "" {
			return fail(`vocabulary must begin with "" and %q or have neither, got "" among the terms`, unknownTerm)
		}
		seen[t] = true
	}
	return nil
}

// takes fails unless the texts of a row are one, or nothing is split.
func (l TextVectorization) takes(rows tensor.Shape) error {
	if len(rows) != 1 && len(rows) != 2 || len(rows) == 2 && rows[1] != 1 && (l.terms().Split != text.None || rows[1] == tensor.None) {
		want := "(N) or (N, 1)"
		if l.terms().Split == text.None {
			want = "(N) or (N, K)"
		}
		return fmt.Errorf("layers: TextVectorization: expected texts of shape %s, got %v", want, rows)
	}
	return nil
}

// Build checks the arguments. The layer has no weights.
func (l TextVectorization) Build(_ *Builder, in []Signature) (Layer, error) {
	v, err := l.vectorizer()
	if err != nil {
		return nil, err
	}
	t := &textVectorization{v}
	_, err = t.Output(in)
	return t, err
}

// textVectorization is the layer in a model, which reads the texts of a batch before the shards: nothing is left to do on the way.
type textVectorization struct{ *Vectorizer }

// VectorizerOf is what a TextVectorization reads texts with; false for every other layer.
func VectorizerOf(l Layer) (*Vectorizer, bool) {
	t, ok := l.(*textVectorization)
	if !ok {
		return nil, false
	}
	return t.Vectorizer, true
}

func (t *textVectorization) Weights() []*Weight { return nil }

func (t *textVectorization) Output(in []Signature) ([]Signature, error) {
	if len(in) != 1 || !in[0].Text {
		return nil, fmt.Errorf("layers: TextVectorization: expected texts, got %s", describe(in))
	}
	if err := t.spec.takes(in[0].Shape); err != nil {
		return nil, err
	}
	rows := in[0].Shape[0]
	if t.spec.mode() != modeInt {
		return []Signature{{Shape: tensor.Shape{rows, t.width}}}, nil
	}
	steps := tensor.None
	switch {
	case t.spec.OutputSequenceLength > 0:
		steps = t.spec.OutputSequenceLength
	case t.spec.terms().Split == text.None && t.spec.NGrams == nil:
		steps = max(1, in[0].Shape[1:].Size())
	}
	return []Signature{{Shape: tensor.Shape{rows, steps}, IDs: true}}, nil
}

func (t *textVectorization) Layout() Layout { return Plain }

func (t *textVectorization) Prepare(bool) {}

func (t *textVectorization) ShardRows() int { return 0 }

func (t *textVectorization) Forward(*Call) {}

func (t *textVectorization) Backward(*Call) {}
