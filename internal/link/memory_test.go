package link

import (
	"context"
	"strings"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/markup"
	"syncabel/internal/text"
)

func parse(t *testing.T, id, marked string) corpus.Document {
	t.Helper()
	d, err := markup.ParseMarked(marked)
	if err != nil {
		t.Fatal(err)
	}
	d.ID, d.Language = id, "en"
	return d
}

// Earlier links of a document stand in the prompts of later mentions, those of other documents do not, and predictions come in the
// order of the mentions.
func TestMemoryInReadingOrder(t *testing.T) {
	l := small(t, Hybrid)
	l.opt.Markup.Memory = 2
	docs := []corpus.Document{parse(t, "a", "[podagra]{Disorders}, then [mitral stenosis]{Disorders}, then [gout]{Disorders}."), parse(t, "b", "[MS]{Disorders}.")}
	tasks, err := l.tasks(docs)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.inReadingOrder(context.Background(), tasks); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "[podagra] is podagra<SEP>", "[podagra] is podagra<SEP>[mitral stenosis] is mitral stenosis<SEP>", ""} {
		got, _, _ := strings.Cut(strings.TrimPrefix(l.tok.Decode(tasks[i].prompt, false), "<s>"), "{Disorders}")
		if got != want {
			t.Errorf("mention %d remembers %q, want %q", i, got, want)
		}
	}
	preds, err := l.Link(context.Background(), docs)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"podagra", "mitral stenosis", "gout", "MS"} {
		if preds[i].Text != want {
			t.Errorf("prediction %d is of %q, want %q", i, preds[i].Text, want)
		}
	}
}

// A mention longer than the model's context is asked about by its beginning, and a prompt without room goes without memory and
// context first.
func TestLongMention(t *testing.T) {
	l := small(t, Hybrid)
	l.opt.Markup = markup.Options{Context: markup.ContextDocument, Words: 100000, Memory: 3}
	long := strings.Repeat("gout of the left toe ", 3000) + "\\[\\]{}"
	for _, m := range []string{"gout", strings.TrimSpace(long), strings.Repeat("x", 100000)} {
		s := long + m
		d := corpus.Document{ID: "d", Text: s, Language: "en", Mentions: []corpus.Mention{{ID: "1", Text: m, Type: "Disorders",
			Spans: []text.Span{{Start: len(long), End: len(s)}}}}}
		preds, err := l.Link(context.Background(), []corpus.Document{d})
		if err != nil || len(preds) != 1 || len(preds[0].Candidates) == 0 {
			t.Fatalf("%.20q: %v, %d predictions", m, err, len(preds))
		}
	}
}
