package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// A plot is a small line diagram, drawn as inline SVG without scripts. Colours come from the page, so that it follows dark and
// light; every line also has its own dash, so that it survives a black-and-white printer.
type plot struct {
	Label  string // what a reader who cannot see it is told
	X, Y   axis
	Lines  []line
	Marks  []mark // vertical lines with a span, such as a crossing
	Levels []level
	Equal  bool // draw the diagonal of perfect calibration
}

// An axis runs from Low to High; Percent writes its ticks times hundred.
type axis struct {
	Title     string
	Low, High float64
	Percent   bool
}

// A line joins its points and shades their intervals. Width is the bar width of points in a histogram; 0 draws a line.
type line struct {
	Name   string
	Points []dot
}

// A dot has an interval where Low < High, and a Title that a browser shows over it.
type dot struct {
	X, Y, Low, High float64
	Title           string
}

// A mark is a vertical line at X with its interval; it takes the colour of line Of.
type mark struct {
	X, Low, High float64
	Of           int
}

// A level is a horizontal line.
type level struct {
	Y    float64
	Name string
}

// Size of a plot in SVG units, and the margins of its axes.
const (
	plotWidth, plotHeight                            = 640, 340
	marginLeft, marginRight, marginTop, marginBottom = 52, 14, 12, 44
)

// SVG draws the plot.
func (p *plot) SVG() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %d %d" role="img" aria-label="%s">`, plotWidth, plotHeight, template.HTMLEscapeString(p.Label))
	p.grid(&b)
	if p.Equal {
		fmt.Fprintf(&b, `<line class="equal" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, p.x(p.X.Low), p.y(p.Y.Low), p.x(p.X.High), p.y(p.Y.High))
	}
	for _, l := range p.Levels {
		fmt.Fprintf(&b, `<line class="level" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"><title>%s</title></line>`,
			p.x(p.X.Low), p.y(l.Y), p.x(p.X.High), p.y(l.Y), template.HTMLEscapeString(l.Name))
	}
	for i, l := range p.Lines {
		p.line(&b, i, l)
	}
	for _, m := range p.Marks {
		p.mark(&b, m)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (p *plot) x(v float64) float64 {
	return marginLeft + (plotWidth-marginLeft-marginRight)*fraction(v, p.X)
}

func (p *plot) y(v float64) float64 {
	return plotHeight - marginBottom - (plotHeight-marginTop-marginBottom)*fraction(v, p.Y)
}

// fraction is where v stands on an axis, kept on it.
func fraction(v float64, a axis) float64 {
	return min(max((v-a.Low)/(a.High-a.Low), 0), 1)
}

func (p *plot) grid(b *strings.Builder) {
	for _, t := range ticks(p.Y) {
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			marginLeft, plotWidth-marginRight, p.y(t), p.y(t), marginLeft-6, p.y(t)+4, tickText(t, p.Y))
	}
	for _, t := range ticks(p.X) {
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`,
			p.x(t), p.x(t), marginTop, plotHeight-marginBottom, p.x(t), plotHeight-marginBottom+16, tickText(t, p.X))
	}
	fmt.Fprintf(b, `<text class="title" x="%d" y="%d" text-anchor="middle">%s</text>`, (marginLeft+plotWidth)/2, plotHeight-8, template.HTMLEscapeString(p.X.Title))
	fmt.Fprintf(b, `<text class="title" transform="translate(13 %d) rotate(-90)" text-anchor="middle">%s</text>`, (plotHeight-marginBottom)/2, template.HTMLEscapeString(p.Y.Title))
}

// ticks are four to eight round numbers on an axis.
func ticks(a axis) []float64 {
	span := a.High - a.Low
	step := math.Pow(10, math.Floor(math.Log10(span)))
	for span/step < 4 {
		step /= 2
	}
	for span/step > 8 {
		step *= 2
	}
	var out []float64
	for k := math.Ceil(a.Low/step-1e-9) + 0; k*step <= a.High+1e-9; k++ {
		out = append(out, k*step+0) // no minus zero
	}
	return out
}

func tickText(v float64, a axis) string {
	if a.Percent {
		v *= 100
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

// shades is the number of colours and dashes the page knows.
const shades = 6

func (p *plot) line(b *strings.Builder, i int, l line) {
	var up, down, path []string
	for _, d := range l.Points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", p.x(d.X), p.y(d.Y)))
		if d.Low < d.High {
			up = append(up, fmt.Sprintf("%.1f,%.1f", p.x(d.X), p.y(d.High)))
			down = append([]string{fmt.Sprintf("%.1f,%.1f", p.x(d.X), p.y(d.Low))}, down...)
		}
	}
	fmt.Fprintf(b, `<g class="s%d">`, i%shades)
	if len(up) > 1 {
		fmt.Fprintf(b, `<polygon class="band" points="%s"/>`, strings.Join(append(up, down...), " "))
	}
	fmt.Fprintf(b, `<polyline points="%s"/>`, strings.Join(path, " "))
	for _, d := range l.Points {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3"><title>%s</title></circle>`, p.x(d.X), p.y(d.Y), template.HTMLEscapeString(d.Title))
	}
	b.WriteString("</g>")
}

func (p *plot) mark(b *strings.Builder, m mark) {
	fmt.Fprintf(b, `<g class="s%d"><rect class="band" x="%.1f" y="%d" width="%.1f" height="%d"/><line class="mark" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/></g>`,
		m.Of%shades, p.x(m.Low), plotHeight-marginBottom-6, max(p.x(m.High)-p.x(m.Low), 1), 6, p.x(m.X), p.x(m.X), marginTop, plotHeight-marginBottom)
}

// A legend entry is a line's name with its colour.
type entry struct {
	Shade int
	Name  string
}

// Legend lists the lines for the page, which sets them as text: long names need wrapping.
func (p *plot) Legend() []entry {
	var out []entry
	for i, l := range p.Lines {
		out = append(out, entry{i % shades, l.Name})
	}
	return out
}

// yRange is an axis of shares that holds every interval, on tenths.
func yRange(title string, lines []line) axis {
	lo, hi := 1.0, 0.0
	for _, l := range lines {
		for _, d := range l.Points {
			lo, hi = min(lo, d.Y, orValue(d.Low, d)), max(hi, d.Y, d.High)
		}
	}
	lo = min(max(math.Floor(lo*10)/10, 0), 0.9)
	return axis{Title: title, Low: lo, High: min(max(math.Ceil(hi*10)/10, lo+0.1), 1), Percent: true}
}

// orValue is the lower bound of a dot that has an interval.
func orValue(low float64, d dot) float64 {
	if d.Low < d.High {
		return low
	}
	return d.Y
}
