package synth

import (
	"os"
	"testing"
)

// TestLanguage holds the check against the demonstration's sentences: how many it rejects in their own language, and how many it
// lets pass when they should be in another.
func TestLanguage(t *testing.T) {
	f, err := os.Open("../demo/data/journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, _, err := ReadJournal(f, "journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	m := newLanguages()
	own, rejected, foreign, passed := 0, 0, 0, 0
	for _, r := range records {
		for _, l := range Lines(r.Answer) {
			s, _, _ := Parse(l)
			own++
			if m.wrong(s, r.Language) {
				rejected++
				t.Logf("rejected as not %s: %s", r.Language, s)
			}
			for _, other := range []string{"en", "fr", "es"} {
				if other == r.Language {
					continue
				}
				foreign++
				if !m.wrong(s, other) {
					passed++
					if passed%5 == 0 {
						t.Logf("passes as %s: %s", other, s)
					}
				}
			}
		}
	}
	t.Logf("%d of %d sentences rejected in their own language; %d of %d pass as another", rejected, own, passed, foreign)
	if rejected > 5 || passed > foreign/100 {
		t.Error("the language check is worse than it was")
	}
}
