package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/durable"
	"github.com/unroll-ml/unroll/internal/random"
	"github.com/unroll-ml/unroll/tensor"
)

// loadLines reads a .txt: a text a line, without targets.
func loadLines(r dataRequest) (*rows, error) {
	f, _, err := open(r.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := &rows{texts: []string{}}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("--data: %s: %w", r.name, err)
		}
		if line != "" {
			out.texts = append(out.texts, strings.TrimRight(line, "\r\n"))
		}
		if err == io.EOF {
			return out, nil
		}
	}
}

// loadTextTable reads a .csv or .tsv with a text a row. A first line that has one of the names below is a header. The text is in the column text (or x, review,
// sentence), else in the first; the target, a number or a class, in the column y, target, label or class, else in the last of several.
func loadTextTable(r dataRequest, comma rune) (*rows, error) {
	f, _, err := open(r.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := csv.NewReader(f)
	t.Comma, t.LazyQuotes = comma, comma == '\t'
	out := &rows{texts: []string{}}
	at, target := -1, -1
	var labels []string
	for first := true; ; first = false {
		record, err := t.Read()
		if err == io.EOF {
			break
		}
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := t.FieldPos(0)
			return nil, fmt.Errorf("--data: %s:%d: expected %d columns, got %d", r.name, line, t.FieldsPerRecord, len(record))
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("--data: %s:%d: %w", r.name, wrong.Line, wrong.Err)
		case err != nil:
			return nil, fmt.Errorf("--data: %s: %w", r.name, err)
		}
		if first {
			header := named(record, textNames()) >= 0 || named(record, targetNames()) >= 0
			at, target = 0, len(record)-1
			if header {
				at, target = named(record, textNames()), named(record, targetNames())
				if at < 0 && target == 0 {
					at = len(record) - 1
				}
				at = max(at, 0)
				if target < 0 && !r.noTarget && len(record) > 1 && at != len(record)-1 {
					target = len(record) - 1
				}
			} else if r.noTarget {
				target = -1
			}
			if at == target {
				target = -1
			}
			if header {
				continue
			}
		}
		out.texts = append(out.texts, record[at])
		if target >= 0 {
			labels = append(labels, strings.TrimSpace(record[target]))
		}
	}
	if len(out.texts) == 0 {
		return nil, fmt.Errorf("--data: %s: expected rows with texts, got none", r.name)
	}
	if target >= 0 {
		out.label(labels)
	}
	return out, nil
}

func textNames() []string { return []string{"text", "x", "review", "sentence"} }

func targetNames() []string { return []string{"y", "target", "label", "class"} }

// named is the column that has one of these names; -1: none.
func named(record, names []string) int {
	return slices.IndexFunc(record, func(field string) bool {
		return slices.Contains(names, strings.ToLower(strings.TrimSpace(field)))
	})
}

// label makes targets of labels: numbers where all are, else classes in the order of their names.
func (r *rows) label(labels []string) {
	y := tensor.New(len(labels))
	numbers := true
	for i, l := range labels {
		v, err := strconv.ParseFloat(l, 32)
		numbers = numbers && err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
		y.Data[i] = float32(v)
	}
	if numbers {
		r.y = whole(y)
		return
	}
	r.classes = slices.Compact(slices.Sorted(slices.Values(labels)))
	ids := tensor.NewIDs(len(labels))
	for i, l := range labels {
		k, _ := slices.BinarySearch(r.classes, l)
		ids.Data[i] = int32(k)
	}
	r.y = ids
}

