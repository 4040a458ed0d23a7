package plot

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Decay is how a gradient falls on its way back in time: its size by how many steps it has gone, as a part of what it was at the last step. Low,
// Middle and High are quantiles over rows, of one length.
type Decay struct {
	Label             string
	Low, Middle, High []float64
}

const (
	decayHeight = 3.4 * vg.Inch
	// faintest is the smallest part that is drawn, as a power of ten.
	faintest = -16
)

// WriteDecays draws the curves as svg, png or pdf, on a scale of powers of ten, each with the band between its quantiles, and a line at 2^-24,
// the part of a float32 that rounding takes. A curve ends where it is 0 or below 1e-16.
func WriteDecays(w io.Writer, format string, decays ...Decay) error {
	if len(decays) == 0 || len(decays[0].Middle) == 0 {
		return errors.New("plot: expected gradients over steps, got none")
	}
	var names []entry
	for i, d := range decays {
		names = append(names, entry{d.Label, style{colour: decayColour(i, len(decays)), plain: true}})
	}
	legend := wrap(names)
	c, err := newCanvas(format, decayHeight+vg.Length(len(legend))*legendRow+axisHeight+2.5*margin)
	if err != nil {
		return err
	}
	p := gonum.New()
	p.BackgroundColor = color.White
	least, steps := -8.0, 0
	for i, d := range decays {
		steps = max(steps, len(d.Middle))
		low := powers(d.Low)
		for _, v := range low {
			least = min(least, v)
		}
		col := decayColour(i, len(decays))
		p.Add(&band{low: low, high: powers(d.High), colour: transparent(col)})
	}
	p.X.Min, p.X.Max = 0, float64(max(1, steps-1))
	p.Y.Min, p.Y.Max = max(faintest, math.Floor(least)), 1
	p.X.Label.Text, p.Y.Label.Text = "steps back from the last one", "part of the gradient that arrives"
	p.X.Tick.Marker, p.Y.Tick.Marker = valueTicks{}, powerTicks{}
	dress(p)
	p.Add(newGrid(), rounding{})
	for i, d := range decays {
		line, err := plotter.NewLine(points(powers(d.Middle)))
		if err != nil {
			return fmt.Errorf("plot: %s: %w", d.Label, err)
		}
		line.LineStyle = draw.LineStyle{Color: decayColour(i, len(decays)), Width: vg.Points(2)}
		p.Add(line)
	}
	dc := draw.New(c)
	dc.FillPolygon(color.White, []vg.Point{dc.Min, {X: dc.Max.X, Y: dc.Min.Y}, dc.Max, {X: dc.Min.X, Y: dc.Max.Y}})
	top := vg.Length(len(legend))*legendRow + margin/2
	within := draw.Crop(dc, margin, -1.5*margin, margin, -top-margin)
	p.Draw(within)
	left := p.DataCanvas(within).Min.X
	for i, row := range legend {
		drawLegend(dc, row, left, dc.Max.Y-margin-(vg.Length(i)+0.5)*legendRow)
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	return emit(w, format, b.Bytes())
}

// decayColour is teal for a single curve; of two, the colours of their histories.
func decayColour(i, n int) color.Color { return styleOf(i, max(2, n), true).colour }

// powers are the exponents of ten of values, up to the first that is nothing.
func powers(values []float64) []float64 {
	var p []float64
	for _, v := range values {
		e := math.Log10(v)
		if !(e >= faintest) || math.IsInf(e, 1) {
			break
		}
		p = append(p, e)
	}
	return p
}

func points(y []float64) plotter.XYs {
	p := make(plotter.XYs, len(y))
	for i, v := range y {
		p[i] = plotter.XY{X: float64(i), Y: v}
	}
	return p
}

func transparent(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	return color.NRGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 0x2a}
}

// band is the room between two curves. Where the lower one has ended, it goes down to the edge.
type band struct {
	low, high []float64
	colour    color.Color
}

// Plot implements gonum's Plotter.
func (b *band) Plot(c draw.Canvas, p *gonum.Plot) {
	x, y := p.Transforms(&c)
	var edge []vg.Point
	for i, v := range b.high {
		edge = append(edge, vg.Point{X: x(float64(i)), Y: y(v)})
	}
	for i := len(b.high) - 1; i >= 0; i-- {
		v := p.Y.Min
		if i < len(b.low) {
			v = max(v, b.low[i])
		}
		edge = append(edge, vg.Point{X: x(float64(i)), Y: y(v)})
	}
	if len(edge) > 2 {
		c.FillPolygon(b.colour, c.ClipPolygonXY(edge))
	}
}

// rounding is a line at what rounding takes of a float32.
type rounding struct{}

// Plot implements gonum's Plotter.
func (rounding) Plot(c draw.Canvas, p *gonum.Plot) {
	x, y := p.Transforms(&c)
	at := y(math.Log10(math.Pow(2, -24)))
	line := draw.LineStyle{Color: ink, Width: vg.Points(0.8), Dashes: []vg.Length{vg.Points(2), vg.Points(3)}}
	c.StrokeLine2(line, x(p.X.Min), at, x(p.X.Max), at)
	letters := lettering(9)
	letters.XAlign, letters.YAlign = draw.XLeft, draw.YTop
	c.FillText(letters, vg.Point{X: x(p.X.Min) + vg.Points(4), Y: at - vg.Points(4)}, "rounding of a float32")
}

// powerTicks are powers of ten, every second or fourth where there are many.
type powerTicks struct{}

// Ticks implements gonum's Ticker.
func (powerTicks) Ticks(low, high float64) []gonum.Tick {
	step := 1
	for (high-low)/float64(step) > 9 {
		step *= 2
	}
	var ticks []gonum.Tick
	for k := int(math.Ceil(low)); k <= int(high); k++ {
		if k%step != 0 {
			continue
		}
		label := "1"
		if k != 0 {
			label = "1e" + strconv.Itoa(k)
		}
		if k == 1 {
			label = "10"
		}
		ticks = append(ticks, gonum.Tick{Value: float64(k), Label: label})
	}
	return ticks
}
