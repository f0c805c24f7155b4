package pipeline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/dataset"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

func rawJSON(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding options: %w", err)
	}
	return b, nil
}

// ReadCorpus reads the files of a corpus's splits, then those whose documents a list of IDs puts into a split.
func ReadCorpus(cfg Corpus, resolve func(string) string) ([]corpus.Document, []text.Warning, error) {
	var docs []corpus.Document
	var warnings []text.Warning
	opt := corpus.ReadOptions{Language: cmp.Or(cfg.Language, "en"), Columns: cfg.Columns, Database: cfg.Database, Identifiers: cfg.Identifiers,
		Codes: corpus.Codes{Composite: cfg.Composite, Alternative: cfg.Alternative, Prefix: cfg.Prefix}}
	if cfg.Texts != "" {
		var err error
		if opt.Texts, err = exchange.OpenTexts(resolve(cfg.Texts)); err != nil {
			return nil, nil, fmt.Errorf("importing corpus: %w", err)
		}
	}
	for _, s := range []struct {
		split string
		paths []string
	}{{"train", cfg.Train}, {"dev", cfg.Dev}, {"test", cfg.Test}, {"", cfg.All}} {
		opt.Split = s.split
		for _, p := range s.paths {
			d, w, err := exchange.ReadPath(resolve(p), cmp.Or(cfg.Format, "pubtator"), opt)
			if err != nil {
				return nil, nil, fmt.Errorf("importing corpus: %w", err)
			}
			docs, warnings = append(docs, d...), append(warnings, w...)
		}
	}
	docs, w, err := prepare(docs, cfg, resolve)
	return docs, append(warnings, w...), err
}

// prepare finds series, assigns splits by lists of IDs and mends codes by a table, where the config names them.
func prepare(docs []corpus.Document, cfg Corpus, resolve func(string) string) ([]corpus.Document, []text.Warning, error) {
	var warnings []text.Warning
	if cfg.Series != "" {
		pattern, err := regexp.Compile(cfg.Series)
		if err != nil {
			return nil, nil, fmt.Errorf("importing corpus: series: %w", err)
		}
		corpus.SetSeries(docs, pattern)
	}
	for _, split := range slices.Sorted(maps.Keys(cfg.IDs)) {
		err := open(resolve(cfg.IDs[split]), func(f *os.File) error {
			ids, err := corpus.ReadIDs(f)
			warnings = append(warnings, corpus.Assign(docs, split, ids)...)
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("reading the documents of split %s: %w", split, err)
		}
	}
	if cfg.Corrections != "" {
		err := open(resolve(cfg.Corrections), func(f *os.File) error {
			table, err := corpus.ReadCorrections(f, filepath.Base(cfg.Corrections))
			if err == nil {
				warnings = append(warnings, table.Apply(docs)...)
			}
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("correcting codes: %w", err)
		}
	}
	return docs, warnings, nil
}

// goldGroups makes the semantic group of each mention's gold concept its type: the concept's only group, or of several the annotated one,
// or the first. What is not in the knowledge base keeps its type. It tells the search what it should find out, and is there to repeat
// arXiv 2601.19667, which does so.
func goldGroups(docs []corpus.Document, kb *terminology.KB, table map[string]string) {
	for i := range docs {
		for j := range docs[i].Mentions {
			m := &docs[i].Mentions[j]
			if len(m.Gold) == 0 || len(m.Gold[0]) == 0 {
				continue
			}
			c, ok := kb.Index(m.Gold[0][0])
			if !ok {
				continue
			}
			if groups := kb.Concept(c).Groups(); len(groups) > 0 {
				if g := dataset.GroupOf(kb, m.Type, table); len(groups) > 1 && slices.Contains(groups, g) {
					groups = []string{g}
				}
				m.Type = groups[0]
			}
		}
	}
}

// importCorpus is the stage corpus: all corpora in one file.
func (r *runner) importCorpus(kb *stage, k *terminology.KB) (*stage, []corpus.Document, error) {
	var paths []string
	inputsOf := map[string]string{}
	for _, c := range r.cfg.Corpus {
		if c.Groups == "gold" {
			inputsOf["kb"], inputsOf["group map"] = kb.hash, fmt.Sprint(r.cfg.Link.GroupMap)
		}
		paths = slices.Concat(paths, c.Train, c.Dev, c.Test, c.All, slices.Sorted(maps.Values(c.IDs)), []string{c.Corrections, c.Texts})
	}
	inputs, err := r.cfg.hashInputs(paths...)
	if err != nil {
		return nil, nil, err
	}
	if r.cfg.Refit {
		inputsOf["refit"] = "dev is train"
	}
	maps.Copy(inputs, inputsOf)
	s, err := r.do("corpus", r.cfg.Name, 0, r.cfg.Corpus, inputs, func(f *artifact.Folder) error {
		var all []corpus.Document
		var warnings []text.Warning
		for _, c := range r.cfg.Corpus {
			docs, w, err := ReadCorpus(c, r.cfg.path)
			if err != nil {
				return err
			}
			if c.Groups == "gold" {
				goldGroups(docs, k, r.cfg.Link.GroupMap)
			}
			if r.cfg.Refit {
				corpus.Reassign(docs, "dev", "train")
			}
			all, warnings = append(all, docs...), append(warnings, w...)
		}
		return SaveCorpus(f, all, warnings)
	})
	if err != nil {
		return nil, nil, err
	}
	docs, err := corpus.ReadFile(filepath.Join(s.path, corpus.FileName))
	return s, docs, err
}

// SaveCorpus writes documents with their counts into a folder.
func SaveCorpus(f *artifact.Folder, docs []corpus.Document, warnings []text.Warning) error {
	n := map[string]int64{"documents": int64(len(docs)), "mentions": int64(corpus.Mentions(docs))}
	for i := range docs {
		split := cmp.Or(docs[i].Split, "no split")
		n["documents "+split]++
		for _, m := range docs[i].Mentions {
			n["mentions "+split]++
			switch {
			case m.NIL():
				n["nil"]++
			case len(m.Gold[0]) > 1:
				n["composite"]++
			}
		}
	}
	f.Manifest.Counts = n
	f.Manifest.Warnings = summarise(warnings)
	return corpus.WriteFile(f.Path(corpus.FileName), docs)
}
