package judge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/llm"
	"syncabel/internal/llm/fake"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

func sampleKB() *terminology.KB {
	b := terminology.NewBuilder()
	for _, c := range [][]string{{"1", "gout"}, {"2", "arthritis"}, {"3", "acute gout"}, {"4", "influenza"}, {"5", "asthma"}, {"6", "disease"}} {
		b.Add(terminology.Concept{ID: c[0], Names: []terminology.Name{{Text: c[1], Language: "en", Preferred: true}}, Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}},
			Definitions: []terminology.Definition{{Text: "What is called " + c[1] + "."}}})
	}
	b.AddParent("1", "2")
	b.AddParent("3", "1")
	b.AddParent("2", "6")
	kb, _ := b.Build()
	return kb
}

func row(i int, gold []string, codes ...string) prediction.Prediction {
	p := prediction.Prediction{Document: fmt.Sprint("d", i), Mention: "m", Text: "gout", Sentence: fmt.Sprintf("Case %d has [gout] again.", i), Language: "en", HasGold: true, Gold: [][]string{gold}}
	if len(codes) > 0 {
		c := prediction.Candidate{Code: strings.Join(codes, "+")}
		if len(codes) > 1 {
			c.Parts = codes
		}
		p.Candidates = append(p.Candidates, c)
	}
	return p
}

