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
	if len(c.Definitions) != 1 || c.Definitions[0].Text != `Height above "normal".` {
		t.Errorf("definition %+v", c.Definitions)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, in string) { _, _ = read(t, in) })
}
