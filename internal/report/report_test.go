package report

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"syncabel/internal/artifact"
	"syncabel/internal/eval"
	"syncabel/internal/prediction"
	"syncabel/internal/stat"
	"syncabel/internal/study"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := artifact.WriteFile(path, got); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s differs: look at it, then run the test with -update", path)
	}
}

// sampleReport has everything a page can show: two systems in two languages, confidence, comparison, confusion, warnings, errors
// with text that must be escaped, cards.
func sampleReport(t *testing.T) *Report {
	t.Helper()
	r := &Report{Title: "sample <run>", Note: "Invented & small.", Program: "v0", Split: "test", Documents: 12, Protocol: eval.Strict, Lenient: true}
	var first []prediction.Prediction
	for s, system := range []string{"TF-IDF", "model guided + stage 0"} {
		var preds []prediction.Prediction
		for i := range 240 {
			p := prediction.Prediction{Document: fmt.Sprint("doc", i/20), Mention: fmt.Sprint(i), Text: "MI", Sentence: `He had an [MI] & <u>"more"</u>.`, Group: []string{"Disorders", "Findings"}[i%2],
				Language: []string{"en", "fr"}[i/10%2], HasGold: true, Gold: [][]string{{"A"}}, System: system, Tags: []string{eval.SeenConcept, eval.UnseenMention}}
			if i%4 == 0 {
				p.Tags[0] = eval.UnseenConcept
			}
			sure := float64(i*37%100) / 100
			c := prediction.Candidate{Code: "A", Name: "infarct <acute>", Probability: 0.2 + 0.8*sure, Source: []string{"beam", "tfidf"}}
			if float64(i*53%100)/100 > 0.3+0.5*sure+0.1*float64(s) {
				c.Code, p.Candidates = "B", []prediction.Candidate{{Code: "A", Name: "x", Probability: 0.1}}
			}
			p.Candidates = append([]prediction.Candidate{c}, p.Candidates...)
			preds = append(preds, p)
		}
		res, err := eval.Evaluate(preds, eval.Options{Samples: 100, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.Rows = append(r.Rows, Row{System: system, Seeds: 1 + s, BySeed: []float64{0.5, 0.6}, Overall: res.Overall, Strata: res.Strata, Selective: res.Selective,
			Verdicts: &eval.Verdicts{N: 240, Missing: 2, Counts: map[string]int{"STRICT": 130, "EXACT": 8, "NO_RELATION": 100}, Appropriate: stat.Interval{Value: 0.575, Low: 0.5, High: 0.6}}})
		r.Rows[s].Ambiguous = eval.Ambiguous{Named: eval.Ambiguity{N: 20, Right: 9 + 9*s, Chance: 9.5}, Taught: eval.Ambiguity{N: 4, Right: 3, Chance: 1.6667, Usual: 2}}
		if s == 0 {
			first = preds
			continue
		}
		c, err := eval.Compare(preds, first, eval.Options{Samples: 100, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.Comparisons = []Comparison{{A: system, B: "TF-IDF", Overall: c.Recall1, Seen: c.Strata[eval.SeenConcept].Test, Unseen: stat.Test{Low: -0.1, High: 0.1}}}
		r.Errors = Errors(preds, 8, func(id string) string { return map[string]string{"A": "heart attack"}[id] })
	}
	r.Ablation = &Ablation{Model: "model", Seeds: 2, Rows: []Addition{{Name: "guided", Recall1: stat.Interval{Value: 0.7, Low: 0.6, High: 0.8}, At70: 0.8},
		{Name: "+ ranker", Against: "guided", Recall1: stat.Interval{Value: 0.75, Low: 0.65, High: 0.85}, All: stat.Test{Difference: 0.05, Low: 0.01, High: 0.09}, ECE: stat.Interval{Value: 0.031}}}}
	r.EndToEnd = eval.ScoreEndToEnd(nil, nil, nil, eval.Options{})
	r.Stages = []Stage{{Title: "knowledge base", Folder: "work/kb/x", Counts: map[string]int64{"concepts": 2}, Warnings: []artifact.Warning{{Kind: "offset", Count: 2, Examples: []string{"f:3: <bad>"}}}}}
	r.Confusion, r.ConfusionOf = stat.Confuse([]string{"Disorders", "Findings", "Disorders"}, []string{"Disorders", "Disorders", "none"}, []string{"Disorders", "Findings"}), "model"
	r.Cards = []Card{NewCard("Model x", "card.model.x.md", &artifact.Manifest{Kind: "model", Program: "v0", Counts: map[string]int64{"steps": 3}, Options: []byte(`{"lr":0.1}`)}, []string{"open"}, []string{"Recall@1 50"})}
	return r
}

func sampleStudy() *Study {
	s := &Study{Title: "sample study", Note: "Invented.", Program: "v0", Link: "beam-trie", Results: &study.Results{Reference: "human_only", Level: 0.6, Documents: 100, Seeds: 3, Cells: 30, Missing: 2}}
	at := func(f float64) *float64 { return &f }
	for i, mode := range []string{"human_only", "full", "full_upsampled", "a name that is much longer than the others and has to wrap"} {
		c := study.Curve{Series: study.Series{Mode: mode}, Name: mode, Difference: stat.Test{Difference: 0.02, Low: -0.01, High: 0.05}}
		for _, f := range []float64{0.1, 0.2, 0.4, 0.6, 0.8, 1} {
			v := 0.6*math.Sqrt(f) + 0.05*float64(i)
			iv := stat.Interval{Value: v, Low: v - 0.04, High: v + 0.05}
			c.Points = append(c.Points, study.Point{Fraction: f, Seeds: 3, N: 500, NSeen: 400, NUnseen: 100, Recall1: iv, Seen: iv, Unseen: stat.Interval{Value: v / 2, Low: v/2 - 0.1, High: v/2 + 0.1},
				BySeed: []float64{v - 0.01, v, v + 0.01}, Cost: study.Cost{Documents: int(100 * f), Mentions: int(1000 * f), Sentences: 50 * i, Tokens: 1000}})
		}
		c.Crossing = study.Crossing{Value: at(1 - 0.2*float64(i)), Low: at(0.9 - 0.2*float64(i)), Reached: 0.9, Documents: 40, Mentions: 400}
		if i == 3 {
			c.Crossing = study.Crossing{}
		}
		s.Results.Curves = append(s.Results.Curves, c)
	}
	return s
}

func TestGoldens(t *testing.T) {
	r, s := sampleReport(t), sampleStudy()
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.html", page)
	golden(t, "report.txt", []byte(r.Text()))
	golden(t, "card.md", []byte(r.Cards[0].Text))
	if page, err = s.HTML(); err != nil {
		t.Fatal(err)
	}
	golden(t, "study.html", page)
	golden(t, "study.txt", []byte(s.Text()))
	table := s.Tables()[0]
	for _, format := range []string{"latex", "markdown", "csv"} {
		text, err := table.Render(format)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "table."+format, []byte(text))
	}
}

// TestPagesAskNobody: nothing in a page points outside, and text of data never becomes markup.
func TestPagesAskNobody(t *testing.T) {
	r, _ := sampleReport(t).HTML()
	s, _ := sampleStudy().HTML()
	for _, page := range []string{string(r), string(s)} {
		if m := regexp.MustCompile(`(?i)(src|href)="[^"d#]|url\(|@import|https?://|<script`).FindString(page); m != "" {
			t.Errorf("the page holds %q", m)
		}
		for _, raw := range []string{"<run>", "<u>", "<bad>", "<acute>"} {
			if strings.Contains(page, raw) {
				t.Errorf("%s is not escaped", raw)
			}
		}
	}
}

// TestPlotIsXML: a drawn plot is well-formed whatever the numbers, and every point lies inside it.
func TestPlotIsXML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(-0.5, 1.5)
		p := &plot{Label: rapid.String().Draw(t, "label"), X: axis{Title: `"<&`, High: 1, Percent: true}}
		for range rapid.IntRange(0, 7).Draw(t, "lines") {
			l := line{Name: "x"}
			for range rapid.IntRange(0, 4).Draw(t, "points") {
				l.Points = append(l.Points, dot{value.Draw(t, "x"), value.Draw(t, "y"), value.Draw(t, "low"), value.Draw(t, "high"), "<t>"})
			}
			p.Lines = append(p.Lines, l)
		}
		p.Y = yRange("y", p.Lines)
		p.Marks, p.Levels = []mark{{0.5, 0.2, 2, 9}}, []level{{value.Draw(t, "level"), "<l>"}}
		svg := string(p.SVG())
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				if strings.Contains(err.Error(), "illegal character code") {
					break // a control character of the drawn label
				}
				t.Fatalf("%v: %s", err, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Fatal(svg)
		}
	})
}

