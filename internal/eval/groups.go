package eval

import (
	"slices"

	"syncabel/internal/prediction"
	"syncabel/internal/stat"
	"syncabel/internal/terminology"
)

// NoGroup stands for a first candidate that is no concept, or for none.
const NoGroup = "none"

// Groups counts the semantic group of the annotation against that of the first candidate's concept. A concept of several groups
// counts as of the annotated one where it is.
func Groups(kb *terminology.KB, preds []prediction.Prediction) *stat.Confusion {
	var annotated, found []string
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 {
			continue
		}
		group := NoGroup
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
