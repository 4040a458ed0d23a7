package plot

import (
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is one name in the legend.
type entry struct {
	name  string
	style style
}

// legendOf is the legend's rows: training and validation, and the runs where there are several.
func legendOf(runs []Run) [][]entry {
	trains, validates := false, false
	for _, r := range runs {
		for _, k := range r.History.Keys() {
			if strings.HasPrefix(k, validation) {
				validates = true
			} else {
				trains = true
			}
		}
	}
	var kinds []entry
	one := len(runs) == 1
	add := func(name string, v bool) {
		s := styleOf(0, len(runs), v)
		if !one {
			s.colour = ink
		}
		kinds = append(kinds, entry{name, s})
	}
	if trains {
		add("training", false)
	}
	if validates {
		add("validation", true)
	}
	if one {
		return [][]entry{kinds}
	}
	var names []entry
	for i, r := range runs {
		names = append(names, entry{r.Label, style{colour: styleOf(i, len(runs), true).colour}})
	}
	return append(wrap(names), kinds)
}

// The legend's measures.
const (
	sample = 24 // points of line before a name
	apart  = 18 // points between entries
)

func (e entry) width() vg.Length {
	return vg.Points(sample+6+apart) + lettering(11).Width(e.name)
}

// wrap puts entries into rows that fit the picture.
func wrap(entries []entry) [][]entry {
	var rows [][]entry
	var used vg.Length
	for _, e := range entries {
		w := e.width()
		if len(rows) == 0 || used+w > width-vg.Inch {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += w
	}
	return rows
}

// drawLegend draws a row from left, its middle at height y.
func drawLegend(c draw.Canvas, row []entry, left, y vg.Length) {
	letters := lettering(11)
	letters.XAlign, letters.YAlign = draw.XLeft, draw.YCenter
	for _, e := range row {
		c.StrokeLine2(e.style.line(), left, y, left+vg.Points(sample), y)
		e.style.point(&c, vg.Point{X: left + vg.Points(sample)/2, Y: y})
		c.FillText(letters, vg.Point{X: left + vg.Points(sample+6), Y: y + vg.Points(1)}, e.name)
		left += e.width()
	}
}
