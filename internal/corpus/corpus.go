// Package corpus holds annotated text: documents, their passages and the mentions marked in them, as every reader of
// corpus/* produces and every later stage consumes. It stands after terminology and before markup and dataset.
//
// Offsets are bytes of Document.Text, half-open; the readers convert from the code points of PubTator, BRAT and BigBio and
// from UTF-16 units, and check that the text at a span is the text of the mention.
package corpus

import (
	"cmp"
	"encoding/json"

	"syncabel/internal/text"
)

// A Document is one text with its annotations. Mentions are in reading order: by first span, then the longer first.
type Document struct {
	ID       string    `json:"id"`
	Language string    `json:"language,omitempty"` // ISO 639-1: "en", "fr", "es"
	Split    string    `json:"split,omitempty"`    // "train", "dev", "test", or empty
	Text     string    `json:"text"`               // whole text, valid UTF-8
	Passages []Passage `json:"passages,omitempty"` // in order, not overlapping; empty means one passage: the whole text
	Mentions []Mention `json:"mentions"`
	// Series names what the document is a part of, with others: a patient, a leaflet. Empty where it stands alone.
	Series string `json:"series,omitempty"`
	// Meta are the keys of a JSON format that mean nothing here and are written back untouched.
	Meta map[string]json.RawMessage `json:"meta,omitempty"`
}

// Whole is what the document belongs to: its series, or itself. What must not have seen a document must not have seen others of it.
func (d *Document) Whole() string { return cmp.Or(d.Series, d.ID) }

// A Passage is a part of a document's text such as its title or its abstract.
type Passage struct {
	Type string    `json:"type,omitempty"` // e.g. "title", "abstract"
	Span text.Span `json:"span"`           // bytes of Document.Text
}

// A Mention is one annotated entity of a document.
type Mention struct {
	ID    string      `json:"id"`             // unique in its document
	Spans []text.Span `json:"spans"`          // bytes of Document.Text, ascending; more than one when discontinuous
	Text  string      `json:"text"`           // surface form; parts of a discontinuous mention joined by one space
	Type  string      `json:"type,omitempty"` // as annotated, e.g. "Disease"; link maps it to a semantic group
	Gold  []Answer    `json:"gold"`           // alternatives, any one counts; empty means NIL
	// Origin says where the annotation comes from: "" for the corpus, "synthetic", "review".
	Origin string `json:"origin,omitempty"`
	// Attributes are what the annotation says beside its concept, e.g. "Negation": "true", "Certainty": "low".
	Attributes map[string]string `json:"attributes,omitempty"`
}

// An Answer is the concept that a mention means: one concept ID, or all parts of a composite ("A and B"), sorted.
// It is a different thing from alternatives, of which any one counts.
type Answer []string

// Span returns the smallest span that covers all parts of m.
func (m Mention) Span() text.Span {
	if len(m.Spans) == 0 {
		return text.Span{}
	}
	return text.Span{Start: m.Spans[0].Start, End: m.Spans[len(m.Spans)-1].End}
}

// Spans returns the covering span of every mention.
func (d *Document) Spans() []text.Span {
	out := make([]text.Span, len(d.Mentions))
	for i := range d.Mentions {
		out[i] = d.Mentions[i].Span()
	}
	return out
}

// NIL reports whether the mention is annotated as meaning no concept of the knowledge base.
func (m Mention) NIL() bool { return len(m.Gold) == 0 }