func TestTicks(t *testing.T) {
	for _, a := range []axis{{High: 1}, {Low: 0.3, High: 0.4}, {Low: 0.2, High: 0.9}, {High: 592}} {
		if n := len(ticks(a)); n < 4 || n > 9 {
			t.Errorf("%v to %v: %d ticks", a.Low, a.High, n)
		}
	}
}

func TestTableRoundTrip(t *testing.T) {
	table := Table{Head: []string{"a", "b"}, Rows: [][]string{{"x,y", `"q"`}, {"é|_&%", "~"}}}
	text, err := table.Render("csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != "x,y" {
		t.Errorf("%v %v", rows, err)
	}
	latex, _ := table.Render("latex")
	markdown, _ := table.Render("markdown")
	if !strings.Contains(latex, `é|\_\&\% & $\sim$ \\`) || !strings.Contains(markdown, `| é\|_&% | ~ |`) {
		t.Error(latex, markdown)
	}
	if _, err := table.Render("word"); err == nil {
		t.Error("an unknown format passes")
	}
}

func TestWhy(t *testing.T) {
	name := func(id string) string { return map[string]string{"A": "a", "B": "b"}[id] }
	for _, c := range []struct {
		gold  string
		codes []string
		tags  []string
		want  string
	}{
		{"A", []string{"B", "A"}, nil, "gold is candidate 2"},
		{"A", []string{"B"}, []string{eval.UnseenConcept}, "gold is not among the candidates; training never showed the concept"},
		{"Z", []string{"B"}, nil, "gold is not in the knowledge base"},
		{"A", nil, nil, "abstained"},
		{"A", []string{"B"}, []string{eval.SeenMention, eval.UnseenPair}, "gold is not among the candidates; training showed the mention with another concept"},
	} {
		p := prediction.Prediction{Gold: [][]string{{c.gold}}, Tags: c.tags}
		for _, code := range c.codes {
			p.Candidates = append(p.Candidates, prediction.Candidate{Code: code})
		}
		if got := strings.Join(why(&p, name), "; "); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.gold, c.codes, got, c.want)
		}
	}
}
