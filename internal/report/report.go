// Package report turns evaluations into something to read: text for the terminal, JSON for programs, and one HTML file
// that needs no server and asks nobody. It reads results, never logs and never a model. It is the last stage of the chain.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/eval"
	"syncabel/internal/prediction"
	"syncabel/internal/stat"
)

// A Report is what one run has to say.
type Report struct {
	Title       string         `json:"title"`
	Note        string         `json:"note,omitempty"`
	Program     string         `json:"program"`
	Split       string         `json:"split"`
	Documents   int            `json:"documents"`
	Protocol    string         `json:"protocol"`
	Lenient     bool           `json:"lenient"`
	Rows        []Row          `json:"rows"`
	Comparisons []Comparison   `json:"comparisons"`
	Ablation    *Ablation      `json:"ablation,omitempty"`
	EndToEnd    *eval.EndToEnd `json:"end_to_end,omitempty"` // of the default model, on mentions found in the raw text
	Stages      []Stage        `json:"stages"`
	Errors      []Error        `json:"errors"`
	Cards       []Card         `json:"-"`
	// Confusion counts the groups of annotations against those of the first candidates of system ConfusionOf.
	Confusion   *stat.Confusion `json:"group_confusion,omitempty"`
	ConfusionOf string          `json:"group_confusion_of,omitempty"`
}

// A Row is one system. With several seeds its figures are means over them.
type Row struct {
	System  string               `json:"system"`
	Model   string               `json:"model,omitempty"` // variant; empty for string comparison
	Mode    string               `json:"mode"`
	Seeds   int                  `json:"seeds"`
	BySeed  []float64            `json:"recall@1_by_seed"`
	Overall eval.Cell            `json:"overall"`
	Strata  map[string]eval.Cell `json:"strata"`

	Selective *eval.Selective `json:"selective,omitempty"` // nil where predictions have no confidence
	Verdicts  *eval.Verdicts  `json:"verdicts,omitempty"`  // nil where nobody judged
	Ambiguous eval.Ambiguous  `json:"ambiguous"`           // summed over seeds
}

// A Comparison is a paired difference of Recall@1, A minus B.
type Comparison struct {
	A       string    `json:"a"`
	B       string    `json:"b"`
	Overall stat.Test `json:"overall"`
	Seen    stat.Test `json:"seen_concepts"`
	Unseen  stat.Test `json:"unseen_concepts"`
}

// A Stage says what one folder holds.
type Stage struct {
	Title    string             `json:"title"`
	Folder   string             `json:"folder"`
	Counts   map[string]int64   `json:"counts"`
	Warnings []artifact.Warning `json:"warnings,omitempty"`
}

// An Error is a mention that a system got wrong.
type Error struct {
	Document   string                 `json:"document"`
	Text       string                 `json:"text"`
	Sentence   string                 `json:"sentence"`
	Gold       string                 `json:"gold"`
	Why        []string               `json:"why"` // what is known about the cause
	Tags       []string               `json:"tags"`
	Candidates []prediction.Candidate `json:"candidates"`
}

// MaxErrors bounds the list of errors in a report.
const MaxErrors = 60

// Errors lists the first mentions whose first candidate is no part of the gold. name returns the preferred name of a concept, or
// "" when there is no such concept.
func Errors(preds []prediction.Prediction, limit int, name func(id string) string) []Error {
	var out []Error
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 || len(out) == limit || p.GoldRank() == 1 {
			continue
		}
		var gold []string
		for _, g := range p.Gold {
			var parts []string
			for _, id := range g {
				parts = append(parts, strings.TrimSpace(id+" "+name(id)))
			}
			gold = append(gold, strings.Join(parts, " + "))
		}
		out = append(out, Error{p.Document, p.Text, p.Sentence, strings.Join(gold, " or "), why(p, name), p.Tags, p.Candidates[:min(3, len(p.Candidates))]})
	}
	return out
}

