package judge

import (
	"syncabel/internal/stat"
)

// Agreement says how far a judge and a person agree over the rows that both judged.
type Agreement struct {
	Rater     string                `json:"rater"`
	N         int                   `json:"n"`
	Missing   int                   `json:"missing"` // rows the person judged and the rater did not: not in N
	Accuracy  float64               `json:"accuracy"`
	Kappa     float64               `json:"kappa"`     // Cohen's, unweighted
	Confusion *stat.Confusion       `json:"confusion"` // rows: the person
	Labels    map[string]stat.Share `json:"labels"`    // the person being the truth
}

// Agree compares verdicts with those of a person, by the same keys.
func Agree(rater string, verdicts, human map[string]string, keys []string) Agreement {
	a := Agreement{Rater: rater, Labels: map[string]stat.Share{}}
	var x, y []string
	for _, k := range keys {
		h, v := human[k], verdicts[k]
		switch {
		case h == "":
		case v == "":
			a.Missing++
		default:
			x, y = append(x, h), append(y, v)
		}
	}
	c := stat.Confuse(x, y, Labels())
	a.N, a.Accuracy, a.Kappa, a.Confusion = len(x), c.Accuracy(), c.Kappa(), c
	for i, l := range c.Labels {
		a.Labels[l] = c.Label(i)
	}
	return a
}
