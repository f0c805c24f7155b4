package report

import (
	"fmt"

	"syncabel/internal/stat"
)

// An Ablation is what each addition of linking does for one model: rows of which each has one more than the row it is compared with.
type Ablation struct {
	Model string     `json:"model"`
	Seeds int        `json:"seeds"`
	Rows  []Addition `json:"rows"`
}

// An Addition is one row.
type Addition struct {
	Name        string   `json:"name"`
	Against     string   `json:"against,omitempty"` // the row it is paired with; empty: the first row
	Predictions []string `json:"predictions"`       // folders below the run's, one a seed

	Recall1 stat.Interval `json:"recall@1"`
	// Differences of Recall@1 to the row of Against, paired over documents.
	All    stat.Test `json:"difference"`
	Seen   stat.Test `json:"difference_seen_concepts"`
	Unseen stat.Test `json:"difference_unseen_concepts"`

	ECE     stat.Interval `json:"ece"` // expected calibration error of the first candidate
	ECETest stat.Test     `json:"difference_ece"`
	At70    float64       `json:"right_at_70"` // share right of the 70 % most confident answers
}

// AblationTable has no rows where no ablation was asked for.
func (r *Report) AblationTable() Table {
	if r.Ablation == nil {
		return Table{}
	}
	a := r.Ablation
	t := Table{Caption: fmt.Sprintf("What each addition does: model %s, %d seed(s), Recall@1 in percent, differences in points, paired over documents [95 %% interval]", a.Model, a.Seeds),
		Head:  []string{"", "Recall@1", "against", "all", "seen", "unseen", "ECE", "its difference", "right at 70 % coverage"},
		Notes: []string{"~: the interval holds zero. Each row adds to the row named under against. ECE: mean distance of the first candidate's probability and accuracy."}}
	for _, x := range a.Rows {
		row := []string{x.Name, Percent(x.Recall1), x.Against, "", "", "", fmt.Sprintf("%.3f", x.ECE.Value), "", fmt.Sprintf("%.1f", 100*x.At70)}
		if x.Against != "" {
			row[3], row[4], row[5], row[7] = Points(x.All), Points(x.Seen), Points(x.Unseen), Points(x.ECETest)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
