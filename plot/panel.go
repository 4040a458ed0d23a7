package plot

import (
	"image/color"
	"math"
	"strconv"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of what is not data.
var (
	ink   = color.RGBA{R: 0x33, G: 0x38, B: 0x40, A: 0xff}
	faint = color.RGBA{R: 0xe3, G: 0xe6, B: 0xea, A: 0xff}
)

// colours are told apart by most people with colour-blindness, on white. The first two are training and validation of a single run.
func colours() []color.Color {
	return []color.Color{
		color.RGBA{R: 0xe2, G: 0x5b, B: 0x3a, A: 0xff}, // orange
		color.RGBA{R: 0x12, G: 0x7c, B: 0x8a, A: 0xff}, // teal
		color.RGBA{R: 0x7a, G: 0x4f, B: 0xa3, A: 0xff}, // violet
		color.RGBA{R: 0xc9, G: 0x9a, B: 0x06, A: 0xff}, // ochre
		color.RGBA{R: 0x3b, G: 0x6f, B: 0xc4, A: 0xff}, // blue
		color.RGBA{R: 0xb8, G: 0x3b, B: 0x78, A: 0xff}, // magenta
		color.RGBA{R: 0x5c, G: 0x8a, B: 0x2e, A: 0xff}, // green
		color.RGBA{R: 0x6b, G: 0x6f, B: 0x76, A: 0xff}, // grey
	}
}

// style is how one line is drawn.
type style struct {
	colour color.Color
	dashed bool
	hollow bool // points are rings
	plain  bool // no points
}

func (s style) line() draw.LineStyle {
	l := draw.LineStyle{Color: s.colour, Width: vg.Points(1.4)}
	if s.dashed {
		l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	}
	return l
}

// point draws a point of the line: a disc with a white rim, or a ring.
func (s style) point(c *draw.Canvas, at vg.Point) {
	disc := func(col color.Color, radius float64) {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: col, Radius: vg.Points(radius), Shape: draw.CircleGlyph{}}, at)
	}
	if s.plain {
		return
	}
	if s.hollow {
		disc(s.colour, 3)
		disc(color.White, 1.8)
		return
	}
	disc(color.White, 3.4)
	disc(s.colour, 2.7)
}

// styleOf is the style of a run's training or validation.
func styleOf(run, runs int, validates bool) style {
	list := colours()
	if runs == 1 {
		if validates {
			return style{colour: list[1]}
		}
		return style{colour: list[0]}
	}
	return style{colour: list[run%len(list)], dashed: !validates, hollow: !validates}
}

// curve is the values of one key, by epoch from 1. It is a plotter.
type curve struct {
	values []float64
	style  style
}

// Plot draws the line, interrupted where a value is not finite, and the points.
func (c curve) Plot(dc draw.Canvas, p *gonum.Plot) {
	x, y := p.Transforms(&dc)
	var part []vg.Point
	var all []vg.Point
	flush := func() {
		if len(part) > 1 {
			dc.StrokeLines(c.style.line(), part)
		}
		part = nil
	}
	for i, v := range c.values {
		if !finite(v) {
			flush()
			continue
		}
		at := vg.Point{X: x(float64(i + 1)), Y: y(v)}
		part, all = append(part, at), append(all, at)
	}
	flush()
	// Of very many epochs the points would hide the line.
	if len(c.values) > 60 {
		return
	}
	for _, at := range all {
		c.style.point(&dc, at)
	}
}

