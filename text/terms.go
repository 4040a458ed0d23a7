package text

import (
	"fmt"
	"unicode/utf8"
)

// How a text is brought into one form before it is cut.
const (
	LowerAndStripPunctuation = "lower_and_strip_punctuation"
	Lower                    = "lower"
	StripPunctuation         = "strip_punctuation"
	None                     = "none" // Keras: None
)

// Where a text is cut, besides None.
const (
	Whitespace = "whitespace"
	Character  = "character"
)

// Terms are the rules by which TextVectorization cuts texts into terms. Capitals, punctuation and whitespace are those of ASCII, as in TensorFlow; punctuation
// is taken out, the apostrophe too, not replaced. Source: keras/src/layers/preprocessing/text_vectorization.py, _preprocess.
type Terms struct {
	Standardize string // one of the four forms
	Split       string // Whitespace, Character or None
	NGrams      []int  // widths: all terms of the first, then all of the second, and so on; nil: single ones
}

// Check fails on rules that there are not.
func (t Terms) Check() error {
	switch t.Standardize {
	case LowerAndStripPunctuation, Lower, StripPunctuation, None:
	default:
		return fmt.Errorf("standardize must be lower_and_strip_punctuation, lower, strip_punctuation or none, got %q", t.Standardize)
	}
	switch t.Split {
	case Whitespace, Character, None:
	default:
		return fmt.Errorf("split must be whitespace, character or none, got %q", t.Split)
	}
	if t.NGrams != nil && len(t.NGrams) == 0 {
		return fmt.Errorf("ngrams must have at least one width, got none")
	}
	for _, n := range t.NGrams {
		if n < 1 {
			return fmt.Errorf("ngrams must be widths from 1, got %v", t.NGrams)
		}
	}
	return nil
}

// Cut is the terms of a row of texts. Its memory is used again.
type Cut struct {
	text  []byte   // the pieces, with a blank between two of them, so that an n-gram is a stretch of it
	at    [][2]int // where the pieces begin and end
	terms [][2]int
}

// Row cuts the texts of a row: one, unless Split is None, where each is a piece.
func (c *Cut) Row(t Terms, texts []string) {
	c.text, c.at = c.text[:0], c.at[:0]
	for _, text := range texts {
		switch t.Split {
		case Whitespace:
			c.words(t, text)
		case Character:
			c.characters(t, text)
		default:
			c.begin()
			for i := range len(text) {
				if b, ok := t.form(text[i]); ok {
					c.text = append(c.text, b)
				}
			}
			c.end()
		}
	}
	if t.NGrams == nil {
		c.terms = append(c.terms[:0], c.at...)
		return
	}
	c.terms = c.terms[:0]
	for _, n := range t.NGrams {
		for i := 0; i+n <= len(c.at); i++ {
			c.terms = append(c.terms, [2]int{c.at[i][0], c.at[i+n-1][1]})
		}
	}
}

// Len is the number of terms.
func (c *Cut) Len() int { return len(c.terms) }

// At is term i, valid until the next Row.
func (c *Cut) At(i int) []byte { return c.text[c.terms[i][0]:c.terms[i][1]] }

// begin begins a piece.
func (c *Cut) begin() {
	if len(c.at) > 0 {
		c.text = append(c.text, ' ')
	}
	c.at = append(c.at, [2]int{len(c.text), 0})
}

func (c *Cut) end() { c.at[len(c.at)-1][1] = len(c.text) }

// form is a byte in its one form; false: it is taken out.
func (t Terms) form(b byte) (byte, bool) {
	switch t.Standardize {
	case Lower:
		return lower(b), true
	case StripPunctuation:
		return b, !punctuation(b)
	case LowerAndStripPunctuation:
		return lower(b), !punctuation(b)
	}
	return b, true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}

// punctuation is every visible character of ASCII that is no letter and no digit.
func punctuation(b byte) bool {
	return '!' <= b && b <= '/' || ':' <= b && b <= '@' || '[' <= b && b <= '`' || '{' <= b && b <= '~'
}

func whitespace(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' }

// words are the pieces between whitespace, after punctuation was taken out.
func (c *Cut) words(t Terms, text string) {
	inside := false
	for i := range len(text) {
		b, ok := t.form(text[i])
		switch {
		case !ok:
		case whitespace(b):
			if inside {
				c.end()
			}
			inside = false
		default:
			if !inside {
				c.begin()
			}
			inside = true
			c.text = append(c.text, b)
		}
	}
	if inside {
		c.end()
	}
}

// characters are the pieces of one code point each; what is no UTF-8 is one of the replacement character.
func (c *Cut) characters(t Terms, text string) {
	for len(text) > 0 {
		n := 1
		if text[0] < utf8.RuneSelf {
			if b, ok := t.form(text[0]); ok {
				c.begin()
				c.text = append(c.text, b)
				c.end()
			}
		} else {
			r, size := utf8.DecodeRuneInString(text)
			if n = size; r == utf8.RuneError && size == 1 {
				n = malformed(text)
			}
			c.begin()
			c.text = utf8.AppendRune(c.text, r)
			c.end()
		}
		text = text[n:]
	}
}

// malformed is how many bytes at the beginning of a text are one mistake: those that could have gone on to be a character. Unicode: maximal subpart.
func malformed(text string) int {
	for n := 1; n < 4 && n < len(text); n++ {
		if utf8.FullRuneInString(text[:n]) {
			return max(1, n-1)
		}
	}
	n := min(len(text), 3)
	for n > 1 && utf8.FullRuneInString(text[:n]) {
		n--
	}
	return n
}
