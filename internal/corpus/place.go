package corpus

import (
	"archive/zip"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/text"
)

// A Range is a stretch [Start, End) of a text in the units of a format.
type Range struct{ Start, End int }

// Locate converts the ranges of a mention to bytes of s, in ascending order, and checks that the text expected there
// stands there, white space apart; an empty want is not checked. Formats that know one range only give the covering one of a mention in
// parts: where the words expected are the first and the last of it and others between, in their order, the mention is those. The
// error says what is wrong with the offsets.
func Locate(s string, off *text.Offsets, parts []Range, want string) ([]text.Span, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("mention %q has no offsets", want)
	}
	spans := make([]text.Span, 0, len(parts))
	for _, p := range parts {
		from, okA := off.Byte(p.Start)
		to, okB := off.Byte(p.End)
		if !okA || !okB || from >= to {
			return nil, fmt.Errorf("mention %q at %d-%d lies outside the text of %d characters", want, p.Start, p.End, off.Len())
		}
		spans = append(spans, text.Span{Start: from, End: to})
	}
	asGiven := same(SurfaceOf(s, spans), want)
	if len(spans) > 1 {
		slices.SortFunc(spans, func(a, b text.Span) int { return a.Start - b.Start })
	}
	if got := SurfaceOf(s, spans); !asGiven && !same(got, want) {
		if found := within(s, spans[0], want); len(spans) == 1 && found != nil {
			return found, nil
		}
		return nil, fmt.Errorf("mention %q expected at %d-%d, but %q stands there", want, parts[0].Start, parts[len(parts)-1].End, got)
	}
	return spans, nil
}

// within returns the parts of s[at.Start:at.End] whose words are those of want, in their order; nil when want does not begin and end with its
// words, or has others. Case, accents and what stands between words do not count. Words that are neighbours there are one part.
func within(s string, at text.Span, want string) []text.Span {
	there, words := wordSpans(s[at.Start:at.End]), wordSpans(want)
	if len(there) == 0 || len(words) == 0 || len(words) > len(there) {
		return nil
	}
	equal := func(t, w text.Span) bool {
		return fold(s[at.Start+t.Start:at.Start+t.End]) == fold(want[w.Start:w.End])
	}
	var out []text.Span
	last := len(words) - 1
	i := 0
	for k, w := range words {
		from := i
		if k == last {
			i = len(there) - 1 // the last word must end the range
		}
		for i < len(there) && !equal(there[i], w) {
			i++
		}
		if i == len(there) || i < from || k == 0 && i > 0 {
			return nil
		}
		part := text.Span{Start: at.Start + there[i].Start, End: at.Start + there[i].End}
		if n := len(out); n > 0 && i == from {
			out[n-1].End = part.End
		} else {
			out = append(out, part)
		}
		i++
	}
	if len(out) == 1 {
		return []text.Span{at}
	}
	return out
}

// wordSpans are the runs of letters and digits.
func wordSpans(s string) (out []text.Span) {
	start := -1
	for i, r := range s + " " {
		switch word := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r); {
		case word && start < 0:
			start = i
		case !word && start >= 0:
			out, start = append(out, text.Span{Start: start, End: i}), -1
		}
	}
	return out
}

// fold lower-cases a word and drops its accents.
func fold(s string) string { return text.WithoutAccents(strings.ToLower(s)) }

func same(got, want string) bool { return want == "" || got == want || Fold(got) == Fold(want) }

// Fold joins the words of s by single spaces: formats differ in how they write line breaks inside a mention.
func Fold(s string) string { return strings.Join(strings.Fields(s), " ") }

// A Layout rebuilds a text from passages that say at which code point they start.
type Layout struct {
	b  strings.Builder
	at int // code points so far
}

// maxGap bounds the filling between two passages.
const maxGap = 1 << 20

// Add puts a passage at an offset in code points, filling the gap before it. It reports false when the passage overlaps the
// one before or lies far behind; it then follows after one filling character.
func (l *Layout) Add(offset int, s string, fill byte) (text.Span, bool) {
	gap := offset - l.at
	ok := gap >= 0 && gap <= maxGap
	if !ok {
		gap = 1
	}
	for range gap {
		l.b.WriteByte(fill)
	}
	start := l.b.Len()
	s = strings.ToValidUTF8(s, "\ufffd")
	l.b.WriteString(s)
	l.at += gap + utf8.RuneCountInString(s)
	return text.Span{Start: start, End: l.b.Len()}, ok
}

// Len returns the code points laid out so far.
func (l *Layout) Len() int { return l.at }

// Text returns the text so far.
func (l *Layout) Text() string { return l.b.String() }

// WholePassages returns the passages when nothing but white space stands outside them, else the whole text as one: no
// annotation may lose its text.
func WholePassages(d *Document) []Passage {
	whole := []Passage{{Span: text.Span{End: len(d.Text)}}}
	at := 0
	for _, p := range d.Passages {
		if p.Span.Start < at || p.Span.End > len(d.Text) || strings.Trim(d.Text[at:p.Span.Start], " \n") != "" {
			return whole
		}
		at = p.Span.End
	}
	if len(d.Passages) == 0 || strings.Trim(d.Text[at:], " \n") != "" {
		return whole
	}
	return d.Passages
}

// FileOf returns the name of a document's file without ending, or why its ID cannot be one.
func FileOf(id string) (string, error) {
	name := strings.NewReplacer("/", "_", "\\", "_", ":", "_").Replace(id)
	if name == "" || strings.Trim(name, ".") == "" || strings.ContainsAny(name, "\x00\n\r") {
		return "", fmt.Errorf("document ID %q is no file name", id)
	}
	return name, nil
}

// WriteZip writes the files that fill hands over as a zip; equal files give equal bytes.
func WriteZip(w io.Writer, fill func(file func(name, content string) error) ([]text.Warning, error)) ([]text.Warning, error) {
	z := zip.NewWriter(w)
	warnings, err := fill(func(name, content string) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Unix(315532800, 0).UTC()}) // 1980, the first a zip can say
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return warnings, z.Close()
}
