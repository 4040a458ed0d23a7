package callbacks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
)

// format puts values for what stands in braces, as Python's str.format does: {name} or {name:format} with a format of width and d for epoch and
// batch, which are whole numbers, and of width, precision and f, e or g for the others. {{ and }} are braces.
func format(text string, values unroll.Logs) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "{{") || strings.HasPrefix(text[i:], "}}"):
			b.WriteByte(text[i])
			i++
		case text[i] == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return "", fmt.Errorf("filepath must close its braces, got %q", text)
			}
			name, as, _ := strings.Cut(text[i+1:i+end], ":")
			v, ok := values.Get(name)
			if !ok {
				names := make([]string, len(values))
				for k, l := range values {
					names[k] = l.Name
				}
				return "", fmt.Errorf("filepath must have one of %s in braces, got %q", strings.Join(names, ", "), name)
			}
			s, err := formatOne(v, as, name == "epoch" || name == "batch")
			if err != nil {
				return "", err
			}
			b.WriteString(s)
			i += end
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), nil
}

func formatOne(v float64, as string, whole bool) (string, error) {
	verb := byte(0)
	number := as
	if n := len(as); n > 0 && strings.IndexByte("dfeg", as[n-1]) >= 0 {
		verb, number = as[n-1], as[:n-1]
	}
	width, precision, dotted := strings.Cut(number, ".")
	ok := plain(width) && plain(precision) && (verb != 0 || as == "") && (!dotted || precision != "" && verb != 'd')
	switch {
	case !ok || verb == 'd' && !whole:
		return "", fmt.Errorf("filepath must have a format like 02d or .2f behind the colon, got %q", as)
	case whole && (verb == 'd' || verb == 0):
		return fmt.Sprintf("%"+width+"d", int(v)), nil
	case verb == 0:
		return python(v), nil
	}
	return fmt.Sprintf("%"+number+string(verb), v), nil
}

// plain reports whether s is a number of at most two digits, or empty.
func plain(s string) bool {
	_, err := strconv.Atoi(s)
	return s == "" || len(s) <= 2 && err == nil && s[0] != '-' && s[0] != '+'
}
