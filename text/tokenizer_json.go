package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// tokenizerFile is Keras's form of a Tokenizer. The tables are texts of JSON in the JSON.
type tokenizerFile struct {
	Class  string          `json:"class_name"`
	Config tokenizerConfig `json:"config"`
}

type tokenizerConfig struct {
	NumWords  *int    `json:"num_words"`
	Filters   string  `json:"filters"`
	Lower     bool    `json:"lower"`
	Split     string  `json:"split"`
	CharLevel bool    `json:"char_level"`
	OOVToken  *string `json:"oov_token"`
	Documents int     `json:"document_count"`
	Counts    string  `json:"word_counts"`
	Docs      string  `json:"word_docs"`
	IndexDocs string  `json:"index_docs"`
	IndexWord string  `json:"index_word"`
	WordIndex string  `json:"word_index"`
}

// MarshalJSON is what Keras's to_json writes and tokenizer_from_json reads.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	f := tokenizerFile{Class: "Tokenizer", Config: tokenizerConfig{Filters: t.filters(), Lower: !t.NoLower, Split: t.split(), CharLevel: t.CharLevel,
		Documents: t.documents}}
	c := &f.Config
	if t.NumWords != 0 {
		c.NumWords = &t.NumWords
	}
	if t.OOVToken != "" {
		c.OOVToken = &t.OOVToken
	}
	docs := map[string]int{}
	var counts bytes.Buffer // in order: the index of a Tokenizer that is fitted again depends on it
	counts.WriteByte('{')
	for i, w := range t.counts {
		if docs[w.word] = w.docs; i > 0 {
			counts.WriteString(", ")
		}
		key, err := json.Marshal(w.word)
		if err != nil {
			return nil, err
		}
		counts.Write(key)
		counts.WriteString(": " + strconv.Itoa(w.count))
	}
	counts.WriteByte('}')
	c.Counts = counts.String()
	for _, table := range []struct {
		to *string
		v  any
	}{{&c.Docs, docs}, {&c.IndexDocs, orEmpty(t.indexDocs)}, {&c.IndexWord, orEmpty(t.words)}, {&c.WordIndex, orEmpty(t.index)}} {
		b, err := json.Marshal(table.v)
		if err != nil {
			return nil, err
		}
		*table.to = string(b)
	}
	return json.Marshal(f)
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// UnmarshalJSON reads what Keras's to_json, or MarshalJSON, wrote.
func (t *Tokenizer) UnmarshalJSON(b []byte) error {
	f := tokenizerFile{Config: tokenizerConfig{Filters: Filters, Lower: true, Split: " ", Counts: "{}", Docs: "{}", IndexDocs: "{}", IndexWord: "{}", WordIndex: "{}"}}
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("text: Tokenizer: %w", err)
	}
	c := f.Config
	if f.Class != "Tokenizer" {
		return fmt.Errorf("text: Tokenizer: class_name: expected Tokenizer, got %q", f.Class)
	}
	if c.Split == "" {
		return fmt.Errorf("text: Tokenizer: split: expected a text, got an empty one")
	}
	read := Tokenizer{Filters: c.Filters, NoFilters: c.Filters == "", NoLower: !c.Lower, Split: c.Split, CharLevel: c.CharLevel, documents: c.Documents,
		place: map[string]int{}}
	if c.NumWords != nil {
		read.NumWords = *c.NumWords
	}
	if c.OOVToken != nil {
		read.OOVToken = *c.OOVToken
	}
	docs := map[string]int{}
	for _, table := range []struct {
		key, text string
		to        any
	}{{"word_docs", c.Docs, &docs}, {"index_docs", c.IndexDocs, &read.indexDocs}, {"index_word", c.IndexWord, &read.words}, {"word_index", c.WordIndex, &read.index}} {
		if err := json.Unmarshal([]byte(table.text), table.to); err != nil {
			return fmt.Errorf("text: Tokenizer: %s: %w", table.key, err)
		}
	}
	if read.NumWords < 0 {
		return fmt.Errorf("text: Tokenizer: num_words: expected a number from 0, got %d", read.NumWords)
	}
	for w, id := range read.index {
		if id < 0 || id > 1<<31-1 {
			return fmt.Errorf("text: Tokenizer: word_index: expected ids from 0 to 2147483647, got %d for %q", id, w)
		}
	}
	if err := read.readCounts(c.Counts, docs); err != nil {
		return fmt.Errorf("text: Tokenizer: word_counts: %w", err)
	}
	*t = read
	return nil
}

// readCounts reads how often words were met, in the order in which they stand.
func (t *Tokenizer) readCounts(table string, docs map[string]int) error {
	d := json.NewDecoder(bytes.NewReader([]byte(table)))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("expected an object of words, got %v", open)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		w := wordCount{word: key.(string)}
		if err := d.Decode(&w.count); err != nil {
			return err
		}
		if _, twice := t.place[w.word]; twice {
			return fmt.Errorf("expected every word once, got %q twice", w.word)
		}
		w.docs = docs[w.word]
		t.place[w.word] = len(t.counts)
		t.counts = append(t.counts, w)
	}
	_, err := d.Token()
	return err
}
