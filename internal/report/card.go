package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"syncabel/internal/artifact"
)

// A Card describes a model or a data set for whoever gets it, made from manifests alone (Mitchell et al. 2019, arXiv 1810.03993;
// Gebru et al. 2021, arXiv 1803.09010). What no manifest knows it does not say.
type Card struct {
	Title string
	File  string
	Text  string // Markdown
}

// NewCard writes the card of a finished folder. results are lines about measured quality, empty for data.
func NewCard(title, file string, m *artifact.Manifest, licences []string, results []string) Card {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	fmt.Fprintf(&b, "- kind: %s\n- made by: syncabel %s\n- seed: %d\n- key: %s\n", m.Kind, m.Program, m.Seed, m.Key)
	if len(licences) > 0 {
		fmt.Fprintf(&b, "- licence classes of what went in: %s\n", strings.Join(licences, ", "))
	}
	section(&b, "Counts", m.Counts, func(n int64) string { return fmt.Sprint(n) })
	section(&b, "Inputs (SHA-256)", m.Inputs, func(s string) string { return s })
	section(&b, "Figures", m.Metrics, func(v float64) string { return fmt.Sprintf("%.4f", v) })
	if len(results) > 0 {
		b.WriteString("\n## Results\n\n")
		for _, r := range results {
			b.WriteString("- " + r + "\n")
		}
	}
	if len(m.Warnings) > 0 {
		b.WriteString("\n## Warnings\n\n")
		for _, w := range m.Warnings {
			fmt.Fprintf(&b, "- %d x %s\n", w.Count, w.Kind)
		}
	}
	if len(m.Options) > 0 {
		var pretty any
		if json.Unmarshal(m.Options, &pretty) == nil && pretty != nil {
			text, _ := json.MarshalIndent(pretty, "", "  ") // it was JSON a moment ago
			fmt.Fprintf(&b, "\n## Options\n\n```json\n%s\n```\n", text)
		}
	}
	section(&b, "Files (SHA-256)", m.Files, func(f artifact.File) string { return f.SHA256 })
	return Card{title, file, b.String()}
}

// section lists a map, sorted.
func section[V any](b *strings.Builder, title string, m map[string]V, text func(V) string) {
	if len(m) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(b, "- %s: %s\n", k, text(m[k]))
	}
}
