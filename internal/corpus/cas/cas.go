// Package cas reads and writes UIMA CAS, XMI and JSON, as INCEpTION and cTAKES exchange it: one document a file, its text as the
// sofa string, mentions as annotations of the layer NamedEntity (value, identifier). Offsets are UTF-16 units. It is one of the corpus
// readers.
//
// Any other layer is read, too, whose annotations have a feature for a type (value, label, kind) or a concept (identifier, concept,
// code, cui); other features of text become attributes. An annotation of UIMA has one stretch: the parts of a discontinuous
// mention are written as entities of their own, which a layer of ours, syncabel.Parts, holds together when they are read again.
package cas

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

const maxFile = 1 << 30

// Codes of one answer are joined by "+", answers of which any one counts by "|". An identifier that is there and empty means NIL.
const (
	composite   = "+"
	alternative = "|"
)

// Types of UIMA, DKPro and ours.
const (
	typeEntity   = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
	typeMetaData = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
	typeSofa     = "uima.cas.Sofa"
	typeDocument = "uima.tcas.DocumentAnnotation"
	typeParts    = "syncabel.Parts"
)

// A structure is a feature structure: its type and its features as text, lists left out.
type structure struct {
	typ      string
	features map[string]string
}

// first returns the first of the features that is there.
func (s *structure) first(keys ...string) (key, value string, ok bool) {
	for _, k := range keys {
		if v, ok := s.features[k]; ok {
			return k, v, true
		}
	}
	return "", "", false
}

func (s *structure) span() (from, to int, ok bool) {
	from, errA := strconv.Atoi(s.features["begin"])
	to, errB := strconv.Atoi(s.features["end"])
	return from, to, errA == nil && errB == nil
}

// linguistic reports whether a type is none that people annotate concepts with.
func linguistic(typ string) bool {
	for _, p := range []string{"uima.", "de.tudarmstadt.ukp.dkpro.core.api.segmentation.", "de.tudarmstadt.ukp.dkpro.core.api.metadata.",
		"de.tudarmstadt.ukp.dkpro.core.api.lexmorph.", "de.tudarmstadt.ukp.dkpro.core.api.syntax.", "de.tudarmstadt.ukp.clarin.", "syncabel."} {
		if strings.HasPrefix(typ, p) {
			return true
		}
	}
	return false
}

// build makes the document of a CAS.
func build(all []structure, file string, opt corpus.ReadOptions) (corpus.Document, []text.Warning, error) {
	opt.Codes = opt.Codes.Or(composite, alternative)
	b := &builder{opt: opt, problems: text.Problems{File: file}}
	b.doc = corpus.Document{ID: baseName(file), Language: opt.Language, Split: opt.Split}
	sofas := 0
	for i := range all {
		s := &all[i]
		switch s.typ {
		case typeSofa:
			if sofas++; sofas == 1 {
				b.doc.Text = strings.ToValidUTF8(s.features["sofaString"], "\ufffd")
			}
		case typeMetaData:
			b.doc.ID = cmp.Or(s.features["documentTitle"], s.features["documentId"], b.doc.ID)
			if l := s.features["language"]; l != "" && l != "x-unspecified" {
				b.doc.Language = l
			}
		}
	}
	if sofas == 0 {
		return b.doc, nil, &text.SyntaxError{File: file, Msg: "no sofa: a UIMA CAS with a text is expected"}
	}
	if sofas > 1 {
		b.problems.Add(0, "not-read", "%d further views are not read", sofas-1)
	}
	b.off = text.NewUTF16(b.doc.Text)
	for i := range all {
		b.entity(&all[i])
	}
	for i := range all {
		if all[i].typ == typeParts {
			b.join(&all[i])
		}
	}
	corpus.SortMentions(b.doc.Mentions)
	for i := range b.doc.Mentions {
		b.doc.Mentions[i].ID = strconv.Itoa(i + 1)
	}
	return b.doc, b.problems.List, nil
}

func baseName(file string) string {
	file = file[strings.LastIndexByte(file, '/')+1:]
	for _, end := range []string{".xmi", ".xml", ".json"} {
		file = strings.TrimSuffix(file, end)
	}
	return file
}

type builder struct {
	opt      corpus.ReadOptions
	doc      corpus.Document
	off      *text.Offsets
	problems text.Problems
}

// entity adds a mention for an annotation of a layer that has concepts or types.
func (b *builder) entity(s *structure) {
	from, to, ok := s.span()
	if !ok || linguistic(s.typ) {
		return
	}
	typeKey, typ, hasType := s.first("value", "label", "kind")
	codeKey, code, hasCode := s.first("identifier", "concept", "code", "cui")
	if !hasType && !hasCode && s.typ != typeEntity {
		return
	}
	if !hasType && s.typ != typeEntity {
		typ = s.typ[strings.LastIndexByte(s.typ, '.')+1:]
	}
	spans, err := corpus.Locate(b.doc.Text, b.off, []corpus.Range{{Start: from, End: to}}, "")
	if err != nil {
		b.problems.Add(0, "offset", "annotation %q at %d-%d lies outside the text of %d characters: left out", s.typ, from, to, b.off.Len())
		return
	}
	m := corpus.Mention{Spans: spans, Text: corpus.SurfaceOf(b.doc.Text, spans), Type: typ}
	if hasCode {
		var missing int
		if m.Gold, missing = b.opt.Codes.Parse(compact(code)); missing > 0 {
			b.problems.Add(0, "partial-code", "a part of %q has no code: %q", m.Text, code)
		}
	}
	for k, v := range s.features {
		if k == typeKey || k == codeKey || k == "begin" || k == "end" || k == "sofa" || v == "" {
			continue
		}
		if m.Attributes == nil {
			m.Attributes = map[string]string{}
		}
		m.Attributes[k] = v
	}
	b.doc.Mentions = append(b.doc.Mentions, m)
}

