package serve

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/corpus/pubtator"
	"syncabel/internal/text"
)

// writeCorpus writes the formats of corpora. It returns the content type and what the format could not hold.
func writeCorpus(w io.Writer, format string, docs []exported) (contentType, left string, err error) {
	switch list := annotated(docs); format {
	case "pubtator":
		warnings, err := pubtator.Write(w, list)
		return "text/plain", counted(warnings), err
	case "jsonl":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		for i := range list {
			if err := enc.Encode(&list[i]); err != nil {
				return "", "", err
			}
		}
		return "application/x-ndjson", "", nil
	}
	return "", "", huma.Error422UnprocessableEntity("unknown format: have fhir, omop, pubtator, jsonl")
}

// counted says how many things a format could not hold. What they are may be text, which does not belong in a header.
func counted(warnings []text.Warning) string {
	if len(warnings) == 0 {
		return ""
	}
	return fmt.Sprintf("warnings=%d", len(warnings))
}
