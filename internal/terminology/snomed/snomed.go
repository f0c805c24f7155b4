// Package snomed reads SNOMED CT releases in Release Format 2 (SNOMED CT Release File Specification): the snapshot of an edition and
// of extensions on top of it, from folders or zips: concepts, descriptions and text definitions in any number of languages, language
// reference sets, is-a relationships, historical associations, maps. It is one of the readers at the start of the chain.
package snomed

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/release"
	"syncabel/internal/text"
)

// Options of Read. Empty lists let everything pass.
type Options struct {
	Languages []string // of descriptions: "en", "fr", "es"
	Refsets   []string // language reference sets, by SCTID: only descriptions that one of them accepts, preferred as they say
	Tags      []string // semantic tags of concepts: "disorder", "procedure" ...
	Below     []string // SCTIDs: only these concepts and those below them
	Licence   string
	Progress  func(file string, rows int64) error // called now and then; its error ends the reading
}

// Identifiers of the SNOMED CT model.
const (
	fullySpecified = "900000000000003001"
	preferred      = "900000000000548007"
	isA            = "116680003"
)

type reader struct {
	b         *terminology.Builder
	opt       Options
	file      string
	line      int
	component map[uint64]version // of concepts, descriptions and relationships: the latest
	tags      map[uint64]string  // concept -> semantic tag of its fully specified name
	ownTag    map[string]string
	accepted  map[uint64]bool // description -> preferred, of those that a language reference set accepts
	parents   map[uint64][]uint64
	below     map[uint64]bool // nil: no filter
	found     map[uint64]bool // concepts with a name
	successor map[uint64][]terminology.Replacement
	retired   map[uint64]string // inactive concepts with the name they had
	source    string
}

// A version is the time of a component's latest row, as in 20260101, and whether it is active: 2*time + active.
type version uint64

func (v version) active() bool { return v&1 == 1 }

// Read adds the active concepts of a release to b, and the inactive ones to its history. A component that several files have counts as the
// latest of them says. The semantic tag of the fully specified name is type and group. Rows that are not well formed are reported with
// their line and left out.
func Read(b *terminology.Builder, rel *release.Release, opt Options) error {
	r := &reader{b: b, opt: opt, component: map[uint64]version{}, tags: map[uint64]string{}, ownTag: map[string]string{}, accepted: map[uint64]bool{},
		parents: map[uint64][]uint64{}, found: map[uint64]bool{}, successor: map[uint64][]terminology.Replacement{}, retired: map[uint64]string{}, source: "SNOMEDCT"}
	for _, step := range []struct {
		prefix  string
		columns int
		needed  bool
		quiet   bool // faults were reported by an earlier pass
		row     func(c []string)
	}{
		{"sct2_Concept_", 5, true, false, r.versions}, {"sct2_Description_", 9, true, false, r.versions}, {"sct2_Relationship_", 10, false, false, r.versions},
		{"sct2_Concept_", 5, true, true, r.concept}, {"sct2_Relationship_", 10, false, true, r.relationship},
		{"der2_cRefset_Language", 7, false, false, r.language}, {"sct2_Description_", 9, true, true, r.tag}, {"", 0, false, false, r.hierarchy},
		{"sct2_Description_", 9, true, true, r.description}, {"sct2_TextDefinition_", 9, false, false, r.definition},
		{"der2_cRefset_Association", 7, false, false, r.association}, {"der2_iisssccRefset_ExtendedMap", 13, false, false, r.extendedMap},
		{"der2_sRefset_SimpleMap", 7, false, false, r.simpleMap}, {"", 0, false, false, r.finish},
	} {
		if step.prefix == "" {
			step.row(nil)
			continue
		}
		if err := r.files(rel, step.prefix, step.columns, step.needed, step.quiet, step.row); err != nil {
			return fmt.Errorf("reading SNOMED CT: %w", err)
		}
	}
	return nil
}

