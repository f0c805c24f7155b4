package report

import (
	"fmt"

	"syncabel/internal/stat"
)

// Figures are the coverage-accuracy curves and the reliability of every system whose predictions have a confidence. Systems of
// string comparison have similarities instead of probabilities and stand in the first only.
func (r *Report) Figures() []figure {
	coverage := &plot{Label: "accuracy over coverage", X: axis{Title: "coverage, % of mentions", High: 1, Percent: true}}
	reliability := &plot{Label: "accuracy over probability", X: axis{Title: "probability of the first candidate, %", High: 1, Percent: true},
		Y: axis{Title: "right, %", High: 1, Percent: true}, Equal: true}
	for _, row := range r.confident() {
		coverage.Lines = append(coverage.Lines, coverageLine(row))
		if l := reliabilityLine(row); len(l.Points) > 0 {
			reliability.Lines = append(reliability.Lines, l)
		}
	}
	if len(coverage.Lines) == 0 {
		return nil
	}
	coverage.Y = yRange("right among those kept, %", coverage.Lines)
	out := []figure{{Title: "Coverage and accuracy", Plot: coverage}}
	if len(reliability.Lines) > 0 {
		out = append(out, figure{Title: "Reliability", Plot: reliability})
	}
	return out
}

// confident are the systems shown: all with a confidence, at most as many as there are colours, the last ones first.
func (r *Report) confident() []Row {
	var out []Row
	for i := len(r.Rows) - 1; i >= 0 && len(out) < shades; i-- {
		if r.Rows[i].Selective != nil {
			out = append(out, r.Rows[i])
		}
	}
	return out
}

func coverageLine(row Row) line {
	l := line{Name: row.System}
	for _, c := range row.Selective.Curve {
		l.Points = append(l.Points, dot{X: c.Coverage, Y: c.Accuracy, Title: fmt.Sprintf("%s: %.1f %% right of the %d most confident (%.0f %%)", row.System, 100*c.Accuracy, c.N, 100*c.Coverage)})
	}
	return l
}

func reliabilityLine(row Row) line {
	l := line{Name: row.System}
	for _, b := range row.Selective.Bins {
		if b.N > 0 {
			l.Points = append(l.Points, dot{X: b.Confidence, Y: b.Accuracy, Title: fmt.Sprintf("%s: %.1f %% right where %.1f %% was said, n %d", row.System, 100*b.Accuracy, 100*b.Confidence, b.N)})
		}
	}
	return l
}

// ConfidenceTable has the figures behind the plots.
func (r *Report) ConfidenceTable() Table {
	t := Table{Head: []string{"system", "n", "AUROC", "AURC", "ECE", "Brier", "right at 50 % coverage", "at 80 %"},
		Notes: []string{"AUROC: does confidence tell right from wrong (0.5 no, 1 always). AURC: mean share of wrong answers over all coverages. ECE: mean distance of probability and accuracy."}}
	for _, row := range r.confident() {
		s := row.Selective
		ece, brier := "-", "-"
		if s.Of == "probability" {
			ece, brier = fmt.Sprintf("%.3f", s.ECE), fmt.Sprintf("%.3f", s.Brier)
		}
		t.Rows = append(t.Rows, []string{row.System, fmt.Sprint(s.N), fmt.Sprintf("%.3f", s.AUROC), fmt.Sprintf("%.3f", s.AURC), ece, brier, at(s.Curve, 0.5), at(s.Curve, 0.8)})
	}
	return t
}

// at writes the accuracy at a coverage with its n.
func at(curve []stat.Coverage, coverage float64) string {
	for _, c := range curve {
		if c.Coverage >= coverage {
			return fmt.Sprintf("%.1f (n %d)", 100*c.Accuracy, c.N)
		}
	}
	return "-"
}

// VerdictTable is what judges said about each system: shares of all its mentions, with what is missing. It has no rows where nobody
// judged.
func (r *Report) VerdictTable() Table {
	labels := []string{"STRICT", "EXACT", "NARROW", "BROAD", "PARTIAL", "NO_RELATION"}
	t := Table{Head: append(append([]string{"system", "n"}, labels...), "missing", "STRICT or EXACT"), Notes: []string{"Percent of n. A verdict that nobody gave is missing and counts as not appropriate."}}
	for _, row := range r.Rows {
		v := row.Verdicts
		if v == nil {
			continue
		}
		cells := []string{row.System, fmt.Sprint(v.N)}
		share := func(n int) string { return fmt.Sprintf("%.1f (%d)", 100*float64(n)/float64(v.N), n) }
		for _, l := range labels {
			cells = append(cells, share(v.Counts[l]))
		}
		t.Rows = append(t.Rows, append(cells, share(v.Missing), Percent(v.Appropriate)))
	}
	return t
}
