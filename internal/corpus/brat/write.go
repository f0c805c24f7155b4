package brat

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Write writes a zip of the files that Files gives.
func Write(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	return corpus.WriteZip(w, func(file func(name, content string) error) ([]text.Warning, error) { return Files(docs, opt, file) })
}

// Files hands over a .txt and an .ann file for every document, then annotation.conf and visual.conf, which say what types and
// attributes there are and what types with spaces are called on the screen.
func Files(docs []corpus.Document, opt corpus.WriteOptions, file func(name, content string) error) ([]text.Warning, error) {
	wr := &writer{codes: opt.Codes.Or(composite, alternative), lost: corpus.Losses{}, types: map[string]string{}, attributes: map[string]map[string]bool{}}
	seen := map[string]bool{}
	for i := range docs {
		d := &docs[i]
		name, err := corpus.FileOf(d.ID)
		if err != nil {
			return nil, fmt.Errorf("writing BRAT: %w", err)
		}
		if seen[name] {
			return nil, fmt.Errorf("writing BRAT: two documents are called %q", d.ID)
		}
		seen[name] = true
		if err := file(name+".txt", d.Text); err != nil {
			return nil, err
		}
		if err := file(name+".ann", wr.ann(d)); err != nil {
			return nil, err
		}
	}
	if err := file("annotation.conf", wr.annotationConf()); err != nil {
		return nil, err
	}
	return wr.lost.Warnings("BRAT"), file(labelsFile, wr.visualConf())
}

type writer struct {
	codes      corpus.Codes
	lost       corpus.Losses
	types      map[string]string          // BRAT's name -> ours
	attributes map[string]map[string]bool // values
}

// typ returns a type in BRAT's characters: letters, digits, - and _.
func (w *writer) typ(t string) string {
	name := symbol(t)
	for w.types[name] != "" && w.types[name] != t {
		name += "_"
	}
	if name != "" {
		w.types[name] = t
	}
	return name
}

func symbol(s string) string {
	if s == "" {
		return "Entity"
	}
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || r > 127 {
			return r
		}
		return '_'
	}, s)
}

// ann renders the annotations of a document.
func (w *writer) ann(d *corpus.Document) string {
	var b strings.Builder
	off := text.NewOffsets(d.Text)
	norms, notes, attrs := 0, 0, 0
	oneLine := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ")
	for i := range d.Mentions {
		m := &d.Mentions[i]
		var spans []string
		for _, s := range m.Spans {
			spans = append(spans, fmt.Sprintf("%d %d", off.Unit(s.Start), off.Unit(s.End)))
		}
		fmt.Fprintf(&b, "T%d\t%s %s\t%s\n", i+1, w.typ(m.Type), strings.Join(spans, ";"), oneLine.Replace(m.Text))
		if len(m.Gold) == 1 && databases(m.Gold[0]) {
			for _, code := range m.Gold[0] {
				norms++
				db, id := corpus.SplitCURIE(code)
				fmt.Fprintf(&b, "N%d\tReference T%d %s:%s\t%s\n", norms, i+1, db, id, oneLine.Replace(m.Text))
			}
		} else if len(m.Gold) > 0 {
			notes++
			code, _ := w.codes.Format(m.Gold)
			fmt.Fprintf(&b, "#%d\tAnnotatorNotes T%d\t%s\n", notes, i+1, code)
		}
		for _, k := range slices.Sorted(maps.Keys(m.Attributes)) {
			attrs++
			name, value := w.attribute(k, m.Attributes[k])
			fmt.Fprintf(&b, "A%d\t%s T%d%s\n", attrs, name, i+1, value)
		}
	}
	w.lost.Document(d)
	return b.String()
}

// databases reports whether every code says its database, as N lines need, and has no space.
func databases(a corpus.Answer) bool {
	return !slices.ContainsFunc(a, func(code string) bool {
		db, id := corpus.SplitCURIE(code)
		return db == "" || id == "" || strings.ContainsAny(code, " \t")
	})
}

// attribute returns an attribute's name and value as BRAT writes them; a true one has no value.
func (w *writer) attribute(key, value string) (string, string) {
	name := symbol(key)
	if w.attributes[name] == nil {
		w.attributes[name] = map[string]bool{}
	}
	if value == "true" {
		return name, ""
	}
	value = strings.Join(strings.Fields(value), "_")
	w.attributes[name][value] = true
	return name, " " + value
}

func (w *writer) annotationConf() string {
	var b strings.Builder
	b.WriteString("[entities]\n")
	for _, t := range slices.Sorted(maps.Keys(w.types)) {
		b.WriteString(t + "\n")
	}
	b.WriteString("\n[relations]\n\n[events]\n\n[attributes]\n")
	for _, a := range slices.Sorted(maps.Keys(w.attributes)) {
		b.WriteString(a + "\tArg:<ENTITY>")
		if values := slices.Sorted(maps.Keys(w.attributes[a])); len(values) > 0 {
			b.WriteString(", Value:" + strings.Join(values, "|"))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (w *writer) visualConf() string {
	var b strings.Builder
	b.WriteString("[labels]\n")
	for _, t := range slices.Sorted(maps.Keys(w.types)) {
		fmt.Fprintf(&b, "%s | %s\n", t, w.types[t])
	}
	b.WriteString("\n[drawing]\nSPAN_DEFAULT\tfgColor:black, bgColor:lightgreen, borderColor:darken\n")
	return b.String()
}
