package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/datasets"
	"github.com/unroll-ml/unroll/datasets/imdb"
	"github.com/unroll-ml/unroll/datasets/reviews"
	"github.com/unroll-ml/unroll/sequence"
	"github.com/unroll-ml/unroll/tensor"
)

// lectureLen is the length that the lecture pads its reviews to.
const lectureLen = 500

// rows is one part of the data. Exactly one of texts, seqs, ids and floats is what goes into the model.
type rows struct {
	seqs    [][]int32      // sequences of ids, of any length
	words   bool           // the ids are of words
	padded  bool           // floats that have been brought to the length asked for
	ids     *tensor.IDs    // whole numbers
	floats  *tensor.Tensor //
	texts   []string       // a text a row
	classes []string       // the names of y's ids, where they have some
	y       any            // what should come out: *tensor.IDs, *tensor.Tensor, or nil
}

// dataSet is what DATA names.
type dataSet struct {
	name        string
	train, test *rows // test is nil where the data are not divided
	notice      string
}

// dataRequest is how the data are wanted.
type dataRequest struct {
	name     string
	numWords int     // word ids from here on become the id of an unknown word; 0: as they are
	cut      bool    // the user said numWords: it holds for every sequence of ids, not only of words
	maxLen   int     // sequences are brought to this length; 0: lectureLen for reviews and imdb, else the longest
	noTarget bool    // predict: a table may have no column to predict
	texts    bool    // the model reads texts: tables have some
	split    float64 // the last part of the rows is not trained on
	progress io.Writer
}

// loadData reads the data.
func loadData(ctx context.Context, r dataRequest) (*dataSet, error) {
	set := &dataSet{name: r.name}
	var err error
	switch ext := strings.ToLower(filepath.Ext(r.name)); {
	case r.name == "reviews":
		set.notice = "reviews: a made-up corpus, written by a grammar in this program and by nobody else"
		err = set.split(reviews.Load(datasets.Options{NumWords: r.numWords}))
	case r.name == "imdb":
		err = set.loadIMDB(ctx, r)
	case ext == ".npz":
		err = set.loadNPZ(r)
	case ext == ".npy":
		set.train, err = loadNPY(r.name)
	case isFolder(r.name):
		err = set.loadFolder(r)
	case ext == ".txt":
		set.train, err = loadLines(r)
	case r.texts && ext == ".csv":
		set.train, err = loadTextTable(r, ',')
	case r.texts && ext == ".tsv":
		set.train, err = loadTextTable(r, '\t')
	case ext == ".csv":
		set.train, err = loadTable(r, ',')
	case ext == ".tsv":
		set.train, err = loadTable(r, '\t')
	case ext == ".jsonl":
		set.train, err = loadJSONL(r)
	default:
		err = usage("--data: expected reviews, imdb, a file .npz, .npy, .csv, .tsv, .jsonl or .txt, or a folder of one folder a class, got %s", quoted(r.name))
		return nil, hint(err, "unroll data lists what there is by name")
	}
	if errors.Is(err, fs.ErrNotExist) && r.name != "imdb" {
		return nil, fmt.Errorf("--data: no such file: %s", r.name)
	}
	if err != nil {
		return nil, err
	}
	if set.train.len() == 0 {
		return nil, fmt.Errorf("--data: expected rows in %s, got none", r.name)
	}
	return set, nil
}

// split takes over both parts of a ready-made set.
func (d *dataSet) split(train, test datasets.Split, err error) error {
	if err != nil {
		return err
	}
	d.train = &rows{seqs: train.X, words: true, y: &tensor.IDs{Shape: tensor.Shape{len(train.Y)}, Data: train.Y}}
	d.test = &rows{seqs: test.X, words: true, y: &tensor.IDs{Shape: tensor.Shape{len(test.Y)}, Data: test.Y}}
	return nil
}

// loadIMDB reads imdb.npz from the user's cache, after fetching it where it is not there.
func (d *dataSet) loadIMDB(ctx context.Context, r dataRequest) error {
	f := imdb.Archive()
	if _, there, err := f.Cached(); err == nil && !there {
		fmt.Fprintf(r.progress, "fetching %s\n", f.URL)
	}
	path, err := f.Fetch(ctx)
	if err != nil {
		return hint(err, "--data reviews needs no network")
	}
	return d.split(imdb.Load(path, datasets.Options{NumWords: r.numWords}))
}

