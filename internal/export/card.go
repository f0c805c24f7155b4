package export

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/text"
)

// SetOptions of Set.
type SetOptions struct {
	Name    string // of the data set
	Licence string // SPDX identifier; default "other": the card then says to ask
	Source  string // how the sentences came to be, one paragraph
	JSON    bool   // JSON lines, too
	Shards  int    // Parquet files a split; default 1
}

// Set writes annotated documents, synthetic ones mostly, as a data set for the Hugging Face hub: BigBio knowledge-base schema as
// Parquet, and a card that says what is in it.
func Set(f *artifact.Folder, docs []corpus.Document, opt SetOptions) ([]text.Warning, error) {
	opt.Licence, opt.Shards = cmp.Or(opt.Licence, "other"), max(opt.Shards, 1)
	splits := map[string][]corpus.Document{}
	for _, d := range docs {
		s := cmp.Or(d.Split, "train")
		splits[s] = append(splits[s], d)
	}
	f.Manifest.Counts = map[string]int64{"documents": int64(len(docs)), "mentions": int64(corpus.Mentions(docs))}
	var warnings []text.Warning
	for _, split := range slices.Sorted(maps.Keys(splits)) {
		list := splits[split]
		for s := range opt.Shards {
			part := list[s*len(list)/opt.Shards : (s+1)*len(list)/opt.Shards]
			w, err := exchange.WritePath(f.Path("data", fmt.Sprintf("%s-%05d-of-%05d.parquet", split, s, opt.Shards)), "bigbio-parquet", part, corpus.WriteOptions{})
			if err != nil {
				return nil, err
			}
			warnings = append(warnings, w...)
		}
		if opt.JSON {
			if _, err := exchange.WritePath(f.Path("json", split+".jsonl"), "bigbio", list, corpus.WriteOptions{}); err != nil {
				return nil, err
			}
		}
	}
	return warnings, artifact.WriteWith(f.Path("README.md"), func(w io.Writer) error { return card(w, docs, splits, opt) })
}

// card writes the data set's README with the header that the hub reads.
func card(w io.Writer, docs []corpus.Document, splits map[string][]corpus.Document, opt SetOptions) error {
	languages, origins := map[string]bool{}, map[string]int{}
	for i := range docs {
		if docs[i].Language != "" {
			languages[docs[i].Language] = true
		}
		for _, m := range docs[i].Mentions {
			origins[cmp.Or(m.Origin, "corpus")]++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "---\npretty_name: %q\nlicense: %s\nlanguage: [%s]\ntags: [biology, medical, entity-linking, bigbio]\nsize_categories: [%s]\nconfigs:\n- config_name: default\n  data_files:\n",
		opt.Name, opt.Licence, strings.Join(slices.Sorted(maps.Keys(languages)), ", "), sizeCategory(len(docs)))
	for _, s := range slices.Sorted(maps.Keys(splits)) {
		fmt.Fprintf(&b, "  - split: %s\n    path: data/%s-*.parquet\n", hubSplit(s), s)
	}
	fmt.Fprintf(&b, "---\n\n# %s\n\n%s\n\nSchema: the knowledge-base schema of BigBio (arXiv 2206.15076), offsets in code points. Several entries of `normalized` are alternatives;\nthe parts of a composite are joined by `+` in one `db_id`.\n\n", opt.Name,
		cmp.Or(opt.Source, "Annotated documents."))
	b.WriteString("| split | documents | mentions | distinct concepts | distinct mentions | NIL | composite |\n|---|---|---|---|---|---|---|\n")
	for _, s := range corpus.Count(docs, nil) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d |\n", cmp.Or(s.Split, "train"), s.Documents, s.Mentions, s.Concepts, s.Surfaces, s.NIL, s.Composite)
	}
	b.WriteString("\n| annotation by | mentions |\n|---|---|\n")
	for _, o := range slices.Sorted(maps.Keys(origins)) {
		fmt.Fprintf(&b, "| %s | %d |\n", o, origins[o])
	}
	b.WriteString("\n## Limits\n\n")
	if origins["synthetic"] > 0 {
		b.WriteString("Synthetic sentences were written by a language model and passed automatic checks; no clinician has read them all, and they are no source of medical\nknowledge. ")
	}
	b.WriteString("Mentions may be names of a licensed vocabulary (UMLS, SNOMED CT): make sure that its licence allows passing them on before you publish this\nfolder. manifest.json has the hash of every file.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// hubSplit is the hub's name of a split.
func hubSplit(s string) string {
	if s == "dev" {
		return "validation"
	}
	return s
}

func sizeCategory(n int) string {
	for _, c := range []struct {
		below int
		name  string
	}{{1_000, "n<1K"}, {10_000, "1K<n<10K"}, {100_000, "10K<n<100K"}, {1_000_000, "100K<n<1M"}} {
		if n < c.below {
			return c.name
		}
	}
	return "1M<n<10M"
}
