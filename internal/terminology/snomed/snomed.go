// Package snomed reads SNOMED CT releases in Release Format 2 (SNOMED CT Release File Specification): the snapshot's concepts,
// descriptions in any number of languages, language reference sets and is-a relationships, from a folder or inside a zip.
// It is one of the readers at the start of the chain.
package snomed

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Options of Read. Empty lists let everything pass.
type Options struct {
	Languages []string // of descriptions: "en", "fr", "es"
	Tags      []string // semantic tags of concepts: "disorder", "procedure" ...
	Licence   string
}

// Identifiers of the SNOMED CT model.
const (
	fullySpecified = "900000000000003001"
	preferred      = "900000000000548007"
	isA            = "116680003"
)

// maxLine bounds one row.
const maxLine = 4 << 20

type reader struct {
	b         *terminology.Builder
	opt       Options
	active    map[string]bool
	tags      map[string]string // concept -> semantic tag of its fully specified name
	preferred map[string]bool   // description IDs that a language reference set prefers
	found     map[string]bool
}

// Read adds the active concepts of a release to b. The semantic tag of the fully specified name is type and group. Rows that
// are not well formed are reported with their line and left out.
func Read(b *terminology.Builder, fsys fs.FS, opt Options) error {
	r := &reader{b, opt, map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]bool{}}
	for _, step := range []struct {
		prefix  string
		columns int
		needed  bool
		row     func(c []string, warn func(kind, msg string))
	}{{"sct2_Concept_", 5, true, r.concept}, {"der2_cRefset_Language", 7, false, r.language}, {"sct2_Description_", 9, true, r.tag},
		{"sct2_Description_", 9, true, r.description}, {"sct2_Relationship_", 10, false, r.relationship}} {
		files, err := find(fsys, step.prefix)
		if err != nil {
			return fmt.Errorf("reading SNOMED CT: %w", err)
		}
		if len(files) == 0 && step.needed {
			return fmt.Errorf("reading SNOMED CT: no file %s*Snapshot*.txt: name the release's folder or zip: %w", step.prefix, fs.ErrNotExist)
		}
		for _, f := range files {
			if err := r.file(fsys, f, step.columns, step.row); err != nil {
				return fmt.Errorf("reading SNOMED CT: %w", err)
			}
		}
	}
	return nil
}

// find returns the snapshot files of a kind, sorted.
func find(fsys fs.FS, prefix string) ([]string, error) {
	var out []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		base := path.Base(p)
		if err == nil && !d.IsDir() && strings.HasPrefix(base, prefix) && strings.Contains(base, "Snapshot") && strings.HasSuffix(base, ".txt") {
			out = append(out, p)
		}
		return err
	})
	slices.Sort(out)
	return out, err
}

func (r *reader) file(fsys fs.FS, name string, columns int, row func([]string, func(kind, msg string))) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 1<<20), maxLine)
	line := 1
	warn := func(kind, msg string) {
		r.b.Warn(text.Warning{File: path.Base(name), Line: line, Kind: kind, Msg: msg})
	}
	for ; sc.Scan(); line++ {
		s := strings.TrimSuffix(sc.Text(), "\r")
		cells := strings.Split(s, "\t")
		switch {
		case s == "" || line == 1 && strings.TrimPrefix(cells[0], "\ufeff") == "id":
		case len(cells) != columns:
			warn("columns", fmt.Sprintf("%d columns, %d are expected: row left out", len(cells), columns))
		case !utf8.ValidString(s):
			warn("utf8", fmt.Sprintf("invalid UTF-8 in row %s: row left out", cells[0]))
		case cells[2] == "1":
			row(cells, warn)
		}
	}
	if err := sc.Err(); err != nil {
		return &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
	}
	return nil
}

// concept: id effectiveTime active moduleId definitionStatusId
func (r *reader) concept(c []string, _ func(kind, msg string)) { r.active[c[0]] = true }

// language: id effectiveTime active moduleId refsetId referencedComponentId acceptabilityId
func (r *reader) language(c []string, _ func(kind, msg string)) {
	if c[6] == preferred {
		r.preferred[c[5]] = true
	}
}

// tag notes the semantic tag of a fully specified name, the English one where there are several.
//
// Description: id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId
func (r *reader) tag(c []string, warn func(kind, msg string)) {
	if c[6] != fullySpecified || !r.active[c[4]] {
		return
	}
	_, tag, ok := splitTag(c[7])
	if !ok {
		warn("no-tag", fmt.Sprintf("the fully specified name %q of %s has no semantic tag", c[7], c[4]))
		return
	}
	if _, have := r.tags[c[4]]; !have || c[5] == "en" {
		r.tags[c[4]] = tag
	}
}

// splitTag takes "(disorder)" off the end of a fully specified name.
func splitTag(s string) (name, tag string, ok bool) {
	i := strings.LastIndex(s, " (")
	if i < 1 || !strings.HasSuffix(s, ")") {
		return s, "", false
	}
	return s[:i], s[i+2 : len(s)-1], true
}

func (r *reader) description(c []string, warn func(kind, msg string)) {
	id, language, term := c[4], c[5], strings.TrimSpace(c[7])
	tag := r.tags[id]
	switch {
	case !r.active[id]:
		return
	case tag == "":
		warn("no-tag", fmt.Sprintf("concept %s has no semantic tag: name %q left out", id, term))
		return
	case len(r.opt.Tags) > 0 && !slices.Contains(r.opt.Tags, tag), len(r.opt.Languages) > 0 && !slices.Contains(r.opt.Languages, language):
		return
	}
	kind := "SYNONYM"
	if c[6] == fullySpecified {
		kind = "FSN"
		term, _, _ = splitTag(term)
	}
	if term == "" {
		warn("no-name", fmt.Sprintf("description %s of %s is empty: row left out", c[0], id))
		return
	}
	r.found[id] = true
	r.b.Add(terminology.Concept{ID: id, Types: []terminology.SemanticType{{Name: tag, Group: tag}}, Names: []terminology.Name{{Text: term, Language: language,
		Preferred: kind == "SYNONYM" && r.preferred[c[0]], Source: "SNOMEDCT", Kind: kind, Licence: r.opt.Licence}}})
}

// relationship: id effectiveTime active moduleId sourceId destinationId relationshipGroup typeId characteristicTypeId modifierId
func (r *reader) relationship(c []string, _ func(kind, msg string)) {
	if c[7] == isA && r.found[c[4]] && r.found[c[5]] {
		r.b.AddParent(c[4], c[5])
	}
}
