package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/terminology"
	"syncabel/internal/terminology/gazetteer"
	"syncabel/internal/terminology/mesh"
	"syncabel/internal/terminology/obo"
	"syncabel/internal/terminology/paper"
	"syncabel/internal/terminology/release"
	"syncabel/internal/terminology/snomed"
	"syncabel/internal/terminology/umls"
	"syncabel/internal/text"
)

// Files are all that a knowledge base is read from.
func (cfg KB) Files() []string {
	list := slices.Concat(cfg.Paths, cfg.Merge, cfg.Synonyms, []string{cfg.Relations, cfg.Priority})
	return slices.DeleteFunc(list, func(p string) bool { return p == "" })
}

// ReadKB reads a knowledge base from its source files into memory.
func ReadKB(cfg KB, resolve func(string) string) (*terminology.KB, []text.Warning, error) {
	b := terminology.NewBuilder()
	if err := fillKB(b, cfg, resolve, nil); err != nil {
		return nil, nil, err
	}
	kb, warnings := b.Build()
	if cfg.Protocol == "" || kb.Len() == 0 {
		return kb, warnings, notEmpty(kb, cfg)
	}
	p := terminology.NewBuilder()
	more, err := asPaper(p, kb, cfg, resolve)
	if err != nil {
		return nil, nil, err
	}
	kb, last := p.Build()
	return kb, slices.Concat(warnings, more, last), notEmpty(kb, cfg)
}

// ImportKB reads a knowledge base of any size from its source files into a file. Temporary files lie beside it and have no name. An error of
// progress, which is called now and then, ends the import.
func ImportKB(cfg KB, resolve func(string) string, path string, progress func(file string, rows int64) error) (*terminology.KB, []text.Warning, error) {
	b := terminology.NewBuilderWith(terminology.BuildOptions{Dir: filepath.Dir(path), Progress: progress})
	defer b.Close()
	if err := fillKB(b, cfg, resolve, progress); err != nil {
		return nil, nil, err
	}
	kb, warnings, err := b.BuildFile(path)
	if err != nil {
		return nil, warnings, err
	}
	if cfg.Protocol == "" || kb.Len() == 0 {
		return kb, warnings, notEmpty(kb, cfg)
	}
	defer kb.Close()
	p := terminology.NewBuilderWith(terminology.BuildOptions{Dir: filepath.Dir(path), Progress: progress})
	defer p.Close()
	more, err := asPaper(p, kb, cfg, resolve)
	if err != nil {
		return nil, nil, err
	}
	kb, last, err := p.BuildFile(path)
	return kb, slices.Concat(warnings, more, last), err
}

// asPaper gives names to concepts as the paper did: by its rule for UMLS, or, for every other source, by that for SNOMED CT.
func asPaper(b *terminology.Builder, kb *terminology.KB, cfg KB, resolve func(string) string) ([]text.Warning, error) {
	if cfg.Protocol != "paper" {
		return nil, fmt.Errorf("importing knowledge base: protocol is %q: paper or nothing is expected", cfg.Protocol)
	}
	rows := paper.Rows(kb)
	if cfg.Format == "umls" {
		rows = paper.UMLS(rows)
	} else {
		priority, err := readPriority(b, cfg.Priority, resolve)
		if err != nil {
			return nil, err
		}
		rows, _ = paper.SNOMED(rows, priority)
	}
	var warnings []text.Warning
	for _, id := range paper.Build(b, kb, rows) {
		warnings = append(warnings, text.Warning{Kind: "unreachable", Msg: fmt.Sprintf("concept %q has no name left under the paper's rule", id)})
	}
	return warnings, nil
}

