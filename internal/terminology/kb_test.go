package terminology

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *KB {
	b := NewBuilder()
	add := func(id, typ, group string, names ...string) {
		c := Concept{ID: id, Types: []SemanticType{{typ, group}}}
		for i, n := range names {
			c.Names = append(c.Names, Name{Text: n, Language: "en", Preferred: i == 0})
		}
		b.Add(c)
	}
	add("D2", "Disease", "Disorders", "mitral stenosis", "MS")
	add("D1", "Disease", "Disorders", "multiple sclerosis", "MS")
	add("C1", "Drug", "Chemicals", "morphine sulfate", "MS")
	add("D3", "Disease", "Disorders")
	b.AddParent("C1", "D2")
	b.AddParent("D1", "D9")
	kb, warnings := b.Build()
	if len(warnings) != 2 {
		panic(warnings)
	}
	return kb
}

func TestBuildReportsAndSorts(t *testing.T) {
	kb := sample()
	if kb.Len() != 3 || kb.Concept(0).ID != "C1" || kb.Has("D3") {
		t.Errorf("%d concepts, first %s", kb.Len(), kb.Concept(0).ID)
	}
	i, _ := kb.Index("C1")
	j, _ := kb.Index("D2")
	if diff := cmp.Diff([]int{j}, kb.Ancestors(i)); diff != "" {
		t.Error(diff)
	}
	if got := len(kb.Normalized("  ms ")); got != 3 {
		t.Errorf("%d concepts named MS", got)
	}
	if s := kb.Stats(); s.AmbiguousNames != 1 || s.Names != 6 || s.Groups["Disorders"] != 2 {
		t.Errorf("%+v", s)
	}
}

// A name that two concepts of a group share keeps both and gives each a form of its own.
func TestFormsReachEveryConcept(t *testing.T) {
	kb := sample()
	var texts []string
	for _, f := range kb.Forms("Disorders") {
		texts = append(texts, f.Text)
		if f.Text == "MS" && len(f.Concepts) != 2 {
			t.Errorf("plain MS means %v", f.Concepts)
		}
	}
	want := []string{"mitral stenosis", "MS", "MS (mitral stenosis)", "MS (multiple sclerosis)", "multiple sclerosis"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
	i, _ := kb.Index("D1")
	if got := kb.TargetForm(i, "MS", "Disorders"); got != "MS (multiple sclerosis)" {
		t.Errorf("target %q", got)
	}
	c, _ := kb.Index("C1")
	if got := kb.TargetForm(c, "MS", "Chemicals"); got != "MS" {
		t.Errorf("target %q: no other chemical bears the name", got)
	}
}

// all decodes every concept.
func all(kb *KB) []Concept {
	var out []Concept
	for i := range kb.Len() {
		out = append(out, *kb.Concept(i))
	}
	return out
}

func TestFileRoundTrip(t *testing.T) {
	kb := sample()
	path := filepath.Join(t.TempDir(), FileName)
	if err := kb.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if diff := cmp.Diff(all(kb), all(got)); diff != "" {
		t.Error(diff)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sample().data)
	f.Fuzz(func(t *testing.T, b []byte) {
		kb, err := parse(b)
		if err != nil {
			return
		}
		for _, g := range kb.Groups() {
			kb.Forms(g)
		}
		kb.Stats()
		kb.Search("ms x", SearchOptions{})
		kb.Current("D9")
	})
}
