package corpus

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

func kb() *terminology.KB {
	b := terminology.NewBuilder()
	b.Add(terminology.Concept{ID: "D1", Names: []terminology.Name{{Text: "gout"}}})
	k, _ := b.Build()
	return k
}

// doc marks words of a text: "gout=D1|D2" annotates gout with two alternatives.
func doc(id, split, s string, marks ...string) Document {
	d := Document{ID: id, Split: split, Language: "en", Text: s}
	from := 0
	for i, m := range marks {
		word, codes, _ := strings.Cut(m, "=")
		at := from + strings.Index(s[from:], word)
		from = at + len(word)
		gold, _ := Codes{Composite: "+", Alternative: "|"}.Parse(codes)
		d.Mentions = append(d.Mentions, Mention{ID: string(rune('a' + i)), Spans: []text.Span{{Start: at, End: from}}, Text: word, Type: "T", Gold: gold})
	}
	return d
}

func TestAudit(t *testing.T) {
	leak := "This sentence has more than eight words in it."
	docs := []Document{doc("1", "train", leak+" A gout and gout", "gout=D1", "gout=D2"), doc("2", "test", "Other. "+leak), doc("2", "test", "x"), doc("3", "dev", "x"), doc("4", "", " ", " =D1")}
	docs[2].Mentions = []Mention{{ID: "m", Spans: []text.Span{{Start: 0, End: 1}}, Text: "x"}, {ID: "m", Spans: []text.Span{{Start: 0, End: 1}}, Text: "x"}}
	got := map[string]int{}
	for _, w := range Audit(docs, kb()) {
		got[w.Kind]++
	}
	want := map[string]int{"inconsistent": 1, "unknown-code": 1, "leakage": 2, "duplicate": 1, "duplicate-id": 1, "duplicate-mention": 1, "empty": 1, "border": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCount(t *testing.T) {
	docs := []Document{doc("2", "test", "gout, Gout, x and y", "gout=D1", "Gout=D1|D2", "x=A+B", "y="), doc("1", "train", "gout", "gout=D1")}
	docs[0].Mentions = append(docs[0].Mentions, Mention{Spans: []text.Span{{Start: 0, End: 4}, {Start: 12, End: 13}}, Text: "gout x", Type: "U"})
	SortMentions(docs[0].Mentions)
	got := Count(docs, kb())
	if len(got) != 2 || got[0].Split != "train" {
		t.Fatalf("%+v", got)
	}
	want := Stats{Split: "test", Documents: 1, Characters: 19, Mentions: 5, Surfaces: 4, Concepts: 3, NIL: 1, Unannotated: 1, Composite: 1, Alternatives: 1, Discontinuous: 1,
		Overlapping: 3, Ambiguous: 2, Types: map[string]int{"T": 4, "U": 1}, SeenConcept: 1, SeenMention: 2, SeenPair: 1, Linkable: 2, NameOfGold: 2}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Error(diff)
	}
}

func TestCodes(t *testing.T) {
	c := Codes{Composite: "+,", Alternative: "|", Prefix: "MESH:"}
	for in, want := range map[string][]Answer{"": {}, "-": {}, "NO_CODE": {}, "D2+D1": {{"MESH:D1", "MESH:D2"}}, "D1|OMIM:3": {{"MESH:D1"}, {"OMIM:3"}},
		"D1 , D1": {{"MESH:D1"}}, "cui-less|-1": {}} {
		if got, _ := c.Parse(in); cmp.Diff(want, got) != "" {
			t.Errorf("%q: %v", in, got)
		}
	}
	if gold, missing := (Codes{Composite: "+"}).Parse("UMLS:C0000001+NO_CODE"); missing != 1 || gold[0][0] != "C0000001" {
		t.Error(gold, missing)
	}
	for _, code := range []string{"MESH:D1", "C0011849", "73211009", "HP:0000118", "X", "MESH:MESH:C1", "UMLS:C1", "a:"} {
		if got := CURIE(SplitCURIE(code)); got != code {
			t.Errorf("%q becomes %q", code, got)
		}
	}
	for want, pair := range map[string][2]string{"MESH:D1": {"MeSH", "D1"}, "C0000001": {"UMLS", "C0000001"}, "1": {"SNOMED_CT", "1"}, "HP:1": {"HPO", "HP:1"}} {
		if got := CURIE(pair[0], pair[1]); got != want {
			t.Errorf("%v: %q", pair, got)
		}
	}
	if s, whole := (Codes{Composite: "+"}).Format([]Answer{{"A", "B"}, {"C"}}); s != "A+B" || whole {
		t.Error(s, whole)
	}
}

func TestDivideAndAssign(t *testing.T) {
	var docs []Document
	for i := range 3000 {
		docs = append(docs, Document{ID: strings.Repeat("d", 1+i%3) + string(rune('0'+i))})
	}
	if err := Divide(docs, 8, 1, 1, 1); err != nil {
		t.Fatal(err)
	}
	first := map[string]string{}
	n := map[string]int{}
	for _, d := range docs {
		first[d.ID] = d.Split
		n[d.Split]++
	}
	if n["train"] < 2300 || n["train"] > 2500 || n["dev"] < 240 || n["dev"] > 360 {
		t.Error(n)
	}
	half := docs[:1500]
	if err := Divide(half, 8, 1, 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, d := range half {
		if d.Split != first[d.ID] {
			t.Fatalf("%s moved from %s to %s", d.ID, first[d.ID], d.Split)
		}
	}
	if Divide(docs, 0, 0, 0, 1) == nil || Divide(docs, -1, 1, 1, 1) == nil {
		t.Error("impossible shares pass")
	}
	if w := Assign(docs, "x", []string{docs[5].ID, "nobody"}); len(w) != 1 || docs[5].Split != "x" {
		t.Error(w)
	}
}

func TestCorrections(t *testing.T) {
	c, err := ReadCorrections(strings.NewReader("old,new\nC1C2,C3\nD1+D2,D1\nD9,\nE1,E2+E3\n"), "f.csv")
	if err != nil {
		t.Fatal(err)
	}
	docs := []Document{doc("1", "", "a b c d e", "a=C1C2", "b=D2+D1", "c=D9", "d=E1+F", "e=G")}
	w := c.Apply(docs)
	var got []string
	for i := range docs[0].Mentions {
		got = append(got, key(&docs[0].Mentions[i]))
	}
	if diff := cmp.Diff([]string{"C3", "D1", "", "E2+E3+F", "G"}, got); diff != "" || len(w) != 1 || !strings.Contains(w[0].Msg, "of 4 mentions") {
		t.Error(diff, w)
	}
	if _, err := ReadCorrections(strings.NewReader("C1\n"), "f.csv"); err == nil || !strings.HasPrefix(err.Error(), "f.csv:1:") {
		t.Error(err)
	}
}

func FuzzReadCorrections(f *testing.F) {
	f.Add("old\tnew\nC1\tC2+C3\n")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ReadCorrections(strings.NewReader(s), "f"); err == nil {
			c.Apply([]Document{doc("1", "", "a", "a=C1+C2")})
		}
	})
}