// files reads the snapshot files of a kind.
func (r *reader) files(rel *release.Release, prefix string, columns int, needed, quiet bool, row func([]string)) error {
	files, err := rel.Find(func(base string) bool {
		return strings.HasPrefix(strings.TrimPrefix(base, "x"), prefix) && strings.Contains(base, "Snapshot") && strings.HasSuffix(base, ".txt")
	})
	if err != nil {
		return err
	}
	if len(files) == 0 && needed {
		return fmt.Errorf("no file %s*Snapshot*.txt: name the release's folder or zip: %w", prefix, fs.ErrNotExist)
	}
	for _, f := range files {
		if err := r.read(f, columns, quiet, row); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) read(file release.File, columns int, quiet bool, row func([]string)) error {
	f, err := file.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	r.file = path.Base(file.Path)
	t := release.Table{File: r.file, Separator: '\t', Columns: columns, Warn: r.b.Warn}
	if quiet {
		t.Warn = func(text.Warning) {}
	}
	return t.Rows(f, func(line int, cells []string) error {
		if r.line = line; line == 1 && cells[0] == "id" {
			return nil
		}
		if r.opt.Progress != nil && line%(1<<16) == 0 {
			if err := r.opt.Progress(r.file, int64(line)); err != nil {
				return err
			}
		}
		row(cells)
		return nil
	})
}

func (r *reader) warn(kind, format string, args ...any) {
	r.b.Warn(text.Warning{File: r.file, Line: r.line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// sctid reads an identifier; 0 stands for what is none.
func sctid(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// versions notes the latest row of a component: id effectiveTime active ...
func (r *reader) versions(c []string) {
	id := sctid(c[0])
	if id == 0 {
		r.warn("id", "%.40q is no SNOMED CT identifier: row left out", c[0])
		return
	}
	r.component[id] = max(r.component[id], versionOf(c))
}

func versionOf(c []string) version {
	t, _ := strconv.ParseUint(c[1], 10, 32)
	v := version(2 * t)
	if c[2] == "1" {
		v++
	}
	return v
}

// current reports whether a row is its component's latest and active.
func (r *reader) current(c []string) bool {
	id := sctid(c[0])
	return id != 0 && c[2] == "1" && r.component[id] == versionOf(c)
}

func (r *reader) active(id uint64) bool { return r.component[id].active() }

// concept: id effectiveTime active moduleId definitionStatusId
func (r *reader) concept(c []string) {
	if id := sctid(c[0]); id != 0 && !r.active(id) {
		r.retired[id] = ""
	}
}

// relationship: id effectiveTime active moduleId sourceId destinationId relationshipGroup typeId characteristicTypeId modifierId
func (r *reader) relationship(c []string) {
	child, parent := sctid(c[4]), sctid(c[5])
	if c[7] != isA || !r.current(c) || !r.active(child) || !r.active(parent) {
		return
	}
	if !slices.Contains(r.parents[child], parent) {
		r.parents[child] = append(r.parents[child], parent)
	}
}

// language: id effectiveTime active moduleId refsetId referencedComponentId acceptabilityId
func (r *reader) language(c []string) {
	if id := sctid(c[5]); c[2] == "1" && pass(r.opt.Refsets, c[4]) {
		r.accepted[id] = r.accepted[id] || c[6] == preferred
	}
}

func pass(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }

// tag notes the semantic tag of a fully specified name, the English one where there are several.
//
// Description: id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId
func (r *reader) tag(c []string) {
	id := sctid(c[4])
	if c[6] != fullySpecified || !r.current(c) {
		return
	}
	name, tag, ok := splitTag(c[7])
	if had, gone := r.retired[id]; gone {
		if had == "" || c[5] == "en" {
			r.retired[id] = strings.Clone(name)
		}
		return
	}
	if !r.active(id) {
		r.warn("no-concept", "description %s belongs to %s, which is no concept of the release: row left out", c[0], c[4])
		return
	}
	if !ok {
		r.warn("no-tag", "the fully specified name %q of %s has no semantic tag", c[7], c[4])
		return
	}
	if _, have := r.tags[id]; !have || c[5] == "en" {
		r.tags[id] = r.intern(tag)
	}
}

// intern keeps one copy of each tag.
func (r *reader) intern(s string) string {
	if own, ok := r.ownTag[s]; ok {
		return own
	}
	own := strings.Clone(s)
	r.ownTag[own] = own
	return own
}

// splitTag takes "(disorder)" off the end of a fully specified name.
func splitTag(s string) (name, tag string, ok bool) {
	i := strings.LastIndex(s, " (")
	if i < 1 || !strings.HasSuffix(s, ")") {
		return s, "", false
	}
	return s[:i], s[i+2 : len(s)-1], true
}

// hierarchy finds the concepts that lie below those that the filter names.
func (r *reader) hierarchy([]string) {
	if len(r.opt.Below) == 0 {
		return
	}
	r.below = map[uint64]bool{}
	for _, s := range r.opt.Below {
		if id := sctid(s); r.active(id) {
			r.below[id] = true
		} else {
			r.b.Warn(text.Warning{Kind: "below", Msg: fmt.Sprintf("the hierarchy filter names %s, which is no active concept", s)})
		}
	}
	children := map[uint64][]uint64{}
	for c, list := range r.parents {
		for _, p := range list {
			children[p] = append(children[p], c)
		}
	}
	var queue []uint64
	for id := range r.below {
		queue = append(queue, id)
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, c := range children[queue[0]] {
			if !r.below[c] {
				r.below[c] = true
				queue = append(queue, c)
			}
		}
	}
}

func (r *reader) description(c []string) {
	id, term := sctid(c[4]), strings.TrimSpace(c[7])
	if !r.current(c) || !r.active(id) || r.below != nil && !r.below[id] {
		return
	}
	tag := r.tags[id]
	preferred, accepted := r.accepted[sctid(c[0])]
	switch {
	case tag == "":
		r.warn("no-tag", "concept %s has no semantic tag: name %q left out", c[4], term)
		return
	case !pass(r.opt.Tags, tag), !pass(r.opt.Languages, c[5]), len(r.opt.Refsets) > 0 && !accepted:
		return
	}
	kind := "SYNONYM"
	if c[6] == fullySpecified {
		kind = "FSN"
		term, _, _ = splitTag(term)
	}
	if term == "" {
		r.warn("no-name", "description %s of %s is empty: row left out", c[0], c[4])
		return
	}
	r.found[id] = true
	r.b.At(r.file, r.line)
	r.b.Add(terminology.Concept{ID: c[4], Types: []terminology.SemanticType{{Name: tag, Group: tag}}, Names: []terminology.Name{{Text: term, Language: c[5],
		Preferred: kind == "SYNONYM" && preferred, Source: r.source, Kind: kind, Licence: r.opt.Licence}}})
}

// definition has the columns of a description.
func (r *reader) definition(c []string) {
	if s := strings.TrimSpace(c[7]); c[2] == "1" && s != "" && r.found[sctid(c[4])] && pass(r.opt.Languages, c[5]) {
		r.b.At(r.file, r.line)
		r.b.Add(terminology.Concept{ID: c[4], Definitions: []terminology.Definition{{Text: s, Language: c[5], Source: r.source}}})
	}
}

// association: id effectiveTime active moduleId refsetId referencedComponentId targetComponentId
func (r *reader) association(c []string) {
	id := sctid(c[5])
	relation := ""
	switch c[4] {
	case "900000000000527005":
		relation = "same"
	case "900000000000526001":
		relation = "replaced"
	case "900000000000523009", "900000000000530003", "1186921001": // possibly equivalent to, alternative, possibly replaced by
		relation = "possible"
	case "1186924009":
		relation = "partial"
	case "900000000000528000":
		relation = "was-a"
	case "900000000000529008":
		relation = "similar"
	}
	if _, gone := r.retired[id]; gone && c[2] == "1" && relation != "" {
		r.successor[id] = append(r.successor[id], terminology.Replacement{ID: strings.Clone(c[6]), Relation: relation})
	}
}

// extendedMap: id effectiveTime active moduleId refsetId referencedComponentId mapGroup mapPriority mapRule mapAdvice mapTarget correlationId
// mapCategoryId
func (r *reader) extendedMap(c []string) { r.mapTo(c, c[10]) }

// simpleMap: id effectiveTime active moduleId refsetId referencedComponentId mapTarget
func (r *reader) simpleMap(c []string) { r.mapTo(c, c[6]) }

func (r *reader) mapTo(c []string, target string) {
	if c[2] != "1" || target == "" || !r.found[sctid(c[5])] {
		return
	}
	system := "MAP" + c[4]
	switch c[4] {
	case "447562003":
		system = "ICD10"
	case "6011000124106":
		system = "ICD10CM"
	case "446608001":
		system = "ICDO"
	case "900000000000497000":
		system = "CTV3"
	}
	r.b.At(r.file, r.line)
	r.b.Add(terminology.Concept{ID: c[5], Xrefs: []string{system + ":" + target}})
}

// finish adds hierarchy and history, which need to know all names.
func (r *reader) finish([]string) {
	r.file, r.line = "", 0
	r.b.At("", 0)
	for _, id := range sorted(r.found) {
		for _, p := range r.parents[id] {
			if r.found[p] {
				r.b.AddParent(strconv.FormatUint(id, 10), strconv.FormatUint(p, 10))
			}
		}
	}
	for _, id := range sorted(r.retired) {
		r.b.Retire(strconv.FormatUint(id, 10), r.retired[id], r.successor[id]...)
	}
}

func sorted[V any](m map[uint64]V) []uint64 {
	out := make([]uint64, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.SortFunc(out, cmp.Compare)
	return out
}
