package report

import (
	"fmt"
	"strings"

	"syncabel/internal/eval"
)

// AmbiguousTable says how each system chooses where a string means several concepts. It has no rows where no string does.
func (r *Report) AmbiguousTable() Table {
	t := Table{Caption: "Mentions whose string means several concepts, of which one is meant: right, beside what chance would have right",
		Head: []string{"", "names", "right", "by chance", "training strings", "right", "by chance", "usual meaning"},
		Notes: []string{"Names: concepts of the mention's semantic group share the string as a name. Training strings: the annotations give the string several answers; the usual meaning is the " +
			"most frequent of them. Numbers of mentions, means over seeds."}}
	for i := range r.Rows {
		x := &r.Rows[i]
		if x.Ambiguous.Named.N+x.Ambiguous.Taught.N > 0 {
			t.Rows = append(t.Rows, append([]string{x.System}, x.ambiguous()...))
		}
	}
	return t
}

func (row *Row) ambiguous() []string {
	mean := func(n float64) string {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", n/float64(max(row.Seeds, 1))), ".0")
	}
	choice := func(a eval.Ambiguity) []string {
		return []string{mean(float64(a.N)), mean(float64(a.Right)), mean(a.Chance)}
	}
	taught := row.Ambiguous.Taught
	return append(append(choice(row.Ambiguous.Named), choice(taught)...), mean(float64(taught.Usual)))
}