// join makes one mention of the entities that stand at the parts of s and agree in everything else. When somebody has changed
// one of them since, they stay apart.
func (b *builder) join(s *structure) {
	var at []int
	for part := range strings.SplitSeq(s.features["parts"], ";") {
		from, to, _ := strings.Cut(part, "-")
		x, errA := strconv.Atoi(from)
		y, errB := strconv.Atoi(to)
		start, okA := b.off.Byte(x)
		end, okB := b.off.Byte(y)
		i := slices.IndexFunc(b.doc.Mentions, func(m corpus.Mention) bool {
			return len(m.Spans) == 1 && m.Spans[0] == text.Span{Start: start, End: end} && (len(at) == 0 || alike(&m, &b.doc.Mentions[at[0]]))
		})
		if errA != nil || errB != nil || !okA || !okB || i < 0 || slices.Contains(at, i) {
			b.problems.Add(0, "parts", "the parts %q are no longer entities that agree: they stay apart", s.features["parts"])
			return
		}
		at = append(at, i)
	}
	whole := &b.doc.Mentions[at[0]]
	for _, i := range at[1:] {
		whole.Spans = append(whole.Spans, b.doc.Mentions[i].Spans...)
	}
	slices.SortFunc(whole.Spans, func(a, b text.Span) int { return a.Start - b.Start })
	whole.Text = corpus.SurfaceOf(b.doc.Text, whole.Spans)
	slices.Sort(at[1:])
	for k := len(at) - 1; k > 0; k-- {
		b.doc.Mentions = slices.Delete(b.doc.Mentions, at[k], at[k]+1)
	}
}

// alike reports whether two entities can be parts of one mention.
func alike(a, b *corpus.Mention) bool {
	return a.Type == b.Type && slices.EqualFunc(a.Gold, b.Gold, func(x, y corpus.Answer) bool { return slices.Equal(x, y) })
}

// compact turns the IRIs of well-known vocabularies into codes.
func compact(code string) string {
	for prefix, db := range map[string]string{"http://purl.obolibrary.org/obo/": "", "http://snomed.info/id/": "SNOMED_CT", "http://snomed.info/sct/": "SNOMED_CT",
		"http://id.nlm.nih.gov/mesh/": "MESH", "http://purl.bioontology.org/ontology/MESH/": "MESH", "http://purl.bioontology.org/ontology/UMLS/": "UMLS",
		"http://linkedlifedata.com/resource/umls/id/": "UMLS"} {
		id, ok := strings.CutPrefix(code, prefix)
		if !ok {
			continue
		}
		if db == "" {
			return strings.Replace(id, "_", ":", 1)
		}
		return corpus.CURIE(db, id)
	}
	return code
}

// entities renders the mentions of a document as structures of NamedEntity and Parts.
func entities(d *corpus.Document, opt corpus.WriteOptions, lost corpus.Losses) []structure {
	codes := opt.Codes.Or(composite, alternative)
	off := text.NewUTF16(d.Text)
	var out []structure
	for i := range d.Mentions {
		m := &d.Mentions[i]
		code, _ := codes.Format(m.Gold)
		var parts []string
		for _, s := range m.Spans {
			f := map[string]string{"begin": strconv.Itoa(off.Unit(s.Start)), "end": strconv.Itoa(off.Unit(s.End)), "value": m.Type}
			if m.Gold != nil {
				f["identifier"] = code
			}
			out = append(out, structure{typeEntity, f})
			parts = append(parts, f["begin"]+"-"+f["end"])
		}
		if len(parts) > 1 {
			sp := m.Span()
			out = append(out, structure{typeParts, map[string]string{"begin": strconv.Itoa(off.Unit(sp.Start)), "end": strconv.Itoa(off.Unit(sp.End)), "parts": strings.Join(parts, ";")}})
		}
		lost.Mention(d, m, true, true)
	}
	lost.Document(d)
	return out
}

// metaData renders what a document is called and its language.
func metaData(d *corpus.Document) structure {
	return structure{typeMetaData, map[string]string{"begin": "0", "end": strconv.Itoa(text.NewUTF16(d.Text).Len()), "language": cmp.Or(d.Language, "x-unspecified"),
		"documentTitle": d.ID, "documentId": d.ID}}
}

// one refuses what is no single document: a CAS is a file each.
func one(docs []corpus.Document) error {
	if len(docs) != 1 {
		return fmt.Errorf("writing CAS: a file holds one document, not %d", len(docs))
	}
	return nil
}

// feature is one feature of a type that is written, with its range.
type feature struct{ name, rng string }

// written are the types that Write uses beyond UIMA's own, with their features.
func written() []struct {
	name, super string
	features    []feature
} {
	return []struct {
		name, super string
		features    []feature
	}{
		{typeEntity, "uima.tcas.Annotation", []feature{{"value", "uima.cas.String"}, {"identifier", "uima.cas.String"}}},
		{typeMetaData, typeDocument, []feature{{"documentTitle", "uima.cas.String"}, {"documentId", "uima.cas.String"}}},
		{typeParts, "uima.tcas.Annotation", []feature{{"parts", "uima.cas.String"}}},
	}
}