// panel is the plot of a name, with its validation, of every run.
func panel(name string, runs []Run, last bool) (*gonum.Plot, error) {
	p := gonum.New()
	p.BackgroundColor = color.White
	low, high := math.Inf(1), math.Inf(-1)
	epochs := 1
	var curves []gonum.Plotter
	for i, r := range runs {
		for _, validates := range []bool{false, true} {
			key := name
			if validates {
				key = validation + name
			}
			values := r.History.Values(key)
			if len(values) == 0 {
				continue
			}
			epochs = max(epochs, len(values))
			for _, v := range values {
				if finite(v) {
					v = max(-1e300, min(v, 1e300)) // so that their distance is finite
					low, high = min(low, v), max(high, v)
				}
			}
			curves = append(curves, curve{values, styleOf(i, len(runs), validates)})
		}
	}
	room := (high - low) * 0.06
	// A span too small for its numbers has no round ones in it.
	if room < math.Abs(high)*1e-9 || room < 1e-300 {
		room = max(math.Abs(high)*0.1, 1e-6)
	}
	p.Y.Min, p.Y.Max = low-room, high+room
	side := max(0.25, float64(epochs-1)*0.025)
	p.X.Min, p.X.Max = 1-side, float64(epochs)+side
	p.X.Tick.Marker = epochTicks{epochs, false}
	p.Y.Tick.Marker = valueTicks{}
	p.Y.Label.Text = name
	p.X.Label.Text = "epoch"
	dress(p)
	if !last {
		p.X.Label.Text = ""
		p.X.Tick.Marker = epochTicks{epochs, true}
	}
	p.Add(newGrid())
	p.Add(curves...)
	return p, nil
}

// dress gives the axes their look.
func dress(p *gonum.Plot) {
	for _, a := range []*gonum.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = lettering(12)
		a.Tick.Label = tickLettering(a.Tick.Label)
		a.LineStyle.Width = 0 // the grid shows where the axes are
		a.Tick.Length = 0
		a.Padding = vg.Points(4)
	}
	p.Y.Label.Padding = vg.Points(8)
	p.X.Label.Padding = vg.Points(2)
}

func newGrid() *plotter.Grid {
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	grid.Horizontal.Width, grid.Vertical.Width = vg.Points(0.8), vg.Points(0.8)
	return grid
}

// lettering is the picture's type.
func lettering(size float64) text.Style {
	return text.Style{
		Color: ink, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Points(size)), Handler: gonum.DefaultTextHandler,
		XAlign: draw.XCenter, YAlign: draw.YBottom,
	}
}

// tickLettering keeps how gonum places the labels of ticks.
func tickLettering(s text.Style) text.Style {
	l := lettering(10)
	l.XAlign, l.YAlign = s.XAlign, s.YAlign
	return l
}

// epochTicks are whole epochs, at most about twelve. Bare ones have no number: the panel below has it.
type epochTicks struct {
	n    int
	bare bool
}

func (e epochTicks) Ticks(_, _ float64) []gonum.Tick {
	step := 1
	for _, s := range []int{1, 2, 5} {
		for _, scale := range []int{1, 10, 100, 1000, 10000, 100000} {
			if k := s * scale; e.n/k <= 12 && (e.n/step > 12 || k < step) {
				step = k
			}
		}
	}
	var ticks []gonum.Tick
	if step > 1 { // the first epoch, then round numbers
		ticks = append(ticks, gonum.Tick{Value: 1, Label: "1"})
	}
	for v := step; v <= e.n; v += step {
		ticks = append(ticks, gonum.Tick{Value: float64(v), Label: strconv.Itoa(v)})
	}
	for i := range ticks {
		if e.bare {
			ticks[i].Label = " " // an empty label would be a minor tick, without a grid line
		}
	}
	return ticks
}

// valueTicks are four to eight round numbers with as many decimals as they need.
type valueTicks struct{}

func (valueTicks) Ticks(low, high float64) []gonum.Tick {
	span := high - low
	scale := math.Pow(10, math.Floor(math.Log10(span))-1)
	step := scale
	for _, s := range []float64{1, 2, 5, 10, 20, 50} {
		if step = s * scale; span/step <= 7 {
			break
		}
	}
	label := func(v float64) string {
		decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
		if decimals <= 6 && max(math.Abs(low), math.Abs(high)) < 1e7 {
			return strconv.FormatFloat(v, 'f', decimals, 64)
		}
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	var ticks []gonum.Tick
	for k := math.Ceil(low / step); k*step <= high; k++ {
		ticks = append(ticks, gonum.Tick{Value: k * step, Label: label(k*step + 0)}) // + 0: there is no -0
	}
	return ticks
}