// why says what can be known about an error from the prediction itself.
func why(p *prediction.Prediction, name func(string) string) []string {
	var out []string
	rank := p.GoldRank()
	switch {
	case !slices.ContainsFunc(p.Gold, func(g []string) bool { return slices.ContainsFunc(g, func(id string) bool { return name(id) != "" }) }):
		out = append(out, "gold is not in the knowledge base")
	case len(p.Candidates) == 0:
		out = append(out, "abstained")
	case rank > 0:
		out = append(out, fmt.Sprintf("gold is candidate %d", rank))
	default:
		out = append(out, "gold is not among the candidates")
	}
	if slices.Contains(p.Tags, eval.UnseenConcept) {
		out = append(out, "training never showed the concept")
	} else if slices.Contains(p.Tags, eval.SeenMention) && slices.Contains(p.Tags, eval.UnseenPair) {
		out = append(out, "training showed the mention with another concept")
	}
	if slices.ContainsFunc(p.Gold, func(g []string) bool { return len(g) > 1 }) {
		out = append(out, "several concepts are meant")
	}
	return out
}

// Columns are the strata a table shows: all, seen and unseen concepts, and per language where there are several.
func (r *Report) Columns() []string {
	out := []string{"", eval.SeenConcept, eval.UnseenConcept}
	if r.has(eval.NotLinkable) {
		out = append(out, eval.Linkable)
	}
	out = append(out, eval.UnseenMention)
	var languages []string
	for _, row := range r.Rows {
		for name := range row.Strata {
			if l, ok := strings.CutPrefix(name, "language "); ok && !slices.Contains(languages, l) {
				languages = append(languages, l)
			}
		}
	}
	slices.SortFunc(languages, func(a, b string) int {
		return cmp.Or(cmp.Compare(languageOrder(a), languageOrder(b)), cmp.Compare(a, b))
	})
	if len(languages) > 1 {
		for _, l := range languages {
			out = append(out, "language "+l, eval.UnseenConcept+" "+l)
		}
	}
	return out
}

func (r *Report) has(stratum string) bool {
	return slices.ContainsFunc(r.Rows, func(row Row) bool { _, ok := row.Strata[stratum]; return ok })
}

func languageOrder(l string) int { return strings.Index("en fr es "+l, l) }

// ColumnTitle is how a table heads a stratum.
func ColumnTitle(c string) string {
	if c == "" {
		return "all"
	}
	c = strings.TrimPrefix(c, "language ")
	c = strings.Replace(c, eval.UnseenConcept+" ", "unseen ", 1)
	return strings.Replace(c, " concept", "", 1)
}

// Cell returns a row's figures in a stratum.
func (row *Row) Cell(stratum string) (eval.Cell, bool) {
	if stratum == "" {
		return row.Overall, true
	}
	c, ok := row.Strata[stratum]
	return c, ok
}

// Text renders the report's tables for a terminal: first all mentions and the strata of training, then the languages.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: Recall@1 in percent [95 %% interval] on the %s split, %d documents\n", r.Title, r.Split, r.Documents)
	for _, t := range r.Tables() {
		b.WriteString("\n" + t.text())
	}
	for i := range r.Rows {
		if note := seedNote(&r.Rows[i]); note != "" {
			fmt.Fprintf(&b, "%s: %s\n", r.Rows[i].System, note)
		}
	}
	r.differences(&b)
	for _, t := range r.further() {
		b.WriteString("\n" + t.text())
	}
	r.fromText(&b)

	r.sentences(&b)
	return b.String()
}

// further are the tables that stand below those of Tables, where they have something to say.
func (r *Report) further() []Table {
	return slices.DeleteFunc([]Table{r.AmbiguousTable(), r.AblationTable()}, func(t Table) bool { return len(t.Rows) == 0 })
}

// Tables are the systems by strata: first all mentions and the strata of training, then the languages.
func (r *Report) Tables() []Table {
	columns := r.Columns()
	cut := slices.IndexFunc(columns, func(c string) bool { return strings.HasPrefix(c, "language ") })
	if cut < 0 {
		cut = len(columns)
	}
	out := []Table{r.Table(columns[:cut])}
	if cut < len(columns) {
		out = append(out, r.Table(columns[cut:]))
	}
	return out
}