// len is the number of rows.
func (r *rows) len() int {
	switch {
	case r.texts != nil:
		return len(r.texts)
	case r.seqs != nil:
		return len(r.seqs)
	case r.ids != nil:
		return r.ids.Len()
	case r.floats != nil:
		return r.floats.Len()
	}
	return 0
}

// prepare makes the data fit the model, and prints what the lecture prints about them. A model that does not say what comes in is
// built for the rows.
func (d *dataSet) prepare(w io.Writer, r dataRequest, m *model) (train, test unroll.Data, err error) {
	in := m.wants()
	if d.notice != "" {
		fmt.Fprintln(w, d.notice)
	}
	for _, part := range []*rows{d.train, d.test} {
		if part == nil {
			continue
		}
		if err := part.asSequences(r); err != nil {
			return nil, nil, err
		}
	}
	if d.train.texts != nil && in.texts {
		if err := d.learn(w, r, m); err != nil {
			return nil, nil, fmt.Errorf("--data: %s: %w", d.name, err)
		}
	}
	// Where the data are divided, these are the lecture's own lines.
	sequences, name := d.train.seqs != nil, "input"
	if d.test != nil {
		name = "input_train"
	}
	switch {
	case sequences && d.test != nil:
		fmt.Fprintf(w, "%d train sequences\n%d test sequences\n", len(d.train.seqs), len(d.test.seqs))
	case sequences:
		fmt.Fprintf(w, "%d sequences\n", len(d.train.seqs))
	}
	if sequences {
		fmt.Fprintln(w, "Pad sequences (samples x time)")
	}
	length := r.maxLen
	if length == 0 && d.train.words {
		length = lectureLen
	}
	var shape tensor.Shape
	if train, shape, err = d.train.data(in, length); err != nil {
		return nil, nil, fmt.Errorf("--data: %s: %w", d.name, err)
	}
	fmt.Fprintf(w, "%s shape: %s\n", name, dims(shape))
	if m.Output() == nil {
		open := shape.Clone() // the number of rows is open, and that of steps
		open[0] = tensor.None
		if len(open) > 2 {
			open[1] = tensor.None
		}
		if err := m.Build(open); err != nil {
			return nil, nil, stackHint(err)
		}
	}
	if d.test != nil {
		if test, shape, err = d.test.data(in, length); err != nil {
			return nil, nil, fmt.Errorf("--data: %s: %w", d.name, err)
		}
		fmt.Fprintf(w, "input_test shape: %s\n", dims(shape))
	}
	return train, test, nil
}

// dims is a shape as R's cat prints it.
func dims(s tensor.Shape) string {
	var parts []string
	for _, n := range s {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, " ")
}

// wanted is what a model takes.
type wanted struct {
	texts     bool         // texts
	ids       bool         // integers
	shape     tensor.Shape // of one row, where the model says
	sequences bool         // the first layer walks over time
	words     int          // ids are below it; 0: not known
}

// data is the rows as the model takes them, and their shape.
func (r *rows) data(in wanted, length int) (unroll.Data, tensor.Shape, error) {
	switch {
	case r.texts != nil && !in.texts:
		return nil, nil, errors.New("expected a model that begins with text_vectorization, for texts; got one that takes numbers")
	case r.texts == nil && in.texts:
		return nil, nil, errors.New("expected texts, for a model that begins with text_vectorization; got numbers")
	case r.texts != nil:
		x := tensor.Texts(r.texts)
		d, err := unroll.Arrays(x, r.y)
		return d, x.Shape, err
	}
	ids, floats := r.ids, r.floats
	if r.seqs != nil {
		if !in.ids && r.words {
			return nil, nil, errors.New("expected a model that begins with an embedding, for sequences of words; got one that takes floats")
		}
		if err := r.checkLength(length); err != nil {
			return nil, nil, err
		}
		ids = sequence.Pad(r.seqs, sequence.PadOptions{MaxLen: length})
	}
	if !in.ids {
		if floats == nil {
			floats = tensor.New(ids.Shape...)
			for i, v := range ids.Data {
				floats.Data[i] = float32(v)
			}
		}
		shape, err := in.reshape(floats.Shape)
		if err != nil {
			return nil, nil, err
		}
		x := &tensor.Tensor{Shape: shape, Data: floats.Data}
		d, err := unroll.Arrays(x, r.y)
		return d, shape, err
	}
	if ids == nil {
		ids = tensor.NewIDs(floats.Shape...)
		for i, v := range floats.Data {
			if v != float32(math.Trunc(float64(v))) || math.Abs(float64(v)) > 1<<24 {
				return nil, nil, fmt.Errorf("expected whole numbers, for a model that begins with an embedding; got %v in row %d", v, i/max(1, floats.Shape[1:].Size())+1)
			}
			ids.Data[i] = int32(v)
		}
	}
	if len(ids.Shape) != 2 {
		return nil, nil, fmt.Errorf("expected ids of shape (rows, steps) for a model that begins with an embedding, got %v", ids.Shape)
	}
	d, err := unroll.Arrays(ids, r.y)
	return d, ids.Shape, err
}

