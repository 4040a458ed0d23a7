package unroll

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/layers"
)

// SummaryStyle is the form of a Summary.
type SummaryStyle string

// The styles.
const (
	// Keras3 is the table with box lines of Keras 3, 88 columns wide.
	Keras3 SummaryStyle = "keras3"
	// Keras2 is the table of Keras 2.2 as R prints it, 80 columns wide; layers without a name of their own are numbered from 1.
	Keras2 SummaryStyle = "keras2"
)

// Summary writes the layers, the shapes of what they return, and how many weights they have.
func (m *Model) Summary(w io.Writer, style SummaryStyle) error {
	if !m.built {
		return errors.New("unroll: Summary: the model is not built yet: build it for a shape, or fit it")
	}
	switch style {
	case Keras2:
		return m.summary2(w)
	case Keras3, "":
		return m.summary3(w)
	}
	return fmt.Errorf("unroll: Summary: style must be keras2 or keras3, got %q", string(style))
}

// summaryRow is a line of either table.
type summaryRow struct {
	name, class, shape string
	params             int
}

func (m *Model) summaryRows(names []string) []summaryRow {
	var rows []summaryRow
	for i, n := range m.nodes {
		rows = append(rows, summaryRow{names[i], n.spec.Class(), n.out.Shape.String(), countParams(n.layer)})
	}
	return rows
}

func countParams(l layers.Layer) int {
	n := 0
	for _, w := range l.Weights() {
		n += len(w.Data)
	}
	return n
}

// params counts the weights that are trained and those that are not.
func (m *Model) params() (trainable, fixed int) {
	for _, w := range m.weights {
		if w.Trainable {
			trainable += len(w.Data)
		} else {
			fixed += len(w.Data)
		}
	}
	return trainable, fixed
}

// summary2 is keras/utils/layer_utils.py of 2.2.4 with R's line length of 80.
func (m *Model) summary2(w io.Writer) error {
	const width = 80
	ends := [3]int{width * 45 / 100, width * 85 / 100, width}
	line := func(fields ...string) string {
		s := ""
		for i, f := range fields {
			if i > 0 {
				s = s[:len(s)-1] + " "
			}
			s += f
			s = s[:min(len(s), ends[i])]
			s += strings.Repeat(" ", ends[i]-len(s))
		}
		return s + "\n"
	}
	names := make([]string, len(m.nodes))
	used := map[string]int{}
	for i, n := range m.nodes {
		if names[i] = n.spec.GivenName(); names[i] == "" {
			base := keras.Snake(n.spec.Class())
			used[base]++
			names[i] = fmt.Sprintf("%s_%d", base, used[base])
		}
	}
	thin, thick := strings.Repeat("_", width)+"\n", strings.Repeat("=", width)+"\n"
	var b strings.Builder
	b.WriteString(thin + line("Layer (type)", "Output Shape", "Param #") + thick)
	for i, r := range m.summaryRows(names) {
		b.WriteString(line(r.name+" ("+r.class+")", r.shape, strconv.Itoa(r.params)))
		if i == len(m.nodes)-1 {
			b.WriteString(thick)
		} else {
			b.WriteString(thin)
		}
	}
	trainable, fixed := m.params()
	fmt.Fprintf(&b, "Total params: %s\nTrainable params: %s\nNon-trainable params: %s\n%s",
		commas(trainable+fixed), commas(trainable), commas(fixed), thin)
	_, err := io.WriteString(w, b.String())
	return err
}

// summary3 is keras/src/utils/summary_utils.py without colours.
func (m *Model) summary3(w io.Writer) error {
	inner := [3]int{38, 29, 17} // 88 columns: ends at 45%, 80% and 100%, less the box lines
	row := func(left, mid, right, fill string, cells [3]string, alignRight bool) string {
		s := left
		for i, c := range cells {
			pad := strings.Repeat(fill, max(0, inner[i]-len([]rune(c))))
			if i == 2 && alignRight {
				s += pad + c
			} else {
				s += c + pad
			}
			if i < 2 {
				s += mid
			}
		}
		return s + right + "\n"
	}
	names := make([]string, len(m.nodes))
	for i, n := range m.nodes {
		names[i] = n.name
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %q\n", m.name)
	b.WriteString(row("┏", "┳", "┓", "━", [3]string{}, false))
	b.WriteString(row("┃", "┃", "┃", " ", [3]string{" Layer (type)", " Output Shape", "Param # "}, true))
	b.WriteString(row("┡", "╇", "┩", "━", [3]string{}, false))
	for i, r := range m.summaryRows(names) {
		if i > 0 {
			b.WriteString(row("├", "┼", "┤", "─", [3]string{}, false))
		}
		cells := [3]string{"", r.shape, commas(r.params)}
		for _, line := range wrap(r.name+" ("+r.class+")", inner[0]-2) {
			cells[0] = line
			b.WriteString(row("│", "│", "│", " ", [3]string{" " + cells[0], " " + cells[1], cells[2] + " "}, true))
			cells[1], cells[2] = "", ""
		}
	}
	b.WriteString(row("└", "┴", "┘", "─", [3]string{}, false))
	trainable, fixed := m.params()
	total := trainable + fixed
	slots := m.optimizerParams()
	for _, l := range []struct {
		what  string
		n     int
		shown bool
	}{
		{"Total", total + slots, true}, {"Trainable", trainable, true}, {"Non-trainable", fixed, true}, {"Optimizer", slots, slots > 0},
	} {
		if l.shown {
			fmt.Fprintf(&b, " %s params: %s (%s)\n", l.what, commas(l.n), bytesOf(l.n))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks a text at spaces into lines of at most width characters, and a longer word where it must.
func wrap(text string, width int) (lines []string) {
	for _, word := range strings.Fields(text) {
		if k := len(lines) - 1; k >= 0 && len(lines[k])+1+len(word) <= width {
			lines[k] += " " + word
			continue
		}
		for len(word) > width {
			lines, word = append(lines, word[:width]), word[width:]
		}
		lines = append(lines, word)
	}
	return lines
}

// optimizerParams is how many numbers the optimizer keeps: its arrays, its iteration and its learning rate.
func (m *Model) optimizerParams() int {
	if m.compiled == nil || m.compiled.slots == nil {
		return 0
	}
	n := 2
	for _, slots := range m.compiled.slots {
		for _, s := range slots {
			n += len(s)
		}
	}
	for _, v := range append(m.compiled.commonState(m), m.compiled.scalars()...) {
		n += len(v.values)
	}
	return n
}

// bytesOf is the size of n float32 values as Keras prints it.
func bytesOf(n int) string {
	size, unit := float64(4*n), 0
	for size >= 1024 && unit < 4 {
		size /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f %s", size, []string{"B", "KB", "MB", "GB", "TB"}[unit])
}

// commas writes thousands apart: 322,113.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
