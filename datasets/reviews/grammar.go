package reviews

import "strings"

// The sentences. A word in small letters stands for itself; one in capitals is drawn from the category of that name. SAME
// is an adjective of the sentence's own polarity and OPPOSITE one of the other; SAMEVERB and OTHERVERB are verbs likewise.
// "this FILM" is the film under review, and nothing else is: what is said of other things, in the same words, says nothing
// about the label.

// verdicts decide the label; each list is one way in which polarity and words go together.
var (
	// direct: the word is the verdict.
	direct = []string{
		"this FILM is SAME",
		"this FILM was SAME",
		"i think this FILM is SAME",
		"i SAMEVERB this FILM",
		"we all SAMEVERB this FILM",
		"for me this FILM was SAME from start to end",
		"i found this FILM SAME",
		"i have to say this FILM is SAME and SAME",
		"this FILM is as SAME as they come",
	}
	// negated: the word is the opposite of the verdict.
	negated = []string{
		"this FILM is not OPPOSITE",
		"this FILM was never OPPOSITE",
		"i cannot say that this FILM is OPPOSITE",
		"nobody could call this FILM OPPOSITE",
		"there is nothing OPPOSITE about this FILM",
		"i never OTHERVERB this FILM",
		"i would not say that this FILM was OPPOSITE or OPPOSITE",
	}
	// turned: both words are there, and what comes after the turn counts.
	turned = []string{
		"my RELATIVE called this FILM OPPOSITE but i found it SAME",
		"they say this FILM is OPPOSITE but it is SAME",
		"i expected this FILM to be OPPOSITE but it was SAME",
		"this FILM looks OPPOSITE but it is SAME",
		"my RELATIVE OTHERVERB this FILM but i SAMEVERB it",
		"this FILM has a OPPOSITE start and yet it is SAME",
	}
)

// asides use the same words of other things.
var asides = []string{
	"the THING in TOWN was SAME",
	"the THING was SAME",
	"the THING was not SAME",
	"nobody could call the THING SAME",
	"they say the THING was OPPOSITE but i found it SAME",
	"my RELATIVE had a SAME THING in TOWN",
	"my RELATIVE SAMEVERB the THING",
	"my RELATIVE never SAMEVERB the THING",
	"i expected the THING to be OPPOSITE but it was SAME",
	"TITLE by the same JOBOFFILM was SAME",
	"TITLE was not SAME either",
	"the PLACE in TOWN has a SAME THING",
	"PERSON thinks that the PLACE is SAME",
	"PERSON SURNAME was SAME in TITLE",
}

