package pipeline

import (
	"fmt"
	"slices"

	"syncabel/internal/prediction"
	"syncabel/internal/report"
	"syncabel/internal/stat"
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

// noGroup stands for a first candidate that is no concept, or for none.
const noGroup = "none"

// confusion counts the group that was searched against that of the first candidate's concept.
func confusion(kb *terminology.KB, preds []prediction.Prediction) *stat.Confusion {
	var annotated, found []string
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 {
			continue
		}
		group := noGroup
		if len(p.Candidates) > 0 {
			if c, ok := kb.Index(p.Candidates[0].Code); ok {
				groups := kb.Concept(c).Groups()
				if group = groups[0]; slices.Contains(groups, p.Group) {
					group = p.Group
				}
			}
		}
		annotated, found = append(annotated, p.Group), append(found, group)
	}
	return stat.Confuse(annotated, found, kb.Groups())
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
		out = append(out, report.NewCard(fmt.Sprintf("Model %s, seed %d, of %s", f.cfg.Name, f.seed, rep.Title), "card.model."+f.name+".md", f.model.man, licences, results))
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
