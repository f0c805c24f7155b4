package synth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
)

func kb() *terminology.KB {
	b := terminology.NewBuilder()
	for id, names := range map[string][]string{"D1": {"gout"}, "D2": {"stroke"}} {
		c := terminology.Concept{ID: id, Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}}
		for _, n := range names {
			c.Names = append(c.Names, terminology.Name{Text: n, Language: "en"})
		}
		b.Add(c)
	}
	k, _ := b.Build()
	return k
}

func TestGates(t *testing.T) {
	held := []corpus.Document{{Text: "One two three four five six seven eight nine ten."}}
	answer := strings.Join([]string{
		"He woke with [gout] in the big toe.",
		"He woke with gout in the big toe.",
		"He woke with [gout] in the [big] toe.",
		"The [gout] was {Disorders} again today.",
		"[Gout] hurt.",
		"He woke with [stroke] in the big toe.",
		"he woke with [GOUT] in the big toe",
		"One two three four five six seven eight [gout] nine ten.",
		"Le patient a eu une crise de [gout] dans la nuit et il a été vu par le médecin.",
	}, "\n")
	got := Check(kb(), []Record{{Concept: "D1", Language: "en", Answer: answer}, {Concept: "D9", Language: "en", Answer: "A [b] c d e."},
		{Concept: "D2", Language: "en", Error: "timeout"}}, held, Options{})
	want := map[string]int{RejectMention: 2, RejectResidue: 1, RejectLength: 1, RejectOther: 1, RejectDuplicate: 1, RejectLeakage: 1,
		RejectLanguage: 1, RejectConcept: 1, RejectMissing: 1}
	if diff := cmp.Diff(want, got.Rejected); diff != "" {
		t.Error(diff)
	}
	if len(got.Documents) != 1 || got.Documents[0].Mentions[0].Text != "gout" || got.Documents[0].Text != "He woke with gout in the big toe." {
		t.Errorf("%+v", got.Documents)
	}
}

func TestJournalSurvivesACutLine(t *testing.T) {
	in := `{"concept":"D1","language":"en","prompt":"p","answer":"a"}
{"concept":"D1","language":"en","prompt":"p","answer":"b"}
{"concept":"D2","lang`
	recs, warnings, err := ReadJournal(strings.NewReader(in), "j")
	if err != nil || len(recs) != 1 || recs[0].Answer != "b" || len(warnings) != 1 || warnings[0].Line != 3 {
		t.Errorf("%v %v %v", recs, warnings, err)
	}
	if _, _, err := ReadJournal(strings.NewReader("{\n{}\n"), "j"); err == nil || !strings.HasPrefix(err.Error(), "j:1:") {
		t.Errorf("a broken line in the middle: %v", err)
	}
}

func TestPrompts(t *testing.T) {
	i, _ := kb().Index("D1")
	for _, name := range PromptNames() {
		p, err := LoadPrompt(name, 3)
		if err != nil {
			t.Fatal(err)
		}
		user, err := p.User(kb().Concept(i), []string{"He has [x]."})
		if err != nil || !strings.Contains(user, "D1") || !strings.Contains(user, "gout") || !strings.Contains(user, "- He has [x].") || !strings.Contains(p.System, "3") {
			t.Errorf("%s: %v %q", name, err, user)
		}
	}
	if _, err := LoadPrompt("pubmed.xx", 3); err == nil || !strings.Contains(err.Error(), "pubmed.en") {
		t.Error("no error for a language without prompt:", err)
	}
	if _, err := ParsePrompt("x.en", "=== system\nHello {{.Name}}\n=== user\n{{.ID}}\n=== schema\na\n=== lines\nb\n", 3); err == nil {
		t.Error("an unknown field was taken")
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add(`{"concept":"D1","language":"en","answer":"He has [gout] again today."}`)
	f.Fuzz(func(t *testing.T, in string) {
		recs, _, err := ReadJournal(strings.NewReader(in), "j")
		if err != nil {
			return
		}
		for _, d := range Check(kb(), recs, nil, Options{}).Documents {
			if m := d.Mentions[0]; corpus.SurfaceOf(d.Text, m.Spans) != m.Text {
				t.Fatalf("%q is not at %v", m.Text, m.Spans)
			}
		}
	})
}
