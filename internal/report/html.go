package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"syncabel/internal/eval"
	"syncabel/internal/stat"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages parses the pages, which share their style.
func pages() (*template.Template, error) {
	t, err := template.New("pages").Funcs(template.FuncMap{
		"title": ColumnTitle, "percent": Percent, "points": Points, "bar": bar, "cell": cellOf, "noise": eval.Noise, "heat": heat,
		"counts": counts, "bracketed": bracketed, "probability": func(p float64) string { return fmt.Sprintf("%.2f", p) },
		"join":  func(s []string) string { return strings.Join(s, ", ") },
		"seeds": func(row Row) string { return strings.TrimSpace(seedNote(&row)) },
	}).ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the report's pages: %w", err)
	}
	return t, nil
}

// HTML renders the report as one file without outside references.
func (r *Report) HTML() ([]byte, error) {
	t, err := pages()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "report.html", r); err != nil {
		return nil, fmt.Errorf("rendering the report: %w", err)
	}
	return b.Bytes(), nil
}

// heat shades a count by its share of the row.
func heat(n int, row []int) template.HTMLAttr {
	total := 0
	for _, v := range row {
		total += v
	}
	if n == 0 || total == 0 {
		return ""
	}
	return template.HTMLAttr(fmt.Sprintf(` style="background:color-mix(in srgb,var(--fill) %d%%,transparent)"`, 10+50*n/total))
}

// cellOf returns a row's interval in a stratum, or nil.
func cellOf(row Row, stratum string) *eval.Cell {
	c, ok := row.Cell(stratum)
	if !ok {
		return nil
	}
	return &c
}

// bar draws a value with its interval on a scale of 0 to 100.
func bar(i stat.Interval) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="%.1f percent"><rect class="v" x="0" y="2" width="%.2f" height="6"/><line x1="%.2f" x2="%.2f" y1="5" y2="5"/></svg>`,
		100*i.Value, 100*i.Value, 100*i.Low, 100*i.High))
}

type count struct {
	Name  string
	Value int64
}

func counts(m map[string]int64) []count {
	var out []count
	for k, v := range m {
		out = append(out, count{k, v})
	}
	slices.SortFunc(out, func(a, b count) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// bracketed marks the mention of a sentence.
func bracketed(s string) template.HTML {
	e := template.HTMLEscapeString(s)
	e = strings.Replace(e, "[", "<mark>", 1)
	return template.HTML(strings.Replace(e, "]", "</mark>", 1))
}
