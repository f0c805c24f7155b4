// Package umls reads the Rich Release Format of the UMLS Metathesaurus (UMLS Reference Manual, chapter 3): MRCONSO for names,
// MRSTY for semantic types, MRDEF for definitions, MRREL or MRHIER for parents, MRCUI for retired CUIs, MRSAB for the sources. The files
// may lie in a folder or inside a zip, whole or in the compressed pieces of the NLM's archives. Rows stream through; what the reader keeps
// is the CUIs with their types. It is one of the readers at the start of the chain.
package umls

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/release"
	"syncabel/internal/text"
)

// Options of Read. Empty lists let everything pass.
type Options struct {
	Languages  []string                            // ISO 639-1 of names: "en", "fr", "es"
	Sources    []string                            // SAB of names
	TermTypes  []string                            // TTY of names
	Types      []string                            // TUIs of concepts
	Trees      []string                            // tree numbers (STN) of semantic types, each with all types below it
	TreeNames  []string                            // of Trees, to be the semantic groups in place of the fifteen of SemGroups.txt; empty: these
	Groups     []string                            // semantic groups of concepts, by the names or the codes of SemGroups.txt
	Suppressed bool                                // also names that are obsolete or suppressed
	Licence    string                              // licence class of all names; empty: by the restriction level of each
	Progress   func(file string, rows int64) error // called now and then; its error ends the reading
}

// reader keeps what the files say of one another.
type reader struct {
	b       *terminology.Builder
	opt     Options
	groups  map[string]string // by TUI
	combos  [][]terminology.SemanticType
	comboOf map[combo]uint32
	cui     ids
	known   map[uint64]uint32 // CUI -> number in combos, 0: left out by the filters; named is added once it has a name
	line    int
	file    string
	again   bool // a file is read a second time
}

// named marks a CUI that has a name.
const named = 1 << 31

// A combo is a combination of types and one more.
type combo struct {
	first uint32
	last  terminology.SemanticType
}

// Read adds the concepts of a release to b. MRCONSO and MRSTY are needed. Rows that are not well formed are reported with
// their line and left out.
func Read(b *terminology.Builder, rel *release.Release, opt Options) error {
	r := &reader{b: b, opt: opt, groups: groupTable(), combos: make([][]terminology.SemanticType, 1), comboOf: map[combo]uint32{}, known: map[uint64]uint32{}}
	for _, f := range []struct {
		name    string
		columns int
		needed  bool
		row     func(cells []string)
	}{
		{"MRSAB.RRF", 25, false, r.mrsab}, {"MRSTY.RRF", 6, true, r.mrsty}, {"MRCONSO.RRF", 18, true, r.mrconso}, {"MRDEF.RRF", 8, false, r.mrdef},
		{"MRCUI.RRF", 7, false, r.mrcui},
	} {
		if err := r.read(rel, f.name, f.columns, f.row); err != nil && (f.needed || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("reading UMLS: %w", err)
		}
	}
	if err := r.hierarchy(rel); err != nil {
		return fmt.Errorf("reading UMLS: %w", err)
	}
	return nil
}

// hierarchy takes parents from MRREL, else from MRHIER.
func (r *reader) hierarchy(rel *release.Release) error {
	err := r.read(rel, "MRREL.RRF", 16, r.mrrel)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f, err := rel.Parts("MRHIER.RRF"); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err == nil {
		f.Close()
	}
	atoms, err := r.readAtoms(rel)
	if err != nil {
		return err
	}
	return r.read(rel, "MRHIER.RRF", 9, func(c []string) { r.mrhier(c, atoms) })
}

