package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sentences tells what the gates made of the synthetic sentences.
func (r *Report) sentences(b *strings.Builder) {
	for _, s := range r.Stages {
		if s.Title != "synthetic sentences" {
			continue
		}
		fmt.Fprintf(b, "\nsynthetic sentences: %d checked, %d passed the gates", s.Counts["sentences"], s.Counts["passed"])
		for _, k := range slices.Sorted(maps.Keys(s.Counts)) {
			if why, ok := strings.CutPrefix(k, "rejected: "); ok {
				fmt.Fprintf(b, "; %s: %d", why, s.Counts[k])
			}
		}
		b.WriteString("\n")
	}
}
