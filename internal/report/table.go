package report

import (
	"encoding/csv"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Table is what a result looks like on paper: a heading, rows of the same length, notes below. The first column names the row.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
	Notes   []string
}

// Render writes the table as text, markdown, latex or csv.
func (t *Table) Render(format string) (string, error) {
	switch format {
	case "text", "":
		return t.text(), nil
	case "markdown":
		return t.markdown(), nil
	case "latex":
		return t.latex(), nil
	case "csv":
		return t.csv()
	}
	return "", fmt.Errorf("unknown table format %q: have text, markdown, latex, csv", format)
}

func (t *Table) text() string {
	width := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	if t.Caption != "" {
		b.WriteString(t.Caption + "\n\n")
	}
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		var s strings.Builder
		for i, c := range row {
			s.WriteString(c + strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+2))
		}
		b.WriteString(strings.TrimRight(s.String(), " ") + "\n")
	}
	for _, n := range t.Notes {
		b.WriteString(n + "\n")
	}
	return b.String()
}

func (t *Table) markdown() string {
	var b strings.Builder
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	row := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + escape.Replace(c) + " ")
		}
		b.WriteString("|\n")
	}
	if t.Caption != "" {
		b.WriteString(t.Caption + "\n\n")
	}
	row(t.Head)
	b.WriteString("|" + strings.Repeat("---|", len(t.Head)) + "\n")
	for _, r := range t.Rows {
		row(r)
	}
	for _, n := range t.Notes {
		b.WriteString("\n" + n + "\n")
	}
	return b.String()
}

// latex writes a table of package booktabs.
func (t *Table) latex() string {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
		"~", `$\sim$`, "^", `\textasciicircum{}`, "<", `$<$`, ">", `$>$`)
	row := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteString(" & ")
			}
			b.WriteString(escape.Replace(c))
		}
		b.WriteString(" \\\\\n")
	}
	b.WriteString("\\begin{table}\n\\centering\n\\begin{tabular}{l" + strings.Repeat("r", len(t.Head)-1) + "}\n\\toprule\n")
	row(t.Head)
	b.WriteString("\\midrule\n")
	for _, r := range t.Rows {
		row(r)
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	if caption := strings.Join(append([]string{t.Caption}, t.Notes...), " "); strings.TrimSpace(caption) != "" {
		b.WriteString("\\caption{" + escape.Replace(strings.TrimSpace(caption)) + "}\n")
	}
	b.WriteString("\\end{table}\n")
	return b.String()
}

func (t *Table) csv() (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{t.Head}, t.Rows...)); err != nil {
		return "", fmt.Errorf("writing table: %w", err)
	}
	return b.String(), nil
}