// asSequences does what --num-words and --maxlen ask of ids that are not words, and refuses them for other numbers.
func (r *rows) asSequences(want dataRequest) error {
	if r.texts != nil {
		return r.asTexts(want)
	}
	if r.ids != nil && len(r.ids.Shape) == 2 && (want.cut || want.maxLen > 0) {
		steps := r.ids.Shape[1]
		r.seqs = make([][]int32, r.ids.Len())
		for i := range r.seqs {
			r.seqs[i] = r.ids.Data[i*steps : (i+1)*steps]
		}
		r.ids = nil
	}
	switch {
	case r.seqs == nil && want.cut:
		return usage("--num-words: expected sequences of ids, got other numbers in %s", want.name)
	case r.seqs == nil && want.maxLen > 0 && !r.padded:
		return usage("--maxlen: expected sequences, got arrays in %s", want.name)
	case !want.cut || r.words:
		return nil
	}
	for _, seq := range r.seqs {
		for i, id := range seq {
			if int(id) >= want.numWords {
				seq[i] = unknownWord
			}
		}
	}
	return nil
}

// unknownWord is Keras's id of a word that was left out, oov_char of load_data.
const unknownWord = 2

// checkLength refuses padding that would take far more memory than the sequences.
func (r *rows) checkLength(length int) error {
	total, longest := 0, 0
	for _, s := range r.seqs {
		total += len(s)
		longest = max(longest, len(s))
	}
	if length == 0 {
		length = longest
	}
	return checkPadded(len(r.seqs), length, total)
}

// checkPadded compares the numbers that sequences have with those of the padded array. What fits the lecture's length is always allowed.
func checkPadded(n, steps, total int) error {
	if steps > lectureLen && float64(n)*float64(steps) > 32*float64(total) {
		return hint(fmt.Errorf("expected sequences of similar length, got %d of %d numbers on average to be padded to %d", n, total/max(1, n), steps),
			"--maxlen N cuts or pads them to N")
	}
	return nil
}

// reshape is the shape of floats as the model takes them. A table's row is one sequence of single numbers for a model that walks
// over time, or whatever shape of as many numbers the model says.
func (in wanted) reshape(s tensor.Shape) (tensor.Shape, error) {
	if len(s) != 2 {
		return s, nil
	}
	row := in.shape
	switch {
	case len(row) == 0 && in.sequences:
		return tensor.Shape{s[0], s[1], 1}, nil
	case len(row) < 2:
		return s, nil
	}
	known, open := 1, 0
	for _, n := range row {
		if n == tensor.None {
			open++
		} else {
			known *= n
		}
	}
	if open > 1 || s[1]%known != 0 || open == 0 && s[1] != known {
		return nil, fmt.Errorf("expected rows that make %v, got rows of %d numbers", row, s[1])
	}
	out := append(tensor.Shape{s[0]}, row...)
	for i, n := range out {
		if n == tensor.None {
			out[i] = s[1] / known
		}
	}
	return out, nil
}

// isFolder reports whether there is a folder of that name.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// open is os.Open whose error keeps what happened apart from the name.
func open(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("expected a file, got a folder")
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
