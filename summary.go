package unroll

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
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
	part                   *part
	class, shape, connects string
	params                 int
}

// summaryRows are the layers, of a functional model its inputs too.
func (m *Model) summaryRows() []summaryRow {
	listed := m.listed
	if m.specs != nil {
		listed = m.parts
	}
	var rows []summaryRow
	for _, p := range listed {
		r := summaryRow{part: p, class: p.spec.Class(), connects: "-"}
		if p.layer == nil {
			r.shape = p.in[0].Shape.String()
		} else {
			r.params = p.params()
		}
		var from []string
		for _, n := range m.applications(p) {
			var shapes []string
			for _, s := range n.out {
				shapes = append(shapes, s.Shape.String())
			}
			if r.shape = strings.Join(shapes, ", "); len(shapes) > 1 {
				r.shape = "[" + r.shape + "]"
			}
			for _, v := range n.from {
				at := m.place(v, false)
				from = append(from, fmt.Sprintf("%s[%d][%d]", at...))
			}
		}
		if from != nil {
			r.connects = strings.Join(from, ", ")
		}
		rows = append(rows, r)
	}
	return rows
}

// inLine reports whether every layer but the first reads the value of the one before, as Keras tells it. Source: keras/src/utils/summary_utils.py.
func (m *Model) inLine() bool {
	if m.specs != nil {
		return true
	}
	if len(m.inputs) > 1 || len(m.nodes) != len(m.parts) {
		return false
	}
	for i, n := range m.nodes {
		before := 0
		if i > 0 {
			before = m.nodes[i-1].to
		}
		if len(n.from) != 1 || n.from[0] < before {
			return false
		}
	}
	return true
}

// params is how many numbers the weights have.
func (p *part) params() int {
	n := 0
	for _, w := range p.weights {
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
	used := map[string]int{}
	thin, thick := strings.Repeat("_", width)+"\n", strings.Repeat("=", width)+"\n"
	var b strings.Builder
	b.WriteString(thin + line("Layer (type)", "Output Shape", "Param #") + thick)
	rows := m.summaryRows()
	for i, r := range rows {
		name := r.part.spec.GivenName()
		if name == "" {
			base := keras.Snake(r.class)
			used[base]++
			name = fmt.Sprintf("%s_%d", base, used[base])
		}
		b.WriteString(line(name+" ("+r.class+")", r.shape, strconv.Itoa(r.params)))
		if i == len(rows)-1 {
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
	// Columns end at 45, 80 and 100% of 88, or at 30, 56, 74 and 100% of 108, less the box lines.
	heads, inner := []string{" Layer (type)", " Output Shape", "Param # "}, []int{38, 29, 17}
	if !m.inLine() {
		heads, inner = append(heads, " Connected to"), []int{31, 27, 17, 28}
	}
	row := func(left, mid, right, fill string, cells []string) string {
		s := left
		for i, width := range inner {
			cell := ""
			if i < len(cells) {
				cell = cells[i]
			}
			pad := strings.Repeat(fill, max(0, width-len([]rune(cell))))
			if i == 2 {
				s += pad + cell
			} else {
				s += cell + pad
			}
			if i < len(inner)-1 {
				s += mid
			}
		}
		return s + right + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %q\n", m.Name())
	b.WriteString(row("┏", "┳", "┓", "━", nil))
	b.WriteString(row("┃", "┃", "┃", " ", heads))
	b.WriteString(row("┡", "╇", "┩", "━", nil))
	for i, r := range m.summaryRows() {
		if i > 0 {
			b.WriteString(row("├", "┼", "┤", "─", nil))
		}
		cells := [][]string{wrap(r.part.name+" ("+r.class+")", inner[0]-2), wrap(r.shape, inner[1]-2), {commas(r.params)}}
		if len(inner) > 3 {
			cells = append(cells, wrap(r.connects, inner[3]-2))
		}
		for k, more := 0, true; more; k++ {
			line := make([]string, len(cells))
			more = false
			for c, lines := range cells {
				text := ""
				if k < len(lines) {
					text = lines[k]
				}
				more = more || k+1 < len(lines)
				if line[c] = " " + text; c == 2 {
					line[c] = text + " "
				}
			}
			b.WriteString(row("│", "│", "│", " ", line))
		}
	}
	b.WriteString(row("└", "┴", "┘", "─", nil))
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
