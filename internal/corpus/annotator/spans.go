package annotator

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// span is a mention of Prodigy and spaCy; offsets are code points. Parts and attributes are keys of ours, which both keep.
type span struct {
	Start      int               `json:"start"`
	End        int               `json:"end"`
	Label      string            `json:"label"`
	Text       string            `json:"text,omitempty"`
	ID         string            `json:"id,omitempty"`
	KB         *string           `json:"kb_id,omitempty"`
	Parts      [][2]int          `json:"parts,omitempty"` // of a discontinuous mention
	Attributes map[string]string `json:"attributes,omitempty"`
}

func (r *reader) spans(d *corpus.Document, list []span) {
	off := text.NewOffsets(d.Text)
	for _, s := range list {
		parts := []corpus.Range{{Start: s.Start, End: s.End}}
		if len(s.Parts) > 0 {
			parts = parts[:0]
			for _, p := range s.Parts {
				parts = append(parts, corpus.Range{Start: p[0], End: p[1]})
			}
		}
		if m := r.add(d, off, s.ID, s.Label, s.Text, parts, s.KB); m != nil {
			m.Attributes = s.Attributes
		}
	}
}

func (w *writer) spans(d *corpus.Document) []span {
	off := text.NewOffsets(d.Text)
	out := []span{}
	for i := range d.Mentions {
		m := &d.Mentions[i]
		sp := m.Span()
		s := span{Start: off.Unit(sp.Start), End: off.Unit(sp.End), Label: m.Type, ID: m.ID, Attributes: m.Attributes}
		if code, ok := w.code(m); ok {
			s.KB = &code
		}
		if len(m.Spans) > 1 {
			for _, p := range m.Spans {
				s.Parts = append(s.Parts, [2]int{off.Unit(p.Start), off.Unit(p.End)})
			}
		}
		out = append(out, s)
	}
	return out
}

// ReadProdigy reads lines of Prodigy: {"text", "spans": [{"start", "end", "label", "kb_id"}], "answer"}. Lines whose answer is not
// accept are counted and left out; unknown keys, hashes among them, are kept.
func ReadProdigy(in io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	r := newReader(file, opt)
	return r.done(r.lines(in, func(o object) error {
		var answer string
		if json.Unmarshal(o["answer"], &answer) == nil && answer != "accept" {
			r.warn("not-accepted", "an example whose answer is %q is left out", answer)
			return nil
		}
		var list []span
		take(o, "spans", &list)
		d, err := r.start(o, "text")
		if err != nil {
			return err
		}
		r.spans(d, list)
		rest(d, o)
		return nil
	}))
}

// WriteProdigy writes lines that Prodigy and ReadProdigy read.
func WriteProdigy(out io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	w := newWriter(out, opt)
	for i := range docs {
		o := line(&docs[i])
		o["spans"] = w.spans(&docs[i])
		if _, ok := o["answer"]; !ok {
			o["answer"] = "accept"
		}
		if err := w.enc.Encode(o); err != nil {
			return nil, err
		}
	}
	return w.lost.Warnings("Prodigy"), nil
}

// ReadSpaCy reads lines as Doc.to_json writes them: {"text", "ents": [{"start", "end", "label", "kb_id"}], "spans": {key: [...]}}. Span
// groups are mentions, too; tokens are not read.
func ReadSpaCy(in io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	r := newReader(file, opt)
	return r.done(r.lines(in, func(o object) error {
		var list []span
		take(o, "ents", &list)
		groups := map[string][]span{}
		take(o, "spans", &groups)
		for _, key := range slices.Sorted(maps.Keys(groups)) {
			list = append(list, groups[key]...)
		}
		delete(o, "tokens")
		d, err := r.start(o, "text")
		if err != nil {
			return err
		}
		r.spans(d, list)
		rest(d, o)
		return nil
	}))
}

// SpanGroup is the span group that holds what doc.ents cannot: mentions that overlap an earlier one. It is spaCy's default key.
const SpanGroup = "sc"

