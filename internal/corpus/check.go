package corpus

import (
	"fmt"
	"strings"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// leakWords is the length from which a sentence of development or test that also stands in training is no chance: shorter ones
// are headings and set phrases ("Written informed consent was obtained.").
const leakWords = 8

// Audit looks for what makes figures wrong: documents that occur twice or in two splits, sentences of dev and test that training
// has, series in two splits, mentions annotated twice or at borders of white space, one string of a document with several meanings, codes that
// the knowledge base (which may be nil) lacks. Every finding is a warning that names the document.
func Audit(docs []Document, kb *terminology.KB) []text.Warning {
	a := &auditor{kb: kb, ids: map[string]int{}, series: map[string]string{}, texts: map[string]int{}, sentences: map[string]string{}, unknown: map[string]bool{}}
	for i := range docs {
		if docs[i].Split == "train" {
			a.learn(&docs[i])
		}
	}
	for i := range docs {
		a.document(docs, i)
	}
	return a.out
}

type auditor struct {
	kb         *terminology.KB
	out        []text.Warning
	ids, texts map[string]int    // -> number of the document
	series     map[string]string // -> split of its first document; "-" once told
	sentences  map[string]string
	unknown    map[string]bool
}

func (a *auditor) warn(kind, format string, args ...any) {
	a.out = append(a.out, text.Warning{Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

func (a *auditor) learn(d *Document) {
	for _, s := range text.Sentences(d.Text, d.Language, nil) {
		if k := Fold(d.Text[s.Start:s.End]); strings.Count(k, " ")+1 >= leakWords {
			a.sentences[k] = d.ID
		}
	}
}

func (a *auditor) document(docs []Document, i int) {
	d := &docs[i]
	if err := d.Check(); err != nil {
		a.warn("offset", "%v", err)
	}
	if j, ok := a.ids[d.ID]; ok {
		a.warn("duplicate", "document %q occurs twice, in splits %q and %q", d.ID, docs[j].Split, d.Split)
	}
	a.ids[d.ID] = i
	if k := Fold(d.Text); k == "" {
		a.warn("empty", "document %q has no text", d.ID)
	} else if j, ok := a.texts[k]; ok && docs[j].ID != d.ID {
		kind := "duplicate"
		if docs[j].Split != d.Split {
			kind = "leakage"
		}
		a.warn(kind, "documents %q (%s) and %q (%s) have the same text", docs[j].ID, docs[j].Split, d.ID, d.Split)
	} else {
		a.texts[k] = i
	}
	if s, ok := a.series[d.Series]; d.Series != "" && ok && s != d.Split && s != "-" {
		a.warn("leakage", "documents of the series %q are in splits %q and %q, %q among them", d.Series, s, d.Split, d.ID)
		a.series[d.Series] = "-"
	} else if !ok {
		a.series[d.Series] = d.Split
	}
	if d.Split == "dev" || d.Split == "test" {
		a.leaks(d)
	}
	a.mentions(d)
}

func (a *auditor) leaks(d *Document) {
	for _, s := range text.Sentences(d.Text, d.Language, nil) {
		if from, ok := a.sentences[Fold(d.Text[s.Start:s.End])]; ok {
			a.warn("leakage", "a sentence of document %q (%s) also stands in %q (train): %.80q", d.ID, d.Split, from, d.Text[s.Start:s.End])
		}
	}
}

func (a *auditor) mentions(d *Document) {
	ids, same, meaning := map[string]bool{}, map[string]bool{}, map[string]string{}
	for i := range d.Mentions {
		m := &d.Mentions[i]
		where := fmt.Sprintf("mention %q (%s) of document %q", m.Text, m.ID, d.ID)
		if ids[m.ID] {
			a.warn("duplicate-id", "%s: its ID occurs twice", where)
		}
		ids[m.ID] = true
		k := fmt.Sprint(m.Spans, m.Type)
		if same[k] {
			a.warn("duplicate-mention", "%s: the same span and type are annotated twice", where)
		}
		same[k] = true
		if strings.TrimSpace(m.Text) != m.Text {
			a.warn("border", "%s begins or ends with white space", where)
		}
		if m.NIL() {
			continue
		}
		k = m.Type + "\x00" + surface(m)
		if first, ok := meaning[k]; ok && first != key(m) {
			a.warn("inconsistent", "%s means %s, before it meant %s", where, key(m), first)
		} else {
			meaning[k] = key(m)
		}
		a.codes(m, where)
	}
}

// codes reports each unknown code once.
func (a *auditor) codes(m *Mention, where string) {
	for _, answer := range m.Gold {
		for _, code := range answer {
			if a.kb != nil && !a.kb.Has(code) && !a.unknown[code] {
				a.unknown[code] = true
				a.warn("unknown-code", "code %q, first at %s, is not in the knowledge base", code, where)
			}
		}
	}
}
