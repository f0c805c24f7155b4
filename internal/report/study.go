package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/eval"
	"syncabel/internal/stat"
	"syncabel/internal/study"
)

// A Study is the report of a data-efficiency study.
type Study struct {
	Title   string         `json:"title"`
	Note    string         `json:"note,omitempty"`
	Program string         `json:"program"`
	Link    string         `json:"link"` // linking mode
	Results *study.Results `json:"results"`
}

// Tables are the curves as tables: one with the crossings, one a curve with its points.
func (s *Study) Tables() []Table {
	r := s.Results
	out := []Table{{Caption: fmt.Sprintf("%s: share of the %d annotated documents at which a mode reaches %swhat %s reaches with all of them (Recall@1 %.1f), with 95 %% intervals over test documents and seeds",
		s.Title, r.Documents, targetText(r.Target), r.Reference, 100*r.Level),
		Head:  []string{"mode", "reached at", "documents", "mentions", "resamples that reach it", "with all documents", "minus " + r.Reference},
		Notes: []string{"~ where the interval holds zero; 'not reached' where no share of the grid does."}}}
	for _, c := range r.Curves {
		last := c.Points[len(c.Points)-1]
		out[0].Rows = append(out[0].Rows, []string{c.Name, crossingText(c.Crossing), orDash(c.Crossing.Value, c.Crossing.Documents), orDash(c.Crossing.Value, c.Crossing.Mentions),
			fmt.Sprintf("%.0f %%", 100*c.Crossing.Reached), Percent(last.Recall1), Points(c.Difference)})
	}
	for _, c := range r.Curves {
		t := Table{Caption: c.Name + ": Recall@1 in percent", Head: []string{"share", "documents", "mentions", "synthetic", "tokens", "seeds",
			fmt.Sprintf("all (n %d)", c.Points[0].N), fmt.Sprintf("seen (n %d)", c.Points[0].NSeen), fmt.Sprintf("unseen (n %d)", c.Points[0].NUnseen), "by seed"}}
		for _, p := range c.Points {
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%g %%", 100*p.Fraction), fmt.Sprint(p.Cost.Documents), fmt.Sprint(p.Cost.Mentions), fmt.Sprint(p.Cost.Sentences),
				fmt.Sprint(p.Cost.Tokens), fmt.Sprint(p.Seeds), Percent(p.Recall1), Percent(p.Seen), Percent(p.Unseen), bySeed(p.BySeed)})
		}
		out = append(out, t)
	}
	return out
}

// targetText names a target other than the whole.
func targetText(target float64) string {
	if target == 0 || target == 1 {
		return ""
	}
	return fmt.Sprintf("%g %% of ", 100*target)
}

func orDash(reached *float64, v float64) string {
	if reached == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}

func bySeed(values []float64) string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprintf("%.1f", 100*v))
	}
	return strings.Join(out, " ")
}

// crossingText writes "38 % [24 % to not reached]".
func crossingText(c study.Crossing) string {
	share := func(f *float64) string {
		if f == nil {
			return "not reached"
		}
		return fmt.Sprintf("%.0f %%", 100**f)
	}
	return fmt.Sprintf("%s [%s to %s]", share(c.Value), share(c.Low), share(c.High))
}

// Text renders the tables for a terminal.
func (s *Study) Text() string {
	var b strings.Builder
	if n := s.Results.Missing; n > 0 {
		fmt.Fprintf(&b, "%d cells of the grid are not finished: the same command goes on with them\n\n", n)
	}
	for _, t := range s.Tables() {
		b.WriteString(t.text() + "\n")
	}
	return b.String()
}

// Plots are the curves over all mentions and over seen and unseen concepts.
func (s *Study) Plots() []figure {
	pick := []struct {
		title string
		of    func(study.Point) stat.Interval
	}{
		{"all mentions", func(p study.Point) stat.Interval { return p.Recall1 }},
		{eval.UnseenConcept + "s", func(p study.Point) stat.Interval { return p.Unseen }},
		{eval.SeenConcept + "s", func(p study.Point) stat.Interval { return p.Seen }},
	}
	var out []figure
	for i, x := range pick {
		p := &plot{Label: "Recall@1 over the share of annotated documents, " + x.title, X: axis{Title: "annotated documents, % of " + fmt.Sprint(s.Results.Documents), High: 1, Percent: true}}
		for j, c := range s.Results.Curves {
			l := line{Name: c.Name}
			for _, pt := range c.Points {
				iv := x.of(pt)
				l.Points = append(l.Points, dot{pt.Fraction, iv.Value, iv.Low, iv.High, fmt.Sprintf("%s, %g %%: %s", c.Name, 100*pt.Fraction, Percent(iv))})
			}
			p.Lines = append(p.Lines, l)
			if i == 0 && c.Crossing.Value != nil && c.Mode != s.Results.Reference {
				p.Marks = append(p.Marks, mark{*c.Crossing.Value, boundOr(c.Crossing.Low, 0), boundOr(c.Crossing.High, 1), j})
			}
		}
		p.Y = yRange("Recall@1, %", p.Lines)
		if i == 0 {
			p.Levels = []level{{s.Results.Level * cmp.Or(s.Results.Target, 1), targetText(s.Results.Target) + s.Results.Reference + " with all documents"}}
		}
		out = append(out, figure{Title: "Recall@1, " + x.title, Plot: p})
	}
	return out
}

func boundOr(f *float64, otherwise float64) float64 {
	if f == nil {
		return otherwise
	}
	return *f
}

// HTML renders the study as one file without outside references.
func (s *Study) HTML() ([]byte, error) {
	t, err := pages()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "study.html", s); err != nil {
		return nil, fmt.Errorf("rendering the study's page: %w", err)
	}
	return b.Bytes(), nil
}

// Write writes report.json, report.txt, report.md and index.html into a folder.
func (s *Study) Write(dir string) error {
	page, err := s.HTML()
	if err != nil {
		return err
	}
	var md []string
	for _, t := range s.Tables() {
		md = append(md, t.markdown())
	}
	return writeAll(dir, s, map[string][]byte{"report.txt": []byte(s.Text()), "report.md": []byte(strings.Join(md, "\n")), "index.html": page})
}

// writeAll writes report.json and further files.
func writeAll(dir string, report any, files map[string][]byte) error {
	b, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		return fmt.Errorf("encoding report: %w", err)
	}
	files["report.json"] = append(b, '\n')
	for name, content := range files {
		if err := artifact.WriteFile(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	return nil
}

// A figure is a plot with its title.
type figure struct {
	Title string
	Note  string
	Plot  *plot
}

// Draw draws the figure's plot.
func (f figure) Draw() template.HTML { return f.Plot.SVG() }
