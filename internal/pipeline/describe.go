package pipeline

import (
	"fmt"
	"slices"

	"syncabel/internal/report"
	"syncabel/internal/terminology"
)

// name is the preferred name of a concept, "" when there is none.
func (d *data) name(id string) string {
	i, ok := d.k.Index(id)
	if !ok {
		return ""
	}
	return d.k.Concept(i).PreferredName("")
}

// cards describe the corpus, the synthetic sentences and the models.
func cards(rep *report.Report, d *data, models []*fitted) []report.Card {
	licences := licenceClasses(d.k)
	out := []report.Card{report.NewCard("Corpus of "+rep.Title, "card.corpus.md", d.corpus.man, nil, nil)}
	if d.synth != nil {
		out = append(out, report.NewCard("Synthetic sentences of "+rep.Title, "card.synthetic.md", d.synth.man, licences, nil))
	}
	for _, f := range models {
		var results []string
		for _, row := range rep.Rows {
			if row.Model == f.cfg.Name {
				results = append(results, fmt.Sprintf("%s, %s split, protocol %s: Recall@1 %s, n %d, seeds %d", row.System, rep.Split, rep.Protocol, report.Percent(row.Overall.Recall1), row.Overall.N/max(row.Seeds, 1), row.Seeds))
			}
		}
		for i, m := range f.members() {
			seed := f.seed + uint64(i)
			out = append(out, report.NewCard(fmt.Sprintf("Model %s, seed %d, of %s", f.cfg.Name, seed, rep.Title), "card.model."+modelName(d, f.cfg, seed)+".md", m.man, licences, results))
		}
	}
	return out
}

// licenceClasses are those of the knowledge base's names.
func licenceClasses(kb *terminology.KB) []string {
	var out []string
	for i := range kb.Len() {
		for _, n := range kb.Concept(i).Names {
			if n.Licence != "" && !slices.Contains(out, n.Licence) {
				out = append(out, n.Licence)
			}
		}
	}
	slices.Sort(out)
	return out
}
