package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/pipeline"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

type corpusCmd struct {
	Check   corpusCheckCmd   `cmd:"" help:"Look for what makes figures wrong: offsets, duplicates, leakage between splits, unknown codes."`
	Stats   corpusStatsCmd   `cmd:"" help:"Count mentions, concepts, ambiguity, what training has seen, coverage by a knowledge base."`
	Convert corpusConvertCmd `cmd:"" help:"Write a corpus in another format and say what that format cannot hold."`
	Split   corpusSplitCmd   `cmd:"" help:"Divide a corpus into train, dev and test by document."`
	Migrate corpusMigrateCmd `cmd:"" help:"Move annotations to another release of their knowledge base."`
}

// corpusIn are the flags that say how a corpus is read.
type corpusIn struct {
	Format      string            `default:"jsonl" help:"Format of the files: ${corpus_formats}."`
	Language    string            `default:"en" help:"Language of the texts: en, fr, es."`
	Composite   string            `help:"What joins the codes of one answer that needs all of them; default as the format does: | in PubTator and BioC, + elsewhere."`
	Alternative string            `help:"What joins codes of which any one counts; default ; in PubTator and BioC, | elsewhere."`
	Prefix      string            `help:"Put before codes without a colon."`
	Texts       string            `help:"Format table: folder of the .txt files, or a corpus in PubTator format with the texts; default: the table's own folder." type:"path"`
	Columns     map[string]string `help:"Format table: our name of a column and the file's, e.g. --columns 'context=note;code=concept'; - for none."`
	Series      string            `help:"Pattern of what documents of one series (a patient, a leaflet) have in common in their IDs, in parentheses: ^(P[0-9]+)- for P12-3."`
	Database    string            `help:"Format bigbio: only codes of this db_name."`
	Identifiers []string          `help:"Format bioc: infons that hold the code."`
	Corrections string            `help:"Table of wrong or retired codes and what replaces them." type:"path"`
	IDs         map[string]string `name:"ids" help:"Split and file of document IDs, one a line, e.g. --ids 'train=trng.txt;dev=dev.txt'."`
	Train       []string          `help:"Files of the split train." type:"path"`
	Dev         []string          `help:"Files of the split dev." type:"path"`
	Test        []string          `help:"Files of the split test." type:"path"`
}

func (c *corpusIn) config(paths []string) pipeline.Corpus {
	return pipeline.Corpus{Format: c.Format, Language: c.Language, Train: c.Train, Dev: c.Dev, Test: c.Test, All: paths, IDs: c.IDs, Composite: c.Composite,
		Alternative: c.Alternative, Prefix: c.Prefix, Texts: c.Texts, Columns: c.Columns, Series: c.Series, Database: c.Database, Identifiers: c.Identifiers, Corrections: c.Corrections}
}

func (c *corpusIn) read(a *app, paths []string) ([]corpus.Document, error) {
	if len(paths)+len(c.Train)+len(c.Dev)+len(c.Test) == 0 {
		return nil, &usageError{"no corpus: name its files, or --train, --dev, --test"}
	}
	docs, warnings, err := pipeline.ReadCorpus(c.config(paths), itself)
	a.report(warnings)
	return docs, err
}

