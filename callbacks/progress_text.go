package callbacks

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

// What a terminal takes for bold, colours and their end.
const (
	bold  = "\x1b[1m"
	green = "\x1b[32m"
	grey  = "\x1b[37m"
	off   = "\x1b[0m"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9]*m")

func plainText(s string) string { return escapes.ReplaceAllString(s, "") }

// bar is the line: how far, how long, and the values. each is the time of a step in seconds; end means that this is the last line.
func (c *ProgressBar) bar(current int, now time.Time, each float64, end bool) string {
	var b strings.Builder
	count := fmt.Sprintf("%*d/%d", len(fmt.Sprint(c.target)), current, c.target)
	took := fmt.Sprintf("%.0fs", seconds(now.Sub(c.began)))
	left := eta(each * float64(c.target-current))
	switch {
	case c.old() && c.Verbose == Line:
		b.WriteString(" - " + took)
	case c.old():
		b.WriteString(count + " " + bar2(current, c.target))
		if current < c.target {
			b.WriteString(" - ETA: " + left)
		} else {
			b.WriteString(" - " + took + perStep(each, false))
		}
	case c.Verbose == Line:
		b.WriteString(count + " - " + took + " -" + perStep(each, true))
	default:
		if !end {
			took = left
		}
		b.WriteString(bold + count + off + " " + bar3(current, c.target) + " " + bold + took + off + perStep(each, true))
	}
	for _, name := range c.names {
		if v, ok := c.values.Get(name); ok {
			b.WriteString(" - " + name + ": " + shown(v, c.Verbose == Line))
		}
	}
	return b.String()
}

// bar3 has 20 cells, green where it is full.
func bar3(current, target int) string {
	const width = 20
	full, text := int(width*(float64(current)/float64(target))), ""
	if full > 0 {
		text = green + strings.Repeat("━", full) + off
	}
	return text + grey + strings.Repeat("━", max(0, width-full)) + off
}

// bar2 has 30 cells.
func bar2(current, target int) string {
	const width = 30
	full, text := int(width*(float64(current)/float64(target))), ""
	if full > 0 {
		text = strings.Repeat("=", full-1)
		if current < target {
			text += ">"
		} else {
			text += "="
		}
	}
	return "[" + text + strings.Repeat(".", max(0, width-full)) + "]"
}

// eta is a time to come: 8s, 1:57, 2:03:20.
func eta(s float64) string {
	switch n := int(s); {
	case s > 3600:
		return fmt.Sprintf("%d:%02d:%02d", n/3600, n%3600/60, n%60)
	case s > 60:
		return fmt.Sprintf("%d:%02d", n/60, n%60)
	default:
		return fmt.Sprintf("%ds", n)
	}
}

// perStep is the time of a step; zero are seconds where Keras 3 says so.
func perStep(each float64, zero bool) string {
	switch {
	case each >= 1 || zero && each == 0:
		return fmt.Sprintf(" %.0fs/step", each)
	case each >= 1e-3:
		return fmt.Sprintf(" %.0fms/step", each*1e3)
	}
	return fmt.Sprintf(" %.0fus/step", each*1e6)
}

// shown is a value with four decimals, or in powers of ten when it is small; in the line of an epoch also when it is negative, as Keras has it.
func shown(v float64, line bool) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(v), "+"))
	}
	size := v
	if !line {
		size = math.Abs(v)
	}
	if size > 1e-3 {
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.4e", v)
}
