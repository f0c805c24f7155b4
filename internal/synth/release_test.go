package synth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/terminology"
)

// TestRelease: restricted sentences stay out unless they are asked for, and the card says how all was made.
func TestRelease(t *testing.T) {
	b := terminology.NewBuilder()
	for id, licence := range map[string]string{"D1": "open", "D2": "restricted", "D3": ""} {
		b.Add(terminology.Concept{ID: id, Names: []terminology.Name{{Text: "name " + id, Language: "en", Licence: licence}}, Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}})
	}
	kb, _ := b.Build()
	var docs []corpus.Document
	for _, id := range []string{"D1", "D2", "D3"} {
		docs = append(docs, corpus.Document{Language: "en", Text: "x", Mentions: []corpus.Mention{{Gold: []corpus.Answer{{id}}}}})
	}
	dir := t.TempDir()
	p := plan(t, kb, filepath.Join(dir, "plan"), "pubmed.en")
	opt := ReleaseOptions{Name: "Test sentences", Plan: p, Counts: Counts{Sentences: 9, Passed: 3, Rejected: map[string]int{RejectLength: 6}}, Program: "v0",
		Write: func(path string, docs []corpus.Document) ([]string, error) {
			return []string{".json"}, artifact.WriteFile(path+".json", []byte(strings.Repeat("x", len(docs))))
		}}
	for restricted, want := range map[bool]int{false: 1, true: 3} {
		opt.Restricted = restricted
		out := filepath.Join(dir, "r")
		r, err := Release(out, kb, docs, opt)
		if err != nil || r.Documents["en"] != want || r.KeptBack != 3-want {
			t.Fatalf("%+v %v", r, err)
		}
		card, _ := os.ReadFile(filepath.Join(out, "README.md"))
		for _, s := range []string{"# Test sentences", "- en\n", "data_files: data/en.json", "Model: `m`", "Prompt `pubmed.en`", p.Prompts[0].Hash, "| length | 6 |", "| restricted | 1 |", "| unknown | 1 |"} {
			if !strings.Contains(string(card), s) {
				t.Errorf("the card lacks %q", s)
			}
		}
		if strings.Contains(string(card), "may not be passed on") != restricted {
			t.Error("the card does not fit the licence")
		}
		if b, err := os.ReadFile(filepath.Join(out, "prompts", "pubmed.en.txt")); err != nil || !strings.Contains(string(b), p.Prompts[0].System) {
			t.Error(err)
		}
	}
	opt.Restricted = false
	if _, err := Release(filepath.Join(dir, "none"), kb, docs[1:], opt); err == nil || !strings.Contains(err.Error(), "--restricted") {
		t.Error(err)
	}
	opt.Write = func(string, []corpus.Document) ([]string, error) { return nil, errors.New("disk full") }
	if _, err := Release(filepath.Join(dir, "none"), kb, docs, opt); err == nil {
		t.Error("a failed write was no error")
	}
}