// formatNames lists the formats for help texts.
func formatNames(use func(exchange.Format) bool) string {
	var names []string
	for _, f := range exchange.Formats() {
		if use(f) {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}

// formatVars fills the formats into help texts.
func formatVars() kong.Vars {
	return kong.Vars{"corpus_formats": formatNames(func(f exchange.Format) bool { return f.Reads }),
		"written_formats": formatNames(func(f exchange.Format) bool { return f.Writes })}
}

// openKB opens the knowledge base of an imported folder or of a run; none when path is empty.
func openKB(path string) (*terminology.KB, error) {
	if path == "" {
		return nil, nil
	}
	return pipeline.OpenKB(path)
}

// looked are the flags of verbs that look at a corpus.
type looked struct {
	corpusIn
	KB    string   `name:"kb" help:"Folder of an imported knowledge base or of a run: which codes it has and lacks." type:"path"`
	JSON  bool     `name:"json" help:"Print JSON, one finding or one list of counts a line."`
	Paths []string `arg:"" optional:"" help:"Files whose documents say their split." type:"path"`
}

// open reads the corpus and opens the knowledge base, nil when none is named.
func (c *looked) open(a *app) ([]corpus.Document, *terminology.KB, error) {
	kb, err := openKB(c.KB)
	if err != nil {
		return nil, nil, err
	}
	docs, err := c.read(a, c.Paths)
	return docs, kb, err
}

type corpusCheckCmd struct{ looked }

// Help shows an example.
func (corpusCheckCmd) Help() string {
	return "Exit code 3 with --fail-on-warnings when something was found.\n\nExample:\n  syncabel corpus check --format pubtator --train train.pubtator --test test.pubtator --kb kb/medic"
}

// Run prints what Audit finds.
func (c *corpusCheckCmd) Run(a *app) error {
	docs, kb, err := c.open(a)
	if err != nil {
		return err
	}
	found := corpus.Audit(docs, kb)
	a.warnings += len(found)
	counts := map[string]int{}
	for _, w := range found {
		counts[w.Kind]++
		if c.JSON {
			if err := json.NewEncoder(a.out).Encode(w); err != nil {
				return err
			}
		} else if counts[w.Kind] <= maxWarnings {
			fmt.Fprintf(a.out, "%-18s %s\n", w.Kind, w.Msg)
		}
	}
	if c.JSON {
		return nil
	}
	for _, k := range sortedNames(counts) {
		fmt.Fprintf(a.out, "%6d %s\n", counts[k], k)
	}
	_, err = fmt.Fprintf(a.out, "%d documents, %d mentions, %d findings\n", len(docs), corpus.Mentions(docs), len(found))
	return err
}

type corpusStatsCmd struct{ looked }

// Help shows an example.
func (corpusStatsCmd) Help() string {
	return "Example:\n  syncabel corpus stats --format pubtator --train train.pubtator --test test.pubtator --kb kb/medic"
}

// Run prints the counts of every split side by side.
func (c *corpusStatsCmd) Run(a *app) error {
	docs, kb, err := c.open(a)
	if err != nil {
		return err
	}
	stats := corpus.Count(docs, kb)
	if c.JSON {
		return json.NewEncoder(a.out).Encode(stats)
	}
	return printStats(a, stats)
}

// printStats turns the fields of the counts into rows, in their order.
func printStats(a *app, stats []corpus.Stats) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, value func(*corpus.Stats) any) {
		fmt.Fprintf(w, "%s\t", name)
		for i := range stats {
			fmt.Fprintf(w, "%v\t", value(&stats[i]))
		}
		fmt.Fprintln(w)
	}
	row("split", func(s *corpus.Stats) any { return cmp.Or(s.Split, "(none)") })
	for _, r := range []struct {
		name  string
		value func(*corpus.Stats) int
	}{
		{"documents", func(s *corpus.Stats) int { return s.Documents }},
		{"bytes of text", func(s *corpus.Stats) int { return s.Characters }},
		{"mentions", func(s *corpus.Stats) int { return s.Mentions }},
		{"distinct mentions", func(s *corpus.Stats) int { return s.Surfaces }},
		{"distinct concepts", func(s *corpus.Stats) int { return s.Concepts }},
		{"NIL", func(s *corpus.Stats) int { return s.NIL }},
		{"without annotation", func(s *corpus.Stats) int { return s.Unannotated }},
		{"composite", func(s *corpus.Stats) int { return s.Composite }},
		{"alternatives", func(s *corpus.Stats) int { return s.Alternatives }},
		{"discontinuous", func(s *corpus.Stats) int { return s.Discontinuous }},
		{"overlapping", func(s *corpus.Stats) int { return s.Overlapping }},
		{"ambiguous string", func(s *corpus.Stats) int { return s.Ambiguous }},
		{"repeated in document", func(s *corpus.Stats) int { return s.Repeated }},
		{"concept seen in train", func(s *corpus.Stats) int { return s.SeenConcept }},
		{"mention seen in train", func(s *corpus.Stats) int { return s.SeenMention }},
		{"pair seen in train", func(s *corpus.Stats) int { return s.SeenPair }},
		{"in knowledge base", func(s *corpus.Stats) int { return s.Linkable }},
		{"is a name of its concept", func(s *corpus.Stats) int { return s.NameOfGold }},
	} {
		row(r.name, func(s *corpus.Stats) any { return r.value(s) })
	}
	types := map[string]bool{}
	for _, s := range stats {
		for t := range s.Types {
			types[t] = true
		}
	}
	for _, t := range sortedNames(types) {
		row("type "+cmp.Or(t, "(none)"), func(s *corpus.Stats) any { return s.Types[t] })
	}
	return w.Flush()
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

type corpusConvertCmd struct {
	corpusIn
	To    string   `required:"" help:"Format to write: ${written_formats}."`
	Out   string   `required:"" help:"File to write; a folder for brat, cas-xmi, cas-json and table, unless it ends in .zip." type:"path"`
	Paths []string `arg:"" optional:"" help:"Files whose documents say their split." type:"path"`
}

// Help lists the formats and shows an example.
func (corpusConvertCmd) Help() string {
	var b strings.Builder
	b.WriteString("Formats:\n")
	for _, f := range exchange.Formats() {
		use := "read and written"
		if !f.Writes {
			use = "read"
		}
		fmt.Fprintf(&b, "  %-15s %s (%s)\n", f.Name, f.About, use)
	}
	return b.String() + "\nExample:\n  syncabel corpus convert --format pubtator --to brat --out brat/ train.pubtator"
}

// Run converts a corpus.
func (c *corpusConvertCmd) Run(a *app) error {
	if f, err := exchange.Lookup(c.To); err != nil || !f.Writes {
		return &usageError{fmt.Sprintf("cannot write format %q: have %s", c.To, formatNames(func(f exchange.Format) bool { return f.Writes }))}
	}
	docs, err := c.read(a, c.Paths)
	if err != nil {
		return err
	}
	lost, err := exchange.WritePath(c.Out, c.To, docs, corpus.WriteOptions{})
	if err != nil {
		return err
	}
	a.report(lost)
	_, err = fmt.Fprintf(a.out, "%d documents, %d mentions to %s\n", len(docs), corpus.Mentions(docs), c.Out)
	return err
}

type corpusSplitCmd struct {
	corpusIn
	Out    string    `required:"" help:"Folder to write: documents.jsonl and its manifest." type:"path"`
	Shares []float64 `help:"Shares of train, dev and test; without it documents keep their split, or get it from --ids."`
	Seed   uint64    `default:"1" help:"Another seed divides differently."`
	Paths  []string  `arg:"" optional:"" help:"Files." type:"path"`
}

// Help shows an example.
func (corpusSplitCmd) Help() string {
	return "A document's split depends on its ID, or its series, and the seed alone: it stays when others come or go, and series stay together.\n\nExample:\n  syncabel corpus split --format brat --shares 80,10,10 --out corpus/notes notes/"
}

// Run divides a corpus.
func (c *corpusSplitCmd) Run(a *app) error {
	docs, err := c.read(a, c.Paths)
	if err != nil {
		return err
	}
	if len(c.Shares) > 0 {
		if len(c.Shares) != 3 {
			return &usageError{"--shares wants three numbers: train, dev, test"}
		}
		if err := corpus.Divide(docs, c.Shares[0], c.Shares[1], c.Shares[2], c.Seed); err != nil {
			return &usageError{err.Error()}
		}
	}
	options := struct {
		pipeline.Corpus
		Shares []float64
		Seed   uint64
	}{c.config(c.Paths), c.Shares, c.Seed}
	inputs := slices.Concat(c.Paths, c.Train, c.Dev, c.Test)
	return a.save(saved{c.Out, "corpus", options, inputs, false}, func(f *artifact.Folder) ([]text.Warning, error) {
		return nil, pipeline.SaveCorpus(f, docs, nil)
	})
}
