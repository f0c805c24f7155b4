package obo

import (
	"strings"
	"testing"

	"syncabel/internal/terminology"
)

const sample = `format-version: 1.2

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000002 ! comment
name: Tall stature
def: "Height above \"normal\"." [HPO:x]
synonym: "Increased body height" EXACT []
synonym: "Giant" RELATED []
is_a: HP:0000001 ! All

[Term]
id: HP:0000003
name: old
is_obsolete: true
replaced_by: HP:0000002

[Typedef]
id: part_of
name: part of
`

func read(t testing.TB, in string) (*terminology.KB, error) {
	t.Helper()
	b := terminology.NewBuilder()
	err := Read(b, strings.NewReader(in), "f.obo", Options{})
	kb, _ := b.Build()
	return kb, err
}

func TestRead(t *testing.T) {
	kb, err := read(t, sample)
	if err != nil || kb.Len() != 2 {
		t.Fatal(err, kb.Len())
	}
	i, _ := kb.Index("HP:0000002")
	c := kb.Concept(i)
	if len(c.Names) != 3 || c.Names[0].Text != "Tall stature" || c.Names[2].Kind != "RELATED" || c.Parents[0] != "HP:0000001" {
		t.Errorf("%+v", c)
	}
	if c.Names[0].Source != "HP" {
		t.Errorf("source %q", c.Names[0].Source)
	}
	if len(c.Definitions) != 1 || c.Definitions[0].Text != `Height above "normal".` {
		t.Errorf("definition %+v", c.Definitions)
	}
}

// A term that comes twice, alternate IDs, what to consider instead, broken UTF-8, CRLF.
func TestHistoryAndFaults(t *testing.T) {
	in := sample + "\n[Term]\r\nid: HP:0000002\r\nname: Tallness\r\nalt_id: HP:0000009\r\n\n[Term]\nid: HP:0000004\nname: obsolete x\nis_obsolete: true\nconsider: HP:0000002\nsynonym: \"\xff\" EXACT []\n[Term]\nname: no id\n"
	b := terminology.NewBuilder()
	if err := Read(b, strings.NewReader(in), "f.obo", Options{}); err != nil {
		t.Fatal(err)
	}
	kb, warnings := b.Build()
	var got []string
	for _, w := range warnings {
		got = append(got, w.Kind)
	}
	if s := strings.Join(got, " "); s != "duplicate utf8 no-code" || warnings[0].Line != 25 {
		t.Errorf("%s: %v", s, warnings)
	}
	i, _ := kb.Index("HP:0000002")
	if n := kb.Concept(i).Names; len(n) != 4 || kb.Current("HP:0000009")[0] != "HP:0000002" || kb.Current("HP:0000003")[0] != "HP:0000002" || len(kb.Current("HP:0000004")) != 0 {
		t.Errorf("%+v", n)
	}
	if r, ok := kb.Retired("HP:0000004"); !ok || r.Name != "obsolete x" || r.To[0].Relation != "consider" {
		t.Errorf("%+v", r)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, in string) { _, _ = read(t, in) })
}

const graphs = `{"graphs":[{"nodes":[{"id":"http://purl.obolibrary.org/obo/HP_1","lbl":"All","type":"CLASS"},
{"id":"http://purl.obolibrary.org/obo/HP_2","lbl":"Tall stature","type":"CLASS","meta":{"definition":{"val":"Tall."},
"synonyms":[{"pred":"hasExactSynonym","val":"Increased body height"}],"xrefs":[{"val":"UMLS:C1"}]}},
{"id":"http://purl.obolibrary.org/obo/HP_3","lbl":"old","type":"CLASS","meta":{"deprecated":true}},
{"id":"http://purl.obolibrary.org/obo/RO_1","lbl":"part of","type":"PROPERTY"}],
"edges":[{"sub":"http://purl.obolibrary.org/obo/HP_2","pred":"is_a","obj":"http://purl.obolibrary.org/obo/HP_1"}]}]}`

func TestReadGraphs(t *testing.T) {
	b := terminology.NewBuilder()
	if err := ReadGraphs(b, strings.NewReader(graphs), "f.json", Options{}); err != nil {
		t.Fatal(err)
	}
	kb, _ := b.Build()
	i, ok := kb.Index("HP:2")
	if !ok || kb.Len() != 2 {
		t.Fatalf("%d concepts", kb.Len())
	}
	c := kb.Concept(i)
	if len(c.Names) != 2 || c.Names[1].Kind != "EXACT" || c.Parents[0] != "HP:1" || c.Definitions[0].Text != "Tall." || c.Xrefs[0] != "UMLS:C1" || c.Groups()[0] != "HP" {
		t.Errorf("%+v", c)
	}
	if err := ReadGraphs(b, strings.NewReader("{}"), "f.json", Options{}); err == nil {
		t.Error("no error without graphs")
	}
}

func FuzzReadGraphs(f *testing.F) {
	f.Add(graphs)
	f.Fuzz(func(t *testing.T, in string) {
		b := terminology.NewBuilder()
		if ReadGraphs(b, strings.NewReader(in), "f", Options{}) == nil {
			b.Build()
		}
	})
}
