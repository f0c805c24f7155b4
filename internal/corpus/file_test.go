package corpus

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/text"
)

func TestFileRoundTrip(t *testing.T) {
	docs := []Document{{ID: "1", Language: "fr", Text: "ictère et goutte", Mentions: []Mention{{ID: "a",
		Spans: []text.Span{{Start: 0, End: 7}, {Start: 11, End: 17}}, Text: "ictère goutte", Gold: []Answer{{"A", "B"}}}}}}
	path := filepath.Join(t.TempDir(), FileName)
	if err := WriteFile(path, docs); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(path)
	if diff := cmp.Diff(docs, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestReadChecksOffsets(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"1","text":"gout","mentions":[{"id":"m","spans":[{"start":0,"end":9}],"text":"gout"}]}`: "lies outside",
		`{"id":"1","text":"gout","mentions":[{"id":"m","spans":[{"start":0,"end":3}],"text":"gout"}]}`: `"gou" stands there`,
		`{"id":"1","text":"gout","mentions":[{"id":"m","text":"gout"}]}`:                               "has no span",
		`{`: "f:1:",
	} {
		if _, err := Read(strings.NewReader(in), "f"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestSubsetIsNested(t *testing.T) {
	var docs []Document
	for i := range 50 {
		docs = append(docs, Document{ID: string(rune('A' + i))})
	}
	small, large := Subset(docs, 0.2, 7), Subset(docs, 0.5, 7)
	in := map[string]bool{}
	for _, d := range large {
		in[d.ID] = true
	}
	if len(small) != 10 || len(large) != 25 {
		t.Fatal(len(small), len(large))
	}
	for _, d := range small {
		if !in[d.ID] {
			t.Errorf("%s is in the smaller subset only", d.ID)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"id":"1","text":"gout","mentions":[{"id":"m","spans":[{"start":0,"end":4}],"text":"gout"}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		docs, err := Read(strings.NewReader(in), "f")
		if err != nil {
			return
		}
		for _, d := range docs {
			for _, m := range d.Mentions {
				_ = d.Text[m.Span().Start:m.Span().End]
			}
		}
	})
}