// WriteSpaCy writes lines that Doc.from_json and ReadSpaCy read: mentions that do not overlap as ents, the others, and those of
// several parts, as the span group "sc". Doc.from_json wants spans at token borders and says which are not; it keeps start,
// end, label and kb_id.
func WriteSpaCy(out io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	w := newWriter(out, opt)
	for i := range docs {
		o := line(&docs[i])
		ents, group := []span{}, []span{}
		end := 0
		for _, s := range w.spans(&docs[i]) {
			if s.Start >= end && len(s.Parts) == 0 {
				ents, end = append(ents, s), s.End
			} else {
				group = append(group, s)
			}
		}
		o["ents"] = ents
		if len(group) > 0 {
			o["spans"] = map[string][]span{SpanGroup: group}
		}
		if err := w.enc.Encode(o); err != nil {
			return nil, err
		}
	}
	return w.lost.Warnings("spaCy"), nil
}

// ReadDoccano reads lines of doccano: {"text", "label": [[start, end, "Label"]]}, or with "entities" and "label" or "labels" as its
// versions write them. Codes come from a key "codes" as WriteDoccano writes it, or stand behind a bar in the label:
// "Disease|MESH:D006073".
func ReadDoccano(in io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	r := newReader(file, opt)
	return r.done(r.lines(in, func(o object) error {
		labels, err := r.doccanoLabels(o)
		if err != nil {
			return err
		}
		codes := map[string]string{}
		annotated := take(o, "codes", &codes)
		d, err := r.start(o, "text")
		if err != nil {
			return err
		}
		off := text.NewOffsets(d.Text)
		for _, l := range labels {
			var code *string
			if c, ok := codes[l.key()]; ok || annotated {
				code = &c
			}
			typ, c, ok := cutCode(l.label)
			if ok {
				code = &c
			}
			r.add(d, off, "", typ, "", []corpus.Range{{Start: l.start, End: l.end}}, code)
		}
		rest(d, o)
		return nil
	}))
}

type doccanoLabel struct {
	start, end int
	label      string
}

// key names a label inside "codes".
func (l doccanoLabel) key() string {
	return strconv.Itoa(l.start) + "-" + strconv.Itoa(l.end) + " " + l.label
}

// UnmarshalJSON reads [start, end, label].
func (l *doccanoLabel) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&l.start, &l.end, &l.label})
}

// MarshalJSON is its inverse.
func (l doccanoLabel) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{l.start, l.end, l.label})
}

func (r *reader) doccanoLabels(o object) ([]doccanoLabel, error) {
	var out []doccanoLabel
	for _, key := range []string{"label", "labels"} {
		if raw, ok := o[key]; ok && !take(o, key, &out) {
			return nil, r.errorf("%q is no list of [start, end, label]: %.40s", key, raw)
		}
	}
	var entities []struct {
		Label string `json:"label"`
		Start int    `json:"start_offset"`
		End   int    `json:"end_offset"`
	}
	take(o, "entities", &entities)
	for _, e := range entities {
		out = append(out, doccanoLabel{e.Start, e.End, e.Label})
	}
	return out, nil
}

// cutCode splits "Disease|MESH:D006073".
func cutCode(label string) (string, string, bool) {
	for i := range len(label) {
		if label[i] == '|' {
			return label[:i], label[i+1:], true
		}
	}
	return label, "", false
}

// WriteDoccano writes lines that doccano imports. It has no place for a code: they are in the key "codes", which doccano keeps as
// metadata, by "start-end Label".
func WriteDoccano(out io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	w := newWriter(out, opt)
	for i := range docs {
		d := &docs[i]
		o := line(d)
		off := text.NewOffsets(d.Text)
		labels, codes := []doccanoLabel{}, map[string]string{}
		for j := range d.Mentions {
			m := &d.Mentions[j]
			l := doccanoLabel{off.Unit(m.Span().Start), off.Unit(m.Span().End), m.Type}
			labels = append(labels, l)
			if code, ok := w.code(m); ok {
				if have, twice := codes[l.key()]; twice && have != code {
					w.lost.Add("several codes of mentions with equal span and label; the last is written", d.ID, m.Text)
				}
				codes[l.key()] = code
			}
			w.lost.Mention(d, m, true, false)
		}
		o["label"] = labels
		if len(codes) > 0 {
			o["codes"] = codes
		}
		if err := w.enc.Encode(o); err != nil {
			return nil, err
		}
	}
	return w.lost.Warnings("doccano"), nil
}
