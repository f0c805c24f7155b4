package eval

import "syncabel/internal/prediction"

// Consistency counts strings that a document repeats within one semantic group: how often their first candidates, or their
// annotations, differ.
type Consistency struct {
	Repeated      int `json:"repeated"`
	Differ        int `json:"predictions_differ"`
	DifferingGold int `json:"annotations_differ"`
}

// consistency looks at all mentions of a file, annotated or not.
func consistency(preds []prediction.Prediction) Consistency {
	type place struct {
		document, group, text string
		pass                  int
	}
	type mention struct{ document, id string }
	type seen struct {
		n            int
		code, gold   string
		codes, golds bool // they differ
	}
	at := map[place]*seen{}
	pass := map[mention]int{} // joined files of several seeds hold a mention more than once
	for i := range preds {
		p := &preds[i]
		m := mention{p.Document, p.Mention}
		k := place{p.Document, p.Group, p.Text, pass[m]}
		pass[m]++
		code, gold := "", ""
		if len(p.Candidates) > 0 {
			code = p.Candidates[0].Code
		}
		for _, a := range p.Gold {
			for _, c := range a {
				gold += c + " "
			}
			gold += "| "
		}
		s := at[k]
		if s == nil {
			at[k] = &seen{n: 1, code: code, gold: gold}
			continue
		}
		s.n++
		s.codes = s.codes || code != s.code
		s.golds = s.golds || gold != s.gold
	}
	var c Consistency
	for _, s := range at {
		if s.n < 2 {
			continue
		}
		c.Repeated++
		if s.codes {
			c.Differ++
		}
		if s.golds {
			c.DifferingGold++
		}
	}
	return c
}
