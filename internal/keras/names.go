package keras

import (
	"fmt"
	"slices"
	"strings"
)

// Snake is a class name in snake case, as Keras names layers, groups of weights and losses: GlobalMaxPooling1D is
// global_max_pooling1d, RMSprop is rm_sprop, LSTM is lstm. Source: keras/src/utils/naming.py, to_snake_case.
func Snake(class string) string {
	upper := func(i int) bool { return class[i] >= 'A' && class[i] <= 'Z' }
	lower := func(i int) bool { return i < len(class) && class[i] >= 'a' && class[i] <= 'z' }
	var b strings.Builder
	for i := range len(class) {
		// A capital begins a word after anything when a small letter follows, and after a small letter always.
		if i > 0 && upper(i) && (lower(i+1) || lower(i-1)) {
			b.WriteByte('_')
		}
		b.WriteByte(class[i])
	}
	return strings.ToLower(b.String())
}

// Numbered is the class in snake case for the first of a class, and with a number from 1 for those behind it: lstm, lstm_1.
func Numbered(class string, before int) string {
	if before == 0 {
		return Snake(class)
	}
	return fmt.Sprintf("%s_%d", Snake(class), before)
}

// Unknown is the error for a name that is none of known: it lists the nearest ones, or all when none is near.
// pkg and kind say who asks: "losses", "loss".
func Unknown(pkg, kind, name string, known []string) error {
	near := nearest(name, known)
	if len(near) == 0 {
		return fmt.Errorf("%s: expected the name of %s, one of %s, got %s", pkg, kind, strings.Join(known, ", "), describe(name))
	}
	return fmt.Errorf("%s: expected the name of %s, got %s; did you mean %s?", pkg, kind, describe(name), strings.Join(near, " or "))
}

// nearest are at most three known names within an edit distance of two (swapped neighbours), or a third of a longer name's length,
// nearest first.
func nearest(name string, known []string) []string {
	// Longer names are not slips, and would make the table of distances large.
	if len(name) > 64 {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d <= max(2, len(k)/3) && d < len(k)-1 {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	names := make([]string, 0, 3)
	for _, c := range near[:min(3, len(near))] {
		names = append(names, c.name)
	}
	return names
}

// distance counts the insertions, deletions and replacements of bytes that turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
