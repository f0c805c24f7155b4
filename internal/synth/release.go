package synth

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/terminology"

	_ "embed"
)

//go:embed card.md
var cardTemplate string

// Licence classes of names, the freest first. What has none is of unknown class and counts as restricted.
var licences = []string{"open", "attribution", "restricted"}

// ReleaseOptions of Release.
type ReleaseOptions struct {
	Name       string // of the data set
	Restricted bool   // also sentences of concepts whose names may not be passed on
	Plan       *Plan  // nil when the sentences came from elsewhere
	Counts     Counts // of the gates
	Program    string
	// Write writes the documents of one language to path, which has no extension, and returns the extensions of the files it
	// wrote; the first is the one that the card offers for loading.
	Write func(path string, docs []corpus.Document) (extensions []string, err error)
}

// A Released is what Release wrote.
type Released struct {
	Documents map[string]int      // by language
	Classes   map[string]int      // by licence class, those kept back too
	KeptBack  int                 // restricted sentences that stayed out
	Files     map[string][]string // by language
}

// Release writes checked sentences for others into dir: one file a language in the form that opt.Write knows, and a dataset card
// that says how they were made. Sentences of restricted concepts stay out unless they are asked for: their mentions are names of a
// licensed vocabulary.
func Release(dir string, kb *terminology.KB, docs []corpus.Document, opt ReleaseOptions) (*Released, error) {
	out := &Released{Documents: map[string]int{}, Classes: map[string]int{}, Files: map[string][]string{}}
	byLanguage := map[string][]corpus.Document{}
	for _, d := range docs {
		class := licenceOf(kb, d)
		out.Classes[class]++
		if !opt.Restricted && class != "open" && class != "attribution" {
			out.KeptBack++
			continue
		}
		byLanguage[d.Language] = append(byLanguage[d.Language], d)
		out.Documents[d.Language]++
	}
	if len(byLanguage) == 0 {
		return nil, fmt.Errorf("releasing: none of %d sentences may be passed on: their concepts are of licence class restricted or unknown; set the class at import (--licence), or release for your own use with --restricted", len(docs))
	}
	for _, language := range slices.Sorted(maps.Keys(byLanguage)) {
		path := filepath.Join(dir, "data", language)
		extensions, err := opt.Write(path, byLanguage[language])
		if err != nil {
			return nil, fmt.Errorf("releasing: %w", err)
		}
		for _, e := range extensions {
			out.Files[language] = append(out.Files[language], "data/"+language+e)
		}
	}
	card, err := card(kb, out, opt)
	if err != nil {
		return nil, err
	}
	if err := artifact.WriteFile(filepath.Join(dir, "README.md"), []byte(card)); err != nil {
		return nil, err
	}
	return out, writePrompts(dir, opt.Plan)
}

// licenceOf is the most restrictive class among the names of a document's concept.
func licenceOf(kb *terminology.KB, d corpus.Document) string {
	worst := 0
	for _, m := range d.Mentions {
		for _, a := range m.Gold {
			for _, id := range a {
				i, ok := kb.Index(id)
				if !ok {
					return "unknown"
				}
				for _, n := range kb.Concept(i).Names {
					k := slices.Index(licences, n.Licence)
					if k < 0 {
						return "unknown"
					}
					worst = max(worst, k)
				}
			}
		}
	}
	return licences[worst]
}

// writePrompts writes the prompts as they were sent.
func writePrompts(dir string, p *Plan) error {
	if p == nil {
		return nil
	}
	for _, x := range p.Prompts {
		text := fmt.Sprintf("%s\n\n--- where the answer follows a schema ---\n%s\n\n--- elsewhere ---\n%s\n", x.System, x.IfSchema, x.IfLines)
		if err := artifact.WriteFile(filepath.Join(dir, "prompts", x.Name+".txt"), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// card renders the dataset card.
func card(kb *terminology.KB, r *Released, opt ReleaseOptions) (string, error) {
	t, err := template.New("card").Funcs(template.FuncMap{"rows": rows, "total": total}).Parse(cardTemplate)
	if err != nil {
		return "", fmt.Errorf("rendering dataset card: %w", err)
	}
	var out strings.Builder
	err = t.Execute(&out, map[string]any{"Name": cmp.Or(opt.Name, "synthetic sentences"), "Released": r, "Plan": opt.Plan, "Counts": opt.Counts, "Program": opt.Program,
		"Concepts": kb.Len(), "Languages": slices.Sorted(maps.Keys(r.Documents)), "Restricted": opt.Restricted})
	if err != nil {
		return "", fmt.Errorf("rendering dataset card: %w", err)
	}
	return out.String(), nil
}

// rows renders a map as the rows of a Markdown table, sorted.
func rows(m map[string]int) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "| %s | %d |\n", k, m[k])
	}
	return b.String()
}

func total(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}
