package serve

import (
	"fmt"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/text"
)

// writeCorpus writes the formats of corpora. It returns the content type, a file's ending and what the format could not hold.
func writeCorpus(w io.Writer, format string, docs []exported) (contentType, extension, left string, err error) {
	f, err := exchange.Lookup(format)
	if err != nil || !f.Writes {
		return "", "", "", huma.Error422UnprocessableEntity("unknown format: have " + strings.Join(formatNames(), ", "))
	}
	warnings, err := exchange.Write(w, format, annotated(docs), corpus.WriteOptions{})
	return f.MediaType, f.Extension, counted(warnings), err
}

// formatNames are the formats that an export can have.
func formatNames() []string {
	out := []string{"fhir", "omop"}
	for _, f := range exchange.Formats() {
		if f.Writes {
			out = append(out, f.Name)
		}
	}
	return out
}

// counted says how many things a format could not hold. What they are may be text, which does not belong in a header.
func counted(warnings []text.Warning) string {
	if len(warnings) == 0 {
		return ""
	}
	return fmt.Sprintf("warnings=%d", len(warnings))
}
