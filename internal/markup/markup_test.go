package markup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

func TestPrompt(t *testing.T) {
	d := corpus.Document{Language: "fr", Text: "Bien. Un [vieux] patient a la goutte au pied. Fin.", Mentions: []corpus.Mention{{
		Spans: []text.Span{{Start: 30, End: 36}}, Text: "goutte"}, {Spans: []text.Span{{Start: 17, End: 24}, {Start: 40, End: 44}}, Text: "patient pied"}}}
	sentences := text.Sentences(d.Text, "fr", nil)
	memory := []Link{{"a", []string{"A"}}, {"b", []string{"B", "C"}}, {"x", nil}, {"[d]", []string{"D"}}, {"b", []string{"E"}}}
	for _, c := range []struct {
		mention int
		opt     Options
		want    string
	}{
		{0, Options{}, "{Disorders}[ goutte] est"},
		{0, Options{Context: ContextSentence}, `Un \[vieux\] patient a la [goutte]{Disorders} au pied.<SEP>[goutte] est`},
		{0, Options{Context: ContextWindow, Words: 1}, " la [goutte]{Disorders} au<SEP>[goutte] est"},
		{1, Options{Context: ContextSentence}, `Un \[vieux\] [patient] a la goutte au [pied]{Disorders}.<SEP>[patient pied] est`},
		{0, Options{Context: ContextDocument, Memory: 2}, `[\[d\]] est D<SEP>[b] est E<SEP>Bien. Un \[vieux\] patient a la [goutte]{Disorders} au pied. Fin.<SEP>[goutte] est`},
		{0, Options{Memory: 3}, `[a] est A<SEP>[\[d\]] est D<SEP>[b] est E<SEP>{Disorders}[ goutte] est`},
	} {
		q := Question{Doc: &d, Mention: &d.Mentions[c.mention], Group: "Disorders", Sentences: sentences, Memory: memory}
		if got := Text(Prompt(q, c.opt)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.opt, got, c.want)
		}
	}
	if err := (Options{Context: "page"}).Check(); err == nil {
		t.Error("an unknown context passes")
	}
}

// TestAnswerProperty: parsing an answer returns the names, whatever they are.
func TestAnswerProperty(t *testing.T) {
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.TrimSpace(strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"gout", " ", "<SEP>", `<\SEP>`, `\`, "<", "]", "}", "is", "SEP>", "é"}), 1, 6).Draw(t, "parts"), ""))
	}).Filter(func(s string) bool { return s != "" })
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(name, 1, 4).Draw(t, "names")
		target := Target(names)
		if diff := cmp.Diff(names, ParseAnswer(Text(target))); diff != "" {
			t.Error(diff)
		}
		for _, s := range target {
			if !s.Special && strings.Contains(s.Text, Sep) {
				t.Errorf("a name's text holds the mark: %q", s.Text)
			}
		}
	})
}

// TestPromptProperty: the context of a prompt, read as people type it, gives back text and spans, and marks of our own
// never come from the text.
func TestPromptProperty(t *testing.T) {
	word := rapid.SampledFrom([]string{"gout", "[x]", "{y}", "<SEP>", `\`, "is", "MS", "été", "\n", ". "})
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SliceOfN(word, 1, 12).Draw(t, "words")
		d := corpus.Document{Text: strings.Join(w, " ")}
		from := rapid.IntRange(0, len(w)-1).Draw(t, "from")
		start := len(strings.Join(w[:from], " ")) + min(from, 1)
		m := corpus.Mention{Spans: []text.Span{{Start: start, End: start + len(w[from])}}}
		m.Text = corpus.SurfaceOf(d.Text, m.Spans)
		q := Question{Doc: &d, Mention: &m, Group: "G{}", Surface: "", Sentences: text.Sentences(d.Text, "en", nil)}
		opt := Options{Context: rapid.SampledFrom([]string{ContextSentence, ContextWindow, ContextDocument}).Draw(t, "context"), Words: rapid.IntRange(1, 5).Draw(t, "n")}
		prompt := Prompt(q, opt)
		if n := strings.Count(Text(prompt), Sep); n != 1 {
			t.Fatalf("%d separators in %q", n, Text(prompt))
		}
		context, _, _ := strings.Cut(strings.ReplaceAll(Text(prompt), "{G{}}", "{G}"), Sep)
		back, err := ParseMarked(context)
		if err != nil || len(back.Mentions) != 1 || back.Mentions[0].Text != m.Text || !strings.Contains(d.Text, back.Text) {
			t.Fatalf("%q gives %+v, %v", context, back, err)
		}
	})
}

func TestTargetAndAnswer(t *testing.T) {
	names := []string{"breast cancer", "ovarian cancer"}
	if diff := cmp.Diff(names, ParseAnswer(Text(Target(names)))); diff != "" {
		t.Error(diff)
	}
}

func TestParseMarked(t *testing.T) {
	d, err := ParseMarked(`A \[sic\] [heart attack]{Disorders} and [aspirin].`)
	if err != nil || d.Text != "A [sic] heart attack and aspirin." || len(d.Mentions) != 2 {
		t.Fatalf("%+v %v", d, err)
	}
	for _, m := range d.Mentions {
		if corpus.SurfaceOf(d.Text, m.Spans) != m.Text {
			t.Errorf("%q is not at %v", m.Text, m.Spans)
		}
	}
	for _, bad := range []string{"none", "an [open", "an [x]{open", "[]"} {
		if _, err := ParseMarked(bad); err == nil {
			t.Errorf("%q parsed", bad)
		}
	}
}

func FuzzParseMarked(f *testing.F) {
	f.Add(`A [heart attack]{Disorders} \[ x`)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseMarked(s)
		if err != nil {
			return
		}
		for _, m := range d.Mentions {
			if corpus.SurfaceOf(d.Text, m.Spans) != m.Text {
				t.Fatalf("%q is not at %v of %q", m.Text, m.Spans, d.Text)
			}
		}
		if Unescape(Escape(s)) != s {
			t.Fatalf("escaping loses %q", s)
		}
	})
}
