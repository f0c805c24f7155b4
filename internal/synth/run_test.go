package synth

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/llm"
	"syncabel/internal/llm/fake"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// plan makes a plan over the demonstration's knowledge base.
func plan(t testing.TB, kb *terminology.KB, path string, names ...string) *Plan {
	t.Helper()
	opt := PlanOptions{Sampling: Sampling{Model: "m"}, Seed: 1}
	for _, n := range names {
		p, err := LoadPrompt(n, 3)
		if err != nil {
			t.Fatal(err)
		}
		opt.Prompts = append(opt.Prompts, p)
	}
	if _, err := WritePlan(path, kb, opt); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPlan(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run sends a plan to a server and collects.
func run(t testing.TB, p *Plan, dir, url string) *Collection {
	t.Helper()
	c, err := llm.NewClient([]llm.Endpoint{{URL: url + "/v1", InFlight: 32}}, llm.Options{MinBackOff: time.Millisecond, MaxBackOff: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	j, err := llm.OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&llm.Run{Client: c, Journal: j, Total: int(p.Totals.Requests), Accept: Accept}).Do(t.Context(), p.Requests()); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	x := llm.NewIndex()
	defer x.Close()
	if _, _, err := x.Add(filepath.Join(dir, "journal")); err != nil {
		t.Fatal(err)
	}
	got, err := Collect(p, x, filepath.Join(dir, "answers"), filepath.Join(dir, "missing"))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func records(t testing.TB, path string) []Record {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, warnings, err := ReadJournal(f, path)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return out
}

// TestFaults: with every kind of fault in one of ten, every request is answered or listed as missing with its reason, and no
// faulty sentence trains anything.
func TestFaults(t *testing.T) {
	kb := demoKB(t)
	faults := map[string]float64{}
	for _, f := range []string{fake.TooMany, fake.Internal, fake.Slow, fake.Cut, fake.Truncated, fake.Language, fake.Duplicate, fake.Bracket, fake.Length} {
		faults[f] = 0.1
	}
	s := fake.New(fake.Options{Faults: faults, SlowFor: 5 * time.Millisecond})
	h := httptest.NewServer(s)
	defer h.Close()
	dir := t.TempDir()
	p := plan(t, kb, filepath.Join(dir, "plan"), "general.en", "general.fr", "general.es")
	got := run(t, p, dir, h.URL)
	list, err := os.ReadFile(filepath.Join(dir, "missing"))
	if err != nil {
		t.Fatal(err)
	}
	answers := records(t, filepath.Join(dir, "answers"))
	missing := int64(strings.Count(string(list), "\n"))
	if got.Requests != p.Totals.Requests || got.Answered != int64(len(answers)) || got.Answered+missing != got.Requests || missing > got.Requests/20 {
		t.Errorf("%+v, %d answers, %d missing", got, len(answers), missing)
	}
	for line := range strings.Lines(string(list)) {
		if !strings.Contains(line, `"reason":"`) || strings.Contains(line, `"reason":""`) {
			t.Errorf("no reason: %s", line)
		}
	}
	c := Check(kb, answers, nil, Options{})
	seen := map[string]bool{}
	for _, d := range c.Documents {
		if newLanguages().wrong(d.Text, d.Language) || seen[d.Text] || corpus.SurfaceOf(d.Text, d.Mentions[0].Spans) != d.Mentions[0].Text {
			t.Errorf("a faulty sentence passed: %q", d.Text)
		}
		seen[d.Text] = true
	}
	t.Logf("%d requests: %d answered, missing %v; server: %v; gates: %d of %d sentences passed, rejected %v", got.Requests, got.Answered, got.Missing, s.Counts(), c.Passed, c.Sentences, c.Rejected)
	if c.Rejected[RejectLanguage] == 0 || c.Rejected[RejectDuplicate] == 0 || c.Passed < c.Sentences/2 {
		t.Error("the faults of the content did not reach the gates, or too much was lost")
	}
}

// TestPlan: the same options give the same bytes; a plan that is cut is refused; a changed plan keeps the keys of what stays the same.
func TestPlan(t *testing.T) {
	kb := demoKB(t)
	dir := t.TempDir()
	a := plan(t, kb, filepath.Join(dir, "a"), "pubmed.en", "clinical.es")
	plan(t, kb, filepath.Join(dir, "b"), "pubmed.en", "clinical.es")
	x, _ := os.ReadFile(filepath.Join(dir, "a"))
	y, _ := os.ReadFile(filepath.Join(dir, "b"))
	if string(x) != string(y) || a.Totals.Requests != a.Totals.ByPrompt["pubmed.en"]+a.Totals.ByPrompt["clinical.es"] || a.Totals.Concepts != int64(kb.Len()) {
		t.Errorf("%+v", a.Totals)
	}
	keys := map[llm.Key]bool{}
	for r, err := range a.Requests() {
		if err != nil || keys[r.Key()] {
			t.Fatal("two requests are one", err)
		}
		keys[r.Key()] = true
	}
	for r := range plan(t, kb, filepath.Join(dir, "c"), "clinical.es").Requests() {
		if !keys[r.Key()] {
			t.Fatal("a request that stayed the same has another key")
		}
	}
	os.WriteFile(filepath.Join(dir, "d"), x[:len(x)-len(x)/3], 0o644)
	if _, err := OpenPlan(filepath.Join(dir, "d")); err == nil || !strings.Contains(err.Error(), "not complete") {
		t.Error(err)
	}
	for _, opt := range []PlanOptions{{}, {Prompts: a.Prompts}} {
		if _, err := WritePlan(filepath.Join(dir, "e"), kb, opt); err == nil {
			t.Error("a plan without prompt or model was made")
		}
	}
}

func TestStyle(t *testing.T) {
	docs := []corpus.Document{}
	for i, split := range []string{"train", "train", "test", "dev"} {
		s := fmt.Sprintf("Sentence %s %d speaks of gout in seven words.", split, i)
		at := strings.Index(s, "gout")
		docs = append(docs, corpus.Document{Language: "en", Split: split, Text: s, Mentions: []corpus.Mention{{Text: "gout", Type: "Disorders", Spans: []text.Span{{Start: at, End: at + 4}}}}})
	}
	s := NewStyle(docs)
	for seed := range uint64(50) {
		for _, x := range s.Draw("en", "D1", []string{"Chemicals"}, 5, seed) {
			if !strings.Contains(x, "train") || !strings.Contains(x, "[gout]") {
				t.Fatal(x)
			}
		}
	}
	own := corpus.Document{Language: "en", Split: "train", Text: "Here is gout among seven other words.", Mentions: []corpus.Mention{{Text: "gout", Type: "Disorders", Spans: []text.Span{{Start: 8, End: 12}}, Gold: []corpus.Answer{{"D1"}}}}}
	if x := NewStyle([]corpus.Document{own}); len(x.Draw("en", "D1", nil, 5, 1)) != 0 || len(x.Draw("en", "D2", nil, 5, 1)) != 1 {
		t.Error("a sentence shows the concept that is asked for")
	}
	if len(s.Draw("fr", "", nil, 5, 1)) != 0 || s.Documents != 2 || len((*Style)(nil).Draw("en", "", nil, 5, 1)) != 0 {
		t.Error("examples of another language, or of held-out documents")
	}
}

// TestJudge: a model is asked once about mentions that resemble no name, and a missing verdict is no verdict.
func TestJudge(t *testing.T) {
	kb := demoKB(t)
	id := kb.ID(kb.Normalized("furosemide")[0])
	recs := []Record{{Concept: id, Language: "en", Answer: "[Lasix] 40 mg in the morning keeps his weight steady.\nShe takes a [small pink thing] for her ankles every day.\nThe nurse gave [mumble] at noon and the weight fell."}}
	s := fake.New(fake.Options{Answer: func(a fake.Ask) string {
		switch {
		case strings.Contains(a.User, "[Lasix]"):
			return `{"means_concept": true}`
		case strings.Contains(a.User, "pink"):
			return `{"means_concept": false}`
		}
		return "I would rather not say"
	}})
	h := httptest.NewServer(s)
	defer h.Close()
	c, err := llm.NewClient([]llm.Endpoint{{URL: h.URL + "/v1"}}, llm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "j")
	j, err := llm.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	q := &Questions{}
	Check(kb, recs, nil, Options{Confirmer: q})
	st, err := Judge(t.Context(), kb, q.List, Sampling{Model: "judge"}, llm.Run{Client: c, Journal: j})
	if err != nil || st.Done != 2 || st.Failed != 1 {
		t.Errorf("%+v %v", st, err)
	}
	j.Close()
	x := llm.NewIndex()
	defer x.Close()
	x.Add(path)
	v := NewVerdicts(kb, Sampling{Model: "judge"}, x)
	checked := Check(kb, recs, nil, Options{Confirmer: v})
	if checked.Passed != 1 || checked.Rejected[RejectJudge] != 1 || checked.Rejected[RejectUnlike] != 1 || v.Err() != nil {
		t.Errorf("%+v %v", checked.Counts, v.Err())
	}
}
