// Package obo reads ontologies in OBO 1.2 and 1.4, the flat-file format of the OBO Foundry: HPO, DOID, MONDO, ChEBI.
package obo

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Options of Read.
type Options struct {
	Group    string // semantic group of every term; default is the namespace, else the prefix of the ID
	Source   string // default: prefix of the ID
	Language string // default "en"
	Licence  string
}

const maxLine = 4 << 20

// Read adds the terms of an ontology to b. Obsolete terms are added as retired, with their replacements.
func Read(b *terminology.Builder, r io.Reader, file string, opt Options) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	rd := &reader{b: b, file: file, opt: opt, seen: map[string]bool{}}
	for rd.line = 1; sc.Scan(); rd.line++ {
		line := strings.TrimSpace(sc.Text())
		switch {
		case line == "" || line[0] == '!':
		case !utf8.ValidString(line):
			rd.warn("utf8", "invalid UTF-8 in a line of %q: line left out", rd.c.ID)
		case line[0] == '[':
			rd.flush()
			rd.inTerm = line == "[Term]"
			rd.start = rd.line
		case rd.inTerm:
			rd.tag(line)
		}
	}
	rd.flush()
	if err := sc.Err(); err != nil {
		return &text.SyntaxError{File: file, Line: rd.line, Msg: err.Error()}
	}
	if rd.terms == 0 {
		return &text.SyntaxError{File: file, Msg: "no [Term] stanza: not an OBO file"}
	}
	return nil
}

type reader struct {
	b           *terminology.Builder
	file        string
	line, start int
	opt         Options
	inTerm      bool
	namespace   string
	c           terminology.Concept
	others      []terminology.Replacement // IDs that mean this term too, or, of an obsolete term, that may be meant instead
	seen        map[string]bool
	terms       int
}

func (r *reader) warn(kind, format string, args ...any) {
	r.b.Warn(text.Warning{File: r.file, Line: r.line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

func (r *reader) tag(line string) {
	tag, value, ok := strings.Cut(line, ":")
	if !ok {
		r.warn("syntax", "line %.60q has no tag", line)
		return
	}
	value = strings.TrimSpace(value)
	switch tag {
	case "id":
		r.c.ID = comment(value)
	case "name":
		r.name(unescape(comment(value)), true, "")
	case "synonym":
		s, rest, ok := quoted(value)
		if !ok {
			r.warn("syntax", "synonym of %q without quotes", r.c.ID)
			return
		}
		scope, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		r.name(s, false, scope)
	case "def":
		if s, _, ok := quoted(value); ok && s != "" {
			r.c.Definitions = append(r.c.Definitions, terminology.Definition{Text: s, Language: r.language(), Source: r.opt.Source})
		}
	case "is_a":
		r.c.Parents = append(r.c.Parents, comment(value))
	case "is_obsolete":
		r.c.Retired = comment(value) == "true"
	case "alt_id":
		r.others = append(r.others, terminology.Replacement{ID: comment(value), Relation: "alternate"})
	case "consider":
		r.others = append(r.others, terminology.Replacement{ID: comment(value), Relation: "consider"})
	case "replaced_by":
		r.c.ReplacedBy = append(r.c.ReplacedBy, comment(value))
	case "xref":
		r.c.Xrefs = append(r.c.Xrefs, comment(value))
	case "namespace":
		r.namespace = comment(value)
	}
}

func (r *reader) language() string {
	if r.opt.Language == "" {
		return "en"
	}
	return r.opt.Language
}

func (r *reader) name(s string, preferred bool, scope string) {
	if s == "" {
		return
	}
	for _, n := range r.c.Names {
		if n.Text == s {
			return
		}
	}
	r.c.Names = append(r.c.Names, terminology.Name{Text: s, Language: r.language(), Preferred: preferred, Kind: scope, Source: r.opt.Source, Licence: r.opt.Licence})
}

func (r *reader) flush() {
	c := r.c
	group := r.opt.Group
	prefix, _, _ := strings.Cut(c.ID, ":")
	if group == "" {
		group = r.namespace
	}
	if group == "" {
		group = prefix
	}
	others := r.others
	r.c, r.namespace, r.others = terminology.Concept{}, "", nil
	if !r.inTerm {
		return
	}
	r.terms++
	if c.ID == "" {
		r.b.Warn(text.Warning{File: r.file, Line: r.start, Kind: "no-code", Msg: "term without id left out"})
		return
	}
	c.Types = []terminology.SemanticType{{Name: prefix, Group: group}}
	if r.opt.Source == "" {
		from(&c, prefix)
	}
	if r.seen[c.ID] {
		r.b.Warn(text.Warning{File: r.file, Line: r.start, Kind: "duplicate", Msg: fmt.Sprintf("term %s comes a second time: what both say is united", c.ID)})
	}
	r.seen[c.ID] = true
	r.b.At(r.file, r.start)
	r.b.Add(c)
	for _, o := range others {
		if o.Relation == "consider" {
			r.b.Retire(c.ID, "", o) // counts only if the term is obsolete
		} else {
			r.b.Retire(o.ID, "", terminology.Replacement{ID: c.ID, Relation: o.Relation})
		}
	}
}

// from notes the vocabulary of names and definitions.
func from(c *terminology.Concept, source string) {
	for i := range c.Names {
		c.Names[i].Source = source
	}
	for i := range c.Definitions {
		c.Definitions[i].Source = source
	}
}

// comment cuts a trailing " ! comment" and " {modifier}".
func comment(s string) string {
	if i := strings.Index(s, " !"); i >= 0 {
		s = s[:i]
	}
	if i := strings.Index(s, " {"); i >= 0 && strings.HasSuffix(s, "}") {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

// quoted reads a leading "..." with backslash escapes and returns it and the rest.
func quoted(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return strings.TrimSpace(unescape(s[1:i])), s[i+1:], true
		}
	}
	return "", s, false
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			switch s[i] {
			case 'n', 't', 'W':
				b.WriteByte(' ')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
