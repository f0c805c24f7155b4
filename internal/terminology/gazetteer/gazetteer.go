// Package gazetteer reads knowledge bases that are tables: one name a row, tab- or comma-separated, columns found by
// their names. It is one of the readers at the start of the chain.
package gazetteer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Options of Read.
type Options struct {
	Language string // of names whose row does not say
	Source   string // vocabulary noted with every name
	Group    string // of rows that do not say; default "Entity"
	Licence  string
	Columns  map[string]string // our column -> column of the file, for files with other headings
	Synonyms bool              // the rows are further names of concepts that were added before, and of nothing else
}

// maxLine bounds one row.
const maxLine = 4 << 20

// maxCSV bounds a file with quotes, which may hide a row of any length.
const maxCSV = 8 << 30

// aliases are headings that mean the same column; the first is ours.
func aliases() map[string][]string {
	return map[string][]string{
		"code":           {"code", "id", "cui", "concept_id", "snomed_code"},
		"name":           {"name", "term", "synonym", "label"},
		"preferred":      {"is_preferred", "mainterm", "preferred", "is_main"},
		"semantic_group": {"semantic_group", "group", "semantic_tag"},
		"semantic_type":  {"semantic_type", "type"},
		"definition":     {"definition", "def"},
		"lang":           {"lang", "language"},
		"synonyms":       {"synonyms"}, // further names, separated by |
		"parents":        {"parents", "parent", "parent_ids"},
	}
}

// Read adds the rows of a table to b. The first line names the columns; code and name are needed. A row that cannot be
// read is reported with its line and left out.
func Read(b *terminology.Builder, r io.Reader, file string, opt Options) error {
	in := bufio.NewReaderSize(r, 1<<16)
	if bom, err := in.Peek(3); err == nil && string(bom) == "\ufeff" {
		if _, err := in.Discard(3); err != nil {
			return &text.SyntaxError{File: file, Msg: err.Error()}
		}
	}
	head, _ := in.Peek(1 << 15)
	line, _, _ := strings.Cut(string(head), "\n")
	if len(head) == 0 {
		return &text.SyntaxError{File: file, Msg: "empty file: a heading line is expected"}
	}
	t := &table{b: b, file: file, opt: opt, line: 1}
	switch {
	case strings.Contains(line, "\t"):
		return t.tabs(in)
	case strings.Contains(line, ";") && !strings.Contains(line, ","):
		return t.quoted(in, ';')
	}
	return t.quoted(in, ',')
}

// tabs reads a table in which nothing is quoted.
func (t *table) tabs(in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	for ; sc.Scan(); t.line++ {
		if err := t.record(strings.Split(strings.TrimSuffix(sc.Text(), "\r"), "\t")); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return &text.SyntaxError{File: t.file, Line: t.line, Msg: err.Error()}
	}
	return nil
}

// quoted reads RFC 4180, with a semicolon for the comma where spreadsheets use that.
func (t *table) quoted(in io.Reader, separator rune) error {
	rd := csv.NewReader(io.LimitReader(in, maxCSV))
	rd.Comma = separator
	rd.FieldsPerRecord = -1
	for {
		cells, err := rd.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				t.line = parse.StartLine
			}
			return &text.SyntaxError{File: t.file, Line: t.line, Msg: err.Error()}
		}
		t.line, _ = rd.FieldPos(0)
		if err := t.record(cells); err != nil {
			return err
		}
	}
}

// record takes the first row as heading.
func (t *table) record(cells []string) error {
	if t.col == nil {
		t.width = len(cells)
		return t.heading(cells)
	}
	t.row(cells)
	return nil
}

type table struct {
	b     *terminology.Builder
	file  string
	line  int
	opt   Options
	width int
	col   map[string]int
}