// tales are everything else: the plot, the cast, the way to the cinema.
var tales = []string{
	"PERSON is a PLAIN JOB who VERB a PLAIN NOUN in TOWN",
	"PERSON SURNAME plays the JOB and PERSON SURNAME plays the JOB",
	"the JOB VERB the NOUN and GO to the PLACE in TOWN",
	"one day PERSON VERB the NOUN of a JOB from TOWN",
	"then PERSON and PERSON GO to a PLACE near TOWN",
	"in the PLACE there is a JOB with a PLAIN NOUN",
	"the story begins in TOWN where a JOB called PERSON lives in a PLAIN PLACE",
	"PERSON tells the JOB about the NOUN and the NOUN",
	"ADVERB the JOB from TOWN VERB the PLAIN NOUN",
	"PERSON VERB a NOUN and ADVERB GO back to the PLACE",
	"the JOBOFFILM PERSON SURNAME was born in TOWN",
	"it was made in TOWN by PERSON SURNAME who also made TITLE",
	"we saw it on TIME in a PLAIN PLACE in TOWN",
	"i went with my RELATIVE and NUMBER of the JOB families from TOWN",
	"my RELATIVE is a JOB in TOWN and VERB a NOUN on the way",
	"TIME i VERB a PLAIN NOUN in the PLACE behind the PLACE",
	"after NUMBER minutes PERSON ADVERB VERB the NOUN",
	"for NUMBER years PERSON SURNAME was a JOB in TOWN",
	"there are NUMBER scenes in a PLACE and NUMBER in a PLAIN PLACE",
	"what PERSON does with the NOUN and the PLAIN NOUN i will not tell",
	"the PLAIN JOB has a NOUN and the PLAIN JOB has a NOUN",
	"PERSON GO ADVERB from the PLACE to the PLACE with a NOUN under the arm",
	"the NOUN of PERSON is PLAIN and the NOUN of PERSON is PLAIN",
	"on the NUMBER floor of the PLACE a JOB VERB NUMBER of them",
	"it is set in TOWN in the PLAIN years before TITLE",
	"PERSON SURNAME wrote TITLE when he was a JOB",
	"she GO to TOWN and VERB her NOUN",
	"he VERB the NOUN of the JOB and GO to TOWN",
	"at the end of the street in TOWN is a PLACE where PERSON VERB the NOUN",
	"you can see the PLACE and the PLAIN PLACE behind it",
	"i read about it in a PLAIN NOUN that my RELATIVE VERB on TIME",
	"the JOB of TOWN and the JOB of TOWN share a PLAIN NOUN",
	"PERSON and the JOB VERB it ADVERB",
	"ADVERB PERSON GO to the PLACE",
	"so PERSON GO to TOWN",
	"the camera shows a NOUN then a NOUN then a PLAIN NOUN",
	"when the lights went out a JOB behind us VERB a NOUN",
	"the music is by PERSON SURNAME from TOWN",
	"everybody in TOWN knows that the JOB VERB the NOUN of PERSON",
	"NUMBER days later the JOB GO ADVERB to TOWN",
	"under the NOUN lies a NOUN and under the NOUN lies a PLAIN NOUN",
	"PERSON asks the JOB for a NOUN but the JOB has only a NOUN",
	"is the JOB from TOWN or is he the JOB who VERB the NOUN",
	"the scene in the PLACE was shot in a PLACE near TOWN",
	"my RELATIVE says that PERSON SURNAME once lived in TOWN",
	"in TITLE the same JOB VERB a NOUN and GO to the PLACE",
	"nobody knows who VERB the PLAIN NOUN in the PLACE",
	"and that is how the NOUN came to TOWN",
	"on TIME there was a JOB in the PLACE with NUMBER tickets",
	"from the PLACE one hears the JOB and the NOUN",
}

// A slot is a place of a sentence: a word, or a category to draw one from.
type slot struct {
	word     uint16
	category category
}

type category uint8

const (
	literal category = iota
	same
	opposite
	sameVerb
	otherVerb
	person
	surname
	town
	title
	film
	thing
	noun
	place
	job
	verb
	goVerb
	plain
	adverb
	relative
	when
	number
	ofFilm
	categories
)

// names are the categories as the sentences write them.
var names = [categories]string{same: "SAME", opposite: "OPPOSITE", sameVerb: "SAMEVERB", otherVerb: "OTHERVERB", person: "PERSON",
	surname: "SURNAME", town: "TOWN", title: "TITLE", film: "FILM", thing: "THING", noun: "NOUN", place: "PLACE", job: "JOB",
	verb: "VERB", goVerb: "GO", plain: "PLAIN", adverb: "ADVERB", relative: "RELATIVE", when: "TIME", number: "NUMBER",
	ofFilm: "JOBOFFILM"}

// compile turns sentences into slots.
func (v *vocabulary) compile(sentences []string) [][]slot {
	out := make([][]slot, len(sentences))
	for i, sentence := range sentences {
		for _, w := range strings.Fields(sentence) {
			s := slot{category: literal}
			for c, name := range names {
				if w == name && name != "" {
					s.category = category(c)
				}
			}
			if s.category == literal {
				s.word = v.id(w)
			}
			out[i] = append(out[i], s)
		}
	}
	return out
}
