package corpus

import (
	"strings"
	"testing"

	"syncabel/internal/text"
)

// TestLocateParts: the covering range of a mention in parts, and its words.
func TestLocateParts(t *testing.T) {
	for _, c := range []struct{ text, want, got string }{
		{"hépatite B ou C", "hépatite C", "hépatite|C"},
		{"virus VIH - 1 et VIH - 2", "virus VIH - 2", "virus VIH|2"},
		{"periventricular, thalamic and perirolandic white matter changes", "periventricular white matter changes", "periventricular|white matter changes"},
		{"self-mutilating behavior", "self mutilating behavior", "self-mutilating behavior"},
		{"Café au lait spot", "cafe au lait spot", "Café au lait spot"},
		{"big toe, toe", "big toe", "big|toe"},
		{"gout", "gout", "gout"},
		{"gout of the toe", "gout", ""}, // offsets of something else
		{"gout of the toe", "toe", ""},
		{"gout of the toe", "toe gout", ""},
		{"gout of the toe", "gout or toe", ""},
		{"toe toe", "toe toe toe", ""},
		{"s", "learning", ""},
	} {
		spans, err := Locate(c.text, text.NewOffsets(c.text), []Range{{0, text.NewOffsets(c.text).Len()}}, c.want)
		var parts []string
		for _, s := range spans {
			parts = append(parts, c.text[s.Start:s.End])
		}
		if got := strings.Join(parts, "|"); got != c.got || (err != nil) != (c.got == "") {
			t.Errorf("%q in %q: %q, want %q (%v)", c.want, c.text, got, c.got, err)
		}
	}
}

func FuzzLocate(f *testing.F) {
	f.Add("hépatite B ou C", "hépatite C")
	f.Add("a\xffb", "b")
	f.Fuzz(func(t *testing.T, s, want string) {
		if spans := within(s, text.Span{End: len(s)}, want); len(spans) > 0 {
			d := Document{Text: s, Mentions: []Mention{{ID: "m", Spans: spans, Text: SurfaceOf(s, spans)}}}
			if err := d.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