func (t *table) heading(names []string) error {
	t.col = map[string]int{}
	for ours, list := range aliases() {
		if c := t.opt.Columns[ours]; c != "" {
			list = []string{c}
		}
		t.col[ours] = slices.IndexFunc(names, func(n string) bool {
			return slices.ContainsFunc(list, func(a string) bool { return strings.EqualFold(strings.TrimSpace(n), a) })
		})
	}
	for i, n := range names {
		used := false
		for _, c := range t.col {
			used = used || c == i
		}
		if !used && strings.TrimSpace(n) != "" {
			t.warn("unknown-column", "column %q is not used: name it with the columns option if it should be", n)
		}
	}
	for _, need := range []string{"code", "name"} {
		if t.col[need] < 0 {
			return &text.SyntaxError{File: t.file, Line: 1, Msg: fmt.Sprintf("no column %q in the heading %q; name the columns with the columns option", need, names)}
		}
	}
	return nil
}

func (t *table) warn(kind, format string, args ...any) {
	t.b.Warn(text.Warning{File: t.file, Line: t.line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

func (t *table) row(cells []string) {
	if len(cells) == 1 && strings.TrimSpace(cells[0]) == "" {
		return
	}
	if len(cells) != t.width {
		t.warn("columns", "%d columns, the heading has %d: row left out", len(cells), t.width)
		return
	}
	get := func(name string) string {
		if i := t.col[name]; i >= 0 {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}
	for _, c := range cells {
		if !utf8.ValidString(c) {
			t.warn("utf8", "invalid UTF-8 in %.40q: row left out", c)
			return
		}
	}
	if get("code") == "" {
		t.warn("no-code", "name %q has no code: row left out", get("name"))
		return
	}
	if get("name") == "" {
		t.warn("no-name", "the row of %q has no name", get("code"))
	}
	t.b.At(t.file, t.line)
	c := t.concept(get)
	switch {
	case !t.opt.Synonyms:
		t.b.Add(c)
	case len(c.Names) > 0:
		t.b.AddNames(c.ID, c.Names...)
	}
}

func (t *table) concept(get func(string) string) terminology.Concept {
	or := func(a, b string) string {
		if a == "" {
			return b
		}
		return a
	}
	lang := strings.ToLower(or(get("lang"), t.opt.Language))
	group := or(get("semantic_group"), or(t.opt.Group, "Entity"))
	c := terminology.Concept{ID: get("code"), Types: []terminology.SemanticType{{Name: or(get("semantic_type"), group), Group: group}}}
	if name := get("name"); name != "" {
		c.Names = []terminology.Name{{Text: name, Language: lang, Preferred: truth(get("preferred")), Source: t.opt.Source,
			Licence: t.opt.Licence, Group: group}}
	}
	for _, s := range parts(get("synonyms")) {
		c.Names = append(c.Names, terminology.Name{Text: s, Language: lang, Source: t.opt.Source, Licence: t.opt.Licence, Group: group})
	}
	c.Parents = parts(get("parents"))
	if d := get("definition"); d != "" {
		c.Definitions = []terminology.Definition{{Text: d, Language: lang, Source: t.opt.Source}}
	}
	return c
}

// parts splits a cell that holds several things.
func parts(cell string) []string {
	var out []string
	for _, s := range strings.Split(cell, "|") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func truth(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "y", "t":
		return true
	}
	return false
}

// ReadRelations adds a table of child and parent, tab-separated without heading. Either may come from another source: Build reports
// those that are no concept.
func ReadRelations(b *terminology.Builder, r io.Reader, file string) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	line := 1
	for ; sc.Scan(); line++ {
		child, parent, ok := strings.Cut(strings.TrimSuffix(sc.Text(), "\r"), "\t")
		if line == 1 && child == "child" || child == "" && !ok {
			continue
		}
		if !ok {
			b.Warn(text.Warning{File: file, Line: line, Kind: "columns", Msg: "a child and a parent, separated by a tab, are expected"})
			continue
		}
		b.At(file, line)
		b.AddParent(child, parent)
	}
	if err := sc.Err(); err != nil {
		return &text.SyntaxError{File: file, Line: line, Msg: err.Error()}
	}
	return nil
}
