package text

import (
	"cmp"
	"math"
	"slices"
)

// Counts is how often terms were met, and in how many rows of texts. Source: keras/src/layers/preprocessing/index_lookup.py.
type Counts struct {
	rows  int
	terms map[string]*termCount
}

type termCount struct {
	term        string
	count, rows int
	last        int // the row in which it was met last, from 1
}

// Add counts the terms of a row.
func (c *Counts) Add(row *Cut) {
	if c.terms == nil {
		c.terms = map[string]*termCount{}
	}
	c.rows++
	for i := range row.Len() {
		b := row.At(i)
		t := c.terms[string(b)]
		if t == nil {
			t = &termCount{term: string(b)}
			c.terms[t.term] = t
		}
		t.count++
		if t.last != c.rows {
			t.last = c.rows
			t.rows++
		}
	}
}

// Most are the most frequent terms, limit of them or, with 0, all, and of each its inverse document frequency: ln(1 + rows / (1 + rows with the term)). Terms
// that are as frequent stand in reverse order of their bytes, as Keras has them. but are terms that do not count.
func (c *Counts) Most(limit int, but ...string) (terms []string, idf []float64) {
	var all []*termCount
	for _, t := range c.terms {
		if !slices.Contains(but, t.term) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *termCount) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(b.term, a.term))
	})
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	for _, t := range all {
		terms, idf = append(terms, t.term), append(idf, math.Log(1+float64(c.rows)/float64(1+t.rows)))
	}
	return terms, idf
}