// Table has one line a system, one column a stratum.
func (r *Report) Table(columns []string) Table {
	t := Table{Head: []string{""}, Rows: [][]string{{"mentions"}}}
	for _, c := range columns {
		t.Head = append(t.Head, ColumnTitle(c))
		t.Rows[0] = append(t.Rows[0], fmt.Sprint(r.Size(c)))
	}
	for i := range r.Rows {
		row := []string{r.Rows[i].System}
		for _, c := range columns {
			text := "-"
			if cell, ok := r.Rows[i].Cell(c); ok {
				text = Percent(cell.Recall1)
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// Size is the number of mentions of a stratum, counted once however many seeds there are.
func (r *Report) Size(stratum string) int {
	for i := range r.Rows {
		if c, ok := r.Rows[i].Cell(stratum); ok {
			return c.N / max(r.Rows[i].Seeds, 1)
		}
	}
	return 0
}

func seedNote(row *Row) string {
	if row.Seeds < 2 {
		return ""
	}
	var s []string
	for _, v := range row.BySeed {
		s = append(s, fmt.Sprintf("%.1f", 100*v))
	}
	return "mean of seeds " + strings.Join(s, ", ")
}

// Percent writes an interval as "87.9 [83.3 92.2]".
func Percent(i stat.Interval) string {
	return fmt.Sprintf("%.1f [%.1f %.1f]", 100*i.Value, 100*i.Low, 100*i.High)
}

func (r *Report) differences(b *strings.Builder) {
	if len(r.Comparisons) == 0 {
		return
	}
	b.WriteString("\nPaired differences of Recall@1 in points [95 % interval]; ~ where the interval holds zero\n")
	for _, c := range r.Comparisons {
		fmt.Fprintf(b, "  %s - %s\n      all %s   seen %s   unseen %s\n", c.A, c.B, Points(c.Overall), Points(c.Seen), Points(c.Unseen))
	}
}

// fromText tells the scores on mentions that were found, not given.
func (r *Report) fromText(b *strings.Builder) {
	if r.EndToEnd == nil {
		return
	}
	fmt.Fprintf(b, "\nFrom the raw text: %d mentions found, %d annotated\n", r.EndToEnd.Found, r.EndToEnd.Gold)
	for _, x := range r.FoundRows() {
		fmt.Fprintf(b, "  %-18s precision %s   recall %s   F1 %s\n", x.Name, Percent(x.Precision), Percent(x.Recall), Percent(x.F1))
	}
}

// A FoundRow is one line of the scores on found mentions.
type FoundRow struct {
	Name string
	eval.PRF
}

// FoundRows lists the scores on found mentions, none where they were not asked for.
func (r *Report) FoundRows() []FoundRow {
	if r.EndToEnd == nil {
		return nil
	}
	return []FoundRow{{"span", r.EndToEnd.Spans}, {"span and group", r.EndToEnd.Groups}, {"span and concept", r.EndToEnd.Linked}}
}

// Points writes a difference as "+2.5 [-0.5 5.2]", with a mark where it is within noise.
func Points(t stat.Test) string {
	mark := ""
	if eval.Noise(t) {
		mark = " ~"
	}
	return fmt.Sprintf("%+.1f [%+.1f %+.1f]%s", 100*t.Difference, 100*t.Low, 100*t.High, mark)
}

// Write writes report.json, report.txt, report.md, index.html and the cards into a folder.
func (r *Report) Write(dir string) error {
	page, err := r.HTML()
	if err != nil {
		return err
	}
	var md []string
	for _, t := range append(r.Tables(), r.further()...) {
		md = append(md, t.markdown())
	}
	files := map[string][]byte{"report.txt": []byte(r.Text()), "report.md": []byte(strings.Join(md, "\n")), "index.html": page}
	for _, c := range r.Cards {
		files[c.File] = []byte(c.Text)
	}
	return writeAll(dir, r, files)
}
