package markup

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

func TestPrompt(t *testing.T) {
	d := corpus.Document{Language: "fr", Text: "Bien. Un [vieux] patient a la goutte au pied. Fin.", Mentions: []corpus.Mention{{
		Spans: []text.Span{{Start: 30, End: 36}}, Text: "goutte"}}}
	m := &d.Mentions[0]
	sentences := text.Sentences(d.Text, "fr", nil)
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{}, "{Disorders}[ goutte] est"},
		{Options{Context: ContextSentence}, `Un \[vieux\] patient a la [goutte]{Disorders} au pied.<SEP>[goutte] est`},
		{Options{Context: ContextWindow, Words: 1}, " la [goutte]{Disorders} au<SEP>[goutte] est"},
	} {
		if got := Text(Prompt(&d, m, "Disorders", "", sentences, c.opt)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.opt, got, c.want)
		}
	}
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
