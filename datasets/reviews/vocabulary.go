package reviews

import (
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/random"
)

// vocabulary is every word of the language, numbered in order of first use, and what the categories draw from.
type vocabulary struct {
	words []string
	ids   map[string]uint16
	// draw[c] holds the words of category c, the k-th of them 1/k as often as the first, so that a uniform draw from it
	// follows Zipf's law. Whole numbers only: the same on every machine.
	draw [categories][]uint16

	a, an uint16
	vowel []bool // whether a word wants "an" before it
}

// vocabularySize is a few hundred words more than the 10,000 that the lecture keeps, so that its data have words out of the
// vocabulary.
const vocabularySize = 10400

func newVocabulary() *vocabulary {
	v := &vocabulary{ids: make(map[string]uint16, vocabularySize)}
	v.a, v.an = v.id("a"), v.id("an")
	for c, list := range [categories]string{same: goodWords, opposite: badWords, sameVerb: lovedVerbs, otherVerb: hatedVerbs,
		film: filmWords, thing: thingWords, noun: nounWords, place: placeWords, job: jobWords, verb: verbWords, goVerb: goVerbs,
		plain: plainWords, adverb: adverbWords, relative: relativeWords, when: timeWords, number: numberWords, ofFilm: jobOfFilm} {
		v.define(category(c), strings.Fields(list))
	}
	for _, sentences := range [][]string{direct, negated, turned, asides, tales} {
		v.compile(sentences)
	}
	// The rest of the vocabulary is names. The key has no row, so that no review shares it.
	s := random.New(0, random.Data, namesKey)
	left := vocabularySize - len(v.words)
	counts := [categories]int{person: left / 4, surname: left / 4, title: left / 4}
	counts[town] = left - 3*(left/4)
	for _, c := range []category{person, surname, town, title} {
		v.define(c, v.invent(s, endings[c], counts[c]))
	}
	v.vowel = make([]bool, len(v.words))
	for id, w := range v.words {
		v.vowel[id] = strings.IndexByte("aeiou", w[0]) >= 0
	}
	return v
}

// id is the number of a word, a new one for a new word.
func (v *vocabulary) id(word string) uint16 {
	id, ok := v.ids[word]
	if !ok {
		id = uint16(len(v.words))
		v.ids[word] = id
		v.words = append(v.words, word)
	}
	return id
}

// define makes the words of a category. The shares are 1/k in units of 1/16 of the last word's.
func (v *vocabulary) define(c category, words []string) {
	unit := 4 * len(words)
	for k, w := range words {
		id := v.id(w)
		for range unit / (k + 1) {
			v.draw[c] = append(v.draw[c], id)
		}
	}
}

// The parts of a made-up name.
const (
	onsets = "b br c ch d dr f fl g gr h j k kl l m n p pr r s sh st t tr v w z"
	vowels = "a e i o u ai ea o a e"
	codas  = "l n r s m nd rt ck ll th x lm rn"
)

var endings = [categories]string{
	person:  "a o i in el us ine ard ette ric",
	surname: "son er man ski well ley ardo escu berg quist",
	town:    "ton ford burg ham stad ville mouth by field port",
	title:   "ia or ix um eon ora astra une ello ith",
}

// invent makes n names that are not words yet: two parts and an ending.
func (v *vocabulary) invent(s *random.Stream, ending string, n int) []string {
	on, vo, co, en := strings.Fields(onsets), strings.Fields(vowels), strings.Fields(codas), strings.Fields(ending)
	made := make([]string, 0, n)
	seen := make(map[string]bool, n)
	for len(made) < n {
		name := on[s.IntN(len(on))] + vo[s.IntN(len(vo))]
		if s.IntN(3) > 0 {
			name += co[s.IntN(len(co))]
		}
		if s.IntN(3) == 0 {
			name += vo[s.IntN(len(vo))] + co[s.IntN(len(co))]
		}
		name += en[s.IntN(len(en))]
		if _, isWord := v.ids[name]; isWord || seen[name] || len(name) > 12 {
			continue
		}
		seen[name] = true
		made = append(made, name)
	}
	return made
}

// ranks are the words' places by frequency, 1 for the most frequent, in the reviews counted.
func ranks(counts []int) []int32 {
	order := make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
	rank := make([]int32, len(counts))
	for place, word := range order {
		rank[word] = int32(place + 1)
	}
	return rank
}