// loadFolder reads a folder of one folder a class, each of .txt files, a text each; or of two such, train and test. Classes are numbered in the order of their names.
// Rows come in an order drawn once for all, so that the last are of every class; those to predict come class by class, by name.
func (d *dataSet) loadFolder(r dataRequest) error {
	folders, files, err := contents(r.name)
	switch {
	case err != nil:
		return err
	case slices.Equal(folders, []string{"test", "train"}):
		if d.train, err = readClasses(filepath.Join(r.name, "train"), r.noTarget); err != nil {
			return err
		}
		if d.test, err = readClasses(filepath.Join(r.name, "test"), r.noTarget); err != nil {
			return err
		}
		if !slices.Equal(d.train.classes, d.test.classes) {
			return fmt.Errorf("--data: %s: expected the same classes in train and test, got %s and %s", r.name,
				strings.Join(d.train.classes, ", "), strings.Join(d.test.classes, ", "))
		}
	case len(folders) > 0:
		d.train, err = readClasses(r.name, r.noTarget)
	case r.noTarget && len(files) > 0:
		d.train = &rows{texts: []string{}}
		err = d.train.readFiles(r.name, files)
	default:
		err = fmt.Errorf("--data: %s: expected one folder a class, with .txt files in it, got none", r.name)
	}
	return err
}

// contents are the folders and the .txt files of a folder, in the order of their names, hidden ones left out.
func contents(path string) (folders, files []string, err error) {
	all, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, fmt.Errorf("--data: cannot read %s: %w", path, durable.Cause(err))
	}
	for _, e := range all {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			folders = append(folders, name)
		case strings.ToLower(filepath.Ext(name)) == ".txt":
			files = append(files, name)
		}
	}
	return folders, files, nil
}

func readClasses(path string, inOrder bool) (*rows, error) {
	folders, _, err := contents(path)
	if err != nil {
		return nil, err
	}
	if len(folders) < 2 {
		return nil, fmt.Errorf("--data: %s: expected one folder a class, two of them or more, got %d", path, len(folders))
	}
	r := &rows{texts: []string{}, classes: folders}
	y := &tensor.IDs{}
	for k, class := range folders {
		folder := filepath.Join(path, class)
		_, files, err := contents(folder)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("--data: %s: expected .txt files, got none", folder)
		}
		if err := r.readFiles(folder, files); err != nil {
			return nil, err
		}
		for range files {
			y.Data = append(y.Data, int32(k))
		}
	}
	y.Shape = tensor.Shape{len(y.Data)}
	if !inOrder {
		random.New(0, random.Data).Shuffle(len(y.Data), func(i, j int) {
			r.texts[i], r.texts[j] = r.texts[j], r.texts[i]
			y.Data[i], y.Data[j] = y.Data[j], y.Data[i]
		})
	}
	r.y = y
	return r, nil
}

func (r *rows) readFiles(folder string, files []string) error {
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("--data: cannot read %s: %w", filepath.Join(folder, name), durable.Cause(err))
		}
		r.texts = append(r.texts, string(b))
	}
	return nil
}

// asTexts refuses what is asked of other data.
func (r *rows) asTexts(want dataRequest) error {
	switch {
	case want.cut:
		return hint(usage("--num-words: expected sequences of ids, got texts in %s", want.name), "text_vectorization(max_tokens=N) keeps the most frequent words")
	case want.maxLen > 0:
		return hint(usage("--maxlen: expected sequences of ids, got texts in %s", want.name), "text_vectorization(output_sequence_length=N) cuts and pads them")
	}
	return nil
}

// learn gives the model its vocabulary, where it has none, from the rows that are trained on.
func (d *dataSet) learn(w io.Writer, r dataRequest, m *model) error {
	part := map[bool]string{true: " train", false: ""}[d.test != nil]
	fmt.Fprintf(w, "%d%s texts\n", d.train.len(), part)
	if d.test != nil {
		fmt.Fprintf(w, "%d test texts\n", d.test.len())
	}
	if names := d.train.classes; names != nil {
		var all []string
		for i, name := range names {
			all = append(all, fmt.Sprintf("%d %s", i, name))
		}
		fmt.Fprintf(w, "classes: %s\n", strings.Join(all, ", "))
	}
	if m.file {
		return nil
	}
	l := m.vectorization()
	if l == nil || l.Adapted() {
		return nil
	}
	n := int(math.Floor(float64(d.train.len()) * (1 - r.split))) // as Fit divides them
	texts := d.train.texts[:n]
	if err := m.Adapt(tensor.Texts(texts)); err != nil {
		return stackHint(err)
	}
	fmt.Fprintf(w, "vocabulary: %d entries, from %d texts\n", len(m.Vocabulary()), n)
	return nil
}
