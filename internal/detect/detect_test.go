package detect

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// smallKB has two groups, one name of several words, and a short word that no text means by itself.
func smallKB() *terminology.KB {
	b := terminology.NewBuilder()
	for _, c := range []struct{ id, group, names string }{
		{"D1", "Disorders", "mitral stenosis"}, {"D2", "Disorders", "heart failure|failure of the heart"}, {"D3", "Disorders", "all"},
		{"C1", "Chemicals", "aspirin"}, {"C2", "Chemicals", "heart tonic"},
	} {
		concept := terminology.Concept{ID: c.id, Types: []terminology.SemanticType{{Name: c.group, Group: c.group}}}
		for i, n := range strings.Split(c.names, "|") {
			concept.Names = append(concept.Names, terminology.Name{Text: n, Language: "en", Preferred: i == 0})
		}
		b.Add(concept)
	}
	kb, _ := b.Build()
	return kb
}

func train(t testing.TB, kb *terminology.KB, docs []corpus.Document) *Model {
	t.Helper()
	m, err := Train(kb, docs, Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// show writes what was found as text{group}.
func show(d *Detector, s string) []string {
	var out []string
	for _, m := range d.Detect(&corpus.Document{Text: s, Language: "en"}) {
		out = append(out, m.Text+"{"+m.Type+"}")
		if got := corpus.SurfaceOf(s, m.Spans); got != m.Text {
			out = append(out, "at its span: "+got)
		}
	}
	return out
}

// Without annotations the longest names are found, and the short forms of names.
func TestDictionary(t *testing.T) {
	d := New(smallKB(), train(t, smallKB(), nil))
	for _, c := range []struct {
		text string
		want []string
	}{
		{"Failure of the heart was not all; Aspirin helped.", []string{"Failure of the heart{Disorders}", "Aspirin{Chemicals}"}},
		{"A mitral stenosis (MS) was found. The MS was severe, MSX was not.", []string{"mitral stenosis{Disorders}", "MS{Disorders}", "MS{Disorders}"}},
		{"Aspirins in [brackets] and {braces} and \\ (", []string{"Aspirins{Chemicals}"}},
		{"", nil},
		{"???\n\n...", nil},
	} {
		if got := show(d, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// annotated marks every occurrence of a word of nonsense that ends in -itis or -ol.
func annotated() []corpus.Document {
	var docs []corpus.Document
	for i, stem := range strings.Fields("bro car der fla gla hep jun kra lam mor ner pan ros sin ton ure") {
		a, b := stem+"itis", stem+"amol"
		s := "We saw " + a + " in a child. She took " + b + " daily, and the pain of " + a + " left her."
		d := corpus.Document{ID: string(rune('a' + i)), Text: s}
		for _, w := range []string{a, b} {
			for at := 0; ; {
				k := strings.Index(s[at:], w)
				if k < 0 {
					break
				}
				group := map[bool]string{true: "Disorders", false: "Chemicals"}[w == a]
				d.Mentions = append(d.Mentions, corpus.Mention{Spans: []text.Span{{Start: at + k, End: at + k + len(w)}}, Text: w, Type: group})
				at += k + len(w)
			}
		}
		docs = append(docs, d)
	}
	return docs
}

// The tagger learns endings, applies them to words it never saw, and does so after a round through its file; the same seed gives
// the same bytes.
func TestTagger(t *testing.T) {
	kb := smallKB()
	path := filepath.Join(t.TempDir(), FileName)
	var before []byte
	for range 2 {
		if err := train(t, kb, annotated()).WriteFile(path); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(before, b) {
			t.Error("two trainings differ")
		}
		before = b
	}
	d, err := Open(path, kb)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"zwoitis{Disorders}", "pliamol{Chemicals}", "zwoitis{Disorders}"}
	if got := show(d, "We saw zwoitis in a child. She took pliamol daily, and the pain of zwoitis left her."); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	b := terminology.NewBuilder()
	b.Add(terminology.Concept{ID: "X", Types: []terminology.SemanticType{{Name: "T", Group: "Other"}}, Names: []terminology.Name{{Text: "x", Language: "en", Preferred: true}}})
	other, _ := b.Build()
	if _, err := Open(path, other); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("another knowledge base: %v", err)
	}
}

// A string that was found in half of its places is found in all.
func TestComplete(t *testing.T) {
	d := New(smallKB(), train(t, smallKB(), nil))
	v := d.view(&corpus.Document{Text: "ADPKD, ADPKD and ADPKD; x-linked"})
	for _, c := range []struct {
		found []text.Span
		want  int
	}{{[]text.Span{{Start: 0, End: 5}, {Start: 7, End: 12}}, 3}, {[]text.Span{{Start: 0, End: 5}}, 1}} {
		var list []found
		for _, sp := range c.found {
			list = append(list, found{sp, 0})
		}
		if got := v.complete(list); len(got) != c.want {
			t.Errorf("%v became %v, want %d", c.found, got, c.want)
		}
	}
}

// FuzzDetect: any text gives mentions in order that do not overlap and stand where they say.
func FuzzDetect(f *testing.F) {
	kb := smallKB()
	d := New(kb, train(f, kb, annotated()))
	for _, s := range []string{"mitral stenosis (MS)", "[x]{y} \\[ ] }", "\xff\xfe", "((((a)))) ADPKD (autosomal", "é́ ß İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end := 0
		for _, m := range d.Detect(&corpus.Document{Text: s}) {
			if m.Spans[0].Start < end || m.Text == "" || s[m.Spans[0].Start:m.Spans[0].End] != m.Text {
				t.Fatalf("%q: %+v after %d", s, m, end)
			}
			end = m.Spans[0].End
		}
	})
}

// FuzzRead: a damaged file is an error, never a panic.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), FileName)
	if err := train(f, smallKB(), annotated()[:3]).WriteFile(path); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := read(bytes.NewReader(b)); err == nil && len(m.Weights) != m.Features()*m.tags() && len(m.Moves) > 0 {
			t.Fatal("weights do not fit")
		}
	})
}