// readPriority reads a table of code and semantic group.
func readPriority(b *terminology.Builder, path string, resolve func(string) string) ([]paper.Pair, error) {
	var out []paper.Pair
	if path == "" {
		return nil, nil
	}
	err := open(resolve(path), func(f *os.File) error {
		t := release.Table{File: filepath.Base(path), Separator: '\t', Columns: 2, Warn: b.Warn}
		return t.Rows(f, func(_ int, c []string) error {
			out = append(out, paper.Pair{Code: strings.Clone(c[0]), Group: strings.Clone(c[1])})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading priority pairs: %w", err)
	}
	return out, nil
}

func notEmpty(kb *terminology.KB, cfg KB) error {
	if kb.Len() > 0 {
		return nil
	}
	return fmt.Errorf("importing knowledge base: %w (%d files)", terminology.ErrEmpty, len(cfg.Paths))
}

// fillKB reads all sources of a knowledge base.
func fillKB(b *terminology.Builder, cfg KB, resolve func(string) string, progress func(string, int64) error) error {
	paths := make([]string, len(cfg.Paths))
	for i, p := range cfg.Paths {
		paths[i] = resolve(p)
	}
	if err := readKB(b, cfg, paths, progress); err != nil {
		return fmt.Errorf("importing knowledge base: %w", err)
	}
	for _, p := range cfg.Merge {
		if err := mergeKB(b, resolve(p)); err != nil {
			return fmt.Errorf("merging knowledge base: %w", err)
		}
	}
	for _, p := range cfg.Synonyms {
		err := release.OpenFile(resolve(p), func(f io.Reader, name string) error { return readTable(b, f, name, cfg, true) })
		if err != nil {
			return fmt.Errorf("importing synonyms: %w", err)
		}
	}
	if cfg.Relations == "" {
		return nil
	}
	err := open(resolve(cfg.Relations), func(f *os.File) error { return gazetteer.ReadRelations(b, f, filepath.Base(cfg.Relations)) })
	if err != nil {
		return fmt.Errorf("importing hierarchy: %w", err)
	}
	return nil
}

func readKB(b *terminology.Builder, cfg KB, paths []string, progress func(string, int64) error) error {
	switch cfg.Format {
	case "umls":
		opt, err := cfg.umls()
		if err != nil {
			return err
		}
		opt.Progress = progress
		return release.Open(paths, func(rel *release.Release) error { return umls.Read(b, rel, opt) })
	case "snomed":
		opt := snomed.Options{Languages: cfg.Languages, Refsets: cfg.Refsets, Tags: cfg.Groups, Below: cfg.Below, Licence: cfg.Licence, Progress: progress}
		return release.Open(paths, func(rel *release.Release) error { return snomed.Read(b, rel, opt) })
	case "mesh":
		r := mesh.NewReader(b, mesh.Options{Language: cfg.Language, Licence: cfg.Licence})
		for _, p := range paths {
			if err := release.OpenFile(p, r.Read); err != nil {
				return err
			}
		}
		r.Hierarchy()
		return nil
	}
	for _, p := range paths {
		if err := readKBFile(b, cfg, p); err != nil {
			return err
		}
	}
	return nil
}

func readKBFile(b *terminology.Builder, cfg KB, path string) error {
	ontology := obo.Options{Language: cfg.Language, Group: cfg.Group, Source: cfg.Source, Licence: cfg.Licence}
	if cfg.Format == "kb" {
		return mergeKB(b, path)
	}
	return release.OpenFile(path, func(f io.Reader, name string) error {
		switch cfg.Format {
		case "table", "":
			return readTable(b, f, name, cfg, false)
		case "obo":
			return obo.Read(b, f, name, ontology)
		case "obographs":
			return obo.ReadGraphs(b, f, name, ontology)
		}
		return fmt.Errorf("unknown format %q of a knowledge base: have table, obo, obographs, umls, snomed, mesh, kb", cfg.Format)
	})
}

// readTable reads a table of concepts, or of further names of concepts.
func readTable(b *terminology.Builder, f io.Reader, name string, cfg KB, synonyms bool) error {
	return gazetteer.Read(b, f, name, gazetteer.Options{Language: cfg.Language, Group: cfg.Group, Source: cfg.Source, Licence: cfg.Licence, Columns: cfg.Columns, Synonyms: synonyms})
}

// umls collects the filters of a preset and those named one by one. The type "st21pv" is the preset of that name.
func (cfg KB) umls() (umls.Options, error) {
	preset, types := cfg.Preset, cfg.Types
	if len(types) == 1 && strings.EqualFold(types[0], "st21pv") {
		preset, types = types[0], nil
	}
	p, err := umls.PresetNamed(preset)
	if err != nil {
		return umls.Options{}, err
	}
	switch {
	case cfg.GroupBy != "" && (cfg.GroupBy != "types" || len(p.TreeNames) == 0):
		return umls.Options{}, fmt.Errorf("kb.group_by is %q: types is expected, with the preset st21pv", cfg.GroupBy)
	case cfg.GroupBy == "":
		p.TreeNames = nil
	}
	opt := umls.Options{Languages: cfg.Languages, Sources: cfg.Sources, TermTypes: cfg.TermTypes, Types: types, Trees: p.Trees, TreeNames: p.TreeNames, Groups: cfg.Groups,
		Suppressed: cfg.Suppressed, Licence: cfg.Licence}
	if len(opt.Groups) == 0 {
		opt.Groups = p.Groups
	}
	if len(opt.Sources) == 0 {
		opt.Sources = p.Sources
	}
	return opt, umls.CheckFilters(opt.Types, opt.Groups)
}

// mergeKB adds a knowledge base that was imported before: its folder or its file.
func mergeKB(b *terminology.Builder, path string) error {
	kb, err := OpenKB(path)
	if err != nil {
		return err
	}
	defer kb.Close()
	b.AddAll(kb)
	return nil
}

// OpenKB opens a knowledge base by its folder, the folder of a run, or its file.
func OpenKB(path string) (*terminology.KB, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		rec, err := ReadRun(path)
		switch {
		case err == nil:
			path = filepath.Join(path, rec.KB)
		case !errors.Is(err, os.ErrNotExist):
			return nil, err
		}
		if _, err := artifact.Open(path); err != nil {
			return nil, err
		}
		path = filepath.Join(path, terminology.FileName)
	}
	return terminology.Open(path)
}

// importKB is the stage kb.
func (r *runner) importKB() (*stage, *terminology.KB, error) {
	inputs, err := r.cfg.hashInputs(r.cfg.KB.Files()...)
	if err != nil {
		return nil, nil, err
	}
	s, err := r.do("kb", r.cfg.Name, 0, r.cfg.KB, inputs, func(f *artifact.Folder) error {
		kb, warnings, err := ImportKB(r.cfg.KB, r.cfg.path, f.Path(terminology.FileName), func(file string, rows int64) error {
			r.progress("kb "+file)(rows, 0)
			return r.ctx.Err()
		})
		if err != nil {
			return err
		}
		NoteKB(f, kb, warnings)
		return kb.Close()
	})
	if err != nil {
		return nil, nil, err
	}
	kb, err := terminology.Open(filepath.Join(s.path, terminology.FileName))
	return s, kb, err
}

// NoteKB puts the counts of a knowledge base into its folder's manifest.
func NoteKB(f *artifact.Folder, kb *terminology.KB, warnings []text.Warning) {
	f.Manifest.Counts = KBCounts(kb)
	f.Manifest.Warnings = summarise(warnings)
}

// KBCounts are the counts that `inspect` prints of a knowledge base.
func KBCounts(kb *terminology.KB) map[string]int64 {
	st := kb.Stats()
	counts := map[string]int64{"concepts": int64(st.Concepts), "names": int64(st.Names), "definitions": int64(st.Definitions), "relations": int64(st.Relations),
		"ambiguous_names": int64(st.AmbiguousNames), "without_definition": int64(st.WithoutDefinition), "retired": int64(st.Retired)}
	for prefix, m := range map[string]map[string]int{"group ": st.Groups, "names in ": st.Languages, "names of ": st.Sources, "licence ": st.Licences, "concepts with names ": st.PerConcept} {
		for k, n := range m {
			counts[prefix+cmp.Or(k, "(none)")] = int64(n)
		}
	}
	return counts
}