func (r *reader) read(rel *release.Release, name string, columns int, row func([]string)) error {
	f, err := rel.Parts(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r.file = name
	t := release.Table{File: name, Separator: '|', Columns: columns, Closed: true, Warn: r.b.Warn}
	if r.again {
		t.Warn = func(text.Warning) {} // reported when the file was read first
	}
	return t.Rows(f, func(line int, cells []string) error {
		r.line = line
		if r.opt.Progress != nil && line%(1<<16) == 0 {
			if err := r.opt.Progress(name, int64(line)); err != nil {
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

// mrsab: VCUI|RCUI|VSAB|RSAB|SON|SF|SVER|VSTART|VEND|IMETA|RMETA|SLC|SCC|SRL|TFR|CFR|CXTY|TTYL|ATNL|LAT|CENC|CURVER|SABIN|SSN|SCIT.
func (r *reader) mrsab(c []string) {
	if c[21] == "Y" {
		r.b.AddVocabulary(terminology.Vocabulary{Code: c[3], Name: c[4], Version: c[6], Licence: r.licence(c[13])})
	}
}

// licence maps a source restriction level to a class: level 0 asks for no more than the UMLS licence itself.
func (r *reader) licence(level string) string {
	switch {
	case r.opt.Licence != "":
		return r.opt.Licence
	case level == "0":
		return "attribution"
	}
	return "restricted"
}

// mrsty: CUI|TUI|STN|STY|ATUI|CVF
func (r *reader) mrsty(c []string) {
	group, ok := r.groups[c[1]]
	if !ok {
		r.warn("semantic-type", "concept %s has the unknown semantic type %s (%s): its group is %q", c[0], c[1], c[3], c[3])
		group = strings.Clone(c[3])
	}
	cui := r.cui.key(c[0])
	have := r.known[cui]
	tree := treeOf(r.opt.Trees, c[2])
	if pass(r.opt.Types, c[1]) && passGroup(r.opt.Groups, group) && (len(r.opt.Trees) == 0 || tree >= 0) {
		if len(r.opt.TreeNames) > 0 {
			group = r.opt.TreeNames[tree]
		}
		have = r.combine(combo{have, terminology.SemanticType{Name: c[3], Group: group}})
	}
	r.known[cui] = have
}

// combine returns the number of a combination of types.
func (r *reader) combine(c combo) uint32 {
	n, ok := r.comboOf[c]
	if ok {
		return n
	}
	c.last.Name = strings.Clone(c.last.Name)
	if slices.Contains(r.combos[c.first], c.last) {
		r.comboOf[c] = c.first
		return c.first
	}
	n = uint32(len(r.combos))
	r.comboOf[c] = n
	r.combos = append(r.combos, append(slices.Clip(r.combos[c.first]), c.last))
	return n
}

// mrconso: CUI|LAT|TS|LUI|STT|SUI|ISPREF|AUI|SAUI|SCUI|SDUI|SAB|TTY|CODE|STR|SRL|SUPPRESS|CVF
func (r *reader) mrconso(c []string) {
	language := Language(c[1])
	if !pass(r.opt.Languages, language) || !pass(r.opt.Sources, c[11]) || !pass(r.opt.TermTypes, c[12]) || !r.opt.Suppressed && suppressed(c[16]) {
		return
	}
	cui := r.cui.key(c[0])
	known, typed := r.known[cui]
	name := strings.TrimSpace(c[14])
	switch {
	case !typed:
		r.warn("no-type", "concept %s has no semantic type: row left out", c[0])
		return
	case known == 0:
		return
	case name == "":
		r.warn("no-name", "atom %s of %s has no string: row left out", c[7], c[0])
		return
	}
	concept := terminology.Concept{ID: c[0], Names: []terminology.Name{{Text: name, Language: language,
		Preferred: c[2] == "P" && c[4] == "PF" && c[6] == "Y", Source: c[11], Kind: c[12], Licence: r.licence(c[15])}}}
	if known&named == 0 {
		r.known[cui] = known | named
		concept.Types = r.combos[known]
	}
	r.b.At(r.file, r.line)
	r.b.Add(concept)
}

// named reports whether a CUI has a name that passed.
func (r *reader) named(cui string) bool { return r.known[r.cui.key(cui)]&named != 0 }

func suppressed(flag string) bool { return flag != "N" && flag != "" }

func pass(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }

// mrdef: CUI|AUI|ATUI|SATUI|SAB|DEF|SUPPRESS|CVF
func (r *reader) mrdef(c []string) {
	def := strings.TrimSpace(c[5])
	if r.named(c[0]) && (r.opt.Suppressed || !suppressed(c[6])) && def != "" {
		r.b.At(r.file, r.line)
		r.b.Add(terminology.Concept{ID: c[0], Definitions: []terminology.Definition{{Text: def, Source: c[4]}}})
	}
}

// mrrel: CUI1|AUI1|STYPE1|REL|CUI2|AUI2|STYPE2|RELA|RUI|SRUI|SAB|SL|RG|DIR|SUPPRESS|CVF; REL is what the second is to the first.
func (r *reader) mrrel(c []string) {
	if c[3] == "PAR" && c[0] != c[4] && (r.opt.Suppressed || !suppressed(c[14])) && r.named(c[0]) && r.named(c[4]) {
		r.b.At(r.file, r.line)
		r.b.AddParent(c[0], c[4])
	}
}

// mrcui: CUI1|VER|REL|RELA|MAPREASON|CUI2|MAPIN, one row for what a retired CUI became.
func (r *reader) mrcui(c []string) {
	relation := ""
	switch c[2] {
	case "SY":
		relation = "same"
	case "RB":
		relation = "broader"
	case "RN":
		relation = "narrower"
	case "RO":
		relation = "related"
	case "DEL":
	default:
		r.warn("relation", "retired concept %s has the unknown relation %q: taken as without a successor", c[0], c[2])
	}
	r.b.At(r.file, r.line)
	if relation == "" || c[5] == "" {
		r.b.Retire(c[0], "")
		return
	}
	r.b.Retire(c[0], "", terminology.Replacement{ID: c[5], Relation: relation})
}

// Language maps a LAT to ISO 639-1; unknown ones stay as they are, in lower case.
func Language(lat string) string {
	switch lat { // the most frequent, without a search
	case "ENG":
		return "en"
	case "SPA":
		return "es"
	case "FRE":
		return "fr"
	}
	const table = " GER=de ITA=it POR=pt DUT=nl SWE=sv NOR=no DAN=da FIN=fi CZE=cs POL=pl HUN=hu RUS=ru JPN=ja KOR=ko CHI=zh" +
		" ARA=ar TUR=tr GRE=el HEB=he EST=et LAV=lv SCR=hr UKR=uk BAQ=eu "
	if i := strings.Index(table, " "+lat+"="); i >= 0 && len(lat) == 3 {
		return table[i+5 : i+7]
	}
	return strings.ToLower(lat)
}
