package synth

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
	"syncabel/internal/terminology/gazetteer"
)

var update = flag.Bool("update", false, "rewrite golden files")

// labels of the labelled set by reason.
var labels = map[string]string{RejectMention: "mention", RejectResidue: "residue", RejectLength: "length", RejectLanguage: "language", RejectOther: "other",
	RejectUnlike: "unlike", RejectDuplicate: "duplicate", RejectNear: "near", RejectLeakage: "leakage"}

// demoKB is the knowledge base of the demonstration: 481 concepts to be confused with.
func demoKB(t testing.TB) *terminology.KB {
	t.Helper()
	f, err := os.Open("../demo/data/kb.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := terminology.NewBuilder()
	if err := gazetteer.Read(b, f, "kb.tsv", gazetteer.Options{}); err != nil {
		t.Fatal(err)
	}
	kb, _ := b.Build()
	return kb
}

// labelled is one line of testdata/labelled.tsv.
type labelled struct{ label, language, concept, line string }

func readLabelled(t testing.TB, kb *terminology.KB) (rows []labelled, held []corpus.Document) {
	t.Helper()
	f, err := os.Open("testdata/labelled.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		x := strings.Split(sc.Text(), "\t")
		if len(x) != 4 {
			t.Fatalf("line %d: four columns are expected", n)
		}
		if x[0] == "held" {
			held = append(held, corpus.Document{Language: x[1], Text: x[3]})
			continue
		}
		owners := kb.Normalized(x[2])
		if len(owners) == 0 {
			t.Fatalf("line %d: no concept %q", n, x[2])
		}
		rows = append(rows, labelled{x[0], x[1], kb.ID(owners[0]), x[3]})
	}
	return rows, held
}

// TestLabelledSet prints precision and recall of every gate over answers that were written good or bad on purpose.
func TestLabelledSet(t *testing.T) {
	kb := demoKB(t)
	rows, held := readLabelled(t, kb)
	if len(rows) < 300 {
		t.Errorf("%d labelled answers", len(rows))
	}
	var out strings.Builder
	for _, mode := range []string{MentionNear, MentionPlausible} {
		g := NewGates(kb, held, Options{Mention: mode})
		judged := make([]string, len(rows))
		for i, r := range rows {
			judged[i] = "good"
			_, rejected := g.Record(Record{Concept: r.concept, Language: r.language, Answer: r.line})
			if len(rejected) > 0 {
				judged[i] = labels[rejected[0].Reason]
			}
		}
		fmt.Fprintf(&out, "mention = %q, %d answers\n", mode, len(rows))
		score(&out, rows, judged)
	}
	t.Log("\n" + out.String())
	compareGolden(t, "testdata/gates.txt", out.String())
}

// score writes, for each gate, of what it rejected the part that was labelled so (or bad at all), and of what was labelled so the
// part that it rejected (or any gate did); for "good", what passed.
func score(out *strings.Builder, rows []labelled, judged []string) {
	fmt.Fprintf(out, "%-10s %8s %8s %10s %8s %22s\n", "", "labelled", "judged", "precision", "recall", "rejected by any gate")
	for _, gate := range []string{"mention", "residue", "length", "language", "other", "unlike", "duplicate", "near", "leakage", "good"} {
		label, judge, both, bad := 0, 0, 0, 0
		for i, r := range rows {
			if r.label == gate {
				label++
				if judged[i] != "good" {
					bad++
				}
			}
			if judged[i] == gate {
				judge++
				if r.label == gate {
					both++
				}
			}
		}
		fmt.Fprintf(out, "%-10s %8d %8d %10.3f %8.3f %12d of %d\n", gate, label, judge, float64(both)/float64(max(judge, 1)), float64(both)/float64(max(label, 1)), bad, label)
	}
	for i, r := range rows {
		if judged[i] != r.label {
			fmt.Fprintf(out, "  %s judged %s: %s %s\n", r.label, judged[i], r.language, r.line[:min(len(r.line), 100)])
		}
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s changed; look at the difference with -update and git diff:\n%s", path, got)
	}
}

// TestReferenceFailures: what the published system lost or let through (its generation and its conversion to documents).
func TestReferenceFailures(t *testing.T) {
	kb := demoKB(t)
	gout := kb.ID(kb.Normalized("gout")[0])
	sep := kb.ID(kb.Normalized("multiple sclerosis")[0])
	lost := []struct{ concept, language, answer string }{
		{gout, "en", "The chart says FAIL, yet the [gout] was treated before noon."},      // dropped the concept
		{gout, "fr", "exemple\u202f: La [goutte] du pied droit a cédé en deux jours."},    // narrow no-break space before the colon
		{gout, "en", "**Example: ** The [gout] of the left foot settled in two days."},    // bold type
		{gout, "en", "Example: Workers exposed to benzo[a]pyrene had [gout] more often."}, // brackets of a name
		{gout, "en", "In the myocytes [Ca2+]i rose after the [gout] drug was washed out."},
		{sep, "fr", "Poussée de [SEP] traitée par trois bolus de corticoïdes."}, // an abbreviation that looks like a separator
	}
	for _, x := range lost {
		c := Check(kb, []Record{{Concept: x.concept, Language: x.language, Answer: x.answer}}, nil, Options{})
		if len(c.Documents) != 1 {
			t.Errorf("%q is lost: %v", x.answer, c.Rejected)
			continue
		}
		d := c.Documents[0]
		if m := d.Mentions[0]; corpus.SurfaceOf(d.Text, m.Spans) != m.Text || strings.Contains(m.Text, "[") {
			t.Errorf("%q: mention %q", x.answer, m.Text)
		}
	}
	passes := []string{
		"Example: Il a une crise de [gout] et il est allé chez le médecin avec sa femme.", // language
		"Example: The [wife] drove him to the clinic because of the toe.",                 // off-concept
		"Example: The [gout] of the [toe] settled in two days.",                           // every bracket got the code
		"Example: The [gout [of the toe] settled in two days.",                            // unbalanced: offsets went wrong
		"Example: The [gout]{Disorders} of the toe settled in two days.",
		"Example: The [gout](Disorders) of the toe settled in two days.",
	}
	c := Check(kb, []Record{{Concept: gout, Language: "en", Answer: strings.Join(passes, "\n")}}, nil, Options{})
	for _, d := range c.Documents {
		t.Errorf("%q passes", d.Text)
	}
	if n := Check(kb, []Record{{Concept: gout, Language: "en"}}, nil, Options{}).Rejected[RejectMissing]; n != 1 {
		t.Error("an answer that never came vanishes")
	}
}

// TestFrames: a sentence that differs from others in its mention only is taken a few times.
func TestFrames(t *testing.T) {
	kb := demoKB(t)
	var recs []Record
	for i := range 20 {
		c := kb.Concept(i)
		recs = append(recs, Record{Concept: c.ID, Language: "en", Answer: "The registrar wrote about [" + c.Names[0].Text + "] in the letter of Monday."})
	}
	if c := Check(kb, recs, nil, Options{}); c.Passed != 5 || c.Rejected[RejectNear] != 15 {
		t.Error(c.Counts)
	}
}

// TestRoundTripAndConfirm: the two gates that need a second opinion.
func TestRoundTripAndConfirm(t *testing.T) {
	kb := demoKB(t)
	id := func(name string) string { return kb.ID(kb.Normalized(name)[0]) }
	recs := []Record{{Concept: id("furosemide"), Language: "en", Answer: "[Lasix] 40 mg in the morning keeps his weight steady."},
		{Concept: id("type 1 diabetes mellitus"), Language: "en", Answer: "A pump was fitted for her [diabetic condition] at the age of nine."}}
	if c := Check(kb, recs, nil, Options{}); c.Passed != 1 || c.Rejected[RejectUnlike] != 1 {
		t.Error(c.Counts)
	}
	if c := Check(kb, recs, nil, Options{RoundTrip: 1, Ranker: NewLexicalRanker(kb)}); c.Passed != 0 || c.Rejected[RejectRoundTrip] != 1 {
		t.Error(c.Counts)
	}
	q := &Questions{}
	Check(kb, recs, nil, Options{Confirmer: q})
	if len(q.List) != 1 || !strings.Contains(q.List[0].Sentence, "[Lasix]") {
		t.Error(q.List)
	}
	for verdict, want := range map[verdictOf]string{{true, true}: "", {false, true}: RejectJudge, {false, false}: RejectUnlike} {
		c := Check(kb, recs[:1], nil, Options{Confirmer: verdict})
		if want == "" && (c.Passed != 1 || c.Unconfirmed != 0) || want != "" && c.Rejected[want] != 1 {
			t.Error(verdict, c.Counts)
		}
	}
}

type verdictOf struct{ means, known bool }

func (v verdictOf) Confirm(_, _, _ string) (bool, bool) { return v.means, v.known }

func TestLines(t *testing.T) {
	want := []string{"He has [gout].", "She has [gout] too."}
	for _, in := range []string{"He has [gout].\nShe has [gout] too.", `{"sentences":["He has [gout].","She has [gout] too."]}`, `["He has [gout].","She has [gout] too."]`,
		"```json\n{\"sentences\": [\"He has [gout].\", \"She has [gout] too.\"]}\n```", "Here are the sentences:\n\n1. He has [gout].\n2) She has [gout] too.",
		"- **Example 1:** He has [gout].\n- **Example 2:** She has [gout] too.", "« He has [gout]. »\n“She has [gout] too.”"} {
		if got := Lines(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// FuzzLines: whatever a model writes, a mention that is parsed stands at its span, and its brackets are gone.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"1. **Example:** He has [gout].", `{"sentences":["[a[b]c]"]}`, "```\n[x]\n```", "[Ca2+]i in [gout]", "exemple\u202f: [l'\u00e9t\u00e9]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, l := range Lines(in) {
			s, sp, ok := Parse(l)
			if !ok {
				continue
			}
			if sp.Start < 0 || sp.Start >= sp.End || sp.End > len(s) || len(s) != len(l)-2 {
				t.Fatalf("%q: %v in %q", l, sp, s)
			}
		}
	})
}

func FuzzPlan(f *testing.F) {
	f.Add(`{"plan":1,"prompts":[{"name":"x.en"}]}` + "\n" + `{"concept":"D1","prompt":0,"user":"u"}` + "\n" + `{"requests":1,"by_prompt":{}}` + "\n")
	f.Fuzz(func(t *testing.T, in string) {
		path := t.TempDir() + "/plan"
		if err := os.WriteFile(path, []byte(in), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := OpenPlan(path)
		if err != nil {
			return
		}
		for range p.Rows() {
		}
	})
}

// TestDocumentIDs: two prompts of one language give documents of different names.
func TestDocumentIDs(t *testing.T) {
	kb := demoKB(t)
	id := kb.ID(kb.Normalized("gout")[0])
	c := Check(kb, []Record{{Concept: id, Language: "en", Prompt: "pubmed.en", Answer: "Colchicine settled the [gout] of his ankle in two days."},
		{Concept: id, Language: "en", Prompt: "clinical.en", Answer: "Urate 9.8, red toe, [gout] again after the wedding."}}, nil, Options{})
	if len(c.Documents) != 2 || c.Documents[0].ID == c.Documents[1].ID {
		t.Errorf("%+v", c.Documents)
	}
}
