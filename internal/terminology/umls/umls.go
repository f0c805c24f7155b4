// Package umls reads the Rich Release Format of the UMLS Metathesaurus (UMLS Reference Manual, chapter 3): MRCONSO for names,
// MRSTY for semantic types, MRDEF for definitions, MRREL for parents. The files may lie in a folder or inside a zip. It is one of
// the readers at the start of the chain.
package umls

import (
	"bufio"
	"errors"
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
	Languages  []string // ISO 639-1 of names: "en", "fr", "es"
	Sources    []string // SAB of names
	TermTypes  []string // TTY of names
	Types      []string // TUIs of concepts
	Groups     []string // semantic groups of concepts, as Group names them
	Suppressed bool     // also names that are obsolete or suppressed
	Licence    string
}

// maxLine bounds one row.
const maxLine = 16 << 20

type reader struct {
	b     *terminology.Builder
	opt   Options
	types map[string][]terminology.SemanticType // by CUI
	skip  map[string]bool                       // CUIs that the filter on types left out
	found map[string]bool                       // CUIs with a name
}

// Read adds the concepts of a release to b. MRCONSO and MRSTY are needed. Rows that are not well formed are reported with
// their line and left out.
func Read(b *terminology.Builder, fsys fs.FS, opt Options) error {
	r := &reader{b: b, opt: opt, types: map[string][]terminology.SemanticType{}, skip: map[string]bool{}, found: map[string]bool{}}
	for _, f := range []struct {
		name    string
		columns int
		needed  bool
		row     func(cells []string, warn func(kind, msg string))
	}{{"MRSTY.RRF", 6, true, r.mrsty}, {"MRCONSO.RRF", 18, true, r.mrconso}, {"MRDEF.RRF", 8, false, r.mrdef}, {"MRREL.RRF", 16, false, r.mrrel}} {
		name, err := find(fsys, f.name)
		if err == nil {
			err = r.file(fsys, name, f.columns, f.row)
		}
		if err != nil && (f.needed || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("reading UMLS: %w", err)
		}
	}
	return nil
}

// find looks for a file of the release at any depth, as vendors' zips have folders.
func find(fsys fs.FS, name string) (string, error) {
	found := ""
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Base(p) == name {
			found = p
			return fs.SkipAll
		}
		return err
	})
	if err == nil && found == "" {
		err = fmt.Errorf("%s is not there: %w", name, fs.ErrNotExist)
	}
	return found, err
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
		s := strings.TrimSuffix(strings.TrimSuffix(sc.Text(), "\r"), "|")
		if s == "" {
			continue
		}
		cells := strings.Split(s, "|")
		switch {
		case len(cells) != columns:
			warn("columns", fmt.Sprintf("%d columns, %d are expected: row left out", len(cells), columns))
		case !utf8.ValidString(s):
			warn("utf8", fmt.Sprintf("invalid UTF-8 in a row of %s: row left out", cells[0]))
		default:
			row(cells, warn)
		}
	}
	if err := sc.Err(); err != nil {
		return &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
	}
	return nil
}

// mrsty: CUI|TUI|STN|STY|ATUI|CVF
func (r *reader) mrsty(c []string, warn func(kind, msg string)) {
	group, ok := Group(c[1])
	if !ok {
		warn("semantic-type", fmt.Sprintf("concept %s has the unknown semantic type %s (%s): its group is %q", c[0], c[1], c[3], c[3]))
		group = c[3]
	}
	if len(r.opt.Types) > 0 && !slices.Contains(r.opt.Types, c[1]) || len(r.opt.Groups) > 0 && !slices.Contains(r.opt.Groups, group) {
		r.skip[c[0]] = true
		return
	}
	r.types[c[0]] = append(r.types[c[0]], terminology.SemanticType{Name: c[3], Group: group})
}

// mrconso: CUI|LAT|TS|LUI|STT|SUI|ISPREF|AUI|SAUI|SCUI|SDUI|SAB|TTY|CODE|STR|SRL|SUPPRESS|CVF
func (r *reader) mrconso(c []string, warn func(kind, msg string)) {
	cui, language := c[0], Language(c[1])
	types := r.types[cui]
	switch {
	case len(types) == 0 && r.skip[cui]:
		return
	case len(types) == 0:
		warn("no-type", fmt.Sprintf("concept %s has no semantic type: row left out", cui))
		return
	case !pass(r.opt.Languages, language), !pass(r.opt.Sources, c[11]), !pass(r.opt.TermTypes, c[12]):
		return
	case !r.opt.Suppressed && c[16] != "N" && c[16] != "":
		return
	case strings.TrimSpace(c[14]) == "":
		warn("no-name", fmt.Sprintf("atom %s of %s has no string: row left out", c[7], cui))
		return
	}
	r.found[cui] = true
	r.b.Add(terminology.Concept{ID: cui, Types: types, Names: []terminology.Name{{Text: strings.TrimSpace(c[14]), Language: language,
		Preferred: c[2] == "P" && c[4] == "PF" && c[6] == "Y", Source: c[11], Kind: c[12], Licence: r.opt.Licence}}})
}

func pass(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }

// mrdef: CUI|AUI|ATUI|SATUI|SAB|DEF|SUPPRESS|CVF
func (r *reader) mrdef(c []string, _ func(kind, msg string)) {
	if r.found[c[0]] && (r.opt.Suppressed || c[6] == "N" || c[6] == "") && strings.TrimSpace(c[5]) != "" {
		r.b.Add(terminology.Concept{ID: c[0], Definitions: []terminology.Definition{{Text: strings.TrimSpace(c[5]), Source: c[4]}}})
	}
}

// mrrel: CUI1|AUI1|STYPE1|REL|CUI2|AUI2|STYPE2|RELA|RUI|SRUI|SAB|SL|RG|DIR|SUPPRESS|CVF; REL is what the second is to the first.
func (r *reader) mrrel(c []string, _ func(kind, msg string)) {
	if c[3] == "PAR" && c[0] != c[4] && r.found[c[0]] && r.found[c[4]] && (r.opt.Suppressed || c[14] == "N" || c[14] == "") {
		r.b.AddParent(c[0], c[4])
	}
}

// Language maps a LAT to ISO 639-1; unknown ones stay as they are, in lower case.
func Language(lat string) string {
	const table = " ENG=en FRE=fr SPA=es GER=de ITA=it POR=pt DUT=nl SWE=sv NOR=no DAN=da FIN=fi CZE=cs POL=pl HUN=hu RUS=ru JPN=ja KOR=ko CHI=zh" +
		" ARA=ar TUR=tr GRE=el HEB=he EST=et LAV=lv SCR=hr UKR=uk BAQ=eu "
	if i := strings.Index(table, " "+lat+"="); i >= 0 && len(lat) == 3 {
		return table[i+5 : i+7]
	}
	return strings.ToLower(lat)
}
