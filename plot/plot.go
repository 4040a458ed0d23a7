// Package plot draws histories of trainings: losses and metrics by epoch, training and validation, as SVG, PNG or PDF.
package plot

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/unroll-ml/unroll"
)

// Run is one training to draw.
type Run struct {
	Label   string // in the legend, where there are several
	History *unroll.History
}

// The picture's measures.
const (
	width       = 7 * vg.Inch
	panelHeight = 2.5 * vg.Inch
	axisHeight  = 0.35 * vg.Inch // of the labels below the last panel
	legendRow   = 0.26 * vg.Inch
	margin      = 0.14 * vg.Inch
	dpi         = 144 // of a PNG: 1008 pixels wide
)

// Write draws the runs as svg, png or pdf: a panel for the loss and each metric, in the order of the first history, with
// validation in the same panel as training. One run has a colour for training and one for validation; several have a colour
// each, training dashed. Values that are not finite leave a gap.
func Write(w io.Writer, format string, runs ...Run) error {
	panels := panelsOf(runs)
	if len(panels) == 0 {
		return errors.New("plot: expected a history with values, got none")
	}
	legend := legendOf(runs)
	height := vg.Length(len(panels))*panelHeight + vg.Length(len(legend))*legendRow + axisHeight + 2.5*margin
	c, err := newCanvas(format, height)
	if err != nil {
		return err
	}
	plots := make([][]*gonum.Plot, len(panels))
	for i, name := range panels {
		p, err := panel(name, runs, i == len(panels)-1)
		if err != nil {
			return fmt.Errorf("plot: %s: %w", name, err)
		}
		plots[i] = []*gonum.Plot{p}
	}
	dc := draw.New(c)
	dc.FillPolygon(color.White, []vg.Point{dc.Min, {X: dc.Max.X, Y: dc.Min.Y}, dc.Max, {X: dc.Min.X, Y: dc.Max.Y}})
	top := vg.Length(len(legend))*legendRow + margin/2
	canvases := gonum.Align(plots, draw.Tiles{Rows: len(panels), Cols: 1, PadY: 0.16 * vg.Inch}, draw.Crop(dc, margin, -1.5*margin, margin, -top-margin))
	for i := range plots {
		plots[i][0].Draw(canvases[i][0])
	}
	left := plots[0][0].DataCanvas(canvases[0][0]).Min.X
	for i, row := range legend {
		drawLegend(dc, row, left, dc.Max.Y-margin-(vg.Length(i)+0.5)*legendRow)
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	return emit(w, format, b.Bytes())
}

// emit writes a finished picture.
func emit(w io.Writer, format string, picture []byte) error {
	if format == "svg" { // few readers have the canvas's font; these have the same widths, or are everywhere
		const family = "font-family:Liberation Sans"
		picture = bytes.ReplaceAll(picture, []byte(family), []byte(family+",Arial,Helvetica,sans-serif"))
	}
	_, err := w.Write(picture)
	return err
}

func newCanvas(format string, height vg.Length) (vg.CanvasWriterTo, error) {
	switch format {
	case "svg":
		return vgsvg.New(width, height), nil
	case "png":
		return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}, nil
	case "pdf":
		c := vgpdf.New(width, height)
		c.EmbedFonts(true)
		return c, nil
	}
	return nil, fmt.Errorf("plot: expected the format svg, png or pdf, got %q", format)
}

// validation is what Keras puts before the names of a validation's values.
const validation = "val_"

// panelsOf are the names without val_ that have a finite value somewhere, in order of appearance.
func panelsOf(runs []Run) []string {
	var names []string
	for _, r := range runs {
		for _, k := range r.History.Keys() {
			name := strings.TrimPrefix(k, validation)
			if !slices.Contains(names, name) && slices.ContainsFunc(r.History.Values(k), finite) {
				names = append(names, name)
			}
		}
	}
	return names
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
