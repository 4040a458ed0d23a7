// Package text cuts texts into words and turns words into numbers, as Keras does: by the Tokenizer of Keras 1 and 2, and by the rules of TextVectorization.
package text

import (
	"crypto/md5"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// Filters are the characters that Keras's Tokenizer takes for gaps between words. The apostrophe is none of them.
const Filters = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n"

// Words cuts a text into words: every character of filters becomes split, and what stands between two splits is a word. Keras: text_to_word_sequence.
// Source: keras/src/legacy/preprocessing/text.py.
func Words(text, filters, split string, lower bool) []string {
	if lower {
		text = toLower(text)
	}
	if filters != "" {
		var b strings.Builder
		b.Grow(len(text))
		for _, c := range text {
			if strings.ContainsRune(filters, c) {
				b.WriteString(split)
			} else {
				b.WriteRune(c)
			}
		}
		text = b.String()
	}
	words := strings.Split(text, split)
	kept := words[:0]
	for _, w := range words {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return kept
}

// toLower is Python's str.lower: Go's, but for a capital I with a dot, which becomes two characters, and a capital sigma at the end of a word.
func toLower(text string) string {
	if !strings.ContainsAny(text, "İΣ") {
		return strings.ToLower(text)
	}
	var b strings.Builder
	all := []rune(text)
	for i, c := range all {
		switch {
		case c == 'İ':
			b.WriteString("i̇")
		case c == 'Σ' && endsWord(all, i):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// endsWord reports whether letters stand before character i and none behind it, marks left aside. Unicode: Final_Sigma.
func endsWord(all []rune, i int) bool {
	at := i - 1
	for at >= 0 && passes(all[at]) {
		at--
	}
	if at < 0 || !hasCase(all[at]) {
		return false
	}
	for at = i + 1; at < len(all) && passes(all[at]); at++ {
	}
	return at == len(all) || !hasCase(all[at])
}

// passes reports whether a character counts for neither side of a word's end. Unicode: Case_Ignorable.
func passes(c rune) bool {
	return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’‘․︓﹒﹕＇．：", c)
}

func hasCase(c rune) bool { return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c) }

// HashingTrick gives every word of a text an id from 1 to n-1 by its MD5, without an index; different words may have the same. It fails unless n is at
// least 2. Keras: hashing_trick(text, n, hash_function="md5").
func HashingTrick(text string, n int, filters, split string, lower bool) ([]int32, error) {
	if n < 2 || n > 1<<31-1 {
		return nil, fmt.Errorf("text: HashingTrick: n must be from 2 to 2147483647, got %d", n)
	}
	if split == "" {
		return nil, fmt.Errorf("text: HashingTrick: split must not be empty")
	}
	var ids []int32
	var h, rest big.Int
	buckets := big.NewInt(int64(n - 1))
	for _, w := range Words(text, filters, split, lower) {
		sum := md5.Sum([]byte(w))
		ids = append(ids, int32(rest.Mod(h.SetBytes(sum[:]), buckets).Int64())+1)
	}
	return ids, nil
}