func TestDecided(t *testing.T) {
	for _, c := range []struct {
		p    prediction.Prediction
		want string
	}{
		{row(1, []string{"1"}, "1"), Strict},
		{row(1, []string{"1", "4"}, "4", "1"), Strict},
		{row(1, []string{"1", "4"}, "4"), Partial},
		{row(1, []string{"1"}, "1", "4"), ""},
		{row(1, []string{"1"}, "4"), ""},
		{row(1, []string{"1"}), NoRelation},
	} {
		if got := Decided(&c.p); got != c.want {
			t.Errorf("gold %v, %v: %q, want %q", c.p.Gold, c.p.Candidates, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]answer{
		`{"a":"EXACT","b":"BROAD"}`: {Exact, Broad},
		"Let me see {x}.\n```json\n{\"a\":\"no_relation\",\"b\":\"NARROW\"}\n```": {NoRelation, Narrow},
		`{"a":"EXACT"}`:             {},
		`{"a":"EXACT","b":"MAYBE"}`: {},
		`I cannot help with that.`:  {},
		``:                          {},
		`}{`:                        {},
	} {
		if got, err := parse(in); got != want || (err == nil) != (want != answer{}) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
}

func TestHierarchy(t *testing.T) {
	kb := sampleKB()
	for _, c := range []struct {
		gold      [][]string
		predicted []string
		want      string
	}{
		{[][]string{{"1"}}, []string{"2"}, Broad},
		{[][]string{{"1"}}, []string{"6"}, Broad},
		{[][]string{{"1"}}, []string{"3"}, Narrow},
		{[][]string{{"1"}}, []string{"4"}, NoRelation},
		{[][]string{{"1"}}, []string{"99"}, NoRelation},
		{[][]string{{"4"}, {"1"}}, []string{"2"}, Broad},
		{[][]string{{"5", "1"}}, []string{"2", "5"}, Broad}, // in any order
		{[][]string{{"5", "1"}}, []string{"4", "5"}, NoRelation},
	} {
		if got := Hierarchy(kb, c.gold, c.predicted); got != c.want {
			t.Errorf("%v beside %v: %s, want %s", c.predicted, c.gold, got, c.want)
		}
	}
}

// TestExamplesAreOurOwn: no sentence of a prompt's examples stands in the demonstration's test documents or the released tables.
func TestExamplesAreOurOwn(t *testing.T) {
	var corpora []string
	for _, pattern := range []string{"../demo/data/*.test.pubtator", "../../../shared/published/*.tsv", "../../../shared/bench/*/test.pubtator"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			corpora = append(corpora, string(b))
		}
	}
	for _, lang := range []string{"en", "fr", "es"} {
		b, err := promptFiles.ReadFile("prompts/judge." + lang + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		examples := regexp.MustCompile(`(?m)^(?:Sentence|Phrase|Frase) ?: (.*\].*)$`).FindAllStringSubmatch(string(b), -1)
		if len(examples) != 4 {
			t.Errorf("%s: %d examples, want 4", lang, len(examples))
		}
		for _, e := range examples {
			plain := strings.NewReplacer("[", "", "]", "").Replace(e[1])
			for _, c := range corpora {
				if strings.Contains(c, plain) {
					t.Errorf("%q stands in a test set", plain)
				}
			}
		}
		for _, l := range Labels() {
			if !strings.Contains(string(b), "\n"+l) || !strings.Contains(string(b), `"`+l+`"`) {
				t.Errorf("%s: label %s is not defined or has no example", lang, l)
			}
		}
	}
}

// truth is what the fake judge says about a concept for the mention gout.
func truth(description string) string {
	switch name, _, _ := strings.Cut(description, " ("); name {
	case "gout":
		return Exact
	case "acute gout":
		return Narrow
	case "arthritis", "disease":
		return Broad
	}
	return NoRelation
}

var caseNumber = regexp.MustCompile(`Sentence: Case (\d+) `)

// answerer answers as a judge would; model "dumb" writes prose, and model "shy" refuses every third case.
func answerer(a fake.Ask) string {
	n := 0
	fmt.Sscan(caseNumber.FindStringSubmatch(a.User)[1], &n)
	if a.Model == "dumb" || a.Model == "shy" && n%3 == 0 {
		return "I am not able to judge clinical content."
	}
	field := func(letter string) string {
		all := regexp.MustCompile(`(?m)^`+letter+`: (.*)$`).FindAllStringSubmatch(a.User, -1)
		return truth(all[len(all)-1][1])
	}
	return fmt.Sprintf(`{"a":"%s","b":"%s"}`, field("A"), field("B"))
}

func judged(t *testing.T, preds []prediction.Prediction, opt Options, faults map[string]float64) (*Result, *fake.Server) {
	t.Helper()
	server := fake.New(fake.Options{Answer: answerer, Faults: faults, Seed: 3})
	h := httptest.NewServer(server)
	defer h.Close()
	client, err := llm.NewClient([]llm.Endpoint{{URL: h.URL + "/v1", InFlight: 8}}, llm.Options{MinBackOff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	for range 2 { // the second time everything is in the journal
		journal, err := llm.OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(context.Background(), sampleKB(), preds, client, journal, opt); err != nil {
			t.Fatal(err)
		}
		if err := journal.Close(); err != nil {
			t.Fatal(err)
		}
	}
	index := llm.NewIndex()
	defer index.Close()
	if _, _, err := index.Add(path); err != nil {
		t.Fatal(err)
	}
	res, err := Collect(sampleKB(), preds, index, opt)
	if err != nil {
		t.Fatal(err)
	}
	return res, server
}

func cases() []prediction.Prediction {
	var out []prediction.Prediction
	for i := range 24 {
		out = append(out, row(i, []string{"1"}, []string{"2", "3", "4", "1"}[i%4]))
	}
	out = append(out, row(24, []string{"1", "4"}, "4"), row(25, []string{"1"}), row(26, []string{"1"}, "99"))
	out = append(out, prediction.Prediction{Document: "x", Mention: "m", Text: "gout", Candidates: []prediction.Candidate{{Code: "1"}}}) // no gold
	return out
}

func TestRun(t *testing.T) {
	for _, blind := range []bool{false, true} {
		res, server := judged(t, cases(), Options{Models: []string{"good"}, Blind: blind}, map[string]float64{fake.Internal: 0.1, fake.TooMany: 0.1})
		want := map[string]int{Broad: 6, Narrow: 6, NoRelation: 7, Strict: 6, Partial: 1}
		if diff := cmp.Diff(want, res.Counts.Verdicts); diff != "" {
			t.Errorf("blind %v: %s", blind, diff)
		}
		c := res.Counts
		if c.N != 27 || c.Missing != 1 || c.Why[MissingConcept] != 1 || c.Decided != 8 || c.GoldWrong != 0 || c.Hierarchy[Broad] != 6 || c.Hierarchy[Narrow] != 6 {
			t.Errorf("blind %v: %+v", blind, c)
		}
		if n := server.Counts()["answered"]; n != 18 {
			t.Errorf("blind %v: %d answers paid for, want 18", blind, n)
		}
		preds := cases()
		if err := Mark(preds, res.Judged); err != nil || preds[0].Verdict != Broad || preds[3].Verdict != Strict || preds[26].Verdict != "" {
			t.Errorf("marking: %v %+v", err, preds[0])
		}
		if Mark(preds[:20], res.Judged) == nil || Mark(preds[1:], res.Judged) == nil {
			t.Error("verdicts of other predictions pass")
		}
	}
}

// TestMissing: refusals and prose are counted as missing with their judge, never as a label.
func TestMissing(t *testing.T) {
	res, _ := judged(t, cases(), Options{Models: []string{"dumb"}}, nil)
	if c := res.Counts; c.Missing != 19 || c.Why[llm.KindUnusable] != 18 || c.Verdicts[NoRelation] != 1 || c.Failures["dumb"][llm.KindUnusable] != 18 || len(c.Judges["dumb"]) != 0 {
		t.Errorf("%+v", c)
	}
	// three judges, one always and one sometimes silent: two of three is a majority, one of three is not
	res, _ = judged(t, cases(), Options{Models: []string{"good", "shy", "dumb"}}, nil)
	if c := res.Counts; c.Why[MissingAgreement] != 6 || c.Missing != 7 || c.Failures["shy"][llm.KindUnusable] != 6 || c.Judges["good"][Broad] != 6 {
		t.Errorf("%+v", c)
	}
}

func TestUnansweredIsMissing(t *testing.T) {
	index := llm.NewIndex()
	defer index.Close()
	res, err := Collect(sampleKB(), cases(), index, Options{Models: []string{"good"}})
	if err != nil || res.Counts.Why[MissingUnasked] != 18 {
		t.Errorf("%v %+v", err, res)
	}
}

// TestSheet: what a clinician writes comes back to the right concept, and the sheet does not tell which is which.
func TestSheet(t *testing.T) {
	kb, preds := sampleKB(), cases()
	var b bytes.Buffer
	opt := SheetOptions{Seed: 5}
	rows, left, err := WriteSheet(&b, kb, preds, opt)
	if err != nil || rows != 18 || left != 1 {
		t.Fatal(rows, left, err)
	}
	in, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	goldFirst := 0
	for _, r := range in[1:] {
		if strings.HasPrefix(r[3], "gout") {
			goldFirst++
		}
		r[5], r[6] = strings.ToLower(truth(r[3])), " "+truth(r[4])
	}
	if goldFirst < 3 || goldFirst > 15 {
		t.Errorf("gold stands first in %d of 18 rows", goldFirst)
	}
	in[1][5], in[1][6] = "", ""
	var back bytes.Buffer
	w := csv.NewWriter(&back)
	w.Comma = ';'
	if err := w.WriteAll(in); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSheet(strings.NewReader("\ufeff"+back.String()), "sheet.csv")
	if err != nil || s.Empty != 1 {
		t.Fatal(err, s)
	}
	human, unknown := s.Verdicts(preds, 5)
	if len(human) != 17 || unknown != 0 {
		t.Errorf("%d verdicts, %d unknown", len(human), unknown)
	}
	for i := range preds {
		if v, ok := human[RowKey(&preds[i])]; ok && v != []string{Broad, Narrow, NoRelation, ""}[i%4] {
			t.Errorf("case %d: %s", i, v)
		}
	}
	if _, unknown := s.Verdicts(preds, 6); unknown != 17 {
		t.Errorf("another seed: %d unknown", unknown)
	}
	for in, want := range map[string]string{"id,verdict_a,verdict_b\nx,GOOD,\n": "sheet:2: \"GOOD\"", "id,verdict\n": "lacks", "": "no heading", "id,verdict_a,verdict_b\nx,EXACT,\nx,EXACT,\n": "twice"} {
		if _, err := ReadSheet(strings.NewReader(in), "sheet"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if harmless("=cmd()") != "'=cmd()" || harmless("a") != "a" {
		t.Error("formulas pass")
	}
}

func TestAgree(t *testing.T) {
	keys := []string{"1", "2", "3", "4", "5"}
	a := Agree("x", map[string]string{"1": Exact, "2": Broad, "3": Exact, "5": Narrow}, map[string]string{"1": Exact, "2": Broad, "3": Broad, "4": Narrow}, keys)
	// over 1, 2, 3: two of three equal; margins E 1/3, B 2/3 and E 2/3, B 1/3: chance 4/9
	if a.N != 3 || a.Missing != 1 || math.Abs(a.Accuracy-2.0/3) > 1e-12 || math.Abs(a.Kappa-(2.0/3-4.0/9)/(5.0/9)) > 1e-12 {
		t.Errorf("%+v", a)
	}
	if s := a.Labels[Exact]; s.N != 1 || s.Precision != 0.5 || s.Recall != 1 {
		t.Errorf("%+v", s)
	}
}

// TestPublishedJudgesAgree: the two released judges give the same label in 74.6 % of SPACCC and 72.7 % of EMEA, over the mentions that
// either of them judged.
func TestPublishedJudgesAgree(t *testing.T) {
	for name, want := range map[string]float64{"spaccc": 0.746, "emea": 0.727} {
		var keys []string
		first, second := map[string]string{}, map[string]string{}
		for _, kind := range []string{"with", "without"} {
			f, err := os.Open("../../../shared/published/" + name + "." + kind + ".tsv")
			if err != nil {
				t.Skip("the released predictions are not here")
			}
			defer f.Close()
			preds, err := prediction.ReadReference(bufio.NewReader(f), name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range preds {
				if p := &preds[i]; Asked(p) {
					k := kind + RowKey(p)
					keys = append(keys, k)
					first[k], second[k] = p.Verdicts["LLM_Evaluation"], p.Verdicts["LLM_Evaluation_v2"]
				}
			}
		}
		a := Agree("v2", second, first, keys)
		t.Logf("%s: n %d, agreement %.3f, kappa %.3f", name, a.N, a.Accuracy, a.Kappa)
		if math.Abs(a.Accuracy-want) > 0.01 {
			t.Errorf("%s: agreement %.3f, want %.3f", name, a.Accuracy, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"a":"EXACT","b":"BROAD"}`)
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := parse(s); err == nil && (rank(a.A) < 0 || rank(a.B) < 0) {
			t.Errorf("%q: %v", s, a)
		}
	})
}

func FuzzReadSheet(f *testing.F) {
	f.Add("id,verdict_a,verdict_b\nx,EXACT,\n")
	f.Fuzz(func(t *testing.T, s string) {
		if sheet, err := ReadSheet(strings.NewReader(s), "f"); err == nil {
			for _, v := range sheet.verdicts {
				if v[0] == "" && v[1] == "" {
					t.Error("an empty row was kept")
				}
			}
		}
	})
}
