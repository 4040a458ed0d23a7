package cell

import (
	"fmt"
	"strings"
)

// Error is place, expected and found, and the hint after a semicolon.
func (e *Error) Error() string {
	s := fmt.Sprintf("cell: line %d, column %d: %s", e.Line, e.Col, e.Msg)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// fault is an error at a token.
func fault(at token, hint, format string, args ...any) *Error {
	return &Error{Line: at.line, Col: at.col, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// nearest is the one of names that differs from name by case or by two letters, of a short name one; "" when none does.
func nearest(name string, names []string) string {
	best, least := "", min(len(name)/2, 2)+1
	for _, n := range names {
		if len(n) > 64 || len(name) > 64 { // the distance takes the product of the lengths
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
