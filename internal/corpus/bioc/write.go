package bioc

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"io"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// WriteXML writes documents as one BioC XML collection.
func WriteXML(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	b := bufio.NewWriter(w)
	b.WriteString(xml.Header + "<!DOCTYPE collection SYSTEM \"BioC.dtd\">\n<collection><source>syncabel</source><date></date><key></key>\n")
	enc := xml.NewEncoder(b)
	lost := corpus.Losses{}
	for i := range docs {
		if err := enc.Encode(render(&docs[i], opt, lost)); err != nil {
			return nil, err
		}
		b.WriteByte('\n')
	}
	b.WriteString("</collection>\n")
	return lost.Warnings("BioC"), b.Flush()
}

// WriteJSON writes documents as one BioC JSON collection.
func WriteJSON(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	c := collection{Source: "syncabel", Infons: infons{}, Documents: []document{}}
	lost := corpus.Losses{}
	for i := range docs {
		c.Documents = append(c.Documents, *render(&docs[i], opt, lost))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return lost.Warnings("BioC"), enc.Encode(&c)
}

func render(d *corpus.Document, opt corpus.WriteOptions, lost corpus.Losses) *document {
	codes := opt.Codes.Or(composite, alternative)
	if codes.NIL == "" {
		codes.NIL = "-"
	}
	out := &document{ID: d.ID, Infons: infons{}, Relations: []relation{}}
	off := text.NewOffsets(d.Text)
	passages := corpus.WholePassages(d)
	for _, p := range passages {
		out.Passages = append(out.Passages, passage{Infons: infons{{"type", p.Type}}, Offset: off.Unit(p.Span.Start),
			Text: d.Text[p.Span.Start:p.Span.End], Annotations: []annotation{}, Relations: []relation{}})
	}
	at := 0
	for i := range d.Mentions {
		m := &d.Mentions[i]
		a := annotation{ID: m.ID, Infons: infonsOf(m), Text: m.Text}
		if m.Gold != nil {
			code, whole := codes.Format(m.Gold)
			a.Infons = append(a.Infons, infon{"identifier", code})
			if !whole {
				lost.Mention(d, m, false, true)
			}
		}
		for _, s := range m.Spans {
			from := off.Unit(s.Start)
			a.Locations = append(a.Locations, location{from, off.Unit(s.End) - from})
		}
		for at+1 < len(passages) && passages[at+1].Span.Start <= m.Span().Start {
			at++
		}
		out.Passages[at].Annotations = append(out.Passages[at].Annotations, a)
	}
	lost.Document(d)
	return out
}
